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
