"""The two networks: G turns a latent vector into a picture, D tells pictures from the dataset from G's.

One family for every size. The 28 px pair, which the code calls that of the article, is layer by layer the one of
Flux's DCGAN for MNIST (github.com/FluxML/model-zoo, vision/dcgan_mnist; there with 100 latent values). The others
are the DCGAN of Radford et al. 2016 (arXiv:1511.06434) with 4x4 stride-2 kernels, which divide evenly and so leave
no checkerboard (distill.pub/2016/deconv-checkerboard).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganart.config import NetworkConfig
from ganart.convolution import Double, halve
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
        article, normed = self.side == 7, config.g_norm == "batch"
        widths = d_widths(config)[::-1]
        first = min(MAX_WIDTH, 2 * widths[0]) if article else widths[0]
        features = first * self.side**2
        self.dense = nn.Linear(config.z_dim, features, bias=article or not normed)
        self.dense_norm: nn.BatchNorm1d | nn.BatchNorm2d | nn.Identity
        if normed:
            self.dense_norm = nn.BatchNorm1d(features) if article else nn.BatchNorm2d(first)
        else:
            self.dense_norm = nn.Identity()
        layers = []
        if article:
            # A bias in front of BatchNorm does nothing; the article's networks have them all the same.
            layers += [nn.ConvTranspose2d(first, widths[0], 5, 1, 2), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for index, (wide, narrow) in enumerate(zip(widths, [*widths[1:], config.channels], strict=True)):
            last = index == len(widths) - 1
            bias = article or last or not normed
            if config.upsample == "nearest":
                layers += [nn.Upsample(scale_factor=2), nn.Conv2d(wide, narrow, 3, 1, 1, bias=bias)]
            else:
                layers.append(Double(wide, narrow, bias=bias))
            if last:
                layers.append(nn.Tanh())
            else:
                layers += [*([nn.BatchNorm2d(narrow)] if normed else []), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(self.first(z))

    def first(self, z: Tensor) -> Tensor:
        """What the dense layer makes of z: its smallest maps, (N, channels, side, side)."""
        x = self.dense(z)
        if isinstance(self.dense_norm, nn.BatchNorm1d):
            x = self.dense_norm(x)
        x = x.view(len(z), -1, self.side, self.side)
        if isinstance(self.dense_norm, nn.BatchNorm2d):
            x = self.dense_norm(x)
        return F.relu(x)


class Discriminator(nn.Module):
    """Pictures (N, channels, size, size) in [-1, 1] -> logits (N / pack,), positive for "real".

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
        for index, (narrow, wide) in enumerate(
            zip([config.channels * config.pack, *widths[:-1]], widths, strict=True)
        ):
            normed = norm and index > 0
            self.convs.append(nn.Conv2d(narrow, wide, 4, 2, 1, bias=not normed))
            self.norms.append(nn.BatchNorm2d(wide) if normed else nn.Identity())
        for _ in range(config.d_extra):
            wide = min(MAX_WIDTH, 2 * widths[-1])
            self.convs.append(nn.Conv2d(widths[-1], wide, 3, 1, 1, bias=not norm))
            self.norms.append(nn.BatchNorm2d(wide) if norm else nn.Identity())
            widths.append(wide)
        self.dense = nn.Linear((widths[-1] + (config.d_stddev > 0)) * base_side(config.size) ** 2, 1)
        if config.d_norm == "spectral":
            for index, layer in enumerate([*self.convs, self.dense]):
                self.register_buffer(f"u{index}", F.normalize(torch.ones(len(layer.weight)), dim=0))

    def forward(self, x: Tensor, rng: np.random.Generator | None = None) -> Tensor:
        """Raises ValueError in training with dropout and without `rng`, and where the number of pictures is no
        multiple of those that are looked at together."""
        drop = self.config.d_dropout if self.training else 0.0
        x = pack(x, self.config.pack)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            assert isinstance(conv, nn.Conv2d)
            weight = self._weight(conv, index)
            x = halve(x, weight, conv.bias) if conv.stride == (2, 2) else F.conv2d(x, weight, conv.bias, 1, 1)
            x = F.leaky_relu(norm(x), SLOPE)
            if drop:
                if rng is None:
                    raise ValueError("D has dropout: training needs a generator for its masks")
                x = x * _dropout_mask(rng, x, drop)
        if self.config.d_stddev:
            x = torch.cat([x, minibatch_stddev(x, self.config.d_stddev)], 1)
        return F.linear(x.flatten(1), self._weight(self.dense, len(self.convs)), self.dense.bias).squeeze(1)

    def _weight(self, layer: nn.Conv2d | nn.Linear, index: int) -> Tensor:
        if self.config.d_norm != "spectral":
            return layer.weight
        u = getattr(self, f"u{index}")
        weight, new = spectral_norm(layer.weight, u)
        if self.training:
            with torch.no_grad():
                u.copy_(new)
        return weight


def pack(pictures: Tensor, count: int) -> Tensor:
    """(N, C, H, W) -> (N / count, count C, H, W): neighbours become one picture of more channels, so that D sees
    whether G draws the same again and again (Lin et al. 2018, PacGAN, arXiv:1712.04086)."""
    if count == 1:
        return pictures
    if len(pictures) % count:
        raise ValueError(f"{len(pictures)} pictures cannot be packed by {count}")
    return pictures.reshape(-1, count * pictures.shape[1], *pictures.shape[2:])


def minibatch_stddev(x: Tensor, group: int) -> Tensor:
    """(N, C, H, W) -> (N, 1, H, W): for each group of neighbours one number, the mean over channels and places of
    the standard deviation within the group (Karras et al. 2018, arXiv:1710.10196, section 3)."""
    if len(x) % group:
        raise ValueError(f"{len(x)} feature maps cannot be grouped by {group}")
    groups = x.float().reshape(-1, group, *x.shape[1:])
    deviation = (groups.var(1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.to(x.dtype).repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])


def spectral_norm(weight: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The weight (O, …), divided by its largest singular value as one power iteration from u (O,) finds it, and
    the new u. The singular vectors count as constants (Miyato et al. 2018, arXiv:1802.05957, algorithm 1)."""
    with torch.autocast(weight.device.type, enabled=False):
        matrix = weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(matrix.T @ u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
        return weight / (u @ (matrix @ v)), u


def _dropout_mask(rng: np.random.Generator, x: Tensor, drop: float) -> Tensor:
    """1 / (1 - drop) where a value is kept, else 0; drawn in x's channels_last order."""
    batch, channels, height, width = x.shape
    keep = torch.from_numpy(keep_mask(rng, (batch, height, width, channels), drop)).to(x.device)
    return keep.to(x.dtype).mul_(1 / (1 - drop)).permute(0, 3, 1, 2)


def initialise(module: nn.Module, init: str, generator: torch.Generator) -> None:
    """Draw all weights anew, in place. Biases start at 0.

    "glorot": uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010), BatchNorm gains 1.
    "he": variance 2 / (fan_in (1 + 0.2²)), which keeps the signal's size through leaky ReLU (He et al. 2015); a
        transposed convolution's fan_in is that of each of its output pixels.
    "normal": N(0, 0.02), BatchNorm gains N(1, 0.02) (Radford et al. 2016, section 4).
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if init == "glorot":
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            elif init == "he":
                fan_in: float = layer.weight[0].numel()
                if isinstance(layer, nn.ConvTranspose2d):  # (in, out, k, k), and stride² pixels share the kernel
                    fan_in = layer.weight[:, 0].numel() / (layer.stride[0] * layer.stride[1])
                nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / (1 + SLOPE**2) / fan_in), generator=generator)
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
