"""What one step reads: real pictures and noise, all of it a function of (seed, step)."""

import dataclasses
import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganart import augment, devices, images
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.randomness import generator

STEER_EVERY = 8  # steps between two looks at the signs of overfitting
CHUNK = 4096  # pictures that are moved to a device at a time


@dataclass
class Batch:
    """The inputs of one step, on the device. What a recipe does not use is None.

    real: (B, C, S, S) in [-1, 1]. z, z_G: (B, z_dim), for both updates or D's, and for G's own.
    draws_D, draws_G: (2B, 12) uniform draws of the augmentation; D sees real pictures first, then fakes, in G's
        update it is the other way round.
    signs: (2B, C, S, S), -1 or 1, for the approximate penalty.
    held_out: like real, from the held-out pictures, at the steps at which the augmentation is steered.
    gamma: weight of the penalty at this step, as a 0-dimensional tensor; None at steps without it.
    steered: whether this step looks at the signs of overfitting.
    """

    real: Tensor
    z: Tensor
    z_G: Tensor | None = None
    draws_D: Tensor | None = None
    draws_G: Tensor | None = None
    signs: Tensor | None = None
    held_out: Tensor | None = None
    gamma: Tensor | None = None
    steered: bool = False

    @property
    def form(self) -> tuple[bool, bool]:
        """Steps of one form do the same operations: (with penalty, steered)."""
        return self.gamma is not None, self.steered

    def split(self, count: int) -> list["Batch"]:
        """The batch in `count` equal pieces, for a device that cannot hold it at once. `held_out` stays whole."""
        if count == 1:
            return [self]
        pieces: list[dict[str, Any]] = [{} for _ in range(count)]
        for name in ("real", "z", "z_G", "draws_D", "draws_G", "signs"):
            if (values := getattr(self, name)) is None:
                continue
            kinds = values.chunk(2) if name in ("draws_D", "draws_G", "signs") else [values]  # real and fake
            for index, piece in enumerate(pieces):
                piece[name] = torch.cat([kind.chunk(count)[index] for kind in kinds])
        return [dataclasses.replace(self, **piece) for piece in pieces]


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return generator(seed, "epoch", epoch).permutation(count)


