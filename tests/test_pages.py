"""Every page in every state, run in process: it says what there is and what to do, and never shows a traceback."""

import dataclasses
import io
import json
import shutil
import time
from pathlib import Path
from unittest.mock import Mock

import drawn
import filelock
import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.runtime.state.session_state import STREAMLIT_INTERNAL_KEY_PREFIX
from streamlit.testing.v1 import AppTest

from ganart import (
    checkpoint,
    config,
    dataset,
    directions,
    doctor,
    evaluation,
    export,
    filmconfig,
    forecast,
    housekeeping,
    images,
    jobs,
    latent,
    launch,
    loops,
    models,
    notes,
    places,
    planes,
    recipes,
    render,
    run,
    share,
    train,
    uploads,
    workspace,
)
from ganart.config import MOST_KIMG, NetworkConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.doctor import Finding
from ganart.errors import RunError
from ganart.filmconfig import FilmConfig, Keyframe
from ganart.forecast import Forecast, TooLargeError
from ganart.models import Model
from ganart.networks import Generator
from ganart.notes import Kept, Shot
from ganart.places import Way
from ganart.run import Run, Status
from ganart.ui import breed, start, studio, sums, timeline

ROOT = Path(__file__).parent.parent
LOOPS_DRAW = loops.draw
TINY = NetworkConfig(size=32, channels=3, z_dim=8, width=4)


@pytest.fixture(autouse=True)
def as_without_models_and_card(tmp_path, monkeypatch):
    """The pages as they are without the models that come with the program, on a computer without a card. Nor are
    the small films of models drawn: every gallery here would begin one that nobody waits for."""
    monkeypatch.setattr(start, "this_device", lambda: "cpu")
    (tmp_path / "pretrained").mkdir()
    monkeypatch.setattr(workspace, "pretrained_folder", lambda: tmp_path / "pretrained")
    drawing = Mock(**{"status.return_value": None})
    monkeypatch.setattr(loops, "draw", lambda model, card: drawing)


def open_page(name: str, **query: str) -> AppTest:
    """The page as a visitor gets it, through app.py."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    for key, value in query.items():
        at.query_params[key] = value
    if name != "gallery":
        at.switch_page(f"pages/{name}.py")
    return check(at.run())


def check(at: AppTest) -> AppTest:
    """Nothing uncaught; a title is there (an empty page would pass silently otherwise)."""
    assert not at.exception, at.exception
    assert len(at.title) == 1
    return at


def text_of(at: AppTest) -> str:
    """Everything a reader sees as words."""
    parts = [at.title, at.markdown, at.caption, at.info, at.warning, at.error, at.success]
    return "\n".join(element.value for part in parts for element in part)


def tiny_training(store: Dataset) -> TrainConfig:
    return TrainConfig(
        networks=TINY,
        dataset=store.name,
        dataset_hash=store.hash,
        batch=8,
        kimg=0.2,
        device="cpu",
        dtype="float32",
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A workspace with twelve pictures, prepared, and a tiny training on them that is done; made once."""
    place = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(place / "home"))
        store = dataset.prepare(drawn.draw(place / "pictures", 12), config.IntakeConfig(size=32))
        assert train.work(launch.create(tiny_training(store), "tiny")) == "done"
    return place / "home"


@pytest.fixture
def store(home, workplace) -> Dataset:
    """Small pictures, prepared; this test's own."""
    shutil.copytree(workplace / "datasets", home / "datasets")
    return dataset.open_dataset("pictures-32")


@pytest.fixture
def finished(home, store, workplace) -> Run:
    """A tiny training that is done; this test's own."""
    shutil.copytree(workplace, home, dirs_exist_ok=True, copy_function=shutil.copy)  # as if written just now
    return run.find_run("tiny")


def put_into(target: Run, state: str, error: str = "") -> None:
    """As if the run were in this state."""
    target.write_status(dataclasses.replace(target.written_status(), state=state, step=10, kimg=0.1, error=error))


def test_gallery_without_models_says_what_to_do():
    at = open_page("gallery")
    assert at.title[0].value == "Gallery"
    assert "no models yet" in text_of(at)
    assert at.button[0].label == "Train on your pictures"


def test_gallery_shows_a_model_with_its_sheet(finished):
    at = open_page("gallery")
    assert "tiny (0001)" in text_of(at) and "32 px, colour" in text_of(at)
    assert len(at.get("imgs")) + len(at.get("image")) >= 1


def test_gallery_has_the_film_of_a_model_drawn_once_and_shows_it(finished, monkeypatch):
    model, seen = models.find_model("tiny"), []
    monkeypatch.setattr(loops, "draw", lambda *of: seen.append(LOOPS_DRAW(*of)) or seen[-1])
    at = open_page("gallery")
    at.run()
    assert len({job.folder for job in seen}) == 1 and len(list(workspace.folder("jobs").iterdir())) == 1
    assert loops.find(model, model.card()) is None
    jobs.wait(seen[0])
    monkeypatch.setattr(loops, "draw", Mock(side_effect=AssertionError("it is there")))
    check(at.run())
    assert any("/paint/loop?" in each.proto.body and model.id in each.proto.body for each in at.get("html"))


def test_gallery_tells_all_about_a_model(finished):
    at = open_page("gallery")
    next(b for b in at.button if b.label == "About it").click().run()
    check(at)
    said = text_of(at)
    assert "How good it is" in said
    assert "has 12 pictures, and measuring needs 32 or more" in said
    assert "Measure how good it is" not in [b.label for b in at.button]


def test_gallery_measures_a_model_beside_the_page(finished, picture_folder, monkeypatch):
    """The figures come from a job; the page shows them when they are there, with the closest pairs."""
    store = dataset.prepare(picture_folder(40), config.IntakeConfig(size=32))
    told = dataclasses.replace(finished.config(), dataset=store.name, dataset_hash=store.hash)
    other = launch.create(told, "more")
    assert train.work(other) == "done"
    at = open_page("gallery")
    next(b for b in at.button if b.key == f"about-{other.id}").click().run()
    next(b for b in at.button if b.label == "Measure how good it is").click().run()
    model = models.find_model(other.id)
    jobs.wait(jobs.find(evaluation.request(model, model.card(), store)))
    at = open_page("gallery")
    next(b for b in at.button if b.key == f"about-{other.id}").click().run()
    check(at)
    assert "20 pictures on each side" in text_of(at)
    assert "come closest to what it learned from" in text_of(at)
    names = list(at.dataframe[0].value[""])
    assert names == [metric.name for metric in evaluation.METRICS.values()]


def test_the_words_of_a_card_fetch_no_pictures(finished, home, tmp_path):
    """A card may come from anywhere."""
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(share.model_file(models.find_model("tiny"), about="Look: ![](https://elsewhere/seen.png)"))
    checkpoint.take_in(path)
    at = open_page("gallery")
    next(b for b in at.button if b.key == "about-foreign").click().run()
    check(at)
    assert "Look: [](https://elsewhere" in text_of(at) and "![" not in text_of(at)
    odd = {"mood": {"value": 1, "floor": 1, "n": 8}}  # a figure of a program to come
    path.write_bytes(share.model_file(models.find_model("tiny"), figures=odd, name="odd"))
    path = path.rename(tmp_path / "odd.safetensors")
    checkpoint.take_in(path)
    at = open_page("gallery")
    next(b for b in at.button if b.key == "about-odd").click().run()
    check(at)


