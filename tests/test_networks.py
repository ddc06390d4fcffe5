"""The two networks: shapes, the published numbers of values, norms, what is looked at together, dropout that can
be drawn again, first weights."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from ganart.config import SIZES, NetworkConfig
from ganart.networks import (
    SLOPE,
    Discriminator,
    Generator,
    initialise,
    minibatch_stddev,
    pack,
    parameter_count,
    spectral_norm,
)
from ganart.presets import preset
from ganart.randomness import generator

ARTICLE = preset("mnist-seed").networks
DCGAN = NetworkConfig(size=64, channels=3, z_dim=100, width=64, d_norm="batch")
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d)


def layers(module: nn.Module) -> list[tuple[str, int]]:
    """Kind and number of trained values of each layer that has any."""
    return [
        (kind.__name__, parameter_count(m)) for m in module.modules() for kind in LAYERS if isinstance(m, kind)
    ]


def convolutions(module: nn.Module) -> list[tuple[int, int, int, int, int]]:
    """(in, out, kernel, stride, padding) of every convolution."""
    found = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for m in found:
        assert len({*m.kernel_size}) == len({*m.stride}) == len({*m.padding}) == 1
    return [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0]) for m in found]


def tiny(size: int = 32, channels: int = 3, **others: object) -> NetworkConfig:
    return NetworkConfig(size=size, channels=channels, z_dim=8, width=4, **others)


def test_the_generator_of_the_article_layer_by_layer():
    G = Generator(ARTICLE)
    assert layers(G) == [
        ("Linear", 3_775_744),
        ("BatchNorm1d", 25_088),
        ("ConvTranspose2d", 819_328),
        ("BatchNorm2d", 256),
        ("ConvTranspose2d", 131_136),
        ("BatchNorm2d", 128),
        ("ConvTranspose2d", 1_025),
    ]
    assert G.dense_norm.num_features == 12_544
    assert parameter_count(G) == 4_752_705
    assert convolutions(G) == [(256, 128, 5, 1, 2), (128, 64, 4, 2, 1), (64, 1, 4, 2, 1)]


def test_the_discriminator_of_the_article_layer_by_layer():
    D = Discriminator(ARTICLE)
    assert layers(D) == [("Conv2d", 1_088), ("Conv2d", 131_200), ("Linear", 6_273)]
    assert parameter_count(D) == 138_561
    assert convolutions(D) == [(1, 64, 4, 2, 1), (64, 128, 4, 2, 1)]


def test_at_64_px_it_is_the_published_dcgan():
    G, D = Generator(DCGAN), Discriminator(DCGAN)
    assert parameter_count(G) == 3_576_704 + 3  # the output's biases
    assert parameter_count(D) == 2_765_568 + 65  # the first convolution's biases and the last layer's
    assert convolutions(G) == [(512, 256, 4, 2, 1), (256, 128, 4, 2, 1), (128, 64, 4, 2, 1), (64, 3, 4, 2, 1)]
    assert convolutions(D) == [(3, 64, 4, 2, 1), (64, 128, 4, 2, 1), (128, 256, 4, 2, 1), (256, 512, 4, 2, 1)]
    assert [kind for kind, _ in layers(D)].count("BatchNorm2d") == 3  # behind every layer but the first


def test_without_batchnorm_in_D_there_is_none():
    D = Discriminator(dataclasses.replace(DCGAN, d_norm="none"))
    assert {kind for kind, _ in layers(D)} == {"Conv2d", "Linear"}
    assert all(conv.bias is not None for conv in D.convs)


def test_widths_stop_doubling_at_512():
    assert max(out for _, out, *_ in convolutions(Discriminator(NetworkConfig(size=256, width=64)))) == 512


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_pictures_have_the_size_and_the_channels_that_were_asked_for(size, channels):
    config = tiny(size, channels)
    pictures = Generator(config)(torch.randn(2, 8))
    assert pictures.shape == (2, channels, size, size)
    assert pictures.abs().max() <= 1
    assert Discriminator(config)(pictures).shape == (2,)


def test_G_can_reach_black_and_white_and_D_says_any_number():
    G, D = Generator(tiny()).eval(), Discriminator(tiny(d_norm="none"))
    with torch.no_grad():
        for value in (-50.0, 50.0):
            nn.init.constant_(G.layers[-2].bias, value)
            assert G(torch.randn(1, 8)).sign().eq(math.copysign(1, value)).all()
            nn.init.constant_(D.dense.bias, value)
            assert D(torch.zeros(1, 3, 32, 32)).item() == pytest.approx(value, abs=5)  # a logit, not a share


def test_a_single_latent_in_eval_mode_is_enough():
    for size in (28, 32):
        assert Generator(tiny(size)).eval()(torch.randn(1, 8)).shape == (1, 3, size, size)


# --- options of both


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_with_nearest_G_repeats_pixels_and_has_no_transposed_convolution(size, channels):
    config = tiny(size, channels, upsample="nearest")
    G = Generator(config)
    assert not any(isinstance(m, nn.ConvTranspose2d) for m in G.modules())
    assert {(kernel, stride, padding) for *_, kernel, stride, padding in convolutions(G)} == {(3, 1, 1)}
    assert [pair[:2] for pair in convolutions(G)] == [
        pair[:2] for pair in convolutions(Generator(tiny(size, channels)))
    ]
    pictures = G(torch.randn(2, 8))
    assert pictures.shape == (2, channels, size, size) and pictures.abs().max() <= 1
    enlarge = next(m for m in G.modules() if isinstance(m, nn.Upsample))
    small = torch.randn(1, 2, 3, 3)
    assert torch.equal(enlarge(small), small.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("upsample", ["transposed", "nearest"])
def test_without_batchnorm_in_G_there_is_none_and_every_layer_has_its_bias(upsample):
    G = Generator(tiny(64, g_norm="none", upsample=upsample))
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in G.modules())
    assert all(m.bias is not None for m in G.modules() if isinstance(m, LAYERS))
    z = torch.randn(3, 8)
    pictures = G(z)
    assert pictures.shape == (3, 3, 64, 64)
    torch.testing.assert_close(
        pictures[:1], G(z[:1])
    )  # also in training each picture hangs on its own latent alone


def test_with_batchnorm_in_G_each_picture_hangs_on_its_batch_in_training():
    torch.manual_seed(0)
    G, z = Generator(tiny()), torch.randn(3, 8)
    assert not torch.allclose(G(z)[:2], G(z[:2]), atol=1e-4)


@pytest.mark.parametrize("d_norm", ["none", "batch", "spectral"])
@pytest.mark.parametrize("extra", [0, 1, 2])
@pytest.mark.parametrize(("size", "side"), [(28, 7), (64, 4)])
def test_extra_convolutions_of_D_double_the_channels_and_keep_the_smallest_map(size, side, extra, d_norm):
    plain = Discriminator(tiny(size, d_norm=d_norm))
    D = Discriminator(tiny(size, d_norm=d_norm, d_extra=extra))
    added = convolutions(D)[len(plain.convs) :]
    width = convolutions(plain)[-1][1]
    assert convolutions(D)[: len(plain.convs)] == convolutions(plain)
    assert added == [(width * 2**k, width * 2 ** (k + 1), 3, 1, 1) for k in range(extra)]
    assert D.dense.in_features == width * 2**extra * side**2
    logits = D(torch.randn(2, 3, size, size))
    assert logits.shape == (2,) and torch.isfinite(logits).all()
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in D.parameters())


def test_extra_convolutions_stop_doubling_at_512():
    D = Discriminator(dataclasses.replace(DCGAN, size=32, width=128, d_extra=2))
    assert [out for _, out, *_ in convolutions(D)] == [128, 256, 512, 512, 512]


def test_D_computes_the_layers_that_it_lists():
    torch.manual_seed(0)
    D = Discriminator(tiny(28, 1, d_norm="none", d_extra=1))
    x = torch.randn(3, 1, 28, 28)
    expected = x
    for conv in D.convs:
        expected = F.leaky_relu(conv(expected), 0.2)
    torch.testing.assert_close(D(x), D.dense(expected.flatten(1)).squeeze(1))


# --- pictures that are looked at together


def test_packing_makes_neighbours_channels():
    pictures = np.random.default_rng(0).normal(0, 1, (6, 3, 4, 4)).astype(np.float32)
    for count in (1, 2, 3, 6):
        expected = np.stack([np.concatenate(pictures[n : n + count]) for n in range(0, 6, count)])
        np.testing.assert_array_equal(pack(torch.from_numpy(pictures), count), expected)
    nhwc = torch.from_numpy(pictures).contiguous(memory_format=torch.channels_last)
    assert torch.equal(pack(nhwc, 2), pack(torch.from_numpy(pictures), 2))


def test_pictures_that_cannot_be_packed_are_refused():
    with pytest.raises(ValueError, match="5 pictures cannot be packed by 2"):
        pack(torch.zeros(5, 3, 4, 4), 2)
    with pytest.raises(ValueError, match="packed"):
        Discriminator(tiny(pack=4))(torch.zeros(6, 3, 32, 32))


@pytest.mark.parametrize("size", [28, 32])
def test_a_D_that_packs_gives_one_logit_for_each_pack(size):
    torch.manual_seed(0)
    D = Discriminator(tiny(size, d_norm="none", pack=2))
    x = torch.randn(6, 3, size, size)
    logits = D(x)
    assert convolutions(D)[0][0] == 6 and logits.shape == (3,)
    changed = x.clone()
    changed[3] += 1
    assert (D(changed) != logits).tolist() == [False, True, False], "the second pack holds the fourth picture"


def test_the_deviation_within_a_group_is_one_number_for_the_group():
    x = np.random.default_rng(0).normal(0, 1, (12, 5, 4, 4)) * np.arange(1, 13)[:, None, None, None]
    found = minibatch_stddev(torch.from_numpy(x).float(), 4)
    assert found.shape == (12, 1, 4, 4)
    for first in (0, 4, 8):
        group = x[first : first + 4]
        deviation = np.sqrt(((group - group.mean(0)) ** 2).mean(0)).mean()
        np.testing.assert_allclose(found[first : first + 4], np.full((4, 1, 4, 4), deviation), rtol=1e-5)


def test_pictures_that_are_all_the_same_do_not_deviate_and_still_have_a_gradient():
    x = torch.randn(1, 5, 4, 4).repeat(8, 1, 1, 1).requires_grad_()
    found = minibatch_stddev(x, 4)
    assert found.max() < 1e-3
    found.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_the_deviation_is_computed_in_full_precision():
    """Values near 1000 that differ by 8, the last bit of half precision: squares of them would lose it."""
    x = torch.tensor([1000.0, 1008.0, 1000.0, 1008.0], dtype=torch.bfloat16)[:, None, None, None].expand(
        4, 2, 3, 3
    )
    found = minibatch_stddev(x, 4)
    assert found.dtype == torch.bfloat16 and found.eq(4).all()


def test_a_count_that_cannot_be_grouped_is_refused():
    with pytest.raises(ValueError, match="6 feature maps cannot be grouped by 4"):
        minibatch_stddev(torch.zeros(6, 3, 4, 4), 4)


@pytest.mark.parametrize("d_norm", ["none", "spectral"])
@pytest.mark.parametrize("packed", [1, 2])
def test_real_pictures_and_fakes_in_one_batch_do_not_see_each_other(packed, d_norm):
    torch.manual_seed(0)
    D = Discriminator(tiny(d_norm=d_norm, d_stddev=4, pack=packed)).eval()
    real, fake = torch.randn(2, 8, 3, 32, 32) * torch.tensor([1.0, 0.2])[:, None, None, None, None]
    together = D(torch.cat([real, fake]))
    torch.testing.assert_close(together, torch.cat([D(real), D(fake)]))
    torch.testing.assert_close(together[: 8 // packed], D(torch.cat([real, 3 * fake]))[: 8 // packed])


def test_D_sees_that_all_pictures_are_the_same():
    torch.manual_seed(0)
    D = Discriminator(tiny(d_norm="none", d_stddev=4))
    assert D.dense.in_features == (convolutions(D)[-1][1] + 1) * 16
    nn.init.zeros_(D.dense.weight)
    nn.init.ones_(D.dense.weight.view(1, -1, 16)[:, -1])  # it looks at nothing but the deviation
    nn.init.zeros_(D.dense.bias)
    different = torch.randn(4, 3, 32, 32)
    assert D(different[:1].repeat(4, 1, 1, 1)).max() < 0.01 < D(different).min()


# --- spectral norm


def normed(weight: torch.Tensor, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    u = F.normalize(torch.ones(len(weight), dtype=weight.dtype), dim=0)
    for _ in range(steps):
        found, u = spectral_norm(weight, u)
    return found, u


@pytest.mark.parametrize("shape", [(8, 3, 4, 4), (5, 40), (1, 30), (16, 4, 3, 3)])
def test_the_largest_singular_value_becomes_1(shape):
    weight = torch.from_numpy(np.random.default_rng(0).normal(0, 3, shape))
    found, u = normed(weight, 500)
    left, sizes, _ = np.linalg.svd(weight.reshape(shape[0], -1).numpy(), full_matrices=False)
    assert found.shape == shape
    np.testing.assert_allclose(found, weight / sizes[0], rtol=1e-6)
    assert abs(u.numpy() @ left[:, 0]) == pytest.approx(1, rel=1e-6)
    assert np.linalg.norm(found.reshape(shape[0], -1), 2) == pytest.approx(1, rel=1e-6)


def test_one_step_is_one_power_iteration():
    rng = np.random.default_rng(0)
    weight, u = rng.normal(0, 1, (6, 20)), rng.normal(0, 1, 6)
    v = weight.T @ u / np.linalg.norm(weight.T @ u)
    expected = weight @ v / np.linalg.norm(weight @ v)
    found, new = spectral_norm(torch.from_numpy(weight), torch.from_numpy(u))
    np.testing.assert_allclose(new, expected)
    np.testing.assert_allclose(found, weight / (expected @ weight @ v))


def test_the_gradient_takes_the_singular_vectors_as_constants():
    """For s = u' W v the gradient of f(W / s) in W is (g - <g, W / s> u v') / s, g the gradient of f at W / s."""
    rng = np.random.default_rng(0)
    weight, slope = rng.normal(0, 1, (6, 20)), rng.normal(0, 1, (6, 20))
    u = np.full(6, 6**-0.5)
    v = weight.T @ u / np.linalg.norm(weight.T @ u)
    u = weight @ v / np.linalg.norm(weight @ v)
    size = u @ weight @ v
    expected = (slope - (slope * weight).sum() / size * np.outer(u, v)) / size
    given = torch.from_numpy(weight).requires_grad_()
    found, new = spectral_norm(given, torch.full((6,), 6**-0.5, dtype=torch.float64))
    assert not new.requires_grad
    (found * torch.from_numpy(slope)).sum().backward()
    np.testing.assert_allclose(given.grad, expected, atol=1e-12)


def test_it_agrees_with_torchs_own():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 8, 4)
    weight = layer.weight.detach().clone().requires_grad_()
    slope = torch.randn_like(weight)
    theirs = nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=300)
    ours, _ = normed(weight, 300)
    torch.testing.assert_close(ours, theirs.weight, atol=1e-5, rtol=1e-4)
    (ours * slope).sum().backward()
    (theirs.weight * slope).sum().backward()
    torch.testing.assert_close(weight.grad, theirs.parametrizations.weight.original.grad, atol=1e-4, rtol=1e-3)


def vectors(D: Discriminator) -> dict[str, torch.Tensor]:
    return {name: buffer.clone() for name, buffer in D.named_buffers()}


def test_a_D_with_spectral_norms_follows_its_weights_in_training_alone():
    torch.manual_seed(0)
    D, x = Discriminator(tiny(d_norm="spectral", d_extra=1)), torch.randn(2, 3, 32, 32)
    first = vectors(D)
    assert len(first) == len(D.convs) + 1
    D.eval()
    once, twice = D(x), D(x)
    assert torch.equal(once, twice)
    assert all(torch.equal(vectors(D)[name], value) for name, value in first.items())
    D.train()
    D(x)
    after = vectors(D)
    assert all(not torch.equal(after[name], value) for name, value in first.items() if len(value) > 1)
    assert all(value.norm().item() == pytest.approx(1, abs=1e-5) for value in after.values())
    assert set(first) <= set(D.state_dict()), "a run that goes on has them"


def test_a_D_with_spectral_norms_is_not_steep_whatever_the_size_of_its_weights():
    """A 4x4 kernel with stride 2 meets each pixel four times, so no convolution stretches a map by more than 2."""
    torch.manual_seed(0)
    D = Discriminator(tiny(d_norm="spectral"))
    with torch.no_grad():
        for parameter in D.parameters():
            parameter.mul_(100)
        for _ in range(100):
            D(torch.zeros(1, 3, 32, 32))
    x = torch.randn(4, 3, 32, 32, requires_grad=True)
    D.eval()(x).sum().backward()
    assert 0 < x.grad.flatten(1).norm(dim=1).max() <= 2 ** len(D.convs)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in D.modules())


def test_spectral_norms_can_be_learned_through():
    torch.manual_seed(0)
    D = Discriminator(tiny(d_norm="spectral"))
    x = torch.randn(2, 3, 32, 32)
    (D(x).sum() + D(x + 1).sum()).backward()  # twice before one step back, as for a penalty
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in D.parameters())


# --- dropout


class Inputs(TorchFunctionMode):
    """Keeps what goes into each convolution and each dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (F.conv2d, F.linear):
            self.seen.append(args[0])
        return func(*args, **(kwargs or {}))


