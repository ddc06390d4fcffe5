"""Every setting of a run: frozen dataclasses that check themselves and travel as JSON. Imports no torch."""

import dataclasses
import math
from dataclasses import dataclass, field

from ganart.checks import checked_keys, need, number, one_of, told, whole

SIZES = (28, 32, 64, 128, 256)
CROPS = ("centre", "fit")
MOST_KIMG = 1e6  # that a training can be long, in thousands of pictures seen
AUGMENT_OPS = ("colour", "translation", "cutout")
CONFIG_VERSION = 1


def _check_size(size: object) -> None:
    need(
        whole(size, 0, 10**6) and size in SIZES,
        f"A size of {told(size)} px is not offered. Choose one of {', '.join(map(str, SIZES))}.",
    )


@dataclass(frozen=True)
class IntakeConfig:
    """How pictures become squares: side in px, "centre" or "fit", colour behind transparency and bars,
    channels (1, 3, or 0 for grey where every picture is grey), and how many crops a picture of at least twice the
    side gives."""

    size: int = 64
    crop: str = "centre"
    background: tuple[int, int, int] = (255, 255, 255)
    channels: int = 0
    crops: int = 1

    def __post_init__(self) -> None:
        _check_size(self.size)
        need(self.crop in CROPS, f"The crop is {told(self.crop)}. It must be {' or '.join(CROPS)}.")
        colour = isinstance(self.background, tuple) and len(self.background) == 3
        need(
            colour and all(whole(value, 0, 255) for value in self.background),
            f"The background is {told(self.background)}. It must be three numbers from 0 to 255.",
        )
        need(self.channels in (0, 1, 3), "Channels are 1 (grey), 3 (colour), or 0 to decide by the pictures.")
        need(whole(self.crops, 1, 4), f"crops is {told(self.crops)}. It must be a whole number from 1 to 4.")
        need(self.crops == 1 or self.crop == "centre", "Several crops go with the crop “centre” alone.")


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a G and its D; it is all that a model file needs to be built again.

    size: side of the pictures in pixels; 28 is the MNIST pair of the article (see `networks`), the others are the
        DCGAN family that starts from a 4x4 map and doubles.
    channels: 1 (grey) or 3 (colour).
    z_dim: length of the latent vector.
    width: channels of the layer next to the picture; each halving of the map doubles them, up to 512.
    g_norm: "batch" puts BatchNorm into G behind every layer but the last, "none" leaves it out.
    upsample: "transposed" doubles G's maps with 4x4 transposed convolutions; "nearest" repeats each pixel and
        convolves 3x3, for flat colours (2.25 times the work of those layers).
    d_norm: "batch" puts BatchNorm into D behind every layer but the first, "spectral" divides D's weights by
        their spectral norm, "none" does neither.
    d_dropout: share of D's activations dropped in training, 0 … 0.75.
    d_extra: how many 3x3 convolutions D has more at its smallest map, each with twice the channels, up to 512.
    d_stddev: D's last layer also sees how much the pictures of a group of this many differ; 0 leaves it out.
    pack: D judges this many pictures at once, as one with that many times the channels.
    """

    size: int = 64
    channels: int = 3
    z_dim: int = 128
    width: int = 64
    g_norm: str = "batch"
    upsample: str = "transposed"
    d_norm: str = "batch"
    d_dropout: float = 0.0
    d_extra: int = 0
    d_stddev: int = 0
    pack: int = 1

    def __post_init__(self) -> None:
        _check_size(self.size)
        need(
            whole(self.channels, 1, 3) and self.channels != 2,
            "Pictures have 1 (grey) or 3 (colour) channels.",
        )
        need(whole(self.z_dim, 2, 1024), f"z_dim is {told(self.z_dim)}. It must be a whole number from 2 to 1024.")
        need(
            whole(self.width, 4, 256),
            f"The width is {told(self.width)}. It must be a whole number from 4 to 256.",
        )
        one_of("g_norm", self.g_norm, ("batch", "none"))
        one_of("upsample", self.upsample, ("transposed", "nearest"))
        one_of("d_norm", self.d_norm, ("batch", "spectral", "none"))
        need(whole(self.d_extra, 0, 2), f"d_extra is {told(self.d_extra)}. It must be 0, 1 or 2.")
        need(
            whole(self.d_stddev, 0, 64) and self.d_stddev != 1,
            f"d_stddev is {told(self.d_stddev)}. It must be 0 or a group of 2 to 64 pictures.",
        )
        need(whole(self.pack, 1, 8), f"pack is {told(self.pack)}. It must be a whole number from 1 to 8.")
        need(
            self.size != 28 or (self.upsample, self.g_norm) == ("transposed", "batch"),
            "At 28 px G is the one of the article: transposed convolutions and BatchNorm.",
        )
        need(
            number(self.d_dropout, 0, 0.75),
            f"d_dropout is {told(self.d_dropout)}. It must lie between 0 and 0.75.",
        )


@dataclass(frozen=True)
class TrainConfig:
    """One run, whole. A run made again from the same config on the same machine gives the same weights.

    dataset, dataset_hash: the prepared store and the hash of its content.
    loss: "bce" is the original loss, "hinge" the one that spectral norms go with, "rpgan" pairs each fake with
        a real picture (not with d_norm "batch").
    gamma: weight of the gradient penalties R1 on real pictures and R2 on fakes; 0 leaves them out (as above).
    gamma_end: share of gamma that is left at the end; it falls along a cosine. 1 keeps it as it is.
    penalty: "exact" differentiates D twice, "approximate" compares D at each picture and close to it.
    penalty_every: the penalty is taken every so many steps, and counts that many times as much.
    augment: "off", "full" (DiffAugment on every picture that D sees) or "steered" (on more and more of them
        while D overfits, on none at first).
    augment_ops: which of "colour", "translation" and "cutout", with commas between.
    batch: pictures in a step. lr, beta1, beta2: of Adam, for both networks.
    lr_end: share of lr that is left at the end; it falls along a cosine. 1 keeps it as it is.
    init: "normal" is N(0, 0.02) as in the DCGAN paper (He's for a D without BatchNorm, where 0.02 would let
        the signal die out), "glorot" is Glorot's uniform as in the article.
    fresh_noise: G's update draws noise of its own; without it, it reuses the fakes of D's update.
    flip: mirror half of the pictures left to right.
    ema_half_life: half-life of the average of G's weights, in thousands of pictures; 0 keeps no average.
    kimg: length of the training, in thousands of pictures seen.
    device: "auto", "cpu", "cuda" or "mps". dtype: "auto" tries bfloat16 against float32 and keeps the faster.
    save_seconds: how often the whole state is saved.
    parent: "RUN@STEP" where the training went on from a state of another run.
    initial: name of the model whose G and D it started from, in place of drawn weights.
    """

    networks: NetworkConfig = field(default_factory=NetworkConfig)
    preset: str = "art"
    dataset: str = ""
    dataset_hash: str = ""
    loss: str = "bce"
    gamma: float = 0.0
    gamma_end: float = 1.0
    penalty: str = "exact"
    penalty_every: int = 1
    augment: str = "off"
    augment_ops: str = "colour,translation,cutout"
    batch: int = 64
    lr: float = 2e-4
    lr_end: float = 1.0
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
    parent: str = ""
    initial: str = ""
    version: int = CONFIG_VERSION

    def __post_init__(self) -> None:
        need(
            self.version == CONFIG_VERSION,
            f"This run was written by another version of ganart (config version {told(self.version)}, "
            f"this one reads {CONFIG_VERSION}). Open it with that version, or start a new run.",
        )
        one_of("loss", self.loss, ("bce", "hinge", "rpgan"))
        one_of("penalty", self.penalty, ("exact", "approximate"))
        one_of("augment", self.augment, ("off", "steered", "full"))
        ops = self.augment_ops.split(",") if isinstance(self.augment_ops, str) else []
        need(
            bool(ops) and set(ops) <= set(AUGMENT_OPS) and len(set(ops)) == len(ops),
            f"augment_ops is {told(self.augment_ops)}. Name some of {', '.join(AUGMENT_OPS)}, with commas.",
        )
        need(number(self.gamma, 0, 1e4), f"gamma is {told(self.gamma)}. It must lie between 0 and 10000.")
        for name in ("gamma_end", "lr_end"):
            value = getattr(self, name)
            need(number(value, 0, 1), f"{name} is {told(value)}. It is a share, from 0 to 1.")
        need(whole(self.penalty_every, 1, 64), "The penalty is taken every 1 to 64 steps.")
        need(
            self.networks.d_norm != "batch" or (self.loss != "rpgan" and not self.gamma),
            "rpgan and gamma need a D without BatchNorm, which mixes the pictures of a whole batch.",
        )
        need(
            whole(self.batch, 2, 4096),
            f"The batch is {told(self.batch)}. It must be a whole number from 2 to 4096.",
        )
        together = self.networks.pack * max(1, self.networks.d_stddev)
        need(
            self.batch % together == 0,
            f"The batch is {self.batch}, but this D looks at {together} pictures together. Choose a multiple.",
        )
        need(number(self.lr, 1e-7, 1), f"The learning rate is {told(self.lr)}. It must lie between 1e-7 and 1.")
        need(number(self.beta1, 0, 0.9999) and number(self.beta2, 0, 0.99999), "Adam's betas lie in [0, 1).")
        need(self.init in ("normal", "glorot"), f"init is {told(self.init)}. It must be “normal” or “glorot”.")
        need(
            number(self.ema_half_life, 0, 1e5),
            "The half-life of the average lies between 0 and 100000 kimg.",
        )
        need(
            number(self.kimg, 0.001, MOST_KIMG),
            f"The length is {told(self.kimg)} kimg. It is in thousands of pictures, from 0.001 to a million.",
        )
        need(
            whole(self.seed, 0, 2**32 - 1),
            f"The seed is {told(self.seed)}. It must lie between 0 and 4294967295.",
        )
        need(
            self.device in ("auto", "cpu", "cuda", "mps"),
            f"The device is {told(self.device)}. It must be auto, cpu, cuda or mps.",
        )
        need(self.dtype in ("auto", "float32", "bfloat16"), "dtype must be auto, float32 or bfloat16.")
        need(number(self.save_seconds, 0, 3600), "The state is saved every 0 to 3600 seconds.")

    @property
    def total_steps(self) -> int:
        """Steps until `kimg` thousand pictures were seen."""
        return max(1, math.ceil(self.kimg * 1000 / self.batch))


def to_dict(config: TrainConfig | NetworkConfig) -> dict:
    """The config as plain JSON values."""
    return dataclasses.asdict(config)


def intake_to_dict(settings: IntakeConfig) -> dict:
    """The settings as plain JSON values, as datasets had them before there were several crops where there is one:
    the hash of a dataset is over them."""
    values = dataclasses.asdict(settings)
    return values if settings.crops > 1 else {k: v for k, v in values.items() if k != "crops"}


def networks_from_dict(values: object) -> NetworkConfig:
    """A NetworkConfig from JSON values; raises InputError for unknown keys or values out of range."""
    return NetworkConfig(**checked_keys(NetworkConfig, values))


def train_from_dict(values: object) -> TrainConfig:
    """A TrainConfig from JSON values; raises InputError for unknown keys or values out of range."""
    checked = dict(checked_keys(TrainConfig, values))
    return TrainConfig(**{**checked, "networks": networks_from_dict(checked.get("networks", {}))})
