"""Pictures on the canvas of a film: how large, where, on what ground. Imports no torch."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ganart import images
from ganart.filmconfig import FilmConfig

USUAL_SIDE, MOST_SIDE = 512, 1024  # px, that a film comes near to, or has at most, where no size was asked for


@dataclass(frozen=True)
class Canvas:
    """width, height: of the file, px. inner: (width, height) of the pictures on it, in its middle."""

    width: int
    height: int
    inner: tuple[int, int]
    smooth: bool
    background: tuple[int, int, int]

    def place(self, picture: np.ndarray) -> np.ndarray:
        """uint8 (H, W, C) -> (height, width, C), or of 3 channels where the ground has a colour."""
        scaled = _scaled(picture, self.inner, self.smooth)
        if self.inner == (self.width, self.height):
            return scaled
        grey = len(set(self.background)) == 1
        channels = picture.shape[-1] if grey else 3
        canvas = np.empty((self.height, self.width, channels), np.uint8)
        canvas[:] = self.background[:channels]
        left, top = (self.width - self.inner[0]) // 2, (self.height - self.inner[1]) // 2
        canvas[top : top + self.inner[1], left : left + self.inner[0]] = scaled
        return canvas


def canvas(film: FilmConfig, width: int, height: int, most: int) -> Canvas:
    """The canvas for pictures of width x height px together. most: px, of the longer side where no size was asked
    for."""
    red, green, blue = bytes.fromhex(film.background)
    ground = red, green, blue
    if film.width:
        fit = min(film.width / width, film.height / height)
        # Squares are whole pixels wide, as long as there is room for one.
        factor = fit if film.smooth or fit < 1 else int(fit)
        inner = max(1, round(width * factor)), max(1, round(height * factor))
        return Canvas(film.width, film.height, inner, film.smooth, ground)
    longer = max(width, height)
    factor = images.best_scale(longer, min(USUAL_SIDE, most))
    inner = width * factor, height * factor
    if longer > most:  # even sides, for an MP4
        inner = 2 * round(width * most / longer / 2), 2 * round(height * most / longer / 2)
    return Canvas(*inner, inner, film.smooth, ground)


def _scaled(picture: np.ndarray, size: tuple[int, int], smooth: bool) -> np.ndarray:
    height, width = picture.shape[:2]
    if size == (width, height):
        return picture
    if not smooth and size[0] % width == 0 and size[1] % height == 0 and size[0] // width == size[1] // height:
        return images.enlarge(picture, size[0] // width)
    return images.from_pillow(images.to_pillow(picture).resize(size, Image.Resampling.LANCZOS))
