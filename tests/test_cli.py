"""The command line as a person or a script meets it: output, files, exit statuses, and one line for each error."""

import gzip
import itertools
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganart import (
    checkpoint,
    config,
    dataset,
    evaluation,
    export,
    filmconfig,
    images,
    latent,
    launch,
    models,
    recipes,
    render,
    run,
    workspace,
)
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.networks import Generator
from ganart.run import Run, Status

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_pretrained(tmp_path, monkeypatch):
    """The workspace as it is without the models that come with the program."""
    (tmp_path / "pretrained").mkdir()
    monkeypatch.setattr(workspace, "pretrained_folder", lambda: tmp_path / "pretrained")


@pytest.fixture
def vivid_model(tmp_path) -> Path:
    """A model whose random weights are large enough that every seed is another picture, seen at a glance."""
    networks = NetworkConfig(size=32, channels=3, z_dim=8, width=4)
    torch.manual_seed(0)
    G = Generator(networks).eval()
    with torch.no_grad():
        for parameter in G.parameters():
            if parameter.ndim > 1:
                parameter *= 0.25 / parameter.std()
    dataset = {"name": "none", "hash": "", "pictures": 0, "held_out": 0}
    about = {"dataset": dataset, "recipe": {}, "step": 0, "kimg": 0.0, "averaged": False}
    path = tmp_path / "vivid.safetensors"
    path.write_bytes(checkpoint.model_bytes(G, None, name="vivid", networks=networks, **about))
    pictures = drawn(path, list(range(6)))
    apart = [np.abs(a - b).mean() for a, b in itertools.combinations(pictures.astype(int), 2)]
    assert min(apart) > 20, f"the pictures are too alike to test on: {min(apart):.1f}"
    return path


@pytest.fixture
def tiny_run(tiny_model, home) -> Run:
    """A run that was stopped after four sheets, each of one grey."""
    settings = TrainConfig(networks=NetworkConfig(size=32, channels=3, z_dim=8, width=4), device="cpu")
    target = launch.create(settings, "tiny")
    shutil.copy(tiny_model, target.model)
    for number, step in enumerate((0, 10, 20, 40)):
        sheet = np.full((64, 64, 3), 60 * number, np.uint8)
        sheet[..., 0] = 255 - 60 * number
        target.sample_path(step).write_bytes(images.encode(sheet))
    target.write_status(Status(state="stopped", step=40, kimg=2.56, total_kimg=200.0))
    return target


def drawn(model: Path, seeds: list[int]) -> np.ndarray:
    """The pictures of these seeds, each drawn for itself."""
    G, _ = checkpoint.load_generator(model)
    return np.concatenate([render.pictures(G, latent.sample_z([seed], G.config.z_dim)) for seed in seeds])


def frames_of(path: Path) -> tuple[list[np.ndarray], list[int], Image.Image]:
    """The frames of a GIF, the milliseconds that each is shown, and the opened file."""
    image = Image.open(path)
    pictures, times = [], []
    for number in range(image.n_frames):
        image.seek(number)
        pictures.append(np.asarray(image.convert("RGB")).astype(int))
        times.append(image.info["duration"])
    return pictures, times, image


# --- prepare and list


def test_prepare_reports_every_file_as_json_and_as_words(ganart, picture_folder):
    folder = picture_folder(9)
    (folder / "words.txt").write_text("words")
    (folder / "photo.heic").write_bytes(b"heic")
    answer = ganart("prepare", folder, "--size", 32, "--name", "mine", "--json")
    assert answer.json() == {
        "name": "mine",
        "kept": 9,
        "skipped": [
            {"file": "photo.heic", "reason": "HEIC photo: export it as JPEG first"},
            {"file": "words.txt", "reason": "not a picture format that ganart reads"},
        ],
        "held_out": 0,
    }
    assert answer.err == "" and dataset.open_dataset("mine").count == 9
    words = ganart("prepare", folder, "--size", 32, "--name", "mine")
    assert words.status == 0 and words.out.startswith("mine: 9 pictures of 32 px")
    assert "photo.heic: HEIC photo" in words.out and "words.txt: not a picture format" in words.out
    assert "9 pictures are few" in words.out


def test_prepare_fits_between_bars_of_the_background(ganart, picture_folder):
    folder = picture_folder(8, size=(64, 32))
    name = ganart("prepare", folder, "--size", 32, "--crop", "fit", "--background", "#0a8010", "--json").json()[
        "name"
    ]
    pixels = dataset.open_dataset(name).images()
    assert (pixels[:, :8] == (10, 128, 16)).all() and (pixels[:, -8:] == (10, 128, 16)).all()
    assert not (pixels[:, 12:20] == (10, 128, 16)).all(-1).any()


def test_prepare_mnist(ganart, tmp_path, monkeypatch):
    for name, count in (("train-images-idx3-ubyte", 60_000), ("t10k-images-idx3-ubyte", 10_000)):
        with gzip.open(tmp_path / f"{name}.gz", "wb", compresslevel=1) as file:
            file.write(struct.pack(">4I", 2051, count, 28, 28) + bytes(count * 784))
    monkeypatch.setenv("GANART_MNIST", str(tmp_path))
    answer = ganart("prepare", "mnist", "--json").json()
    assert answer == {"name": "mnist", "kept": 70_000, "skipped": [], "held_out": 10_000}


