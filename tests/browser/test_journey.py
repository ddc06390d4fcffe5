"""The whole journey as an artist makes it, in a real browser against a real server and a real training."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from ganart import recipes, run


def seen(page) -> float:
    """Pictures seen so far, in thousands, as the page says."""
    text = page.get_by_text(re.compile(r"thousand pictures seen")).first.inner_text()
    return float(text.split(" of ")[0])


def wait_until_seen(page, more_than: float) -> None:
    page.wait_for_function(
        """more => [...document.querySelectorAll('p')].some(p => {
            const found = p.innerText.match(/^([0-9.]+) of [0-9]+ thousand pictures seen/);
            return found && Number(found[1]) > more; })""",
        arg=more_than,
        timeout=60_000,
    )


@pytest.mark.timeout(600)
def test_from_a_folder_of_pictures_to_a_looping_gif(server, page, paintings):
    # Drop a folder and look at what the network will see.
    page.goto(f"{server.url}/train")
    page.get_by_role("button", name="Choose a folder").wait_for()
    page.get_by_label("Folder of pictures").set_input_files(paintings)
    page.get_by_role("combobox", name=re.compile("Size in pixels")).click()
    page.get_by_role("option", name="32", exact=True).click()
    look = page.get_by_role("button", name="Look at the pictures")
    page.wait_for_function(
        "() => ![...document.querySelectorAll('button')].find(b => b.innerText.includes('Look at')).disabled"
    )
    look.click()
    page.get_by_text("60 pictures", exact=False).first.wait_for()
    assert page.get_by_text("1 files left out").count() or page.get_by_text("1 file left out").count()

    # Start, and see the network learn.
    page.get_by_text("Small", exact=True).click()
    page.get_by_role("button", name="Start training").click()
    page.get_by_alt_text(re.compile("Sheet of 36 pictures")).wait_for(timeout=60_000)
    wait_until_seen(page, 1.0)
    assert "run=" in page.url

    # Reload in the middle: it is still there, and goes on.
    before = seen(page)
    page.reload()
    page.get_by_alt_text(re.compile("Sheet of 36 pictures")).wait_for()
    wait_until_seen(page, before)

    # A second tab finds it, too.
    other = page.context.new_page()
    other.goto(f"{server.url}/train")
    other.get_by_role("link", name="Watch").click()
    other.get_by_alt_text(re.compile("Sheet of 36 pictures")).wait_for()
    other.close()

    # Kill the server and start it again: the training does not notice, and the tab heals by itself.
    (training,) = run.list_runs()
    server.kill()
    at_kill = training.status()
    assert at_kill.state == "running"
    server.start()
    wait_until_seen(page, at_kill.kimg + 1.0)
    wait_until_seen(page, seen(page))  # Streamlit loses a click during the very first run of a new session

    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("Stopped").first.wait_for()
    page.get_by_role("button", name="Resume").wait_for()
    assert training.status().state == "stopped"

    # Resume goes on and the page with it; stop again.
    stopped_at = training.status().kimg
    page.get_by_role("button", name="Resume").click()
    wait_until_seen(page, stopped_at)
    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume").wait_for()

    # Explore: pick a picture with the keyboard, move it, undo.
    page.get_by_test_id("stMain").get_by_role("link", name="Explore").click()
    picture = page.get_by_role("button", name="Seed 12", exact=True)
    picture.focus()
    picture.press("Enter")
    page.get_by_text("Seed 12", exact=True).wait_for()
    page.get_by_role("application", name=re.compile("^Seed 12, painted by")).press("ArrowRight")
    page.get_by_text("Near seed 12", exact=True).wait_for()
    page.get_by_role("button", name=re.compile("undo")).click()
    page.get_by_text("Seed 12", exact=True).wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as PNG").click()
    with Image.open(saved.value.path()) as png:
        assert png.size == (1024, 1024) and '"place":"12"' in png.info["ganart"]
    page.keyboard.press("Escape")

    # Four pictures as keyframes.
    picture.focus()
    for seed in (12, 13, 14, 15):
        page.keyboard.press("Enter")
        page.get_by_role("application", name=re.compile(f"^Seed {seed}, painted by")).wait_for()
        page.get_by_role("button", name="Add to the film").click()
        page.get_by_role("link", name=re.compile(f"^Animate {seed - 11} keyframe")).wait_for()
        page.get_by_role("button", name=f"Seed {seed}", exact=True).focus()
        page.keyboard.press("ArrowRight")

    # Animate: a walk from here, as a GIF that loops.
    page.get_by_role("link", name="Animate 4 keyframes").click()
    page.get_by_role("button", name="Keyframe 4: Seed 15").click()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Keyframe 4: Seed 15").wait_for(state="detached")
    page.get_by_role("button", name="Make the film").click()
    page.get_by_alt_text("The film, playing in a loop").wait_for(timeout=60_000)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download GIF").click()
    data = saved.value.path().read_bytes()
    with Image.open(io.BytesIO(data)) as film:
        assert film.format == "GIF" and film.info["loop"] == 0 and film.n_frames > 50
        assert film.size == (512, 512)
    keyframes = recipes.read(Path("film.gif"), data)["film"]["keyframes"]
    assert [keyframe["place"] for keyframe in keyframes] == ["12", "13", "14"]
    assert not page.errors


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("gallery", "train", "animate")]


@pytest.mark.parametrize("name", ["explore", "learn", *OTHERS])
def test_every_page_works_on_its_own_address_of_a_fresh_server(server, page, name):
    page.goto(f"{server.url}/{'' if name == 'gallery' else name}")
    page.get_by_role("heading", level=1, name=name.capitalize()).wait_for()
    for other in ("Gallery", "Train", "Explore", "Animate", "Learn"):
        page.get_by_role("link", name=other).first.wait_for()
    assert page.get_by_test_id("stException").count() == 0
    assert not page.errors
