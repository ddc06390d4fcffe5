"""Training throughput: `python -m benchmarks.training FOLDER`, everything in one run and one table.

ganart's engine against the textbook recipe, with the same networks, loss, batch and pictures in both: only the
engine differs. Then each preset as it is, a store of 1,000 pictures against one of 200,000, and on a graphics card
the recorded step against the plain one. Each measurement is a process of its own, and they take turns, so that a
noisy machine disturbs all alike. The rate of a plain matrix product in each precision, measured in the same run,
is the yardstick. What cannot be measured on this machine is named at the end.
"""

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZE, WIDTH = 64, 64
STORES = (1_000, 200_000)


def layers() -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """(G, D): for each layer its multiply-adds, and the numbers that it reads and writes, for one picture."""
    from ganart.config import NetworkConfig

    z_dim = NetworkConfig().z_dim
    widths = [WIDTH * 2**k for k in range(4)]
    g, d = [(z_dim * widths[3] * 16, z_dim, widths[3] * 16)], []
    side = 4
    for wide, narrow in zip(widths[::-1], [*widths[-2::-1], 3], strict=True):
        g.append((wide * narrow * 16 * side * side, wide * side * side, narrow * 4 * side * side))
        side *= 2
    for narrow, wide in zip([3, *widths[:-1]], widths, strict=True):
        side //= 2
        d.append((narrow * wide * 16 * side * side, narrow * 4 * side * side, wide * side * side))
    d.append((widths[3] * 16, widths[3] * 16, 1))
    return g, d


def floor() -> tuple[float, float]:
    """(GFLOP, MB in bfloat16) that the convolutions and dense layers of one step need for one picture.

    G runs forward and back once, its fakes serving both updates. D runs forward three times; back to its weights
    twice (it is frozen in G's step) and back to its input in G's step, and to its first layer's output twice more.
    Every product reads two of input, output and weights and writes the third; the weights, which a whole batch
    shares, are left out of the traffic.
    """
    g, d = layers()
    passes = [(layer, 1, 1, 1) for layer in g[1:]] + [(g[0], 1, 1, 0)]
    passes += [(layer, 3, 2, 3) for layer in d[1:]] + [(d[0], 3, 2, 1)]
    operations = sum(2 * layer[0] * (forward + weights + inputs) for layer, forward, weights, inputs in passes)
    traffic = sum(
        2 * (layer[1] + layer[2]) * (forward + weights + inputs) for layer, forward, weights, inputs in passes
    )
    return operations / 1e9, traffic / 1e6


def on_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _time(step, batch: int, steps: int, warm_up: int) -> float:
    """Pictures a second of `step(number)` -> a tensor to wait for."""
    for number in range(warm_up):
        step(number).tolist()
    started = time.perf_counter()
    for number in range(warm_up, warm_up + steps):
        figures = step(number)
    figures.tolist()
    return steps * batch / (time.perf_counter() - started)


def ganart_engine(folder: Path, dtype: str, batch: int, steps: int, recorded: bool = True) -> float:
    """Pictures a second of ganart's step with the textbook's networks and loss, batches included."""
    from ganart import batches, config, dataset, devices, graph, training

    settings = config.TrainConfig(
        networks=config.NetworkConfig(size=SIZE, channels=3, width=WIDTH, d_norm="batch"),
        batch=batch,
        ema_half_life=0.0,
        flip=False,
        device=devices.pick("auto"),
        dtype=dtype,
    )
    state = training.build(settings, {})
    pictures = batches.Pictures(dataset.prepare(folder), settings.device)
    if recorded:
        step = graph.stepper(state, settings, dtype)
    else:

        def step(batch):
            return training.train_step(state, settings, batch, dtype)

    return _time(lambda number: step(batches.draw(pictures, settings, number)), batch, steps, 3)


