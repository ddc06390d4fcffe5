"""Pictures between their three forms, without a loss on the way."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganart import images


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_every_value_survives_the_way_to_floats_and_back():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    pictures = np.concatenate([values, 255 - values, values.swapaxes(1, 2)], -1)
    floats = images.to_float(torch.from_numpy(pictures))
    assert floats.shape == (1, 3, 16, 16) and floats.dtype == torch.float32
    assert floats.min() == -1 and floats.max() == 1
    np.testing.assert_array_equal(images.to_uint8(floats), pictures)


def test_floats_are_the_picture_in_channel_order():
    pictures = noise(2, 5, 4, 3)
    floats = images.to_float(torch.from_numpy(pictures))
    np.testing.assert_allclose(floats.numpy(), np.moveaxis(pictures, -1, 1) / 127.5 - 1, atol=1e-6)
    assert floats.is_contiguous(memory_format=torch.channels_last)


def test_floats_are_rounded_to_the_nearest_value_and_clipped():
    wanted = np.array([0, 0, 0, 99, 100, 101, 255, 255])
    values = np.array([-7.0, -1.0, 0.3 / 127.5 - 1, 99.4 / 127.5 - 1, 99.6 / 127.5 - 1, 101 / 127.5 - 1, 1.0, 3.0])
    found = images.to_uint8(torch.from_numpy(values).view(1, 1, 1, 8))
    assert found.dtype == np.uint8 and found.shape == (1, 1, 8, 1)
    assert found.ravel().tolist() == wanted.tolist()


def test_drawing_as_bytes_leaves_the_floats_as_they_are():
    floats = torch.linspace(-2, 2, 12).view(1, 3, 2, 2)
    before = floats.clone()
    images.to_uint8(floats)
    assert torch.equal(floats, before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("count", "columns"), [(6, 3), (7, 3), (2, 5), (1, 1)])
def test_a_sheet_holds_every_picture_in_its_place(count, columns, channels):
    pictures = noise(count, 4, 5, channels)
    sheet = images.tile(pictures, columns)
    rows = (count + columns - 1) // columns
    assert sheet.shape == (4 * rows, 5 * columns, channels)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        cell = sheet[4 * row : 4 * row + 4, 5 * column : 5 * column + 5]
        np.testing.assert_array_equal(cell, pictures[place] if place < count else 0)


def test_enlarging_makes_a_square_of_every_pixel():
    pictures = noise(2, 3, 4, 3)
    large = images.enlarge(pictures, 5)
    assert large.shape == (2, 15, 20, 3)
    for y in range(15):
        for x in range(20):
            np.testing.assert_array_equal(large[:, y, x], pictures[:, y // 5, x // 5])
    np.testing.assert_array_equal(images.enlarge(pictures[0], 5), large[0])


@pytest.mark.parametrize(
    ("side", "target", "factor"), [(28, 512, 18), (64, 512, 8), (512, 512, 1), (600, 512, 1), (65, 512, 7)]
)
def test_the_scale_comes_near_the_target_and_never_passes_it(side, target, factor):
    assert images.best_scale(side, target) == factor


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_pillow_and_back(channels, mode):
    picture = noise(6, 5, channels)
    image = images.to_pillow(picture)
    assert image.mode == mode and image.size == (5, 6)
    np.testing.assert_array_equal(images.from_pillow(image), picture)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_png_is_the_picture_exactly(channels, mode):
    picture = noise(6, 5, channels)
    data = images.encode(picture)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", mode, (5, 6))
    np.testing.assert_array_equal(images.read_png(data), picture)


def test_another_format_can_be_asked_for():
    with Image.open(io.BytesIO(images.encode(noise(8, 8, 3), "JPEG", quality=90))) as image:
        assert image.format == "JPEG"


@pytest.mark.parametrize("side", [28, 32, 64, 128, 256])
def test_squares_are_whole_and_as_near_to_the_target_as_they_get(side):
    for target in (1, side - 1, side, 200, 256, 512, 777, 1024, 2048):
        found = images.squares(side, target)
        assert found >= side and found % side == 0
        nearest = min(abs(factor * side - target) for factor in range(1, 100))
        assert abs(found - target) == nearest


@pytest.mark.parametrize(
    ("side", "target", "found"), [(28, 256, 252), (28, 1024, 1036), (64, 512, 512), (256, 64, 256)]
)
def test_a_picture_can_be_made_larger_in_whole_squares(side, target, found):
    picture = noise(side, side, 3)
    large = images.resize(picture, target, smooth=False)
    assert large.shape == (found, found, 3) and large.dtype == np.uint8
    np.testing.assert_array_equal(large, images.enlarge(picture, found // side))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", [100, 64, 17])
def test_a_picture_can_be_made_of_any_size_smoothly(target, channels):
    ramp = np.linspace(20, 220, 32).round().astype(np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (32, 32, channels)).copy()
    found = images.resize(picture, target, smooth=True)
    assert found.shape == (target, target, channels) and found.dtype == np.uint8
    middle = found[target // 2, target // 8 : -target // 8, 0].astype(int)
    assert (np.diff(middle) >= 0).all() and len(np.unique(middle)) > len(middle) * 0.8  # no squares in it
    assert abs(found.astype(int).mean() - picture.mean()) < 2
    assert abs(found.astype(int) - found[:1]).max() == 0  # rows stay as they are
