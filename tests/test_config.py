"""Settings check themselves, and come back from JSON as they went."""

import dataclasses
import json

import pytest

from ganart import config
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.errors import InputError

HUGE = 10**400  # a whole number in JSON that no float can hold


def test_a_config_with_nothing_at_its_default_comes_back_equal():
    settings = TrainConfig(
        networks=NetworkConfig(
            size=128,
            channels=1,
            z_dim=77,
            width=12,
            g_norm="none",
            upsample="nearest",
            d_norm="none",
            d_dropout=0.3,
            d_extra=1,
            d_stddev=3,
            pack=2,
        ),
        preset="mine",
        dataset="Bäume",
        dataset_hash="ab" * 32,
        loss="rpgan",
        gamma=0.5,
        gamma_end=0.2,
        penalty="approximate",
        penalty_every=4,
        augment="steered",
        augment_ops="cutout",
        batch=6,
        lr=1e-3,
        lr_end=0.1,
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
        parent="0003-monet@1200",
        initial="landscapes",
    )
    for part in (settings, settings.networks):
        default = type(part)()
        same = [f.name for f in dataclasses.fields(part) if getattr(part, f.name) == getattr(default, f.name)]
        assert same in (["version"], [])
    assert config.train_from_dict(json.loads(json.dumps(config.to_dict(settings)))) == settings
    assert (
        config.networks_from_dict(json.loads(json.dumps(config.to_dict(settings.networks)))) == settings.networks
    )


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
        {"g_norm": "spectral"},
        {"upsample": "bilinear"},
        {"size": 28, "upsample": "nearest"},
        {"size": 28, "g_norm": "none"},
        {"d_extra": 3},
        {"d_stddev": 1},
        {"d_stddev": 65},
        {"pack": 0},
        {"pack": 9},
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
        {"batch": 30, "networks": {"d_stddev": 4}},
        {"batch": 12, "networks": {"d_stddev": 4, "pack": 2}},
        {"loss": "wgan"},
        {"loss": "rpgan"},
        {"loss": "rpgan", "networks": {"d_norm": "batch"}},
        {"gamma": 1.0},
        {"gamma_end": 1.1},
        {"gamma_end": float("nan")},
        {"lr_end": -0.1},
        {"penalty": "lazy"},
        {"penalty_every": 0},
        {"augment": "on"},
        {"augment_ops": ""},
        {"augment_ops": "blur"},
        {"augment_ops": "colour,colour"},
        {"augment_ops": ["colour"]},
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


def test_a_run_from_before_these_settings_trains_as_it_did():
    """The keys that 0.1.0 began with; what came later must do nothing by default."""
    later = {"gamma_end", "lr_end", "penalty", "penalty_every", "augment", "augment_ops"}
    values = {key: value for key, value in config.to_dict(TrainConfig()).items() if key not in later}
    values["networks"] = {"size": 64, "channels": 3, "z_dim": 128, "width": 64, "d_norm": "none", "d_dropout": 0.0}
    settings = config.train_from_dict(values)
    assert (settings.gamma_end, settings.lr_end, settings.penalty_every, settings.augment) == (1, 1, 1, "off")
    networks = settings.networks
    assert (networks.g_norm, networks.upsample, networks.d_stddev, networks.d_extra) == (
        "batch",
        "transposed",
        0,
        0,
    )
    assert networks.pack == 1


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
