"""Sheets and single pictures as the pages show them: pixels as squares, not blurred. Imports no torch."""

import base64
from typing import Literal

import numpy as np
import streamlit as st

from ganart import images


def png(picture: np.ndarray, target: int = 512) -> bytes:
    """uint8 (H, W, C) -> PNG bytes, each pixel a square, up to `target` px on the longer side."""
    return images.encode(images.enlarge(picture, images.best_scale(max(picture.shape[:2]), target)))


@st.cache_data(max_entries=24, show_spinner=False)
def larger(sheet: bytes, target: int = 768) -> bytes:
    """A sheet as PNG bytes, enlarged in the same way."""
    return png(images.read_png(sheet), target)


def show(data: bytes, alt: str, width: int | Literal["stretch", "content"] = "stretch") -> None:
    """A PNG as it is, no wider than `width` px; without the format, Streamlit would make a JPEG of it, every time
    that the page runs."""
    st.image(data, alt=alt, width=width, output_format="PNG")


def address(data: bytes, kind: str) -> str:
    """The bytes of a picture of this kind, such as "png", as an address that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