def into_layers(D: Discriminator, x: torch.Tensor, rng: np.random.Generator | None) -> list[torch.Tensor]:
    """What reaches D's second convolution and its last layer."""
    with torch.no_grad(), Inputs() as inputs:
        D(x, rng)
    assert len(inputs.seen) == len(D.convs) + 1
    return [inputs.seen[1], inputs.seen[-1]]


@pytest.mark.parametrize("drop", [0.25, 0.5])
def test_dropout_drops_its_share_and_rescales_the_rest(drop):
    torch.manual_seed(0)
    D = Discriminator(dataclasses.replace(ARTICLE, d_dropout=drop))
    x = torch.randn(16, 1, 28, 28)
    second, last = into_layers(D, x, generator(0, "dropout"))
    with torch.no_grad():
        whole = F.leaky_relu(D.convs[0](x), 0.2)
        after = F.leaky_relu(D.convs[1](second), 0.2).flatten(1)
    for found, full in ((second, whole), (last, after)):
        dropped = found == 0
        assert dropped.float().mean().item() == pytest.approx(drop, abs=0.01)
        torch.testing.assert_close(found[~dropped], full[~dropped] / (1 - drop))


def test_dropout_can_be_drawn_again():
    torch.manual_seed(0)
    D = Discriminator(ARTICLE)
    x = torch.randn(4, 1, 28, 28)
    once, again, other = (D(x, generator(0, "dropout", step)) for step in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)


