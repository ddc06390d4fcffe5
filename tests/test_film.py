"""Whole films, painted by real generators and read back from their files."""

import dataclasses
import getpass
import io
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganart import (
    checkpoint,
    directions,
    export,
    files,
    film,
    filmconfig,
    images,
    jobs,
    latent,
    models,
    pace,
    painters,
    paths,
    places,
    recipes,
    render,
    work,
    workspace,
)
from ganart.errors import InputError, ModelError, RunError
from ganart.filmconfig import FilmConfig, Keyframe
from ganart.jobs import Job, JobStatus
from ganart.models import Model
from ganart.run import Run

SEEDS = [5, 6, 7, 8, 9, 10]


@pytest.fixture
def grey(make_painter) -> Model:
    """Of 28 px."""
    return make_painter("grey", size=28, channels=1)


@pytest.fixture
def out(tmp_path) -> Path:
    """An empty folder."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def shipped(name: str) -> Model:
    """A model that comes with the program."""
    [model] = [model for model in models.pretrained() if model.id == name]
    return model


def keyframes(*seeds: int) -> tuple[Keyframe, ...]:
    return tuple(Keyframe(str(seed)) for seed in seeds)


def plain(model: Model, path: str, *seeds: int, rows: int = 1, columns: int = 1, **settings: object) -> FilmConfig:
    """A film whose pixels are those of the model."""
    size = model.card().networks.size
    sides = {"width": columns * size, "height": rows * size}
    return FilmConfig(path, keyframes(*seeds), rows=rows, columns=columns, **{**sides, **settings})


def made(model: Model, config: FilmConfig, out: Path) -> tuple[np.ndarray, film.Report]:
    """The film as exact frames, (N, H, W, C), and its report."""
    report = film.make(model, config, out / "made.zip")
    with zipfile.ZipFile(out / "made.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        frames = np.stack([images.read_png(archive.read(name)) for name in sorted(names)])
    return frames.astype(int), report


def pictures(model: Model, z: np.ndarray) -> np.ndarray:
    return render.pictures(checkpoint.load_generator(model.path)[0], np.asarray(z, np.float32)).astype(int)


def of_seeds(model: Model, seeds: list[int]) -> np.ndarray:
    return pictures(model, latent.sample_z(seeds, model.card().networks.z_dim))


def cells(frames: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(N, rows*H, columns*W, C) -> (cells, N, H, W, C)."""
    count, height, width, channels = frames.shape
    split = frames.reshape(count, rows, height // rows, columns, width // columns, channels)
    return split.transpose(1, 3, 0, 2, 4, 5).reshape(
        rows * columns, count, height // rows, width // columns, channels
    )


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for the last digit of what was painted in other company."""
    return abs(one.astype(int) - other.astype(int)).max() <= 1


# --- the paths


@pytest.mark.parametrize("path", filmconfig.WALKS)
def test_a_walk_goes_from_picture_to_picture(grey, out, path):
    frames, _ = made(grey, plain(grey, path, 3, 14, 15, frames=60), out)
    assert frames.shape == (60, 28, 28, 1)
    assert close(frames[[0, 20, 40]], of_seeds(grey, [3, 14, 15]))
    between = getattr(paths, {"slerp": "slerps"}.get(path, path))(latent.sample_z([3, 14, 15], 8))
    assert close(frames, pictures(grey, between.at(np.arange(60) / 20)))


def test_a_walk_rests_and_goes_as_its_keyframes_say(grey, out):
    walk = (Keyframe("3", 1, 1), Keyframe("14", 0, 2), Keyframe("15", 2, 4))
    sides = {"width": 28, "height": 28}
    frames, _ = made(grey, FilmConfig("slerp", walk, 100, easing="smooth", **sides), out)
    u = paths.times(walk, 100, "smooth")
    assert close(frames, pictures(grey, paths.slerps(latent.sample_z([3, 14, 15], 8)).at(u)))
    assert (frames[:11] == frames[0]).all() and (frames[40:61] == frames[40]).all()


@pytest.mark.parametrize("path", ["circle", "noise"])
def test_a_grid_holds_every_seed_on_a_loop_of_its_own(grey, out, path):
    frames, _ = made(grey, plain(grey, path, *SEEDS, rows=2, columns=3, frames=20, waves=3), out)
    assert frames.shape == (20, 56, 84, 1)
    split = cells(frames, 2, 3)
    assert close(split[:, 0], of_seeds(grey, SEEDS))
    for seed, cell in zip(SEEDS, split, strict=True):
        z = latent.sample_z([seed], 8)[0]
        loop = paths.circle(z, seed) if path == "circle" else paths.noise(z, 3, seed)
        assert close(cell, pictures(grey, loop.at(np.arange(20) / 20)))
        assert abs(np.diff(cell, axis=0)).max((1, 2, 3)).min() > 0


def test_a_latent_loops_as_a_seed_does(grey, out):
    z = latent.sample_z([3], 8)[0] / 2
    for path, loop in (("circle", paths.circle(z)), ("noise", paths.noise(z, 2))):
        config = FilmConfig(path, (Keyframe(places.write(z)),), 20, width=28, height=28)
        frames, _ = made(grey, config, out)
        assert close(frames, pictures(grey, loop.at(np.arange(20) / 20)))


@pytest.mark.parametrize(("kind", "index"), [("sefa", 0), ("sefa", 2), ("ganspace", 1)])
def test_along_a_direction_it_goes_there_and_back(grey, out, kind, index):
    settings = {"direction": kind, "index": index, "reach": 2.0, "frames": 20}
    frames, _ = made(grey, plain(grey, "direction", 3, **settings), out)
    along = directions.KINDS[kind](checkpoint.load_generator(grey.path)[0], 8)[index]
    curve = paths.along(latent.sample_z([3], 8)[0], along, 2.0)
    assert close(frames, pictures(grey, curve.at(np.arange(20) / 20)))
    assert close(frames[1:], frames[1:][::-1])


def test_in_a_grid_each_seed_has_its_own_way_along_the_direction(grey, out):
    frames, _ = made(grey, plain(grey, "direction", *SEEDS, rows=2, columns=3, frames=20), out)
    split = cells(frames, 2, 3)
    for seed, cell in zip(SEEDS, split, strict=True):
        alone, _ = made(grey, plain(grey, "direction", seed, frames=20), out)
        assert close(cell, alone)


@pytest.mark.parametrize(("path", "seeds"), [("slerp", (3, 14)), ("spline", (3, 14, 15)), ("direction", (3,))])
@pytest.mark.parametrize("even", [False, True])
def test_one_curve_in_a_grid_is_a_canon(grey, out, path, seeds, even):
    """Every picture follows the one before it, at an equal distance in time."""
    frames, _ = made(grey, plain(grey, path, *seeds, rows=2, columns=3, frames=30, even=even), out)
    split = cells(frames, 2, 3)
    for cell in range(6):
        assert close(split[cell], np.roll(split[0], -5 * cell, 0))
    assert abs(split[1] - split[0]).mean() > 1
    alone, _ = made(grey, plain(grey, path, *seeds, frames=30, even=even), out)
    assert close(split[0], alone)


# --- films of a training


@pytest.fixture
def trained(home, make_painter) -> Model:
    """A run with three checkpoints, of models that paint quite differently, and five sheets of one grey each."""
    run = Run(home / "runs" / "0001-grown")
    for name in ("checkpoints", "samples"):
        (run.folder / name).mkdir(parents=True)
    for index, step in enumerate((0, 50, 400)):
        run.checkpoint_path(step).write_bytes(
            make_painter("made", seed=index, size=28, channels=1).path.read_bytes()
        )
    (home / "models" / "made.safetensors").rename(run.model)
    for index in range(5):
        run.sample_path(100 * index).write_bytes(images.encode(np.full((24, 24, 1), 50 * index, np.uint8)))
    return Model(run.id, run.model, run)


def test_the_film_of_the_sheets_shows_each_and_rests_on_the_last(trained, out):
    frames, report = made(trained, FilmConfig("sheets", (), 20, 10, width=48, height=48), out)
    assert frames.shape == (20 + 15, 48, 48, 1)
    np.testing.assert_array_equal(frames[:, 0, 0, 0], [*np.repeat([0, 50, 100, 150, 200], 4), *[200] * 15])
    assert (frames == frames[:, :1, :1]).all()
    assert (report.frames, report.seconds, report.seam) == (35, 3.5, None)


def test_the_film_of_many_sheets_begins_and_ends_right(trained, out):
    for index in range(125):
        trained.run.sample_path(50 * index).write_bytes(images.encode(np.full((24, 24, 1), 2 * index, np.uint8)))
    frames, _ = made(trained, FilmConfig("sheets", (), 20, 20, width=24, height=24), out)
    shown = frames[:, 0, 0, 0]
    assert len(shown) == 20 + 30 and shown[0] == 0 and (shown[19:] == 248).all()
    assert (np.diff(shown) >= 0).all() and len(set(shown.tolist())) == 20


def test_the_film_of_a_model_that_came_with_a_strip(trained, home, out):
    path = home / "models" / "given.safetensors"
    path.write_bytes(trained.path.read_bytes())
    path.with_suffix(".webp").write_bytes(models.strip_bytes(trained.sheets()))
    config = FilmConfig("sheets", (), 10, 10)
    one, other = (made(model, config, out)[0] for model in (Model("given", path), trained))
    assert one.shape == other.shape and abs(one - other).mean() < 5


def test_large_sheets_shrink_until_every_kind_of_file_holds_them(trained, out):
    """The trainer's sheets are 6x6 pictures: 1536 px a side for a model of 256 px."""
    for index, path in enumerate(trained.run.samples()):
        path.write_bytes(images.encode(np.full((1536, 1536, 1), 50 * index, np.uint8)))
    film.make(trained, FilmConfig("sheets", (), 2, 10), out / "a.gif")
    with Image.open(out / "a.gif") as image:
        assert image.size == (1024, 1024)
        assert abs(np.asarray(image.convert("L"), int)).max() <= 3
        image.seek(image.n_frames - 1)
        assert abs(np.asarray(image.convert("L"), int) - 200).max() <= 3


def test_a_place_grows_from_the_first_checkpoint_to_the_last(trained, out):
    frames, report = made(trained, plain(trained, "growth", 3, 14, rows=1, columns=2, frames=9, fps=10), out)
    assert frames.shape == (9 + 15, 28, 56, 1) and report.seam is None
    split = cells(frames, 1, 2)
    for index, path in ((0, 0), (4, 1), (8, 2), (-1, 2)):
        painted = of_seeds(Model("x", list(trained.run.checkpoints().values())[path]), [3, 14])
        assert close(split[:, index], painted)
    assert (frames[8:] == frames[8]).all()
    assert abs(np.diff(frames[:9], axis=0)).max((1, 2, 3)).min() > 0


def test_growth_wanders_through_its_keyframes_meanwhile(trained, out):
    """Training time and latent position move together, and it does not come back."""
    frames, _ = made(trained, plain(trained, "growth", 3, 14, 15, frames=9, fps=10), out)
    first, middle, last = (Model("x", path) for path in trained.run.checkpoints().values())
    assert close(frames[:1], of_seeds(first, [3]))
    assert close(frames[4:5], of_seeds(middle, [14]))
    assert close(frames[8:9], of_seeds(last, [15]))


# --- loops


@pytest.mark.parametrize(
    ("path", "seeds", "grid"),
    [
        ("slerp", (3, 14, 15), (1, 1)),
        ("spline", (3, 14, 15), (1, 1)),
        ("circle", (3,), (1, 1)),
        ("circle", (5, 6), (1, 2)),
        ("noise", (3,), (1, 1)),
        ("noise", (5, 6), (2, 1)),
        ("direction", (3,), (1, 2)),
    ],
)
@pytest.mark.parametrize("even", [False, True])
def test_loops_have_no_seam(out, path, seeds, grid, even):
    model = shipped("landscapes")
    config = plain(model, path, *seeds, rows=grid[0], columns=grid[1], frames=40, even=even)
    frames, report = made(model, config, out)
    steps = pace.distances(frames.astype(np.uint8))
    assert 0 < steps[-1] <= 1.001 * steps[:-1].max()
    assert report.seam == pytest.approx(steps[-1] / steps[:-1].max(), rel=1e-5)


@pytest.mark.parametrize("name", ["landscapes", "mnist-best"])
@pytest.mark.parametrize("path", filmconfig.WALKS)
def test_even_pace_is_at_most_half_as_uneven(out, name, path):
    model = shipped(name)
    before, _ = made(model, plain(model, path, 3, 14, 15, frames=60), out)
    after, report = made(model, plain(model, path, 3, 14, 15, frames=60, even=True), out)
    uneven = [pace.variation(pace.distances(frames.astype(np.uint8), closed=False)) for frames in (before, after)]
    assert uneven[1] <= uneven[0] / 2 and uneven[1] < 0.1
    assert (report.uneven_before, report.uneven) == pytest.approx(uneven, rel=1e-5)


def test_even_pace_keeps_its_rests(out):
    model = shipped("mnist-best")
    walk = (Keyframe("3", 0.5), Keyframe("14", 0.5), Keyframe("15", 0.5))
    config = FilmConfig("slerp", walk, 60, even=True, width=28, height=28)
    frames, report = made(model, config, out)
    still = pace.distances(frames.astype(np.uint8)) == 0
    assert 16 <= still.sum() <= 20  # a third of the film
    assert report.uneven <= report.uneven_before / 2


# --- the report


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("suffix", export.KINDS)
def test_the_report_is_true_of_the_file(grey, out, suffix, even):
    config = FilmConfig("circle", keyframes(*SEEDS), 20, 20, even=even, rows=2, columns=3, width=200, height=150)
    report = film.make(grey, config, out / f"a{suffix}")
    assert report.bytes == (out / f"a{suffix}").stat().st_size
    assert (report.frames, report.seconds) == (20, 1.0)
    if suffix in (".gif", ".webp", ".apng", ".png"):
        with Image.open(out / f"a{suffix}") as image:
            assert (report.width, report.height) == image.size
            assert getattr(image, "n_frames", 1) == (20 if suffix != ".png" else 1)
    frames, exact = made(grey, plain(grey, "circle", *SEEDS, rows=2, columns=3, frames=20, even=even), out)
    before, _ = made(grey, plain(grey, "circle", *SEEDS, rows=2, columns=3, frames=20), out)
    steps = pace.distances(frames.astype(np.uint8))
    assert report.seam == exact.seam == pytest.approx(steps[-1] / steps[:-1].max(), rel=1e-5)
    assert report.uneven == exact.uneven == pytest.approx(pace.variation(steps[:-1]), rel=1e-5)
    plainly = pace.variation(pace.distances(before.astype(np.uint8), closed=False))
    assert report.uneven_before == pytest.approx(plainly, rel=1e-5)


def test_a_film_that_cannot_be_paced_is_as_uneven_as_before(trained, out):
    for config in (plain(trained, "growth", 3, even=True, frames=9), FilmConfig("sheets", (), 9, even=True)):
        report = film.make(trained, config, out / "a.zip")
        assert report.uneven_before == report.uneven
        assert report.uneven > 0 or config.path == "sheets"  # whose greys are evenly apart


def test_a_film_that_stands_still_has_no_seam(grey, out):
    report = film.make(grey, plain(grey, "slerp", 3, 3, frames=4), out / "a.gif")
    assert (report.seam, report.uneven) == (1.0, 0.0)


# --- as large as was asked


@pytest.mark.parametrize("fps", filmconfig.FPS)
def test_a_film_is_as_long_and_as_large_as_was_asked(grey, out, fps):
    config = FilmConfig("slerp", keyframes(1, 2), round(0.8 * fps), fps, width=84, height=84)
    film.make(grey, config, out / "a.gif")
    with Image.open(out / "a.gif") as image:
        assert image.size == (84, 84) and image.info["loop"] == 0
        shown = [
            (np.asarray(frame.convert("L")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)
        ]
    assert sum(duration for _, duration in shown) == 800
    for picture, _ in shown:
        np.testing.assert_array_equal(picture, picture[::3, ::3].repeat(3, 0).repeat(3, 1))


def test_pictures_stand_on_the_ground_that_was_asked_for(grey, out):
    config = FilmConfig("circle", keyframes(3), 4, width=60, height=40, background="0a64ff")
    frames, report = made(grey, config, out)
    assert frames.shape == (4, 40, 60, 3) and (report.width, report.height) == (60, 40)
    assert (frames[:, :6] == (10, 100, 255)).all() and (frames[:, :, 44:] == (10, 100, 255)).all()
    assert close(frames[:1, 6:34, 16:44, :1], of_seeds(grey, [3]))


def test_where_no_size_was_asked_for_it_is_about_512_px(grey, out):
    report = film.make(grey, FilmConfig("circle", keyframes(3), 2), out / "a.gif")
    assert (report.width, report.height) == (504, 504)


# --- the making


def test_the_making_is_told_as_it_goes(grey, out):
    told = []
    config = plain(grey, "circle", *SEEDS[:4], rows=2, columns=2, frames=40)
    film.make(grey, config, out / "a.gif", lambda done, total: told.append((done, total)))
    assert len(told) > 1 and told == sorted(told)
    assert told[-1] == (40, 40) and {total for _, total in told} == {40}


class StopError(Exception):
    """Raised in the middle of the making."""


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("suffix", export.KINDS)
def test_the_making_can_be_called_off_at_any_time_and_leaves_nothing(grey, out, suffix, even):
    config = plain(grey, "slerp", 3, 14, frames=200, even=even)
    whole = []
    film.make(grey, config, out / f"a{suffix}", lambda *told: whole.append(told))
    (out / f"a{suffix}").write_bytes(b"old")
    for stop in (1, len(whole) // 2, len(whole)):
        told = []

        def progress(done: int, total: int, told: list = told, stop: int = stop) -> None:
            told.append(done)
            if len(told) == stop:
                raise StopError

        with pytest.raises(StopError):
            film.make(grey, config, out / f"a{suffix}", progress)
        assert [path.name for path in out.iterdir()] == [f"a{suffix}"]
        assert (out / f"a{suffix}").read_bytes() == b"old"
    assert not even or [done for done, _ in whole].count(0) > 10, "while it is measured, nobody can call it off"


def test_frames_are_painted_as_they_are_asked_for(grey):
    reel = film.Reel(grey, plain(grey, "slerp", 3, 14, frames=6000), ".mp4")
    told = []
    frames = reel.paint(reel.walk(), lambda done, total: told.append(done))
    for _ in range(film.TOGETHER):
        next(frames)
    assert told == []
    next(frames)
    assert told == [film.TOGETHER]


@pytest.mark.parametrize(
    ("change", "suffix", "words"),
    [
        ({}, ".mov", "should end in"),
        ({"width": 1026, "height": 20}, ".gif", "1026x20 px, and GIF may have up to 1024"),
        ({"width": 1024, "height": 1024, "frames": 6000}, ".gif", "GB"),
        ({"width": 101, "height": 100}, ".mp4", "even sides"),
        ({"keyframes": (Keyframe("3"), Keyframe("9" * 10))}, ".gif", "between 0 and"),
        (
            {"keyframes": (Keyframe("3"), Keyframe(places.write(np.zeros(9))))},
            ".gif",
            "9 values, but the model takes 8",
        ),
        ({"path": "growth"}, ".gif", "0 checkpoints"),
        ({"path": "sheets", "keyframes": ()}, ".gif", "0 training sheets"),
    ],
)
def test_a_film_that_cannot_be_made_is_refused_before_it_is_painted(grey, out, change, suffix, words):
    config = FilmConfig(**{"path": "slerp", "keyframes": keyframes(3, 14), "frames": 20, **change})
    told = []
    with pytest.raises(InputError, match=words):
        film.make(grey, config, out / f"a{suffix}", lambda *_: told.append(1))
    assert not told and not list(out.iterdir())


def test_a_recipe_that_is_too_long_for_a_file_is_refused_before_it_is_painted(make_painter, out):
    model = make_painter(z_dim=1000)
    far = tuple(Keyframe(places.write(latent.sample_z([seed], 1000)[0])) for seed in range(64))
    told = []
    with pytest.raises(InputError, match="Use fewer keyframes"):
        film.make(model, FilmConfig("spline", far), out / "a.gif", lambda *_: told.append(1))
    assert not told and not list(out.iterdir())


# --- how large it will be


@pytest.mark.parametrize("suffix", export.KINDS)
def test_the_size_is_foretold_with_the_recipe_inside(out, suffix):
    """That of a walk through pins, on small frames, is a large part of the file."""
    model = shipped("mnist-best")
    pins = tuple(Keyframe(places.write(latent.sample_z([seed], 128)[0])) for seed in range(12))
    config = FilmConfig("slerp", pins, 30, width=56, height=56)
    report = film.make(model, config, out / f"a{suffix}")
    assert film.estimate(model, config, suffix) == pytest.approx(report.bytes, rel=0.3)


def test_a_size_can_be_asked_for_of_any_film_and_is_refused_as_the_film_is(trained, grey, out):
    for config in (FilmConfig("sheets", (), 20), plain(trained, "growth", 3, frames=20)):
        assert film.estimate(trained, config, ".gif") > 1000
        with pytest.raises(InputError, match="needs two or more"):
            film.estimate(grey, config, ".gif")


# --- the recipe inside


@pytest.mark.parametrize("suffix", export.KINDS)
def test_the_recipe_makes_the_identical_file(ganart, grey, out, suffix):
    z = latent.sample_z([3], 8)[0] / 2
    kept = (Keyframe("14", 0.5, 2.0), Keyframe(places.write(z)), Keyframe("15"))
    config = FilmConfig(
        "spline", kept, 24, 20, "smooth", True, rows=2, columns=2, width=120, height=90, background="102030"
    )
    film.make(grey, config, out / f"a{suffix}")
    about = recipes.read(out / f"a{suffix}")
    card = grey.card()
    assert about == recipes.recipe(card.hash, origin=card.origin, kind="film", film=filmconfig.to_dict(config))
    answer = ganart("animate", "--recipe", out / f"a{suffix}", "--out", out / f"again{suffix}")
    assert answer.status == 0, answer.err
    assert (out / f"again{suffix}").read_bytes() == (out / f"a{suffix}").read_bytes()


@pytest.mark.parametrize("path", filmconfig.PATHS)
def test_films_of_every_path_can_be_made_again(ganart, trained, out, path):
    seeds = {"sheets": (), "slerp": (3, 14), "spline": (3, 14)}.get(path, (3,))
    config = FilmConfig(path, keyframes(*seeds), 8, 10, waves=4, direction="sefa", index=1, width=48, height=48)
    film.make(trained, config, out / "a.gif")
    assert ganart("animate", "--recipe", out / "a.gif", "--out", out / "again.gif").status == 0
    assert (out / "again.gif").read_bytes() == (out / "a.gif").read_bytes()


@pytest.mark.parametrize("suffix", export.KINDS)
def test_a_film_names_no_path_person_or_computer(grey, tmp_path, monkeypatch, suffix):
    folder = tmp_path / "studio-of-anna"
    folder.mkdir()
    monkeypatch.chdir(folder)
    film.make(grey, plain(grey, "slerp", 1, 2, frames=4), Path(f"secret-title{suffix}"))
    data = (folder / f"secret-title{suffix}").read_bytes()
    for secret in ("studio-of-anna", "secret-title", "grey.safetensors", str(tmp_path), str(Path.home()) + "/"):
        assert secret.encode() not in data
    about = recipes.read(Path("a"), data)
    for secret in (getpass.getuser(), socket.gethostname()):
        assert secret not in recipes.to_json(about)
    assert set(about) == {"ganart", "version", "model", "origin", "source_type", "kind", "film"}
    assert set(about["film"]) == set(filmconfig.to_dict(FilmConfig("sheets")))


# --- the small film that shows a model at a glance


@pytest.mark.parametrize(("size", "across"), [(28, 6), (64, 4), (256, 1)])
def test_a_preview_is_small_and_loops(make_painter, size, across):
    model = make_painter(size=size, channels=1)
    G, _ = checkpoint.load_generator(model.path)
    with Image.open(io.BytesIO(film.preview(G))) as image:
        assert (image.format, image.size, image.n_frames) == ("WEBP", (across * size, across * size), 60)
        assert image.info["loop"] == 0
        first = np.asarray(image.convert("L")).astype(int)
        image.seek(1)
        image.load()
        assert image.info["duration"] == 50
    expected = images.tile(of_seeds(model, list(range(across**2))).astype(np.uint8), across)
    assert abs(first - expected[..., 0]).mean() < 12


# --- as a job


def request(model: Model, config: FilmConfig, suffix: str = ".gif") -> dict:
    return {
        "kind": "film",
        "id": model.id,
        "hash": model.card().hash,
        "name": "dawn",
        "film": filmconfig.to_dict(config),
        "suffix": suffix,
    }


def asked(wanted: dict) -> Job:
    """The folder of a job without a process, as it was asked for."""
    job = jobs.find(wanted)
    job.folder.mkdir()
    files.write_json(job.folder / "request.json", wanted)
    job.write(JobStatus())
    return job


def test_a_film_is_made_in_a_process_of_its_own(grey, home, out):
    config, seen = plain(grey, "circle", 3, frames=80), []
    job = jobs.begin(request(grey, config))
    result = jobs.wait(job, lambda done, total: seen.append((done, total)))
    path = home / "exports" / result.pop("file")
    assert result.pop("written") == path.stat().st_mtime_ns
    assert path.name == "dawn.gif" and job.status().state == "done"
    assert seen == sorted(seen) and all(0 <= done <= total == 80 for done, total in seen)
    report = film.make(grey, config, out / "here.gif")
    assert result == vars(report) and path.read_bytes() == (out / "here.gif").read_bytes()


def test_films_of_one_name_get_numbers(grey, home):
    for count, name in enumerate(("dawn.gif", "dawn-2.gif", "dawn-3.gif")):
        job = asked(request(grey, plain(grey, "circle", count, frames=4)))
        work.do(job)
        assert job.result()["file"] == name
    assert sorted(path.name for path in (home / "exports").iterdir()) == ["dawn-2.gif", "dawn-3.gif", "dawn.gif"]


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".zip"])
def test_a_film_that_is_called_off_midway_leaves_no_file(grey, home, monkeypatch, suffix):
    job = asked(request(grey, plain(grey, "circle", 3, frames=400), suffix))
    write = Job.write

    def write_and_cancel(self: Job, status: JobStatus) -> None:
        write(self, status)
        if status.done >= 100:
            jobs.cancel(self)

    monkeypatch.setattr(Job, "write", write_and_cancel)
    with pytest.raises(work.CancelledError):
        work.do(job)
    assert job.result() is None and not list(home.glob("exports/*"))
    assert 100 <= files.read_json(job.folder / "status.json")["done"] < 400


def test_a_model_that_has_learned_on_meanwhile_is_told(grey, home, make_painter):
    wanted = request(grey, plain(grey, "circle", 3, frames=4))
    make_painter("grey", seed=1, size=28, channels=1)
    with pytest.raises(ModelError, match=r"grey has learned on since the film was asked for\. Ask again"):
        work.do(asked(wanted))
    assert not list(home.glob("exports/*"))


def test_a_model_that_is_gone_fails_the_job_in_a_sentence(grey):
    wanted = request(grey, plain(grey, "circle", 3, frames=4))
    grey.path.unlink()
    with pytest.raises(RunError, match="There is no model “grey”"):
        jobs.wait(jobs.begin(wanted))


def test_an_estimate_does_not_look_for_an_even_pace(grey, monkeypatch):
    """That paints the whole film, several times."""
    monkeypatch.setattr(film.pace, "even_times", None)
    config = FilmConfig("circle", keyframes(*range(36)), 150, 25, even=True, rows=6, columns=6)
    assert film.estimate(grey, config, ".gif") > 1000


def test_what_was_let_go_of_while_it_was_written_is_in_no_list(home, make_painter, tmp_path):
    model = make_painter("painter")
    asked = filmconfig.to_dict(FilmConfig("slerp", keyframes(1, 2), 8, 10))
    request = {
        "kind": "film",
        "id": model.id,
        "hash": model.card().hash,
        "name": "dawn",
        "film": asked,
        "suffix": ".gif",
    }
    exports, seen = workspace.folder("exports"), []

    def cancelled(done: int, total: int) -> None:
        seen.append(sorted(path.name for path in exports.iterdir()))
        if seen[-1]:
            raise RunError("cancelled")

    with pytest.raises(RunError):
        film.work(request, tmp_path / "job", cancelled)
    assert [name for names in seen for name in names] == [".making-job.gif"] and not list(exports.iterdir())
    (exports / "dawn.gif").write_bytes(b"another one")
    assert film.work(request, tmp_path / "job", lambda *_: None)["file"] == "dawn-2.gif"
    assert (exports / "dawn.gif").read_bytes() == b"another one"


def test_a_training_may_thin_its_checkpoints_while_its_growth_is_painted(trained, out):
    painter = painters.Growing(trained)
    trained.run.checkpoint_path(50).unlink()
    z = latent.sample_z([1], painter.z_dim)
    assert painter.at(np.repeat(z, 3, 0), np.array([0.0, 0.5, 1.0])).std() > 0


def test_what_a_training_has_come_to_since_its_last_checkpoint_is_seen(trained, monkeypatch):
    plain = painters.card.read_card
    monkeypatch.setattr(painters.card, "read_card", lambda path: dataclasses.replace(plain(path), step=500))
    assert painters.Growing(trained).paths[-1] == trained.run.model
