"""Even pace: a film timed anew so that its picture changes at constant speed. Imports no torch.

Equal steps in the latent space are not equal steps to the eye. The idea is that of perceptual path length
(Karras et al. 2019, arXiv:1812.04948, section 4.1), here with plain pixels at two scales, used as a clock.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ganart import images
from ganart.filmconfig import Keyframe
from ganart.paths import Curve

TOGETHER = 64  # pictures that are looked at in one go
# As many points are looked at as there are frames, within these limits for each leg: nearer ones would differ by
# less than the whole levels of their pixels, which makes the clock wrong, and take longer.
FEWEST, MOST = 50, 200
ROUNDS = 2  # how often the clock is set anew
SLOWEST = 0.05  # of the mean speed: what hardly changes is not leapt over
Draw = Callable[[np.ndarray], np.ndarray]  # z (N, z_dim) -> uint8 (N, H, W, C)


def distances(pictures: np.ndarray, closed: bool = True) -> np.ndarray:
    """How far each of uint8 (N, H, W, C) is from the one after it: the root of the mean squared difference, of the
    pictures and of their quarter size, in levels -> (N,), the last one's to the first; not closed (N - 1,)."""
    found = []
    for scale in (1, 4):
        small = images.shrink(pictures, scale) if scale > 1 else pictures
        flat = small.reshape(len(small), -1).astype(np.float32)
        after = np.roll(flat, -1, 0) if closed else flat[1:]
        before = flat if closed else flat[:-1]
        found.append(np.sqrt(((after - before) ** 2).mean(1)))
    return np.mean(found, 0)


def along(curve: Curve, draw: Draw, u: np.ndarray) -> np.ndarray:
    """How far each of the pictures at u (N,) is from the one after it, the last one from the first, (N,); painted
    a few at a time, in the memory of these."""
    first, found = draw(curve.at(u[:1])), []
    last = first
    for start in range(1, len(u), TOGETHER):
        pictures = np.concatenate([last, draw(curve.at(u[start : start + TOGETHER]))])
        found.append(distances(pictures, closed=False))
        last = pictures[-1:]
    return np.concatenate([*found, distances(np.concatenate([last, first]), closed=False)])


def variation(steps: np.ndarray) -> float:
    """The coefficient of variation of the steps between frames: their standard deviation over their mean; 0 is
    even. Steps of no change are rests, and left out."""
    moving = steps[steps > 0]
    return float(moving.std() / moving.mean()) if len(moving) else 0.0


def even_times(curve: Curve, draw: Draw, frames: int, keyframes: Sequence[Keyframe] = ()) -> np.ndarray:
    """Where on the curve each frame is, (frames,), so that all steps look equally long.

    keyframes: of a walk, for their rests; how long each way takes follows from what there is to see on it.
    """
    count = min(max(frames, FEWEST * curve.legs), MOST * curve.legs)
    u = np.arange(count) * (curve.legs / count)
    for _ in range(ROUNDS):
        steps = along(curve, draw, u)
        edges = np.append(u, curve.legs)
        mean = max(float(steps.sum()), 1e-9) / curve.legs
        steps = np.maximum(steps, SLOWEST * mean * np.diff(edges))
        clock = np.concatenate([[0.0], np.cumsum(steps)])
        times = _spread(edges, clock, curve.legs, frames, keyframes)
        # Look again at points that lie evenly by this clock: there the next one is truer.
        u = np.interp(np.arange(count) * (clock[-1] / count), clock, edges)
    return times


def _spread(
    edges: np.ndarray, clock: np.ndarray, legs: int, frames: int, keyframes: Sequence[Keyframe]
) -> np.ndarray:
    """Frames at equal distances by the clock, with rests at the keyframes."""
    rests = np.array([frame.rest for frame in keyframes]) if keyframes else np.zeros(legs)
    total = rests.sum() + sum(frame.way for frame in keyframes) if keyframes else 1.0
    rests = rests / total
    at_keyframes = np.interp(np.arange(legs + 1), edges, clock)
    ways = np.diff(at_keyframes) * ((1.0 - rests.sum()) / clock[-1])
    starts = np.concatenate([[0.0], np.cumsum(rests + ways)])
    now = np.arange(frames) / frames
    leg = np.clip(np.searchsorted(starts, now, side="right") - 1, 0, legs - 1)
    done = np.clip((now - starts[leg] - rests[leg]) / np.maximum(ways[leg], 1e-12), 0.0, 1.0)
    told = at_keyframes[leg] + done * np.diff(at_keyframes)[leg]
    return np.minimum(np.interp(told, clock, edges), np.nextafter(legs, 0))
