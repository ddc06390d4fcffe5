"""The pad: the picture where one is, and a plane around it that a hand can move over."""

from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from ganart import images, loaded, places, planes, routes
from ganart.models import Model
from ganart.places import Place, Way
from ganart.ui import page, sheets
from ganart.ui.lay import Laid

CELLS = 7  # pictures across the map
HINT = (
    "Drag the picture, or a spot on the map. With the keyboard: arrows, Shift for larger steps, + and − or the "
    "wheel to look closer, Home for the middle."
)
_HERE = Path(__file__).parent
_pad = st.components.v2.component(
    "ganart_pad",
    html=f"""<div class="pad">
      <canvas class="picture" tabindex="0" role="application"></canvas>
      <div class="map" tabindex="0" role="application"><canvas></canvas><span class="marker"></span></div>
      <p class="hint">{HINT}</p>
      <output class="told" aria-live="polite"></output>
    </div>
    """,
    js=(_HERE / "pad.js").read_text(encoding="utf-8"),
    css=(_HERE / "pad.css").read_text(encoding="utf-8"),
)


def pad(model: Model, way: Way, laid: Laid, *, smooth: bool) -> None:
    """Show the place where `way` is, on a pad that lies as `laid` says; where the hand lets go, `way` goes on.

    smooth: pixels are blurred into each other on the screen.
    """
    _, card = loaded.generator(model)
    plane = planes.read(laid.query, card.networks.z_dim, lambda kind: loaded.directions(model, kind))
    sheet = routes.sheet(loaded.pictures(model, planes.grid(plane, CELLS)), CELLS)
    picture = images.encode(loaded.pictures(model, way.place.z[None])[0])

    def turn() -> str:
        return f"{card.hash[:12]}-{laid.plane}-{way.turn}"

    data = {
        "base": page.base_path(),
        "query": urlencode({"model": model.id, "v": card.hash[:12], **laid.query}),
        "picture": sheets.address(picture, "png"),
        "sheet": sheets.address(sheet, "webp"),
        "cells": CELLS,
        "spot": list(laid.spot),
        "turn": turn(),
        "smooth": smooth,
        "name": way.place.label,
        "title": f"{way.place.label}, painted by {card.name}. Drag it, or use the arrow keys.",
    }

    def moved() -> None:
        told = (st.session_state.get("pad") or {}).get("spot") or {}
        if told == st.session_state.get("pad_heard"):
            return  # a button has heard it first
        st.session_state.pad_heard = told
        x, y = told.get("x"), told.get("y")
        # Another picture may have been picked since this run of the page; then the hand has lost its ground.
        if told.get("turn") == turn() and isinstance(x, int | float) and isinstance(y, int | float):
            x, y = (min(max(float(value), -1.0), 1.0) for value in (x, y))
            z = plane.at(np.array([[x, y]]))[0]
            way.slide(laid.around.moved(z, _label(laid.around)), laid.plane, (x, y))

    st.session_state.pad_moved = moved
    _pad(key="pad", data=data, on_spot_change=moved)


def _label(around: Place) -> str:
    name = around.label.removesuffix(", moved")
    return name if name.startswith(("Near ", "Between ")) else f"Near {places.inside(name)}"
