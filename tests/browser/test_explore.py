"""The explore page under the hand, in a real browser: pad, wall, directions, breeding, sums, links, files."""

import re
import shutil
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from ganart import checkpoint, directions, places, planes, render, workspace

MODEL = "landscapes"
LISTEN = """() => {
  window.paints = [];
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (entry.name === 'ganart-pad') window.paints.push(entry.detail);
  }).observe({entryTypes: ['measure']});
}"""
LAST_MOVE_PAINTED = """marker => {
  const spot = window.paints.at(-1);
  return spot && Math.abs(50 + 50 * spot[0] - parseFloat(marker.style.left)) < 0.01
    && Math.abs(50 - 50 * spot[1] - parseFloat(marker.style.top)) < 0.01;
}"""
SHOWS = """([canvas, side, pixels]) => {
  if (canvas.width !== side) return false;
  const {data} = canvas.getContext('2d').getImageData(0, 0, side, side);
  return pixels.every((value, index) => Math.abs(value - data[4 * Math.floor(index / 3) + index % 3]) <= 1);
}"""
PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"


@pytest.fixture(scope="module")
def painter():
    """G of the model that is explored."""
    return checkpoint.load_generator(workspace.pretrained_folder() / f"{MODEL}.safetensors")[0]


@pytest.fixture(autouse=True)
def nothing_kept(lasting_server):
    """No test finds the pins of another."""
    shutil.rmtree(lasting_server.home / "notes", ignore_errors=True)


@pytest.fixture
def explore(lasting_server, page):
    """Opens the page; at the end nothing has gone wrong in the browser, beside what Streamlit always asks for."""

    def complain(message) -> None:
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            page.errors.append(f"{message.text} {message.location['url']}")

    def opened(query: str = f"model={MODEL}&at=7", tab=page):
        tab.set_default_timeout(60_000)
        tab.on("console", complain)
        tab.goto(query if query.startswith("http") else f"{lasting_server.url}/explore?{query}")
        tab.get_by_role("button", name="Start again from here").wait_for()
        settle(tab)
        tab.evaluate(LISTEN)
        return tab

    expect.set_options(timeout=30_000)
    yield opened
    expect.set_options(timeout=5_000)
    assert not page.errors