def test_a_training_can_start_from_a_model(finished, store):
    at = open_page("train", **{"from": finished.id})
    assert "Choose the pictures that **tiny (0001)** is to learn next" in text_of(at)
    assert at.selectbox(key="size").value == 32
    at = open_page("train", **{"from": finished.id, "dataset": store.name})
    assert "Starts from what **tiny (0001)** has learned" in text_of(at)
    assert "preset" not in [box.key for box in at.selectbox]
    next(b for b in at.button if b.label == "Start training").click().run()
    check(at)
    started = run.find_run(at.query_params["run"])
    try:
        assert started.config().initial == "tiny" and started.config().networks == TINY
    finally:
        launch.stop(started)


def test_pictures_for_a_model_are_prepared_as_it_paints(make_painter, picture_folder, tmp_path):
    make_painter("greys", size=28, channels=1)
    (folder := tmp_path / "colours").mkdir()
    for path in picture_folder(12).iterdir():
        path.rename(folder / path.name)
    at = open_page("train", **{"from": "greys"})
    at.segmented_control(key="source").set_value("path").run()
    assert at.selectbox(key="size").value == 28
    at.text_input(key="path").set_value(str(folder)).run()
    check(next(b for b in at.button if b.label == "Look at the pictures").click().run())
    (store,) = dataset.list_datasets()
    assert (store.settings.size, store.channels) == (28, 1)


def test_a_training_starts_from_noise_where_the_model_does_not_fit(finished, picture_folder):
    larger = dataset.prepare(picture_folder(12, size=(80, 80)), config.IntakeConfig(size=64))
    at = open_page("train", **{"from": finished.id, "dataset": larger.name})
    assert "will start from noise" in text_of(at) and "preset" in [box.key for box in at.selectbox]
    at = open_page("train", **{"from": "gone", "dataset": larger.name})
    assert "There is no model “gone”" in text_of(at) and "preset" in [box.key for box in at.selectbox]


def test_gallery_names_a_damaged_model_and_shows_the_others(finished):
    broken = launch.create(finished.config(), "broken")
    put_into(broken, "stopped")
    broken.model.write_bytes(b"not a model at all")
    at = open_page("gallery")
    assert "model.safetensors is not a ganart model" in text_of(at)
    assert "tiny (0001)" in text_of(at)


def test_gallery_leads_to_the_training_under_way(finished):
    with finished.lock():
        put_into(finished, "running")
        at = open_page("gallery")
    assert "Learning" in text_of(at) or any("Learning" in str(b.proto) for b in at.get("badge"))
    assert "pictures seen" in text_of(at)


def test_train_offers_all_ways_in():
    at = open_page("train")
    assert at.title[0].value == "Train"
    way = at.segmented_control(key="source")
    for choice in ("path", "mnist", "before", "drop"):
        check(way.set_value(choice).run())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("/nowhere/at/all", "There is no folder"),
        ("EMPTY", "is empty"),
        ("TEXTS", "no usable picture"),
    ],
)
def test_train_refuses_bad_paths_in_one_sentence(given, said, tmp_path):
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "TEXTS").mkdir()
    (tmp_path / "TEXTS" / "notes.jpg").write_text("not a picture")
    at = open_page("train")
    at.segmented_control(key="source").set_value("path").run()
    at.text_input(key="path").set_value(str(tmp_path / given) if given.isupper() else given).run()
    next(b for b in at.button if b.label == "Look at the pictures").click().run()
    check(at)
    assert said in text_of(at)
    assert not list(workspace.folder("datasets").iterdir()), "something was left behind"


@pytest.mark.slow  # a real browser does the same in `test_journey`
def test_train_from_an_upload_to_a_running_training(picture_folder):
    upload, files = uploads.begin(), sorted(picture_folder(12).iterdir())
    at = open_page("train", upload=upload.token)
    at.selectbox(key="size").set_value(32).run()
    assert next(b for b in at.button if b.label == "Look at the pictures").disabled
    told = upload.expect([[f"paintings/{path.name}", path.stat().st_size, 0] for path in files])
    for place, number in told["send"]:
        shutil.copy(files[place], upload.files / upload.wanted(number).stored)
    at.run()
    next(b for b in at.button if b.label == "Look at the pictures").click().run()
    check(at)
    assert at.query_params["dataset"] == "paintings-32"
    assert "12 pictures are few" in text_of(at)
    assert not list(workspace.folder("uploads").iterdir()), "the upload was kept"

    at.segmented_control(key="width-sketch").set_value(16).run()
    at.number_input(key="kimg-sketch").set_value(1.0).run()
    next(b for b in at.button if b.label == "Start training").click().run()
    check(at)
    (started,) = run.list_runs()
    try:
        assert at.query_params["run"] == started.id
        assert started.config().networks.width == 16 and started.config().kimg == 1.0
        assert started.config().preset == "sketch", "what fits a processor was not the first choice"
        with_active = open_page("train")
        assert "Watch" in [link.proto.label for link in with_active.get("page_link")]
        # A second tab cannot start another one.
        second = open_page("train", dataset="paintings-32")
        next(b for b in second.button if b.label == "Start training").click().run()
        check(second)
        assert started.id in text_of(second) and "already" in text_of(second)
        assert len(run.list_runs()) == 1
    finally:
        launch.stop(started)


def test_train_offers_a_night_of_a_fast_card_and_starts_what_could_not_be_measured(store, monkeypatch):
    fast = Forecast("cpu", 32, 8, 10_000.0, sheet_seconds=0.001, look_seconds=0.001, keep_seconds=0.001)
    monkeypatch.setattr(forecast, "known", lambda settings: fast)
    at = open_page("train", dataset=store.name)
    at = check(at.button(key="budget-Overnight").click().run())
    (length,) = (field for field in at.number_input if field.label.startswith("Length"))
    assert 200_000 < length.value < 300_000, "a night at 10,000 pictures a second"
    for error, disabled in (
        (RunError("an operation is missing"), False),
        (TooLargeError("too little memory"), True),
    ):
        monkeypatch.setattr(forecast, "known", Mock(side_effect=error))
        at = check(at.run())
        assert next(b for b in at.button if b.label == "Start training").disabled == disabled
        assert ("too little memory" in text_of(at)) == disabled


def test_train_with_a_dataset_that_is_gone():
    at = open_page("train", dataset="never-was")
    assert "There is no dataset" in text_of(at)
    assert [b.label for b in at.button] == ["Choose pictures"]


def test_train_with_a_run_that_is_gone():
    assert "There is no run" in text_of(open_page("train", run="0042-never"))


@pytest.mark.parametrize(
    ("state", "held", "buttons", "said"),
    [
        ("running", True, {"Pause", "Stop"}, ""),
        ("starting", True, {"Pause", "Stop"}, ""),
        ("paused", True, {"Continue", "Stop"}, ""),
        ("stopping", True, set(), ""),
        ("done", False, set(), ""),
        ("stopped", False, {"Resume"}, ""),
        ("failed", False, {"Resume"}, "The disk is full"),
        ("crashed", False, {"Resume"}, "interrupted"),
        ("stuck", True, {"Stop"}, "has not answered"),
    ],
)
def test_watching_a_run_in_every_state(finished, monkeypatch, state, held, buttons, said):
    put_into(
        finished,
        {"crashed": "running", "stuck": "running"}.get(state, state),
        "The disk is full." * (state == "failed"),
    )
    if state == "stuck":
        monkeypatch.setattr(run, "STUCK_SECONDS", -1.0)
    if held:
        with finished.lock():
            at = open_page("train", run=finished.id)
    else:
        at = open_page("train", run=finished.id)
    assert at.title[0].value == "tiny (0001)"
    always = {"New training"} if held else {"New training", "Go on", "Rename", "Pack into one file", "Delete"}
    assert {b.label for b in at.button} - always == buttons
    assert said in text_of(at)
    assert len(at.get("vega_lite_chart")) + len(at.get("arrow_vega_lite_chart")) == 1


