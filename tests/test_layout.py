"""The canvas of a film: how large, where the pictures lie on it, on what ground."""

import numpy as np
import pytest
from PIL import Image

from ganart import images, layout
from ganart.filmconfig import FilmConfig, Keyframe

PICTURE = np.random.default_rng(0).integers(1, 255, (28, 28, 3), np.uint8)
GREY = PICTURE[..., :1]


def film(**settings: object) -> FilmConfig:
    return FilmConfig("circle", (Keyframe("3"),), **settings)


def canvas(picture: np.ndarray = PICTURE, most: int = 1024, **settings: object) -> layout.Canvas:
    return layout.canvas(film(**settings), picture.shape[1], picture.shape[0], most)


@pytest.mark.parametrize(
    ("width", "height", "most", "sides"),
    [
        (28, 28, 1024, (504, 504)),
        (64, 64, 1024, (512, 512)),
        (256, 256, 1024, (512, 512)),
        (28 * 6, 28 * 6, 1024, (504, 504)),
        (64 * 3, 64 * 2, 1024, (384, 256)),
        (600, 300, 1024, (600, 300)),
        (64, 64, 256, (256, 256)),
        (1536, 1536, 1024, (1024, 1024)),
        (3072, 1536, 1024, (1024, 512)),
    ],
)
def test_where_no_size_was_asked_for_it_is_about_512_px_and_never_too_large(width, height, most, sides):
    found = layout.canvas(film(), width, height, most)
    assert (found.width, found.height) == found.inner == sides


def test_pictures_that_must_shrink_get_even_sides_for_an_mp4():
    for rows in range(1, 13):
        for columns in range(1, 13):
            for side in (28, 128, 256):
                found = layout.canvas(film(), columns * side, rows * side, 1024)
                assert found.width % 2 == found.height % 2 == 0 and max(found.inner) <= 1024
                assert found.width / found.height == pytest.approx(columns / rows, rel=0.02)


@pytest.mark.parametrize("picture", [PICTURE, GREY])
def test_every_pixel_becomes_a_square_in_the_middle_of_the_ground(picture):
    found = canvas(picture, width=100, height=120, background="808080")
    assert found.inner == (84, 84)
    placed = found.place(picture)
    assert placed.shape == (120, 100, picture.shape[-1]) and placed.dtype == np.uint8
    np.testing.assert_array_equal(placed[18:102, 8:92], images.enlarge(picture, 3))
    around = np.ones((120, 100), bool)
    around[18:102, 8:92] = False
    assert (placed[around] == 128).all()


def test_a_coloured_ground_makes_grey_pictures_coloured():
    placed = canvas(GREY, width=100, height=56, background="0a64ff").place(GREY)
    assert placed.shape == (56, 100, 3)
    assert (placed[:, :22] == (10, 100, 255)).all() and (placed[:, 78:] == (10, 100, 255)).all()
    np.testing.assert_array_equal(placed[:, 22:78], images.enlarge(GREY, 2).repeat(3, -1))


def test_smooth_pictures_fill_what_they_can():
    found = canvas(width=100, height=120, smooth=True)
    assert found.inner == (100, 100)
    placed = found.place(PICTURE)
    scaled = Image.fromarray(PICTURE).resize((100, 100), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(placed[10:110], np.asarray(scaled))
    assert not placed[:10].any() and not placed[110:].any()


@pytest.mark.parametrize("smooth", [False, True])
def test_pictures_larger_than_the_canvas_shrink_to_fit(smooth):
    large = images.enlarge(PICTURE, 4)  # 112 px
    placed = canvas(large, width=56, height=32, smooth=smooth).place(large)
    scaled = Image.fromarray(large).resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(placed[:, 12:44], np.asarray(scaled))
    assert not placed[:, :12].any() and not placed[:, 44:].any()


def test_a_long_row_of_pictures_is_never_less_than_a_pixel_high():
    row = np.full((16, 16 * 300, 3), 200, np.uint8)
    placed = canvas(row, width=16, height=16).place(row)
    assert placed.shape == (16, 16, 3) and (placed.max(-1).max(1) > 0).sum() == 1


def test_pictures_of_the_size_of_the_canvas_stay_as_they_are():
    for picture in (PICTURE, GREY):
        np.testing.assert_array_equal(canvas(picture, width=28, height=28).place(picture), picture)
