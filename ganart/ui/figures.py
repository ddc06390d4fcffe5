"""The figures of a run as curves."""

import altair
import pandas as pd
import streamlit as st

from ganart.config import TrainConfig

CHART_POINTS = 300
KINDS = {"losses": "Losses", "beliefs": "Belief", "variety": "Variety", "likeness": "Likeness"}


def show(figures: list[dict], vitals: list[dict], settings: TrainConfig) -> None:
    """One chart at a time, chosen above it."""
    kind = st.segmented_control(
        "Curve",
        list(KINDS),
        default="losses",
        required=True,
        format_func=KINDS.get,
        key="curve",
        label_visibility="collapsed",
    )
    lines = vitals if kind in ("variety", "likeness") else figures
    if not lines:
        st.caption("The first figures come in a moment.")
        return
    {"losses": _losses, "beliefs": _beliefs, "variety": _variety, "likeness": _likeness}[kind](lines, settings)


def _losses(lines: list[dict], settings: TrainConfig) -> None:
    _chart(lines, {"loss_D": "critic", "loss_G": "painter"}, "Loss of critic and painter over pictures seen")
    st.caption("Two players: when one gets better, the other's loss rises. Neither line should run away for good.")
    if settings.augment == "steered":
        share = lines[-1].get("augment", 0.0)
        st.caption(
            f"The critic sees {share:.0%} of all pictures altered: shifted, tinted, with a piece missing. The "
            "share rises while it learns your pictures by heart."
        )


def _beliefs(lines: list[dict], settings: TrainConfig) -> None:
    names = {"D_real": "yours", "D_fake": "painted"}
    _chart(lines, names, "How real the critic takes both kinds of pictures to be", (0, 1))
    st.caption("1 means surely real. The closer the two lines, the better the painter fools the critic.")


def _variety(lines: list[dict], settings: TrainConfig) -> None:
    _chart(lines, {"diversity": "variety"}, "How much painted pictures differ, compared with yours", (0, 1.25))
    st.caption(
        "1 means that painted pictures differ from each other as much as yours do. Near 0 they are all alike."
    )


def _likeness(lines: list[dict], settings: TrainConfig) -> None:
    measured = [line for line in lines if "distance" in line]
    if not measured:
        st.caption(
            "With 200 pictures or more, some are held out of the training, and this curve shows how close the "
            "painted ones come to them."
        )
        return
    _chart(measured, {"distance": "distance"}, "Distance of painted pictures from held-out ones", log=True)
    st.caption("How far painted pictures are from pictures that the network has never seen; lower is better.")
    if "overfitting" in measured[-1]:
        share = max(0.0, measured[-1]["overfitting"])
        st.caption(f"The critic knows your training pictures {share:.0%} by heart.")


def _chart(
    lines: list[dict],
    names: dict[str, str],
    alt: str,
    domain: tuple[float, float] | None = None,
    *,
    log: bool = False,
) -> None:
    frame = pd.DataFrame(lines)[["kimg", *names]]
    frame = frame.groupby(frame.index // max(1, len(frame) // CHART_POINTS)).mean()
    long = frame.rename(columns=names).melt("kimg", var_name="who", value_name="value")
    scale = altair.Scale(type="log") if log else altair.Scale(domain=domain) if domain else altair.Undefined
    chart = (
        altair.Chart(long)
        .mark_line(strokeWidth=1.5)
        .encode(
            x=altair.X("kimg", title="thousand pictures seen"),
            y=altair.Y("value", title=None, scale=scale, axis=altair.Axis(tickCount=4)),
            color=altair.Color("who", title=None, sort=list(names.values())).legend(orient="top"),
        )
        .properties(height=250)
    )
    st.altair_chart(chart, alt=alt)
