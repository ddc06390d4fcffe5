"""The latent space of a model: a wall of seeds, a pad under the hand, directions, breeding, arithmetic."""

import streamlit as st

from ganart import latent
from ganart.ui import breed, choose, here, lay, page, pins, steer, sums
from ganart.ui.pad import pad
from ganart.ui.seeds import seeds

WALL, DIRECTIONS, BREEDING, ARITHMETIC = "Wall of seeds", "Directions", "Breeding", "Arithmetic"

page.start()
st.title("Explore")
at_hand, around = st.columns([2, 3], gap="large")  # on a phone the first comes above the other

with at_hand:
    model = choose.model()
way = here.way(model)

with at_hand:
    with st.container(key="room-of-pad"):  # its room is kept free, see page.css
        above = st.empty()
    below = st.container()
    with below:
        here.controls(model, way)
        laid = lay.ask(model, way)
        pins.tray(model, lambda place: here.go(model, place))
        here.open_file(model)
    with above, page.error_box():
        pad(model, way, laid, smooth=st.session_state.get("save_smooth", False))

with around:
    by = st.segmented_control(
        "Explore by",
        [WALL, DIRECTIONS, BREEDING, ARITHMETIC],
        default=WALL,
        required=True,
        key="by",
        label_visibility="collapsed",
        wrap=True,
        bind="query-params",
    )
    if by == WALL:
        first = st.number_input(
            "First seed", 0, latent.MAX_SEED, 0, step=48, key="first", bind="query-params", width=180
        )
        seeds(
            model,
            first,
            selected=way.place.seed,
            marks=pins.marks(model),
            on_pick=lambda seed: here.go_to_seed(model, seed),
            on_pin=lambda seed, pinned: here.pin_seed(model, seed, pinned),
        )
        st.caption("Every whole number is a picture, the same one tomorrow and for everyone who has this model.")
    elif by == DIRECTIONS:
        steer.show(model, way)
    elif by == BREEDING:
        breed.show(model, way)
    else:
        sums.show(model, way)
here.settled()