@pytest.fixture
def bad_sources(tmp_path, picture_folder) -> dict[str, Path]:
    folder = picture_folder(3)
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("words")
    (tmp_path / "broken.zip").write_text("words")
    return {
        "a missing folder": tmp_path / "missing",
        "a single file": folder / "picture-000.png",
        "an empty folder": tmp_path / "empty",
        "no pictures": tmp_path / "words",
        "too few": folder,
        "a broken zip": tmp_path / "broken.zip",
    }


@pytest.mark.parametrize("command", ["prepare", "train"])
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("a missing folder", "There is no folder or zip file"),
        ("a single file", "is a single file"),
        ("an empty folder", "is empty"),
        ("no pictures", "no usable picture among 1 file"),
        ("too few", "3 usable pictures among 3 files"),
        ("a broken zip", "is not a readable zip file"),
    ],
)
def test_bad_sources_are_refused(refused, bad_sources, command, what, words):
    assert words in refused(command, bad_sources[what], "--size", 32)
    assert list(workspace.folder("datasets").iterdir()) == [] and run.list_runs() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "48"], "48 px is not offered"),
        (["--size", "0"], "0 px is not offered"),
        (["--size", "-64"], "-64 px is not offered"),
        (["--background", "red"], "“red” is not a colour"),
        (["--background", "12345g"], "is not a colour"),
        (["--name", "My Art"], "“My Art” is not a usable name"),
        (["--name", "../art"], "is not a usable name"),
    ],
)
def test_bad_options_of_prepare_are_refused(refused, picture_folder, options, words):
    assert words in refused("prepare", picture_folder(8), *options)
    assert list(workspace.folder("datasets").iterdir()) == []


def test_a_name_taken_by_other_pictures_is_refused(ganart, refused, picture_folder):
    assert ganart("prepare", picture_folder(8), "--size", 32, "--name", "mine").status == 0
    other = picture_folder(8, "other", first=20)
    assert "“mine” is taken" in refused("prepare", other, "--size", 32, "--name", "mine")
    assert dataset.open_dataset("mine").report[0]["file"] == "picture-000.png"


def test_a_workspace_that_cannot_be_written_is_one_line(refused, tmp_path, monkeypatch, picture_folder):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GANART_HOME", str(tmp_path / "file"))
    assert "GANART_HOME" in refused("prepare", picture_folder(8), "--size", 32)


def test_list_names_all_that_other_commands_take(ganart, tiny_run, store):
    card = models.find_model("tiny").card()
    (workspace.folder("exports") / "walk.gif").write_bytes(bytes(1500))
    (workspace.folder("exports") / ".making-x.gif").write_bytes(bytes(9))
    answer = ganart("list", "--json")
    assert answer.json() == {
        "runs": [{"id": "0001-tiny", "state": "stopped", "step": 40, "kimg": 2.56}],
        "models": [{"name": "0001-tiny", "hash": card.hash, "size": 32, "channels": 3}],
        "datasets": [{"name": "store", "pictures": 10, "size": 32, "channels": 3}],
        "exports": [{"name": "walk.gif", "bytes": 1500}],
    }
    words = ganart("list")
    assert words.status == 0 and "0001-tiny" in words.out and "stopped" in words.out
    assert "10 pictures" in words.out and "walk.gif" in words.out and "1.5 KB" in words.out


def test_list_of_an_empty_workspace(ganart):
    assert ganart("list", "--json").json() == {"runs": [], "models": [], "datasets": [], "exports": []}
    assert "python -m ganart train" in ganart("list").out


def test_list_goes_on_past_a_damaged_model(ganart, tiny_run):
    tiny_run.model.write_bytes(b"no model")
    answer = ganart("list", "--json")
    assert answer.json()["models"] == [] and len(answer.json()["runs"]) == 1
    assert answer.err.startswith("ganart: ") and answer.err.count("\n") == 1


# --- pictures


def test_sample_writes_the_pictures_of_the_seeds(ganart, vivid_model, tmp_path):
    out = tmp_path / "sheet.png"
    out.write_text("an older export")
    answer = ganart("sample", vivid_model, "--seeds", "3-6,1", "--columns", 2, "--scale", 3, "--out", out)
    assert answer.status == 0 and answer.out == f"{out}\n"
    with Image.open(out) as image:
        assert image.format == "PNG" and image.size == (2 * 96, 3 * 96)
        sheet = np.asarray(image).astype(int)
    for cell, picture in enumerate(drawn(vivid_model, [3, 4, 5, 6, 1])):
        y, x = cell // 2 * 96, cell % 2 * 96
        enlarged = picture.repeat(3, 0).repeat(3, 1)
        assert np.abs(sheet[y : y + 96, x : x + 96] - enlarged).max() <= 1, cell
    assert (sheet[192:, 96:] == 0).all()
    assert sorted(p.name for p in tmp_path.glob("sheet*")) == ["sheet.png"]
    info = ganart("info", out, "--json").json()
    card = models.find_model(str(vivid_model)).card()
    assert info["kind"] == "export" and info["recipe"]["seeds"] == [3, 4, 5, 6, 1]
    assert info["recipe"]["model"] == card.hash and str(tmp_path) not in json.dumps(info)


