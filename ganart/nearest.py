"""Which training pictures lie nearest to painted ones: whether a network invents or copies. Imports no torch."""

import numpy as np

from ganart import images
from ganart.dataset import Dataset

MOST = 5000  # training pictures that are looked through
SIDE = 16


def nearest(painted: np.ndarray, store: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """For each painted picture, uint8 (N, S, S, C), the training picture nearest to it -> uint8 (N, S, S, C), and
    how far it is, (N,): mean difference of 16 px thumbnails, 0 … 255. Mirrored pictures count as well.

    Of more than MOST training pictures, so many are looked through, spread evenly.
    """
    pixels = store.images()
    places = np.unique(np.linspace(0, store.training - 1, min(store.training, MOST)).round().astype(int))
    factor = max(1, painted.shape[1] // SIDE)
    wanted = _thumbnails(painted, factor)
    best, where = np.full(len(painted), np.inf), np.zeros(len(painted), int)
    for some in np.array_split(places, max(1, len(places) // 500)):
        real = np.asarray(pixels[some])
        for candidates in (real, real[:, :, ::-1]):
            distances = np.abs(wanted[:, None] - _thumbnails(candidates, factor)).mean(-1)
            closest = distances.argmin(1)
            found = distances[np.arange(len(painted)), closest]
            better = found < best
            best[better], where[better] = found[better], some[closest[better]]
    return np.asarray(pixels[np.sort(where)])[np.argsort(np.argsort(where))], best


def _thumbnails(pictures: np.ndarray, factor: int) -> np.ndarray:
    return images.shrink(pictures, factor).reshape(len(pictures), -1).astype(np.float32)
