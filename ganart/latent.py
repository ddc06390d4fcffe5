"""Points and paths in the latent space. All z are float32 (N, z_dim) numpy arrays drawn from N(0, I)."""

import re

import numpy as np

from ganart.errors import InputError
from ganart.randomness import generator

MAX_SEED = 2**32 - 1


def sample_z(seeds: list[int], z_dim: int) -> np.ndarray:
    """The latents of these seeds, (len(seeds), z_dim): a seed is a picture, whatever is drawn beside it.

    Raises InputError for a seed outside 0 … 2^32 - 1.
    """
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise InputError(f"Seed {seed} was given, but seeds lie between 0 and {MAX_SEED}.")
    if not seeds:
        return np.zeros((0, z_dim), np.float32)
    return np.stack([generator(seed, "seed").standard_normal(z_dim, np.float32) for seed in seeds])


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Along the great arc from `a` to `b`, both (z_dim,), at t (T,) in [0, 1] -> (T, z_dim).

    Directions turn at constant speed, lengths change linearly (White 2016, arXiv:1609.04468). A straight
    line would pass nearer to the origin than any sample of N(0, I), where G paints grey. Vectors that are
    parallel have no great arc between them and are joined by the straight line.
    """
    t = np.asarray(t, np.float64)[:, None]
    norm_a, norm_b = np.linalg.norm(a), np.linalg.norm(b)
    if norm_a == 0 or norm_b == 0:
        return ((1 - t) * a + t * b).astype(np.float32)
    unit_a, unit_b = a / norm_a, b / norm_b
    cosine = np.clip(np.dot(unit_a, unit_b), -1.0, 1.0)
    if abs(cosine) > 0.9995:
        return ((1 - t) * a + t * b).astype(np.float32)
    angle = np.arccos(cosine)
    direction = (np.sin((1 - t) * angle) * unit_a + np.sin(t * angle) * unit_b) / np.sin(angle)
    return (direction * ((1 - t) * norm_a + t * norm_b)).astype(np.float32)


def neighbours(z: np.ndarray, amount: float, count: int, seed: int) -> np.ndarray:
    """`count` variations of one latent (z_dim,) -> (count, z_dim), each of the same length as z.

    amount: 0 is z itself, 1 an unrelated direction; in between z turns by amount * 90 degrees.
    """
    rng = generator(seed, "neighbours")
    other = rng.standard_normal((count, len(z)))
    other -= np.outer(other @ z / (z @ z), z)
    other *= np.linalg.norm(z) / np.linalg.norm(other, axis=1, keepdims=True)
    angle = amount * np.pi / 2
    return (np.cos(angle) * z + np.sin(angle) * other).astype(np.float32)


def varied(seed: int, steps: list[list[float]], z_dim: int) -> np.ndarray:
    """The latent (z_dim,) that one reaches from a seed's by picking variations in turn.

    Each step is [amount, round, index]: the picture number `index` among the neighbours of that round.
    """
    z = sample_z([seed], z_dim)[0]
    for amount, turn, index in steps:
        z = neighbours(z, amount, int(index) + 1, int(turn))[int(index)]
    return z


def truncate(z: np.ndarray, psi: float) -> np.ndarray:
    """z (…, z_dim) shortened to `psi` times its length: under 1 G paints nearer to its average picture, safer and
    greyer, above 1 farther from it (Marchesi 2017, arXiv:1706.00082; Brock et al. 2018, arXiv:1809.11096, draw
    anew what is too long; here the picture stays the same one)."""
    return (psi * z).astype(np.float32)


def parse_seeds(text: str) -> list[int]:
    """Seeds as people type them: "0-35,40,3" -> [0, …, 35, 40, 3], ranges inclusive.

    Raises InputError for anything else, and for more than 10,000 seeds.
    """
    seeds: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", part)
        if match is None:
            raise InputError(
                f"“{text[:60]}” is not a list of seeds. Write whole numbers and ranges, such as 0-35,40,3."
            )
        low, high = int(match[1]), int(match[2] or match[1])
        if high < low or high > MAX_SEED:
            raise InputError(f"“{part}” is not a range of seeds. Seeds go upwards from 0 to {MAX_SEED}.")
        if len(seeds) + high - low + 1 > 10_000:
            raise InputError("More than 10,000 seeds were given. Ask for fewer at a time.")
        seeds += range(low, high + 1)
    return seeds


def typical(z: np.ndarray) -> np.ndarray:
    """z (…, z_dim) at the length that samples of N(0, I) have, √z_dim; a z of length 0 stays there."""
    norm = np.linalg.norm(z, axis=-1, keepdims=True)
    return (z * (np.sqrt(z.shape[-1]) / np.where(norm > 0, norm, 1.0))).astype(np.float32)


def arithmetic(plus: np.ndarray, minus: np.ndarray, plus_too: np.ndarray) -> np.ndarray:
    """“These − these + these”, each (N, z_dim), averaged before (Radford et al. 2015, arXiv:1511.06434, section
    6.3.2: single latents are unstable, the average of three is not) -> (z_dim,) of typical length."""
    a, b, c = (np.asarray(part, np.float64).mean(0) for part in (plus, minus, plus_too))
    return typical(a - b + c)


def jittered(z: np.ndarray, count: int, seed: int, amount: float = 0.25) -> np.ndarray:
    """z (z_dim,) in the middle of count - 1 others to which uniform noise of ±amount was added, as the same paper
    shows its results -> (count, z_dim)."""
    noise = generator(seed, "jitter").uniform(-amount, amount, (count, len(z)))
    noise[count // 2] = 0.0
    return (z + noise).astype(np.float32)


def cross(a: np.ndarray, b: np.ndarray, basis: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Children of two latents (z_dim,): each takes its part along every direction from one parent or the other, by
    the toss of a coin -> (count, z_dim). Children of two samples of N(0, I) are samples of N(0, I).

    basis: (z_dim, z_dim), orthonormal rows: the directions that are passed on whole.
    """
    from_a = generator(seed, "cross").random((count, len(basis))) < 0.5
    parts = np.where(from_a, basis @ a, basis @ b)
    return (parts @ basis).astype(np.float32)
