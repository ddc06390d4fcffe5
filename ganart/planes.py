"""Planes in a latent space, for the pad: a point (x, y) of [-1, 1]² is a latent. Imports no torch.

Random planes and those through three places are bent: they keep to the sphere on which samples of N(0, I) lie, so
that every point is as typical a latent as any seed's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ganart import latent, places
from ganart.errors import InputError
from ganart.randomness import generator

REACH = 0.8 * np.pi / 2  # the angle from the middle of a random plane to the middle of its edge
SIGMAS = 3.0  # from the middle of a plane along directions to its edge
CORNERS = np.array([[-0.7, -0.6], [0.7, -0.6], [0.0, 0.75]])  # where the three places lie on their plane
KINDS = ("around", "directions", "three")


class Plane(Protocol):
    """What the pad lies on."""

    def at(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) in [-1, 1] -> z (N, z_dim)."""


@dataclass(frozen=True, eq=False)
class Around:
    """All directions that lead away from z in a plane of two others, as far as `REACH`: the exponential map of the
    sphere through z. along: (2, z_dim), orthonormal and at right angles to z."""

    z: np.ndarray
    along: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        far = np.linalg.norm(points, axis=1, keepdims=True)
        sideways = (points / np.maximum(far, 1e-9)) @ self.along
        angle = far * REACH
        return (np.cos(angle) * self.z + np.sin(angle) * np.linalg.norm(self.z) * sideways).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Directions:
    """z moved along two directions, (2, z_dim), by up to `SIGMAS`."""

    z: np.ndarray
    along: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        return (self.z + SIGMAS * points @ self.along).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Three:
    """Through three latents, (3, z_dim), which lie at CORNERS: their mixture by barycentric coordinates, brought
    back to the mixture of their lengths. Outside the triangle it goes on, away from the opposite corner."""

    corners: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        system = np.vstack([CORNERS.T, np.ones(3)])  # weights w with w @ CORNERS = point and sum 1
        weights = np.linalg.solve(system, np.column_stack([points, np.ones(len(points))]).T).T
        lengths = np.linalg.norm(self.corners, axis=1)
        mixed = weights @ (self.corners / np.maximum(lengths[:, None], 1e-9))
        inside = np.clip(weights, 0, None)
        length = inside @ lengths / inside.sum(1)
        norm = np.maximum(np.linalg.norm(mixed, axis=1), 1e-9)
        return (mixed * (length / norm)[:, None]).astype(np.float32)


def around(z: np.ndarray, turn: int) -> Plane:
    """The random plane number `turn` through z. Two values make but one plane, and there it is flat."""
    if len(z) == 2:
        return Directions(np.asarray(z, np.float64), np.eye(2))
    rows = generator(turn, "plane").standard_normal((2, len(z)))
    basis, _ = np.linalg.qr(np.column_stack([z, *rows]))
    return Around(np.asarray(z, np.float64), basis[:, 1:].T)


def read(query: Mapping[str, str], z_dim: int, directions: Callable[[str], np.ndarray]) -> Plane:
    """What an address says of a plane -> the plane.

    query: `plane`, one of KINDS; for around `at` and `turn`, for directions `at`, `kind`, `i`, `j`, for three `a`,
    `b`, `c`. directions(kind) gives those of the model, (count, z_dim).
    Raises InputError for what is none, or missing.
    """
    kind = query.get("plane", "around")
    if kind == "around":
        return around(
            places.read(query.get("at", ""), z_dim).z, number(query.get("turn", "0"), 0, latent.MAX_SEED)
        )
    if kind == "directions":
        found = directions(query.get("kind", ""))
        chosen = [number(query.get(name, ""), 0, len(found) - 1) for name in ("i", "j")]
        return Directions(places.read(query.get("at", ""), z_dim).z.astype(np.float64), found[chosen])
    if kind == "three":
        corners = [places.read(query.get(name, ""), z_dim).z for name in ("a", "b", "c")]
        return Three(np.stack(corners).astype(np.float64))
    raise InputError(f"“{kind[:20]}” is no kind of plane. There are: {', '.join(KINDS)}.")


def grid(plane: Plane, count: int, middle: tuple[float, float] = (0.0, 0.0), span: float = 1.0) -> np.ndarray:
    """A sheet of count x count points around `middle`, ±span, row by row from the upper left -> z (count², z_dim).
    Each point is the centre of its cell."""
    steps = (2 * np.arange(count) + 1) / count - 1
    x, y = np.meshgrid(middle[0] + span * steps, middle[1] - span * steps)
    return plane.at(np.column_stack([x.ravel(), y.ravel()]))


def number(text: str, low: int, high: int) -> int:
    """A whole number, clamped into the range; raises InputError where it is none."""
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise InputError(f"“{text[:20]}” is not a whole number of 0 or more.")
    return min(max(int(text), low), high)
