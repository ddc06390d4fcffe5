"""Models that stay loaded: once for each file as it was written, and what they draw."""

import os

import numpy as np
import pytest

from ganart import directions, latent, loaded, render
from ganart.errors import InputError, ModelError

Z = latent.sample_z([1, 2, 3], 8)


def test_a_model_is_loaded_once(make_painter):
    model = make_painter()
    assert loaded.generator(model)[0] is loaded.generator(model)[0]
    other = make_painter("other", seed=1)
    assert loaded.generator(other)[0] is not loaded.generator(model)[0]
    assert loaded.generator(other)[1].name == "other"


def write_again(model, data: bytes) -> None:
    """As a run does that saves a second later."""
    written = model.path.stat().st_mtime_ns
    model.path.write_bytes(data)
    os.utime(model.path, ns=(written, written + 10**9))


def test_a_file_that_was_written_again_is_loaded_again(make_painter):
    other = make_painter("other", seed=1)
    model = make_painter()
    G, card = loaded.generator(model)
    before = loaded.pictures(model, Z), loaded.directions(model, "sefa")
    write_again(model, other.path.read_bytes())
    assert loaded.generator(model)[0] is not G and loaded.generator(model)[1].hash != card.hash
    np.testing.assert_array_equal(loaded.pictures(model, Z), loaded.pictures(other, Z))
    np.testing.assert_array_equal(loaded.directions(model, "sefa"), loaded.directions(other, "sefa"))
    assert not np.array_equal(loaded.pictures(model, Z), before[0])
    assert not np.array_equal(loaded.directions(model, "sefa"), before[1])


def test_a_file_that_is_gone_is_said_even_though_it_was_loaded(make_painter):
    model = make_painter()
    loaded.pictures(model, Z)
    loaded.directions(model, "sefa")
    model.path.unlink()
    for ask in (
        lambda: loaded.generator(model),
        lambda: loaded.directions(model, "sefa"),
        lambda: loaded.pictures(model, Z),
        lambda: loaded.of_seeds(model, [1]),
    ):
        with pytest.raises(ModelError, match="painter is gone"):
            ask()


def test_a_damaged_file_is_refused_until_it_is_whole(make_painter):
    model = make_painter()
    whole = model.path.read_bytes()
    model.path.write_bytes(whole[:-100])
    for _ in range(2):
        with pytest.raises(ModelError, match="damaged"):
            loaded.generator(model)
    write_again(model, whole)
    assert loaded.generator(model)[1].name == "painter"


@pytest.mark.parametrize("kind", directions.KINDS)
def test_directions_are_those_of_the_model_as_many_as_were_asked_for(make_painter, kind):
    model = make_painter(z_dim=16)
    G, _ = loaded.generator(model)
    found = loaded.directions(model, kind)
    assert found.shape == (loaded.FOUND, 16)
    np.testing.assert_array_equal(found, directions.KINDS[kind](G, loaded.FOUND))
    assert loaded.directions(model, kind) is found, "they are looked for again and again"
    assert loaded.directions(model, kind, 3).shape == (3, 16)
    assert loaded.directions(model, kind, 99).shape == (16, 16)


def test_a_small_latent_space_has_fewer_directions(make_painter):
    assert loaded.directions(make_painter(z_dim=2), "ganspace").shape == (2, 2)


@pytest.mark.parametrize("kind", ["", "SeFa", "x" * 1000])
def test_other_kinds_of_directions_are_refused(make_painter, kind):
    with pytest.raises(InputError, match="There are: sefa, ganspace") as refusal:
        loaded.directions(make_painter(), kind)
    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (28, 1)])
def test_pictures_are_what_the_generator_draws(make_painter, size, channels):
    model = make_painter(size=size, channels=channels)
    G, _ = loaded.generator(model)
    expected = render.pictures(G, Z)
    assert expected.std() > 30, "these pictures would not be worth comparing"
    np.testing.assert_array_equal(loaded.pictures(model, Z), expected)
    np.testing.assert_array_equal(loaded.of_seeds(model, [1, 2, 3]), expected)
    np.testing.assert_array_equal(loaded.pictures(model, Z.astype(float)[::-1])[::-1], expected)
    assert loaded.pictures(model, Z[:0]).shape == (0, size, size, channels)


def test_pictures_that_are_asked_for_again_are_not_drawn_again_and_nobody_paints_over_them(make_painter):
    model = make_painter()
    first = loaded.pictures(model, Z)
    assert loaded.pictures(model, Z.copy()) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0
