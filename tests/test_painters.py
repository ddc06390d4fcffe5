"""What paints a film: a model as it is, a model as it grew, the sheets of its training."""

from pathlib import Path

import numpy as np
import pytest

from ganart import checkpoint, directions, images, latent, models, painters, render
from ganart.errors import InputError, ModelError
from ganart.filmconfig import FilmConfig, Keyframe
from ganart.models import Model
from ganart.run import Run

Z = latent.sample_z([3, 14, 15], 8)
GROWTH = FilmConfig("growth", (Keyframe("3"),))
SHEETS = FilmConfig("sheets")
CIRCLE = FilmConfig("circle", (Keyframe("3"),))


@pytest.fixture
def grown(home, make_painter) -> Model:
    """A run that kept three checkpoints, of models that paint quite differently, and the last as its model."""
    run = Run(home / "runs" / "0001-grown")
    (run.folder / "checkpoints").mkdir(parents=True)
    for index, step in enumerate((0, 50, 400)):
        data = make_painter("made", seed=index).path.read_bytes()
        run.checkpoint_path(step).write_bytes(data)
    (home / "models" / "made.safetensors").rename(run.model)
    return Model(run.id, run.model, run)


def painted_by(path: Path) -> np.ndarray:
    return render.pictures(checkpoint.load_generator(path)[0], Z).astype(int)


def at(painter: painters.Still, *moments: float) -> np.ndarray:
    return painter.at(Z, np.array(moments)).astype(int)


# --- as it is


def test_a_model_as_it_is_paints_the_same_at_every_moment(make_painter):
    model = make_painter()
    painter, card = painters.painter(model, CIRCLE)
    assert card.hash == model.card().hash and (painter.size, painter.z_dim) == (32, 8)
    expected = painted_by(model.path)
    np.testing.assert_array_equal(painter.now(Z), expected)
    np.testing.assert_array_equal(at(painter, 0, 0.5, 1), expected)


@pytest.mark.parametrize("kind", directions.KINDS)
def test_a_model_has_as_many_directions_as_its_latents_have_at_most_twelve(make_painter, kind):
    for z_dim in (8, 20):
        model = make_painter(z_dim=z_dim)
        found = painters.painter(model, CIRCLE)[0].directions(kind)
        assert found.shape == (min(12, z_dim), z_dim)
        expected = directions.KINDS[kind](checkpoint.load_generator(model.path)[0], min(12, z_dim))
        np.testing.assert_array_equal(found, expected)


# --- as it grew


def test_growth_begins_with_the_first_checkpoint_and_ends_with_the_last(grown):
    painter, _ = painters.painter(grown, GROWTH)
    first, middle, last = (painted_by(path) for path in grown.run.checkpoints().values())
    np.testing.assert_array_equal(at(painter, 0, 0, 0), first)
    np.testing.assert_array_equal(at(painter, 0.5, 0.5, 0.5), middle)
    np.testing.assert_array_equal(at(painter, 1, 1, 1), last)
    assert abs(first - last).mean() > 20, "the models paint too much alike to test on"


def test_between_two_checkpoints_their_weights_are_mixed(grown):
    painter, _ = painters.painter(grown, GROWTH)
    kept = list(grown.run.checkpoints().values())
    (a, _), (b, _) = checkpoint.load_generator(kept[1]), checkpoint.load_generator(kept[2])
    mixed, other = a.state_dict(), b.state_dict()
    for name, value in mixed.items():
        if value.is_floating_point():
            value.copy_(0.7 * value + 0.3 * other[name])
    a.load_state_dict(mixed)
    moment = (1 + 0.3) / 2  # three tenths of the way from the second to the third
    assert abs(at(painter, *[moment] * 3) - render.pictures(a, Z)).max() <= 1
    for nearly, path in ((0.5 + 1e-6, kept[1]), (1 - 1e-6, kept[2])):  # nothing jumps there
        assert abs(at(painter, *[nearly] * 3) - painted_by(path)).max() <= 1


def test_each_picture_is_painted_at_its_own_moment(grown):
    painter, _ = painters.painter(grown, GROWTH)
    moments = (1.0, 0.0, 0.3)
    together = at(painter, *moments)
    for index, moment in enumerate(moments):
        alone = painter.at(Z[index : index + 1], np.array([moment]))
        assert abs(together[index] - alone[0]).max() <= 1
    assert painter.at(Z[:0], np.zeros(0)).shape == (0, 32, 32, 3)


def test_a_model_that_grew_paints_its_last_state_now(grown):
    painter, card = painters.painter(grown, GROWTH)
    np.testing.assert_array_equal(painter.now(Z), painted_by(grown.path))
    assert card.hash == grown.card().hash


@pytest.mark.parametrize(("count", "told"), [(0, "0 checkpoints"), (1, "1 checkpoint")])
def test_growth_needs_two_checkpoints(grown, count, told):
    for path in list(grown.run.checkpoints().values())[count:]:
        path.unlink()
    with pytest.raises(InputError, match=f"0001-grown has {told} of its .*needs two or more. Take the film"):
        painters.painter(grown, GROWTH)


def test_a_model_without_a_run_has_no_growth(make_painter):
    with pytest.raises(InputError, match="painter has 0 checkpoints"):
        painters.painter(make_painter(), GROWTH)


def test_a_damaged_checkpoint_is_named_when_it_is_needed(grown):
    grown.run.checkpoint_path(50).write_bytes(b"no model")
    painter, _ = painters.painter(grown, GROWTH)
    with pytest.raises(ModelError, match="00000050"):
        at(painter, 0.4, 0.4, 0.4)


# --- sheets


@pytest.fixture
def trained(grown) -> Model:
    """The same run with five sheets, each of one grey."""
    (grown.run.folder / "samples").mkdir()
    for index in range(5):
        sheet = np.full((24, 30, 1), 50 * index, np.uint8)
        grown.run.sample_path(100 * index).write_bytes(images.encode(sheet))
    return grown


def test_each_sheet_is_shown_for_an_equal_part_of_the_film(trained):
    painter, card = painters.painter(trained, SHEETS)
    assert (painter.shape, painter.size, card.hash) == ((24, 30), 30, trained.card().hash)
    shown = [int(painter.sheet(moment)[0, 0, 0]) for moment in np.linspace(0, 1, 101)]
    assert shown == sorted(shown) and shown[0] == 0 and shown[-1] == 200
    assert [shown.count(50 * index) for index in range(5)] == [20, 20, 20, 20, 21]


def test_the_sheets_of_a_model_that_came_with_them_are_shown(trained, home):
    path = home / "models" / "given.safetensors"
    path.write_bytes(trained.path.read_bytes())
    path.with_suffix(".webp").write_bytes(models.strip_bytes(trained.sheets()))
    painter, _ = painters.painter(Model("given", path), SHEETS)
    assert painter.shape == (24, 30)
    assert abs(painter.sheet(0.7).astype(int) - 150).max() <= 3


@pytest.mark.parametrize("count", [0, 1])
def test_a_film_of_sheets_needs_two(trained, count):
    for path in trained.run.samples()[count:]:
        path.unlink()
    with pytest.raises(InputError, match=f"0001-grown has {count} training sheets.*Train on"):
        painters.painter(trained, SHEETS)


@pytest.mark.parametrize("film", [CIRCLE, GROWTH, SHEETS])
def test_a_damaged_model_is_refused_whatever_was_asked(trained, film):
    trained.path.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        painters.painter(trained, film)
