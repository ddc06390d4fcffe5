"""Does starting from a model save time? `python -m benchmarks.finetune OUT FOLDER MODEL [--kimg 60]`.

Trains on the pictures of FOLDER twice, from noise and from the networks of MODEL, with the recipe of MODEL, and
prints the kernel distance to held-out pictures at each checkpoint. Written into OUT, a workspace; what is there is
read again.
"""

import argparse
import dataclasses
import os
from pathlib import Path

from benchmarks.pretrain import train


def curve(target) -> dict[float, float]:
    """{thousand pictures seen: distance to held-out pictures}."""
    return {line["kimg"]: line["distance"] for line in target.vitals() if "distance" in line}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model")
    parser.add_argument("--kimg", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    os.environ["GANART_HOME"] = str(options.out)
    from ganart import detached

    os.environ.update(detached.ENVIRONMENT)
    from ganart import dataset, devices, models, presets
    from ganart.config import IntakeConfig

    model = models.find_model(options.model)
    recipe = presets.going_on_from(model.card())
    store = dataset.prepare(options.folder, IntakeConfig(size=recipe.networks.size))
    print(
        "| seed | start | " + "thousand pictures seen: kernel distance | first at or below the best from noise |"
    )
    print("|---|---|---|---|")
    for seed in range(options.seeds):
        settings = dataclasses.replace(
            recipe,
            dataset=store.name,
            dataset_hash=store.hash,
            kimg=options.kimg,
            seed=seed,
            device=devices.pick("auto"),
        )
        fresh = dataclasses.replace(settings, initial="")
        curves = {
            "noise": curve(train(f"{store.name}-noise-{seed}", fresh, None)),
            model.id: curve(train(f"{store.name}-from-{model.id}-{seed}", settings, model.path)),
        }
        target = min(curves["noise"].values())
        for start, found in curves.items():
            reached = next((kimg for kimg, distance in found.items() if distance <= target), None)
            told = ", ".join(f"{kimg:.0f}: {distance:.0f}" for kimg, distance in found.items())
            print(
                f"| {seed} | {start} | {told} | {'never' if reached is None else f'{reached:.1f}'} |", flush=True
            )


if __name__ == "__main__":
    main()