def test_pause_and_stop_buttons_ask_the_trainer(finished):
    with finished.lock():
        put_into(finished, "running")
        at = open_page("train", run=finished.id)
        next(b for b in at.button if b.label == "Pause").click().run()
        assert finished.requested() == "pause"
        next(b for b in at.button if b.label == "Stop").click().run()
        assert finished.requested() == "stop"


def test_resume_button_goes_on_with_a_crashed_run(store):
    target = launch.create(tiny_training(store), "again")
    target.write_status(Status(state="running"))
    at = open_page("train", run=target.id)
    next(b for b in at.button if b.label == "Resume").click().run()
    check(at)
    deadline = time.monotonic() + 60
    while target.status().state != "done" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert target.status().state == "done"


def test_explore_and_animate_without_a_model_say_what_to_do():
    for name in ("explore", "animate"):
        assert "no model to play with yet" in text_of(open_page(name))


# --- explore


def tell(at: AppTest, key: str, event: str, value: object) -> AppTest:
    """As its component in the browser would: something happened on the part of the page with this key."""
    (part,) = [found for found in at.get("bidi_component") if found.proto.id.endswith(f"-{key}")]
    states = at._tree.get_widget_states()
    states.widgets.add(
        id=f"{STREAMLIT_INTERNAL_KEY_PREFIX}_{part.proto.id}__events",
        json_trigger_value=json.dumps([{"event": event, "value": value}]),
    )
    return check(at._run(states))


def say(at: AppTest, key: str, **values: object) -> AppTest:
    """As its component in the browser would: this is how it is now."""
    (part,) = [found for found in at.get("bidi_component") if found.proto.id.endswith(f"-{key}")]
    states = at._tree.get_widget_states()
    states.widgets.add(id=part.proto.id, json_value=json.dumps(values))
    return check(at._run(states))


def drag(at: AppTest, x: float, y: float) -> AppTest:
    """As the pad would: the hand let go here."""
    return say(at, "pad", spot={"x": x, "y": y, "turn": shown(at, "pad")["turn"]})


def pin(at: AppTest, turn: int, **seeds: bool) -> AppTest:
    """As the wall would: these seeds are to be pinned, or no longer."""
    at = say(at, "seeds", pinned={"turn": turn, "seeds": {seed.strip("_"): on for seed, on in seeds.items()}})
    assert shown(at, "seeds")["heard"] == turn
    return at


def shown(at: AppTest, key: str) -> dict:
    """What a component is told to show."""
    (part,) = [found for found in at.get("bidi_component") if found.proto.id.endswith(f"-{key}")]
    mixed = part.proto.mixed.json if part.proto.WhichOneof("data") == "mixed" else part.proto.json
    return json.loads(mixed)


def way(at: AppTest) -> Way:
    """The way through the model that is looked at."""
    return list(at.session_state["ways"].values())[-1]


def press(at: AppTest, label: str) -> AppTest:
    return check(next(button for button in at.button if button.label == label).click().run())


@pytest.fixture
def painter(make_painter) -> Model:
    """A model to explore."""
    return make_painter()


def kept_of(model: Model) -> list[Kept]:
    return notes.places(model.card().hash)


def test_explore_opens_at_a_seed(painter):
    at = open_page("explore", at="7")
    assert "**Seed 7**" in text_of(at)
    assert way(at).place.seed == 7 and at.query_params["at"] == "7"
    assert shown(at, "seeds")["selected"] == 7
    assert shown(at, "pad")["title"].startswith("Seed 7, painted by painter")
    assert way(open_page("explore")).place.seed == 0


def test_explore_opens_at_an_exact_latent(painter):
    text = places.write(latent.sample_z([5], TINY.z_dim)[0] / 3)
    at = open_page("explore", at=text)
    assert way(at).place.text == text and at.query_params["at"] == text
    assert "A place from a link" in text_of(at) and shown(at, "seeds")["selected"] is None
    notes.keep(painter.card().hash, Kept(text, "Dawn", pinned=True))
    assert "**Dawn**" in text_of(open_page("explore", at=text))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nonsense", "is no place in a latent space"),
        ("9999999999", "seeds lie between 0 and"),
        (places.write(np.zeros(100)), "This place has 100 values, but the model takes 8"),
        (places.write(np.full(8, np.nan)), "holds values that are not numbers"),
        ("z.AAAAA", "cut off"),
    ],
)
def test_explore_says_what_is_wrong_with_a_link_and_shows_a_picture(painter, asked, said):
    at = open_page("explore", at=asked)
    (error,) = at.error
    assert said in error.value
    assert way(at).place.seed == 0 and at.query_params["at"] == "0"
    assert not check(at.run()).error, "it was said again"


def test_explore_goes_to_a_seed_of_the_wall_and_back(painter):
    at = tell(open_page("explore", at="7"), "seeds", "picked", 12)
    assert "**Seed 12**" in text_of(at) and at.query_params["at"] == "12"
    at = check(at.button(key="undo").click().run())
    assert "**Seed 7**" in text_of(at) and at.button(key="undo").disabled
    at = check(at.button(key="redo").click().run())
    assert "**Seed 12**" in text_of(at) and at.button(key="redo").disabled
    at = tell(at, "seeds", "picked", "no seed")
    assert "**Seed 12**" in text_of(at)


def test_an_address_that_the_browser_had_not_heard_of_yet_leads_nowhere(painter):
    """Clicks may come faster than answers: then a rerun tells an address from before the last click."""
    at = tell(open_page("explore", at="7"), "seeds", "picked", 12)
    at.query_params["at"] = "7"
    at = pin(at, 1, _3=True)
    assert "**Seed 12**" in text_of(at) and at.query_params["at"] == "12"
    at.session_state["at_settled"] = time.monotonic() - 60
    at.query_params["at"] = "7"  # now somebody went back in the browser
    assert "**Seed 7**" in text_of(check(at.run()))


def test_the_pad_goes_where_the_hand_lets_go(painter):
    at = drag(open_page("explore", at="7"), 0.5, -0.25)
    start = latent.sample_z([7], TINY.z_dim)[0]
    expected = planes.around(start, 0).at(np.array([[0.5, -0.25]]))[0]
    assert way(at).place.z.tobytes() == expected.tobytes()
    assert at.query_params["at"] == places.write(expected) and "**Near seed 7**" in text_of(at)
    assert shown(at, "pad")["spot"] == [0.5, -0.25], "the pad lay down anew under the hand"
    at = drag(at, 0.1, 0.2)
    assert way(at).place.z.tobytes() == planes.around(start, 0).at(np.array([[0.1, 0.2]]))[0].tobytes()
    at = check(at.button(key="undo").click().run())
    assert way(at).place.z.tobytes() == expected.tobytes() and shown(at, "pad")["spot"] == [0.5, -0.25]


