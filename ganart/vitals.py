"""The signs of health of a training, measured between its steps; no step is changed by it.

What they mean and when they are alarming is said in `doctor`.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganart import images, latent, metrics, render
from ganart.batches import Pictures
from ganart.config import TrainConfig
from ganart.networks import Generator
from ganart.randomness import generator
from ganart.training import Training

COUNT = 128  # pictures of each kind that are looked at
SIDE = 16  # px of the thumbnails that are compared
STEP = 0.1  # length of the move in the latent space, in standard deviations of each coordinate
SEEDS = 1_000_000  # the first of the seeds whose pictures are measured
HELD_OUT = 256  # pictures that the held-out figure compares at most


@torch.no_grad()
def measure(training: Training, settings: TrainConfig, pictures: Pictures, G: Generator) -> dict[str, float]:
    """The signs by name. G: the generator that draws sheets, in eval mode.

    overfitting: how much higher D rates what it trained on than held-out pictures, as a share of its distance
        from real to fake, -1 … 1 (r_v of Karras et al. 2020, arXiv:2006.06676, equation 1); missing without
        held-out pictures, or where D does not rate real ones above fakes.
    telling: share of pairs of a real picture and a fake that D puts in the right order, 0 … 1; about 0.5 where
        it does not tell them apart.
    gap: mean logit of real pictures minus that of fakes.
    diversity: mean distance between the thumbnails of two fakes, over that between two real pictures.
    rank: how many directions the thumbnails of fakes vary in (participation ratio), over the same of real ones.
    duplicates: share of fakes that lie closer to another fake than 99 % of real pictures do to another real one.
    sensitivity: how far pictures move for a small move in the latent space, over how far two real pictures lie
        apart for the distance of two latents; 0 where G does not heed its input.
    grad_D, grad_G: norms of the gradients of the last step; missing before the first.
    """
    together = settings.networks.pack * max(1, settings.networks.d_stddev)
    count = max(1, COUNT // together) * together
    held_out = min(pictures.count - pictures.training, COUNT) // together * together
    z = latent.sample_z(list(range(SEEDS, SEEDS + count)), settings.networks.z_dim)
    real = _spread(pictures, 0, pictures.training, count)
    fake, near = _drawn(G, z, settings.device), _drawn(G, z + STEP * z[::-1], settings.device)
    logits = [real, fake]
    if held_out:
        logits.append(_spread(pictures, pictures.training, pictures.count - pictures.training, held_out))
    training.D.eval()
    of_real, of_fake, *of_held_out = (training.D(some).float() for some in logits)
    training.D.train()
    gap = (of_real.mean() - of_fake.mean()).item()
    few = min(count, pictures.training)  # a picture that is looked at twice would pass for its own duplicate
    thumbs_real = _thumbnails(_spread(pictures, 0, pictures.training, few))
    thumbs_fake = _thumbnails(fake)
    apart = torch.pdist(thumbs_real).mean()
    found = {
        "telling": (of_real[:, None] > of_fake).float().mean().item(),
        "gap": gap,
        "diversity": (torch.pdist(thumbs_fake).mean() / apart).item(),
        "rank": _directions(thumbs_fake[:few]) / _directions(thumbs_real),
        "duplicates": _duplicates(thumbs_fake[:few], thumbs_real),
        "sensitivity": (_thumbnails(near).sub(thumbs_fake).norm(dim=1).mean() / (apart * STEP / 2**0.5)).item(),
    }
    if of_held_out and gap > 1e-6:
        found["overfitting"] = min(1.0, max(-1.0, (of_real.mean() - of_held_out[0].mean()).item() / gap))
    norms = training.norms.tolist()
    if norms[0] != -1:
        found |= dict(zip(("grad_D", "grad_G"), norms, strict=True))
    return {name: round(value, 5) for name, value in found.items()}


@dataclass(frozen=True)
class Distance:
    """`metrics.kernel_distance`, and its standard error."""

    value: float
    error: float


def held_out_distance(pictures: Pictures, settings: TrainConfig, G: Generator) -> Distance | None:
    """Between held-out pictures and as many fakes, always at the same latents; None with fewer than three held-out
    pictures."""
    count = min(pictures.count - pictures.training, HELD_OUT)
    if count < 3:
        return None
    if pictures.held_out_features is None:
        # Drawn, not evenly spread: pictures may come in an order that even steps would fall in with.
        drawn = generator(0, "held out").permutation(pictures.count - pictures.training)[:count]
        real = pictures.take(pictures.training + np.sort(drawn)).cpu().numpy()
        pictures.held_out_features = metrics.features(real)
    z = latent.sample_z(list(range(SEEDS, SEEDS + count)), settings.networks.z_dim)
    sets = pictures.held_out_features, metrics.features(render.pictures(G, z))
    return Distance(metrics.kernel_distance_of(*sets), metrics.error_of(*sets))


def _spread(pictures: Pictures, first: int, available: int, count: int) -> Tensor:
    """`count` pictures spread evenly over the store's part from `first`, some twice where it has fewer."""
    places = first + torch.arange(count) * available // count
    return images.to_float(pictures.take(places.numpy()))


def _drawn(G: Generator, z: np.ndarray, device: str) -> Tensor:
    return images.to_float(torch.from_numpy(render.pictures(G, z)).to(device))


def _thumbnails(pictures: Tensor) -> Tensor:
    # On the processor: on Apple's chips the sides would have to be multiples of SIDE.
    return F.adaptive_avg_pool2d(pictures.float().cpu(), SIDE).flatten(1)


def _directions(points: Tensor) -> float:
    """Participation ratio of the variances along the principal axes of (N, D): 1 … min(N, D)."""
    variances = torch.linalg.svdvals(points - points.mean(0)).square()
    return (variances.sum().square() / variances.square().sum().clamp_min(1e-12)).item()


def _duplicates(fake: Tensor, real: Tensor) -> float:
    usual = _nearest(real).quantile(0.01)
    return (_nearest(fake) < usual).float().mean().item()


def _nearest(points: Tensor) -> Tensor:
    distances = torch.cdist(points, points)
    distances.fill_diagonal_(torch.inf)
    return distances.min(1).values