def test_sample_takes_a_run_as_its_model(ganart, tiny_run, tmp_path):
    for name in ("tiny", "0001-tiny", tiny_run.folder):
        out = tmp_path / "of-run.png"
        assert ganart("sample", name, "--seeds", 7, "--columns", 1, "--scale", 1, "--out", out).status == 0
        difference = np.asarray(Image.open(out)).astype(int) - drawn(tiny_run.model, [7])[0]
        assert np.abs(difference).max() <= 1
        out.unlink()


def test_animate_walks_through_the_seeds_and_closes(ganart, vivid_model, tmp_path):
    out = tmp_path / "walk.gif"
    answer = ganart(
        "animate", vivid_model, "--seeds", "3,14,15", "--seconds", 0.9, "--fps", 10, "--scale", 2, "--out", out
    )
    assert answer.status == 0 and answer.out.startswith(str(out)) and answer.err == ""
    pictures, times, image = frames_of(out)
    assert image.size == (64, 64) and image.info["loop"] == 0
    assert len(pictures) == 9 and set(times) == {100}
    for number, keyframe in enumerate(drawn(vivid_model, [3, 14, 15])):
        shown = pictures[3 * number][::2, ::2]
        distances = [np.abs(shown - other).mean() for other in drawn(vivid_model, [3, 14, 15])]
        assert np.argmin(distances) == number and np.abs(shown - keyframe).mean() < 15
    steps = [np.abs(a - b).mean() for a, b in zip(pictures, pictures[1:] + pictures[:1], strict=True)]
    assert 0 < steps[-1] <= 2 * max(steps[:-1]), "the loop jumps where it closes, or rests there"


def test_animate_draws_a_grid_of_loops(ganart, vivid_model, tmp_path):
    out = tmp_path / "grid.gif"
    answer = ganart(
        "animate", vivid_model, "--grid", "2x3", "--seconds", 0.5, "--fps", 20, "--scale", 1, "--out", out
    )
    assert answer.status == 0
    pictures, times, image = frames_of(out)
    assert image.size == (3 * 32, 2 * 32) and image.info["loop"] == 0 and sum(times) == 500
    for cell, picture in enumerate(drawn(vivid_model, range(6))):
        y, x = cell // 3 * 32, cell % 3 * 32
        assert np.abs(pictures[0][y : y + 32, x : x + 32] - picture).mean() < 15
        assert any(
            (frame[y : y + 32, x : x + 32] != pictures[0][y : y + 32, x : x + 32]).any() for frame in pictures
        )
    shown = ganart("info", out, "--json").json()["recipe"]["film"]
    assert (shown["path"], shown["rows"], shown["columns"]) == ("circle", 2, 3)
    assert [frame["place"] for frame in shown["keyframes"]] == list("012345")


def test_animate_enlarges_to_about_512_px_by_itself(ganart, tiny_model, tmp_path):
    out = tmp_path / "walk.gif"
    assert ganart("animate", tiny_model, "--seeds", "1,2", "--seconds", 0.2, "--fps", 10, "--out", out).status == 0
    assert Image.open(out).size == (512, 512)


def test_timelapse_shows_the_sheets_of_a_run_in_order(ganart, tiny_run, tmp_path):
    out = tmp_path / "growth.gif"
    answer = ganart("timelapse", "tiny", "--seconds", 0.8, "--fps", 10, "--scale", 1, "--out", out)
    assert answer.status == 0, answer.err
    pictures, times, image = frames_of(out)
    assert image.size == (64, 64) and sum(times) == 800 + 1500, "it should rest on its end"
    greens = [round(frame[..., 1].mean()) for frame in pictures]
    assert greens == sorted(greens) and np.abs(np.subtract(sorted(set(greens)), [0, 60, 120, 180])).max() <= 8
    assert times[-1] >= 1500 and ganart("info", out, "--json").json()["recipe"]["film"]["path"] == "sheets"


SEEDED = {"path": "slerp", "keyframes": [{"place": seed, "rest": 0.0, "way": 1.0} for seed in ("3", "14")]}
THREE = {"path": "circle", "keyframes": [{"place": "3", "rest": 0.0, "way": 1.0}]}