def test_a_move_on_the_pad_that_comes_after_another_picture_was_picked_is_not_heard(painter):
    at = open_page("explore", at="7")
    way(at).go(places.of_seed(12, 8))  # by a run of the page that has not come to the pad yet
    at = drag(at, 0.5, 0.5)
    assert way(at).place.seed == 12
    at = drag(at, 0.5, 0.5)
    assert "Near seed 12" in text_of(at)


def test_the_pad_lies_as_one_asks(painter):
    at = drag(open_page("explore", at="7"), 0.5, 0.5)
    at = press(at, "Start again from here")
    assert shown(at, "pad")["spot"] == [0, 0] and "Near seed 7" in text_of(at)
    query = shown(at, "pad")["query"]
    at = press(at, "Another plane")
    assert shown(at, "pad")["query"] != query and "Near seed 7" in text_of(at)
    at = check(at.segmented_control(key="plane").set_value("directions").run())
    z = way(at).place.z
    at = drag(at, 0.5, 0.0)
    moved = directions.move(z, directions.ganspace(generator_of(painter), 1), np.array([0.5 * planes.SIGMAS]))
    np.testing.assert_allclose(way(at).place.z, moved, rtol=1e-5)
    at = check(at.segmented_control(key="plane").set_value("three").run())
    assert "Pin three pictures" in text_of(at)
    at = pin(at, 1, _3=True, _4=True, _5=True)
    at = drag(at, *planes.CORNERS[1])
    np.testing.assert_allclose(way(at).place.z, latent.sample_z([4], TINY.z_dim)[0], rtol=1e-4, atol=1e-5)
    assert "Between Seed 3, Seed 4, Seed 5" in text_of(at)


def generator_of(model: Model) -> Generator:
    return checkpoint.load_generator(model.path)[0]


def test_a_slider_moves_exactly_along_its_direction(painter):
    at = open_page("explore", at="7", by="Directions")
    found = directions.ganspace(generator_of(painter), 6)
    start = latent.sample_z([7], TINY.z_dim)[0]
    sliders = [slider for slider in at.slider if str(slider.key).startswith("move-ganspace-")]
    np.testing.assert_allclose([slider.value for slider in sliders], found @ start, atol=0.006)
    at = check(sliders[1].set_value(2.0).run())
    expected = found @ start
    expected[1] = 2.0
    np.testing.assert_allclose(found @ way(at).place.z, expected, atol=1e-5)
    rest = start - (found @ start) @ found
    np.testing.assert_allclose(way(at).place.z - (found @ way(at).place.z) @ found, rest, atol=1e-5)
    assert "**Seed 7, moved**" in text_of(at)
    at = check(at.button(key="undo").click().run())
    assert way(at).place.seed == 7
    assert at.slider(key=sliders[1].key).value == round(float((found @ start)[1]), 2)


def test_truncation_sets_the_length(painter):
    at = open_page("explore", at="7", by="Directions")
    start = latent.sample_z([7], TINY.z_dim)[0]
    length = float(np.linalg.norm(start) / np.sqrt(TINY.z_dim))
    assert at.slider(key="truncation").value == round(length, 2)
    at = check(at.slider(key="truncation").set_value(0.5).run())
    np.testing.assert_allclose(way(at).place.z, start * (0.5 / length), rtol=1e-5)
    assert at.slider(key="truncation").value == 0.5


def test_directions_can_be_named(painter):
    at = open_page("explore", by="Directions")
    field = next(field for field in at.text_input if str(field.key).startswith("name-ganspace-0"))
    at = check(field.set_value("the  light").run())
    assert notes.direction_names(painter.card().hash, "ganspace") == {0: "the light"}
    assert "the light" in [slider.label for slider in at.slider]
    at = check(at.segmented_control(key="directions").set_value("sefa").run())
    assert "Direction 1" in [slider.label for slider in at.slider]
    at = check(at.segmented_control(key="plane").set_value("directions").run())
    assert at.selectbox(key="across").options[:2] == ["the light", "Direction 2"]


def test_a_model_that_computes_with_what_is_no_number_can_be_looked_at(make_painter):
    make_painter("over", overflowing=True)
    at = open_page("explore", by="Directions", model="over")
    assert "no directions can be found" in text_of(at)


def name_field(at: AppTest) -> object:
    """Of the picture that is shown."""
    (field,) = (field for field in at.text_input if field.label == "Name")
    return field


def test_pictures_are_pinned_liked_and_named(painter):
    at = press(press(open_page("explore", at="7"), "Pin"), "Like")
    assert kept_of(painter) == [Kept("7", "Seed 7", pinned=True, liked=True)]
    at = check(name_field(at).set_value("  Dawn ").run())
    assert "**Dawn**" in text_of(at)
    at = drag(at, 0.3, 0.3)
    at = press(at, "Pin")
    assert name_field(at).value == "Near Dawn", "it shows another picture's name"
    assert kept_of(painter) == [
        Kept("7", "Dawn", pinned=True, liked=True),
        Kept(way(at).place.text, "Near Dawn", pinned=True),
    ]
    assert shown(at, "tray-pinned")["labels"] == ["Dawn", "Near Dawn"]
    assert shown(at, "seeds")["marks"] == {"7": "pinned"}
    at = tell(at, "tray-pinned", "picked", 0)
    assert way(at).place.seed == 7
    at = press(at, "Pinned")
    assert kept_of(painter)[0] == Kept("7", "Dawn", liked=True) and shown(at, "seeds")["marks"] == {"7": "liked"}
    at = check(at.segmented_control(key="kept").set_value("liked").run())
    assert shown(at, "tray-liked")["labels"] == ["Dawn"]
    press(at, "Liked")
    assert len(kept_of(painter)) == 1, "what is neither pinned nor liked was kept"


def test_names_are_shown_as_they_were_typed(painter):
    """A name may come with a file from anywhere; it is to fetch no pictures."""
    at = press(open_page("explore", at="7"), "Pin")
    at = check(name_field(at).set_value("![](https://else/seen.png)").run())
    assert "![" not in text_of(at) and r"\!\[\](https\://else/seen.png)" in text_of(at)


def test_seeds_are_pinned_from_the_wall_and_taken_off(painter):
    at = pin(open_page("explore", at="7"), 1, _12=True, _3=True, nonsense=True)
    assert kept_of(painter) == [Kept("12", "Seed 12", pinned=True), Kept("3", "Seed 3", pinned=True)]
    assert way(at).place.seed == 7
    pin(at, 2, _12=False, _3=True)
    assert kept_of(painter) == [Kept("3", "Seed 3", pinned=True)]


def test_breeding_two_generations(painter):
    at = open_page("explore", at="7", by="Breeding")
    children = shown(at, "children")
    assert children["labels"] == ["Child of seed 7"] * breed.CHILDREN
    at = tell(at, "children", "picked", 3)
    first = way(at).place
    assert (first.label, first.line) == ("Child of seed 7", ("7",))
    start = latent.sample_z([7], TINY.z_dim)[0]
    np.testing.assert_allclose(np.linalg.norm(first.z), np.linalg.norm(start), rtol=1e-5)
    np.testing.assert_allclose(first.z @ start, start @ start * np.cos(0.2 * np.pi / 2), rtol=1e-4)
    assert shown(at, "lineage")["labels"] == ["Seed 7"]
    at = tell(press(at, "Eight others"), "children", "picked", 0)
    assert way(at).place.line == ("7", first.text)
    assert shown(at, "lineage")["labels"] == ["Seed 7", "Ancestor 2"]
    at = tell(at, "lineage", "picked", 1)
    assert way(at).place.text == first.text and way(at).place.line == ("7",)
    at = check(at.slider(key="strength").set_value(0.0).run())
    assert "all children would be the picture itself" in text_of(at)


