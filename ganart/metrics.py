"""How near a set of pictures is to another, without any downloaded network.

Both figures compare samples, so each means something only beside its floor: the same figure between two sets of
real pictures of the same size. Pictures are uint8 (N, S, S, C); both sets have the same number of them.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganart import images
from ganart.randomness import generator

PATCH, PATCHES, DIRECTIONS = 7, 32, 512  # side in px; for each picture; in all
SMALLEST = 16  # side of the coarsest level of a pyramid, in px
FEATURES = "random-conv-1"  # names the random networks; their figures are comparable under one name alone
NETWORKS = 3


def _floats(pictures: np.ndarray) -> Tensor:
    return images.to_float(torch.from_numpy(np.array(pictures))).contiguous()


def _check(real: np.ndarray, fake: np.ndarray) -> None:
    if real.shape != fake.shape or len(real) < 2:
        raise ValueError(f"two sets of the same form are needed, not {real.shape} and {fake.shape}")


# --- sliced Wasserstein distance


def _blur(pictures: Tensor) -> Tensor:
    channels = pictures.shape[1]
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = (row[:, None] * row).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(pictures, (2, 2, 2, 2), mode="reflect"), kernel, groups=channels)


def laplacian_pyramid(pictures: Tensor) -> list[Tensor]:
    """(N, C, S, S) -> what each halving takes away, finest first, and the 16 px picture that is left (Burt and
    Adelson 1983). They add up to the pictures again when the coarser ones are enlarged."""
    levels = []
    while pictures.shape[2] >= 2 * SMALLEST:
        small = _blur(pictures)[:, :, ::2, ::2]
        levels.append(pictures - _enlarged(small, pictures.shape[2]))
        pictures = small
    return [*levels, pictures]


def _enlarged(small: Tensor, side: int) -> Tensor:
    """Twice the side, each second pixel where `_blur` took it from, its neighbours halfway between."""
    wider = F.pad(small, (0, 1, 0, 1), mode="replicate")
    return F.interpolate(wider, size=(side + 1, side + 1), mode="bilinear", align_corners=True)[..., :side, :side]


def _patches(level: Tensor, seed: int) -> Tensor:
    """(N, C, S, S) -> (N * 32, C, 49): patches of 7x7 at places drawn from the seed, with repetition."""
    count, _, side, _ = level.shape
    rng = generator(seed, "patches", side)
    corners = torch.from_numpy(rng.integers(0, side - PATCH + 1, (count, PATCHES, 2)))
    grid = torch.arange(PATCH)
    rows = (corners[..., :1, None] + grid[:, None]).expand(-1, -1, PATCH, PATCH)  # (N, 32, 7, 7)
    columns = (corners[..., 1:, None] + grid).expand(-1, -1, PATCH, PATCH)
    found = level.permute(0, 2, 3, 1)[torch.arange(count)[:, None, None, None], rows, columns]  # (N, 32, 7, 7, C)
    return found.flatten(0, 1).flatten(1, 2).transpose(1, 2)


def sliced_wasserstein(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> dict[str, float]:
    """{side of the level in px: distance x 1000}, finest level first: mean distance of the sorted projections
    of 7x7 patches onto random directions (Karras et al. 2018, arXiv:1710.10196, section 5).

    Both sets are scaled by the mean and deviation of the real one, so that a shift of all colours counts.
    """
    _check(real, fake)
    found = {}
    for one, other in zip(laplacian_pyramid(_floats(real)), laplacian_pyramid(_floats(fake)), strict=True):
        side = one.shape[2]
        a, b = _patches(one, seed), _patches(other, seed)
        mean, deviation = a.mean((0, 2), keepdim=True), a.std((0, 2), keepdim=True) + 1e-8
        a, b = ((patches - mean).div(deviation).flatten(1) for patches in (a, b))
        drawn = generator(seed, "directions", side).standard_normal((a.shape[1], DIRECTIONS), np.float32)
        directions = F.normalize(torch.from_numpy(drawn), dim=0)
        distances = [np.abs(_sorted(a, some) - _sorted(b, some)).mean() for some in directions.split(64, 1)]
        found[str(side)] = 1000 * float(np.mean(distances))
    return found


def _sorted(points: Tensor, directions: Tensor) -> np.ndarray:
    return np.sort((directions.T @ points.T).numpy(), axis=1)  # several times faster than torch's sort


# --- kernel distance on random features


def random_features(pictures: np.ndarray, seed: int) -> Tensor:
    """(N, S, S, C) -> (N, D): means and deviations over the map of every layer of an untrained network, its
    weights drawn from the seed (random embeddings: Naeem et al. 2020, arXiv:2002.09797)."""
    rng = generator(seed, FEATURES)
    channels, weights = pictures.shape[3], []
    for wide in (32, 64, 96, 128):
        values = rng.standard_normal((wide, channels, 3, 3), np.float32) * math.sqrt(2 / (9 * channels))
        weights.append(torch.from_numpy(values))
        channels = wide
    found = []
    for x in _floats(pictures).split(256):
        features = []
        for index, weight in enumerate(weights):
            x = F.leaky_relu(F.conv2d(x, weight, stride=1 if index == 0 else 2, padding=1), 0.2)
            features += [x.mean((2, 3)), x.std((2, 3))]
        found.append(torch.cat(features, 1))
    return torch.cat(found)


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Squared maximum mean discrepancy x 1000 of random features, without bias: near 0, also a little below,
    where both sets come from one source (the KID of Bińkowski et al. 2018, arXiv:1801.01401, with random
    networks, the mean over three of them, in place of Inception: not comparable with figures that used it).
    """
    _check(real, fake)
    return kernel_distance_of(features(real), features(fake))


