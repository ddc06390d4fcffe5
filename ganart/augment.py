"""DiffAugment: the same random changes to real pictures and fakes, wherever D sees them, so that it cannot learn a
small set by heart (Zhao et al. 2020, arXiv:2006.10738). How many pictures are changed follows the signs of
overfitting (Karras et al. 2020, arXiv:2006.06676).

Everything is a function of the pictures, of uniform draws and of p; it can be differentiated twice.
"""

import numpy as np
import torch
from torch import Tensor

DRAWS = 12  # uniform numbers that one picture needs
TARGET = {"held-out": 0.2, "sign": 0.3}  # see benchmarks/README.md; Karras et al. 2020 have 0.6 for the second
RAMP_KIMG = 100.0  # p goes from 0 to 1 within this many thousand pictures at the fastest
MEMORY = 0.9  # share of the old averages that `steer` keeps


def draw(rng: np.random.Generator, count: int) -> np.ndarray:
    """The draws for `count` pictures: float32 (count, 12), uniform in [0, 1)."""
    return rng.random((count, DRAWS), np.float32)


def augment(pictures: Tensor, draws: Tensor, p: Tensor | float, ops: str) -> Tensor:
    """Change each picture by each of the `ops`, with probability p for each part of them.

    pictures: (N, C, S, S) in [-1, 1]. draws: (N, 12) in [0, 1). p: 0 … 1; at 1 this is DiffAugment, at 0 the
    pictures come back as they were, but for rounding. ops: "colour", "translation", "cutout", with commas between.
    """
    # One by one: a list as the index would be copied from the host, which a recorded step must not do.
    chosen = torch.stack([draws[:, place] < p for place in (0, 2, 4, 6, 9)], 1).to(pictures.dtype)
    chosen = chosen[..., None, None, None]
    values = draws[..., None, None, None].to(pictures.dtype)
    if "colour" in ops:
        pictures = brightness(pictures, chosen[:, 0] * (values[:, 1] - 0.5))
        if pictures.shape[1] == 3:
            pictures = saturation(pictures, 1 + chosen[:, 1] * (2 * values[:, 3] - 1))
        pictures = contrast(pictures, 1 + chosen[:, 2] * (values[:, 5] - 0.5))
    if "translation" in ops:
        reach = int(pictures.shape[2] / 8 + 0.5)
        shifts = torch.floor(draws[:, 7:9] * (2 * reach + 1)) - reach
        pictures = translate(pictures, shifts * chosen[:, 3].flatten(1))
    if "cutout" in ops:
        pictures = cutout(pictures, draws[:, 10:12], chosen[:, 4])
    return pictures


def brightness(pictures: Tensor, amount: Tensor) -> Tensor:
    """Add `amount` (N, 1, 1, 1), -0.5 … 0.5."""
    return pictures + amount


def saturation(pictures: Tensor, factor: Tensor) -> Tensor:
    """Move each pixel of (N, 3, H, W) from its mean over the channels: factor 0 is grey, 1 leaves it."""
    grey = pictures.mean(1, keepdim=True)
    return grey + factor * (pictures - grey)


def contrast(pictures: Tensor, factor: Tensor) -> Tensor:
    """Move each picture's values from their mean: factor 0.5 … 1.5."""
    mean = pictures.mean((1, 2, 3), keepdim=True)
    return mean + factor * (pictures - mean)


def translate(pictures: Tensor, shifts: Tensor) -> Tensor:
    """Shift each picture down and right by `shifts` (N, 2), whole pixels; what comes in is 0, the middle grey.

    As two products with matrices of zeros and ones: exact, but for the rounding of TF32 where a card uses that,
    and fast in every derivative on every device.
    """
    places = torch.arange(pictures.shape[2], device=pictures.device)
    with torch.autocast(pictures.device.type, enabled=False):
        moves = (places[:, None] - places == shifts[..., None, None]).to(pictures.dtype)  # (N, 2, S, S)
        down = torch.einsum("nij,ncjw->nciw", moves[:, 0], pictures)
        return torch.einsum("nij,ncwj->ncwi", moves[:, 1], down)


def cutout(pictures: Tensor, centres: Tensor, chosen: Tensor) -> Tensor:
    """Set a square of half the side to 0 where `chosen` (N, 1, 1, 1) is 1. centres (N, 2) in [0, 1) of the side;
    the square may reach over the edge."""
    side = pictures.shape[2]
    places = torch.arange(side, device=pictures.device)
    middle = torch.floor(centres * (side + 1))[..., None]
    inside = ((places >= middle - side // 4) & (places < middle + side // 4)).to(pictures.dtype)  # (N, 2, S)
    square = inside[:, 0, :, None] * inside[:, 1, None, :]
    return pictures * (1 - chosen * square[:, None])


# --- how strong


def overfitting(real: Tensor, fake: Tensor, held_out: Tensor | None) -> tuple[Tensor, Tensor]:
    """How far D overfits, as numerator and denominator, from the logits of one step.

    With held-out pictures: how much higher D rates what it trained on, in standard deviations of its logits; 0 is
    none. (r_v of Karras et al. 2020, equation 1, divides by the distance from real to fake, which is next to
    nothing, or less, where a penalty keeps D close to G.) Without: the share of real pictures above the mean
    fake minus the share below it (r_t there).
    """
    if held_out is None:
        sign = torch.sign(real - fake.mean()).mean()
        return sign, torch.ones_like(sign)
    real, held_out = real.float(), held_out.float()
    return real.mean() - held_out.mean(), ((real.var(correction=0) + held_out.var(correction=0)) / 2).sqrt()


def steer(state: Tensor, found: tuple[Tensor, Tensor], target: float, change: float) -> Tensor:
    """The new state (3,): p, and the running means of numerator and denominator. p goes up by `change` where their
    ratio is above the target, down where it is below."""
    means = MEMORY * state[1:] + (1 - MEMORY) * torch.stack(found).float()
    direction = torch.sign(ratio(means) - target)
    return torch.cat([(state[:1] + change * direction).clamp(0, 1), means])


def ratio(means: Tensor) -> Tensor:
    """Numerator over denominator, -1 … 1 -> a 0-dimensional tensor; 0 where D does not tell real from fake."""
    return torch.where(means[1] > 1e-6, means[0] / means[1].clamp_min(1e-6), 0.0).clamp(-1, 1)
