"""A model as one file to give away: half the size, with its card in words and figures."""

import dataclasses

from ganart import checkpoint
from ganart.models import Model


def model_file(model: Model, about: str = "", figures: dict | None = None, name: str = "") -> bytes:
    """The bytes of a .safetensors with G, D where the model has it, weights in float16, and the card.

    about, figures, name: what the card is to say in place of its own words. Never a path gets in. Raises
    ModelError.
    """
    G, D, card = checkpoint.load_networks(model.path)
    said = {field.name: getattr(card, field.name) for field in dataclasses.fields(card)}
    said |= {key: value for key, value in (("about", about), ("figures", figures), ("name", name)) if value}
    for key in ("hash", "version"):  # of the new file
        del said[key]
    return checkpoint.model_bytes(G, D, half=True, **said)