def test_dropout_does_not_hang_on_torchs_own_generator():
    D = Discriminator(ARTICLE)
    x = torch.randn(4, 1, 28, 28)
    before = torch.get_rng_state()
    D(x, generator(0, "dropout"))
    assert torch.equal(torch.get_rng_state(), before)


def test_there_is_no_dropout_outside_training():
    torch.manual_seed(0)
    D = Discriminator(ARTICLE).eval()
    x = torch.randn(4, 1, 28, 28)
    assert not any((seen == 0).any() for seen in into_layers(D, x, generator(0, "dropout")))
    assert torch.equal(D(x), D(x, generator(0, "dropout")))


def test_training_with_dropout_needs_a_generator():
    D = Discriminator(ARTICLE)
    with pytest.raises(ValueError, match="generator"):
        D(torch.randn(2, 1, 28, 28))
    Discriminator(dataclasses.replace(ARTICLE, d_dropout=0.0))(torch.randn(2, 1, 28, 28))


# --- first weights


def fans(layer: nn.Module) -> int:
    """fan_in + fan_out: connections of one value on either side, times the kernel's area."""
    area = math.prod(getattr(layer, "kernel_size", (1, 1)))
    ins = getattr(layer, "in_channels", None) or layer.in_features
    outs = getattr(layer, "out_channels", None) or layer.out_features
    return area * (ins + outs)


