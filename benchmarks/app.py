"""How long an artist waits: `python -m benchmarks.app FOLDER`, in a real browser against a real server.

From `streamlit run` to the first loop in the gallery, and from Start to the sheet of step 0, which the network
paints before it has learned anything, and to the next one.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PORT = 8647
ADDRESS = [f"--server.port={PORT}", "--server.headless=true"]
ROUNDS = 3


def main() -> None:
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1]).resolve()
    first_picture, first_sheet, next_sheet = [], [], []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"],
        )
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as home:
                environment = {**os.environ, "GANART_HOME": home}
                page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
                page.set_default_timeout(120_000)
                started = time.perf_counter()
                server = subprocess.Popen(
                    [sys.executable, "-m", "streamlit", "run", "app.py", *ADDRESS],
                    cwd=ROOT,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                )
                try:
                    first_picture.append(_until_first_picture(page, started))
                    untrained, trained = _until_sheets(page, folder)
                    first_sheet.append(untrained)
                    next_sheet.append(trained)
                finally:
                    server.terminate()
                    server.wait()
                    os.environ["GANART_HOME"] = home
                    from ganart import launch, run

                    for item in run.list_runs():
                        launch.stop(item)
                    page.context.close()
        chromium.close()
    print(f"from `streamlit run` to the first loop in the gallery: {_seconds(first_picture)}")
    print(f"from Start to the sheet of step 0: {_seconds(first_sheet)}")
    print(f"from Start to the first sheet of a network that has learned: {_seconds(next_sheet)}")


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s (of {', '.join(f'{value:.1f}' for value in values)})"


def _until_first_picture(page: object, started: float) -> float:
    while True:
        try:
            page.goto(f"http://127.0.0.1:{PORT}/")
            break
        except Exception:  # not listening yet
            time.sleep(0.05)
    page.wait_for_function(
        "() => [...document.querySelectorAll('img[alt^=\"Pictures painted by\"]')]"
        ".some(i => i.complete && i.naturalWidth)"
    )
    return time.perf_counter() - started


def _until_sheets(page: object, folder: Path) -> tuple[float, float]:
    page.goto(f"http://127.0.0.1:{PORT}/train")
    page.get_by_text("A folder on this computer").click()
    page.get_by_label("Path of the folder or zip").fill(str(folder))
    page.get_by_label("Path of the folder or zip").press("Enter")
    page.get_by_role("button", name="Look at the pictures").click()
    start = page.get_by_role("button", name="Start training")
    start.wait_for()
    started = time.perf_counter()
    start.click()
    sheet = page.get_by_alt_text("Sheet of 36 pictures", exact=False)
    sheet.wait_for()
    untrained = time.perf_counter() - started
    page.get_by_alt_text(re.compile("draws after [1-9]")).wait_for()
    return untrained, time.perf_counter() - started


if __name__ == "__main__":
    main()
