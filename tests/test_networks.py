"""The two networks: shapes, the published numbers of values, dropout that can be drawn again, first weights."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ganart.config import SIZES, NetworkConfig, preset
from ganart.networks import Discriminator, Generator, initialise, parameter_count
from ganart.randomness import generator

ARTICLE = preset("mnist-seed").networks
DCGAN = NetworkConfig(size=64, channels=3, z_dim=100, width=64, d_norm="batch")
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d)


def layers(module: nn.Module) -> list[tuple[str, int]]:
    """Kind and number of trained values of each layer that has any."""
    return [(type(m).__name__, parameter_count(m)) for m in module.modules() if isinstance(m, LAYERS)]


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


# --- dropout


def into_layers(D: Discriminator, x: torch.Tensor, rng: np.random.Generator | None) -> list[torch.Tensor]:
    """What reaches D's second convolution and its last layer."""
    seen = []
    hooks = [m.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for m in (D.convs[1], D.dense)]
    with torch.no_grad():
        D(x, rng)
    for hook in hooks:
        hook.remove()
    return seen


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


@pytest.mark.parametrize("init", ["glorot", "normal"])
def test_first_weights_hang_on_the_seed_alone(init):
    one, same, other = (filled(Generator(tiny()), init, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["dense.weight"], other["dense.weight"])
