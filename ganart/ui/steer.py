"""Sliders along the directions of a model, each with its filmstrip and a name that the artist can give."""

import numpy as np
import streamlit as st

from ganart import directions, loaded, notes, routes
from ganart.models import Model
from ganart.places import Way
from ganart.ui import here, page, sheets, words

KINDS = {"ganspace": "By what is active", "sefa": "By its first layer"}
HELP = {
    "ganspace": "Principal components of what is active inside it: the changes that show most.",
    "sefa": "Singular vectors of its first layer: the changes that it heeds most.",
}
SHOWN, FRAMES, REACH = 6, 7, 3.0
SHORTEST, LONGEST = 0.3, 1.5  # of the truncation


def names(model: Model, kind: str, count: int = SHOWN) -> list[str]:
    """What directions are called: by the artist, or by their number."""
    _, card = loaded.generator(model)
    given = notes.direction_names(card.hash, kind)
    return [given.get(place, f"Direction {place + 1}") for place in range(count)]


def show(model: Model, way: Way) -> None:
    """Sliders that say where the place lies along each direction, and move it there."""
    _, card = loaded.generator(model)
    kind = st.segmented_control(
        "Found by",
        list(KINDS),
        default="ganspace",
        required=True,
        format_func=KINDS.__getitem__,
        key="directions",
        persist_state="session",
    )
    st.caption(f"{HELP[kind]} Found in the model itself; name those that you recognise.")
    found, z = None, way.place.z
    with page.error_box(), st.spinner("Looking for its directions …"):
        found = loaded.directions(model, kind)[:SHOWN]
    if found is None:
        return
    along = np.clip(found @ z, -REACH, REACH)
    strips = loaded.pictures(model, np.concatenate([directions.strip(z, d, REACH, FRAMES) for d in found]))
    with st.grid(2, min_column_width=260, gap="medium"):
        for place, name in enumerate(names(model, kind, len(found))):
            key = f"{kind}-{place}-{card.hash[:12]}"
            strip = routes.sheet(strips[place * FRAMES : (place + 1) * FRAMES], FRAMES)
            page.tell(f"move-{key}", round(float(along[place]), 2))
            with st.container(gap="xsmall"):
                # Held by the page itself: Streamlit drops what an earlier run of a page has shown.
                address = sheets.address(strip, "webp")
                st.image(address, width="stretch", alt=f"{name}, from -{REACH:g} to +{REACH:g}")
                with st.container(horizontal=True, vertical_alignment="bottom"):
                    st.slider(
                        words.plain(name),
                        -REACH,
                        REACH,
                        step=0.01,
                        key=f"move-{key}",
                        on_change=_move,
                        args=(model, way, found[place], f"move-{key}"),
                    )
                    with st.popover("", icon=":material/edit:", help="Give it a name"):
                        st.text_input(
                            "Name of this direction",
                            "" if name == f"Direction {place + 1}" else name,
                            max_chars=notes.LONGEST,
                            key=f"name-{key}",
                            on_change=_name,
                            args=(card.hash, kind, place, f"name-{key}"),
                        )
    length = float(np.linalg.norm(z) / np.sqrt(len(z)))
    page.tell("truncation", round(min(max(length, SHORTEST), LONGEST), 2))
    st.slider(
        "Truncation",
        SHORTEST,
        LONGEST,
        step=0.01,
        key="truncation",
        on_change=_truncate,
        args=(model, way),
        help="The length of the latent; that of most seeds is near 1. Shorter, the picture comes nearer to the "
        "average one; longer, it grows stranger.",
    )


def _move(model: Model, way: Way, direction: np.ndarray, key: str) -> None:
    z = way.place.z
    amount = st.session_state[key] - float(z @ direction)
    here.go(model, way.place.moved(directions.move(z, direction[None], np.array([amount]))))


def _truncate(model: Model, way: Way) -> None:
    z = way.place.z
    length = max(float(np.linalg.norm(z) / np.sqrt(len(z))), 1e-6)
    here.go(model, way.place.moved(z * (st.session_state.truncation / length)))


def _name(model_hash: str, kind: str, place: int, key: str) -> None:
    notes.name_direction(model_hash, kind, place, st.session_state[key])
