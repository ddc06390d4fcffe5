"""These − these + these: arithmetic with pinned pictures."""

import functools

import numpy as np
import streamlit as st

from ganart import latent
from ganart.models import Model
from ganart.places import Place, Way
from ganart.ui import here, pins

FEWEST = 3  # pictures in each part
NAMES = ("These", "− these", "+ these")
AROUND = 9


def show(model: Model, way: Way) -> None:
    """Choose three groups among the pins, and see what their sum is, with its neighbours."""
    shown = pins.pinned(model)
    if len(shown) < FEWEST:
        st.info(
            f"Pin at least {FEWEST} pictures first: with the dot in a picture's corner on the wall, the P key, or "
            "the button under the picture. A picture may stand in more than one group.",
            icon=":material/push_pin:",
        )
        return
    st.caption("Each group is averaged, then added up: smiling women − women + men makes smiling men.")
    state = st.session_state.setdefault("sums", {})
    groups = [state.setdefault(name, []) for name in NAMES]
    texts = [place.text for place in shown]
    for name, group in zip(NAMES, groups, strict=True):
        group[:] = [text for text in group if text in texts]
        chosen = [texts.index(text) for text in group]
        lacking = f"choose {FEWEST - len(group)} more" if len(group) < FEWEST else f"{len(group)} pictures"
        st.markdown(f"**{name}**  :gray[{lacking}]")
        pins.pictures(
            model,
            shown,
            key=f"sum-{name}",
            title=f"{name}: pinned pictures to choose from",
            selected=chosen,
            on_pick=functools.partial(_toggle, group, texts),
            across=12,
        )
    if min(map(len, groups)) < FEWEST:
        return
    parts = [np.stack([shown[texts.index(text)].z for text in group]) for group in groups]
    turn = st.session_state.get("sum_turn", 0)
    around = latent.jittered(latent.arithmetic(*parts), AROUND, turn)
    label = "A sum"
    results = [
        Place(z, label if index == AROUND // 2 else f"Beside {label.lower()}") for index, z in enumerate(around)
    ]
    st.markdown("**Makes**  :gray[the sum in the middle, its neighbours around it]")
    with st.container(width=420):
        pins.pictures(
            model,
            results,
            key="sum",
            title="The sum and its neighbours",
            on_pick=lambda index: here.go(model, results[index]),
            selected=[index for index, place in enumerate(results) if place.text == way.place.text],
            across=3,
            side=100,
        )
    st.button("Other neighbours", icon=":material/casino:", on_click=_other)


def _toggle(group: list[str], texts: list[str], index: int) -> None:
    text = texts[index]
    if text in group:
        group.remove(text)
    else:
        group.append(text)


def _other() -> None:
    st.session_state.sum_turn = st.session_state.get("sum_turn", 0) + 1