def features(pictures: np.ndarray) -> list[Tensor]:
    """Random features of each of the NETWORKS networks, (N, D)."""
    return [random_features(pictures, seed) for seed in range(NETWORKS)]


def kernel_distance_of(real: list[Tensor], fake: list[Tensor]) -> float:
    """`kernel_distance` of sets whose features are known already."""
    pairs = [standardised(*pair) for pair in zip(real, fake, strict=True)]
    return 1000 * sum(_mmd(a.double(), b.double()) for a, b in pairs) / len(pairs)


def error_of(real: list[Tensor], fake: list[Tensor]) -> float:
    """The standard error of `kernel_distance_of` that is due to the fakes, which other latents would have made
    others: by the jackknife, from what it is without each of them (Efron 1982, doi:10.1137/1.9781611970319).
    Takes 3 fakes or more."""
    pairs = [standardised(*pair) for pair in zip(real, fake, strict=True)]
    without = 1000 * torch.stack([_without_each(a.double(), b.double()) for a, b in pairs]).mean(0)
    return ((len(without) - 1) * without.var(correction=0)).sqrt().item()


def standardised(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both (N, D), by the mean and the deviation of the real features."""
    deviation = real.std(0)
    # A feature that hardly differs between real pictures must not outweigh all others.
    deviation = deviation.clamp_min(max(1e-6, 0.1 * deviation.median().item()))
    return (real - real.mean(0)) / deviation, (fake - real.mean(0)) / deviation


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _without_each(a: Tensor, b: Tensor) -> Tensor:
    """What differs in `_mmd` without each of b, (N,): its parts that b has no part in are left out."""
    count, bb, ab = len(b), _kernel(b, b), _kernel(a, b)
    bb.fill_diagonal_(0)
    within = (bb.sum() - 2 * bb.sum(0)) / ((count - 1) * (count - 2))
    return within - 2 * (ab.sum() - ab.sum(0)) / (len(a) * (count - 1))


def _mmd(a: Tensor, b: Tensor) -> float:
    count = len(a)
    aa, bb, ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    within = (aa.sum() - aa.diagonal().sum() + bb.sum() - bb.diagonal().sum()) / (count * (count - 1))
    return (within - 2 * ab.mean()).item()
