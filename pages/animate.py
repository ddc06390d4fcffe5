"""Films that loop: a walk through seeds, a grid of loops, and the film of a training."""

import streamlit as st

from ganart import latent, loaded
from ganart.errors import GanartError
from ganart.ui import choose, manage, page, studio
from ganart.ui.wall import wall

FIRST_KEYFRAMES = "3, 14, 15, 92"
MAX_KEYFRAMES = 24

page.start()
st.title("Animate")
manage.message()
state = st.session_state
left, right = st.columns([2, 3], gap="large")

with left:
    model = choose.model()
    kind = st.segmented_control(
        "Film", studio.KINDS, default=studio.WALK, required=True, key="kind", bind="query-params"
    )
    st.caption(studio.KINDS[kind])
    settings = studio.settings(kind)
    seeds: list[int] = []
    if kind == studio.WALK:
        if "seeds" not in st.query_params:
            state.setdefault("seeds", FIRST_KEYFRAMES)
        text = st.text_input("Keyframes, as seeds", key="seeds", bind="query-params")
        try:
            seeds = latent.parse_seeds(text)
        except GanartError as error:
            st.error(str(error), icon=":material/error:")
        if len(seeds) > MAX_KEYFRAMES:
            st.error(f"{len(seeds)} keyframes are too many for one walk. Use up to {MAX_KEYFRAMES}.")
            seeds = []
        if len(seeds) == 1:
            st.caption("A walk needs at least two keyframes. Add another seed.")
    made = st.button(
        "Make the film",
        type="primary",
        icon=":material/movie:",
        disabled=kind == studio.WALK and len(seeds) < 2,
    )


def remove_keyframe(index: int) -> None:
    """Take a keyframe out of the walk."""
    kept = [seed for place, seed in enumerate(latent.parse_seeds(state.seeds)) if place != index]
    state.seeds = ", ".join(map(str, kept))


with left:
    if seeds:
        with page.error_box():
            wall(
                loaded.of_seeds(model, seeds),
                [f"Seed {seed}: take it out" for seed in seeds],
                key="keyframes",
                title="Keyframes of the walk",
                on_pick=remove_keyframe,
                across=6,
            )
            st.caption("The walk goes through these in turn and back to the first. Click one to take it out.")

with right:
    if made:
        with page.error_box():
            state.film = (model.id, kind, studio.make(model, kind, seeds, settings))
    *about, name = state.get("film", (None, None, None))
    studio.show(name if about == [model.id, kind] else None)

studio.earlier()
