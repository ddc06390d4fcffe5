"""Measures how good a generator is, beside what real pictures reach in its place."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganart import (
    checkpoint,
    copying,
    dataset,
    evaluation,
    images,
    latent,
    metrics,
    nearest,
    neighbours,
    render,
    ssim,
)
from ganart.dataset import Dataset
from ganart.errors import ModelError
from ganart.evaluation import Figure
from ganart.files import write_atomic
from ganart.jobs import Progress
from ganart.networks import Generator
from ganart.randomness import generator

MOST = 1000  # pictures on each side
DRAWS = 4  # sets of fakes, and of training pictures, that a figure is the mean of
FIRST_SEED = 2_000_000  # of the pictures that are measured
CELLS_FROM = 5000  # training pictures that the cells of the copying statistic are made from
PAIRS = 6  # closest pairs that are shown


def measure(
    G: Generator, store: Dataset, progress: Progress | None = None
) -> tuple[dict[str, Figure], np.ndarray, np.ndarray]:
    """All figures of `evaluation.METRICS`, and the closest pairs: fakes (6, S, S, C) and the training picture
    nearest to each, (6, S, S, C).

    With held-out pictures, they are the real side, and as many training pictures take the fakes' place for the
    floor. Without, one half of the training pictures is compared with fakes, and with the other half for the
    floor. Raises DatasetError where the pictures are too few or of another form.
    """
    evaluation.check(G.config, store)
    real, sets = _real_sides(store)
    n = len(real)
    z = latent.sample_z(list(range(FIRST_SEED, FIRST_SEED + n * len(sets))), G.config.z_dim)
    painted = render.pictures(G, z)
    fakes = painted.reshape(-1, *real.shape)
    real_features, total = metrics.features(real), 2 * len(sets) + 1
    compared = []
    for others in [*(pictures for _, pictures in sets), *fakes]:
        compared.append(compare(real, others, real_features))
        if progress:
            progress(len(compared), total)
    values = {}
    for name in compared[0]:
        floor, value = np.mean(np.reshape([found[name] for found in compared], (2, -1)), 1)
        values[name] = Figure(float(value), float(floor), n)
    values["ms_ssim"] = Figure(ssim.likeness(painted), ssim.likeness(real), n)
    copied, closest, originals = _copying(painted, real, sets[0], store)
    if progress:
        progress(total, total)
    return values | copied, closest, originals


def _real_sides(store: Dataset) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """The real side (n, S, S, C), and up to DRAWS others of the same size from the training pictures: (places,
    pictures)."""
    pixels, order = store.images(), generator(0, "evaluate").permutation(store.training)
    if store.held_out:
        # Drawn, not every tenth: pictures may come in an order that such a step would fall in with.
        places = store.training + generator(0, "evaluate", 1).permutation(store.held_out)
    else:
        places, order = np.array_split(order, 2)
    n = min(len(places), len(order), MOST)
    draws = min(DRAWS, len(order) // n)
    sets = [np.sort(order[k * n : (k + 1) * n]) for k in range(draws)]
    return np.asarray(pixels[np.sort(places[:n])]), [(some, np.asarray(pixels[some])) for some in sets]


def compare(real: np.ndarray, other: np.ndarray, real_features: list[Tensor]) -> dict[str, float]:
    """The figures that two sets of one size have, uint8 (N, S, S, C). real_features: `metrics.features(real)`."""
    levels = metrics.sliced_wasserstein(real, other)
    features = metrics.features(other)
    distance = metrics.kernel_distance_of(real_features, features)
    found = {"swd": float(np.mean(list(levels.values()))), "kid_rf": distance}
    a, b = metrics.standardised(torch.cat(real_features, 1), torch.cat(features, 1))
    found["density"], found["coverage"] = neighbours.density_and_coverage(a, b)
    found["nn_accuracy_real"], found["nn_accuracy_fake"] = neighbours.two_sample_accuracy(a, b)
    return found


def _copying(
    painted: np.ndarray, real: np.ndarray, inner: tuple[np.ndarray, np.ndarray], store: Dataset
) -> tuple[dict[str, Figure], np.ndarray, np.ndarray]:
    """The two figures on copies, and the closest pairs among all painted pictures.

    inner: places and pixels of training pictures, which are each compared with all the others: for the floor, and,
    where no pictures were held out, in their place.
    """
    training, n = store.images()[: store.training], len(real)
    places, pictures = inner
    _, of_inner = nearest.search(pictures, training, own=places)
    where, of_painted = nearest.search(painted, training)
    outer, of_outer = pictures, of_inner
    if store.held_out:
        outer, of_outer = real, nearest.search(real, training)[1]
    some = np.linspace(0, store.training - 1, min(CELLS_FROM, store.training)).round().astype(int)
    of_fake, of_cells = of_painted[:n], nearest.thumbnails(np.asarray(training[np.unique(some)]))
    points = [nearest.thumbnails(pixels) for pixels in (outer, painted[:n], pictures)]
    figures = {
        "nn_ratio": Figure(copying.ratio(of_fake, of_outer), copying.ratio(of_inner, of_outer), n),
        "c_t": Figure(
            copying.statistic(points[0], points[1], of_cells, of_outer, of_fake),
            copying.statistic(points[0], points[2], of_cells, of_outer, of_inner),
            n,
        ),
    }
    # In proportion to how far each training picture is from its own kind: else flat pictures are nearest to all.
    usual = nearest.search(nearest.take(store, where), training, own=where)[1]
    closest = (of_painted / np.maximum(usual, 1e-9)).argsort()[:PAIRS]
    return figures, painted[closest], nearest.take(store, where[closest])


def work(request: dict, folder: Path, progress: Progress) -> dict:
    """The job: measures a model, and leaves the closest pairs beside the result as `pairs.png`."""
    store = dataset.find(request["dataset"], request["dataset_hash"])
    G, card = checkpoint.load_generator(Path(request["model"]))
    if card.hash != request["hash"]:
        raise ModelError("The model has changed since. Ask again.")
    figures, fakes, originals = measure(G, store, progress)
    write_atomic(folder / "pairs.png", images.encode(images.tile(np.concatenate([fakes, originals]), len(fakes))))
    return {
        "figures": {name: vars(figure) for name, figure in figures.items()},
        "dataset": store.name,
        "held_out": bool(store.held_out),
        "features": metrics.FEATURES,
    }