@pytest.mark.parametrize(
    ("options", "film"),
    [
        ("--seeds 3,14", SEEDED),
        ("--seeds 3,14 --path spline", {**SEEDED, "path": "spline"}),
        ("--seeds 3 --path circle", THREE),
        ("--seeds 3 --path noise --waves 5", {**THREE, "path": "noise", "waves": 5}),
        ("--seeds 3 --path direction", {**THREE, "path": "direction", "direction": "ganspace", "index": 0}),
        (
            "--seeds 3 --path direction --direction sefa:12 --reach 1.5 --grid 2x2",
            {
                **THREE,
                "path": "direction",
                "direction": "sefa",
                "index": 11,
                "reach": 1.5,
                "rows": 2,
                "columns": 2,
            },
        ),
        ("--seeds 3 --grid 1x1", {**THREE, "rows": 1, "columns": 1}),
        ("--seeds 3,14 --grid 2x3 --path slerp", {**SEEDED, "rows": 2, "columns": 3}),
        ("--seeds 3,14 --pace even", {**SEEDED, "even": True}),
        ("--seeds 3,14 --pace time --easing smooth", {**SEEDED, "even": False, "easing": "smooth"}),
        (
            "--seeds 3,14 --rest 0.5",
            {"keyframes": [{"place": seed, "rest": 0.5, "way": 1.0} for seed in ("3", "14")]},
        ),
        ("--seeds 3,14 --fps 20", {**SEEDED, "frames": 120, "fps": 20}),
        ("--seeds 3,14 --seconds 0.5", {**SEEDED, "frames": 12, "fps": 25}),
        ("--seeds 3,14 --frames 7", {**SEEDED, "frames": 7, "fps": 25}),
        ("--seeds 3,14 --bpm 120 --bars 1 --fps 10", {**SEEDED, "frames": 20, "fps": 10}),
        ("--seeds 3,14 --bpm 240", {**SEEDED, "frames": 100, "fps": 25}),
        ("--seeds 3,14 --scale 2", {**SEEDED, "width": 64, "height": 64}),
        ("--grid 1x2 --scale 1", {"rows": 1, "columns": 2, "width": 64, "height": 32}),
        ("--seeds 3,14 --size 60x40", {**SEEDED, "width": 60, "height": 40, "smooth": False}),
        ("--seeds 3,14 --size 60X40 --smooth --background #1A2b3c", {"smooth": True, "background": "1a2b3c"}),
    ],
)
def test_every_option_of_animate_is_in_the_film(ganart, tiny_model, tmp_path, options, film):
    words = options.split()
    for usual in (["--frames", "4"], ["--size", "32x32"]):
        alternatives = {"--frames": ("--frames", "--seconds", "--bpm", "--fps"), "--size": ("--size", "--scale")}
        if not any(option in words for option in alternatives[usual[0]]):
            words += usual
    answer = ganart("animate", tiny_model, *words, "--out", tmp_path / "a.zip")
    assert answer.status == 0, answer.err
    found = ganart("info", tmp_path / "a.zip", "--json").json()["recipe"]["film"]
    assert {name: found[name] for name in film} == film


@pytest.mark.parametrize("place", [name for name, place in filmconfig.PLACES.items() if place.width])
def test_a_film_for_a_place_has_its_size(ganart, tiny_model, tmp_path, place):
    out = tmp_path / "a.zip"
    assert ganart("animate", tiny_model, "--seeds", "1,2", "--frames", 2, "--for", place, "--out", out).status == 0
    found = ganart("info", out, "--json").json()["recipe"]["film"]
    assert (found["width"], found["height"]) == (filmconfig.PLACES[place].width, filmconfig.PLACES[place].height)


@pytest.mark.parametrize("suffix", export.KINDS)
def test_animate_writes_every_kind_and_tells_what_came_out(ganart, tiny_model, tmp_path, suffix):
    out = tmp_path / f"a{suffix}"
    out.write_text("an older export")
    answer = ganart("animate", tiny_model, "--grid", "1x2", "--frames", 10, "--pace", "even", "--out", out)
    assert answer.status == 0 and answer.err == "" and answer.out.count("\n") == 1
    sides = "512x256" if suffix != ".png" else "2048x768"  # 4x3 pictures
    assert answer.out.startswith(f"{out} ({out.stat().st_size / 1e6:.1f} MB, {sides} px, 0.4 s; where it closes")
    assert re.search(r"unevenness [0-9.]+ before, [0-9.]+ now\)", answer.out)
    recipe = ganart("info", out, "--json").json()["recipe"]
    assert (recipe["kind"], recipe["film"]["even"]) == ("film", True)
    words = ganart("info", out)
    assert words.status == 0 and "kind: export" in words.out and f"model: {recipe['model']}" in words.out
    assert sorted(path.name for path in tmp_path.glob("a.*")) == [out.name]


@pytest.fixture
def grown_run(tiny_run, tiny_model) -> Run:
    """The run with two checkpoints as well."""
    for step in (0, 40):
        tiny_run.checkpoint_path(step).parent.mkdir(exist_ok=True)
        shutil.copy(tiny_model, tiny_run.checkpoint_path(step))
    return tiny_run


@pytest.mark.parametrize(
    ("options", "film"),
    [
        ("", {"path": "sheets", "keyframes": [], "frames": 200, "width": 0}),
        ("--frames 9 --scale 2", {"path": "sheets", "frames": 9, "width": 128, "height": 128}),
        ("--bpm 300 --bars 1 --fps 10 --size 40x60", {"frames": 8, "fps": 10, "width": 40, "height": 60}),
        ("--seeds 3 --frames 4", {"path": "growth", "frames": 4, "rows": 1, "columns": 1}),
        ("--seeds 3,14 --frames 4", {"path": "growth", "rows": 1, "columns": 1}),
        ("--seeds 0-5 --grid 2x3 --frames 4 --scale 1", {"rows": 2, "columns": 3, "width": 96, "height": 64}),
    ],
)
def test_every_option_of_timelapse_is_in_the_film(ganart, grown_run, tmp_path, options, film):
    answer = ganart("timelapse", "tiny", *options.split(), "--out", tmp_path / "a.zip")
    assert answer.status == 0 and "where it closes" not in answer.out, answer.err
    found = ganart("info", tmp_path / "a.zip", "--json").json()["recipe"]["film"]
    assert {name: found[name] for name in film} == film


