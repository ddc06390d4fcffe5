"""The pictures that an artist has pinned or liked."""

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from ganart import loaded, notes, places
from ganart.errors import InputError
from ganart.models import Model
from ganart.places import Place
from ganart.ui.wall import wall


def pinned(model: Model) -> list[Place]:
    """The pinned places, with the names that they were given."""
    return _places(model, [item for item in _kept(model) if item.pinned])


def _kept(model: Model) -> list[notes.Kept]:
    _, card = loaded.generator(model)
    return notes.places(card.hash)


def _places(model: Model, kept: list[notes.Kept]) -> list[Place]:
    _, card = loaded.generator(model)
    found = []
    for item in kept:
        with contextlib.suppress(InputError):  # written by hand, perhaps
            found.append(place(item, card.networks.z_dim))
    return found


def place(kept: notes.Kept, z_dim: int) -> Place:
    """Where that is, under the name that it was given, with its ancestors. Raises InputError."""
    found = places.read(kept.text, z_dim, kept.name)
    return found if found.seed is not None else found.moved(found.z, kept.name, kept.line)


def marks(model: Model) -> dict[int, str]:
    """Of seeds: "pinned" or "liked"."""
    return {int(item.text): "pinned" if item.pinned else "liked" for item in _kept(model) if item.text.isdecimal()}


def tray(model: Model, on_pick: Callable[[Place], None]) -> None:
    """What is pinned, and what is liked, as walls; on_pick(place) is called in a callback."""
    kept = _kept(model)
    if not kept:
        st.caption("Nothing pinned yet. Pin what you want to breed, add, or film with.")
        return
    which = "pinned"
    if any(item.liked for item in kept):
        which = st.segmented_control(
            "Kept", ["pinned", "liked"], default="pinned", required=True, format_func=str.capitalize, key="kept"
        )
    else:
        st.markdown("**Pinned**")
    shown = _places(model, [item for item in kept if getattr(item, which)])
    if not shown:
        st.caption(f"Nothing {which} yet.")
        return
    title = f"{which.capitalize()} pictures"
    pictures(model, shown, key=f"tray-{which}", title=title, on_pick=lambda index: on_pick(shown[index]), across=6)


def pictures(
    model: Model,
    shown: list[Place],
    *,
    key: str,
    title: str,
    on_pick: Callable[[int], None],
    selected: Sequence[int] = (),
    across: int = 8,
    side: int = 56,
) -> None:
    """Places as a wall; a click calls on_pick(index)."""
    wall(
        loaded.pictures(model, np.stack([place.z for place in shown])),
        [place.label for place in shown],
        key=key,
        title=title,
        on_pick=on_pick,
        selected=selected,
        across=across,
        side=side,
    )