def test_children_of_two_take_after_both(painter):
    hash = painter.card().hash
    near = [places.of_seed(seed, TINY.z_dim) for seed in (1, 2, 3)]
    for place in near:  # alike by name, as places on the pad are
        notes.keep(hash, Kept(places.write(place.z), "Near seed 0", pinned=True))
    at = open_page("explore", at="7", by="Breeding")
    parents = at.selectbox(key="parent")
    assert parents.options[1:] == ["Near seed 0", "Near seed 0 (2)", "Near seed 0 (3)"]
    at = check(parents.select_index(2).run())
    at = tell(check(at.slider(key="strength").set_value(0.0).run()), "children", "picked", 0)
    assert "Child of seed 7 and near seed 0" in text_of(at)
    basis = directions.sefa(generator_of(painter), TINY.z_dim)
    parts = np.stack([basis @ z for z in (latent.sample_z([7], TINY.z_dim)[0], near[1].z)])
    off = np.abs(parts - basis @ way(at).place.z)
    np.testing.assert_allclose(off.min(0), 0, atol=1e-4)
    assert (off > 0.01).any(), "nothing came from one of the parents"


def test_arithmetic_with_too_few_pins_says_what_to_do(painter):
    at = open_page("explore", by="Arithmetic")
    assert "Pin at least 3 pictures first" in text_of(at)
    for seed in (1, 2):
        notes.keep(painter.card().hash, Kept(str(seed), f"Seed {seed}", pinned=True))
    assert "Pin at least 3 pictures first" in text_of(check(at.run()))


