"""The chapters of the page Learn."""

import functools
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from ganart import checkpoint, images, inside, latent, loaded, models, ring
from ganart.errors import ModelError
from ganart.models import Model
from ganart.networks import Discriminator
from ganart.ui import sheets

GAMES = {
    "first": "As in 2014",
    "calmer": "With less momentum",
    "pairs": "In pairs, with penalties",
}
MAPS = 32
MOST_GAMES = 100  # that are remembered
FIRST_GAME = 2  # of those seeds in which the first recipe shows what it mostly does
_HERE = Path(__file__).parent


@functools.cache
def _proses() -> dict[str, str]:
    parts = (_HERE / "lessons.md").read_text(encoding="utf-8").split("\n## ")[1:]
    return {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}


def prose(name: str) -> str:
    """What stands under a heading of lessons.md."""
    return _proses()[name]


def reading() -> None:
    """Papers, and old advice with what became of it."""
    st.markdown(prose("reading"))


def game() -> None:
    """What the two play, on a ring of eight clusters. A game that nobody has seen yet is shown as it is played."""
    st.markdown(prose("game"))
    name = st.segmented_control(
        "How they play", list(GAMES), default="first", required=True, format_func=GAMES.__getitem__, key="game"
    )
    every = ring.STEPS // ring.LOOKS
    look = st.slider("Steps", 0, ring.STEPS, ring.STEPS, every, key="game_step")
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left, st.container(key="board"):  # its room is kept free, see page.css
        board = st.empty()
    with right:
        st.markdown(prose(f"game {name}"))
        score = st.empty()
        st.button("Play again", icon=":material/casino:", on_click=_again, help="Other weights to begin with.")

    def show(points: np.ndarray, covered: int) -> None:
        board.altair_chart(_ring(points), alt="Points of the ring and of G")
        score.metric("Clusters that G paints", f"{covered} of {ring.CLUSTERS}")

    seed, games = st.session_state.setdefault("game_seed", FIRST_GAME), _games()
    if (played := games.get((name, seed))) is None:
        played = ring.play(name, seed=seed, watch=show)
        if len(games) >= MOST_GAMES:
            games.clear()
        games[name, seed] = played
    show(played.points[look // every], played.covered[look // every])


@st.cache_resource(show_spinner=False)
def _games() -> dict[tuple[str, int], ring.Game]:
    """Those that were played lately, 64 KB each."""
    return {}


def _ring(points: np.ndarray) -> alt.Chart:
    both = pd.concat(
        [
            pd.DataFrame(ring.real(400, np.random.default_rng(0)), columns=["x", "y"]).assign(who="real"),
            pd.DataFrame(points, columns=["x", "y"]).assign(who="G"),
        ]
    )
    scale = alt.Scale(domain=[-3.2, 3.2])
    return (
        alt.Chart(both)
        .mark_circle(size=22, opacity=0.6, clip=True)
        .encode(
            x=alt.X("x", scale=scale, axis=None),
            y=alt.Y("y", scale=scale, axis=None),
            color=alt.Color("who", title=None),
        )
        .properties(height=380)
    )


def _again() -> None:
    st.session_state.game_seed += 1


def networks() -> None:
    """The two networks of the digits, opened: what each layer makes of a seed."""
    model = models.built_in("mnist-seed")
    G, card = loaded.generator(model)
    st.markdown(prose("networks"))
    seed = st.slider("Seed", 0, 99, 4, key="lesson_seed")
    z = latent.sample_z([seed], card.networks.z_dim)[0]
    stages = inside.generator(G, z)
    st.markdown("**G, from noise to a picture**")
    across = max(count for count in range(1, 51) if len(z) % count == 0)
    grey = np.clip((z + 3) / 6 * 255, 0, 255).astype(np.uint8).reshape(-1, across, 1)
    sheets.show(sheets.png(grey, 900), "The random numbers as grey squares")
    st.caption(f"z: {len(z)} numbers, each drawn from the bell curve; dark is low, light is high.")
    for stage in stages:
        _stage(stage)
    st.markdown("**D, from the picture to a verdict**")
    try:
        D = _critic(model)
    except ModelError as error:
        st.caption(str(error))
        return
    seen, logit = inside.discriminator(D, stages[-1].maps)
    for stage in seen:
        _stage(stage)
    sure = 1 / (1 + np.exp(-logit))
    st.metric("The logit", f"{logit:+.2f}", help="Above 0: D takes it for real.")
    st.caption(f"Through the logistic function that is {sure:.0%}: how sure D is that somebody wrote this digit.")


def _stage(stage: inside.Stage) -> None:
    channels, height, width = stage.maps.shape
    shown = inside.as_pictures(stage.maps, MAPS)
    columns = 1 if channels == 1 else 16
    label = f"{stage.name}: {channels} {'map' if channels == 1 else 'maps'} of {height} x {width}"
    if channels > MAPS:
        label += f", the first {MAPS}"
    whole = channels == 1
    sheet = sheets.png(images.tile(shown, min(columns, len(shown))), 168 if whole else 900)
    sheets.show(sheet, f"Maps of the layer. {label}", "content" if whole else "stretch")
    st.caption(label)


@st.cache_resource(show_spinner=False)
def _critic(model: Model) -> Discriminator:
    _, D, _ = checkpoint.load_networks(model.path)
    if D is None:  # an artist's own model may have taken the name
        raise ModelError(f"The model {model.id} came without its D, so there is no verdict to look at.")
    return D


def curves() -> None:
    """The losses as curves, and where one stands on them."""
    st.markdown(prose("losses"))
    at = st.slider("D's logit for one of G's pictures", -6.0, 6.0, -3.0, 0.1, key="curve_at")
    x = np.linspace(-6, 6, 121)
    losses = {
        "log(1 - D): as first thought of": (-np.logaddexp(0, x), -1 / (1 + np.exp(-at))),
        "-log D: what everybody uses": (np.logaddexp(0, -x), -1 / (1 + np.exp(at))),
        "hinge: -D": (-x, -1.0),
        "in pairs, against a real one at +1": (np.logaddexp(0, 1 - x), -1 / (1 + np.exp(at - 1))),
    }
    table = pd.concat([pd.DataFrame({"logit": x, "loss": y, "who": name}) for name, (y, _) in losses.items()])
    lines = (
        alt.Chart(table)
        .mark_line()
        .encode(
            x="logit",
            y="loss",
            color=alt.Color(
                "who",
                title=None,
                sort=list(losses),
                legend=alt.Legend(orient="bottom", columns=2, labelLimit=320),
            ),
        )
    )
    rule = alt.Chart(pd.DataFrame({"logit": [at]})).mark_rule(strokeDash=[4, 4]).encode(x="logit")
    st.altair_chart((lines + rule).properties(height=320), alt="G's losses over D's logit")
    st.dataframe(
        [
            {"G's loss": name, "How hard it pushes here": f"{abs(slope):.3f}", "": "▮" * round(20 * abs(slope))}
            for name, (_, slope) in losses.items()
        ],
        hide_index=True,
    )
    st.markdown(prose("losses after"))


def choices() -> None:
    """Why tanh, why leaky ReLU, why BatchNorm in one and not in the other."""
    x = np.linspace(-3, 3, 121)
    table = pd.concat(
        [
            pd.DataFrame({"in": x, "out": y, "function": name})
            for name, y in (
                ("tanh", np.tanh(x)),
                ("ReLU", np.maximum(x, 0)),
                ("leaky ReLU", np.maximum(x, 0.2 * x)),
            )
        ]
    )
    chart = alt.Chart(table).mark_line().encode(x="in", y="out", color=alt.Color("function", title=None))
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.altair_chart(chart.properties(height=300), alt="tanh, ReLU and leaky ReLU as curves")
    with right:
        st.markdown(prose("choices"))


def replay() -> None:
    """The training of the digits, from its sheets."""
    model = models.built_in("mnist-seed")
    kept = model.sheets()
    config = model.card().recipe
    steps = [step for step, _ in kept]
    place = st.select_slider(
        "Steps", steps, steps[0], key="replay", help="A step is one update of D and one of G, on one batch."
    )
    sheet = dict(kept)[place]
    sheets.show(sheets.larger(sheet, 512), f"36 digits after {place} steps", "content")
    st.caption(
        f"The same 36 places of the latent space after {place:,} steps: {place * config['batch']:,} digits seen. "
        "First blots, then strokes, then digits; most of it happens early."
    )