def test_a_film_is_made_again_by_its_own_model_or_by_another(ganart, tiny_run, vivid_model, tmp_path):
    first, again, other = (tmp_path / f"{name}.gif" for name in ("first", "again", "other"))
    ganart("animate", "tiny", "--seeds", "1,2", "--frames", 4, "--out", first)
    assert ganart("animate", "--recipe", first, "--out", again).status == 0
    assert again.read_bytes() == first.read_bytes()
    assert ganart("animate", vivid_model, "--recipe", first, "--out", other).status == 0
    before, after = (ganart("info", path, "--json").json()["recipe"] for path in (first, other))
    assert after["film"] == before["film"] and after["model"] == models.find_model(str(vivid_model)).card().hash
    difference = frames_of(other)[0][0][::16, ::16] - drawn(vivid_model, [1])[0]
    assert np.abs(difference).mean() < 15


def test_the_recipe_of_a_picture_makes_a_loop_from_it(ganart, tiny_run, tmp_path):
    card = models.find_model("tiny").card()
    about = recipes.recipe(card.hash, kind="picture", place="7", name="Dawn")
    (tmp_path / "dawn.png").write_bytes(export.png_bytes(drawn(tiny_run.model, [7])[0], about))
    assert ganart("animate", "--recipe", tmp_path / "dawn.png", "--out", tmp_path / "loop.zip").status == 0
    film = ganart("info", tmp_path / "loop.zip", "--json").json()["recipe"]["film"]
    assert (film["path"], [frame["place"] for frame in film["keyframes"]]) == ("circle", ["7"])


