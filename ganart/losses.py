"""The losses of the two players, on logits (N,); each returns one float32 value to be minimised."""

import torch
import torch.nn.functional as F
from torch import Tensor


def bce_D(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """D's loss: mean of -log s(real) plus mean of -log(1 - s(fake)), s the logistic function
    (Goodfellow et al. 2014, arXiv:1406.2661, equation 1)."""
    real, fake = real_logits.float(), fake_logits.float()
    return F.binary_cross_entropy_with_logits(real, torch.ones_like(real)) + (
        F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    )


def bce_G(fake_logits: Tensor) -> Tensor:
    """G's loss in its non-saturating form: mean of -log s(fake) (Goodfellow et al. 2014, section 3)."""
    fake = fake_logits.float()
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
