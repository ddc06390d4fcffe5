"""A look inside the two networks: what each layer makes of one latent."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganart.networks import Discriminator, Generator

TOLD = (nn.ReLU, nn.Tanh)  # whose outputs are shown


@dataclass(frozen=True, eq=False)
class Stage:
    """What comes out of a layer: its name in words, and its maps, float32 (channels, height, width)."""

    name: str
    maps: np.ndarray


@torch.inference_mode()
def generator(G: Generator, z: np.ndarray) -> list[Stage]:
    """z (z_dim,) on its way to a picture: after the dense layer, after each doubling, the picture."""
    x = G.first(torch.from_numpy(z[None].copy()))
    found = [_stage("Dense layer, normalised, ReLU", x)]
    for layer in G.layers:
        before, x = x.shape[-1], layer(x)
        if x.shape[-1] == 2 * before:
            grown = "doubled"
        elif not isinstance(layer, TOLD):
            grown = grown if found and x.shape[-1] != found[-1].maps.shape[-1] else "same side"
        if isinstance(layer, nn.Tanh):
            found.append(_stage("Transposed convolution, tanh: the picture", x))
        elif isinstance(layer, nn.ReLU):
            found.append(_stage(f"Transposed convolution ({grown}), normalised, ReLU", x))
    return found


@torch.inference_mode()
def discriminator(D: Discriminator, picture: np.ndarray) -> tuple[list[Stage], float]:
    """A picture as G paints it, float32 (channels, size, size) in [-1, 1], on its way to a logit: after each
    convolution, and the logit; positive means "real". D is in eval mode and looks at one picture alone."""
    found: list[Stage] = []
    D = copy.deepcopy(D)  # other visitors look at theirs meanwhile, and would hear what is seen here

    def keep(index: int, output: Tensor) -> None:
        found.append(_stage(f"Convolution {index + 1} (halved), leaky ReLU", output))

    for index, norm in enumerate(D.norms):
        norm.register_forward_hook(
            lambda _, __, output, index=index: keep(index, torch.nn.functional.leaky_relu(output, 0.2))
        )
    count = D.config.pack * max(1, D.config.d_stddev)
    logits = D(torch.from_numpy(picture[None].copy()).repeat(count, 1, 1, 1))
    return found, float(logits[0])


def _stage(name: str, x: Tensor) -> Stage:
    return Stage(name, x[0].float().numpy().copy())


def as_pictures(maps: np.ndarray, most: int) -> np.ndarray:
    """The first `most` maps (channels, H, W) as grey pictures, uint8 (n, H, W, 1), each stretched to its range."""
    shown = maps[:most]
    low, high = (edge(shown, axis=(1, 2), keepdims=True) for edge in (np.min, np.max))
    return ((shown - low) / np.maximum(high - low, 1e-9) * 255).round().astype(np.uint8)[..., None]
