"""How near a forecast comes: `python -m benchmarks.forecast FOLDER`, on an otherwise idle computer.

Each kind of training is foretold as the page does it, then made by a trainer of its own, timed from its first step
to its end.
"""

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path

CASES = [  # preset, size, width, kimg: a minute or so each
    ("sketch", 32, 32, 40.0),
    ("sketch", 64, 16, 30.0),
    ("sketch", 64, 32, 15.0),
    ("art", 64, 64, 4.0),
    ("sketch", 128, 16, 6.0),
]


def seconds_of(run, kimg: float) -> float:
    """From the first figures to the end, scaled to all of it."""
    while (status := run.status()).step == 0:
        if not status.active:
            raise SystemExit(f"{run.id} failed: {status.error}")
        time.sleep(0.01)
    started, seen = time.monotonic(), status.kimg
    while run.status().active:
        time.sleep(0.02)
    if (status := run.status()).state != "done":
        raise SystemExit(f"{run.id} did not come to its end ({status.state}): {status.error}")
    return (time.monotonic() - started) * kimg / (kimg - seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["GANART_HOME"] = home
        from ganart import dataset, devices, forecast, launch, presets
        from ganart.config import IntakeConfig

        device = devices.pick("auto")
        print("| training | foretold, s | took, s | took / foretold | measuring took, s |\n|---|---|---|---|---|")
        for preset, size, width, kimg in CASES:
            store = dataset.prepare(options.folder, IntakeConfig(size=size))
            settings = presets.for_dataset(presets.preset(preset), size, store.channels, width)
            settings = dataclasses.replace(
                settings, dataset=store.name, dataset_hash=store.hash, kimg=kimg, device=device
            )
            started = time.monotonic()
            found = forecast.ask(settings)
            asking, foretold = time.monotonic() - started, found.seconds(kimg)
            took = seconds_of(launch.launch(settings, f"{preset}-{size}-{width}"), kimg)
            what = f"{preset}, {size} px, width {width}, {kimg:g} kimg"
            print(f"| {what} | {foretold:.0f} | {took:.0f} | {took / foretold:.2f} | {asking:.0f} |", flush=True)


if __name__ == "__main__":
    main()
