"""The wall of seeds, which scrolls on for ever."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from ganart import latent, loaded, routes
from ganart.models import Model
from ganart.ui import page, sheets

CHUNK, COLUMNS = 48, 8  # seeds on a sheet
SIDE = 68  # px; a tile is at least as wide
_HERE = Path(__file__).parent
_seeds = st.components.v2.component(
    "ganart_seeds",
    html='<div class="seeds" role="group"><div class="inner"></div></div>\n',
    js=(_HERE / "seeds.js").read_text(encoding="utf-8"),
    css=(_HERE / "seeds.css").read_text(encoding="utf-8"),
)


def seeds(
    model: Model,
    first: int,
    *,
    selected: int | None,
    marks: Mapping[int, str],
    on_pick: Callable[[int], None],
    on_pin: Callable[[int, bool], None],
) -> None:
    """All seeds from `first` on.

    selected: the one that is looked at. marks: what the artist has made of some, “pinned” or “liked”.
    on_pick(seed) and on_pin(seed, whether it is to be pinned) are called in callbacks.
    """
    _, card = loaded.generator(model)
    shown = range(first, min(first + CHUNK, latent.MAX_SEED + 1))
    data = {
        "base": page.base_path(),
        "query": urlencode({"model": model.id, "v": card.hash[:12]}),
        "first": first,
        "chunk": CHUNK,
        "columns": COLUMNS,
        "side": SIDE,
        "sheet": sheets.address(routes.sheet(loaded.of_seeds(model, list(shown)), COLUMNS), "webp"),
        "selected": selected,
        "marks": {str(seed): mark for seed, mark in marks.items()},
        "heard": _pins().get("turn"),
        "title": "Wall of seeds",
    }

    def picked() -> None:
        seed = st.session_state.seeds["picked"]
        if isinstance(seed, int) and 0 <= seed <= latent.MAX_SEED:
            on_pick(seed)

    def pinned() -> None:
        for seed, wanted in _pins().get("seeds", {}).items():
            if seed.isdecimal() and int(seed) <= latent.MAX_SEED:
                on_pin(int(seed), bool(wanted))

    _seeds(key="seeds", data=data, on_picked_change=picked, on_pinned_change=pinned)


def _pins() -> dict:
    """What the wall last said of pins: all that it has not been answered yet, since of several messages that come
    during one run of the page only the newest is heard."""
    return (st.session_state.get("seeds") or {}).get("pinned") or {}
