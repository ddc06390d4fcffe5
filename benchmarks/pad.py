"""How closely the picture follows the hand: `python -m benchmarks.pad [MODEL] [--beside FOLDER]`.

A scripted drag of 200 moves over the pad of the explore page, in a real browser against a real server, thrice.
Latency: from the move (the browser's own time stamp) until its picture has been painted. --beside: while a
training of the pictures in FOLDER runs.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PORT = 8648
ADDRESS = [f"--server.port={PORT}", "--server.headless=true"]
MOVES, ROUNDS, PACE = 200, 3, 1 / 60  # seconds between moves, as a mouse reports them
LISTEN = """() => {
  window.paints = [];
  new PerformanceObserver(list => {
    for (const entry of list.getEntries())
      if (entry.name === 'ganart-pad') window.paints.push({ms: entry.duration, spot: entry.detail});
  }).observe({entryTypes: ['measure']});
}"""


def drag(page: object) -> dict:
    """One drag over the pad -> latencies in ms, paints a second, whether the last move was painted, and the
    messages that the page sent to the server meanwhile (a heartbeat every five seconds is one)."""
    box = page.locator(".pad .picture").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate("() => { window.paints = []; }")
    before = page.sent
    page.mouse.move(x, y)
    page.mouse.down()
    started = time.perf_counter()
    for index in range(MOVES):
        page.mouse.move(x + 130 * math.sin(index / 20), y + 110 * (1 - math.cos(index / 31)))
        time.sleep(max(0.0, started + (index + 1) * PACE - time.perf_counter()))
    took = time.perf_counter() - started
    page.wait_for_timeout(300)
    sent = page.sent - before
    marker = page.locator(".pad .marker").evaluate("e => [parseFloat(e.style.left), parseFloat(e.style.top)]")
    page.mouse.up()
    paints = page.evaluate("window.paints")
    last = [50 + 50 * paints[-1]["spot"][0], 50 - 50 * paints[-1]["spot"][1]]
    page.wait_for_timeout(1500)  # the rerun that follows
    return {
        "latencies": sorted(paint["ms"] for paint in paints),
        "rate": len(paints) / took,
        "last": max(abs(a - b) for a, b in zip(marker, last, strict=True)) < 0.01,
        "sent": sent,
    }


def report(found: list[dict]) -> None:
    """All rounds, in a table."""
    print("| round | p50 ms | p95 ms | worst ms | paints/s | last move painted | messages to the page's script |")
    print("|---|---|---|---|---|---|---|")
    for number, one in enumerate(found, 1):
        times = one["latencies"]
        p95 = times[math.ceil(0.95 * len(times)) - 1]
        print(
            f"| {number} | {statistics.median(times):.0f} | {p95:.0f} | {times[-1]:.0f} | {one['rate']:.0f} | "
            f"{'yes' if one['last'] else 'no'} | {one['sent']} |"
        )


def begin_training(folder: Path) -> object:
    """A training in the background, as the page would start it."""
    import dataclasses

    from ganart import dataset, launch, presets
    from ganart.config import IntakeConfig

    store = dataset.prepare(folder, IntakeConfig(size=64))
    settings = presets.for_dataset(presets.preset("sketch"), 64, store.channels)
    return launch.launch(
        dataclasses.replace(settings, dataset=store.name, dataset_hash=store.hash, kimg=1000.0, device="cpu"),
        "beside",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="landscapes")
    parser.add_argument("--beside", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        os.environ["GANART_HOME"] = home
        training = begin_training(options.beside) if options.beside else None
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *ADDRESS], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"],
        )
        try:
            page = chromium.new_context(viewport={"width": 1280, "height": 1000}).new_page()
            page.set_default_timeout(60_000)
            page.sent = 0

            def count(_: object) -> None:
                page.sent += 1

            page.on("websocket", lambda socket: socket.on("framesent", count))
            _open(page, f"http://127.0.0.1:{PORT}/explore?model={options.model}")
            if training is not None:
                _wait_for(training)
            page.evaluate(LISTEN)
            drag(page)  # the first warms both sides up
            report([drag(page) for _ in range(ROUNDS)])
        finally:
            chromium.close()
            server.terminate()
            server.wait()
            if training is not None:
                from ganart import launch

                launch.stop(training)


def _open(page: object, address: str) -> None:
    for _ in range(600):
        try:
            page.goto(address)
            break
        except Exception:  # not listening yet
            time.sleep(0.1)
    page.locator(".pad .marker").wait_for()
    page.wait_for_timeout(3000)


def _wait_for(training: object) -> None:
    """Until it learns: the first seconds go into choosing its threads."""
    for _ in range(1200):
        if training.status().kimg > 1:
            return
        time.sleep(0.1)
    raise SystemExit("The training did not start.")


if __name__ == "__main__":
    main()