def test_info_of_models_and_runs(ganart, tiny_model, tiny_run):
    card = models.find_model(str(tiny_model)).card()
    about = ganart("info", tiny_model, "--json").json()
    assert about["kind"] == "model" and about["name"] == "tiny" and about["hash"] == card.hash
    about = ganart("info", "0001-tiny", "--json").json()
    assert about["kind"] == "run" and about["id"] == "0001-tiny" and about["status"]["state"] == "stopped"
    assert config.train_from_dict(about["config"]) == tiny_run.config()
    assert ganart("info", tiny_run.folder, "--json").json()["kind"] == "run"
    words = ganart("info", "tiny")
    assert words.status == 0 and "kind: run" in words.out and "networks" in words.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("sample MODEL --out x.jpg", "“x.jpg” should end in .png"),
        ("sample MODEL --out x", "should end in .png"),
        ("animate MODEL --seeds 1,2 --out x.mov", "“x.mov” should end in .gif"),
        ("timelapse tiny --out x.avi", "should end in .gif"),
        ("animate MODEL --seeds 1,2 --out x", "should end in .gif or .mp4"),
        ("animate MODEL --seeds 1,2 --out folder.png", "folder.png” is a folder"),
        ("sample MODEL --out nowhere/x.png", "The folder nowhere does not exist"),
        ("animate MODEL --seeds 1,2 --out nowhere/x.gif", "The folder nowhere does not exist"),
        ("timelapse tiny --out nowhere/x.gif", "The folder nowhere does not exist"),
        ("sample MODEL --out folder.png", "folder.png"),
        ("sample missing --out x.png", "There is no model “missing”"),
        ("sample missing.safetensors --out x.png", "There is no model file at"),
        ("animate missing --seeds 1,2 --out x.gif", "There is no model “missing”"),
        ("timelapse missing --out x.gif", "There is no model “missing”"),
        ("timelapse MODEL --out x.gif", "came without training sheets"),
        ("info missing", "There is no model “missing”"),
        ("evaluate missing plain.png", "There is no model “missing”"),
        ("info missing.gif", "There is no file at “missing.gif”"),
        ("info words.png", "is not a GIF, PNG, WebP, MP4 or ZIP"),
        ("info missing.mp4", "There is no file at “missing.mp4”"),
        ("info plain.png", "carries no recipe"),
        ("sample MODEL --seeds one --out x.png", "“one” is not a list of seeds"),
        ("sample MODEL --seeds 5-3 --out x.png", "“5-3” is not a range of seeds"),
        ("sample MODEL --seeds 4294967296 --out x.png", "is not a range of seeds"),
        ("sample MODEL --seeds 0-10000 --out x.png", "More than 10,000 seeds"),
        ("sample MODEL --seeds 1,,2 --out x.png", "is not a list of seeds"),
        ("sample MODEL --columns 0 --out x.png", "0 columns were asked for"),
        ("sample MODEL --scale 0 --out x.png", "A scale of 0"),
        ("sample MODEL --scale 33 --out x.png", "A scale of 33"),
        ("animate MODEL --seeds 1,2 --scale 0 --seconds 0.2 --fps 10 --out x.gif", "A scale of 0"),
        ("timelapse tiny --scale 0 --seconds 0.4 --fps 10 --out x.gif", "A scale of 0"),
        ("sample MODEL --seeds 0-9999 --scale 32 --out x.png", "10,000 pictures of 1024 px"),
        ("animate MODEL --out x.gif", "--seeds 3,14,15"),
        ("animate MODEL --seeds 3 --out x.gif", "at least two keyframes"),
        ("animate MODEL --seeds a,b --out x.gif", "is not a list of seeds"),
        ("animate MODEL --grid 6 --out x.gif", "“6” is not a grid"),
        ("animate MODEL --grid axb --out x.gif", "“axb” is not a grid"),
        ("animate MODEL --grid 0x3 --out x.gif", "A grid of 0x3"),
        ("animate MODEL --grid 13x13 --out x.gif", "A grid of 13x13"),
        ("animate MODEL --grid 2x2 --seeds 1,2,3 --out x.gif", "needs 4 seeds, but 3"),
        ("animate MODEL --seeds 1,2 --fps 30 --out x.gif", "30 frames a second"),
        ("animate MODEL --seeds 1,2 --fps 0 --out x.gif", "0 frames a second"),
        ("timelapse tiny --fps 24 --out x.gif", "24 frames a second"),
        ("animate MODEL --seeds 1,2 --seconds 0 --out x.gif", "A length of 0 s"),
        ("animate MODEL --seeds 1,2 --seconds nan --out x.gif", "A length of nan s"),
        ("animate MODEL --seeds 0-50 --seconds 1 --fps 10 --out x.gif", "10 frames are too few"),
        ("animate MODEL --seeds 1,2 --scale 32 --seconds 100 --fps 50 --out x.gif", "GB"),
        ("animate MODEL --grid 12x12 --scale 4 --out x.gif", "1536x1536 px, and GIF may have up to 1024 px"),
        ("animate MODEL --grid 12x12 --scale 32 --out x.mp4", "12288x12288 px were asked for"),
        ("animate MODEL --seeds 1,2 --path os --out x.gif", "invalid choice: 'os'"),
        ("animate MODEL --seeds 1,2 --path sheets --out x.gif", "invalid choice: 'sheets'"),
        ("animate MODEL --seeds 1,2 --path circle --out x.gif", "needs one seed, but 2 were given"),
        ("animate MODEL --seeds 1,2 --path direction --out x.gif", "one keyframe, but 2 were given"),
        ("animate MODEL --seeds 1 --path noise --waves 7 --out x.gif", "7 waves were asked for"),
        ("animate MODEL --seeds 1 --path noise --waves x --out x.gif", "invalid int value: 'x'"),
        ("animate MODEL --seeds 1 --path direction --direction up --out x.gif", "“up” is no direction"),
        ("animate MODEL --seeds 1 --path direction --direction sefa:0 --out x.gif", "“sefa:0” is no direction"),
        ("animate MODEL --seeds 1 --path direction --direction sefa:13 --out x.gif", "“sefa:13” is no direction"),
        ("animate MODEL --seeds 1 --path direction --reach 0 --out x.gif", "A reach of 0.0"),
        ("animate MODEL --seeds 1 --path direction --reach nan --out x.gif", "A reach of nan"),
        ("animate MODEL --seeds 1,2 --rest -1 --out x.gif", "A rest of -1.0"),
        ("animate MODEL --seeds 1,2 --rest inf --out x.gif", "A rest of inf"),
        ("animate MODEL --seeds 1,2 --pace slow --out x.gif", "invalid choice: 'slow'"),
        ("animate MODEL --seeds 1,2 --easing fast --out x.gif", "invalid choice: 'fast'"),
        ("animate MODEL --seeds 1,2 --frames 1 --out x.gif", "A film of 1 frames"),
        ("animate MODEL --seeds 1,2 --frames 6001 --out x.mp4", "A film of 6001 frames"),
        ("animate MODEL --seeds 1,2 --frames 9 --fps 30 --out x.gif", "30 frames a second"),
        ("animate MODEL --seeds 1,2 --seconds 2 --frames 9 --out x.gif", "not allowed with"),
        ("animate MODEL --seeds 1,2 --bpm 120 --frames 9 --out x.gif", "not allowed with"),
        ("animate MODEL --seeds 1,2 --bpm 0 --out x.gif", "A tempo of 0.0"),
        ("animate MODEL --seeds 1,2 --bpm nan --out x.gif", "A tempo of nan"),
        ("animate MODEL --seeds 1,2 --bpm 120 --bars 0 --out x.gif", "0 bars"),
        ("animate MODEL --seeds 1,2 --bpm 20 --bars 99 --out x.gif", "A length of 1188 s"),
        ("animate MODEL --seeds 1,2 --size big --out x.gif", "“big” is not a size"),
        ("animate MODEL --seeds 1,2 --size 10x10 --out x.gif", "10x10 px were asked for"),
        ("animate MODEL --seeds 1,2 --size 0x100 --out x.gif", "0x100 px were asked for"),
        ("animate MODEL --seeds 1,2 --size 1026x64 --out x.gif", "1026x64 px, and GIF may have up to 1024 px"),
        ("animate MODEL --seeds 1,2 --size 101x64 --out x.mp4", "An MP4 has even sides"),
        ("animate MODEL --seeds 1,2 --for square --out x.gif", "1080x1080 px, and GIF may have up to 1024 px"),
        ("animate MODEL --seeds 1,2 --for moon --out x.mp4", "invalid choice: 'moon'"),
        ("animate MODEL --seeds 1,2 --scale 2 --size 64x64 --out x.gif", "not allowed with"),
        ("animate MODEL --seeds 1,2 --for reel --size 64x64 --out x.gif", "not allowed with"),
        ("animate MODEL --seeds 1,2 --size 64x64 --background red --out x.gif", "“red” is no colour"),
        ("animate MODEL --seeds 1,2 --background ffffff --out x.gif", "nothing without --size or --for"),
        ("animate MODEL --seeds 1,2 --size 0x0 --out x.gif", "0x0 px were asked for"),
        ("animate --seeds 1,2 --out x.gif", "Say which model paints"),
        ("animate --recipe sheet.png --fps 10 --out x.gif", "--fps would change nothing with --recipe"),
        (
            "animate tiny --seeds 1 --path circle --rest 1 --easing=smooth --out x.gif",
            "--easing, --rest would change",
        ),
        ("animate tiny --seeds 1,2 --pace even --easing smooth --out x.gif", "nothing at even pace. Leave it out"),
        ("animate tiny --seeds 1,2 --waves 3 --out x.gif", "nothing without --path noise"),
        ("animate tiny --seeds 1,2 --reach 1 --out x.gif", "nothing without --path direction"),
        ("animate tiny --seeds 1,2 --bars 2 --out x.gif", "--bars would change nothing without --bpm"),
        ("animate --recipe missing.gif --out x.gif", "“missing.gif” cannot be read"),
        ("animate --recipe plain.png --out x.gif", "carries no recipe"),
        ("animate --recipe words.png --out x.gif", "is not a GIF, PNG, WebP, MP4 or ZIP"),
        ("animate --recipe sheet.png --out x.gif", "holds no film"),
        ("animate --recipe stranger.png --out x.gif", "The model that painted this is not in this workspace"),
        ("animate --recipe torn.png --out x.gif", "Unknown settings: sound"),
        ("timelapse tiny --grid 2x2 --out x.gif", "Say it with --seeds"),
        ("timelapse tiny --seeds 3 --out x.gif", "0001-tiny has 0 checkpoints of its training here"),
        ("timelapse MODEL --seeds 3 --out x.gif", "tiny has 0 checkpoints of its training here"),
        ("timelapse tiny --seeds 1-3 --grid 2x2 --out x.gif", "need as many keyframes, but 3 were given"),
        ("timelapse tiny --frames 1 --out x.gif", "A film of 1 frames"),
        ("timelapse tiny --size 9x9 --out x.gif", "9x9 px were asked for"),
        ("stop missing", "There is no run “missing”"),
        ("resume missing", "There is no run “missing”"),
        ("stop missing/run", "is not a run folder"),
        ("resume missing/run", "is not a run folder"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    refused, tiny_model, tiny_run, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "words.png").write_text("words")
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    here = models.find_model("tiny").card().hash
    for name, model, settings in [
        ("sheet", here, {"kind": "sheet", "seeds": [1]}),
        ("stranger", "ab" * 32, {"kind": "film", "film": {}}),
        ("torn", here, {"kind": "film", "film": {"sound": "on"}}),
    ]:
        data = export.png_bytes(np.zeros((4, 4, 3), np.uint8), recipes.recipe(model, **settings))
        (tmp_path / f"{name}.png").write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    assert words in refused(*(str(tiny_model) if word == "MODEL" else word for word in arguments.split()))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("damage", ["words", "half", "weights", "empty"])
