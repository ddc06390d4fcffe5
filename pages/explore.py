"""A wall of seeds: pick one, vary it, keep it."""

import streamlit as st

from ganart import export, images, latent, render
from ganart.ui import choose, drawing, page, sheets, steer
from ganart.ui.wall import wall

WALL = 48
VARIATIONS = 12

page.start()
st.title("Explore")

state = st.session_state
left, right = st.columns([3, 2], gap="large")

with left:
    model = choose.model()
    first = st.number_input(
        "First seed of the wall", 0, latent.MAX_SEED - WALL, 0, step=WALL, key="first", bind="query-params"
    )
    seeds = list(range(first, first + WALL))


def pick_seed(index: int) -> None:
    """Take a picture of the wall."""
    state.seed, state.steps = seeds[index], []


def forget_steps() -> None:
    """A seed that was typed starts a new line of variations."""
    state.steps = []


def pick_variation(index: int) -> None:
    """Take a variation as the new picture in the middle."""
    state.steps = [*state.get("steps", []), [state.amount, state.get("round", 0), index]]


def go_back() -> None:
    """Undo the last variation."""
    state.steps = state.get("steps", [])[:-1]


def other_variations() -> None:
    """Another dozen."""
    state.round = state.get("round", 0) + 1


with left:
    wall(
        drawing.of_seeds(model, seeds),
        [f"Seed {seed}" for seed in seeds],
        key="wall",
        title="Wall of seeds",
        on_pick=pick_seed,
        selected=seeds.index(state.seed) if state.get("seed") in seeds and not state.get("steps") else None,
    )
    st.caption("Every whole number is a picture, the same one tomorrow and for everyone who has this model.")

with right:
    seed = st.number_input("Seed", 0, latent.MAX_SEED, key="seed", bind="query-params", on_change=forget_steps)
    steps = state.get("steps", [])
    G, card = drawing.generator(model)
    z = latent.varied(seed, steps, card.networks.z_dim)
with left:
    st.subheader("Directions")
    moves = steer.ask(model, z)
with right:
    picture = render.pictures(G, moves.apply(z)[None])[0]
    name = f"seed {seed}" + (f", varied {len(steps)} times" if len(steps) > 1 else ", varied" if steps else "")
    name += ", moved" if moves.any else ""
    st.image(sheets.png(picture), width=400, alt=f"The picture of {name}")
    st.caption(name.capitalize())
    with st.container(horizontal=True, vertical_alignment="center"):
        scale = max(1, 1024 // card.networks.size)
        about = export.recipe(card.hash, kind="picture", seed=seed, steps=steps, scale=scale, **moves.recipe())
        st.download_button(
            "Save as PNG",
            export.png_bytes(images.enlarge(picture, scale), about),
            file_name=f"{card.name}-{seed}.png",
            mime="image/png",
            icon=":material/download:",
            on_click="ignore",
        )
        if steps:
            st.button("Back", icon=":material/undo:", on_click=go_back)
        else:
            near = range(min(seed, latent.MAX_SEED - 3), min(seed, latent.MAX_SEED - 3) + 4)
            st.page_link(
                "pages/animate.py",
                label="Animate from here",
                icon=":material/animation:",
                query_params={"model": model.id, "seeds": ",".join(map(str, near))},
            )
    st.markdown("**Variations**")
    amount = st.slider("How different", 0.05, 1.0, 0.3, 0.05, key="amount")
    around = moves.apply(latent.neighbours(z, amount, VARIATIONS, state.get("round", 0)))
    wall(
        render.pictures(G, around),
        [f"Variation {index + 1}" for index in range(VARIATIONS)],
        key="variations",
        title="Variations of the picture",
        on_pick=pick_variation,
        across=6,
    )
    st.button("Other variations", icon=":material/casino:", on_click=other_variations)