def settle(tab) -> None:
    """Until the page has run, and painted its picture."""
    expect(tab.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    tab.wait_for_function("canvas => canvas.width !== 300", arg=picture(tab).element_handle())


def picture(tab):
    return tab.locator(".pad .picture")


def at(tab) -> str:
    """The place that the address names."""
    return parse_qs(urlsplit(tab.url).query)["at"][0]


def shows(tab, painter, text: str) -> None:
    """Until the picture is the one of this place, pixel by pixel."""
    drawn = render.pictures(painter, places.read(text, painter.config.z_dim).z[None].copy())[0]
    expected = [picture(tab).element_handle(), len(drawn), drawn.ravel().tolist()]
    tab.wait_for_function(SHOWS, arg=expected)


def take(tab, x: float = 0, y: float = 0) -> tuple[float, float]:
    """Lay the hand on the picture, this far from its middle -> where that is, in px."""
    picture(tab).scroll_into_view_if_needed()
    box = picture(tab).bounding_box()
    x, y = box["x"] + box["width"] / 2 + x, box["y"] + box["height"] / 2 + y
    tab.mouse.move(x, y)
    tab.mouse.down()
    return x, y


def drag(tab, x: float, y: float, steps: int = 20) -> None:
    """Drag the picture by this many px."""
    left, top = take(tab)
    tab.mouse.move(left + x, top + y, steps=steps)
    tab.mouse.up()


def in_the_middle(tab) -> None:
    """Until the pad has been laid anew."""
    expect(tab.locator(".pad .marker")).to_have_attribute("style", re.compile("left: 50%; top: 50%"))
    settle(tab)


def goes_to(tab, pattern: str) -> str:
    """Until the address names a place like this -> it."""
    expect(tab).to_have_url(re.compile(rf"[?&]at={pattern}(&|$)"))
    return at(tab)


def seed(tab, number: int):
    return tab.locator(f".pick[data-seed='{number}']")


def test_a_drag_paints_and_the_page_hears_of_it_when_the_hand_lets_go(explore, painter):
    tab = explore()
    shows(tab, painter, "7")
    x, y = take(tab)
    for index in range(1, 61):
        tab.mouse.move(x + 2 * index, y - 60 * np.sin(index / 20))
    tab.wait_for_function(LAST_MOVE_PAINTED, arg=tab.locator(".pad .marker").element_handle())
    assert len(tab.evaluate("window.paints")) >= 3 and at(tab) == "7"
    spot = tab.evaluate("window.paints.at(-1)")
    tab.mouse.up()
    text = goes_to(tab, "z.*")
    plane = planes.around(places.of_seed(7, painter.config.z_dim).z, 0)
    assert places.write(plane.at(np.array([spot]))[0]) == text, "another latent than the one under the hand"
    shows(tab, painter, text)
    tab.get_by_text("Near seed 7", exact=True).wait_for()

    # Back and forth again, by button and by key.
    tab.locator(".st-key-undo").get_by_role("button").click()
    goes_to(tab, "7")
    shows(tab, painter, "7")
    tab.locator(".st-key-redo").get_by_role("button").click()
    goes_to(tab, re.escape(text))
    shows(tab, painter, text)
    picture(tab).focus()
    settle(tab)
    tab.keyboard.press("Control+z")
    goes_to(tab, "7")
    settle(tab)
    tab.keyboard.press("Control+y")
    goes_to(tab, re.escape(text))


def test_the_keyboard_moves_the_picture_and_the_wheel_looks_closer(explore, painter):
    tab = explore()
    looks = []
    tab.on("request", lambda request: looks.append(request.url) if "/paint/plane" in request.url else None)
    picture(tab).hover()
    tab.mouse.wheel(0, -200)  # over a pad that nobody has touched it is the page's
    picture(tab).focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
        tab.keyboard.press(key)
    text = goes_to(tab, "z.*")
    plane = planes.around(places.of_seed(7, painter.config.z_dim).z, 0)
    np.testing.assert_allclose(
        places.read(text, painter.config.z_dim).z, plane.at(np.array([[0.12, 0.25]]))[0], atol=1e-5
    )
    shows(tab, painter, text)
    expect(tab.locator(".pad .told")).to_have_text("Seed 7: 0.12 across, 0.25 up")
    assert not looks
    picture(tab).hover()
    with tab.expect_request(re.compile(r"/paint/plane\?.*span=0\.\d+")):
        tab.mouse.wheel(0, -200)
    with tab.expect_request(re.compile(r"/paint/plane\?.*span=0\.\d+")):
        tab.keyboard.press("+")
    tab.keyboard.press("Home")
    goes_to(tab, f"(?!{re.escape(text)})z.*")
    shows(tab, painter, "7")


def test_the_same_step_on_another_plane_is_heard(explore, painter):
    tab = explore()
    picture(tab).focus()
    tab.keyboard.press("ArrowRight")
    first = goes_to(tab, "z.*")
    tab.get_by_role("button", name="Start again from here").click()
    in_the_middle(tab)
    picture(tab).focus()
    tab.keyboard.press("ArrowRight")
    second = goes_to(tab, f"(?!{re.escape(first)})z.*")
    tab.get_by_text("Two directions", exact=True).click()
    tab.get_by_role("combobox", name="Left to right").wait_for()
    in_the_middle(tab)
    picture(tab).focus()
    tab.keyboard.press("ArrowRight")
    shows(tab, painter, goes_to(tab, f"(?!{re.escape(second)})z.*"))


def test_the_page_wins_over_a_hand_that_lost_its_ground(explore, painter):
    """Whoever presses a key and then picks another picture means the other picture."""
    tab = explore()
    picture(tab).focus()
    tab.keyboard.press("ArrowRight")
    seed(tab, 12).click()
    goes_to(tab, "12")
    shows(tab, painter, "12")

    # Another model in the middle of a drag.
    x, y = take(tab)
    tab.mouse.move(x + 50, y + 20, steps=5)
    tab.get_by_role("combobox", name=re.compile("Model")).focus()
    tab.keyboard.type("mnist-best")
    tab.keyboard.press("Enter")
    expect(picture(tab)).to_have_attribute("aria-label", re.compile("^Seed 12, painted by mnist-best"))
    tab.mouse.move(x + 90, y + 60, steps=5)
    tab.mouse.up()
    settle(tab)
    expect(tab.locator(".st-key-undo").get_by_role("button")).to_be_disabled()
    assert at(tab) == "12"


def test_clicks_faster_than_the_page(explore, painter):
    tab = explore()
    for number in (3, 30, 9, 20, 11, 33):
        seed(tab, number).click()
    goes_to(tab, "33")
    settle(tab)
    expect(seed(tab, 33)).to_have_attribute("aria-pressed", "true")
    tab.get_by_text("Directions", exact=True).click()
    tab.get_by_role("slider").first.wait_for()
    assert at(tab) == "33"
    shows(tab, painter, "33")


def test_the_wall_scrolls_on_and_pins(explore):
    tab = explore()
    wall = tab.locator(".seeds")
    for _ in range(12):
        wall.evaluate("wall => wall.scrollBy(0, wall.clientHeight)")
    far = tab.locator(".pick").nth(20)
    expect(far).to_have_attribute("aria-label", re.compile(r"^Seed [3-9]\d\d$"))
    expect(far).to_have_css("background-image", re.compile("^url.*blob:"))
    assert tab.locator(".pick").count() < 300, "what has scrolled away is still there"
    number = int(far.get_attribute("data-seed"))

    # From the keyboard: arrows walk, P pins.
    far.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("p")
    tray = tab.get_by_role("group", name="Pinned pictures")
    tray.get_by_role("button", name=f"Seed {number + 1}", exact=True).wait_for()
    expect(seed(tab, number + 1)).to_be_focused()
    expect(seed(tab, number + 1)).to_have_attribute("aria-label", f"Seed {number + 1}, pinned")
    # With the pointer: the dot in the corner.
    far.hover()
    tab.get_by_role("button", name=f"Pin seed {number}", exact=True).click()
    tray.get_by_role("button", name=f"Seed {number}", exact=True).click()
    goes_to(tab, str(number))


def test_a_direction_changes_the_picture(explore, painter):
    tab = explore()
    tab.get_by_text("Directions", exact=True).click()
    slider = tab.get_by_role("slider", name="Direction 1")
    before = float(slider.input_value())
    slider.focus()
    for _ in range(30):
        tab.keyboard.press("ArrowRight", delay=120)  # so the page runs in between
    goes_to(tab, "z.*")
    settle(tab)
    expect(slider).to_have_value(f"{before + 0.3:.2f}".rstrip("0").rstrip("."))
    text = at(tab)
    shows(tab, painter, text)
    moved = directions.ganspace(painter, 6) @ (
        places.read(text, painter.config.z_dim).z - places.of_seed(7, painter.config.z_dim).z
    )
    np.testing.assert_allclose(moved, [0.3, 0, 0, 0, 0, 0], atol=0.006)

    # It gets a name; undo in the text field is the field's.
    tab.get_by_test_id("stPopover").get_by_role("button", name=re.compile("edit")).first.click()
    field = tab.get_by_label("Name of this direction")
    field.press_sequentially("dusk!")
    field.press("Control+z")
    expect(field).not_to_have_value("dusk!")
    field.fill("dusk")
    field.press("Enter")
    tab.get_by_role("slider", name="dusk").wait_for()
    assert at(tab) == text


def test_arithmetic_with_five_pins(explore, painter):
    tab = explore()
    seed(tab, 0).focus()
    tray = tab.get_by_role("group", name="Pinned pictures")
    for count in range(1, 6):
        tab.keyboard.press("p")
        expect(tray.get_by_role("button")).to_have_count(count)
        tab.keyboard.press("ArrowRight")
    tab.get_by_text("Arithmetic", exact=True).click()
    for name, group in (("These", (0, 1, 2)), ("− these", (1, 2, 3)), ("+ these", (2, 3, 4))):
        wall = tab.get_by_role("group", name=f"{name}: pinned pictures to choose from", exact=True)
        for number in group:
            choice = wall.get_by_role("button", name=f"Seed {number}", exact=True)
            choice.click()
            expect(choice).to_have_attribute("aria-pressed", "true")
    tab.get_by_role("group", name="The sum and its neighbours").get_by_role(
        "button", name="A sum", exact=True
    ).click()
    shows(tab, painter, goes_to(tab, "z.*"))
    tab.get_by_text("A sum", exact=True).wait_for()


def test_breeding_two_generations(explore, painter):
    tab = explore()
    tab.get_by_text("Breeding", exact=True).click()
    children = tab.get_by_role("group", name="Children to choose from").get_by_role("button")
    expect(children).to_have_count(8)
    children.nth(2).click()
    first = goes_to(tab, "z.*")
    shows(tab, painter, first)
    lineage = tab.get_by_role("group", name="Its ancestors, oldest first").get_by_role("button")
    expect(lineage).to_have_count(1)
    children.nth(5).click()
    second = goes_to(tab, f"(?!{re.escape(first)})z.*")
    shows(tab, painter, second)
    expect(lineage).to_have_count(2)
    lineage.nth(1).click()
    goes_to(tab, re.escape(first))
    lineage.nth(0).click()
    goes_to(tab, "7")
    shows(tab, painter, "7")


def test_a_link_and_a_saved_picture_lead_to_the_same_pixels(explore, painter, browser, tmp_path):
    tab = explore()
    drag(tab, 90, -40)
    text = goes_to(tab, "z.*")
    tab.get_by_role("button", name="Link").click()
    link = tab.get_by_test_id("stCode").first.inner_text()
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="Save").click()
    with tab.expect_download() as saved:
        tab.get_by_role("button", name="Save as PNG").click()
    file = tmp_path / "saved.png"
    saved.value.save_as(file)
    assert saved.value.suggested_filename == "landscapes-near-seed-7.png"

    for query in (link, "model=mnist-best"):
        context = browser.new_context()
        other = explore(query, context.new_page())
        if query != link:
            other.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
            other.get_by_text("Back at Near seed 7.").wait_for()
            expect(picture(other)).to_have_attribute("aria-label", re.compile("painted by landscapes"))
        goes_to(other, re.escape(text))
        shows(other, painter, text)
        assert "model=landscapes" in other.url, (
            "a model that is trained meanwhile would take its place in the list"
        )
        context.close()


