"""How alike pictures of one set are: multi-scale structural similarity of random pairs."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganart import images
from ganart.randomness import generator

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, finest first
WINDOW, SPREAD = 11, 1.5  # px
K1, K2 = 0.01, 0.03


def scales(side: int) -> int:
    """On how many scales pictures of that side are compared: up to five, the window has to fit into the
    coarsest."""
    return max(1, min(len(WEIGHTS), int(np.log2(side / WINDOW)) + 1))


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Similarity of each picture of a to the one of b, (N, C, S, S) in [-1, 1] -> (N,), 1 for equal ones
    (Wang, Simoncelli and Bovik 2003). Of fewer than five scales the weights are scaled up to add to 1. S is 11 or
    more."""
    count = scales(a.shape[2])
    a, b = a + 1, b + 1  # its brightness term counts from black on
    weights = torch.tensor(WEIGHTS[:count]) / sum(WEIGHTS[:count])
    found = torch.ones(a.shape[:2])
    for index in range(count):
        similarity, contrast = _ssim(a, b)
        last = index == count - 1
        found = found * (similarity if last else contrast).clamp_min(0) ** weights[index]
        if not last:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return found.mean(1)


def _ssim(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its part of contrast and structure, each (N, C), the mean over the map."""
    c1, c2 = (2 * K1) ** 2, (2 * K2) ** 2  # values span 2
    mean_a, mean_b = _window(a), _window(b)
    var_a, var_b = _window(a * a) - mean_a**2, _window(b * b) - mean_b**2
    both = _window(a * b) - mean_a * mean_b
    contrast = (2 * both + c2) / (var_a + var_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (luminance * contrast).mean((2, 3)), contrast.mean((2, 3))


def _window(pictures: Tensor) -> Tensor:
    """Gaussian mean of each 11x11 window that lies inside the picture."""
    at = torch.arange(WINDOW, dtype=pictures.dtype) - WINDOW // 2
    row = torch.exp(-(at**2) / (2 * SPREAD**2))
    row = (row / row.sum()).expand(pictures.shape[1], 1, 1, WINDOW)
    across = F.conv2d(pictures, row, groups=len(row))
    return F.conv2d(across, row.transpose(2, 3), groups=len(row))


def likeness(pictures: np.ndarray, pairs: int = 1000, seed: int = 0) -> float:
    """Mean similarity of random pairs of different pictures, uint8 (N, S, S, C), N 2 or more: the higher beside
    that of real pictures, the less the set varies (Odena et al. 2017, arXiv:1610.09585)."""
    rng = generator(seed, "pairs")
    first = rng.integers(0, len(pictures), pairs)
    second = (first + rng.integers(1, len(pictures), pairs)) % len(pictures)

    def floats(chosen: np.ndarray) -> Tensor:  # of a part at a time: of all they would take gigabytes
        return images.to_float(torch.from_numpy(np.array(pictures[chosen]))).contiguous()

    parts = [ms_ssim(floats(first[i : i + 100]), floats(second[i : i + 100])) for i in range(0, pairs, 100)]
    return torch.cat(parts).mean().item()
