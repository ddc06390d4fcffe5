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


def hinge_D(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """D's hinge loss: mean of max(0, 1 - real) plus mean of max(0, 1 + fake) (Lim and Ye 2017, arXiv:1705.02894;
    Miyato et al. 2018, arXiv:1802.05957, equation 16)."""
    return F.relu(1 - real_logits.float()).mean() + F.relu(1 + fake_logits.float()).mean()


def hinge_G(fake_logits: Tensor) -> Tensor:
    """G's side of it: minus the mean logit (equation 17 there)."""
    return -fake_logits.float().mean()


def rpgan_D(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """D's relativistic pairing loss: mean of softplus(fake - real), each fake paired with one real
    (Jolicoeur-Martineau 2018, arXiv:1807.00734; Huang et al. 2025, arXiv:2501.05441, equation 2)."""
    return F.softplus(fake_logits.float() - real_logits.float()).mean()


def rpgan_G(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """G's side of it: mean of softplus(real - fake). A G that leaves a mode out cannot win every pair."""
    return F.softplus(real_logits.float() - fake_logits.float()).mean()


def gradient_penalty(logits: Tensor, pictures: Tensor, gamma: float | Tensor) -> Tensor:
    """gamma / 2 times the mean squared norm of the gradient of each logit in its picture or pictures: R1 on real
    ones, R2 on fakes (Mescheder et al. 2018, arXiv:1801.04406, equation 9).

    pictures: (N, C, H, W), from which `logits`, (N,) or fewer where D packs, were computed. Where D looks at
    groups of them, as with minibatch standard deviation, it is the gradient of the sum over a group (as StyleGAN2
    has it: Karras et al. 2020, arXiv:1912.04958). The result can be differentiated again.
    """
    (gradient,) = torch.autograd.grad(logits.float().sum(), pictures, create_graph=True)
    return 0.5 * gamma * gradient.float().square().sum() / len(logits)


def approximate_penalty(logits: Tensor, moved_logits: Tensor, distance: float, gamma: float | Tensor) -> Tensor:
    """An estimate of `gradient_penalty` without differentiating twice: gamma / 2 times the mean squared change of
    the logits, per distance, where every pixel was moved by `distance` up or down at random. The expectation
    over such signs e of (e . gradient)² is the squared norm (Hutchinson 1990); for GANs: Lin et al. 2025,
    arXiv:2501.08316, section 3.2."""
    return 0.5 * gamma * ((moved_logits.float() - logits.float()) / distance).square().mean()
