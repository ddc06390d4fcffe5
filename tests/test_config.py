"""Settings check themselves, and come back from JSON as they went."""

import dataclasses
import json

import pytest

from ganart import config
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.errors import InputError

HUGE = 10**400  # a whole number in JSON that no float can hold


@pytest.mark.parametrize("name", config.PRESETS)
def test_a_preset_comes_back_from_json_equal(name):
    settings = config.preset(name)
    assert settings.preset == name and config.DESCRIPTIONS[name]
    assert config.train_from_dict(json.loads(json.dumps(config.to_dict(settings)))) == settings


def test_a_config_with_nothing_at_its_default_comes_back_equal():
    settings = TrainConfig(
        networks=NetworkConfig(size=128, channels=1, z_dim=77, width=12, d_norm="none", d_dropout=0.3),
        preset="mine",
        dataset="Bäume",
        dataset_hash="ab" * 32,
        loss="rpgan",
        gamma=0.5,
        batch=3,
        lr=1e-3,
        beta1=0.0,
        beta2=0.99,
        init="glorot",
        fresh_noise=True,
        flip=False,
        ema_half_life=0.1,
        kimg=1.5,
        seed=2**32 - 1,
        device="cuda",
        dtype="bfloat16",
        save_seconds=0.5,
    )
    for part in (settings, settings.networks):
        default = type(part)()
        same = [f.name for f in dataclasses.fields(part) if getattr(part, f.name) == getattr(default, f.name)]
        assert same in (["version"], [])
    assert config.train_from_dict(json.loads(json.dumps(config.to_dict(settings)))) == settings
    assert (
        config.networks_from_dict(json.loads(json.dumps(config.to_dict(settings.networks)))) == settings.networks
    )


def test_mnist_seed_is_the_pair_of_the_article():
    settings = config.preset("mnist-seed")
    assert settings.networks == NetworkConfig(28, 1, z_dim=300, width=64, d_norm="none", d_dropout=0.25)
    assert (settings.batch, settings.lr, settings.beta1, settings.init) == (128, 2e-4, 0.9, "glorot")
    assert settings.fresh_noise and not settings.flip and settings.ema_half_life == 0


def test_settings_cannot_be_changed_behind_ones_back():
    for settings in (TrainConfig(), NetworkConfig(), IntakeConfig()):
        field = dataclasses.fields(settings)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"size": 63},
        {"size": 0},
        {"size": "64"},
        {"size": 64.0},
        {"size": None},
        {"channels": 2},
        {"channels": 4},
        {"channels": True},
        {"z_dim": 1},
        {"z_dim": 1025},
        {"z_dim": 100.5},
        {"z_dim": HUGE},
        {"width": 3},
        {"width": 257},
        {"width": [64]},
        {"d_norm": "layer"},
        {"d_norm": None},
        {"d_dropout": -0.1},
        {"d_dropout": 0.76},
        {"d_dropout": float("nan")},
        {"d_dropout": "0.1"},
        pytest.param({"d_dropout": HUGE}, id="d_dropout-huge"),
    ],
)
def test_networks_out_of_range_are_refused(values):
    with pytest.raises(InputError):
        config.networks_from_dict(values)


@pytest.mark.parametrize(
    "values",
    [
        {"batch": 1},
        {"batch": 4097},
        {"batch": 64.0},
        {"lr": 0},
        {"lr": 2},
        {"lr": float("inf")},
        {"lr": "fast"},
        pytest.param({"lr": HUGE}, id="lr-huge"),
        {"beta1": 1},
        {"beta1": -0.1},
        {"beta2": 1.0},
        {"init": "zeros"},
        {"ema_half_life": -1},
        {"ema_half_life": float("nan")},
        {"kimg": 0},
        {"kimg": -5},
        {"kimg": float("inf")},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": 1.5},
        {"seed": True},
        {"device": "tpu"},
        {"dtype": "float16"},
        {"save_seconds": -1},
        {"save_seconds": 3601},
        {"networks": {"size": 63}},
        {"networks": 64},
        {"networks": None},
    ],
)
def test_trainings_out_of_range_are_refused(values):
    with pytest.raises(InputError):
        config.train_from_dict(values)


@pytest.mark.parametrize(
    "values", [{"size": 63}, {"size": "64"}, {"crop": "random"}, {"channels": 2}, {"channels": 4}]
)
def test_an_intake_out_of_range_is_refused(values):
    with pytest.raises(InputError):
        IntakeConfig(**values)


def test_the_limits_themselves_are_allowed():
    for values in ({"z_dim": 2, "width": 4, "d_dropout": 0}, {"z_dim": 1024, "width": 256, "d_dropout": 0.75}):
        config.networks_from_dict(values)
    config.train_from_dict({"batch": 2, "kimg": 0.001, "seed": 0, "save_seconds": 0})
    config.train_from_dict({"batch": 4096, "kimg": 1e6, "seed": 2**32 - 1, "save_seconds": 3600})


def test_unknown_settings_are_named():
    with pytest.raises(InputError, match="colour, speed"):
        config.train_from_dict({"speed": 1, "colour": 2})
    with pytest.raises(InputError, match="depth"):
        config.train_from_dict({"networks": {"depth": 3}})
    for value in (None, [], "x"):
        with pytest.raises(InputError, match="JSON object"):
            config.train_from_dict(value)


def test_a_run_of_another_version_says_what_to_do():
    with pytest.raises(InputError, match=r"another version.*Open it with that version, or start a new run"):
        config.train_from_dict({"version": 2})


@pytest.mark.parametrize(
    ("kimg", "batch", "steps"), [(1, 100, 10), (1, 64, 16), (0.001, 64, 1), (1200, 128, 9375)]
)
def test_a_training_is_as_long_as_was_asked(kimg, batch, steps):
    assert TrainConfig(kimg=kimg, batch=batch).total_steps == steps


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(InputError, match="mnist-seed, art"):
        config.preset("cubism")


def test_a_preset_takes_the_form_of_the_dataset():
    settings = config.for_dataset(config.preset("art"), 128, 1)
    assert (settings.networks.size, settings.networks.channels, settings.networks.width) == (128, 1, 64)
    assert config.for_dataset(config.preset("art"), 32, 3, width=16).networks.width == 16
    assert config.for_dataset(config.preset("mnist-seed"), 28, 1) == config.preset("mnist-seed")


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (28, 3)])
def test_mnist_seed_refuses_other_pictures(size, channels):
    with pytest.raises(InputError, match="Use the art preset"):
        config.for_dataset(config.preset("mnist-seed"), size, channels)
