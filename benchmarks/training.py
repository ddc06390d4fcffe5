"""Training throughput against the textbook recipe: `python -m benchmarks.training FOLDER`.

The same networks, loss, batch and pictures in both; only the engine differs. Each measurement is a process of
its own, and the two take turns, so that a noisy machine disturbs both alike. The rate of a plain matrix
product in each precision, measured in the same run, is the yardstick beside them.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE, WIDTH, BATCH = 64, 64, 64


def operations() -> float:
    """GFLOP (2 a multiply-add) that the convolutions and dense layers of one step need per picture.

    G runs forward and back once, its fakes serving both updates. D runs forward three times; back to its
    weights twice (it is frozen in G's step) and back to its input in G's step alone.
    """
    from ganart.config import NetworkConfig

    z_dim = NetworkConfig().z_dim
    widths = [WIDTH * 2**k for k in range(4)]
    g_layers = [z_dim * widths[3] * 16]  # multiply-adds per picture
    side = 4
    for wide, narrow in zip(widths[::-1], [*widths[-2::-1], 3], strict=True):
        g_layers.append(wide * narrow * 16 * side * side)
        side *= 2
    d_layers = []
    side = SIZE
    for narrow, wide in zip([3, *widths[:-1]], widths, strict=True):
        side //= 2
        d_layers.append(narrow * wide * 16 * side * side)
    d_layers.append(widths[3] * 16)
    g, d = sum(g_layers), sum(d_layers)
    forward = g + 3 * d
    weights = g + 2 * d  # D is frozen in G's step
    inputs = (g - g_layers[0]) + 2 * (d - d_layers[0]) + d
    return 2 * (forward + weights + inputs) / 1e9


def ganart_engine(folder: Path, steps: int, dtype: str, warm_up: int = 2) -> float:
    """Pictures a second of ganart's step on a prepared store, batches included."""
    from ganart import config, dataset, devices, training

    store = dataset.prepare(folder)
    settings = config.TrainConfig(
        networks=config.NetworkConfig(size=SIZE, channels=3, width=WIDTH, d_norm="batch"),
        batch=BATCH,
        ema_half_life=0.0,
        flip=False,
        device=devices.pick("auto"),
        dtype=dtype,
    )
    state, pictures = training.build(settings, {}), training.Pictures(store, settings.device)
    chosen = training.faster_dtype(settings)
    for step in range(warm_up + steps):
        if step == warm_up:
            started = time.perf_counter()
        figures = training.train_step(state, settings, pictures.batch(settings, step), chosen)
    figures.tolist()  # waits for the device
    return steps * BATCH / (time.perf_counter() - started)


def matrix_rate(dtype: str, size: int = 2048, repeats: int = 8) -> float:
    """GFLOP/s of a plain matrix product in this precision."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    (a @ a).sum().item()
    started = time.perf_counter()
    for _ in range(repeats):
        product = a @ a
    product.sum().item()
    return repeats * 2 * size**3 / (time.perf_counter() - started) / 1e9


def measure(what: str, folder: Path, steps: int, environment: dict[str, str]) -> float:
    """One measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", str(folder), "--steps", str(steps), "--only", what],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures in subfolders, such as artist/title.jpg")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        from benchmarks import textbook

        if options.only == "textbook":
            speed = textbook.train(options.folder, options.steps)
        elif options.only.startswith("matrix-"):
            speed = matrix_rate(options.only.removeprefix("matrix-"))
        else:
            speed = ganart_engine(options.folder, options.steps, options.only)
        print(speed)
        return

    from ganart.launch import TRAINER_ENVIRONMENT

    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as home:
        ours = {**TRAINER_ENVIRONMENT, "GANART_HOME": home}
        measure("float32", options.folder, 1, ours)  # prepares the store, so that no round pays for it
        for _ in range(options.rounds):
            for what, environment in (
                ("textbook", {}),
                ("float32", ours),
                ("bfloat16", ours),
                ("matrix-float32", ours),
                ("matrix-bfloat16", ours),
            ):
                speeds.setdefault(what, []).append(measure(what, options.folder, options.steps, environment))
    middle = {what: statistics.median(values) for what, values in speeds.items()}
    flop = operations()
    print(
        f"{SIZE} px, width {WIDTH}, batch {BATCH}: {flop:.2f} GFLOP a picture, median of {options.rounds} rounds\n"
    )
    print("| engine | pictures/s | x textbook | GFLOP/s | of the matrix product |")
    print("|---|---|---|---|---|")
    for what in ("textbook", "float32", "bfloat16"):
        speed, precision = middle[what], "bfloat16" if what == "bfloat16" else "float32"
        name = "textbook, float32" if what == "textbook" else f"ganart, {what}"
        share, times = speed * flop / middle[f"matrix-{precision}"], speed / middle["textbook"]
        print(f"| {name} | {speed:.1f} | {times:.2f} | {speed * flop:.0f} | {100 * share:.0f} % |")
    for precision in ("float32", "bfloat16"):
        print(f"\nmatrix product, {precision}: {middle[f'matrix-{precision}']:.0f} GFLOP/s", end="")
    print()


if __name__ == "__main__":
    main()
