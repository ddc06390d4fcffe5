"""Pictures between their three forms: Pillow images, uint8 arrays (N, H, W, C), floats in [-1, 1].

`decode` makes squares of other people's files; everything else converts here. It imports no torch, so that a
process that only decodes starts fast.
"""

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ganart.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


def to_float(pictures: "Tensor") -> "Tensor":
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in [-1, 1]; the memory stays in NHWC order, which is torch's
    channels_last."""
    return pictures.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def to_uint8(pictures: "Tensor") -> np.ndarray:
    """float (N, C, H, W) in [-1, 1], on any device -> uint8 (N, H, W, C), rounded and clipped."""
    scaled = pictures.float().add(1.0).mul_(127.5).round_().clamp_(0, 255)
    return scaled.byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


def tile(pictures: np.ndarray, columns: int) -> np.ndarray:
    """uint8 (N, H, W, C) -> one sheet (rows*H, columns*W, C), row by row, without gaps; what stays empty of
    the last row is black."""
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, channels), np.uint8)
    sheet[:count] = pictures
    sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return sheet.reshape(rows * height, columns * width, channels)


def untile(sheet: np.ndarray, side: int) -> np.ndarray:
    """A sheet (rows*side, columns*side, C) -> its pictures, uint8 (rows*columns, side, side, C), row by row."""
    height, width, channels = sheet.shape
    rows, columns = height // side, width // side
    return sheet.reshape(rows, side, columns, side, channels).swapaxes(1, 2).reshape(-1, side, side, channels)


def enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    """uint8 (…, H, W, C) -> (…, factor*H, factor*W, C): every pixel becomes a square."""
    return picture.repeat(factor, axis=-3).repeat(factor, axis=-2)


def shrink(picture: np.ndarray, factor: int) -> np.ndarray:
    """uint8 (…, H, W, C) -> (…, H//factor, W//factor, C): every factor x factor square becomes its mean."""
    *others, height, width, channels = picture.shape
    rows, columns = height // factor, width // factor
    whole = picture[..., : rows * factor, : columns * factor, :]
    squares = whole.reshape(*others, rows, factor, columns, factor, channels)
    return (squares.mean((-4, -2)) + 0.5).astype(np.uint8)


def squares(side: int, target: int) -> int:
    """The side that a picture of `side` px has when each pixel becomes a square of whole pixels and all of it
    is as near to `target` px as it gets; never less than it has."""
    return side * max(1, round(target / side))


def resize(picture: np.ndarray, target: int, smooth: bool) -> np.ndarray:
    """uint8 (H, W, C), square -> a side of `target` px by Lanczos, or, not smooth, of whole squares."""
    if not smooth:
        return enlarge(picture, squares(picture.shape[0], target) // picture.shape[0])
    return from_pillow(to_pillow(picture).resize((target, target), Image.Resampling.LANCZOS))


def best_scale(side: int, target: int = 512) -> int:
    """The whole factor that brings a picture of `side` px nearest to `target` px without passing it."""
    return max(1, target // side)


def to_pillow(picture: np.ndarray) -> Image.Image:
    """uint8 (H, W, C), C 1 or 3 -> a Pillow image of mode L or RGB."""
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)


def from_pillow(image: Image.Image) -> np.ndarray:
    """A Pillow image of mode L or RGB -> uint8 (H, W, C)."""
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def encode(picture: np.ndarray, format: str = "PNG", **options: object) -> bytes:
    """uint8 (H, W, C) -> the bytes of a picture file."""
    buffer = io.BytesIO()
    to_pillow(picture).save(buffer, format, **options)
    return buffer.getvalue()


def read_png(data: bytes) -> np.ndarray:
    """The bytes of a PNG that ganart wrote -> uint8 (H, W, C). Raises ModelError where they are none."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return from_pillow(image.convert("L" if image.mode == "L" else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelError("A sheet of pictures is damaged. The model itself is not; go on as before.") from error
