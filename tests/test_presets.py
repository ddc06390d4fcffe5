"""The recipes in the box: what they are, and what pictures they take."""

import dataclasses
import json

import pytest

from ganart import config, presets
from ganart.config import NetworkConfig
from ganart.errors import InputError


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_preset_comes_back_from_json_equal(name):
    settings = presets.preset(name)
    assert settings.preset == name and presets.DESCRIPTIONS[name].endswith(".")
    assert config.train_from_dict(json.loads(json.dumps(config.to_dict(settings)))) == settings


def test_every_preset_has_its_sentence_and_no_sentence_is_left_over():
    assert list(presets.PRESETS) == list(presets.DESCRIPTIONS)
    assert set(presets.PRESETS) == {"mnist-seed", "mnist-best", "sketch", "art", "faces"}


def test_mnist_seed_is_the_pair_of_the_article():
    settings = presets.preset("mnist-seed")
    assert settings.networks == NetworkConfig(28, 1, z_dim=300, width=64, d_norm="none", d_dropout=0.25)
    assert (settings.batch, settings.lr, settings.beta1, settings.init) == (128, 2e-4, 0.9, "glorot")
    assert settings.fresh_noise and not settings.flip and settings.ema_half_life == 0
    assert (settings.loss, settings.gamma, settings.augment, settings.lr_end) == ("bce", 0, "off", 1)


@pytest.mark.parametrize("name", ["mnist-best", "sketch", "art", "faces"])
def test_no_other_preset_has_batchnorm_in_D(name):
    assert presets.preset(name).networks.d_norm != "batch"


def test_digits_are_never_mirrored():
    assert not presets.preset("mnist-seed").flip and not presets.preset("mnist-best").flip


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(InputError, match="mnist-seed, mnist-best, sketch, art, faces"):
        presets.preset("cubism")


def test_a_preset_takes_the_form_of_the_dataset():
    settings = presets.for_dataset(presets.preset("art"), 128, 1)
    assert (settings.networks.size, settings.networks.channels, settings.networks.width) == (128, 1, 64)
    assert presets.for_dataset(presets.preset("art"), 32, 3, width=16).networks.width == 16
    assert presets.for_dataset(presets.preset("mnist-seed"), 28, 1) == presets.preset("mnist-seed")


@pytest.mark.parametrize("name", ["mnist-seed", "mnist-best"])
@pytest.mark.parametrize(("size", "channels"), [(64, 1), (28, 3)])
def test_the_presets_for_digits_refuse_other_pictures(name, size, channels):
    with pytest.raises(InputError, match="Use the art or the sketch preset"):
        presets.for_dataset(presets.preset(name), size, channels)
    assert name not in presets.fitting(size, channels) and name in presets.fitting(28, 1)


def test_a_processor_gets_the_small_recipe_and_a_card_the_large_one():
    assert presets.usual(64, 3, "cpu") == "sketch"
    assert presets.usual(64, 3, "cuda") == presets.usual(128, 1, "mps") == "art"
    assert presets.usual(28, 1, "cpu") == "mnist-seed"
    small, large = presets.preset("sketch"), presets.preset("art")
    assert small.networks.width < large.networks.width and small.kimg < large.kimg


@pytest.mark.parametrize("name", presets.PRESETS)
def test_presets_are_frozen(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        presets.preset(name).lr = 1.0
