"""Every setting of a run: frozen dataclasses that check themselves and travel as JSON. Imports no torch."""

import dataclasses
import math
from dataclasses import dataclass, field

from ganart.errors import InputError

SIZES = (28, 32, 64, 128, 256)
CROPS = ("centre", "fit")
CONFIG_VERSION = 1


def _need(condition: bool, sentence: str) -> None:
    if not condition:
        raise InputError(sentence)


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: object, low: float, high: float) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and low <= value <= high  # nan and the infinities lie in no range


def _check_size(size: object) -> None:
    _need(
        _whole(size, 0, 10**6) and size in SIZES,
        f"A size of {size!r} px is not offered. Choose one of {', '.join(map(str, SIZES))}.",
    )


@dataclass(frozen=True)
class IntakeConfig:
    """How pictures become squares: side in px, "centre" or "fit", colour behind transparency and bars,
    channels (1, 3, or 0 for grey where every picture is grey)."""

    size: int = 64
    crop: str = "centre"
    background: tuple[int, int, int] = (255, 255, 255)
    channels: int = 0

    def __post_init__(self) -> None:
        _check_size(self.size)
        _need(self.crop in CROPS, f"The crop is {self.crop!r}. It must be {' or '.join(CROPS)}.")
        colour = isinstance(self.background, tuple) and len(self.background) == 3
        _need(
            colour and all(_whole(value, 0, 255) for value in self.background),
            f"The background is {self.background!r}. It must be three numbers from 0 to 255.",
        )
        _need(self.channels in (0, 1, 3), "Channels are 1 (grey), 3 (colour), or 0 to decide by the pictures.")


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a G and its D; it is all that a model file needs to be built again.

    size: side of the pictures in pixels; 28 is the MNIST pair of the original article, the others are the
        DCGAN family that starts from a 4x4 map and doubles.
    channels: 1 (grey) or 3 (colour).
    z_dim: length of the latent vector.
    width: channels of the layer next to the picture; each halving of the map doubles them, up to 512.
    d_norm: "batch" puts BatchNorm into D behind every layer but the first, "none" leaves it out.
    d_dropout: share of D's activations dropped in training, 0 … 0.75.
    """

    size: int = 64
    channels: int = 3
    z_dim: int = 128
    width: int = 64
    d_norm: str = "batch"
    d_dropout: float = 0.0

    def __post_init__(self) -> None:
        _check_size(self.size)
        _need(
            _whole(self.channels, 1, 3) and self.channels != 2,
            "Pictures have 1 (grey) or 3 (colour) channels.",
        )
        _need(_whole(self.z_dim, 2, 1024), f"z_dim is {self.z_dim!r}. It must be a whole number from 2 to 1024.")
        _need(
            _whole(self.width, 4, 256),
            f"The width is {self.width!r}. It must be a whole number from 4 to 256.",
        )
        _need(self.d_norm in ("batch", "none"), f"d_norm is {self.d_norm!r}. It must be “batch” or “none”.")
        _need(
            _number(self.d_dropout, 0, 0.75),
            f"d_dropout is {self.d_dropout!r}. It must lie between 0 and 0.75.",
        )


@dataclass(frozen=True)
class TrainConfig:
    """One run, whole. A run made again from the same config on the same machine gives the same weights.

    dataset, dataset_hash: the prepared store and the hash of its content.
    loss: "bce" is the original loss, "rpgan" pairs each fake with a real picture (needs d_norm "none").
    gamma: weight of the gradient penalties R1 on real pictures and R2 on fakes; 0 leaves them out (as above).
    batch: pictures in a step. lr, beta1, beta2: of Adam, for both networks.
    init: "normal" is N(0, 0.02) as in the DCGAN paper (He's for a D without BatchNorm, where 0.02 would let
        the signal die out), "glorot" is Glorot's uniform as in the article.
    fresh_noise: G's update draws noise of its own; without it, it reuses the fakes of D's update.
    flip: mirror half of the pictures left to right.
    ema_half_life: half-life of the average of G's weights, in thousands of pictures; 0 keeps no average.
    kimg: length of the training, in thousands of pictures seen.
    device: "auto", "cpu", "cuda" or "mps". dtype: "auto" tries bfloat16 against float32 and keeps the faster.
    save_seconds: how often the whole state is saved.
    """

    networks: NetworkConfig = field(default_factory=NetworkConfig)
    preset: str = "art"
    dataset: str = ""
    dataset_hash: str = ""
    loss: str = "bce"
    gamma: float = 0.0
    batch: int = 64
    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    init: str = "normal"
    fresh_noise: bool = False
    flip: bool = True
    ema_half_life: float = 5.0
    kimg: float = 200.0
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"
    save_seconds: float = 60.0
    version: int = CONFIG_VERSION

    def __post_init__(self) -> None:
        _need(
            self.version == CONFIG_VERSION,
            f"This run was written by another version of ganart (config version {self.version!r}, "
            f"this one reads {CONFIG_VERSION}). Open it with that version, or start a new run.",
        )
        _need(self.loss in ("bce", "rpgan"), f"The loss is {self.loss!r}. It must be “bce” or “rpgan”.")
        _need(_number(self.gamma, 0, 1e4), f"gamma is {self.gamma!r}. It must lie between 0 and 10000.")
        _need(
            self.networks.d_norm == "none" or (self.loss == "bce" and not self.gamma),
            "rpgan and gamma need d_norm “none”: with BatchNorm D does not judge each picture by itself.",
        )
        _need(
            _whole(self.batch, 2, 4096),
            f"The batch is {self.batch!r}. It must be a whole number from 2 to 4096.",
        )
        _need(_number(self.lr, 1e-7, 1), f"The learning rate is {self.lr!r}. It must lie between 1e-7 and 1.")
        _need(_number(self.beta1, 0, 0.9999) and _number(self.beta2, 0, 0.99999), "Adam's betas lie in [0, 1).")
        _need(self.init in ("normal", "glorot"), f"init is {self.init!r}. It must be “normal” or “glorot”.")
        _need(
            _number(self.ema_half_life, 0, 1e5),
            "The half-life of the average lies between 0 and 100000 kimg.",
        )
        _need(
            _number(self.kimg, 0.001, 1e6),
            f"The length is {self.kimg!r} kimg. It is given in thousands of pictures, from 0.001 to a million.",
        )
        _need(
            _whole(self.seed, 0, 2**32 - 1),
            f"The seed is {self.seed!r}. It must lie between 0 and 4294967295.",
        )
        _need(
            self.device in ("auto", "cpu", "cuda", "mps"),
            f"The device is {self.device!r}. It must be auto, cpu, cuda or mps.",
        )
        _need(self.dtype in ("auto", "float32", "bfloat16"), "dtype must be auto, float32 or bfloat16.")
        _need(_number(self.save_seconds, 0, 3600), "The state is saved every 0 to 3600 seconds.")

    @property
    def total_steps(self) -> int:
        """Steps until `kimg` thousand pictures were seen."""
        return max(1, math.ceil(self.kimg * 1000 / self.batch))


# The settings of each preset; DESCRIPTIONS says in plain words what it is for. Size and channels follow the
# dataset.
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
    "art": TrainConfig(
        preset="art",
        networks=NetworkConfig(d_norm="none"),
        loss="rpgan",
        gamma=1.0,
        beta1=0.0,
        beta2=0.99,
        ema_half_life=10.0,
    ),
}
DESCRIPTIONS = {
    "mnist-seed": "The handwritten-digits pair of the original article, unchanged. For 28 px grey pictures.",
    "art": "Paintings, photographs, drawings: 100 to 5,000 colour pictures at 32 to 256 px.",
}


def preset(name: str) -> TrainConfig:
    """The settings of a preset; raises InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"There is no preset “{name}”. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def usual_width(settings: TrainConfig, device: str) -> int:
    """The preset's width, but half of it for `art` on a processor: a quarter of the work."""
    width = settings.networks.width
    return width // 2 if settings.preset == "art" and device == "cpu" else width