def filled(module: nn.Module, init: str, seed: int = 0) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(77.0)  # whatever is left over shows
    initialise(module, init, torch.Generator().manual_seed(seed))
    return module


@pytest.mark.parametrize("network", [Generator, Discriminator])
@pytest.mark.parametrize("config", [ARTICLE, dataclasses.replace(DCGAN, width=16)])
def test_glorot_weights(network, config):
    for layer in filled(network(config), "glorot").modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            weight = layer.weight.detach().double()
            variance = 2 / fans(layer)
            few = 6 / math.sqrt(weight.numel())
            assert weight.var().item() == pytest.approx(variance, rel=max(0.02, few))
            assert weight.abs().max() <= math.sqrt(3 * variance) * 1.0001  # uniform
            assert abs(weight.mean()) < 6 * math.sqrt(variance / weight.numel())
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert (layer.weight == 1).all()
        if getattr(layer, "bias", None) is not None:
            assert (layer.bias == 0).all()


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_normal_weights(network):
    gains = []
    for layer in filled(network(dataclasses.replace(DCGAN, width=16)), "normal").modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            weight = layer.weight.detach().double()
            few = 6 / math.sqrt(weight.numel())
            assert weight.std().item() == pytest.approx(0.02, rel=max(0.02, few))
            assert abs(weight.mean()) < 6 * 0.02 / math.sqrt(weight.numel())
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            gains.append(layer.weight.detach())
        if getattr(layer, "bias", None) is not None:
            assert (layer.bias == 0).all()
    gains = torch.cat(gains)
    assert gains.mean().item() == pytest.approx(1, abs=0.01)
    assert gains.std().item() == pytest.approx(0.02, rel=0.3)


