"""Which training pictures lie nearest."""

import numpy as np

from ganart import dataset, nearest
from ganart.config import IntakeConfig


def test_a_copy_finds_its_original_mirrored_or_not(store):
    pixels = np.asarray(store.images())
    painted = np.stack([pixels[7], pixels[3][:, ::-1], pixels[7]])
    found, distances = nearest.nearest(painted, store)
    np.testing.assert_array_equal(found, pixels[[7, 3, 7]])
    assert distances.tolist() == [0.0, 0.0, 0.0]


def test_a_picture_slightly_off_is_near_and_the_distance_says_how_far(store):
    pixels = np.asarray(store.images())
    painted = np.clip(pixels[5].astype(int) + 4, 0, 255).astype(np.uint8)[None]
    found, distances = nearest.nearest(painted, store)
    np.testing.assert_array_equal(found[0], pixels[5])
    assert 3 < distances[0] <= 4


def test_held_out_pictures_are_not_looked_at(picture_folder):
    store = dataset.prepare(picture_folder(240), IntakeConfig(size=32))
    held_out = np.asarray(store.images()[store.training :])
    _, distances = nearest.nearest(held_out, store)
    assert len(held_out) >= 24 and (distances > 0).all()


def test_only_some_of_very_many_are_looked_through(store, monkeypatch):
    monkeypatch.setattr(nearest, "MOST", 2)
    pixels = np.asarray(store.images())
    found, _ = nearest.nearest(pixels[5:6], store)
    assert any(np.array_equal(found[0], pixels[place]) for place in (0, store.training - 1))
