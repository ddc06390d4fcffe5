"""Does a generator copy what it learned from? Told from the distances of pictures to the nearest training picture.

Each is (N,), as `nearest.search` has them: of fakes, and of held-out pictures, which cannot have been copied.
Imports no torch.
"""

import numpy as np

CELL = 60  # held-out pictures, about, to a cell
CELLS = 8
LEAST_FAKES = 20  # in a cell that counts, as in the article


def ratio(of_fake: np.ndarray, of_held_out: np.ndarray) -> float:
    """Median distance of fakes over that of held-out pictures. 1 where fakes lie no closer to what was learned
    than new real pictures do; 0 where every second one is a copy."""
    return float(np.median(of_fake) / max(np.median(of_held_out), 1e-9))


def statistic(
    held_out: np.ndarray,
    fake: np.ndarray,
    training: np.ndarray,
    of_held_out: np.ndarray,
    of_fake: np.ndarray,
) -> float:
    """C_T, in standard deviations: about 0 where fakes lie as far from the training pictures as held-out ones do,
    below -3 where some are closer, so that they are copied, above 3 where they stay away (Meehan et al. 2020,
    arXiv:2004.05675, section 4).

    held_out, fake, training: points (N, D), to divide the space into cells by k-means on the training ones. In
    each cell the distances are compared by a Mann-Whitney test; the mean over the cells is weighted by their share
    of held-out pictures, and cells with hardly a fake are left out.
    """
    centres = _kmeans(training, max(1, min(CELLS, len(held_out) // CELL)))
    cell_held_out, cell_fake = _nearest(held_out, centres), _nearest(fake, centres)
    total = weight = 0.0
    for cell in range(len(centres)):
        a, b = of_held_out[cell_held_out == cell], of_fake[cell_fake == cell]
        if len(a) and len(b) >= min(LEAST_FAKES, len(fake) / len(centres)):
            total += len(a) * mann_whitney(a, b)
            weight += len(a)
    return total / weight if weight else mann_whitney(of_held_out, of_fake)


def mann_whitney(a: np.ndarray, b: np.ndarray) -> float:
    """How often a value of b is larger than one of a, as standard deviations from the half that is expected where
    both are from one source (Mann and Whitney 1947); ties count half."""
    larger = (b > a[:, None]).sum() + (b == a[:, None]).sum() / 2
    pairs = len(a) * len(b)
    return float((larger - pairs / 2) / np.sqrt(pairs * (len(a) + len(b) + 1) / 12))


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((centres**2).sum(1) - 2 * points @ centres.T).argmin(1)


def _kmeans(points: np.ndarray, count: int, rounds: int = 20) -> np.ndarray:
    """Centres (count, D) by Lloyd's rounds, from points that lie evenly in the order they came in."""
    centres = points[np.linspace(0, len(points) - 1, count).round().astype(int)].copy()
    for _ in range(rounds):
        nearest = _nearest(points, centres)
        for index in np.unique(nearest):
            centres[index] = points[nearest == index].mean(0)
    return centres
