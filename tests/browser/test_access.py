"""Nobody is left out, and nothing jumps: axe-core on every page, the keyboard alone, a phone, both themes."""

import dataclasses
import io
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from waiting import until_still

from ganart import dataset, launch, loaded, models, notes, run, train
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.notes import Kept, Shot
from ganart.run import Run, Status

THEME = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
MODEL = "mnist-best"
WIDE, PHONE = (1280, 900), (390, 844)
LOOKS = [("light", WIDE), ("dark", PHONE)]  # each theme and each width once
OTHER_LOOKS = [("dark", WIDE), ("light", PHONE)]


def button(name: str):
    return lambda tab: tab.get_by_role("button", name=name, exact=True).first.click()


def words(text: str):
    return lambda tab: tab.get_by_text(text, exact=True).first.click()


# name of a state: address, what is there when it stands, and the clicks that lead to it
STATES = {
    "gallery": ("", "Open a packed run or a model", []),
    "gallery, about a model": ("", "How good it is", [button("About it")]),
    "gallery, the menu of a run": ("", "Pack into one file", [button("More")]),
    "gallery, opening a model": ("", "Packed run or model", [words("Open a packed run or a model")]),
    "train": ("train", "Earlier trainings", []),
    "train, a path": ("train", "Path of the folder or zip", [words("A folder on this computer")]),
    "train, the digits": ("train", "Use the digits", [words("Handwritten digits")]),
    "train, prepared before": ("train", "Dataset", [words("Prepared before")]),
    "train, pictures prepared": (
        "train?dataset=colours-32",
        "Mirror half of the pictures",
        [words("More settings")],
    ),
    "train, done": ("train?run=0001-first", "The way here", []),
    "train, failed": ("train?run=0002-broken", "The disk is full.", []),
    "train, interrupted": ("train?run=0003-cut-off", "The training was interrupted", []),
    "train, gone": ("train?run=0099-gone", "Choose pictures", []),
    "explore": (f"explore?model={MODEL}&at=7", "Start again from here", []),
    "explore, saving": (f"explore?model={MODEL}&at=7", "Save as PNG", [button("Save")]),
    "explore, directions": (f"explore?model={MODEL}&at=7&by=Directions", "Truncation", []),
    "explore, breeding": (f"explore?model={MODEL}&at=7&by=Breeding", "Eight others", []),
    "explore, arithmetic": (f"explore?model={MODEL}&at=7&by=Arithmetic", "− these", []),
    "animate": (f"animate?model={MODEL}", "Make the film", []),
    "animate, adding seeds": (f"animate?model={MODEL}", "Seeds", [button("Add seeds")]),
    "animate, loops": (f"animate?model={MODEL}&kind=Loops", "Make the film", []),
    "animate, growth": (f"animate?model={MODEL}&kind=Growth", "Make the film", []),
    "learn": ("learn", "Play again", []),
    "learn, networks": ("learn?chapter=Two+networks%2C+opened", "The logit", []),
    "learn, convolution": ("learn?chapter=Transposed+convolution", "Point at a place", [words("4 x 4")]),
    "learn, losses": ("learn?chapter=The+losses", "Next: Why so", []),
    "learn, why so": ("learn?chapter=Why+so", "Next: A training, replayed", []),
    "learn, replay": ("learn?chapter=A+training%2C+replayed", "The same 36 places", []),
    "learn, reading": ("learn?chapter=Read+on", "DCGAN", []),
}
FIRST = (  # what the plain run looks at
    "gallery",
    "gallery, about a model",
    "train",
    "train, pictures prepared",
    "train, done",
    "explore",
    "animate",
    "learn",
)


