"""Which plane of the latent space the pad lies on."""

from dataclasses import dataclass

import streamlit as st

from ganart.models import Model
from ganart.places import MIDDLE, Place, Way
from ganart.ui import here, pins, steer, words

KINDS = {"around": "All around", "directions": "Two directions", "three": "Three pins"}
THREE_MIDDLE = (0.0, -0.15)


@dataclass(frozen=True)
class Laid:
    """How the pad lies: the plane by name and as `planes.read` takes it, the place that it lies around, and the
    spot on it."""

    plane: str
    query: dict[str, str]
    around: Place
    spot: tuple[float, float]


def ask(model: Model, way: Way) -> Laid:
    """Which plane the pad is to lie on."""
    kind = st.segmented_control(
        "The pad moves through",
        list(KINDS),
        default="around",
        required=True,
        format_func=KINDS.__getitem__,
        key="plane",
        persist_state="session",
    )
    if kind == "directions":
        return _directions(model, way)
    if kind == "three" and (laid := _three(model, way)):
        return laid
    return _around(way)


def _around(way: Way) -> Laid:
    turn = st.session_state.get("plane_turn", 0)
    name = f"around-{turn}"
    around, spot = way.stand(name)
    with st.container(horizontal=True):
        st.button("Another plane", icon=":material/casino:", on_click=_other, args=(way,))
        _anew(way, spot)
    return Laid(name, {"plane": "around", "at": around.text, "turn": str(turn)}, around, spot or MIDDLE)


def _directions(model: Model, way: Way) -> Laid:
    found = words.distinct(steer.names(model, "ganspace"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        across, up = (
            st.selectbox(
                label,
                range(len(found)),
                min(first, len(found) - 1),
                format_func=found.__getitem__,
                key=key,
                persist_state="session",
            )
            for first, (label, key) in enumerate((("Left to right", "across"), ("Bottom to top", "up")))
        )
        name = f"directions-{across}-{up}"
        around, spot = way.stand(name)
        _anew(way, spot)
    query = {"plane": "directions", "at": around.text, "kind": "ganspace", "i": str(across), "j": str(up)}
    return Laid(name, query, around, spot or MIDDLE)


def _three(model: Model, way: Way) -> Laid | None:
    shown = {place.text: place for place in pins.pinned(model)}
    names = dict(zip(shown, words.distinct([place.label for place in shown.values()]), strict=True))
    if len(shown) < 3:
        st.caption("Pin three pictures, and the pad lies between them. Until then it moves all around.")
        return None
    with st.container(horizontal=True):
        corners = [
            st.selectbox(
                label,
                list(shown),
                index,
                format_func=lambda text: names.get(text, "Gone"),
                key=f"corner-{index}",
                persist_state="session",
            )
            for index, label in enumerate(("Lower left", "Lower right", "Top"))
        ]
    name = f"three-{'-'.join(corners)}"
    _, spot = way.stand(name)
    between = way.place.moved(way.place.z, f"Between {', '.join(shown[text].label for text in corners)}")
    query = {"plane": "three", **dict(zip("abc", corners, strict=True))}
    return Laid(name, query, between, spot or THREE_MIDDLE)


def _anew(way: Way, spot: tuple[float, float] | None) -> None:
    st.button(
        "Start again from here",
        icon=":material/center_focus_strong:",
        on_click=_lay,
        args=(way,),
        disabled=spot is None,
        help="The picture moves to the middle of the map.",
    )


def _lay(way: Way) -> None:
    here.hear_the_pad()
    way.lay()


def _other(way: Way) -> None:
    here.hear_the_pad()
    st.session_state.plane_turn = st.session_state.get("plane_turn", 0) + 1
    way.lay()
