"""Which training pictures lie nearest to painted ones: whether a network invents or copies. Imports no torch."""

import numpy as np

from ganart import images
from ganart.dataset import Dataset

SIDE = 16  # px of the thumbnails that are compared
CHUNK = 2000  # training pictures read at once


def nearest(painted: np.ndarray, store: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """For each painted picture, uint8 (N, S, S, C), the training picture nearest to it -> uint8 (N, S, S, C), and
    how far it is, (N,), as `search` has it."""
    places, distances = search(painted, store.images()[: store.training])
    return take(store, places), distances


def take(store: Dataset, places: np.ndarray) -> np.ndarray:
    """The pictures at these places of a store, in this order, (N, S, S, C)."""
    return np.stack([np.asarray(store.images()[place]) for place in places])


def search(
    pictures: np.ndarray, training: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For each picture, uint8 (N, S, S, C), the place of the nearest of the training pictures (M, S, S, C),
    mirrored or not, (N,), and how far it is, (N,): root mean square difference of their thumbnails, 0 … 255.

    own: (N,) for pictures of the training set themselves, their places there, which are passed over.
    """
    wanted = thumbnails(pictures)
    best, places = np.full(len(pictures), np.inf), np.zeros(len(pictures), int)
    for start in range(0, len(training), CHUNK):
        real = np.asarray(training[start : start + CHUNK])
        for candidates in map(thumbnails, (real, real[:, :, ::-1])):
            # All squared distances but for |wanted|^2, which is the same for each candidate of a picture.
            rough = (candidates**2).sum(1) - 2 * wanted @ candidates.T
            if own is not None:
                inside = np.flatnonzero((own >= start) & (own < start + len(real)))
                rough[inside, own[inside] - start] = np.inf
            closest = rough.argmin(1)
            exact = ((wanted - candidates[closest]) ** 2).mean(1)
            exact[np.isinf(rough[np.arange(len(rough)), closest])] = np.inf
            better = exact < best
            best[better], places[better] = exact[better], start + closest[better]
    return places, np.sqrt(best)


def thumbnails(pictures: np.ndarray) -> np.ndarray:
    """uint8 (N, S, S, C) -> float32 (N, D): the values at 16 px, or 14 where S is 28."""
    factor = max(1, pictures.shape[1] // SIDE)
    if pictures.shape[1] == 28:
        factor = 2
    return images.shrink(pictures, factor).reshape(len(pictures), -1).astype(np.float32)
