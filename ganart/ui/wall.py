"""A wall of pictures that can be picked with the mouse or the keyboard."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from ganart import images
from ganart.ui import sheets

_HERE = Path(__file__).parent
_wall = st.components.v2.component(
    "ganart_wall",
    html='<div class="wall" role="group"></div>\n',
    js=(_HERE / "wall.js").read_text(encoding="utf-8"),
    css=(_HERE / "wall.css").read_text(encoding="utf-8"),
)


def wall(
    pictures: np.ndarray,
    labels: list[str],
    *,
    key: str,
    title: str,
    on_pick: Callable[[int], None],
    selected: Sequence[int] = (),
    across: int = 8,
    side: int = 56,
) -> None:
    """Show pictures, uint8 (N, H, W, C), as a wall that reflows with the window.

    labels: one for each picture, read out and shown on hover. title: of the whole wall, for screen readers.
    on_pick(index) is called in a callback, before the page runs again. across: most pictures in a row; there
    are fewer where each would be narrower than `side` px.
    """
    columns = math.ceil(math.sqrt(len(pictures)))
    sheet = images.encode(images.tile(pictures, columns))
    data = {
        "sheet": sheets.address(sheet, "png"),
        "columns": columns,
        "rows": math.ceil(len(pictures) / columns),
        "labels": labels,
        "selected": list(selected),
        "title": title,
        "across": across,
        "side": side,
    }

    def picked() -> None:
        index = st.session_state[key]["picked"]
        if isinstance(index, int) and 0 <= index < len(labels):
            on_pick(index)

    _wall(key=key, data=data, on_picked_change=picked)
