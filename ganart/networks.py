"""The two networks: G turns a latent vector into a picture, D tells pictures from the dataset from G's.

One family for every size. A 28 px pair is the one of the original MNIST article, layer by layer; the others
are the DCGAN of Radford et al. 2016 (arXiv:1511.06434) with 4x4 stride-2 kernels, which divide evenly and so
leave no checkerboard (distill.pub/2016/deconv-checkerboard).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganart.config import NetworkConfig
from ganart.randomness import keep_mask

MAX_WIDTH = 512
SLOPE = 0.2  # of the leaky ReLU in D


def base_side(size: int) -> int:
    """Side of the smallest feature map: 7 where 7 divides the size (28 px), else 4."""
    return 7 if size % 7 == 0 else 4


def doublings(size: int) -> int:
    """How many times the map doubles on its way from the smallest map to the picture."""
    return int(math.log2(size // base_side(size)))


def d_widths(config: NetworkConfig) -> list[int]:
    """Channels behind each convolution of D, from the picture inwards; G mirrors them."""
    return [min(MAX_WIDTH, config.width * 2**k) for k in range(doublings(config.size))]


class Generator(nn.Module):
    """z (N, z_dim) float32 -> pictures (N, channels, size, size) in [-1, 1].

    28 px: dense to 7x7x256, BatchNorm over all 12,544 features, a 5x5 transposed convolution that keeps the
    map's side, then two that double it. Other sizes: dense to 4x4, BatchNorm, then doublings.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.side = base_side(config.size)
        article = self.side == 7
        widths = d_widths(config)[::-1]
        first = min(MAX_WIDTH, 2 * widths[0]) if article else widths[0]
        features = first * self.side**2
        self.dense = nn.Linear(config.z_dim, features, bias=article)
        self.dense_norm = nn.BatchNorm1d(features) if article else nn.BatchNorm2d(first)
        channels = [first, *widths] if article else widths
        layers = []
        for index, (wide, narrow) in enumerate(zip(channels, [*channels[1:], config.channels], strict=True)):
            last = index == len(channels) - 1
            kernel, stride, padding = (5, 1, 2) if article and index == 0 else (4, 2, 1)
            # A bias in front of BatchNorm does nothing; the article's networks have them all the same.
            layers.append(nn.ConvTranspose2d(wide, narrow, kernel, stride, padding, bias=article or last))
            layers += [nn.Tanh()] if last else [nn.BatchNorm2d(narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        x = self.dense(z)
        if isinstance(self.dense_norm, nn.BatchNorm1d):
            x = self.dense_norm(x)
        x = x.view(len(z), -1, self.side, self.side)
        if isinstance(self.dense_norm, nn.BatchNorm2d):
            x = self.dense_norm(x)
        return self.layers(F.relu(x))


class Discriminator(nn.Module):
    """Pictures (N, channels, size, size) in [-1, 1] -> logits (N,), positive for "real".

    4x4 stride-2 convolutions down to G's smallest map, leaky ReLU, then one dense layer. In training with
    dropout the masks come from `rng`, so that a resumed run draws the same ones.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = d_widths(config)
        norm = config.d_norm == "batch"
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for index, (narrow, wide) in enumerate(zip([config.channels, *widths[:-1]], widths, strict=True)):
            normed = norm and index > 0
            self.convs.append(nn.Conv2d(narrow, wide, 4, 2, 1, bias=not normed))
            self.norms.append(nn.BatchNorm2d(wide) if normed else nn.Identity())
        self.dense = nn.Linear(widths[-1] * base_side(config.size) ** 2, 1)

    def forward(self, x: Tensor, rng: np.random.Generator | None = None) -> Tensor:
        """Raises ValueError in training with dropout and without `rng`."""
        drop = self.config.d_dropout if self.training else 0.0
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), SLOPE)
            if drop:
                if rng is None:
                    raise ValueError("D has dropout: training needs a generator for its masks")
                x = x * _dropout_mask(rng, x, drop)
        return self.dense(x.flatten(1)).squeeze(1)


def _dropout_mask(rng: np.random.Generator, x: Tensor, drop: float) -> Tensor:
    """1 / (1 - drop) where a value is kept, else 0; drawn in x's channels_last order."""
    batch, channels, height, width = x.shape
    keep = torch.from_numpy(keep_mask(rng, (batch, height, width, channels), drop)).to(x.device)
    return keep.to(x.dtype).mul_(1 / (1 - drop)).permute(0, 3, 1, 2)


def initialise(module: nn.Module, init: str, generator: torch.Generator) -> None:
    """Draw all weights anew, in place. Biases start at 0.

    "glorot": uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010), BatchNorm gains 1.
    "he": variance 2 / (fan_in (1 + 0.2²)), which keeps the signal's size through leaky ReLU (He et al. 2015).
    "normal": N(0, 0.02), BatchNorm gains N(1, 0.02) (Radford et al. 2016, section 4).
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if init == "glorot":
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            elif init == "he":
                nn.init.kaiming_normal_(layer.weight, SLOPE, generator=generator)
            else:
                nn.init.normal_(layer.weight, 0.0, 0.02, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            if init in ("glorot", "he"):
                nn.init.ones_(layer.weight)
            else:
                nn.init.normal_(layer.weight, 1.0, 0.02, generator=generator)
            nn.init.zeros_(layer.bias)


def parameter_count(module: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in module.parameters())
