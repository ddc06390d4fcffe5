"""Breeding: eight children of a picture, or of two; choose one, and go on with it."""

import numpy as np
import streamlit as st

from ganart import latent, loaded, places
from ganart.models import Model
from ganart.places import Place, Way
from ganart.ui import here, pins, words

CHILDREN = 8
ALONE = "None: it alone"


def show(model: Model, way: Way) -> None:
    """The children of the place where one is, and of another parent if one is chosen."""
    _, card = loaded.generator(model)
    place, state = way.place, st.session_state
    others = {other.text: other for other in pins.pinned(model) if other.text != place.text}
    names = dict(zip(others, words.distinct([other.label for other in others.values()]), strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Other parent",
            [ALONE, *others],
            format_func=lambda text: names.get(text, text),
            key="parent",
            persist_state="session",
            help="One of your pins. Each child takes every direction of the model's from one parent or the other.",
        )
        strength = st.slider(
            "Mutation",
            0.0,
            1.0,
            0.2,
            0.05,
            key="strength",
            persist_state="session",
            help="0: none, 1: as good as unrelated.",
        )
    partner = others.get(chosen)
    turn = state.get("brood", 0)
    shown = [Place(z, _label(place, partner)) for z in _children(model, place, partner, strength, turn)]
    with st.container(horizontal=True):
        _parent(model, place, "This picture")
        if partner:
            _parent(model, partner, "Other parent")
    if partner is None and strength == 0:
        st.caption("Without another parent or a mutation, all children would be the picture itself.")
        return
    st.markdown("**Children**  :gray[choose one: it becomes the picture, and the next parent]")
    line = (*place.line, place.text)
    pins.pictures(
        model,
        shown,
        key="children",
        title="Children to choose from",
        on_pick=lambda index: here.go(model, place.moved(shown[index].z, shown[index].label, line)),
        across=4,
        side=88,
    )
    st.button("Eight others", icon=":material/casino:", on_click=_others)
    _lineage(model, way, card.networks.z_dim)


def _label(place: Place, partner: Place | None) -> str:
    name = place.label.removeprefix("Child of ").partition(" and ")[0]
    return f"Child of {places.inside(name)}" + (f" and {places.inside(partner.label)}" if partner else "")


def _children(model: Model, place: Place, partner: Place | None, strength: float, turn: int) -> np.ndarray:
    z = np.repeat(place.z[None], CHILDREN, 0)
    if partner is not None:
        z = latent.cross(place.z, partner.z, loaded.directions(model, "sefa", len(place.z)), CHILDREN, turn)
    if strength == 0:
        return z
    return np.stack([latent.neighbours(z[i], strength, i + 1, turn)[i] for i in range(CHILDREN)])


def _parent(model: Model, place: Place, role: str) -> None:
    with st.container(width=110, gap="xsmall"):
        pins.pictures(
            model,
            [place],
            key=f"parent-{role}",
            title=role,
            on_pick=lambda _: here.go(model, place),
            across=1,
            side=100,
        )
        st.caption(f"{role}: {words.plain(place.label)}")


def _lineage(model: Model, way: Way, z_dim: int) -> None:
    line = way.place.line
    if not line:
        return
    st.markdown("**Where it comes from**  :gray[oldest first; a click goes back there]")
    elders = [places.read(text, z_dim, "") for text in line]
    named = [
        elder if elder.seed is not None else elder.moved(elder.z, f"Ancestor {number}", line[: number - 1])
        for number, elder in enumerate(elders, 1)
    ]
    pins.pictures(
        model,
        named,
        key="lineage",
        title="Its ancestors, oldest first",
        on_pick=lambda index: here.go(model, named[index]),
        across=12,
    )


def _others() -> None:
    st.session_state.brood = st.session_state.get("brood", 0) + 1
