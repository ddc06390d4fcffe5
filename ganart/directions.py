"""Directions in the latent space that change much of the picture, found in G itself, without labels.

Each set is (count, z_dim) float32: orthonormal rows, the one that changes most first, the same ones every time.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ganart import latent
from ganart.errors import ModelError
from ganart.networks import Generator

SAMPLES = 1024  # latents whose activations are looked at
FIRST_SEED = 3_000_000  # of these latents


def sefa(G: Generator, count: int) -> np.ndarray:
    """The right singular vectors of G's first layer, with the scale that its BatchNorm gives each output: a step
    along the first moves that layer's output farthest (SeFa: Shen and Zhou 2021, arXiv:2007.06600, equation 5,
    there as the eigenvectors of its transposed weights times its weights).

    count: at most z_dim of them. G is in eval mode. Raises ModelError where its numbers run over.
    """
    weight = G.dense.weight.detach().double().cpu()  # (features, z_dim)
    norm = G.dense_norm
    if not isinstance(norm, nn.Identity):
        scale = (norm.weight / torch.sqrt(norm.get_buffer("running_var") + norm.eps)).detach().double().cpu()
        weight = weight * scale.repeat_interleave(len(weight) // len(scale))[:, None]
    _check_finite(weight)
    # Of a tall matrix the eigenvectors are the cheaper way to the same vectors.
    _, vectors = torch.linalg.eigh(weight.T @ weight)
    return _signed(vectors.T.flip(0)[:count].numpy())


def ganspace(G: Generator, count: int) -> np.ndarray:
    """The principal components of what is active behind G's second layer, brought back to latents by least squares
    (GANSpace: Härkönen et al. 2020, arXiv:2004.02546, section 2.2), and made orthonormal in their order.

    count: at most z_dim of them. G is in eval mode. Raises ModelError where its numbers run over.
    """
    z = latent.sample_z(list(range(FIRST_SEED, FIRST_SEED + SAMPLES)), G.config.z_dim)
    active = torch.cat([_activations(G, torch.from_numpy(part)) for part in np.array_split(z, SAMPLES // 64)])
    active = (active - active.mean(0)).double()
    _check_finite(active)
    # With fewer samples than features, the eigenvectors among samples are the coordinates along the components.
    _, vectors = torch.linalg.eigh(active @ active.T)
    coordinates = vectors.flip(1)[:, : min(count, G.config.z_dim)]
    moves = torch.linalg.lstsq(coordinates, torch.from_numpy(z).double()).solution  # (count, z_dim)
    rows, upper = torch.linalg.qr(moves.T)
    return _signed((rows * upper.diagonal().sign()).T.numpy())


def _check_finite(values: Tensor) -> None:
    if not torch.isfinite(values).all():  # weights may be finite, and what is computed with them is not
        raise ModelError("This model computes with numbers that run over, so no directions can be found in it.")


@torch.inference_mode()
def _activations(G: Generator, z: Tensor) -> Tensor:
    """What comes out of the first block of convolution, norm and ReLU, (N, features)."""
    x = G.first(z)
    for layer in G.layers:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            break
    return x.flatten(1)


def _signed(rows: np.ndarray) -> np.ndarray:
    """Rows turned so that the largest entry of each is positive: a direction has no sign of its own."""
    largest = np.abs(rows).argmax(1)
    return (rows * np.sign(rows[np.arange(len(rows)), largest])[:, None]).astype(np.float32)


def move(z: np.ndarray, directions: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """z (…, z_dim) moved by these amounts, (…, count), along directions (count, z_dim) -> (…, z_dim). An amount of
    1 is the standard deviation of a latent along any direction."""
    return (z + np.asarray(amounts, np.float32) @ directions).astype(np.float32)


def strip(z: np.ndarray, direction: np.ndarray, reach: float = 3.0, count: int = 7) -> np.ndarray:
    """One latent (z_dim,) on its way along a direction, from where its own part along it is -reach to where that
    is +reach -> (count, z_dim); in the middle it is 0."""
    middle = z - (z @ direction) * direction
    return (middle + np.linspace(-reach, reach, count)[:, None] * direction).astype(np.float32)


KINDS = {"sefa": sefa, "ganspace": ganspace}  # as they are called in recipes and notes
