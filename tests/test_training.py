"""One step against the same arithmetic written plainly, for every recipe it can follow."""

import dataclasses

import pytest
import torch

from ganart import augment, batches, training

NEAR = 0.02  # Adam's first step is lr * sign(g) wherever g is not tiny, so weights are compared on the scale of lr


def free(settings, **changes):
    """The settings with a D that has no BatchNorm."""
    networks = dataclasses.replace(settings.networks, d_norm="none")
    return dataclasses.replace(settings, networks=networks, **changes)


def assert_near(network, twin, lr):
    for (name, value), other in zip(network.named_parameters(), twin.parameters(), strict=True):
        assert ((value - other).abs() <= NEAR * lr).float().mean() > 0.98, name


def test_the_article_step_updates_D_then_G_with_fresh_noise(store, settings):
    """One step of `mnist-seed`'s recipe against the same arithmetic written plainly."""
    networks = dataclasses.replace(settings.networks, d_norm="none")
    plain = dataclasses.replace(settings, networks=networks, fresh_noise=True, ema_half_life=0.0, beta1=0.9)
    ours, reference = training.build(plain, {}), training.build(plain, {})
    batch = batches.draw(batches.Pictures(store, "cpu"), plain, 0)
    training.train_step(ours, plain, batch, "float32")
    real = batch.real

    G, D = reference.G, reference.D
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    with torch.no_grad():
        fake = G(batches.sample_z(plain, "z-D", 0))
    real_logits, fake_logits = D(real), D(fake)
    loss = bce(real_logits, torch.ones(8)) + bce(fake_logits, torch.zeros(8))
    reference.opt_D.zero_grad()
    loss.backward()
    reference.opt_D.step()
    loss = bce(D(G(batches.sample_z(plain, "z-G", 0))), torch.ones(8))
    reference.opt_G.zero_grad()
    loss.backward()
    reference.opt_G.step()
    for name, network, twin in (("D", ours.D, D), ("G", ours.G, G)):
        for (key, value), other in zip(network.named_parameters(), twin.parameters(), strict=True):
            # Adam's first step is lr * sign(g) wherever g is not tiny, so compare on the scale of lr
            close = (value - other).abs() <= 0.02 * plain.lr
            assert close.float().mean() > 0.98, (name, key)


def test_the_relativistic_step_adds_R1_on_real_and_R2_on_fakes(store, settings):
    """D's update under rpgan with gamma 2 against the same arithmetic written plainly, in two passes."""
    networks = dataclasses.replace(settings.networks, d_norm="none")
    paired = dataclasses.replace(settings, networks=networks, loss="rpgan", gamma=2.0)
    ours, reference = training.build(paired, {}), training.build(paired, {})
    batch = batches.draw(batches.Pictures(store, "cpu"), paired, 0)
    figures = training.train_step(ours, paired, batch, "float32")
    real = batch.real

    G, D = reference.G, reference.D
    fake = G(batches.sample_z(paired, "z-D", 0)).detach()
    softplus, squares = torch.nn.functional.softplus, []
    logits = []
    for pictures in (real.clone().requires_grad_(), fake.clone().requires_grad_()):
        logits.append(D(pictures))
        (gradient,) = torch.autograd.grad(logits[-1].sum(), pictures, create_graph=True)
        squares.append(gradient.square().sum((1, 2, 3)).mean())
    loss = softplus(logits[1] - logits[0]).mean()
    assert figures[0].item() == pytest.approx(loss.item(), rel=1e-4)
    reference.opt_D.zero_grad()
    (loss + 2.0 / 2 * squares[0] + 2.0 / 2 * squares[1]).backward()
    reference.opt_D.step()
    for (name, value), other in zip(ours.D.named_parameters(), D.parameters(), strict=True):
        assert ((value - other).abs() <= 0.02 * paired.lr).float().mean() > 0.98, name


