"""Pictures that tests make."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw(folder: Path, count: int, size: tuple[int, int] = (48, 40), first: int = 0) -> Path:
    """Puts so many different pictures into the folder, JPEG and PNG in turn -> the folder."""
    folder.mkdir(exist_ok=True)
    for index in range(first, first + count):
        rng = np.random.default_rng(index)
        coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8))
        suffix = "jpg" if index % 2 else "png"
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"picture-{index:03}.{suffix}")
    return folder
