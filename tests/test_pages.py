"""Every page in every state, run in process: it says what there is and what to do, and never shows a traceback."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from ganart import (
    checkpoint,
    config,
    dataset,
    directions,
    evaluation,
    jobs,
    latent,
    launch,
    models,
    notes,
    run,
    share,
    train,
    workspace,
)
from ganart.config import NetworkConfig, TrainConfig
from ganart.run import Run, Status
from ganart.ui import steer

ROOT = Path(__file__).parent.parent
TINY = NetworkConfig(size=32, channels=3, z_dim=8, width=4)


@pytest.fixture(autouse=True)
def no_pretrained(tmp_path, monkeypatch):
    """The pages as they are without the models that come with the program."""
    (tmp_path / "pretrained").mkdir()
    monkeypatch.setattr(workspace, "pretrained_folder", lambda: tmp_path / "pretrained")


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


@pytest.fixture
def store(picture_folder):
    """Real small pictures, prepared."""
    return dataset.prepare(picture_folder(12), config.IntakeConfig(size=32))


@pytest.fixture
def finished(store) -> Run:
    """A tiny training that is done."""
    settings = TrainConfig(
        networks=TINY,
        dataset=store.name,
        dataset_hash=store.hash,
        batch=8,
        kimg=0.2,
        device="cpu",
        dtype="float32",
    )
    target = launch.create(settings, "tiny")
    assert train.work(target) == "done"
    return target


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


def test_gallery_tells_all_about_a_model(finished):
    at = open_page("gallery")
    next(b for b in at.button if b.label == "About it").click().run()
    check(at)
    said = text_of(at)
    assert "How good it is" in said
    assert "has 12 pictures, and to measure takes 32 or more" in said
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
    for choice in ("zip", "path", "mnist", "before", "folder"):
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


def test_train_from_an_upload_to_a_running_training(picture_folder):
    folder = picture_folder(12)
    at = open_page("train")
    at.selectbox(key="size").set_value(32).run()
    uploader = at.file_uploader[0]
    for path in sorted(folder.iterdir()):
        uploader.upload(f"paintings/{path.name}", path.read_bytes())
    at.run()
    next(b for b in at.button if b.label == "Look at the pictures").click().run()
    check(at)
    assert at.query_params["dataset"] == "paintings-32"
    assert "12 pictures are few" in text_of(at)
    assert not list(workspace.folder("uploads").iterdir()), "the upload was kept twice"

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
        assert "Watch" in [b.label for b in with_active.button]
        # A second tab cannot start another one.
        second = open_page("train", dataset="paintings-32")
        next(b for b in second.button if b.label == "Start training").click().run()
        check(second)
        assert started.id in text_of(second) and "already" in text_of(second)
        assert len(run.list_runs()) == 1
    finally:
        launch.stop(started)


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
    settings = TrainConfig(
        networks=TINY,
        dataset=store.name,
        dataset_hash=store.hash,
        batch=8,
        kimg=0.2,
        device="cpu",
        dtype="float32",
    )
    target = launch.create(settings, "again")
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


def test_explore_shows_a_wall_and_a_seed(finished):
    at = open_page("explore", model=finished.id, seed="7")
    assert "Seed 7" in text_of(at)
    walls = at.get("bidi_component")
    assert len(walls) == 2
    at.number_input(key="seed").set_value(11).run()
    assert "Seed 11" in text_of(check(at))


def test_explore_moves_a_picture_along_directions(finished):
    """What the sliders say is what is drawn, and can be drawn again from what is written into the file."""
    at = open_page("explore", model=finished.id, seed="7")
    sliders = [slider for slider in at.slider if str(slider.key).startswith("move-ganspace-")]
    assert len(sliders) == 6 and "moved" not in text_of(at)
    sliders[1].set_value(2.0).run()
    assert "Seed 7, moved" in text_of(check(at))
    model = models.find_model(finished.id)
    G, told = checkpoint.load_generator(model.path)
    moves = steer.Moves("ganspace", directions.ganspace(G, 6), np.array([0, 2.0, 0, 0, 0, 0]), 1.0)
    z = latent.sample_z([7], TINY.z_dim)[0]
    assert moves.recipe() == {"directions": {"kind": "ganspace", "amounts": [0, 2, 0, 0, 0, 0]}, "truncation": 1.0}
    np.testing.assert_allclose(moves.apply(z), z + 2 * moves.directions[1], rtol=1e-5)
    np.testing.assert_allclose(moves.apply(np.stack([z, 2 * z]))[0], moves.apply(z))
    at.slider(key="truncation").set_value(0.5).run()
    next(b for b in at.button if b.label == "Set all to 0").click().run()
    check(at)
    assert at.slider(key="truncation").value == 1 and "moved" not in text_of(at)
    names = [field for field in at.text_input if str(field.key).startswith("name-ganspace-0")]
    names[0].set_value("the light").run()
    assert notes.direction_names(told.hash, "ganspace") == {0: "the light"}
    assert "the light" in [slider.label for slider in at.slider]


def test_explore_with_a_model_that_is_gone_or_damaged(finished):
    assert "There is no model “0099-gone”" in text_of(open_page("explore", model="0099-gone"))
    finished.model.write_bytes(finished.model.read_bytes()[:-100])
    assert "damaged" in text_of(open_page("explore", model=finished.id))


@pytest.mark.parametrize("kind", ["Walk", "Grid of loops", "Growth"])
def test_animate_makes_a_film_that_loops(finished, kind):
    at = open_page("animate", model=finished.id)
    at.segmented_control(key="kind").set_value(kind).run()
    at.number_input(key=f"seconds-{kind}").set_value(1.0).run()
    if kind == "Grid of loops":
        at.number_input(key="rows").set_value(2).run()
        at.number_input(key="columns").set_value(2).run()
    next(b for b in at.button if b.label == "Make the film").click().run()
    check(at)
    assert not at.error, text_of(at)
    (path,) = workspace.folder("exports").glob("*.gif")
    with Image.open(path) as film:
        assert film.n_frames > 1 and film.info["loop"] == 0
    assert at.get("download_button")


def test_animate_says_what_is_wrong_with_the_keyframes(finished):
    at = open_page("animate", model=finished.id)
    for text, said in (("three", "not a list of seeds"), ("5", "at least two"), ("0-99", "too many")):
        at.text_input(key="seeds").set_value(text).run()
        assert said in text_of(check(at)), text
        assert next(b for b in at.button if b.label == "Make the film").disabled