def test_bfloat16_step_stays_near_float32(store, settings):
    both = {}
    for dtype in ("float32", "bfloat16"):
        state = training.build(settings, {})
        pictures = batches.Pictures(store, "cpu")
        figures = [
            training.train_step(state, settings, batches.draw(pictures, settings, k), dtype) for k in range(3)
        ]
        both[dtype] = torch.stack(figures)
        assert all(p.dtype == torch.float32 for p in state.G.parameters())
    assert torch.allclose(both["float32"], both["bfloat16"], atol=0.05)


def test_the_hinge_step_with_spectral_norm(store, settings):
    """D's and G's updates against plain passes through weights divided by torch's own singular values."""
    networks = dataclasses.replace(settings.networks, d_norm="spectral")
    chosen = dataclasses.replace(settings, networks=networks, loss="hinge")
    ours, reference = training.build(chosen, {}), training.build(chosen, {})
    for state in (ours, reference):  # settled singular vectors
        for _ in range(300):
            state.D(torch.zeros(2, 3, 32, 32))
    batch = batches.draw(batches.Pictures(store, "cpu"), chosen, 0)
    figures = training.train_step(ours, chosen, batch, "float32")

    G, D = reference.G, reference.D
    fake = G(batch.z)
    real_logits, fake_logits = D(batch.real), D(fake.detach())
    with torch.no_grad():
        x = batch.real
        for conv in D.convs:
            norm = torch.linalg.matrix_norm(conv.weight.flatten(1), 2)
            x = torch.nn.functional.conv2d(x, conv.weight / norm, conv.bias, 2, 1)
            x = torch.nn.functional.leaky_relu(x, 0.2)
        weight = D.dense.weight / torch.linalg.matrix_norm(D.dense.weight, 2)
        assert torch.allclose(
            (x.flatten(1) @ weight.T + D.dense.bias).squeeze(1), real_logits, rtol=1e-3, atol=1e-4
        )
    loss = torch.relu(1 - real_logits).mean() + torch.relu(1 + fake_logits).mean()
    assert figures[0].item() == pytest.approx(loss.item(), rel=1e-4)
    reference.opt_D.zero_grad()
    loss.backward()
    reference.opt_D.step()
    assert_near(ours.D, D, chosen.lr)
    reference.opt_G.zero_grad()
    loss = -D(fake).mean()
    assert figures[1].item() == pytest.approx(loss.item(), rel=1e-3, abs=1e-5)
    loss.backward()
    reference.opt_G.step()
    assert_near(ours.G, G, chosen.lr)


def test_full_augmentation_meets_real_and_fake_in_both_updates(store, settings):
    chosen = free(settings, loss="rpgan", augment="full")
    ours, reference = training.build(chosen, {}), training.build(chosen, {})
    batch = batches.draw(batches.Pictures(store, "cpu"), chosen, 0)
    assert not torch.equal(batch.draws_D, batch.draws_G)
    figures = training.train_step(ours, chosen, batch, "float32")

    def seen(pictures, draws):
        return augment.augment(pictures, draws, 1.0, chosen.augment_ops)

    G, D = reference.G, reference.D
    fake, softplus = G(batch.z), torch.nn.functional.softplus
    loss = softplus(D(seen(fake.detach(), batch.draws_D[8:])) - D(seen(batch.real, batch.draws_D[:8]))).mean()
    assert figures[0].item() == pytest.approx(loss.item(), rel=1e-4)
    reference.opt_D.zero_grad()
    loss.backward()
    reference.opt_D.step()
    loss = softplus(D(seen(batch.real, batch.draws_G[8:])) - D(seen(fake, batch.draws_G[:8]))).mean()
    assert figures[1].item() == pytest.approx(loss.item(), rel=1e-3)
    reference.opt_G.zero_grad()
    loss.backward()
    reference.opt_G.step()
    assert_near(ours.D, D, chosen.lr)
    assert_near(ours.G, G, chosen.lr)


