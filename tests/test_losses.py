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


# --- hinge


def test_hinge_losses(logits):
    real, fake = logits
    assert (real < 1).any() and (real > 1).any() and (fake < -1).any() and (fake > -1).any()
    of_D = np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
    assert losses.hinge_D(torch.tensor(real), torch.tensor(fake)).item() == pytest.approx(of_D, rel=1e-5)
    assert losses.hinge_G(torch.tensor(fake)).item() == pytest.approx(-fake.mean(), rel=1e-5)


def test_beyond_the_margin_hinge_teaches_D_nothing_more_but_G_still():
    real = torch.tensor([1.5, 0.5, -3.0, 20.0], requires_grad=True)
    fake = torch.tensor([-1.5, 0.5, -0.5, -9.0], requires_grad=True)
    losses.hinge_D(real, fake).backward()
    assert real.grad.tolist() == [0, -0.25, -0.25, 0]
    assert fake.grad.tolist() == [0, 0.25, 0.25, 0]
    fake.grad = None
    losses.hinge_G(fake).backward()
    assert fake.grad.tolist() == [-0.25] * 4


def test_half_precision_is_averaged_in_full_by_hinge_too():
    fake = torch.full((4096,), 0.1, dtype=torch.bfloat16)
    for value in (losses.hinge_G(fake), losses.hinge_D(fake, fake)):
        assert value.dtype == torch.float32 and value.shape == ()
    assert losses.hinge_G(fake).item() == pytest.approx(-float(fake[0]), rel=1e-6)


# --- penalties


def test_gradient_penalty_counts_logits_and_not_pictures_where_D_packs():
    """D of a pair is v . first + w . second, so the gradient of each logit has the squared norm |v|² + |w|²."""
    rng = np.random.default_rng(0)
    v, w = (torch.from_numpy(rng.normal(0, 1, 48)).float() for _ in range(2))
    pictures = torch.from_numpy(rng.normal(0, 1, (6, 3, 4, 4))).float().requires_grad_()
    pairs = pictures.reshape(3, 2, 48)
    logits = pairs[:, 0] @ v + pairs[:, 1] @ w
    assert logits.shape == (3,)
    penalty = losses.gradient_penalty(logits, pictures, gamma=0.5)
    assert penalty.item() == pytest.approx(0.25 * (v.square().sum() + w.square().sum()).item(), rel=1e-5)


def test_gamma_may_be_a_tensor_that_stays_where_it_is():
    pictures = torch.ones(2, 1, 2, 2, requires_grad=True)
    logits = pictures.square().sum((1, 2, 3))
    gamma = torch.tensor(3.0)
    assert losses.gradient_penalty(logits, pictures, gamma).item() == pytest.approx(1.5 * 16)
    moved = torch.tensor([4.2, 3.9])
    assert losses.approximate_penalty(logits, moved, 0.1, gamma).item() == pytest.approx(
        1.5 * (4 + 1) / 2, rel=1e-4
    )


def test_the_penalties_are_taken_in_full_precision():
    pictures = torch.ones(2, 1, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    logits = pictures.square().sum((1, 2, 3))
    assert losses.gradient_penalty(logits, pictures, 1.0).dtype == torch.float32
    assert losses.approximate_penalty(logits, logits, 0.1, 1.0).dtype == torch.float32


COUNT = 20_000
NEAR = 5 * (2 / COUNT) ** 0.5  # (e . w)² has a mean of |w|² and a variance below 2 |w|⁴: five standard errors


def random_signs() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).choice([-1.0, 1.0], (COUNT, 48)))


def test_the_approximate_penalty_of_a_linear_critic_is_right_on_average():
    rng = np.random.default_rng(0)
    w, x = torch.from_numpy(rng.normal(0, 1, 48)), torch.from_numpy(rng.normal(0, 1, (COUNT, 48)))
    signs = random_signs()
    for distance in (0.01, 1.0):  # for a linear critic any distance will do
        found = losses.approximate_penalty(x @ w, (x + distance * signs) @ w, distance, gamma=3.0)
        assert found.item() == pytest.approx(1.5 * w.square().sum().item(), rel=NEAR)
        assert found.item() == pytest.approx(1.5 * (signs @ w).square().mean().item(), rel=1e-3)


def test_the_approximate_penalty_of_a_quadratic_critic_is_near_the_exact_one():
    a, distance, gamma = torch.tensor(0.7, requires_grad=True), 0.01, 2.0
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (COUNT, 48))).requires_grad_()

    def critic(x: torch.Tensor) -> torch.Tensor:
        return a * x.square().sum(1)

    exact = losses.gradient_penalty(critic(x), x, gamma)
    near = losses.approximate_penalty(critic(x), critic(x + distance * random_signs()), distance, gamma)
    assert near.item() == pytest.approx(exact.item(), rel=NEAR + 0.005)
    of_exact, of_near = (torch.autograd.grad(penalty, a)[0].item() for penalty in (exact, near))
    assert of_near == pytest.approx(of_exact, rel=NEAR + 0.005), "it teaches D the same"