@pytest.mark.parametrize("command", ["sample", "animate"])
def test_a_damaged_model_is_one_line(refused, tiny_model, tmp_path, damage, command):
    data = bytearray(tiny_model.read_bytes())
    if damage == "weights":
        data[-5] ^= 0x40
    changed = {"words": b"no model at all", "half": data[: len(data) // 2], "weights": data, "empty": b""}[damage]
    tiny_model.write_bytes(changed)
    line = refused(
        command, tiny_model, "--seeds", "1,2", "--out", tmp_path / ("x.png" if command == "sample" else "x.gif")
    )
    assert "tiny.safetensors" in line and not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("arguments", ["paint", "prepare x --size large", "sample x"])
def test_words_that_the_command_line_does_not_know_are_one_line(refused, arguments):
    refused(*arguments.split())


@pytest.mark.parametrize(
    "command", ["prepare", "train", "resume", "stop", "list", "sample", "animate", "timelapse", "evaluate", "info"]
)
def test_every_command_has_help(ganart, command):
    answer = ganart(command, "--help")
    assert answer.status == 0 and f"ganart {command}" in answer.out and answer.err == ""


# --- evaluating


def test_evaluate_gives_each_figure_beside_its_floor_as_json_and_as_words(ganart, tiny_model, picture_folder):
    folder = picture_folder(40)
    answer = ganart("evaluate", tiny_model, folder, "--json")
    figures = answer.json()
    assert figures.keys() == evaluation.METRICS.keys() and answer.err == ""
    for values in figures.values():
        assert values.keys() == {"value", "floor", "n"} and values["n"] == 20
        assert np.isfinite([values["value"], values["floor"]]).all()
    assert figures["swd"]["value"] > figures["swd"]["floor"] and figures["coverage"]["value"] < 0.5
    [store] = dataset.list_datasets()
    assert store.settings.size == 32 and store.count == 40
    words = ganart("evaluate", tiny_model, store.name)
    assert words.status == 0 and words.out.startswith(f"tiny against {store.name}, 20 pictures on each side\n")
    lines = words.out.splitlines()
    for name, metric in evaluation.METRICS.items():
        [line] = [line for line in lines if line.startswith(metric.name + " ")]
        found = [float(number) for number in line.removeprefix(metric.name).split()[:2]]
        expected = [figures[name]["value"], figures[name]["floor"]]
        assert found == pytest.approx(expected, abs=0.51 * 10**-metric.digits), name
    sheet = Path(lines[-1].partition(": ")[2])
    assert Image.open(sheet).size == (6 * 32, 2 * 32)


def test_pictures_that_cannot_be_measured_against_are_one_line(refused, tiny_model, picture_folder):
    folder = picture_folder(9)
    assert "There is no folder or zip file" in refused("evaluate", tiny_model, "missing")
    assert "is a single file" in refused("evaluate", tiny_model, folder / "picture-000.png")
    few = dataset.prepare(folder, IntakeConfig(size=32))
    assert "has 9 pictures, and measuring needs 32 or more" in refused("evaluate", tiny_model, few.name)
    larger = dataset.prepare(folder, IntakeConfig(size=64))
    assert "Prepare it with --size 32" in refused("evaluate", tiny_model, larger.name, "--json")


# --- training


@pytest.fixture
def store(picture_folder) -> dataset.Dataset:
    return dataset.prepare(picture_folder(10), IntakeConfig(size=32), "store")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--size 64", "has 32 px pictures, but --size 64 was given"),
        ("--batch 1", "The batch is 1"),
        ("--kimg 0", "The length is 0.0 kimg"),
        ("--kimg nan", "kimg"),
        ("--width 3", "The width is 3"),
        ("--width 0", "The width is 0"),
        ("--size 0", "size"),
        ("--seed -1", "The seed is -1"),
        ("--name My_Run", "“My_Run” is not a usable name"),
        ("--preset mnist-seed", "mnist-seed learns 28 px grey pictures"),
    ],
)
def test_bad_options_of_train_are_refused_and_leave_no_run(ganart, store, options, words):
    # What is wrongly let through trains for one step.
    short = [] if "--kimg" in options else ["--kimg", "0.001"]
    answer = ganart("train", "store", "--device", "cpu", *options.split(), *short)
    assert answer.status == 2 and answer.out == ""
    # What the artist should know of few pictures stands above the error.
    errors = [line for line in answer.err.splitlines() if not line.startswith("10 pictures are few")]
    assert len(errors) == 1 and errors[0].startswith("ganart: ") and words in errors[0]
    assert run.list_runs() == []