@pytest.fixture(scope="module")
def workplace(lasting_server, tmp_path_factory):
    """A workspace with a past: pictures prepared; runs that are done, failed, interrupted; pins and keyframes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(lasting_server.home))
        folder = tmp_path_factory.mktemp("pictures") / "colours"
        folder.mkdir()
        rng = np.random.default_rng(0)
        for index in range(240):
            coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
            coarse.resize((36, 36), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
        (folder / "odd.jpg").write_text("this is no picture")
        done = launch.create(settings(dataset.prepare(folder, IntakeConfig(size=32))), "first")
        assert train.work(done) == "done"
        for name, status in (
            ("0002-broken", Status(state="failed", kimg=0.4, total_kimg=0.8, error="The disk is full.")),
            ("0003-cut-off", Status(state="running", kimg=0.4, total_kimg=0.8)),
        ):
            shutil.copytree(done.folder, done.folder.with_name(name))
            Run(done.folder.with_name(name)).write_status(status)
        _, card = loaded.generator(models.find_model(MODEL))
        for seed in range(6):
            notes.keep(card.hash, Kept(str(seed), f"Seed {seed}", pinned=True, liked=seed == 3))
        notes.set_shots(card.hash, [Shot(str(seed), f"Seed {seed}") for seed in (3, 4, 5)])
        yield lasting_server
        for item in run.list_runs():
            launch.stop(item)


def settings(store: Dataset) -> TrainConfig:
    """A training of seconds."""
    return TrainConfig(
        networks=NetworkConfig(size=32, z_dim=8, width=4, d_norm="none", d_stddev=4),
        loss="rpgan",
        dataset=store.name,
        dataset_hash=store.hash,
        batch=16,
        kimg=0.8,
        device="cpu",
        dtype="float32",
    )


@pytest.fixture(scope="module")
def training(workplace):
    """A run that is at work."""
    store = dataset.open_dataset("colours-32")
    started = launch.launch(dataclasses.replace(settings(store), kimg=1000.0), "at-work")
    yield started
    launch.stop(started)


@pytest.fixture(scope="module")
def tab(workplace, browser):
    """One tab for all, so that only the first page is fetched whole."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    yield tab
    context.close()


# --- looking

GROUND = """wanted => {
  const app = document.querySelector('[data-testid=stApp]');
  return getComputedStyle(app).backgroundColor === wanted;
}"""
WHOLE = "() => document.querySelector('[data-testid=stMain]').scrollHeight"
SIDEWAYS = """() => [document.documentElement, ...document.querySelectorAll('[data-testid=stMain], [role=dialog]')]
  .map(each => each.scrollWidth - each.clientWidth)"""
PICTURES = """() => {
  const found = [];
  const walk = root => {
    for (const each of root.querySelectorAll('*')) {
      if (each.shadowRoot) walk(each.shadowRoot);
      if (!each.matches('img, canvas, video, [role=img], [role=graphics-document]')) continue;
      if (each.closest('[aria-hidden=true], [role=presentation]') || !each.checkVisibility()) continue;
      // Streamlit's own: icons and the logo; a table is painted, its cells are there to be read beside it
      if (each.closest('[data-testid=stIconMaterial], [data-testid=stHeaderLogo]')) continue;
      if (each.closest('[data-testid=stDataFrame]')) continue;
      const named = each.closest('[alt], [aria-label]');
      found.push(named?.getAttribute('alt') || named?.getAttribute('aria-label') || each.outerHTML.slice(0, 200));
    }
  };
  walk(document.querySelector('[data-testid=stApp]'));
  return found;
}"""


def dress(tab, theme: str, size: tuple[int, int]) -> None:
    """Until the page stands in this theme and this wide, all of it in sight: axe-core judges no other colours."""
    tab.emulate_media(color_scheme=theme)
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    ground = bytes.fromhex(THEME[theme]["backgroundColor"].lstrip("#"))
    tab.wait_for_function(GROUND, arg=f"rgb({', '.join(map(str, ground))})")
    until_still(tab)
    tab.set_viewport_size({"width": size[0], "height": max(size[1], min(6000, tab.evaluate(WHOLE)))})
    until_still(tab)


def visit(tab, server, state: str) -> None:
    """Bring the page into this state."""
    address, seen, clicks = STATES[state]
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    tab.goto(f"{server.url}/{address}")
    tab.get_by_role("heading", level=1).first.wait_for()
    until_still(tab)
    for click in clicks:
        click(tab)
    tab.get_by_text(seen).first.wait_for()
    until_still(tab, 0.3)


def wrong(tab) -> list[str]:
    """What axe-core finds on the page, shadow roots and all, that would stop somebody; and what hangs over."""
    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]
    told = [
        f"{rule['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    return told + [f"the page is {over} px too wide" for over in tab.evaluate(SIDEWAYS) if over > 0]


def is_dull(name: str) -> bool:
    """Whether what a picture is called says nothing: less than two words, markup, or the name of a file."""
    return not re.search(r"\w+\W+\w+", name) or bool(re.search(r"^<|\.\w{3,4}$", name))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "state", [name if name in FIRST else pytest.param(name, marks=pytest.mark.slow) for name in STATES]
)
def test_axe_finds_nothing_serious_and_every_picture_is_described(tab, workplace, state):
    visit(tab, workplace, state)
    pictures = tab.evaluate(PICTURES)
    assert not [name for name in pictures if is_dull(name)]
    for theme, size in LOOKS:
        dress(tab, theme, size)
        assert not wrong(tab), (theme, size)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("state", [pytest.param(name, marks=pytest.mark.slow) for name in STATES])
