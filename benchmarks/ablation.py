"""Which recipe is the best for a small folder: `python -m benchmarks.ablation FOLDER OUT`.

{BCE with BatchNorm in D, hinge with spectral norm, RpGAN with R1 and R2} x {DiffAugment off, steered, full}, then
other gammas, cheaper forms of the penalties, other rates and precisions, each with several seeds. A thousand
pictures are prepared as always (a tenth of them held out, which steers the augmentation); all figures are taken on
pictures that no training has seen, with the floor between two such sets. Everything is written into OUT and taken
up there again after an interruption. `--full` is the form for a graphics card: 64 and 128 px, three seeds.
"""

import argparse
import dataclasses
import hashlib
import json
import math
import os
import shutil
import statistics
import time
from pathlib import Path

TRAINING, COMPARED = 1000, 800  # pictures

LOSSES = ("bce", "hinge", "rpgan")
AUGMENTS = ("off", "steered", "full")
MAIN = [f"{loss}-{augment}" for loss in LOSSES for augment in AUGMENTS]
PENALTIES = ["rpgan-off-every4", "rpgan-off-every16", "rpgan-off-approximate"]
GAMMAS = ["rpgan-off-gamma0.1", "rpgan-off-gamma10"]
ART = [f"rpgan-{augment}-every4-lr0.0004" for augment in AUGMENTS]  # as the recipes of the program are
OTHERS = [
    *ART[:2],
    "rpgan-off-lr0.0004",
    "rpgan-off-every4-lr0.0008",
    "bce-full-lr0.0004",
    "rpgan-off-beta0.5",
    "rpgan-off-float32",  # one of these two is what all others are trained in, and is left out
    "rpgan-off-bfloat16",
]
CELLS = MAIN + PENALTIES + GAMMAS + OTHERS + ART[2:]


def settings_of(cell: str, size: int, width: int, seed: int, device: str):
    """The TrainConfig of a cell, such as "rpgan-off-gamma10"."""
    from ganart.config import NetworkConfig, TrainConfig

    loss, augment, *rest = cell.split("-")
    networks = {
        "bce": NetworkConfig(size=size, width=width, d_norm="batch"),
        "hinge": NetworkConfig(size=size, width=width, d_norm="spectral"),
        "rpgan": NetworkConfig(size=size, width=width, d_norm="none", d_stddev=4),
    }[loss]
    settings = TrainConfig(
        networks=networks, loss=loss, augment=augment, ema_half_life=10.0, seed=seed, device=device, kimg=1e6
    )
    if loss == "rpgan":
        settings = dataclasses.replace(settings, gamma=1.0, beta1=0.0, beta2=0.99)
    for word in rest:
        if word.startswith("every"):
            settings = dataclasses.replace(settings, penalty_every=int(word.removeprefix("every")))
        elif word.startswith("beta"):
            settings = dataclasses.replace(settings, beta1=float(word.removeprefix("beta")))
        elif word.startswith("lr"):
            settings = dataclasses.replace(settings, lr=float(word.removeprefix("lr")))
        elif word in ("float32", "bfloat16"):
            settings = dataclasses.replace(settings, dtype=word)
        elif word.startswith("gamma"):
            settings = dataclasses.replace(settings, gamma=float(word.removeprefix("gamma")))
        else:
            settings = dataclasses.replace(settings, penalty=word)
    return settings


