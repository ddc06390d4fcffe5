"""Train the models that come with the program: `python -m benchmarks.pretrain DATA OUT [MODEL …] [--publish]`.

DATA is a folder with one folder of pictures for each, OUT a workspace of its own. What was trained already goes on
where it stopped, also to a greater length than it had before. `pretrained.toml` beside this file says how. With
--publish, each is measured, and written into `pretrained/` with its card, its loop and its sheets.
"""

import argparse
import dataclasses
import os
import platform
import textwrap
import tomllib
from pathlib import Path

PLANS = tomllib.loads(Path(__file__).with_name("pretrained.toml").read_text(encoding="utf-8"))
SHELF = Path(__file__).parent.parent / "pretrained"
STRIP_SIDE = 16_000  # px; the most that a WebP can have is a little more


def settings_of(plan: dict, data: Path, device: str):
    """The config of a model's training on this device; prepares its pictures where they are not yet."""
    from ganart import dataset, models, presets
    from ganart.config import IntakeConfig

    own = {key: value.get(device) if isinstance(value, dict) else value for key, value in plan.items()}
    if own["pictures"] == "mnist":
        os.environ.setdefault("GANART_MNIST", str(data / "mnist"))
        store = dataset.prepare("mnist")
    else:
        store = dataset.prepare(data / own["pictures"], IntakeConfig(size=own.get("size") or 64))
    if own.get("start"):
        settings = presets.going_on_from(models.find_model(own["start"]).card())
    else:
        recipe = presets.preset(own["preset"])
        settings = presets.for_dataset(recipe, store.settings.size, store.channels, own.get("width"))
    changes = {key: own[key] for key in ("augment", "batch") if key in own}
    return dataclasses.replace(
        settings,
        kimg=float(own["kimg"]),
        device=device,
        dataset=store.name,
        dataset_hash=store.hash,
        **changes,
    )


def train(name: str, settings, initial: Path | None = None):
    """The run of this name, trained to the length that is asked for. initial: the model that it starts from."""
    from ganart import launch, run
    from ganart import train as trainer

    there = [item for item in run.list_runs() if item.name == name]
    target = there[0] if there else launch.create(settings, name, initial)
    if target.config().kimg < settings.kimg:
        target = launch.branch(target, None, {"kimg": settings.kimg}, name)
    if target.status().state == "done":
        return target
    if target.state.is_file():
        launch.make_ready(target)
    trainer.work(target)
    return target


def hardware(device: str) -> str:
    """What it was trained on, in words."""
    import torch

    if device == "cuda":
        return f"one {torch.cuda.get_device_name()}"
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} cores of an {processor.replace('(R)', '')}"