def test_axe_finds_nothing_serious_in_the_other_theme_of_each_width(tab, workplace, state):
    visit(tab, workplace, state)
    for theme, size in OTHER_LOOKS:
        dress(tab, theme, size)
        assert not wrong(tab), (theme, size)


# --- with the keyboard

OWN = """() => {
  window.own = [];
  const controls = 'button, input, a, [role=application], [tabindex]';
  for (const host of document.querySelectorAll('[data-testid=stMain] *')) {
    for (const each of host.shadowRoot?.querySelectorAll(controls) ?? []) {
      if (each.disabled || !each.checkVisibility()) continue;
      if (each.tabIndex < 0 && each.closest('.seeds')) continue;  // the arrow keys lead to these
      window.own.push(each);
    }
  }
  const name = each => each.getAttribute('aria-label') ?? each.innerText;
  return window.own.map(each => `${each.tagName} ${each.className} ${name(each)}`);
}"""
ACTIVE = """() => {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active;
}"""
NAME = f"""() => {{
  const active = ({ACTIVE})();
  return [active?.getAttribute('aria-label') || active?.innerText || '', active?.getAttribute('href') ?? ''];
}}"""


def tab_to(tab, name: str, href: str = "", key: str = "Tab") -> None:
    """Go from control to control until one has this name, and leads to where it should."""
    passed = []
    for _ in range(250):
        tab.keyboard.press(key)
        told, to = tab.evaluate(NAME)
        passed.append(told)
        if re.search(rf"(^|\n){re.escape(name)}$", told) and href in to:
            return
    raise AssertionError(f"no way to {name} with the {key} key, past {passed}")


def ring(tab, place: int) -> int:
    """How many pixels change around a control of ours when it loses the focus."""
    box = tab.evaluate("place => window.own[place].getBoundingClientRect().toJSON()", place)
    clip = {"x": box["x"] - 6, "y": box["y"] - 6, "width": box["width"] + 12, "height": box["height"] + 12}
    clip |= {"x": max(clip["x"], 0), "y": max(clip["y"], 0)}

    def seen() -> np.ndarray:
        return np.asarray(
            Image.open(io.BytesIO(tab.screenshot(clip=clip, animations="disabled"))).convert("RGB"), int
        )

    focused = seen()
    tab.evaluate("place => window.own[place].blur()", place)
    blurred = seen()
    tab.evaluate("place => window.own[place].focus({preventScroll: true})", place)
    return int((abs(focused - blurred).max(axis=2) > 60).sum())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("state", ["train", "train, done", "explore", "animate", "learn, convolution"])
def test_every_control_of_our_own_is_reached_with_the_tab_key_and_shows_it(tab, workplace, state):
    visit(tab, workplace, state)
    tab.wait_for_function(f"() => ({OWN})().length")
    own = tab.evaluate(OWN)
    reached, kinds = set(), {}
    for _ in range(400):
        tab.keyboard.press("Tab")
        place = tab.evaluate(f"() => window.own.indexOf(({ACTIVE})())")
        if place < 0:
            continue
        reached.add(place)
        kind = " ".join(own[place].split()[:2])
        if kind not in kinds:
            kinds[kind] = ring(tab, place)
        if len(reached) == len(own):
            break
    assert own and {name for place, name in enumerate(own) if place not in reached} == set()
    assert {kind: pixels for kind, pixels in kinds.items() if pixels < 100} == {}


