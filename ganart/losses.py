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


def rpgan_D(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """D's relativistic pairing loss: mean of softplus(fake - real), each fake paired with one real
    (Jolicoeur-Martineau 2018, arXiv:1807.00734; Huang et al. 2025, arXiv:2501.05441, equation 2)."""
    return F.softplus(fake_logits.float() - real_logits.float()).mean()


def rpgan_G(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """G's side of it: mean of softplus(real - fake). A G that leaves a mode out cannot win every pair."""
    return F.softplus(real_logits.float() - fake_logits.float()).mean()


def gradient_penalty(logits: Tensor, pictures: Tensor, gamma: float) -> Tensor:
    """gamma / 2 times the mean squared norm of the gradient of each logit in its picture, over the pictures
    (N, C, H, W) that `logits` (N,) were computed from: R1 on real ones, R2 on fakes (Mescheder et al. 2018,
    arXiv:1801.04406, equation 9). It can be differentiated again. D must judge each picture by itself.
    """
    (gradient,) = torch.autograd.grad(logits.float().sum(), pictures, create_graph=True)
    return 0.5 * gamma * gradient.float().square().sum((1, 2, 3)).mean()
