"""What the nearest neighbours of pictures tell: how much of the real ones is covered, and whether the two kinds
can be told apart.

Points are float tensors (N, D), one for each picture; distances are Euclidean.
"""

import torch
from torch import Tensor

K = 5  # neighbours that make a ball


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a.double(), b.double())  # in float32 equal points would not be at 0 from each other


def density_and_coverage(real: Tensor, fake: Tensor, k: int = K) -> tuple[float, float]:
    """How densely fakes lie where real pictures do, and the share of real pictures with a fake close by (Naeem et
    al. 2020, arXiv:2002.09797, equations 5 and 6).

    Each real picture has a ball that reaches to its k-th nearest real neighbour. density: in how many balls a fake
    lies, over k; 1 for sets of one source, more where fakes crowd together in the middle, without a bound.
    coverage: share of balls that hold a fake, 0 … 1; about 1 - 2^-k for sets of one size and source.
    """
    among = _distances(real, real)
    among.fill_diagonal_(torch.inf)
    k = min(k, len(real) - 1)
    inside = _distances(real, fake) <= among.kthvalue(k, 1).values[:, None]
    return inside.sum().item() / (k * len(fake)), inside.any(1).double().mean().item()


def two_sample_accuracy(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Share of real pictures, and share of fakes, whose nearest neighbour among all others is of their own kind,
    each 0 … 1 (Lopez-Paz and Oquab 2017, arXiv:1610.06545; Xu et al. 2018, arXiv:1806.07755).

    Both sets have one size. Both shares about 0.5: they cannot be told apart. Both near 1: they can. Few of the
    real ones and nearly all fakes: a collapse onto the middle of the real ones. Both far under 0.5: each fake sits
    beside a real picture, as copies do.
    """
    count = len(real)
    points = torch.cat([real, fake])
    among = _distances(points, points)
    among.fill_diagonal_(torch.inf)
    is_fake = among.argmin(1) >= count
    return 1 - is_fake[:count].double().mean().item(), is_fake[count:].double().mean().item()
