"""A convolution and its transpose taken apart by hand: grids whose places point at where they came from."""

from pathlib import Path

import numpy as np
import streamlit as st

from ganart import columns
from ganart.errors import InputError
from ganart.ui import lessons

PICTURE = np.array([[1, 2, 3], [6, 5, 3], [1, 4, 1]])
KERNELS = {
    "2 x 2": np.array([[1, 2], [2, 1]]),
    "3 x 3": np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
    "4 x 4": np.array([[1, 1, 1, 1], [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1]]),
}
FORWARD, TRANSPOSED = "Convolution", "Transposed convolution"
_HERE = Path(__file__).parent
_PARTS = {"picture": "Picture", "kernel": "Kernel", "columns": "Columns", "result": "Result"}
_apart = st.components.v2.component(
    "ganart_apart",
    html='<div class="apart">\n'
    + "".join(
        f'<div class="{part}"><p class="name">{name}</p><div class="grid"></div></div>\n'
        for part, name in _PARTS.items()
    )
    + '<p class="sum" aria-live="polite"></p>\n</div>\n',
    js=(_HERE / "apart.js").read_text(encoding="utf-8"),
    css=(_HERE / "apart.css").read_text(encoding="utf-8"),
)


def show() -> None:
    """Kernel, stride and padding to choose, and what becomes of the picture."""
    kind = st.segmented_control(
        "What is taken apart", [FORWARD, TRANSPOSED], default=TRANSPOSED, required=True, key="apart_kind"
    )
    with st.container(horizontal=True):
        kernel = KERNELS[
            st.segmented_control("Kernel", list(KERNELS), default="2 x 2", required=True, key="apart_kernel")
        ]
        stride = st.slider("Stride", 1, 3, 1, key="apart_stride", width=160)
        padding = st.slider("Padding", 0, 2, 0, key="apart_padding", width=160)
    try:
        act = columns.convolve if kind == FORWARD else columns.transpose
        taken = act(PICTURE, kernel, stride, padding)
    except InputError as error:
        st.info(str(error), icon=":material/grid_on:")
        return
    st.markdown(lessons.prose("convolution" if kind == FORWARD else "transposed"))
    many = taken.columns.shape[1]
    _apart(
        key="apart",
        data={
            "picture": taken.picture.tolist(),
            "kernel": taken.kernel.tolist(),
            "columns": taken.columns.tolist(),
            "result": taken.result.tolist(),
            "terms": taken.terms,
            "cells": taken.cells,
            "columnsName": f"Columns: {len(taken.columns)} x {many}",
            "place": taken.result.size // 2,
        },
    )
    st.caption("Point at a place of the result: what it is the sum of lights up.")
