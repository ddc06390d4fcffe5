"""Which training pictures lie nearest."""

import numpy as np
import pytest

from ganart import dataset, images, nearest
from ganart.config import IntakeConfig


def noise(seed: int, count: int, side: int = 16, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), np.uint8)


def by_loops(pictures: np.ndarray, training: np.ndarray, passed: list[int] | None = None) -> tuple[list, list]:
    """Place and distance of the nearest of 16 px pictures, each pair compared for itself."""
    places, distances = [], []
    for index, picture in enumerate(pictures.astype(float)):
        found = []
        for place, real in enumerate(training.astype(float)):
            if passed is None or place != passed[index]:
                squares = [((picture - candidate) ** 2).mean() for candidate in (real, real[:, ::-1])]
                found.append((min(squares) ** 0.5, place))
        distances.append(min(found)[0])
        places.append(min(found)[1])
    return places, distances


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


def test_the_distance_is_the_root_of_the_mean_square():
    training = np.full((1, 16, 16, 1), 100, np.uint8)
    painted = training.copy()
    painted[0, :4] += 8  # a quarter of the picture
    _, distances = nearest.search(painted, training)
    assert distances.tolist() == [4.0]


def test_held_out_pictures_are_not_looked_at(picture_folder):
    store = dataset.prepare(picture_folder(240), IntakeConfig(size=32))
    held_out = np.asarray(store.images()[store.training :])
    _, distances = nearest.nearest(held_out, store)
    assert len(held_out) >= 24 and (distances > 0).all()


def test_the_search_finds_what_comparing_every_pair_finds():
    training, pictures = noise(0, 40), noise(1, 25)
    pictures[3] = training[11] // 2 + pictures[3] // 2
    pictures[4] = training[39, :, ::-1] // 2 + pictures[4] // 2
    places, distances = nearest.search(pictures, training)
    expected = by_loops(pictures, training)
    assert places.tolist() == expected[0] and places[3] == 11 and places[4] == 39
    np.testing.assert_allclose(distances, expected[1], rtol=1e-5)
    assert len(set(places.tolist())) > 5, "a case that tells little"


def test_each_picture_is_passed_over_for_itself_alone():
    training = noise(0, 30)
    training[20] = training[4] // 2 + training[20] // 2
    own = np.array([4, 29, 0, 20, 4])
    places, distances = nearest.search(training[own], training, own=own)
    expected = by_loops(training[own], training, passed=own.tolist())
    assert places.tolist() == expected[0]
    np.testing.assert_allclose(distances, expected[1], rtol=1e-5)
    assert places[0] == places[4] == 20 and places[3] == 4 and (distances > 10).all()


def test_a_picture_passed_over_does_not_count_mirrored_either():
    training = noise(0, 6)
    training[2] = np.concatenate([training[2, :, :8], training[2, :, 7::-1]], 1)  # its own mirror picture
    _, distances = nearest.search(training[2:3], training, own=np.array([2]))
    assert distances[0] > 10


def test_a_second_copy_in_the_training_set_is_found_though_the_first_is_passed_over():
    training = noise(0, 12)
    training[9] = training[1, :, ::-1]
    places, distances = nearest.search(training[[1, 9]], training, own=np.array([1, 9]))
    assert places.tolist() == [9, 1] and distances.tolist() == [0, 0]


@pytest.mark.parametrize("chunk", [1, 7, 14, 15, 29, 30, 31])
@pytest.mark.parametrize("passed", [False, True])
def test_the_chunks_it_reads_in_do_not_show(monkeypatch, chunk, passed):
    training = noise(0, 30)
    own = np.arange(30)[::-1].copy() if passed else None
    pictures = training[::-1].copy() if passed else np.concatenate([noise(1, 10), training[[0, 13, 14, 15, 29]]])
    expected = nearest.search(pictures, training, own)
    monkeypatch.setattr(nearest, "CHUNK", chunk)
    places, distances = nearest.search(pictures, training, own)
    assert places.tolist() == expected[0].tolist()
    np.testing.assert_allclose(distances, expected[1], rtol=1e-5)
    if not passed:
        assert places[10:].tolist() == [0, 13, 14, 15, 29] and (distances[10:] == 0).all()


def test_all_of_very_many_are_looked_through(store, monkeypatch):
    monkeypatch.setattr(nearest, "CHUNK", 3)
    pixels = np.asarray(store.images())
    found, distances = nearest.nearest(pixels[::-1], store)
    np.testing.assert_array_equal(found, pixels[::-1])
    assert (distances == 0).all()


def test_where_there_is_no_other_picture_the_distance_has_no_end():
    one = noise(0, 1)
    assert nearest.search(one, one, own=np.array([0]))[1].tolist() == [np.inf]


def test_pictures_are_taken_in_the_order_of_their_places(store):
    pixels = np.asarray(store.images())
    np.testing.assert_array_equal(nearest.take(store, np.array([7, 3, 7, 0])), pixels[[7, 3, 7, 0]])


@pytest.mark.parametrize(("side", "small"), [(16, 16), (28, 14), (32, 16), (64, 16), (128, 16), (256, 16)])
@pytest.mark.parametrize("channels", [1, 3])
def test_thumbnails_are_means_at_16_px_or_14(side, small, channels):
    pictures = noise(0, 2, side, channels)
    found = nearest.thumbnails(pictures)
    assert found.shape == (2, small * small * channels) and found.dtype == np.float32
    squares = pictures.reshape(2, small, side // small, small, side // small, channels).mean((2, 4))
    np.testing.assert_allclose(found, squares.reshape(2, -1), atol=0.5001)


def test_pictures_that_look_the_same_small_are_at_no_distance():
    small = noise(0, 3)
    large = images.enlarge(small, 2)
    grain = np.tile(np.array([[1, -1], [-1, 1]]), (16, 16))[..., None]
    grainy = (large.clip(1, 254) + grain).astype(np.uint8)
    assert nearest.search(grainy, large.clip(1, 254))[1].tolist() == [0, 0, 0]
