"""What a model file says of itself: read from its header alone, without torch and without its weights.

A model is a safetensors file whose metadata holds one JSON string under "ganart".
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType

from ganart import config
from ganart.checks import number, told, whole
from ganart.errors import InputError, ModelError

MODEL_VERSION = 2  # 1 had no words and figures, and its weights in float32 alone
READABLE = (1, MODEL_VERSION)
MAX_HEADER = 1_000_000  # bytes; a model of this program has a few thousand
MAX_TENSORS = 2_000  # a training state of this program has a few hundred
MAX_LENGTH = 10**12  # of what counts steps and pictures


@dataclass(frozen=True)
class Card:
    """The words that travel with the weights.

    name: of the run or the model. hash: SHA-256 over the tensors in name order.
    dataset: {name, hash, pictures, held_out}. recipe: the whole TrainConfig, as JSON.
    step, kimg: how long it was trained. averaged: whether G is an average of weights (EMA).
    about: the card in words, Markdown. figures: how good it is, {metric: {value, floor, n}} as `evaluation` has
    it.
    """

    name: str
    hash: str
    networks: config.NetworkConfig
    dataset: dict
    recipe: dict
    step: int
    kimg: float
    averaged: bool
    about: str = ""
    figures: dict = field(default_factory=dict)
    version: int = MODEL_VERSION

    @property
    def origin(self) -> str:
        """What all files of one G have in common, a run's own, its checkpoint and what was exported, whose hashes
        differ: a digest of its recipe and its step. Empty without a recipe."""
        text = json.dumps([self.recipe, self.step], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32] if self.recipe else ""

    def to_json(self) -> str:
        return json.dumps({"format": "ganart-model", **dataclasses.asdict(self)}, ensure_ascii=False)


def header(data: bytes | bytearray, name: str) -> tuple[dict[str, str], dict[str, dict], int]:
    """The header of a safetensors file from its first MAX_HEADER bytes or more -> its metadata, what it says of
    each tensor (`dtype`, `shape`, `data_offsets`, as they stand there), and where the weights begin.

    Raises ModelError where it is none; `name` is for the message.
    """
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= MAX_HEADER or len(data) < 8 + length:
        raise ModelError(f"{name} is not a ganart model: it does not start with a safetensors header.")
    try:
        tensors = json.loads(bytes(data[8 : 8 + length]), object_pairs_hook=_unique)
        found = tensors.pop("__metadata__")
        if len(tensors) > MAX_TENSORS or not all(isinstance(text, str) for text in found.values()):
            raise ValueError("not what this program writes")
        for tensor in tensors.values():
            begin, end = tensor["data_offsets"]
            if not (whole(begin, 0, end) and whole(end, 0, MAX_LENGTH) and isinstance(tensor["shape"], list)):
                raise ValueError("no place in a file")
            tensor["dtype"]  # raises where there is none
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{name} is not a ganart model: its header holds no card.") from error
    return found, tensors, 8 + length


def _unique(pairs: list[tuple[str, object]]) -> dict:
    """A JSON object; a name that is there twice would mean one thing to us and another to the next reader."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def metadata(data: bytes, name: str) -> dict[str, str]:
    """The metadata of a safetensors file; raises ModelError, as `header` does."""
    return header(data, name)[0]


def read_card(path: Path) -> Card:
    """The card of the model at `path`.

    Raises ModelError for a file that is missing, is no ganart model or was written by a newer version.
    """
    return parse(metadata(_head(path), path.name).get("ganart", ""), path.name)


def _head(path: Path) -> bytes:
    """The first bytes of a model, its whole header among them."""
    try:
        with path.open("rb") as file:
            return file.read(8 + MAX_HEADER)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> ModelError:
    """What is said of a model file that the system does not give."""
    return ModelError(
        f"The model {path.name} cannot be read ({error.strerror}). Check that it is there, and yours to read."
    )


def has_D(path: Path) -> bool:
    """Whether the model at `path` has its D with it, so that it can be trained on; raises ModelError."""
    return any(name.startswith("D.") for name in header(_head(path), path.name)[1])


def parse(text: str, name: str) -> Card:
    """The card in the JSON string `text`; `name` is the file's, for the error messages."""
    try:
        values = json.loads(text, object_pairs_hook=_unique)
        json.dumps(values, ensure_ascii=False).encode()  # raises for half a character, which no page can show
        if values.pop("format") != "ganart-model":
            raise ValueError("another format")
        version = values["version"]
        if version in READABLE:
            card = Card(**{**values, "networks": config.networks_from_dict(values["networks"])})
            _check_kinds(card)
    except InputError as error:
        raise ModelError(f"{name} cannot be used: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ModelError(f"{name} is not a ganart model: its card cannot be read.") from error
    if version not in READABLE:
        raise ModelError(
            f"{name} has model version {told(version)}, and this ganart reads up to version {MODEL_VERSION}. "
            "Update ganart, or use the one that wrote it."
        )
    return card


def _check_kinds(card: Card) -> None:
    """Raises TypeError where a field is not of the kind that the pages print."""
    kinds: dict[str, type | UnionType] = {"name": str, "hash": str, "about": str, "averaged": bool}
    kinds |= {"dataset": dict, "recipe": dict, "figures": dict, "step": int, "kimg": int | float}
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(card, name), kind)]
    wrong += [name for name in ("step", "kimg") if not number(getattr(card, name, None), 0, MAX_LENGTH)]
    wrong += [key for key in ("pictures", "held_out") if not whole(card.dataset.get(key, 0), 0, MAX_LENGTH)]
    wrong += [key for key in ("name", "hash") if not isinstance(card.dataset.get(key, ""), str)]
    if wrong:
        raise TypeError(f"fields of the wrong kind: {wrong}")
    for name, figure in card.figures.items():
        good = set(figure) == {"value", "floor", "n"}
        if not good or not all(number(value, -MAX_LENGTH, MAX_LENGTH) for value in figure.values()):
            raise TypeError(f"the figure {name} is not one")
