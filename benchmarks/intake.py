"""Pictures a second that become a dataset: `python -m benchmarks.intake FOLDER …`."""

import os
import sys
import tempfile
import time


def main() -> None:
    """For each folder: a first preparation at 64 px and a second one, with the files in the system's cache."""
    for folder in sys.argv[1:]:
        for turn in ("first", "again"):
            with tempfile.TemporaryDirectory() as home:
                os.environ["GANART_HOME"] = home
                from ganart import dataset

                started = time.perf_counter()
                store = dataset.prepare(folder)
                seconds = time.perf_counter() - started
                print(f"{folder} {turn}: {len(store.report)} files, {seconds:.2f} s, ", end="")
                print(f"{len(store.report) / seconds:.0f} files/s on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
