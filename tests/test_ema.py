"""The average of G: its update, its half-life, and statistics of its own."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganart import ema
from ganart.config import NetworkConfig
from ganart.networks import Generator


def make(seed: int, size: int = 32) -> Generator:
    torch.manual_seed(seed)
    G = Generator(NetworkConfig(size=size, channels=3, z_dim=8, width=4))
    with torch.no_grad():
        for name, buffer in G.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
    return G


def test_the_update_follows_the_formula():
    average, G = make(0), make(1)
    before = [p.detach().clone() for p in average.parameters()]
    target = [p.detach().clone() for p in G.parameters()]
    ema.update(average, G, 0.9)
    for old, new, now, same in zip(before, target, average.parameters(), G.parameters(), strict=True):
        torch.testing.assert_close(now.detach(), 0.9 * old + 0.1 * new)
        assert torch.equal(same.detach(), new)  # G itself stays as it is


def test_the_ends_of_the_weight():
    average, G = make(0), make(1)
    before = copy.deepcopy(average)
    ema.update(average, G, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(average.parameters(), before.parameters(), strict=True))
    ema.update(average, G, 0.0)
    for a, b in zip(average.parameters(), G.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("batch", [8, 64, 100])
def test_half_of_the_old_is_left_after_a_half_life(batch):
    left = np.prod([ema.decay(batch, 6400.0, seen=1e6) for _ in range(6400 // batch)])
    assert left == pytest.approx(0.5)


def test_early_on_the_average_is_shorter():
    """At most 5 % of what was seen, so that the first noise does not linger."""
    assert ema.decay(64, 5000.0, seen=10_000) == pytest.approx(0.5 ** (64 / 500))
    assert ema.decay(64, 5000.0, seen=100_000) == pytest.approx(0.5 ** (64 / 5000))
    assert ema.decay(64, 5000.0, seen=1e7) == pytest.approx(0.5 ** (64 / 5000))
    assert ema.decay(64, 5000.0, seen=0) == 0.0  # nothing was seen: the average is G
    ramp = [ema.decay(64, 5000.0, seen) for seen in range(64, 100_000, 6400)]
    assert ramp == sorted(ramp) and ramp[0] < 1e-5


def statistics(G: Generator, batches: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Mean and variance in front of every BatchNorm, the plain mean over batches, written out by hand."""
    weights = dict(G.named_parameters())
    found: dict[str, list] = {}

    def normed(x: torch.Tensor, name: str) -> torch.Tensor:
        axes = [axis for axis in range(x.dim()) if axis != 1]
        count = x.numel() / x.shape[1]
        mean, variance = x.mean(axes), x.var(axes, unbiased=False)
        found.setdefault(f"{name}.running_mean", []).append(mean)
        found.setdefault(f"{name}.running_var", []).append(variance * count / (count - 1))
        shape = [1, -1, *[1] * (x.dim() - 2)]
        scale = weights[f"{name}.weight"] / torch.sqrt(variance + 1e-5)
        return (x - mean.view(shape)) * scale.view(shape) + weights[f"{name}.bias"].view(shape)

    for z in batches:
        x = F.linear(z, weights["dense.weight"], weights.get("dense.bias"))
        if G.side == 7:
            x = normed(x, "dense_norm").view(len(z), -1, 7, 7)
        else:
            x = normed(x.view(len(z), -1, 4, 4), "dense_norm")
        for index, layer in enumerate(G.layers):
            if isinstance(layer, torch.nn.ConvTranspose2d):
                x = F.relu(x)  # in front of every convolution
                x = F.conv_transpose2d(x, layer.weight, layer.bias, layer.stride, layer.padding)
            elif isinstance(layer, torch.nn.BatchNorm2d):
                x = normed(x, f"layers.{index}")
    return {name: torch.stack(values).mean(0) for name, values in found.items()}


@pytest.mark.parametrize("size", [28, 32])
def test_the_copy_has_the_statistics_of_its_own_activations(size):
    average = make(0, size)
    batches = list(torch.randn(3, 16, 8))
    copied = ema.with_own_batchnorm(average, batches)
    with torch.no_grad():
        expected = statistics(average, batches)
    buffers = {name: b for name, b in copied.named_buffers() if not name.endswith("num_batches_tracked")}
    assert buffers.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(buffers[name], value, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("training", [True, False])
def test_the_average_itself_is_left_alone(training):
    average = make(0).train(training)
    before = copy.deepcopy(average.state_dict())
    momenta = [m.momentum for m in average.modules() if hasattr(m, "momentum")]
    copied = ema.with_own_batchnorm(average, torch.randn(2, 16, 8))
    assert all(torch.equal(before[name], value) for name, value in average.state_dict().items())
    assert average.training is training
    assert [m.momentum for m in average.modules() if hasattr(m, "momentum")] == momenta
    assert not copied.training and not any(m.training for m in copied.modules())
    for a, b in zip(copied.parameters(), average.parameters(), strict=True):
        assert torch.equal(a, b) and a.data_ptr() != b.data_ptr()