@pytest.mark.parametrize(
    ("layer", "side", "border"),
    [
        (nn.Conv2d(24, 64, 4, 2, 1), 16, 1),
        (nn.Conv2d(24, 64, 3, 1, 1), 12, 1),
        (nn.ConvTranspose2d(64, 48, 4, 2, 1), 10, 2),
        (nn.ConvTranspose2d(32, 48, 5, 1, 2), 12, 2),
        (nn.Linear(256, 512), 0, 0),
    ],
    ids=["conv-4", "conv-3", "transposed-4", "transposed-5", "dense"],
)
def test_he_weights_keep_the_size_of_the_signal_through_a_leaky_relu(layer, side, border):
    """Ones that vary by 1 come out of the layer varying by sqrt(2 / 1.04), and of the leaky ReLU behind it with a
    mean square of 1. At the map's border fewer values meet, so only the inner part is measured."""
    x = torch.randn(
        64, *([layer.in_channels, side, side] if side else [256]), generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        y = filled(layer, "he")(x)
    if border:
        y = y[:, :, border:-border, border:-border]
    assert y.std().item() == pytest.approx(math.sqrt(2 / 1.04), rel=0.03)
    assert F.leaky_relu(y, SLOPE).square().mean().item() == pytest.approx(1, rel=0.05)


def test_he_weights_keep_the_size_of_the_signal_through_a_whole_D():
    """With other first weights of the usual size, N(0, 0.02), it dies out."""
    x = torch.randn(32, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    sizes = {}
    for init in ("he", "normal"):
        D = filled(Discriminator(NetworkConfig(size=32, width=16, d_norm="none", d_extra=1)), init)
        sizes[init] = into_layers(D, x, None)[-1].square().mean().item()
    assert 0.4 < sizes["he"] < 1.3 and sizes["normal"] < 0.1 * sizes["he"]  # borders lose some


def test_he_weights_leave_gains_at_1_and_biases_at_0():
    for network in (Generator, Discriminator):
        for layer in filled(network(tiny(28, 1)), "he").modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                assert (layer.weight == 1).all()
            if getattr(layer, "bias", None) is not None:
                assert (layer.bias == 0).all()


@pytest.mark.parametrize("init", ["glorot", "he", "normal"])
def test_first_weights_hang_on_the_seed_alone(init):
    one, same, other = (filled(Generator(tiny()), init, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["dense.weight"], other["dense.weight"])
