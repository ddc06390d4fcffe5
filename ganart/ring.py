"""The game at its smallest: eight clusters on a ring, a G and a D of a few thousand weights, seconds to play. It
shows what a recipe does, collapse among it (Srivastava et al. 2017, arXiv:1705.07761, section 5.1, use such a
ring).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganart import losses
from ganart.adam import Adam
from ganart.randomness import generator

CLUSTERS, RADIUS, SPREAD = 8, 2.0, 0.08
Z_DIM, WIDTH, BATCH = 2, 64, 64
SHOWN = 256  # points of G in each look
STEPS, LOOKS = 1500, 30
RECIPES = {  # name: (loss, beta1, beta2 of Adam)
    "first": ("bce", 0.9, 0.999),
    "calmer": ("bce", 0.5, 0.9),
    "pairs": ("rpgan", 0.5, 0.9),
}


@dataclass(frozen=True, eq=False)
class Game:
    """steps: at which it was looked. points: (looks, SHOWN, 2), where G put the same latents. covered: how many
    clusters at least one of a hundred of its points hit."""

    steps: list[int]
    points: np.ndarray
    covered: list[int]


def real(count: int, rng: np.random.Generator) -> np.ndarray:
    """Points of the ring, float32 (count, 2)."""
    angle = 2 * np.pi * rng.integers(0, CLUSTERS, count) / CLUSTERS
    middle = RADIUS * np.stack([np.cos(angle), np.sin(angle)], 1)
    return (middle + SPREAD * rng.standard_normal((count, 2))).astype(np.float32)


def clusters_hit(points: np.ndarray) -> int:
    """How many clusters have at least a hundredth of the points within four spreads of their middle."""
    angle = 2 * np.pi * np.arange(CLUSTERS) / CLUSTERS
    middles = RADIUS * np.stack([np.cos(angle), np.sin(angle)], 1)
    near = np.linalg.norm(points[:, None] - middles, axis=2) < 4 * SPREAD
    return int((near.mean(0) >= 0.01).sum())


def _network(sizes: list[int], source: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        layer = nn.Linear(before, after)
        with torch.no_grad():
            layer.weight.normal_(0, (2 / before) ** 0.5, generator=source)
            layer.bias.zero_()
        layers += [layer, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def play(
    recipe: str,
    steps: int = STEPS,
    looks: int = LOOKS,
    seed: int = 0,
    watch: Callable[[np.ndarray, int], None] = lambda points, covered: None,
) -> Game:
    """A game of so many steps, by one of RECIPES: the first paper's loss with Adam as it comes, the same with less
    momentum, or the relativistic loss with gradient penalties, as ganart's own recipes have it. The same every
    time.

    watch(points, clusters that they cover) is told of each look as it is taken.
    """
    kind, beta1, beta2 = RECIPES[recipe]
    source = torch.Generator().manual_seed(seed)
    G, D = _network([Z_DIM, WIDTH, WIDTH, 2], source), _network([2, WIDTH, WIDTH, 1], source)
    optimisers = [Adam(net.parameters(), 1e-3, (beta1, beta2)) for net in (G, D)]
    fixed = torch.from_numpy(generator(seed, "ring-look").standard_normal((SHOWN, Z_DIM), np.float32))
    every = max(1, steps // looks)
    when: list[int] = []
    seen: list[np.ndarray] = []
    covered: list[int] = []
    for step in range(steps + 1):
        if step % every == 0:
            with torch.no_grad():
                seen.append(G(fixed).numpy())
            when.append(step)
            covered.append(clusters_hit(seen[-1]))
            watch(seen[-1], covered[-1])
        rng = generator(seed, "ring", step)
        points = torch.from_numpy(real(BATCH, rng))
        z = torch.from_numpy(rng.standard_normal((2, BATCH, Z_DIM), np.float32))
        _step(optimisers[1], _loss_D(kind, D, points, G(z[0]).detach()))
        _step(optimisers[0], _loss_G(kind, D, points, G(z[1])))
    return Game(when, np.stack(seen), covered)


def _loss_D(kind: str, D: nn.Module, points: Tensor, fakes: Tensor) -> Tensor:
    if kind == "bce":
        return losses.bce_D(D(points)[:, 0], D(fakes)[:, 0])
    points, fakes = points.requires_grad_(), fakes.requires_grad_()
    of_real, of_fake = D(points)[:, 0], D(fakes)[:, 0]
    penalties = losses.gradient_penalty(of_real, points, 0.1) + losses.gradient_penalty(of_fake, fakes, 0.1)
    return losses.rpgan_D(of_real, of_fake) + penalties


def _loss_G(kind: str, D: nn.Module, points: Tensor, fakes: Tensor) -> Tensor:
    if kind == "bce":
        return losses.bce_G(D(fakes)[:, 0])
    return losses.rpgan_G(D(points)[:, 0], D(fakes)[:, 0])


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
