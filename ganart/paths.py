"""Closed curves through a latent space, and how a film goes along them. Imports no torch.

A curve takes times u (T,) in [0, legs) to z (T, z_dim); it closes, so that u and u + legs are the same point. A
leg is the way from one keyframe to the next; curves without keyframes have one.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ganart import latent
from ganart.filmconfig import Keyframe
from ganart.randomness import generator

At = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Curve:
    """at(u): see above; u is brought into [0, legs) before."""

    legs: int
    path: At

    def at(self, u: np.ndarray) -> np.ndarray:
        return self.path(np.asarray(u, np.float64) % self.legs).astype(np.float32)


def slerps(keyframes: np.ndarray) -> Curve:
    """From keyframe to keyframe (K, z_dim) along great arcs: straight to each, with a corner there."""
    count = len(keyframes)

    def at(u: np.ndarray) -> np.ndarray:
        leg = np.minimum(u.astype(int), count - 1)
        z = np.empty((len(u), keyframes.shape[1]), np.float32)
        for k in np.unique(leg):
            z[leg == k] = latent.slerp(keyframes[k], keyframes[(k + 1) % count], u[leg == k] - k)
        return z

    return Curve(count, at)


def spline(keyframes: np.ndarray) -> Curve:
    """Through all keyframes (K, z_dim) without a corner: the periodic cubic spline, brought back to lengths that
    go smoothly from keyframe to keyframe (a spline alone would cut through the sphere)."""
    y = np.asarray(keyframes, np.float64)
    count = len(y)
    following, before = np.roll(y, -1, 0), np.roll(y, 1, 0)
    # Second derivatives m at uniform knots: m[k-1] + 4 m[k] + m[k+1] = 6 (y[k+1] - 2 y[k] + y[k-1]), all periodic.
    system = 4 * np.eye(count) + np.roll(np.eye(count), 1, 0) + np.roll(np.eye(count), -1, 0)
    m = np.linalg.solve(system, 6 * (following - 2 * y + before))
    m_following = np.roll(m, -1, 0)
    lengths = np.linalg.norm(y, axis=1)

    def at(u: np.ndarray) -> np.ndarray:
        leg = np.minimum(u.astype(int), count - 1)
        t = (u - leg)[:, None]
        s = 1 - t
        z = s * y[leg] + t * following[leg] + ((s**3 - s) * m[leg] + (t**3 - t) * m_following[leg]) / 6
        length = lengths[leg] + ease(t[:, 0], "smooth") * (np.roll(lengths, -1) - lengths)[leg]
        return z * (length / np.maximum(np.linalg.norm(z, axis=1), 1e-9))[:, None]

    return Curve(count, at)


def _number(z: np.ndarray, seed: int | None) -> int:
    """What the other draws of a loop from z hang on: its seed, or the values themselves."""
    return zlib.crc32(np.ascontiguousarray(z, "<f4").tobytes()) if seed is None else seed


def circle(z: np.ndarray, seed: int | None = None) -> Curve:
    """A great circle through z (z_dim,): z cos t + w sin t, with w of the same length and at right angles,
    drawn from the seed. Every point is as far from the origin as z, and every step is equally long."""
    z = np.asarray(z, np.float64)
    w = generator(_number(z, seed), "circle").standard_normal(len(z))
    w -= z * (w @ z) / max(z @ z, 1e-9)
    w *= np.linalg.norm(z) / np.linalg.norm(w)

    def at(u: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * u[:, None]
        return np.cos(angle) * z + np.sin(angle) * w

    return Curve(1, at)


def noise(z: np.ndarray, waves: int, seed: int | None = None) -> Curve:
    """A random Fourier loop that starts at z (z_dim,): the sum over k of a_k (g_k cos 2πku + h_k sin 2πku),
    with a_k falling as 1/k and the sum of their squares 1, so that every point is a sample of N(0, I) if z is one.

    waves: the highest k; 1 is a calm ellipse, 4 is lively. g and h are drawn from the seed, g under the condition
    that the loop passes through z at u = 0.
    """
    z = np.asarray(z, np.float64)
    k = np.arange(1, waves + 1)
    a = 1 / k
    a /= np.linalg.norm(a)
    g, h = generator(_number(z, seed), "noise").standard_normal((2, waves, len(z)))
    g += a[:, None] * (z - a @ g)

    def at(u: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * u[:, None] * k
        return (np.cos(angle) * a) @ g + (np.sin(angle) * a) @ h

    return Curve(1, at)


def along(z: np.ndarray, direction: np.ndarray, reach: float) -> Curve:
    """From -reach to +reach along a direction (z_dim,), of length 1, and back, the rest of z as it is; slow
    where it turns."""
    middle = z - (z @ direction) * direction

    def at(u: np.ndarray) -> np.ndarray:
        return middle - reach * np.cos(2 * np.pi * u)[:, None] * direction

    return Curve(1, at)


def still(z: np.ndarray) -> Curve:
    """Always z (z_dim,)."""
    return Curve(1, lambda u: np.repeat(z[None], len(u), 0))


def ease(t: np.ndarray, easing: str) -> np.ndarray:
    """Time on a leg in [0, 1] -> the part of it that is behind: the same, or by smoothstep."""
    return t * t * (3 - 2 * t) if easing == "smooth" else t


def times(keyframes: Sequence[Keyframe], frames: int, easing: str) -> np.ndarray:
    """Where on a walk each frame is, (frames,), from the keyframes' rests and ways, whose sum is the whole length.
    Frame 0 is the first keyframe; the frame after the last would be it again."""
    rests = np.array([frame.rest for frame in keyframes])
    ways = np.array([frame.way for frame in keyframes])
    starts = np.concatenate([[0.0], np.cumsum(rests + ways)])
    now = np.arange(frames) * (starts[-1] / frames)
    leg = np.clip(np.searchsorted(starts, now, side="right") - 1, 0, len(keyframes) - 1)
    done = np.clip((now - starts[leg] - rests[leg]) / ways[leg], 0.0, 1.0)
    return leg + ease(done, easing)