def test_a_penalty_every_four_steps_counts_four_times(store, settings):
    lazy = free(settings, loss="rpgan", gamma=2.0, penalty_every=4)
    pictures = batches.Pictures(store, "cpu")
    weights = [batches.draw(pictures, lazy, step).gamma for step in range(9)]
    assert [weight is not None for weight in weights] == [True, False, False, False] * 2 + [True]
    assert weights[0].item() == weights[4].item() == 8.0
    every = free(settings, loss="rpgan", gamma=8.0)
    one, other = training.build(lazy, {}), training.build(every, {})
    training.train_step(one, lazy, batches.draw(pictures, lazy, 0), "float32")
    training.train_step(other, every, batches.draw(pictures, every, 0), "float32")
    for a, b in zip(one.D.parameters(), other.D.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("drop", [0.0, 0.25])
def test_the_approximate_penalty_pulls_at_D_as_hard_as_the_exact_one(store, settings, drop):
    """The penalty grows with the square of D's last weights, so along them its slope is twice its value; over
    60 x 16 draws of signs that is known to about 5 %."""
    exact = free(settings, loss="rpgan", gamma=500.0)  # so that the penalty outweighs the loss
    exact = dataclasses.replace(exact, networks=dataclasses.replace(exact.networks, d_dropout=drop))
    approximate = dataclasses.replace(exact, penalty="approximate")
    pictures = batches.Pictures(store, "cpu")
    state = training.build(exact, {})
    first = {name: value.clone() for name, value in state.tensors().items()}

    def slope(chosen, step):
        state.load(first, 0)
        batch = batches.draw(pictures, exact, 0)
        if chosen.penalty == "approximate":
            batch.signs = batches.draw(pictures, approximate, step).signs
        training.update(state, chosen, batch, "float32")
        return (first["D.dense.weight"] * state.D.dense.weight.grad).sum().item()

    found = sum(slope(approximate, step) for step in range(60)) / 60
    assert found == pytest.approx(slope(exact, 0), rel=0.2)


def test_packing_halves_the_logits_and_trains(store, settings):
    networks = dataclasses.replace(settings.networks, d_norm="none", pack=2, d_stddev=2)
    chosen = dataclasses.replace(settings, networks=networks, loss="rpgan", gamma=1.0)
    state = training.build(chosen, {})
    assert state.D(torch.zeros(8, 3, 32, 32)).shape == (4,)
    before = {name: p.clone() for name, p in state.D.named_parameters()}
    figures = training.train_step(
        state, chosen, batches.draw(batches.Pictures(store, "cpu"), chosen, 0), "float32"
    )
    assert figures.isfinite().all()
    same = {name for name, p in state.D.named_parameters() if torch.equal(p, before[name])}
    assert same <= {"dense.bias"}, "all of D learns, but for what a difference of two logits does not see"


def test_rate_and_gamma_fall_along_a_cosine(store, settings):
    chosen = free(settings, loss="rpgan", gamma=2.0, gamma_end=0.5, lr_end=0.25, kimg=0.8)  # 100 steps
    pictures = batches.Pictures(store, "cpu")
    state = training.build(chosen, {})
    for step, share_of_lr, share_of_gamma in ((0, 1.0, 1.0), (50, 0.625, 0.75), (100, 0.25, 0.5)):
        state.step = step
        training.set_rate(state, chosen)
        for optimiser in (state.opt_G, state.opt_D):
            assert optimiser.param_groups[0]["lr"] == pytest.approx(chosen.lr * share_of_lr)
        assert batches.draw(pictures, chosen, step).gamma.item() == pytest.approx(2.0 * share_of_gamma)


def test_steering_follows_the_held_out_gap(settings, picture_folder):
    """A D that rates its training pictures far above held-out ones is overfitting, so p rises; else it stays 0."""
    chosen = free(settings, loss="rpgan", augment="steered")
    state = training.build(chosen, {})
    one = torch.linspace(0.3, 0.7, 8)[:, None, None, None].expand(8, 3, 32, 32)
    with torch.no_grad():  # D sees the mean brightness alone
        for parameter in state.D.parameters():
            parameter.zero_()
        state.D.convs[0].weight[0].fill_(0.01)
        for conv in state.D.convs[1:]:
            conv.weight[0, 0].fill_(0.1)
        state.D.dense.weight[0, :16].fill_(1.0)
    assert state.D(one).mean() > state.D(-one).mean()
    pictures = {"overfitting": (one, -one), "sound": (one, one)}
    for name, (real, held_out) in pictures.items():
        state.steering.zero_()
        for step in range(1, 4):
            batch = batches.Batch(
                real=real,
                z=batches.sample_z(chosen, "z-D", 0),
                draws_D=torch.ones(16, 12) / 2,
                draws_G=torch.ones(16, 12) / 2,
                held_out=held_out,
                steered=True,
            )
            logits = state.D(real), state.D(-real)  # what is drawn is as dark as can be
            training._steer(state, chosen, batch, logits, None, lambda: torch.autocast("cpu", enabled=False))
            rise = step * batches.STEER_EVERY * 8 / (augment.RAMP_KIMG * 1000)
            assert state.steering[0].item() == pytest.approx(rise if name == "overfitting" else 0.0), name


def test_a_D_with_dropout_can_be_steered(store, settings):
    networks = dataclasses.replace(settings.networks, d_norm="none", d_dropout=0.25)
    chosen = dataclasses.replace(settings, networks=networks, augment="steered")
    pictures = batches.Pictures(dataclasses.replace(store, held_out=6), "cpu")
    one, other = training.build(chosen, {}), training.build(chosen, {})
    for number in range(2):
        batch = batches.draw(pictures, chosen, number)
        figures = training.train_step(one, chosen, batch, "float32")
        assert (
            torch.equal(training.train_step(other, chosen, batch, "float32"), figures) and figures.isfinite().all()
        )
    assert one.steering[1] != 0


def test_training_and_held_out_pictures_are_judged_by_the_same_D(store, settings):
    """One step of D moves all logits, by more than real pictures lie above fakes."""
    chosen = free(settings, loss="rpgan", augment="steered", lr=0.05)
    pictures, state = batches.Pictures(store, "cpu"), training.build(chosen, {})
    batch = batches.draw(pictures, chosen, 0)
    same = dataclasses.replace(batch, held_out=batch.real, draws_G=batch.draws_D, steered=True)
    before = state.D(batch.real).mean()
    training.update(state, chosen, same, "float32")
    assert (state.D(batch.real).mean() - before).abs() > 0.1, "the step did not move them"
    assert state.steering[1].item() == pytest.approx(0, abs=1e-6) and state.steering[2] != 0


@pytest.mark.parametrize("d_norm", ["batch", "none"])
def test_a_state_brings_back_everything_in_place(store, settings, d_norm):
    """Also the memory stays where it is, which a recorded step reads."""
    networks = dataclasses.replace(settings.networks, d_norm=d_norm)
    chosen = dataclasses.replace(settings, networks=networks, augment="steered")
    pictures = batches.Pictures(store, "cpu")
    state = training.build(chosen, {})
    for step in range(3):
        training.train_step(state, chosen, batches.draw(pictures, chosen, step), "float32")
    kept = {name: value.clone() for name, value in state.tensors().items()}
    places = [value.data_ptr() for values in state.opt_D.state.values() for value in values.values()]
    for step in range(3, 6):
        training.train_step(state, chosen, batches.draw(pictures, chosen, step), "float32")
    assert not torch.equal(kept["D.convs.0.weight"], state.tensors()["D.convs.0.weight"])
    state.load(kept, 3)
    found = state.tensors()
    assert found.keys() == kept.keys() and all(torch.equal(found[name], kept[name]) for name in kept)
    assert places == [value.data_ptr() for values in state.opt_D.state.values() for value in values.values()]
