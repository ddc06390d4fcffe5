"""The recipes that come with the program, each a config; `for_dataset` fits one to a dataset. Imports no torch."""

import dataclasses

from ganart import config
from ganart.card import Card
from ganart.config import NetworkConfig, TrainConfig
from ganart.errors import InputError

# What the ablation in benchmarks/README.md found best for some thousand landscapes.
_ART = TrainConfig(
    preset="art",
    networks=NetworkConfig(d_norm="none", d_stddev=4),
    loss="rpgan",
    gamma=1.0,
    penalty_every=4,
    lr=4e-4,
    beta1=0.0,
    beta2=0.99,
    augment="steered",
    ema_half_life=10.0,
    kimg=1000.0,
)

# Size and channels follow the dataset.
PRESETS: dict[str, TrainConfig] = {
    "mnist-seed": TrainConfig(
        preset="mnist-seed",
        networks=NetworkConfig(size=28, channels=1, z_dim=300, width=64, d_norm="none", d_dropout=0.25),
        batch=128,
        beta1=0.9,
        init="glorot",
        fresh_noise=True,
        flip=False,
        ema_half_life=0.0,
        kimg=1200.0,
    ),
    "mnist-best": dataclasses.replace(
        _ART,
        preset="mnist-best",
        networks=NetworkConfig(size=28, channels=1, z_dim=128, width=64, d_norm="none", d_extra=1, d_stddev=4),
        gamma=0.1,
        gamma_end=0.1,
        augment="off",
        lr=4e-4,
        lr_end=0.25,
        batch=128,
        flip=False,
        ema_half_life=50.0,
        kimg=3000.0,
    ),
    "sketch": dataclasses.replace(
        _ART,
        preset="sketch",
        networks=dataclasses.replace(_ART.networks, width=32),
        augment="off",  # in so short a training it costs more than it gives; the doctor says when it is needed
        kimg=200.0,
    ),
    "art": _ART,
    "faces": dataclasses.replace(
        _ART,
        preset="faces",
        gamma_end=0.1,
        augment_ops="translation",
        lr=2e-4,
        lr_end=0.25,
        batch=128,
        ema_half_life=50.0,
        kimg=8000.0,
    ),
}
DESCRIPTIONS = {
    "mnist-seed": "A classic pair for handwritten digits (Flux's DCGAN for MNIST) as it is; for 28 px grey.",
    "mnist-best": "The same G for digits, with a stronger D and a steadier training: fewer broken digits.",
    "sketch": "Small and quick, for a computer without a graphics card: a first look within a coffee.",
    "art": "Paintings, photographs, drawings: 100 to 5,000 pictures at 32 to 256 px, on a graphics card.",
    "faces": "Ten thousand pictures and more of one subject, cut alike, such as faces; long, on a graphics card.",
}


def preset(name: str) -> TrainConfig:
    """The settings of a preset; raises InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"There is no preset “{name}”. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def fitting(size: int, channels: int) -> list[str]:
    """The presets for pictures of this kind."""
    digits = (size, channels) == (28, 1)
    return [name for name in PRESETS if digits or not name.startswith("mnist-")]


def usual(size: int, channels: int, device: str) -> str:
    """The preset to take where nobody chose one."""
    if (size, channels) == (28, 1):
        return "mnist-seed"
    return "sketch" if device == "cpu" else "art"


def going_on_from(card: Card) -> TrainConfig:
    """The recipe of a model, to go on with on other pictures. Raises InputError where its card has none that can
    be used."""
    recipe = config.train_from_dict(card.recipe)
    if recipe.networks != card.networks:
        raise InputError(f"The card of {card.name} names two kinds of networks. Choose another model.")
    return dataclasses.replace(
        recipe, initial=card.name, parent="", dtype="auto", seed=0, save_seconds=TrainConfig.save_seconds
    )


def for_dataset(settings: TrainConfig, size: int, channels: int, width: int | None = None) -> TrainConfig:
    """The preset's settings with networks that fit a dataset's pictures.


    Raises InputError where the preset is for other pictures, as the MNIST ones are for 28 px grey ones.
    """
    if settings.preset not in fitting(size, channels):
        kind = "colour" if channels == 3 else "grey"
        raise InputError(
            f"{settings.preset} learns 28 px grey pictures, but these are {size} px in {kind}. Use the art or "
            "the sketch preset."
        )
    networks = dataclasses.replace(settings.networks, size=size, channels=channels)
    return dataclasses.replace(
        settings, networks=dataclasses.replace(networks, width=networks.width if width is None else width)
    )