def prepare(folder: Path, out: Path, size: int, count: int):
    """(store of `count` pictures, uint8 pictures to compare with, as many more for the floor)."""
    from ganart import dataset
    from ganart.config import IntakeConfig

    kinds = (".jpg", ".jpeg", ".png")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
    files.sort(key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest())
    if len(files) < count + COMPARED:
        raise SystemExit(f"{folder} has {len(files)} pictures; {count + COMPARED} are needed.")
    stores = []
    for name, chosen in (("train", files[:count]), ("test", files[count:])):
        target = out / name
        if not target.is_dir():
            target.mkdir(parents=True)
            for index, path in enumerate(chosen):
                shutil.copyfile(path, target / f"{index:05}{path.suffix}")
        stores.append(dataset.prepare(target, IntakeConfig(size=size), name=f"ablation-{name}-{size}"))
    test = stores[1].images()
    compared = min(COMPARED, len(test) // 2)
    return stores[0], test[:compared], test[compared : 2 * compared]


def figures(real, fake) -> dict[str, float]:
    """SWD of the finest and the coarsest level, and the kernel distance, all x 1000."""
    from ganart import metrics

    distances = list(metrics.sliced_wasserstein(real, fake).values())
    return {"fine": distances[0], "coarse": distances[-1], "kid": metrics.kernel_distance(real, fake)}


def speed(settings, pictures, dtype: str, steps: int = 16) -> float:
    """Pictures a second of this recipe, median over some steps."""
    from ganart import batches, training

    state, timings = training.build(settings, {}), []
    dtype = dtype if settings.dtype == "auto" else settings.dtype
    together = settings.penalty_every  # cheap and dear steps in their proportion
    for first in range(0, steps + together, together):
        started = time.perf_counter()
        for step in range(first, first + together):
            found = training.train_step(state, settings, batches.draw(pictures, settings, step), dtype)
        found.tolist()
        timings.append((time.perf_counter() - started) / together)
    return settings.batch / statistics.median(timings[1:])


def train_cell(cell: str, settings, pictures, compare, kimgs: list[float], out: Path, dtype: str) -> None:
    """Train one cell, a line of figures at each of `kimgs`; goes on where an earlier one stopped."""
    from ganart import batches, checkpoint, ema, images, latent, render, training

    name = f"{cell}-{settings.networks.size}-{settings.seed}"
    lines, state_path = out / f"{name}.jsonl", out / f"{name}.safetensors"
    state = training.build(settings, {})
    dtype = dtype if settings.dtype == "auto" else settings.dtype
    if state_path.exists():
        tensors, values = checkpoint.load_state(state_path)
        state.load(tensors, values["step"])
        kept = [line for line in lines.read_text().splitlines() if json.loads(line)["step"] <= state.step]
        lines.write_text("".join(f"{line}\n" for line in kept))
    z = latent.sample_z(list(range(10_000, 10_000 + len(compare))), settings.networks.z_dim)
    looks = sorted({math.ceil(1000 * kimg / settings.batch) for kimg in kimgs})
    while state.step < looks[-1]:
        found = training.train_step(state, settings, batches.draw(pictures, settings, state.step), dtype)
        if state.step in looks:
            row = {
                "step": state.step,
                "kimg": state.step * settings.batch / 1000,
                "p": found[4].item(),
                "overfitting": found[5].item(),
            }
            draws = [batches.sample_z(settings, "batchnorm", k) for k in range(training.BATCHNORM_BATCHES)]
            for kind, G in (("ema", state.G_ema), ("raw", state.G)):
                G = ema.with_own_batchnorm(G, draws)
                row[kind] = figures(compare, render.pictures(G, z))
                if kind == "ema":
                    sheet = images.tile(render.pictures(G, z[:32]), 8)
                    (out / f"{name}.png").write_bytes(images.encode(sheet))
            with lines.open("a") as file:
                file.write(json.dumps(row) + "\n")
            checkpoint.save_state(state_path, state.tensors(), {"step": state.step})
            print(name, json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="at least 1,800 pictures, in subfolders or not")
    parser.add_argument("out", type=Path, help="where results are written and taken up again")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--kimg", type=float, default=80.0, help="of the slowest recipe; faster ones see more")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=TRAINING, help="to learn from")
    parser.add_argument("--cells", nargs="+", choices=CELLS, metavar="CELL", help="some recipes, not all")
    parser.add_argument("--full", action="store_true", help="64 and 128 px, width 64, 1000 kimg, three seeds")
    parser.add_argument("--table", action="store_true", help="print the tables of what is there, train nothing")
    options = parser.parse_args()
    if options.full:
        options.sizes, options.width, options.kimg, options.seeds = [64, 128], 64, 1000.0, 3
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["GANART_HOME"] = str(options.out / "home")
    if options.table:
        for size in options.sizes:
            tables(options.out, size, options.seeds, options.kimg)
            sheets(options.out, size)
        return

    from ganart import detached

    os.environ.update(detached.ENVIRONMENT)
    from ganart import batches, devices, probe

    device = devices.pick("auto")
    for size in options.sizes:
        store, compare, floor = prepare(options.folder, options.out, size, options.pictures)
        pictures = batches.Pictures(store, device)
        dtype = probe.faster_dtype(settings_of("rpgan-off", size, options.width, 0, device))
        path = options.out / f"facts-{size}.json"
        facts = json.loads(path.read_text()) if path.exists() else {"floor": figures(compare, floor), "rates": {}}
        cells = [cell for cell in options.cells or CELLS if not cell.endswith(dtype)]
        wanted = [cell for cell in cells if cell not in facts["rates"]]
        found = {cell: [] for cell in wanted}
        for _ in range(3):  # in turns, so that a noisy machine is noisy to all
            for cell in wanted:
                found[cell].append(speed(settings_of(cell, size, options.width, 0, device), pictures, dtype))
        facts["rates"] |= {cell: statistics.median(values) for cell, values in found.items()}
        path.write_text(json.dumps(facts, indent=1))
        for seed in range(options.seeds):
            for cell in cells:
                settings = settings_of(cell, size, options.width, seed, device)
                looks = [options.kimg, in_equal_time(options.kimg, facts["rates"], cell)]
                train_cell(cell, settings, pictures, compare, looks, options.out, dtype)
        tables(options.out, size, options.seeds, options.kimg)
        sheets(options.out, size)


def in_equal_time(kimg: float, rates: dict[str, float], cell: str) -> float:
    """What a cell sees in the time in which the slowest of the main ones, or of those that there are, sees half
    of `kimg`."""
    slowest = min(rates[name] for name in [some for some in MAIN if some in rates] or rates)
    return kimg / 2 * rates[cell] / slowest


def tables(out: Path, size: int, seeds: int, kimg: float) -> None:
    """Print what was found: at equal numbers of pictures, and at equal time."""
    facts = json.loads((out / f"facts-{size}.json").read_text())
    rates = facts["rates"]
    rows = {}
    for cell in CELLS:
        for seed in range(seeds):
            path = out / f"{cell}-{size}-{seed}.jsonl"
            if path.exists():
                rows.setdefault(cell, []).append([json.loads(line) for line in path.read_text().splitlines()])
    print(f"\n{size} px; floor: " + ", ".join(f"{k} {v:.0f}" for k, v in facts["floor"].items()))
    for title, time_equal in (
        (f"at {kimg:g} kimg", False),
        (f"in the time of {kimg / 2:g} kimg of the slowest recipe", True),
    ):
        print(f"\n{title}\n")
        print("| recipe | pictures/s | kimg | SWD fine, EMA (raw) | SWD coarse | KID-rf | p |")
        print("|---|---|---|---|---|---|---|")
        for cell, runs in rows.items():
            wanted = in_equal_time(kimg, rates, cell) if time_equal else kimg
            last = [row for run in runs for row in run if wanted <= row["kimg"] < wanted + 0.2]
            if not last:
                continue  # still on its way
            columns = [
                f"{_mean(last, 'ema', key)} ({_mean(last, 'raw', key)})" for key in ("fine", "coarse", "kid")
            ]
            p = statistics.mean(row["p"] for row in last)
            seen = statistics.mean(row["kimg"] for row in last)
            three = " | ".join(columns)
            print(f"| {cell} ({len(last)}) | {rates[cell]:.0f} | {seen:.0f} | {three} | {p:.2f} |")


def sheets(out: Path, size: int) -> None:
    """OUT/main-SIZE.png: the last sheets of the main cells, a row a loss, a column an augmentation."""
    import numpy as np

    from ganart import images

    rows = []
    for loss in LOSSES:
        found = [out / f"{loss}-{augment}-{size}-0.png" for augment in AUGMENTS]
        if not all(path.is_file() for path in found):
            return
        pictures = [np.pad(images.read_png(path.read_bytes()), ((4, 4), (4, 4), (0, 0))) for path in found]
        rows.append(np.concatenate(pictures, 1))
    (out / f"main-{size}.png").write_bytes(images.encode(np.concatenate(rows), "PNG", optimize=True))


def _mean(rows: list[dict], kind: str, key: str) -> str:
    values = [row[kind][key] for row in rows]
    spread = (max(values) - min(values)) / 2
    return f"{statistics.mean(values):.0f}±{spread:.0f}" if len(values) > 1 else f"{values[0]:.0f}"


if __name__ == "__main__":
    main()