def batch_indices(seed: int, step: int, count: int, batch: int) -> np.ndarray:
    """Which of `count` pictures step number `step` sees -> (batch,) int64.

    Each epoch is a permutation of its own; the short batch at its end is dropped. With fewer pictures than
    the batch, indices run on across permutations, so that every picture is seen equally often.
    """
    if count >= batch:
        epoch, position = divmod(step, count // batch)
        return _permutation(seed, epoch, count)[position * batch : (position + 1) * batch]
    places = np.arange(step * batch, (step + 1) * batch)
    return np.array([_permutation(seed, place // count, count)[place % count] for place in places])


class Pictures:
    """The pictures of a store, drawn in batches.

    On a graphics card they lie on the card where they fit into a quarter of its free memory. Else each batch is
    read from the file, so that a store of any size costs no memory: the system's cache does the rest.
    """

    def __init__(self, store: Dataset, device: str) -> None:
        mapped = store.images()
        assert isinstance(mapped, np.memmap) and mapped.filename is not None
        self.device, self.training, self.count = device, store.training, store.count
        self.shape, self.offset = mapped.shape[1:], mapped.offset
        self.file = Path(mapped.filename).open("rb", buffering=0)  # noqa: SIM115  for the life of the process
        # Kept by `vitals`, which compares with the same ones time and again.
        self.held_out_features: list[Tensor] | None = None
        self.resident = None
        if device == "cuda" and mapped.nbytes <= devices.free_memory(device) // 4:
            self.resident = torch.empty(mapped.shape, dtype=torch.uint8, device=device)
            for start in range(0, self.count, CHUNK):
                places = np.arange(start, min(start + CHUNK, self.count))
                self.resident[start : start + len(places)].copy_(torch.from_numpy(self._read(places)))

    def take(self, places: np.ndarray) -> Tensor:
        """Pictures by their places in the store, training ones first -> uint8 (N, S, S, C), on the device."""
        if self.resident is not None:
            return self.resident[to_device(places, self.device)]
        return to_device(self._read(places), self.device)

    def _read(self, places: np.ndarray) -> np.ndarray:
        found = np.empty((len(places), *self.shape), np.uint8)
        size = math.prod(self.shape)
        for picture, place in zip(found, places, strict=True):
            self.file.seek(self.offset + int(place) * size)
            self.file.readinto(picture)
        return found


def to_device(values: np.ndarray, device: str) -> Tensor:
    """A tensor of these values on the device, without waiting for the copy where it can be helped."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)


def sample_z(settings: TrainConfig, stream: str, step: int) -> Tensor:
    """The latents of a step: (batch, z_dim) from N(0, 1), on the device."""
    shape = (settings.batch, settings.networks.z_dim)
    return to_device(generator(settings.seed, stream, step).standard_normal(shape, np.float32), settings.device)


def cosine(end: float, step: int, total: int) -> float:
    """1 at step 0, `end` at step `total`, along half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))


def real_batch(pictures: Pictures, settings: TrainConfig, step: int) -> Tensor:
    """float32 (batch, C, S, S) in [-1, 1], half of them mirrored where the settings say so."""
    return _prepared(
        pictures, batch_indices(settings.seed, step, pictures.training, settings.batch), settings, step
    )


def held_out_batch(pictures: Pictures, settings: TrainConfig, step: int) -> Tensor | None:
    """The same of the held-out pictures, or None where there are none."""
    held_out = pictures.count - pictures.training
    if not held_out:
        return None
    places = pictures.training + batch_indices(settings.seed, step // STEER_EVERY, held_out, settings.batch)
    return _prepared(pictures, places, settings, step)


def _prepared(pictures: Pictures, places: np.ndarray, settings: TrainConfig, step: int) -> Tensor:
    found = images.to_float(pictures.take(places))
    if not settings.flip:
        return found
    mirrored = to_device(generator(settings.seed, "flip", step).random(settings.batch) < 0.5, settings.device)
    return torch.where(mirrored[:, None, None, None], found.flip(3), found)


def _signs(settings: TrainConfig, step: int) -> Tensor:
    networks, count = settings.networks, 2 * settings.batch
    shape = (count, networks.size, networks.size, networks.channels)
    raw = np.frombuffer(generator(settings.seed, "signs", step).bytes(-(-math.prod(shape) // 8)), np.uint8)
    bits = np.unpackbits(raw, count=math.prod(shape)).reshape(shape)
    return to_device(bits, settings.device).permute(0, 3, 1, 2).float().mul_(2).sub_(1)


def draw(pictures: Pictures, settings: TrainConfig, step: int) -> Batch:
    """Everything that step number `step` reads."""
    seed, device = settings.seed, settings.device
    augmented = settings.augment != "off"
    penalised = settings.gamma > 0 and step % settings.penalty_every == 0
    steered = settings.augment == "steered" and step % STEER_EVERY == 0
    gamma = settings.gamma * settings.penalty_every * cosine(settings.gamma_end, step, settings.total_steps)

    def uniform(stream: str) -> Tensor:
        return to_device(augment.draw(generator(seed, stream, step), 2 * settings.batch), device)

    return Batch(
        real=real_batch(pictures, settings, step),
        z=sample_z(settings, "z-D", step),
        z_G=sample_z(settings, "z-G", step) if settings.fresh_noise else None,
        draws_D=uniform("augment-D") if augmented else None,
        draws_G=uniform("augment-G") if augmented else None,
        signs=_signs(settings, step) if penalised and settings.penalty == "approximate" else None,
        held_out=held_out_batch(pictures, settings, step) if steered else None,
        gamma=to_device(np.array(gamma, np.float32), device) if penalised else None,
        steered=steered,
    )