@pytest.mark.timeout(300)
def test_the_keyboard_alone_leads_from_the_gallery_to_a_film(tab, workplace):
    visit(tab, workplace, "gallery")
    tab.get_by_role("link", name="Explore").last.wait_for()
    until_still(tab)
    tab_to(tab, "Explore", f"model={MODEL}")
    tab.keyboard.press("Enter")
    tab.get_by_role("application", name=re.compile("^Seed 0, painted by")).wait_for()
    until_still(tab)
    tab_to(tab, "Seed 0, pinned")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    seed = int(tab.evaluate(f"() => ({ACTIVE})().dataset.seed"))
    assert seed > 3
    tab.keyboard.press("Enter")
    tab.get_by_role("application", name=re.compile(f"^Seed {seed}, painted by")).wait_for()
    until_still(tab)
    tab_to(tab, "Add to the film", key="Shift+Tab")
    tab.keyboard.press("Enter")
    tab.get_by_role("link", name="Animate 4 keyframes").wait_for()
    until_still(tab)
    tab_to(tab, "Animate 4 keyframes", f"model={MODEL}")
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name=f"Keyframe 4: Seed {seed}").wait_for()
    until_still(tab)
    tab_to(tab, "Seconds")
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("0.5")
    tab.keyboard.press("Enter")
    until_still(tab)
    tab_to(tab, "Make the film")
    tab.keyboard.press("Enter")
    tab.get_by_alt_text("The film, playing in a loop").wait_for(timeout=120_000)
    until_still(tab)
    tab_to(tab, "Download GIF")
    with tab.expect_download() as saved:
        tab.keyboard.press("Enter")
    with Image.open(saved.value.path()) as film:
        assert film.format == "GIF" and film.n_frames > 5


# --- nothing jumps

SHIFTS = """
window.shifts = [];
window.since = Infinity;  // Streamlit's own frame is there until the page has its heading
const look = new MutationObserver(() => {
  if (!document.querySelector('h1')) return;
  look.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => window.since = performance.now()));
});
look.observe(document, {subtree: true, childList: true});
const rect = box => [box.x, box.y, box.width, box.height].map(Math.round).join(' ');
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput || entry.startTime < window.since) continue;
    window.shifts.push([entry.value, entry.sources.map(({node, previousRect, currentRect}) => {
      const text = (node?.parentElement ?? node)?.textContent ?? '';
      return `${text.slice(0, 60)}: ${rect(previousRect)} -> ${rect(currentRect)}`;
    })]);
  }
}).observe({type: 'layout-shift', buffered: true});
"""


def jumps(tab) -> tuple[float, list]:
    """How much of the page has moved by itself (the cumulative layout shift), and what."""
    found = tab.evaluate("window.shifts.splice(0)")
    return sum(value for value, _ in found), found


@pytest.fixture
def watcher(workplace, browser):
    """A fresh tab that takes note of what moves by itself."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.add_init_script(SHIFTS)
    yield tab
    context.close()


@pytest.mark.parametrize(
    "state",
    [
        "gallery",
        "explore",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("train", "animate", "learn")),
    ],
)
def test_nothing_jumps_while_a_page_comes(watcher, workplace, state):
    """At every visit, the first one included, in which the browser has nothing of the page yet."""
    address, seen, _ = STATES[state]
    visits = []
    for _ in range(2):
        watcher.goto(f"{workplace.url}/{address}")
        watcher.get_by_text(seen).first.wait_for()
        until_still(watcher)
        visits.append(jumps(watcher))
    print("moved " + ", ".join(f"{moved:.3f}" for moved, _ in visits))
    assert max(moved for moved, _ in visits) < 0.1, visits


UPDATES = """
window.told = new Set();
new MutationObserver(() => {
  const told = [...document.querySelectorAll('[data-testid=stCaptionContainer]')].map(each => each.innerText);
  window.told.add(told.find(text => text.includes('pictures seen')));
}).observe(document.body, {subtree: true, childList: true, characterData: true});
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", [WIDE, pytest.param(PHONE, marks=pytest.mark.slow)])
def test_nothing_jumps_while_a_training_is_watched(watcher, workplace, training, size):
    watcher.set_viewport_size({"width": size[0], "height": size[1]})
    watcher.goto(f"{workplace.url}/train?run={training.id}")
    sheet = watcher.get_by_alt_text(re.compile("Sheet of 36 pictures"))
    sheet.wait_for(timeout=120_000)
    watcher.locator("[role=graphics-document]").wait_for(timeout=180_000)
    until_still(watcher)
    jumps(watcher)  # what came with the page
    watcher.evaluate(UPDATES)
    watcher.wait_for_function("() => window.told.size >= 6", timeout=180_000)
    moved, what = jumps(watcher)
    assert moved < 0.02, what
    assert training.status().state == "running"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("theme", "size"), [LOOKS[0], pytest.param(*LOOKS[1], marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious_while_a_training_runs(tab, workplace, training, theme, size):
    tab.goto(f"{workplace.url}/train?run={training.id}")
    tab.get_by_alt_text(re.compile("Sheet of 36 pictures")).wait_for()
    dress(tab, theme, size)
    assert not wrong(tab)