def test_arithmetic_with_pins(painter):
    for seed in range(5):
        notes.keep(painter.card().hash, Kept(str(seed), f"Seed {seed}", pinned=True))
    at = open_page("explore", by="Arithmetic")
    groups = [(0, 1, 2), (2, 3, 4), (0, 2, 4)]
    for name, group in zip(sums.NAMES, groups, strict=True):
        assert "choose 3 more" in text_of(at)
        for index in group:
            at = tell(at, f"sum-{name}", "picked", index)
        assert shown(at, f"sum-{name}")["selected"] == list(group)
    at = tell(at, "sum", "picked", sums.AROUND // 2)
    expected = latent.arithmetic(*(latent.sample_z(list(group), TINY.z_dim) for group in groups))
    assert way(at).place.z.tobytes() == expected.tobytes() and "**A sum**" in text_of(at)
    at = tell(at, "sum-These", "picked", 0)
    assert "choose 1 more" in text_of(at) and shown(at, "sum-These")["selected"] == [1, 2]


def test_a_saved_picture_leads_back(painter, make_painter, monkeypatch):
    """To the model, the place, its name and its ancestors."""
    make_painter("another", seed=1)
    made = []
    monkeypatch.setattr(st, "download_button", lambda _, data, **__: made.append(data))
    at = tell(open_page("explore", model="painter", at="7", by="Breeding"), "children", "picked", 3)
    at = press(at, "Pin")
    at = check(name_field(at).set_value("Dawn").run())
    saved, data = way(at).place, made[-1]()
    with Image.open(io.BytesIO(data)) as png:
        assert png.size == (1024, 1024)
        picture = np.asarray(png.resize((32, 32), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(picture, render.pictures(generator_of(painter), saved.z[None].copy())[0])

    for model in ("painter", "another"):
        at = open_page("explore", model=model, at="3")
        at = check(at.file_uploader[0].upload("picture.png", data).run())
        assert at.selectbox(key="model").value == "painter"
        assert (way(at).place.text, way(at).place.line) == (saved.text, saved.line)
        assert "**Dawn**" in text_of(at) and "Back at Dawn." in text_of(at)
        assert at.query_params["at"] == saved.text


def test_a_picture_of_something_else_is_refused_in_a_sentence(painter):
    def said(data: bytes) -> str:
        at = open_page("explore")
        return text_of(check(at.file_uploader[0].upload("picture.png", data).run()))

    picture = np.zeros((32, 32, 3), np.uint8)
    assert "no recipe of ganart inside" in said(images.encode(picture))
    assert "whatever its name says" in said(b"no picture")
    foreign = export.png_bytes(picture, recipes.recipe("ab" * 32, kind="picture", place="3"))
    assert "not in this workspace" in said(foreign)


def test_another_model_keeps_the_seed_and_each_has_its_own_way(painter, make_painter):
    make_painter("another", seed=1)
    at = open_page("explore", model="painter", at="7")
    at = check(at.selectbox(key="model").set_value("another").run())
    assert "painted by another" in shown(at, "pad")["title"] and way(at).place.seed == 7
    at = drag(at, 0.5, 0.5)
    at = check(at.selectbox(key="model").set_value("painter").run())
    assert "**Seed 7**" in text_of(at) and at.button(key="undo").disabled
    at = check(at.selectbox(key="model").set_value("another").run())
    assert "**Near seed 7**" in text_of(at) and not at.error


def test_a_run_that_saves_again_is_explored_on(painter, make_painter):
    at = drag(open_page("explore", at="7"), 0.5, 0.5)
    text, before = way(at).place.text, shown(at, "pad")["picture"]
    make_painter(seed=1)
    at = drag(at, 0.2, 0.2)
    assert way(at).place.text != text and shown(at, "pad")["picture"] != before
    make_painter(seed=2)
    at = tell(at, "seeds", "picked", 12)
    assert way(at).place.seed == 12
    make_painter(seed=3)
    at = check(at.button(key="undo").click().run())
    at = check(at.button(key="undo").click().run())
    assert way(at).place.text == text


def test_explore_with_a_model_that_is_gone_or_damaged(finished):
    assert "There is no model “0099-gone”" in text_of(open_page("explore", model="0099-gone"))
    finished.model.write_bytes(finished.model.read_bytes()[:-100])
    assert "damaged" in text_of(open_page("explore", model=finished.id))


# --- Animate


def make(at: AppTest) -> AppTest:
    """Presses the button and waits for the job that it began."""
    next(b for b in at.button if b.label == "Make the film").click().run()
    job = jobs.Job(Path(check(at).session_state["films"][0]))
    jobs.wait(job)
    return check(at.run())


def frames(at: AppTest, count: int) -> AppTest:
    at.segmented_control(key="film_unit").set_value("Frames").run()
    return at.number_input(key="film_frames").set_value(count).run()


# The others are made in a real browser.
@pytest.mark.parametrize("kind", [*(pytest.param(k, marks=pytest.mark.slow) for k in ("Walk", "Loops")), "Growth"])
def test_animate_makes_a_film_that_loops(finished, kind):
    at = open_page("animate", model=finished.id)
    at.segmented_control(key="kind").set_value(kind).run()
    if kind == "Loops":
        at.number_input(key="film_rows").set_value(2).run()
        at.number_input(key="film_columns").set_value(2).run()
    at = make(frames(at, 12))
    assert not at.error, text_of(at)
    (path,) = workspace.folder("exports").glob("*.gif")
    with Image.open(path) as film:
        assert film.n_frames > 1 and film.info["loop"] == 0
    assert at.get("download_button")
    told = text_of(at)
    assert ("Where it closes" in told) == (kind != "Growth") and "steps vary by" in told
    # The same film again is the same file; when that was deleted, it is made anew.
    make(at)
    assert list(workspace.folder("exports").glob("*.gif")) == [path]
    path.unlink()
    assert "The film was deleted" in text_of(check(at.run()))
    make(at)
    assert path.is_file()


def test_animate_plays_its_own_film_whatever_has_its_name_by_now(finished):
    at = make(frames(open_page("animate", model=finished.id), 8))
    (mine,) = workspace.folder("exports").iterdir()
    housekeeping.rename_export(mine.name, "dawn")
    mine.write_bytes(b"GIF of somebody else")
    assert "exports/dawn.gif" in text_of(make(at)), "renamed, it is still the film that was asked for"
    (mine.parent / "dawn.gif").unlink()
    assert "The film was deleted" in text_of(check(at.run()))
    assert f"exports/{mine.stem}-2.gif" in text_of(make(at))
    assert mine.read_bytes() == b"GIF of somebody else"


def test_animate_lists_whole_files_alone(finished):
    for name in ("a.gif", "b.mp4.tmp-12-34", ".deleting-0123.gif", "c.ganart", "d.ganart.tmp-5-6"):
        (workspace.folder("exports") / name).write_bytes(b"1")
    at = open_page("animate", model=finished.id)
    assert any(expander.label == "Made before (2)" for expander in at.expander)


def test_animate_makes_what_was_typed_last_before_the_click(finished):
    at = frames(open_page("animate", model=finished.id), 12)
    at.number_input(key="film_frames").set_value(20)
    next(b for b in at.button if b.label == "Make the film").click()  # both reach the page at once
    job = jobs.Job(Path(check(at.run()).session_state["films"][0]))
    assert job.request()["film"]["frames"] == 20
    jobs.cancel(job)


def test_animate_shows_and_calls_off_every_film_that_is_under_way(finished):
    def cancels(at: AppTest) -> list:
        return [button for button in at.button if button.label == "Cancel"]

    with filelock.FileLock(workspace.folder("locks") / "job.lock"):  # no job gets its turn
        at = open_page("animate", model=finished.id)
        for count in (12, 13):
            at = frames(at, count)
            at = check(next(b for b in at.button if b.label == "Make the film").click().run())
        folders = at.session_state["films"]
        assert [jobs.Job(Path(folder)).request()["film"]["frames"] for folder in folders] == [13, 12]
        told = ["Waiting for other work …", "Asked for before. Waiting for other work …"]
        assert len(cancels(at)) == 2 and [bar.proto.text for bar in at.get("progress")] == told

        at = open_page("animate", model=finished.id)  # in another tab, or after a reload
        assert at.session_state["films"] == folders and len(cancels(at)) == 2
        at = check(cancels(at)[1].click().run())
        assert jobs.Job(Path(folders[1])).cancelled() and not jobs.Job(Path(folders[0])).cancelled()
        assert at.session_state["films"] == folders[:1] and len(cancels(at)) == 1
        at = check(cancels(at)[0].click().run())
        assert cancels(at) == [] and "Your film will play here." in text_of(at)
        assert jobs.under_way("film") == []


def test_a_run_that_has_another_name_by_now_is_found_by_its_number(finished):
    renamed = housekeeping.rename_run(finished, "sunflowers")
    at = open_page("train", run=finished.id)
    assert renamed.id == "0001-sunflowers" and "sunflowers (0001)" in at.title[0].value
    assert at.query_params["run"] == renamed.id
    housekeeping.delete_run(renamed)
    assert "There is no run" in text_of(open_page("train", run=finished.id))


@pytest.mark.parametrize("gone", ["deleted", "renamed"])
def test_a_click_on_a_run_that_was_deleted_or_renamed_elsewhere_says_what_a_reload_does(finished, gone):
    put_into(finished, "stopped")
    at = open_page("train", run=finished.id)
    housekeeping.rename_run(finished, "other") if gone == "renamed" else housekeeping.delete_run(finished)
    at = check(next(button for button in at.button if button.label == "Resume").click().run())
    told = text_of(at)
    assert ("There is no run" in told) is (gone == "deleted")
    assert "interrupted" not in told and "config.json" not in told


def test_animate_says_so_when_there_are_too_many_beats(finished):
    at = open_page("animate", model=finished.id)
    at.segmented_control(key="film_unit").set_value("Beats").run()
    at = check(at.number_input(key="film_bars").set_value(64).run())
    assert "128 s" in text_of(at) and next(b for b in at.button if b.label == "Make the film").disabled
    at = check(at.number_input(key="film_bars").set_value(4).run())
    assert not at.error and not next(b for b in at.button if b.label == "Make the film").disabled


def test_animate_keeps_its_settings_while_another_page_is_looked_at(finished):
    at = frames(open_page("animate", model=finished.id), 12)
    at.selectbox(key="film_fps").set_value(10).run()
    at.toggle(key="film_even").set_value(True).run()
    check(at.switch_page("pages/explore.py").run())
    at = check(at.switch_page("pages/animate.py").run())
    assert at.number_input(key="film_frames").value == 12
    assert (at.selectbox(key="film_fps").value, at.toggle(key="film_even").value) == (10, True)


def test_animate_changes_keyframes_as_they_are_by_now(finished):
    model = models.find_model(finished.id)
    texts = lambda: [shot.text for shot in timeline.shots(model)]  # noqa: E731
    at = open_page("animate", model=finished.id)
    at.text_input(key="more_seeds").set_value("1-3").run()
    timeline.add(model, [places.of_seed(77, 8)])  # in another tab
    at.button(key="shot-Later").click().run()
    assert texts() == ["2", "1", "3", "77"]
    timeline.put(model, timeline.shots(model)[2:])  # what is picked here is gone there
    check(at.button(key="shot-Remove").click().run())
    assert texts() == ["3", "77"]


def test_animate_counts_every_click_on_what_is_not_drawn_anew_yet(finished, monkeypatch):
    model, state = models.find_model(finished.id), {}
    monkeypatch.setattr(timeline.st, "session_state", state)
    monkeypatch.setattr(timeline, "_pick", lambda place: state.update(shot=place))
    timeline.put(model, [Shot(str(seed), f"Seed {seed}") for seed in (3, 14, 15, 92)])
    buttons, sliders = {}, {}
    monkeypatch.setattr(timeline.st, "button", lambda name, on_click, **_: buttons.update({name: on_click}))
    monkeypatch.setattr(
        timeline.st, "slider", lambda *_, key, on_change, args, **__: sliders.update({key: (on_change, args)})
    )
    timeline._tools(model, timeline.shots(model), 1)
    timeline._timing(model, timeline.shots(model), 1)
    texts = lambda: [shot.text for shot in timeline.shots(model)]  # noqa: E731
    buttons["Earlier"](), buttons["Earlier"]()
    assert (texts(), state["shot"]) == (["14", "3", "15", "92"], 0)
    buttons["Later"](), buttons["Later"]()
    assert (texts(), state["shot"]) == (["3", "15", "14", "92"], 2)
    for value in (0.1, 0.2):
        state["rest-1"] = value
        changed, arguments = sliders["rest-1"]
        changed(*arguments)
    assert [shot.rest for shot in timeline.shots(model)] == [0, 0, 0.2, 0]


def test_animate_removes_the_keyframe_that_was_picked_last_however_fast(finished):
    """The click on Remove comes before the buttons are drawn for the keyframe that was picked just before."""
    model = models.find_model(finished.id)
    at = open_page("animate", model=finished.id)
    assert [shot.text for shot in timeline.shots(model)] == ["3", "14", "15", "92"]
    at.session_state["shot"] = 3  # as the wall's callback has it
    at.button(key="shot-Remove").click()
    check(at.run())
    assert [shot.text for shot in timeline.shots(model)] == ["3", "14", "15"]


@pytest.mark.parametrize("button", ["pin", "like", "film"])
def test_explore_keeps_the_picture_that_is_seen_however_fast(finished, button):
    """The hand drags on and clicks before the buttons are drawn for the picture that is under it by then."""
    model = models.find_model(finished.id)
    model_hash = model.card().hash
    notes.keep(model_hash, Kept("3", "Seed 3", pinned=True, liked=True))
    at = open_page("explore", model=finished.id, at="3")
    at.session_state["ways"][model_hash].go(places.of_seed(5, 8))  # as the pad's callback has it
    check(at.button(key=button).click().run())
    if button == "film":
        assert [shot.text for shot in timeline.shots(model)] == ["5"]
    else:
        kept = {found.text: (found.pinned, found.liked) for found in notes.places(model_hash)}
        assert kept == {"3": (True, True), "5": (button == "pin", button == "like")}


def test_animate_leaves_keyframes_alone_where_nobody_knows_which_one_was_meant(finished):
    """The page was busy, and hears of the pick and of Remove in one: the callback of the button comes first."""
    model = models.find_model(finished.id)
    at = open_page("animate", model=finished.id)
    at.button(key="shot-Remove").click()
    at = tell(at, "keyframes", "picked", 3)
    assert [shot.text for shot in timeline.shots(model)] == ["3", "14", "15", "92"]
    at.button(key="shot-Remove").click().run()
    assert [shot.text for shot in timeline.shots(model)] == ["3", "14", "15"]


@pytest.mark.parametrize("button", ["anew", "shot-Remove", "shot-Twice"])
def test_animate_changes_no_keyframes_of_the_model_before(finished, make_painter, button):
    """Another model is chosen, and a button clicked before it is drawn for that one."""
    other = make_painter("painter")
    model = models.find_model(finished.id)
    timeline.put(model, [Shot("7", "Seed 7"), Shot("8", "Seed 8")])
    at = open_page("animate", model=finished.id)
    at.button(key=button).click()
    at.selectbox(key="model").set_value(other.id)
    check(at.run())
    assert at.selectbox(key="model").value == other.id
    assert [shot.text for shot in timeline.shots(model)] == ["7", "8"]


def test_animate_changes_keyframes_where_the_link_names_a_run_by_its_name(finished):
    at = open_page("animate", model=finished.name)
    assert at.selectbox(key="model").value == finished.name != finished.id
    check(at.button(key="anew").click().run())
    assert timeline.shots(models.find_model(finished.id)) == []


def test_animate_times_the_keyframe_that_was_picked_last(finished):
    model = models.find_model(finished.id)
    at = open_page("animate", model=finished.id)
    at.session_state["shot"] = 3
    check(at.slider(key="rest-0").set_value(1.5).run())
    assert [shot.rest for shot in timeline.shots(model)] == [0, 0, 0, 1.5]


def test_explore_hears_the_pad_before_a_button_that_is_about_it(painter):
    at = open_page("explore", at="3")
    at.button(key="pin").click()
    at = drag(at, 0.5, 0.0)
    spot = way(at).place
    assert spot.label == "Near seed 3" and len(way(at).visits) == 2, "it was heard once"
    (kept,) = notes.places(painter.card().hash)
    assert kept.text == spot.text
    at.button(key="undo").click()
    at = drag(at, -0.5, 0.25)
    assert way(at).place.text == spot.text, "the last drag, which the page had not heard of, is undone"


def launched(monkeypatch) -> list:
    """Trainings that the page starts, without their trainers."""
    made = []

    def launch_it(settings, name, initial=None):
        made.append(launch.create(settings, name, initial))
        return made[-1]

    monkeypatch.setattr(launch, "launch", launch_it)
    return made


def test_train_starts_with_the_recipe_that_was_chosen_last(store, monkeypatch):
    made = launched(monkeypatch)
    at = open_page("train", dataset=store.name)
    assert at.selectbox(key="preset").value == "sketch"
    next(b for b in at.button if b.label == "Start training").click()
    at.selectbox(key="preset").set_value("art")
    check(at.run())
    assert [(item.config().preset, item.config().networks.width) for item in made] == [("art", 64)]


def test_train_starts_nothing_where_noise_was_chosen_a_moment_ago(finished, store, monkeypatch):
    made = launched(monkeypatch)
    at = open_page("train", **{"from": finished.id, "dataset": store.name})
    next(b for b in at.button if b.label == "Start from noise instead").click()
    next(b for b in at.button if b.label == "Start training").click()
    check(at.run())
    assert not made and at.selectbox(key="preset").value == "sketch"


def test_train_leads_the_second_of_two_clicks_to_the_training_of_the_first(store, monkeypatch):
    made = launched(monkeypatch)
    at = open_page("train", dataset=store.name)
    start_it = lambda: next(b for b in at.button if b.label == "Start training")  # noqa: E731
    button = start_it()
    with monkeypatch.context() as patch:
        patch.setattr(start, "_watch", lambda run_id: None)  # the browser has not heard of the new address yet
        check(button.click().run())
    check(start_it().click().run())
    assert len(made) == 1 and at.query_params["run"] in (made[0].id, [made[0].id])
    assert "is training on this" not in text_of(at)


def test_animate_takes_no_more_keyframes_than_a_film_has(finished):
    model = models.find_model(finished.id)
    timeline.put(model, [Shot(str(seed), f"Seed {seed}") for seed in range(64)])
    at = open_page("explore", model=finished.id, at="77")
    at = check(at.button(key="film").click().run())
    assert "65 keyframes are too many" in text_of(at) and len(timeline.shots(model)) == 64


def test_animate_adds_moves_and_takes_out_keyframes(finished):
    at = open_page("animate", model=finished.id)
    assert [shot.text for shot in timeline.shots(models.find_model(finished.id))] == ["3", "14", "15", "92"]
    at.text_input(key="more_seeds").set_value("7, 8-9").run()
    at.button(key="shot-Later").click().run()
    at.slider(key="rest-1").set_value(0.5).run()
    at.button(key="shot-Twice").click().run()
    shots = timeline.shots(models.find_model(finished.id))
    assert [(shot.text, shot.rest) for shot in shots] == [("8", 0), ("7", 0.5), ("7", 0.5), ("9", 0)]
    at.button(key="shot-Remove").click().run()
    assert [shot.text for shot in timeline.shots(models.find_model(finished.id))] == ["8", "7", "9"]
    for _ in range(2):
        check(at.button(key="shot-Remove").click().run())
    assert "at least two keyframes" in text_of(at)
    assert next(b for b in at.button if b.label == "Make the film").disabled
    at.button(key="anew").click().run()
    assert "No keyframes yet" in text_of(check(at))


def test_animate_says_what_is_wrong_with_seeds_that_are_added(finished):
    at = open_page("animate", model=finished.id)
    for text, said in (("three", "not a list of seeds"), ("0-99", "too many")):
        at.text_input(key="more_seeds").set_value(text).run()
        assert said in text_of(check(at)), text


@pytest.mark.parametrize(
    "film",
    [
        FilmConfig("spline", tuple(Keyframe(str(seed), 0.5, 2.0) for seed in (5, 1, 8)), 33, 20, even=True),
        FilmConfig(
            "noise", tuple(Keyframe(str(seed)) for seed in range(4, 8)), 40, 10, rows=2, columns=2, waves=4
        ),
        FilmConfig("growth", (Keyframe("1"), Keyframe("2")), 30, 25, smooth=True),
        FilmConfig("slerp", (Keyframe("1"), Keyframe("2", 1.0)), 30, easing="smooth", width=1080, height=1350),
        FilmConfig("direction", (Keyframe("9"),), 24, 50, index=2, reach=2.0, width=320, height=200),
    ],
    ids=lambda film: film.path,
)
def test_animate_asks_for_exactly_the_film_that_a_file_holds(finished, film):
    at = open_page("animate", model=finished.id)
    model = models.find_model(finished.id)
    at.session_state["film_set"], shots = studio.settings_of(film, ".webp")
    if shots is not None:
        timeline.put(model, shots)
    at = check(at.run())
    next(b for b in at.button if b.label == "Make the film").click().run()
    job = jobs.Job(Path(check(at).session_state["films"][0]))
    request = job.request()
    jobs.cancel(job)
    assert filmconfig.from_dict(request["film"]) == film and request["suffix"] == ".webp"


@pytest.mark.parametrize("exact", [True, False])
def test_animate_says_so_where_it_cannot_ask_for_the_film_that_a_file_holds(finished, exact):
    at = open_page("animate", model=finished.id)
    film = FilmConfig("direction", (Keyframe("9"),), 24, direction="ganspace" if exact else "sefa", index=1)
    at.session_state["film_set"], _ = studio.settings_of(film, ".webp")
    at.session_state["film_wanted"], at.session_state["film_opened"] = film, "Its settings are here again."
    told = text_of(check(at.run()))
    assert ("makes exactly this film" in told) == (not exact) and "Its settings are here again" in told


def test_a_film_of_a_checkpoint_comes_back_on_the_checkpoint(finished):
    at = open_page("animate", model=finished.id)
    step = next(iter(finished.checkpoints()))
    at.session_state["switched"] = f"{finished.id}@{step}"
    at = check(at.run())
    assert at.selectbox(key="model").value == f"{finished.id}@{step}" and not at.warning


def test_animate_says_how_large_a_film_will_be(finished):
    at = frames(open_page("animate", model=finished.id), 12)
    next(b for b in at.button if b.label == "How large?").click().run()
    assert "About " in text_of(check(at))


@pytest.mark.parametrize(("state", "at"), [("done", "a kept state"), ("stopped", "its last")])
def test_more_augmentation_goes_on_from_the_newest_state_that_is_not_the_end(finished, monkeypatch, state, at):
    """What the critic knows by heart is no reason to lose what the painter has learned."""
    put_into(finished, state)
    found = Finding("memorising", "red", 1, "It memorises.", "Augment.", {"augment": "steered"})
    monkeypatch.setattr(doctor, "examine", lambda *_: [found])
    monkeypatch.setattr(launch, "branch", lambda run, step, changes: branched.append((step, changes)) or other)
    monkeypatch.setattr(launch, "relaunch", lambda run: None)
    branched, other = [], launch.create(finished.config(), "other")
    other.write_status(Status("stopped"))
    press(open_page("train", run=finished.id), "Alter pictures as needed")
    assert branched == [(next(iter(finished.states())) if at == "a kept state" else None, {"augment": "steered"})]


@pytest.mark.parametrize("state", ["done", "stopped"])
def test_a_run_of_a_million_thousand_pictures_can_be_looked_at(finished, state):
    """The longest that there is: no longer one is offered."""
    finished.write_status(Status(state, 10, kimg=MOST_KIMG + 0.1, total_kimg=MOST_KIMG))
    at = open_page("train", run=finished.id)
    assert "longer_kimg" not in [number.key for number in at.number_input]


# --- what happens meanwhile


def test_a_branch_that_cannot_start_leaves_no_run_and_says_why(finished):
    other = launch.create(finished.config(), "other")
    with other.lock():
        put_into(other, "running")
        at = open_page("train", run=finished.id)
        next(n for n in at.number_input if n.key == "longer_kimg").set_value(1.0)
        next(b for b in at.button if b.label == "Go on").click().run()
        check(at)
        assert f"{other.id} is training on this processor" in text_of(at)
        assert [item.id for item in run.list_runs()] == [other.id, finished.id]


def test_pins_stay_when_a_run_saves_again_and_the_next_of_its_name_has_none(finished, store):
    seed = places.of_seed(3, TINY.z_dim)
    model = models.find_model(finished.id)
    at = open_page("explore", model=finished.id, at="3")
    next(b for b in at.button if b.label == "Pin").click().run()
    before = model.card().hash
    longer = launch.branch(finished, None, {"kimg": 0.4})
    assert train.work(longer) == "done"
    finished.model.write_bytes(longer.model.read_bytes())
    assert model.card().hash != before
    check(at.run())
    assert [place.text for place in notes.places(model.card().hash)] == [seed.text]
    housekeeping.delete_run(longer)
    housekeeping.delete_run(finished)
    notes.follow(finished.id, "another")
    assert notes.places("another") == []


def test_a_reload_forgets_no_ancestors(finished):
    model = models.find_model(finished.id)
    child = places.of_seed(3, TINY.z_dim).moved(np.full(TINY.z_dim, 0.5, np.float32), "Child", ("3", "4"))
    notes.keep(model.card().hash, Kept(child.text, "Child", pinned=True, line=child.line))
    at = open_page("explore", model=finished.id, at=child.text, by="Breeding")
    assert "Where it comes from" in text_of(at)
    next(b for b in at.button if b.label == "Like").click().run()
    assert notes.find(model.card().hash, child.text).line == ("3", "4")


@pytest.mark.parametrize(
    ("typed", "sentence"), [("横浜", "“横浜” is not a usable name"), (" ", "No name was given")]
)
def test_a_name_of_which_nothing_is_left_is_refused(finished, typed, sentence):
    at = open_page("train", run=finished.id)
    next(field for field in at.text_input if field.key == f"name-run-{finished.id}").set_value(typed)
    next(b for b in at.button if b.key == f"rename-run-{finished.id}").click().run()
    assert sentence in text_of(check(at)) and finished.folder.is_dir()


def test_an_export_may_have_any_letters(home, finished):
    film = workspace.folder("exports") / "loop.png"
    film.write_bytes(b"film")
    at = open_page("animate", model=finished.id)
    next(field for field in at.text_input if field.key == "name-export-loop.png").set_value("横浜 _neu_")
    next(b for b in at.button if b.key == "rename-export-loop.png").click().run()
    assert r"横浜 \_neu\_.png" in text_of(check(at)) and film.with_name("横浜 _neu_.png").is_file()


def test_a_damaged_sheet_is_told_and_the_rest_of_the_page_is_there(finished):
    for path in finished.samples():
        path.write_bytes(b"")
    at = check(open_page("train", run=finished.id))
    assert "A sheet of pictures is damaged" in text_of(at)
    assert "Go on" in [b.label for b in at.button]
    gallery = check(open_page("gallery"))
    assert finished.id in text_of(gallery) or "tiny (0001)" in text_of(gallery)
    assert "About it" in [b.label for b in gallery.button], "the card is gone"
