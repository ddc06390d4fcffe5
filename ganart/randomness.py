"""Counter-based randomness: every draw is a function of (seed, stream, step), so nothing has to be saved
to go on exactly, and a draw can be made again at any time.

Philox is a counter-based generator with a full 128-bit key (Salmon et al., "Parallel random numbers: as easy
as 1, 2, 3", 2011). numpy's streams are the same on every machine.
"""

import hashlib

import numpy as np


def generator(seed: int, stream: str, step: int = 0) -> np.random.Generator:
    """A generator of its own for each (seed, stream, step).

    Args:
        seed: of the run or the picture, 0 … 2^32 - 1.
        stream: what is drawn, such as "batch" or "z".
        step: how many steps came before.
    """
    digest = hashlib.blake2b(f"{seed}/{stream}/{step}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def keep_mask(rng: np.random.Generator, shape: tuple[int, ...], drop: float) -> np.ndarray:
    """A dropout mask: bool, True where a value is kept. `drop` is rounded to 1/256 (0.25 is exact), which
    lets raw bytes serve as draws, ten times faster than one float for each value."""
    count = int(np.prod(shape))
    return (np.frombuffer(rng.bytes(count), np.uint8) >= round(drop * 256)).reshape(shape)
