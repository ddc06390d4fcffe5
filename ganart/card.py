"""What a model file says of itself: read from its header alone, without torch and without its weights.

A model is a safetensors file whose metadata holds one JSON string under "ganart".
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from ganart import config
from ganart.errors import InputError, ModelError

MODEL_VERSION = 2  # 1 had no words and figures, and its weights in float32 alone
READABLE = (1, MODEL_VERSION)
MAX_HEADER = 1_000_000  # bytes; a model of this program has a few thousand


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

    def to_json(self) -> str:
        return json.dumps({"format": "ganart-model", **dataclasses.asdict(self)}, ensure_ascii=False)


def metadata(data: bytes, name: str) -> dict[str, str]:
    """The metadata of a safetensors file from its first MAX_HEADER bytes or more; `name` is for the message.

    Raises ModelError where they are no such file.
    """
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= MAX_HEADER or len(data) < 8 + length:
        raise ModelError(f"{name} is not a ganart model: it does not start with a safetensors header.")
    try:
        found = json.loads(data[8 : 8 + length])["__metadata__"]
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{name} is not a ganart model: its header holds no card.") from error


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
        raise ModelError(f"The model {path.name} cannot be read ({error.strerror}).") from error


def has_D(path: Path) -> bool:
    """Whether the model at `path` has its D with it, so that it can be trained on; raises ModelError."""
    data = _head(path)
    metadata(data, path.name)  # raises for what has no such header
    names = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return any(name.startswith("D.") for name in names)


def parse(text: str, name: str) -> Card:
    """The card in the JSON string `text`; `name` is the file's, for the error messages."""
    try:
        values = json.loads(text)
        if values.pop("format") != "ganart-model":
            raise ValueError("another format")
        version = values["version"]
        if version in READABLE:
            card = Card(**{**values, "networks": config.networks_from_dict(values["networks"])})
            _check_kinds(card)
    except InputError as error:
        raise ModelError(f"{name} cannot be used: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{name} is not a ganart model: its card cannot be read.") from error
    if version not in READABLE:
        raise ModelError(
            f"{name} has model version {version!r}, and this ganart reads up to version {MODEL_VERSION}. Update "
            "ganart, or use the one that wrote it."
        )
    return card


def _check_kinds(card: Card) -> None:
    """Raises TypeError where a field is not of the kind that the pages print."""
    kinds = {"name": str, "hash": str, "dataset": dict, "recipe": dict, "step": int, "kimg": int | float}
    kinds |= {"about": str, "figures": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(card, name), kind)]
    if wrong or not isinstance(card.dataset.get("pictures", 0), int):
        raise TypeError(f"fields of the wrong kind: {wrong}")
    for name, figure in card.figures.items():
        if set(figure) != {"value", "floor", "n"} or not all(isinstance(v, int | float) for v in figure.values()):
            raise TypeError(f"the figure {name} is not one")
