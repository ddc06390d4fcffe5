"""The losses against their formulas, written in numpy."""

import numpy as np
import pytest
import torch

from ganart import losses


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    return rng.normal(0.7, 2, 50), rng.normal(-0.4, 3, 50)


def test_the_loss_of_D(logits):
    real, fake = logits
    expected = -np.log(logistic(real)).mean() - np.log(1 - logistic(fake)).mean()
    assert losses.bce_D(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_G(logits):
    _, fake = logits
    assert losses.bce_G(torch.tensor(fake)).item() == pytest.approx(-np.log(logistic(fake)).mean(), rel=1e-5)


def test_an_undecided_D_costs_log_4():
    assert losses.bce_D(torch.zeros(3), torch.zeros(5)).item() == pytest.approx(np.log(4))


def test_logits_far_out_give_no_infinities():
    far = torch.tensor([500.0])
    assert losses.bce_D(-far, far).item() == pytest.approx(1000)
    assert losses.bce_G(-far).item() == pytest.approx(500)
    assert losses.bce_D(far, -far).item() == pytest.approx(0) and losses.bce_G(far).item() == pytest.approx(0)


def test_half_precision_is_averaged_in_full():
    fake = torch.full((4096,), 0.1, dtype=torch.bfloat16)
    value = losses.bce_G(fake)
    assert value.dtype == torch.float32 and value.shape == ()
    assert losses.bce_D(fake, fake).dtype == torch.float32
    assert value.item() == pytest.approx(float(np.log1p(np.exp(-float(fake[0])))), rel=1e-5)


def test_G_learns_also_where_D_is_sure():
    """The non-saturating form: the slope is s(logit) - 1, and not lost where D sees through every fake."""
    fake = torch.tensor([-20.0, 0.0, 3.0], requires_grad=True)
    losses.bce_G(fake).backward()
    expected = (logistic(np.array([-20.0, 0.0, 3.0])) - 1) / 3
    np.testing.assert_allclose(fake.grad.numpy(), expected, rtol=1e-5)


def test_relativistic_losses_pair_each_fake_with_its_real():
    real, fake = np.array([2.0, -1.0, 0.5]), np.array([1.0, 3.0, -2.0])
    of_D = np.log1p(np.exp(fake - real)).mean()
    of_G = np.log1p(np.exp(real - fake)).mean()
    assert losses.rpgan_D(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(of_D, rel=1e-5)
    assert losses.rpgan_G(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(of_G, rel=1e-5)
    shifted = losses.rpgan_D(torch.tensor(real + 7), torch.tensor(fake + 7)).item()
    assert shifted == pytest.approx(of_D, rel=1e-5), "only differences count"


def test_gradient_penalty_of_a_quadratic_critic_and_its_own_gradient():
    """D(x) = a |x|² has the gradient 2 a x, so the penalty is gamma / 2 * mean(4 a² |x|²)."""
    a = torch.tensor(0.7, requires_grad=True)
    pictures = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    logits = a * pictures.square().sum((1, 2, 3))
    penalty = losses.gradient_penalty(logits, pictures, gamma=3.0)
    squares = pictures.detach().square().sum((1, 2, 3)).mean().item()
    assert penalty.item() == pytest.approx(1.5 * 4 * 0.49 * squares, rel=1e-5)
    penalty.backward()
    assert a.grad.item() == pytest.approx(1.5 * 8 * 0.7 * squares, rel=1e-5)
