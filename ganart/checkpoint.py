"""Weights and training states as safetensors files, checked on the way in. Nothing here unpickles."""

import functools
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ganart import models, workspace
from ganart.card import Card, header, parse, read_card, unreadable
from ganart.checks import told
from ganart.config import NetworkConfig
from ganart.errors import InputError, ModelError
from ganart.files import write_atomic
from ganart.networks import Discriminator, Generator

STATE_VERSION = 1
MAX_BYTES = 512_000_000
PIECE = 100_000  # numbers that are looked at together: isfinite takes several times their memory
DTYPES = {"F32": torch.float32, "F16": torch.float16}  # of models, by safetensors' names


def tensors_hash(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over name, type, shape and bytes of every tensor, in name order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def named(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a module as "PREFIX.name" -> contiguous CPU tensor. BatchNorm's counters of
    batches are left out: nothing reads them."""
    return {
        f"{prefix}.{name}": tensor.detach().cpu().contiguous()
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def load_named(module: nn.Module, prefix: str, tensors: dict[str, Tensor]) -> None:
    """Copy "PREFIX.name" tensors into a module; raises KeyError or RuntimeError where they do not fit."""
    counters = {n: t for n, t in module.state_dict().items() if n.endswith("num_batches_tracked")}
    start = len(prefix) + 1
    own = {name[start:]: tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}
    module.load_state_dict({**counters, **own}, strict=True)


def model_bytes(G: nn.Module, D: nn.Module | None, *, half: bool = False, **card: Any) -> bytes:
    """A model file: G, optionally D, and the card's fields (all of `Card` but `hash`).

    half: weights in float16, which halves the file; statistics stay in float32.
    """
    tensors = named("G", G) | (named("D", D) if D is not None else {})
    if half:
        weights = _weights({"G": G} | ({"D": D} if D is not None else {}))
        tensors = {name: tensor.half() if name in weights else tensor for name, tensor in tensors.items()}
    text = Card(hash=tensors_hash(tensors), **card).to_json()
    return safetensors.torch.save(tensors, metadata={"ganart": text})


def _weights(modules: Mapping[str, nn.Module]) -> set[str]:
    """Names of what is learned, as against the statistics beside it."""
    return {f"{prefix}.{name}" for prefix, module in modules.items() for name, _ in module.named_parameters()}


@functools.lru_cache(maxsize=4)
def _expected(networks: NetworkConfig, with_D: bool) -> tuple[dict[str, tuple[int, ...]], set[str]]:
    """The shape of every tensor of such a model, by name, and which of them may be float16."""
    with torch.device("meta"):  # shapes without memory
        modules = {"G": Generator(networks)} | ({"D": Discriminator(networks)} if with_D else {})
    shapes = {
        f"{prefix}.{name}": tuple(tensor.shape)
        for prefix, module in modules.items()
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return shapes, _weights(modules)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Card]:
    """All tensors of a model file, as float32, and its card; raises ModelError for anything that is not exactly
    right."""
    return _tensors_of(_read(path), path.name)


def _read(path: Path) -> bytearray:
    # Bytes, not a memory map: a file that shrinks under a map would take the whole process down.
    try:
        with path.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            data = bytearray(length if length <= MAX_BYTES else 0)
            del data[file.readinto(data) :]  # where it has become shorter just now
    except OSError as error:
        raise unreadable(path, error) from error
    if length > MAX_BYTES:
        raise ModelError(f"{path.name} is larger than {MAX_BYTES // 10**6} MB, more than any ganart model has.")
    return data


def _tensors_of(data: bytearray, name: str) -> tuple[dict[str, Tensor], Card]:
    """The tensors in the bytes of a model file. Its header is held against what its card promises before a weight
    is looked at; float32 tensors lie in `data` itself, so that a model is in memory once."""
    metadata, listed, start = header(data, name)
    card = parse(metadata.get("ganart", ""), name)
    shapes = _check_listed(card, listed, start, len(data), name)
    tensors = {}
    for key, shape in shapes.items():
        dtype, begin = DTYPES[listed[key]["dtype"]], start + listed[key]["data_offsets"][0]
        tensors[key] = torch.frombuffer(data, dtype=dtype, count=math.prod(shape), offset=begin).view(shape)
    pieces = (piece for tensor in tensors.values() for piece in tensor.view(-1).split(PIECE))
    if not all(bool(piece.isfinite().all()) for piece in pieces):
        raise ModelError(
            f"{name} holds weights that are not finite numbers, so it cannot draw. Take an earlier one of its run."
        )
    if tensors_hash(tensors) != card.hash:
        raise ModelError(
            f"{name} is damaged: its weights are not the ones that its card was made for. Copy it again."
        )
    return {key: tensor.float() for key, tensor in tensors.items()}, card


def _check_listed(
    card: Card, listed: dict[str, dict], start: int, length: int, name: str
) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor, by name. Raises ModelError where the tensors in a header are not those of the
    card's networks, by name, shape and type, or do not lie one behind the other from `start` to `length`."""
    shapes, weights = _expected(card.networks, any(key.startswith("D.") for key in listed))
    fits = listed.keys() == shapes.keys()
    end, gaps = 0, False
    for key, tensor in sorted(listed.items(), key=lambda item: item[1]["data_offsets"]) if fits else ():
        item = 2 if key in weights and tensor["dtype"] == "F16" else 4
        fits = fits and tensor["shape"] == list(shapes[key]) and tensor["dtype"] == ("F16" if item == 2 else "F32")
        begin, end = end, end + item * math.prod(shapes[key])
        gaps = gaps or tensor["data_offsets"] != [begin, end] or (start + begin) % item != 0
    if not fits:
        raise ModelError(
            f"{name} is damaged: its weights do not fit the networks that its card names. Copy it again."
        )
    if gaps or start + end != length:
        raise ModelError(f"{name} is damaged or incomplete. Export or copy it again.")
    return shapes


def load_generator(path: Path) -> tuple[Generator, Card]:
    """G of a model file, in eval mode on the CPU, and the file's card; raises ModelError."""
    G, _, card = load_networks(path)
    return G, card


def load_networks(path: Path) -> tuple[Generator, Discriminator | None, Card]:
    """G and D of a model file, D None where it came without, in eval mode on the CPU, and the file's card; raises
    ModelError."""
    tensors, card = load_tensors(path)
    G, D = Generator(card.networks), None
    load_named(G, "G", tensors)
    if any(name.startswith("D.") for name in tensors):
        D = Discriminator(card.networks)
        load_named(D, "D", tensors)
        D.eval().requires_grad_(False)
    return G.eval().requires_grad_(False), D, card


def take_in(path: Path) -> str:
    """Copy a model file into the workspace, checked -> its name there. Raises ModelError for anything that is not
    exactly right; InputError where the same name holds another model."""
    data = _read(path)
    _, card = _tensors_of(data, path.name)
    name = workspace.slug(path.stem)
    target = workspace.folder("models") / f"{name}.safetensors"
    built_in = workspace.pretrained_folder() / target.name
    for other in (target, built_in):
        if other.exists() and read_card(other).hash != card.hash:
            raise InputError(f"The name “{name}” is taken by another model. Rename the file, then open it again.")
    if not built_in.exists():
        models.check_free(name)
        write_atomic(target, data)  # what was checked, whatever the file has become
    return name


def save_state(path: Path, tensors: dict[str, Tensor], values: dict) -> None:
    """Replace a training state; the one before stays as `NAME.prev`. Raises OSError on a full disk."""
    text = json.dumps({"format": "ganart-state", "version": STATE_VERSION, **values})
    write_atomic(path, safetensors.torch.save(tensors, metadata={"ganart": text}), keep_previous=True)


class DamagedError(ModelError):
    """Nothing of it can be read."""


def load_state(path: Path) -> tuple[dict[str, Tensor], dict]:
    """The training state at `path`, or the one before it where that is damaged.

    Raises DamagedError where neither can be read, ModelError where a newer version wrote it.
    """
    for candidate in (path, path.with_name(path.name + ".prev")):
        try:
            data = candidate.read_bytes()
            values = dict(json.loads(header(data, candidate.name)[0]["ganart"]))
            tensors = safetensors.torch.load(data)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ModelError, safetensors.SafetensorError):
            continue  # RuntimeError: JSON nested without end is one
        if values.get("format") == "ganart-state" and values.get("version") == STATE_VERSION:
            return tensors, values
        raise ModelError(
            f"{candidate.name} has state version {told(values.get('version'))}, and this ganart reads "
            f"{STATE_VERSION}. Update ganart to go on with this run."
        )
    raise DamagedError(f"No readable {path.name} was found.")
