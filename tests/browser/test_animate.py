"""The film studio in a real browser: keyframes, the making beside the page, files that play, files that reopen."""

import io
import re
import time
from pathlib import Path

import pytest
from PIL import Image

from ganart import filmconfig, recipes


@pytest.fixture
def animate(lasting_server, page):
    """Opens the page with a model."""

    def opened(query: str = "model=mnist-best"):
        page.goto(f"{lasting_server.url}/animate?{query}")
        page.get_by_role("button", name="Make the film").wait_for()
        return page

    yield opened
    assert not page.errors


def frames(page, count: int) -> None:
    """Asks for a length in frames."""
    page.get_by_text("Frames", exact=True).first.click()
    field = page.get_by_role("spinbutton", name="Frames")
    field.fill(str(count))
    field.press("Enter")


def make(page, seen) -> None:
    page.get_by_role("button", name="Make the film").click()
    seen.wait_for(timeout=90_000)


def download(page, name: str) -> bytes:
    with page.expect_download() as saved:
        page.get_by_role("button", name=f"Download {name}").click()
    return saved.value.path().read_bytes()


def keyframe(page, number: int):
    return page.get_by_role("button", name=re.compile(f"Keyframe {number}: "))


@pytest.mark.timeout(300)
def test_keyframes_are_added_moved_and_taken_out_and_the_gif_goes_through_them(animate):
    page = animate()
    keyframe(page, 4).wait_for()  # what is there before anybody chose
    page.get_by_role("button", name="Add seeds").click()
    page.get_by_placeholder("3, 14-16").fill("7,8-10")
    page.get_by_placeholder("3, 14-16").press("Enter")
    page.get_by_role("button", name="Keyframe 1: Seed 7").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keyframe 1: Seed 7").click()
    page.get_by_role("button", name="Later").click()
    page.get_by_role("button", name="Keyframe 2: Seed 7").wait_for()
    page.get_by_role("button", name="Twice").click()
    page.get_by_role("button", name="Keyframe 3: Seed 7").wait_for()
    page.get_by_role("button", name="Remove").click()
    keyframe(page, 5).wait_for(state="detached")
    page.reload()  # a film that one is at is not lost
    page.get_by_role("button", name="Keyframe 2: Seed 7").wait_for()
    page.get_by_text("In a curve", exact=True).click()
    page.get_by_text("Even pace", exact=True).click()
    frames(page, 20)
    make(page, page.get_by_alt_text("The film, playing in a loop"))
    page.get_by_text(re.compile("Where it closes, the step is")).wait_for()
    data = download(page, "GIF")
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["loop"] == 0 and image.n_frames == 20
        film = filmconfig.from_dict(recipes.read(Path("film.gif"), data)["film"])
    assert [shot.place for shot in film.keyframes] == ["8", "7", "9", "10"]
    assert film.path == "spline" and film.even and film.frames == 20


@pytest.mark.timeout(300)
def test_an_mp4_plays_in_the_browser_and_its_settings_come_back_from_the_file(animate, tmp_path):
    page = animate("model=mnist-best&kind=Loops")
    page.get_by_role("combobox", name="For").click()
    page.get_by_role("option", name=re.compile("^Square")).click()
    for name in ("Rows", "Columns"):
        field = page.get_by_role("spinbutton", name=name)
        field.fill("2")
        field.press("Enter")
    page.get_by_text("Wandering", exact=True).click()
    frames(page, 30)
    page.get_by_role("button", name="How large?").click()
    page.get_by_text(re.compile("^About [0-9.]+ .B")).wait_for()
    make(page, page.locator("video"))
    playing = (
        "() => { const v = document.querySelector('video'); return v && v.currentTime > 0.2 && v.videoWidth; }"
    )
    page.wait_for_function(playing)
    assert page.evaluate("document.querySelector('video').videoWidth") == 1080
    path = tmp_path / "film.mp4"
    path.write_bytes(download(page, "MP4"))

    page.goto(page.url.partition("?")[0])
    page.get_by_role("button", name="Make the film").wait_for()
    page.locator("input[type=file]").first.set_input_files(path)
    page.get_by_text("Its settings are here again.").wait_for()
    assert page.get_by_role("spinbutton", name="Frames").input_value() == "30"
    assert page.get_by_role("spinbutton", name="Rows").input_value() == "2"
    assert page.get_by_role("slider", name="From calm to lively").count() == 1


@pytest.mark.slow  # jobs and films are called off in test_jobs.py and test_film.py
@pytest.mark.timeout(300)
def test_a_film_can_be_cancelled_and_the_page_stays_at_hand(animate, lasting_server):
    page = animate("model=landscapes")
    frames(page, 1000)
    page.get_by_role("combobox", name="For").click()
    page.get_by_role("option", name=re.compile("^Reel")).click()
    page.get_by_role("button", name="Make the film").click()
    cancel = page.get_by_role("button", name="Cancel")
    cancel.wait_for()
    page.get_by_text(re.compile("Painting: [0-9,]+ of 1,000 frames")).wait_for(timeout=90_000)
    page.get_by_text("In a curve", exact=True).click()  # while it paints
    cancel.click()
    page.get_by_text("Your film will play here.").wait_for()
    exports = lasting_server.home / "exports"
    deadline = time.monotonic() + 60
    while list(exports.glob("*.tmp-*")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list(exports.glob("landscapes*")), "nothing of it stays"