def how(plan: dict, card, target, where: str) -> str:
    """How it was made, in a sentence or two. where: what it was trained on, "" for this computer."""
    recipe = card.recipe
    held = card.dataset["held_out"]
    told = (
        f"Recipe `{recipe['preset']}`, width {card.networks.width}, {1000 * card.kimg:,.0f} pictures seen in "
        f"batches of {recipe['batch']}, learned from {card.dataset['pictures'] - held:,} pictures."
    )
    if recipe["initial"]:
        told += f" It went on from the networks of `{recipe['initial']}`, which had learned other pictures."
    if target is None:
        return f"{told} {plan['made']}"
    speeds = [line["img_s"] for line in target.metrics() if "img_s" in line]
    rate, seen = sorted(speeds)[len(speeds) // 2], 1000 * target.status().kimg
    return (
        f"{told} The training saw {seen:,.0f} pictures in all, on {where or hardware(recipe['device'])}, in "
        f"{seen / rate / 60:.0f} minutes at {rate:.0f} a second; of its models this came closest to "
        f"the {held:,} held-out pictures."
    )


def words(plan: dict, card, target, figures: dict, where: str) -> str:
    """The card, as Markdown. where: as `how` has it."""
    from ganart.evaluation import FEW, METRICS, ROUGH

    rows = []
    for name, figure in figures.items():
        value, floor = (f"{number:.{METRICS[name].digits}f}" for number in (figure.value, figure.floor))
        rows.append(f"| {METRICS[name].name} | {value} | {floor} |")
    n = next(iter(figures.values())).n
    side = "held-out" if card.dataset["held_out"] else "training"
    paragraphs = [
        plan["title"],
        f"**What it does.** {plan['looks']}",
        f"**How it was made.** {how(plan, card, target, where)}",
        f"**What it learned from.** {plan['source']}",
        f"**How good it is**, against {n} {side} pictures; the floor is what as many other real pictures reach. "
        f"{ROUGH if n < FEW else ''}",
    ]
    wrapped = [textwrap.fill(" ".join(text.split()), 112, break_on_hyphens=False) for text in paragraphs]
    return "\n\n".join([*wrapped, "\n".join(["| | value | floor |", "|---|---|---|", *rows])]) + "\n"


def publish(name: str, target, store, where: str = "") -> None:
    """Measure the run's best model and its last, and put the better one on the shelf; without a run, the model
    that is there, anew. where: as `how` has it."""
    from ganart import checkpoint, evaluate, film, models, share
    from ganart.files import write_atomic
    from ganart.models import Model

    path = SHELF / f"{name}.safetensors"
    candidates = models.of_run(target)[:2] if target is not None else [Model(name, path)]
    measured = []
    for model in candidates:
        G, _ = checkpoint.load_generator(model.path)
        figures, _, _ = evaluate.measure(G, store)
        measured.append((figures["kid_rf"].value, model, figures))
    _, model, figures = min(measured, key=lambda some: some[0])
    card = model.card()
    about = words(PLANS[name], card, target, figures, where)
    if target is not None:
        sheets = [(step, data) for step, data in model.sheets() if step <= card.step]
        height = 6 * card.networks.size
        write_atomic(
            path.with_suffix(".webp"), models.strip_bytes(models.thinned(sheets, min(24, STRIP_SIDE // height)))
        )
    plain = {key: vars(figure) for key, figure in figures.items()}
    write_atomic(path, share.model_file(model, about=about, figures=plain, name=name))
    G, _ = checkpoint.load_generator(path)
    write_atomic(path.with_name(f"{name}-loop.webp"), film.preview(G))
    text = f"# {name}\n\n![A loop painted by {name}]({name}-loop.webp)\n\n{about}"
    write_atomic(path.with_suffix(".md"), text.encode())
    print(f"{name}: {path.stat().st_size / 2**20:.1f} MiB\n{about}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="*", default=list(PLANS), help=f"of {', '.join(PLANS)}; all without any")
    parser.add_argument("--publish", action="store_true", help="measure it and put it into pretrained/")
    parser.add_argument("--as-it-is", action="store_true", help="train nothing: publish what is there")
    parser.add_argument("--trained-on", default="", help="for the card, where it was not this computer")
    options = parser.parse_args()
    if unknown := set(options.models) - set(PLANS):
        parser.error(f"There is no plan for {', '.join(sorted(unknown))}. There are: {', '.join(PLANS)}.")
    os.environ["GANART_HOME"] = str(options.out)
    from ganart import detached

    os.environ.update(detached.ENVIRONMENT)
    from ganart import dataset, devices, models, run

    device = devices.pick("auto")
    for name in options.models:
        settings = settings_of(PLANS[name], options.data, device)
        if options.as_it_is:
            there = [item for item in run.list_runs() if item.name == name]
            target = there[0] if there else None
        else:
            start = models.find_model(settings.initial).path if settings.initial else None
            target = train(name, settings, start)
            print(f"{name}: {target.status().kimg:g} kimg", flush=True)
        if options.publish:
            publish(name, target, dataset.find(settings.dataset, settings.dataset_hash), options.trained_on)


if __name__ == "__main__":
    main()
