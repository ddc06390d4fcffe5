"""Generators kept loaded for the pages, drawing on one thread."""

from pathlib import Path

import numpy as np
import streamlit as st
import torch

from ganart import checkpoint, latent, render
from ganart.card import Card
from ganart.errors import ModelError
from ganart.models import Model
from ganart.networks import Generator


@st.cache_resource(max_entries=4, show_spinner=False)
def _load(path: str, written: int) -> tuple[Generator, Card]:
    torch.set_num_threads(1)
    return checkpoint.load_generator(Path(path))


def generator(model: Model) -> tuple[Generator, Card]:
    """G and the card of a model; a run that saves again is loaded again. Raises ModelError."""
    try:
        written = model.path.stat().st_mtime_ns
    except OSError as error:
        raise ModelError(f"The model {model.id} is gone: its file was moved or deleted.") from error
    return _load(str(model.path), written)


def of_seeds(model: Model, seeds: list[int]) -> np.ndarray:
    """The pictures of these seeds, uint8 (N, H, W, C)."""
    G, card = generator(model)
    return render.pictures(G, latent.sample_z(seeds, card.networks.z_dim))
