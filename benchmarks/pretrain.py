"""Train the models that come with the program: `python -m benchmarks.pretrain DATA OUT [MODEL …]`.

DATA is a folder with one folder of pictures for each, OUT a workspace of its own. What was trained already goes on
where it stopped, also to a greater length than it had before. `pretrained.toml` beside this file says how.
"""

import argparse
import dataclasses
import os
import threading
import tomllib
from pathlib import Path

PLANS = tomllib.loads(Path(__file__).with_suffix(".toml").with_stem("pretrained").read_text(encoding="utf-8"))


def settings_of(plan: dict, data: Path, device: str):
    """The config of a model's training on this device; prepares its pictures where they are not yet."""
    from ganart import dataset, presets
    from ganart.config import IntakeConfig

    own = {key: value[device] if isinstance(value, dict) else value for key, value in plan.items()}
    if own["pictures"] == "mnist":
        os.environ.setdefault("GANART_MNIST", str(data / "mnist"))
        store = dataset.prepare("mnist")
    else:
        store = dataset.prepare(data / own["pictures"], IntakeConfig(size=own.get("size", 64)))
    settings = presets.for_dataset(presets.preset(own["preset"]), store.settings.size, store.channels)
    changes = {key: own[key] for key in ("augment", "batch") if key in own}
    return dataclasses.replace(
        settings,
        kimg=float(own["kimg"]),
        device=device,
        dataset=store.name,
        dataset_hash=store.hash,
        **changes,
    )


def train(name: str, settings):
    """The run of this name, trained to the length that is asked for."""
    from ganart import launch, run
    from ganart import train as trainer

    there = [item for item in run.list_runs() if item.name == name]
    target = there[0] if there else launch.create(settings, name)
    if target.config().kimg < settings.kimg:
        target = launch.branch(target, None, {"kimg": settings.kimg}, name)
    if target.status().state != "done":
        trainer.train(target, threading.Event())
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="*", default=list(PLANS), help=f"of {', '.join(PLANS)}; all without any")
    options = parser.parse_args()
    if unknown := set(options.models) - set(PLANS):
        parser.error(f"There is no plan for {', '.join(sorted(unknown))}. There are: {', '.join(PLANS)}.")
    os.environ["GANART_HOME"] = str(options.out)
    from ganart.launch import TRAINER_ENVIRONMENT

    os.environ.update(TRAINER_ENVIRONMENT)
    from ganart import devices

    device = devices.pick("auto")
    for name in options.models:
        target = train(name, settings_of(PLANS[name], options.data, device))
        print(f"{name}: {target.status().kimg:g} kimg", flush=True)


if __name__ == "__main__":
    main()