def for_dataset(settings: TrainConfig, size: int, channels: int, width: int | None = None) -> TrainConfig:
    """The preset's settings with networks that fit a dataset's pictures.

    Raises InputError where the preset is for other pictures, as `mnist-seed` is for 28 px grey ones.
    """
    if settings.preset == "mnist-seed" and (size, channels) != (28, 1):
        kind = "colour" if channels == 3 else "grey"
        raise InputError(
            f"mnist-seed learns 28 px grey pictures, but these are {size} px in {kind}. Use the art preset."
        )
    networks = dataclasses.replace(settings.networks, size=size, channels=channels)
    return dataclasses.replace(
        settings, networks=dataclasses.replace(networks, width=networks.width if width is None else width)
    )


def to_dict(config: TrainConfig | NetworkConfig) -> dict:
    """The config as plain JSON values."""
    return dataclasses.asdict(config)


def _checked_keys(cls: type, values: object) -> dict:
    if not isinstance(values, dict):
        raise InputError(f"A {cls.__name__} is a JSON object, but {type(values).__name__} was found.")
    known = {f.name for f in dataclasses.fields(cls)}
    if unknown := sorted(map(str, set(values) - known)):
        raise InputError(
            f"Unknown settings: {', '.join(unknown)}. The file is of a newer ganart, or was changed by hand."
        )
    return values


def networks_from_dict(values: object) -> NetworkConfig:
    """A NetworkConfig from JSON values; raises InputError for unknown keys or values out of range."""
    return NetworkConfig(**_checked_keys(NetworkConfig, values))


def train_from_dict(values: object) -> TrainConfig:
    """A TrainConfig from JSON values; raises InputError for unknown keys or values out of range."""
    checked = dict(_checked_keys(TrainConfig, values))
    return TrainConfig(**{**checked, "networks": networks_from_dict(checked.get("networks", {}))})
