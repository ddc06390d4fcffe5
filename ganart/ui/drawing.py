"""Generators kept loaded for the pages, drawing on one thread."""

from pathlib import Path

import numpy as np
import streamlit as st
import torch

from ganart import checkpoint, latent, render
from ganart import directions as directions_of
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


@st.cache_resource(max_entries=16, show_spinner="Looking for directions …")
def _directions(path: str, written: int, kind: str, count: int) -> np.ndarray:
    G, _ = _load(path, written)
    return directions_of.KINDS[kind](G, min(count, G.config.z_dim))


def directions(model: Model, kind: str, count: int) -> np.ndarray:
    """The first directions of a kind of `directions.KINDS`, (count, z_dim). Raises ModelError."""
    generator(model)
    return _directions(str(model.path), model.path.stat().st_mtime_ns, kind, count)


def of_seeds(model: Model, seeds: list[int]) -> np.ndarray:
    """The pictures of these seeds, uint8 (N, H, W, C)."""
    G, card = generator(model)
    return render.pictures(G, latent.sample_z(seeds, card.networks.z_dim))
