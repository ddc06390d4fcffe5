"""Pictures that move. Streamlit's own element would make stills of them, all but small GIFs; so a route sends the
files as they are."""

import html
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st
from PIL import Image

from ganart.card import Card
from ganart.models import Model
from ganart.ui import page

STYLE = "max-width: 100%; height: auto; border-radius: 6px; display: block"


def loop(model: Model, card: Card, path: Path) -> None:
    """The small film of a model (see `loops.find`), as wide as there is room."""
    alt = f"Pictures painted by {model.id}, each on its way through others and back"
    _show("loop", {"model": model.id, "v": card.hash[:16]}, path, alt, "100%")


def film(path: Path, alt: str) -> None:
    """A picture or film among the exports, each pixel one, where there is room."""
    _show("film", {"name": path.name, "v": path.stat().st_mtime_ns}, path, alt, "auto")


def _show(route: str, query: dict, path: Path, alt: str, width: str) -> None:
    with Image.open(path) as opened:
        wide, high = opened.size  # the browser keeps the room free until the file is there
    address = f"{page.base_path()}/paint/{route}?{urlencode(query)}"
    told = {"src": address, "alt": alt, "width": wide, "height": high, "style": f"width: {width}; {STYLE}"}
    st.html("<img {}>".format(" ".join(f'{key}="{html.escape(str(value))}"' for key, value in told.items())))
