"""(G, z) -> pictures: the one place where a generator draws."""

from collections.abc import Iterator

import numpy as np
import torch

from ganart import images
from ganart.networks import Generator

BATCH = 64


def frames(G: Generator, z: np.ndarray, batch: int = BATCH) -> Iterator[np.ndarray]:
    """Draw z (N, z_dim) in batches: yields uint8 (n, H, W, C), N pictures in all.

    G is in eval mode, on any device; BatchNorm then uses its stored statistics, so that a picture does not
    depend on what is drawn beside it.
    """
    device = next(G.parameters()).device
    for start in range(0, len(z), batch):
        with torch.inference_mode():
            pictures = G(torch.from_numpy(z[start : start + batch]).to(device))
        yield images.to_uint8(pictures)


def pictures(G: Generator, z: np.ndarray) -> np.ndarray:
    """Draw z (N, z_dim) -> uint8 (N, H, W, C)."""
    size, channels = G.config.size, G.config.channels
    return np.concatenate([np.zeros((0, size, size, channels), np.uint8), *frames(G, z)])


def sheet(G: Generator, z: np.ndarray, columns: int = 6) -> np.ndarray:
    """Draw z (N, z_dim) as one sheet, row by row -> uint8 (rows*H, columns*W, C)."""
    return images.tile(pictures(G, z), columns)