def preset_speed(folder: Path, name: str, steps: int) -> float:
    """Pictures a second of a preset as it is."""
    from ganart import batches, dataset, devices, graph, presets, probe, training

    digits = name.startswith("mnist-")
    settings = presets.preset(name)
    store = dataset.open_dataset("digits") if digits else dataset.prepare(folder)
    settings = presets.for_dataset(settings, store.settings.size, store.channels)
    settings = dataclasses.replace(settings, device=devices.pick("auto"))
    state = training.build(settings, {})
    step = graph.stepper(state, settings, probe.faster_dtype(settings))
    pictures = batches.Pictures(store, settings.device)
    every = settings.penalty_every * (batches.STEER_EVERY if settings.augment == "steered" else 1)
    steps = -(-steps // every) * every
    warm_up = max(3, settings.penalty_every + 1)  # until each form of step has come, which is recorded then
    return _time(lambda number: step(batches.draw(pictures, settings, number)), settings.batch, steps, warm_up)


def made_store(name: str, size: int, channels: int, count: int) -> None:
    """A prepared dataset of `count` pictures of noise, a tenth held out, written as `prepare` would."""
    from ganart import workspace
    from ganart.dataset import MANIFEST_VERSION

    folder = workspace.folder("datasets") / name
    folder.mkdir(parents=True)
    tile = np.random.default_rng(0).integers(0, 256, (500, size, size, channels), np.uint8)
    pictures = np.lib.format.open_memmap(
        folder / f"images-{size}.npy", "w+", np.uint8, (count, size, size, channels)
    )
    for start in range(0, count, len(tile)):
        pictures[start : start + len(tile)] = tile[: count - start]
    pictures.flush()
    values = {
        "version": MANIFEST_VERSION,
        "hash": name,
        "settings": {"size": size, "crop": "centre", "background": [255, 255, 255], "channels": channels},
        "count": count,
        "channels": channels,
        "held_out": count // 10,
        "files": [],
    }
    (folder / "manifest.json").write_text(json.dumps(values))


def store_speed(count: int, steps: int) -> str:
    """Pictures a second of `sketch` on a made store of that many pictures, and the process's peak memory in MB."""
    from ganart import batches, dataset, devices, graph, presets, probe, training

    settings = presets.for_dataset(presets.preset("sketch"), SIZE, 3)
    settings = dataclasses.replace(settings, device=devices.pick("auto"))
    pictures = batches.Pictures(dataset.open_dataset(f"made-{count}"), settings.device)
    state = training.build(settings, {})
    step = graph.stepper(state, settings, probe.faster_dtype(settings))
    speed = _time(lambda number: step(batches.draw(pictures, settings, 7 * number)), settings.batch, steps, 4)
    return f"{speed} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"


def matrix_rate(dtype: str) -> float:
    """GFLOP/s of a plain matrix product in this precision."""
    import torch

    device, size, repeats = ("cuda", 8192, 50) if on_cuda() else ("cpu", 2048, 12)
    a = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    (a @ a).sum().item()
    started = time.perf_counter()
    for _ in range(repeats):
        product = a @ a
    product.sum().item()
    return repeats * 2 * size**3 / (time.perf_counter() - started) / 1e9


def copy_rate() -> float:
    """GB/s that memory moves in a plain copy, read and written counted both."""
    import torch

    device, count = ("cuda", 2**30) if on_cuda() else ("cpu", 2**27)
    a = torch.ones(count, dtype=torch.bfloat16, device=device)
    b = torch.empty_like(a)
    b.copy_(a)
    b[0].item()
    started = time.perf_counter()
    for _ in range(5):
        b.copy_(a)
    b[0].item()
    return 5 * 4 * count / (time.perf_counter() - started) / 1e9


def one(what: str, folder: Path, steps: int) -> object:
    """One measurement, in this process."""
    from benchmarks import textbook
    from ganart import devices

    kind, _, rest = what.partition(":")
    if kind != "textbook":
        devices.tune(devices.pick("auto"))
    batch, workers = (256, 8) if on_cuda() else (64, 2)
    if kind == "textbook":
        return textbook.train(folder, steps, workers, batch=batch)
    if kind == "engine":
        return ganart_engine(folder, rest, batch, steps)
    if kind == "plain":
        return ganart_engine(folder, rest, batch, steps, recorded=False)
    if kind == "preset":
        return preset_speed(folder, rest, steps)
    if kind == "store":
        return store_speed(int(rest), steps)
    if kind == "matrix":
        return matrix_rate(rest)
    return copy_rate()


def measure(what: str, folder: Path, steps: int, environment: dict[str, str]) -> list[float]:
    """One measurement in a process of its own -> its figures."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", str(folder), "--steps", str(steps), "--only", what],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stderr}")
    return [float(word) for word in done.stdout.splitlines()[-1].split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="pictures in subfolders, such as artist/title.jpg")
    parser.add_argument("--steps", type=int, help="of each measurement (16, on a graphics card 300)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    steps = options.steps or (300 if on_cuda() else 16)
    if options.only:
        print(one(options.only, options.folder, steps))
        return

    from ganart import detached, presets

    versus = ["textbook", "engine:float32", "engine:bfloat16", "matrix:float32", "matrix:bfloat16", "copy"]
    if on_cuda():
        versus.insert(3, "plain:bfloat16")
    rest = [f"preset:{name}" for name in presets.PRESETS] + [f"store:{count}" for count in STORES]
    found: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as home:
        ours = {**detached.ENVIRONMENT, "GANART_HOME": home}
        os.environ["GANART_HOME"] = home
        made_store("digits", 28, 1, 2_000)
        for count in STORES:
            made_store(f"made-{count}", SIZE, 3, count)
        measure("engine:float32", options.folder, 1, ours)  # prepares the store, so that no round pays for it
        for whats in (versus, rest):
            for _ in range(options.rounds):
                for what in whats:
                    environment = {} if what == "textbook" else ours
                    figures = measure(what, options.folder, steps, environment)
                    found.setdefault(what, []).append(figures)
                    print(what, *figures, file=sys.stderr, flush=True)  # so that what is there survives an end
    middle = {what: [statistics.median(v) for v in zip(*values, strict=True)] for what, values in found.items()}
    report(middle, options.rounds)


def report(middle: dict[str, list[float]], rounds: int) -> None:
    """The one table, and what it could not measure."""
    operations, traffic = floor()
    products = {dtype: middle[f"matrix:{dtype}"][0] for dtype in ("float32", "bfloat16")}
    gigabytes = middle["copy"][0]
    print(
        f"{SIZE} px, width {WIDTH}: {operations:.2f} GFLOP, {traffic:.1f} MB a picture; median of {rounds} rounds"
    )
    print("| what | pictures/s | x textbook | GFLOP/s | of the matrix product | beside |")
    print("|---|---|---|---|---|---|")
    names = {
        "textbook": "textbook, float32",
        "engine:float32": "its networks and loss in ganart, float32",
        "engine:bfloat16": "its networks and loss in ganart, bfloat16",
        "plain:bfloat16": "the same without the recorded step",
    }
    for what, (speed, *others) in middle.items():
        if what in names:
            dtype = "bfloat16" if what.endswith("bfloat16") else "float32"
            rate = speed * operations
            print(
                f"| {names[what]} | {speed:.1f} | {speed / middle['textbook'][0]:.2f} | {rate:.0f} | "
                f"{100 * rate / products[dtype]:.0f} % | |"
            )
        elif what.startswith("preset:"):
            print(f"| preset {what[7:]} | {speed:.0f} | | | | |")
        elif what.startswith("store:"):
            print(f"| sketch, store of {int(what[6:]):,} | {speed:.0f} | | | | peak memory {others[0]:.0f} MB |")
    fastest = min(products["bfloat16"] / operations, 1000 * gigabytes / traffic)
    print(f"| floor, bfloat16 | {fastest:.0f} | | {products['bfloat16']:.0f} | 100 % | {gigabytes:.0f} GB/s |")
    print(
        f"\nmatrix product: {products['float32']:.0f} GFLOP/s in float32, {products['bfloat16']:.0f} in bfloat16"
    )
    from ganart import memory, presets

    for size, dtype in ((256, "bfloat16"), (256, "float32")):
        settings = presets.for_dataset(presets.preset("art"), size, 3)
        need = memory.step_bytes(settings, dtype) / 1e9
        print(f"art at {size} px, width 64, batch {settings.batch}, {dtype}: {need:.1f} GB, counted")
    if not on_cuda():
        print("not measured, there is no CUDA device: the recorded step, the card's memory at 256 px")
    print("not measured here: MPS")


if __name__ == "__main__":
    main()
