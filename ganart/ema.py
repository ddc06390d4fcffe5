"""The average of G over the last thousands of pictures: steadier than any single G of the training.

Averages of GAN weights: Yazici et al. 2019 (arXiv:1806.04498).
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ganart.networks import Generator

RAMP = 0.05  # early on the half-life is at most this share of what was seen (Karras et al. 2020, StyleGAN2)


def decay(batch: int, half_life: float, seen: float) -> float:
    """Weight of the old average at a step of `batch` pictures; `half_life` and `seen` in pictures."""
    return 0.5 ** (batch / max(min(half_life, RAMP * seen), 1e-8))


@torch.no_grad()
def update(average: nn.Module, G: nn.Module, weight: float) -> None:
    """Move the average's parameters towards G's: average = weight * average + (1 - weight) * G."""
    torch._foreach_lerp_(list(average.parameters()), list(G.parameters()), 1 - weight)


@torch.no_grad()
def with_own_batchnorm(average: Generator, batches: Iterable[Tensor]) -> Generator:
    """A copy of the average, in eval mode, whose BatchNorm statistics are those of its own activations.

    The statistics of the training G do not fit averaged weights. `batches` are latents (N, z_dim).
    """
    G = copy.deepcopy(average)
    for layer in G.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over all batches
    G.train()
    for z in batches:
        G(z)
    return G.eval()