def test_without_the_route_the_picture_moves_all_the_same(explore, page, painter):
    page.route("**/paint/**", lambda route: route.fulfill(status=404, body="Not Found"))
    tab = explore()
    before = picture(tab).evaluate(PIXELS)
    x, y = take(tab)
    tab.mouse.move(x + 60, y, steps=3)
    tab.wait_for_function(
        f"([canvas, before]) => ({PIXELS})(canvas).some((value, index) => value !== before[index])",
        arg=[picture(tab).element_handle(), before],
    )
    assert not tab.evaluate("window.paints"), "the route answered"
    first = goes_to(tab, "z.*")
    tab.mouse.move(x + 130, y, steps=3)
    tab.mouse.up()
    shows(tab, painter, goes_to(tab, f"(?!{re.escape(first)})z.*"))
    expected = "the server responded with a status of 404"
    assert all(expected in error and "/paint/" in error for error in page.errors)
    page.errors.clear()


def test_a_finger_drags_and_two_look_closer(explore, painter, browser):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    tab = explore(tab=context.new_page())
    picture(tab).scroll_into_view_if_needed()
    box = picture(tab).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = context.new_cdp_session(tab)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        found = [{"x": x + right, "y": y + down, "id": index} for index, (right, down) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": found})

    touch("touchStart", (0, 0))
    for index in range(20):
        touch("touchMove", (3 * index, index))
    tab.wait_for_function(LAST_MOVE_PAINTED, arg=tab.locator(".pad .marker").element_handle())
    assert at(tab) == "7"
    touch("touchEnd")
    text = goes_to(tab, "z.*")
    shows(tab, painter, text)
    with tab.expect_request(re.compile(r"/paint/plane\?.*span=0\.\d+")):
        touch("touchStart", (-20, 0))
        touch("touchStart", (-20, 0), (20, 0))
        for index in range(10):
            touch("touchMove", (-20 - 3 * index, 0), (20 + 3 * index, 0))
    touch("touchEnd", (-47, 0))
    touch("touchEnd")
    assert at(tab) == text, "looking closer has moved the picture"
    touch("touchStart", (0, 0))
    for index in range(10):
        touch("touchMove", (-2 * index, 0))
    touch("touchStart", (-20, 0), (40, 0))  # a second finger comes, and both go at once
    touch("touchEnd")
    shows(tab, painter, goes_to(tab, f"(?!{re.escape(text)})z.*"))
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
    context.close()


def test_picture_map_and_tiles_have_names(explore):
    tab = explore()
    drawn = "Seed 7, painted by landscapes. Drag it, or use the arrow keys."
    expect(tab.get_by_role("application", name=drawn, exact=True)).to_have_count(1)
    expect(tab.get_by_role("application", name=f"Map of the plane. {drawn}", exact=True)).to_have_count(1)
    assert tab.locator("canvas.picture[tabindex='0'], .map[tabindex='0']").count() == 2
    expect(tab.get_by_role("group", name="Wall of seeds")).to_have_count(1)
    expect(tab.get_by_role("button", name="Seed 7", exact=True)).to_have_attribute("aria-pressed", "true")
    names = tab.locator(".pick, .seeds .pin").evaluate_all("all => all.map(one => one.ariaLabel)")
    assert len(names) == len(set(names)) and all(re.fullmatch(r"(Seed|Pin seed) \d+", name) for name in names)
    assert tab.locator(".pick[tabindex='0']").count() == 1, "the Tab key would walk through the whole wall"
    for name in ("undo", "redo"):
        expect(tab.locator(f".st-key-{name}").get_by_role("button")).to_have_accessible_name(re.compile(name))


def test_a_model_file_that_disappears(explore, lasting_server):
    folder = lasting_server.home / "models"
    folder.mkdir(exist_ok=True)
    file = folder / "mine.safetensors"
    shutil.copy(workspace.pretrained_folder() / "mnist-best.safetensors", file)
    tab = explore("model=mine&at=7")
    expect(picture(tab)).to_have_attribute("aria-label", re.compile("painted by"))
    file.unlink()
    seed(tab, 12).click()
    tab.get_by_text("The model mine is gone: its file was moved or deleted.").wait_for()
    tab.get_by_text("There is no model “mine” any more. Here is another one.").wait_for()
    settle(tab)
    seed(tab, 20).click()
    goes_to(tab, "20")
    tab.errors[:] = [each for each in tab.errors if "model=mine" not in each]  # asked for as it went
