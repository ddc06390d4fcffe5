"""The figures of a run as curves."""

import math

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
        format_func=KINDS.__getitem__,
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
        st.caption(
            f"The critic rates your training pictures above unseen ones, by {share:.0%} of its distance from real "
            "to painted ones: so far it knows them by heart."
        )


def _chart(
    lines: list[dict],
    names: dict[str, str],
    alt: str,
    domain: tuple[float, float] | None = None,
    *,
    log: bool = False,
) -> None:
    """A curve for each of the names. Its description is written out: it is drawn every second, and a library that
    makes one takes a third of the page's time."""
    step = max(1, len(lines) // CHART_POINTS)
    parts = [lines[start : start + step] for start in range(0, len(lines), step)]
    points = [
        {"kimg": _mean(part, "kimg"), "value": _mean(part, key), "who": who}
        for key, who in names.items()
        for part in parts
    ]
    scale = {"type": "log"} if log else {"domain": domain} if domain else {}
    spec = {
        "mark": {"type": "line", "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "kimg", "type": "quantitative", "title": "thousand pictures seen"},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "axis": {"tickCount": 4},
                "scale": scale,
            },
            "color": {
                "field": "who",
                "type": "nominal",
                "title": None,
                "sort": list(names.values()),
                "legend": {"orient": "top"},
            },
        },
        "height": 250,
    }
    st.vega_lite_chart(pd.DataFrame(points), spec, alt=alt)


def _mean(lines: list[dict], key: str) -> float:
    values = [value for line in lines if (value := line.get(key)) is not None]
    return sum(values) / len(values) if values else math.nan
