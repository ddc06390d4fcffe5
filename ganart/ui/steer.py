"""Sliders along the directions of a model, each with its filmstrip and a name that the artist can give."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from ganart import directions, images, latent, notes, render
from ganart.models import Model
from ganart.ui import drawing

KINDS = {"ganspace": "By what is active", "sefa": "By its first layer"}
HELP = {
    "ganspace": "Principal components of what is active inside it: the changes that show most.",
    "sefa": "Singular vectors of its first layer: the changes that it heeds most.",
}
SHOWN, FRAMES, REACH = 6, 7, 3.0


@dataclass(frozen=True)
class Moves:
    """What the sliders say: amounts (count,) along directions (count, z_dim) of a kind, then the truncation."""

    kind: str
    directions: np.ndarray
    amounts: np.ndarray
    psi: float

    def apply(self, z: np.ndarray) -> np.ndarray:
        """Where they lead from z (…, z_dim)."""
        amounts = np.broadcast_to(self.amounts, (*z.shape[:-1], len(self.amounts)))
        return latent.truncate(directions.move(z, self.directions, amounts), self.psi)

    @property
    def any(self) -> bool:
        """Whether they lead anywhere."""
        return bool(self.amounts.any()) or self.psi != 1

    def recipe(self) -> dict:
        """What makes them again, for an exported file; empty where they lead nowhere."""
        amounts = [round(float(amount), 3) for amount in self.amounts]
        found = {"directions": {"kind": self.kind, "amounts": amounts}, "truncation": self.psi}
        return found if self.any else {}


def ask(model: Model, z: np.ndarray) -> Moves:
    """The sliders, with strips that show where each leads from the latent z (z_dim,)."""
    G, card = drawing.generator(model)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        kind = st.segmented_control(
            "Found by", list(KINDS), default="ganspace", required=True, format_func=KINDS.get, key="directions"
        )
        st.button("Set all to 0", icon=":material/restart_alt:", on_click=_reset, args=(model, kind))
    st.caption(f"{HELP[kind]} Found in the model itself; name those that you recognise.")
    found = drawing.directions(model, kind, SHOWN)
    names = notes.direction_names(card.hash, kind)
    amounts = np.zeros(SHOWN, np.float32)
    with st.grid(2, min_column_width=260, gap="medium"):
        for place in range(len(found)):
            key = f"{kind}-{place}-{card.hash[:12]}"
            strip = images.tile(render.pictures(G, directions.strip(z, found[place], REACH, FRAMES)), FRAMES)
            name = names.get(place, f"Direction {place + 1}")
            with st.container(gap="xsmall"):
                st.image(images.encode(strip), width="stretch", alt=f"{name}, from -{REACH:g} to +{REACH:g}")
                with st.container(horizontal=True, vertical_alignment="bottom"):
                    amounts[place] = st.slider(name, -REACH, REACH, 0.0, 0.1, key=f"move-{key}")
                    with st.popover("", icon=":material/edit:", help="Give it a name"):
                        st.text_input(
                            "Name of this direction",
                            names.get(place, ""),
                            max_chars=notes.LONGEST,
                            key=f"name-{key}",
                            on_change=_name,
                            args=(card.hash, kind, place, f"name-{key}"),
                        )
    psi = st.slider(
        "Truncation",
        0.3,
        1.3,
        1.0,
        0.05,
        key="truncation",
        help="Shortens the latent: under 1 pictures come nearer to the average one, above 1 they grow stranger.",
    )
    return Moves(kind, found, amounts[: len(found)], psi)


def _reset(model: Model, kind: str) -> None:
    for key in [key for key in st.session_state if str(key).startswith(f"move-{kind}-")]:
        st.session_state[key] = 0.0
    st.session_state.truncation = 1.0


def _name(model_hash: str, kind: str, place: int, key: str) -> None:
    notes.name_direction(model_hash, kind, place, st.session_state[key])
