"""Settings for those who know what they want: each with a plain sentence, and the recipe's own value first."""

import streamlit as st

from ganart.config import TrainConfig
from ganart.ui import words


def ask(preset: TrainConfig) -> None:
    """The form; `chosen` has what was entered."""
    name = key(preset)
    with st.expander("More settings", icon=":material/tune:"):
        st.number_input(
            "Seed of the training",
            0,
            2**32 - 1,
            0,
            key=f"seed-{name}",
            help="Another seed is another painter: the same pictures, another way through them.",
        )
        st.number_input(
            "Learning rate",
            min(1e-6, preset.lr),
            1.0,
            preset.lr,
            step=1e-4,
            format="%.6f",
            key=f"lr-{name}",
            help="How big the steps are. Half of it is calmer and slower; twice as much may not hold.",
        )
        st.select_slider(
            "Pictures in a step",
            sorted({16, 32, 64, 128, 256, preset.batch}),
            preset.batch,
            key=f"batch-{name}",
            help="More give a surer step and need more memory.",
        )
        st.segmented_control(
            "Altered pictures for the critic",
            list(words.AUGMENT),
            default=preset.augment,
            required=True,
            format_func=words.AUGMENT.__getitem__,
            key=f"augment-{name}",
            help="Shifted, tinted, with a piece missing: so that it cannot learn a small folder by heart. "
            "“As needed” begins with none.",
        )
        if preset.gamma:
            st.number_input(
                "Weight of the gradient penalties",
                0.0,
                10_000.0,
                preset.gamma,
                key=f"gamma-{name}",
                help="How much the critic is held back. More is steadier and softer, less is sharper and riskier.",
            )
        st.toggle(
            "Mirror half of the pictures",
            preset.flip,
            key=f"flip-{name}",
            help="Twice as much to learn from. Off for writing, and for anything with a left and a right.",
        )


def chosen(preset: TrainConfig) -> dict:
    """What was entered, as fields of TrainConfig."""
    state, name = st.session_state, key(preset)
    fields = ("seed", "lr", "batch", "augment", "gamma", "flip")
    return {field: state[f"{field}-{name}"] for field in fields if f"{field}-{name}" in state}


def key(preset: TrainConfig) -> str:
    """Of the recipe in the keys of the widgets: each recipe, and each model to start from, has values of its
    own."""
    return f"{preset.preset}-{preset.initial}" if preset.initial else preset.preset
