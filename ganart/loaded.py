"""Models kept loaded for the pages and the picture routes, drawing on one thread: beside a training, a second
thread costs both more than it gives."""

import contextlib
import functools
from pathlib import Path

import numpy as np
import torch

from ganart import checkpoint, latent, notes, render
from ganart import directions as directions_of
from ganart.card import Card
from ganart.errors import GanartError, InputError, ModelError
from ganart.models import Model
from ganart.networks import Generator

FOUND = 12  # directions that are looked for


@functools.lru_cache(maxsize=4)
def _load(path: str, written: int) -> tuple[Generator, Card]:
    torch.set_num_threads(1)
    return checkpoint.load_generator(Path(path))


def _written(model: Model) -> int:
    try:
        return model.path.stat().st_mtime_ns
    except OSError as error:
        raise ModelError(f"The model {model.id} is gone: its file was moved or deleted.") from error


def generator(model: Model) -> tuple[Generator, Card]:
    """G and the card of a model; a run that saves again is loaded again, with its notes. Raises ModelError."""
    written = _written(model)
    G, card = _load(str(model.path), written)
    if model.run:
        _follow(model.id, card.hash, written)
    return G, card


@functools.lru_cache(maxsize=64)  # a hand on the pad asks sixty times a second
def _follow(model_id: str, model_hash: str, _written: int) -> None:
    with contextlib.suppress(GanartError, OSError):  # where nothing can be written, nothing was noted
        notes.follow(model_id, model_hash)


@functools.lru_cache(maxsize=16)
def _directions(path: str, written: int, kind: str, count: int) -> np.ndarray:
    G, _ = _load(path, written)
    return directions_of.KINDS[kind](G, min(count, G.config.z_dim))


def directions(model: Model, kind: str, count: int = FOUND) -> np.ndarray:
    """The first directions of a kind of `directions.KINDS`, (count, z_dim), or all that there are where there are
    fewer. Raises InputError for another kind, ModelError."""
    if kind not in directions_of.KINDS:
        raise InputError(f"“{kind[:20]}” is no kind of directions. There are: {', '.join(directions_of.KINDS)}.")
    return _directions(str(model.path), _written(model), kind, count)


@functools.lru_cache(maxsize=12)  # a sheet of 256 px takes 10 MB
def _pictures(path: str, written: int, z: bytes, z_dim: int) -> np.ndarray:
    G, _ = _load(path, written)
    drawn = render.pictures(G, np.frombuffer(z, np.float32).reshape(-1, z_dim).copy())
    drawn.setflags(write=False)
    return drawn


def pictures(model: Model, z: np.ndarray) -> np.ndarray:
    """Draw z (N, z_dim) -> uint8 (N, H, W, C); the last few answers are kept, since pages ask again and again."""
    z = np.ascontiguousarray(z, np.float32)
    return _pictures(str(model.path), _written(model), z.tobytes(), z.shape[1])


def of_seeds(model: Model, seeds: list[int]) -> np.ndarray:
    """The pictures of these seeds, uint8 (N, H, W, C)."""
    _, card = generator(model)
    return pictures(model, latent.sample_z(seeds, card.networks.z_dim))
