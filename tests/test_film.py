"""Whole films, drawn by a real generator and read back with Pillow."""

import getpass
import io
import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from ganart import ema, export, film, images, latent, models, render
from ganart.config import NetworkConfig
from ganart.errors import InputError
from ganart.models import Model
from ganart.networks import Generator
from ganart.run import Run

HASH = "cd" * 32


@pytest.fixture(scope="module")
def G():
    """A grey generator of 28 px, so that a GIF shows its pictures to three levels, and lively ones."""
    torch.manual_seed(0)
    G = Generator(NetworkConfig(size=28, channels=1, z_dim=8, width=4))
    G = ema.with_own_batchnorm(G, [torch.randn(64, 8)])
    with torch.no_grad():
        G.layers[-2].weight.mul_(4)
    return G


def read(data: bytes, fps: int) -> tuple[np.ndarray, dict]:
    """A GIF -> what is on the screen at each moment, (N, H, W, 1), and its recipe."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["loop"] == 0
        about = json.loads(image.info["comment"])
        frames = []
        for frame in ImageSequence.Iterator(image):
            frames += [np.asarray(frame.convert("L"))[..., None]] * round(frame.info["duration"] * fps / 1000)
    return np.stack(frames).astype(int), about


def pictures(G: Generator, seeds: list[int]) -> np.ndarray:
    return render.pictures(G, latent.sample_z(seeds, 8)).astype(int)


def steps(frames: np.ndarray) -> np.ndarray:
    return abs(np.roll(frames, -1, 0) - frames).mean((1, 2, 3))


def test_a_walk_goes_from_picture_to_picture_and_closes(G):
    frames, about = read(film.walk(G, HASH, [3, 14, 15], 3.0, 20, 1), 20)
    assert frames.shape == (60, 28, 28, 1)
    assert abs(frames[[0, 20, 40]] - pictures(G, [3, 14, 15])).max() <= 3
    moved = steps(frames)
    assert moved[-1] <= 1.2 * moved[:-1].max()  # where it closes there is no jump
    assert about == export.recipe(HASH, kind="walk", seeds=[3, 14, 15], seconds=3.0, fps=20, scale=1)


@pytest.mark.parametrize("fps", export.FPS)
def test_a_walk_is_as_long_and_as_large_as_was_asked(G, fps):
    frames, _ = read(film.walk(G, HASH, [1, 2], 0.8, fps, 3), fps)
    assert frames.shape == (round(0.8 * fps), 84, 84, 1)
    squares = frames[:, ::3, ::3].repeat(3, 1).repeat(3, 2)
    assert (frames == squares).all()


def test_a_grid_holds_every_seed_on_a_loop_of_its_own(G):
    seeds = [5, 6, 7, 8, 9, 10]
    frames, about = read(film.grid(G, HASH, 2, 3, seeds, 1.0, 20, 1), 20)
    assert frames.shape == (20, 56, 84, 1)
    assert abs(frames[0] - images.tile(pictures(G, seeds).astype(np.uint8), 3)).max() <= 3
    last = frames[:, 28:, 56:]
    alone = render.pictures(G, latent.seed_loop(10, 8, 20)).astype(int)
    assert abs(last - alone).max() <= 3
    assert all(steps(frames[:, y : y + 28, x : x + 28]).min() > 0 for y in (0, 28) for x in (0, 28, 56))
    assert about == export.recipe(HASH, kind="grid", rows=2, columns=3, seeds=seeds, seconds=1.0, fps=20, scale=1)


def test_the_making_is_told_as_it_goes(G):
    told = []
    film.grid(G, HASH, 2, 2, [0, 1, 2, 3], 2.0, 20, 1, progress=lambda done, total: told.append((done, total)))
    assert len(told) > 1 and told == sorted(told)
    assert told[-1] == (160, 160) and {total for _, total in told} == {160}


def test_a_film_names_no_path_person_or_computer(G, tmp_path, monkeypatch):
    monkeypatch.setenv("GANART_HOME", str(tmp_path / "studio-of-anna"))
    monkeypatch.chdir(tmp_path)
    data = film.walk(G, HASH, [1, 2], 0.4, 10, 1)
    assert set(read(data, 10)[1]) == {
        *("ganart", "version", "model", "source_type", "kind", "seeds", "seconds", "fps", "scale")
    }
    comment = json.dumps(read(data, 10)[1])
    for secret in (str(tmp_path), "studio-of-anna", str(Path.home()), str(Path(__file__).parent.parent)):
        assert secret.encode() not in data
    for secret in (getpass.getuser(), socket.gethostname()):
        assert secret not in comment


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": [1]}, "two keyframes"),
        ({"seeds": [1, -2]}, "between 0 and"),
        ({"seeds": list(range(30))}, "too few"),
        ({"fps": 24}, "10, 20, 25, 50"),
        ({"seconds": 0.1}, r"0\.2 to 120"),
        ({"scale": 37}, "1036x1036 px.*smaller scale"),
        ({"seconds": 120, "fps": 50, "scale": 36}, "GB"),
    ],
)
def test_a_walk_that_cannot_be_made_is_refused_before_it_is_drawn(G, change, words):
    asked = {"seeds": [1, 2], "seconds": 1.0, "fps": 20, "scale": 1, **change}
    drawn = []
    with pytest.raises(InputError, match=words):
        film.walk(G, HASH, **asked, progress=lambda *_: drawn.append(1))
    assert not drawn


@pytest.mark.parametrize(
    ("rows", "columns", "seeds", "words"),
    [(0, 3, 0, "0x3"), (13, 1, 13, "13x1"), (2, 2, 3, "needs 4 seeds, but 3"), (12, 12, 144, "1008x1008|1024|GB")],
)
def test_a_grid_that_cannot_be_made_is_refused(G, rows, columns, seeds, words):
    with pytest.raises(InputError, match=words):
        film.grid(G, HASH, rows, columns, list(range(seeds)), 1.0, 20, 4)


@pytest.mark.parametrize(("text", "shape"), [("6x6", (6, 6)), ("2X11", (2, 11))])
def test_the_shape_of_a_grid_as_people_type_it(text, shape):
    assert film.grid_shape(text) == shape


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6",
        "x",
        "6x",
        "x6",
        "6x6x6",
        "-1x2",
        "2.5x2",
        "²x2",
        "a x b",
        pytest.param("9" * 5000 + "x1", id="5000-digits"),
    ],
)
def test_what_is_no_grid_is_refused(text):
    with pytest.raises(InputError, match="6x6"):
        film.grid_shape(text)


# --- the film of a training


def trained(home, tiny_model: Path, levels: list[int], size: tuple[int, int] = (24, 24)) -> Model:
    """A run with one even sheet of each of these greys."""
    run = Run(home / "runs" / "0001-grown")
    (run.folder / "samples").mkdir(parents=True)
    run.model.write_bytes(tiny_model.read_bytes())
    for index, level in enumerate(levels):
        run.sample_path(50 * index).write_bytes(images.encode(np.full((*size, 1), level, np.uint8)))
    return Model(run.id, run.model, run)


def test_growth_shows_every_sheet_in_order_and_rests_on_the_last(home, tiny_model):
    levels = [0, 50, 100, 150, 200]
    model = trained(home, tiny_model, levels)
    frames, about = read(film.growth(model, 2.0, 10, 2), 10)
    assert frames.shape == (20 + 15, 48, 48, 1)
    shown = frames[:, 0, 0, 0]
    assert abs(shown[:20] - np.repeat(levels, 4)).max() <= 3
    assert abs(shown[20:] - 200).max() <= 3
    assert about == export.recipe(model.card().hash, kind="growth", seconds=2.0, fps=10, scale=2)


def test_growth_of_many_sheets_still_begins_and_ends_right(home, tiny_model):
    model = trained(home, tiny_model, list(range(0, 250, 2)))
    frames, _ = read(film.growth(model, 1.0, 20), 20)
    shown = frames[:, 0, 0, 0]
    assert len(shown) == 20 + 30
    assert shown[0] <= 3 and abs(shown[19:] - 248).max() <= 3
    assert (np.diff(shown) >= 0).all() and len(set(shown.tolist())) == 20


def test_growth_of_a_model_that_came_with_a_strip(home, tmp_path, tiny_model):
    model = trained(home, tiny_model, [0, 100, 200])
    tiny_model.with_suffix(".webp").write_bytes(models.strip_bytes(model.sheets()))
    one, other = (read(film.growth(some, 1.0, 10), 10)[0] for some in (Model("tiny", tiny_model), model))
    assert one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 12


def test_growth_works_for_the_sheets_of_every_size(home, tiny_model):
    """The trainer's sheets are 6x6 pictures: 1536 px a side for a model of 256 px."""
    model = trained(home, tiny_model, [0, 200], size=(6 * 256, 6 * 256))
    frames, _ = read(film.growth(model, 0.2, 10), 10)
    assert abs(frames[0] - 0).max() <= 3 and abs(frames[-1] - 200).max() <= 3


@pytest.mark.parametrize("levels", [[], [100]])
def test_growth_needs_two_sheets(home, tiny_model, levels):
    with pytest.raises(InputError, match=f"0001-grown has {len(levels)} training sheets.*Train on"):
        film.growth(trained(home, tiny_model, levels), 2.0, 10)