def test_a_busy_device_is_refused_and_the_run_named(ganart, store, tiny_run):
    tiny_run.write_status(Status(state="running", step=41))
    with tiny_run.lock():
        answer = ganart("train", "store", "--device", "cpu", "--kimg", "0.001")
        assert answer.status == 1 and answer.out == ""
        assert "ganart: The run 0001-tiny is training" in answer.err and "Traceback" not in answer.err
        assert "0001-tiny is already at work" in ganart("resume", "tiny").err
    assert len(run.list_runs()) == 1


def test_a_name_of_two_runs_is_refused_and_the_whole_name_is_not(ganart, refused, tiny_run):
    launch.create(tiny_run.config(), "tiny").write_status(Status(state="stopped"))
    assert "0001-tiny, 0002-tiny" in refused("stop", "tiny")
    assert "0001-tiny, 0002-tiny" in refused("info", "tiny")
    assert ganart("stop", "0002-tiny").status == 0


def test_stopping_a_stopped_run_is_no_error(ganart, tiny_run):
    answer = ganart("stop", "tiny")
    assert answer.status == 0 and answer.out == "0001-tiny: stopped\n"


def test_a_damaged_config_of_a_run_is_one_line(refused, tiny_run):
    (tiny_run.folder / "config.json").write_text("{")
    assert "0001-tiny" in refused("resume", "tiny", status=1)
    assert "0001-tiny" in refused("info", "tiny", status=1)


def test_train_on_a_folder_to_its_end(ganart, refused, picture_folder, tmp_path):
    options = ["--size", 32, "--width", 4, "--batch", 8, "--device", "cpu", "--kimg", 0.1, "--seed", 5]
    answer = ganart("train", picture_folder(10), *options, "--name", "short")
    assert answer.status == 0 and answer.out == "run 0001-short\ndone\n" and "10 pictures are few" in answer.err
    answer = ganart("list", "--json").json()
    assert answer["runs"] == [{"id": "0001-short", "state": "done", "step": 13, "kimg": 0.104}]
    assert [model["name"] for model in answer["models"]] == ["0001-short"]
    settings = run.find_run("short").config()
    assert (settings.seed, settings.batch, settings.networks.width, settings.dataset) == (5, 8, 4, "pictures-32")
    assert "is done" in refused("resume", "short")
    assert ganart("stop", "short").status == 0
    assert ganart("sample", "short", "--seeds", "0-5", "--out", tmp_path / "x.png").status == 0
    assert ganart("timelapse", "short", "--seconds", 0.5, "--scale", 1, "--out", tmp_path / "x.gif").status == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there it is no signal that one could send")
def test_ctrl_c_saves_and_stops_and_resume_goes_on_to_the_end(ganart, store):
    command = "train store --width 4 --batch 8 --kimg 2 --device cpu"
    process = subprocess.Popen(
        [sys.executable, "-m", "ganart", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout.readline() == "run 0001-store\n"
        target = run.find_run("store")
        while not target.samples() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and out == "stopped\n" and "Traceback" not in err
    status = target.status()
    assert status.state == "stopped" and status.step < 250
    assert checkpoint.load_state(target.state)[1]["step"] == status.step
    answer = ganart("resume", "store")
    assert answer.status == 0 and answer.out == "run 0001-store\ndone\n"
    assert target.status().state == "done" and target.status().step == 250
    assert len(run.list_runs()) == 1


def test_the_digits_are_neither_cropped_nor_laid_on_a_ground(refused):
    assert "--crop would change nothing with the digits" in refused("prepare", "mnist", "--crop", "fit")
