"""Drawing beside a training: `python -m benchmarks.beside FOLDER`.

Latency of drawing one picture, on one thread as the pages do it, alone and while a trainer process is at work;
and what the training keeps of its speed meanwhile.
"""

import dataclasses
import os
import statistics
import sys
import tempfile
import time

PICTURES = 400


def draw(seconds_between: float = 0.03) -> list[float]:
    """Milliseconds of each of PICTURES single pictures of a 64 px, width 64 G, drawn about 30 times a second."""
    import numpy as np
    import torch

    from ganart import render
    from ganart.config import NetworkConfig
    from ganart.networks import Generator

    torch.set_num_threads(1)
    G = Generator(NetworkConfig()).eval()
    rng = np.random.default_rng(0)
    timings = []
    for _ in range(PICTURES):
        z = rng.standard_normal((1, 128), np.float32)
        started = time.perf_counter()
        render.pictures(G, z)
        timings.append(1000 * (time.perf_counter() - started))
        time.sleep(seconds_between)
    return timings


def speed(run: object, seconds: float) -> float:
    """Pictures a second of a run, counted over some seconds."""
    first, started = run.status(), time.perf_counter()
    time.sleep(seconds)
    return 1000 * (run.status().kimg - first.kimg) / (time.perf_counter() - started)


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["GANART_HOME"] = home
        from ganart import dataset, devices, launch, presets

        alone = draw()
        store = dataset.prepare(sys.argv[1])
        settings = presets.for_dataset(presets.preset("sketch"), 64, store.channels)
        settings = dataclasses.replace(
            settings, dataset=store.name, dataset_hash=store.hash, device=devices.pick("auto"), kimg=10_000.0
        )
        run = launch.launch(settings, "beside")
        try:
            while run.status().kimg < 1:
                time.sleep(0.5)
            quiet = speed(run, 20)
            before, started = run.status(), time.perf_counter()
            beside = draw()
            busy = 1000 * (run.status().kimg - before.kimg) / (time.perf_counter() - started)
        finally:
            launch.stop(run)
    print("| | p50 | p95 | worst |\n|---|---|---|---|")
    for name, timings in (("alone", alone), ("beside a training", beside)):
        cuts = statistics.quantiles(timings, n=20)
        print(f"| {name} | {statistics.median(timings):.1f} ms | {cuts[-1]:.1f} ms | {max(timings):.1f} ms |")
    print(
        f"\ntraining (64 px, width 32): {quiet:.0f} pictures/s alone, {busy:.0f} beside: {busy / quiet:.0%} kept"
    )


if __name__ == "__main__":
    main()
