"""A real server and a real browser."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import Server

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture
def server(home):
    """A fresh server on an empty workspace."""
    server = Server(home)
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def lasting_server(tmp_path_factory):
    """One server for all tests of a module that train nothing."""
    server = Server(tmp_path_factory.mktemp("lasting"))
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium; without one the tests are skipped and say so. Not for the whole session: while playwright
    is there, an event loop counts as running, and other tests want one of their own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install it, or name it in CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = report.failed
    return report


@pytest.fixture
def page(browser, tmp_path, request):
    """A tab of its own; what it throws is in `page.errors`, and how it looked as it failed in `last.png`."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    tab.errors = []
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    yield tab
    if request.node.failed:
        tab.screenshot(path=tmp_path / "last.png")
    context.close()


@pytest.fixture
def paintings(tmp_path):
    """A folder as an artist has it: real paintings where GANART_DATA is set, else made pictures; one odd file."""
    folder = tmp_path / "paintings"
    folder.mkdir()
    data = os.environ.get("GANART_DATA")
    if data:
        for path in sorted((Path(data) / "vangogh").glob("*.jpg"))[:60]:
            shutil.copy(path, folder)
    else:
        rng = np.random.default_rng(0)
        for index in range(60):
            noise = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
            noise.resize((160, 128), Image.Resampling.BICUBIC).save(folder / f"IMG_{index:03}.JPG")
    (folder / "odd.jpg").write_text("this is no picture")
    return folder
