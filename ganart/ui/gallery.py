"""Parts of the gallery: what happened while nobody looked, the ways on, and opening a packed run."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from ganart import unpack, workspace
from ganart.errors import GanartError
from ganart.files import write_atomic
from ganart.models import Model
from ganart.run import Run
from ganart.ui import words

WAYS = {  # the pages that a newcomer may go to, and what happens there
    "explore": "Drag a picture, and it turns into others.",
    "animate": "From picture to picture and back: a GIF to take home.",
    "train": "50 will do, 500 are better. You see it learn, in an hour or less.",
}


def while_away() -> None:
    """What became of the runs since somebody last looked."""
    if not (told := st.session_state.get("away")):
        return
    with st.container(border=True):
        st.markdown("**While you were away**")
        for run_id, sentence in told:
            st.markdown(f"{words.run_title(Run(workspace.folder('runs') / run_id))} {sentence}")
        st.button("Good to know", icon=":material/check:", on_click=_dismiss)


def _dismiss() -> None:
    st.session_state.away = []


def ways_in(found: Sequence[Model], new_here: bool) -> None:
    """Where to go from here. new_here: nothing of the artist's own is there yet; then what can be done is said."""
    ways: dict[str, tuple[str, str, dict[str, str]]] = {
        "train": ("Train on your pictures", ":material/add_photo_alternate:", {})
    }
    if new_here and found:
        first = found[0].id
        ways = {
            "explore": (f"Wander through {first}", ":material/explore:", {"model": first}),
            "animate": ("Make a film that loops", ":material/animation:", {"model": first}),
            **ways,
        }
    with st.grid(3, min_column_width=250, gap="medium"):
        for name, (label, icon, query) in ways.items():
            with st.container(gap="xsmall"):
                kind: Literal["primary", "secondary"] = "primary" if name == "train" else "secondary"
                if st.button(label, type=kind, icon=icon, width="stretch", key=f"way-{name}"):
                    st.switch_page(f"pages/{name}.py", query_params=query)
                if new_here:
                    st.caption(WAYS[name])


def open_packed() -> None:
    """Take in a run that was packed on another computer, or a model."""
    with st.expander("Open a packed run or a model", icon=":material/unarchive:"):
        st.caption("A run can be packed into one file on one computer and trained on, or played with, on another.")
        turn = st.session_state.get("packed_turn", 0)
        file = st.file_uploader(
            "Packed run or model", type=["ganart", "safetensors"], key=f"packed-{turn}", max_upload_size=1024
        )
        if file is None or not st.button("Open it", type="primary", icon=":material/unarchive:"):
            return
        try:
            with tempfile.TemporaryDirectory(dir=workspace.folder("uploads")) as folder:
                told = _take_in(Path(folder), Path(file.name).name, file.getbuffer())
        except GanartError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.session_state.packed_turn = turn + 1  # frees what the uploader holds
        st.session_state.manage_told = told
        st.rerun()


def _take_in(folder: Path, name: str, data: memoryview) -> str:
    """Open an uploaded file -> what became of it. Raises GanartError."""
    if name.lower().endswith(".ganart"):
        path = folder / f"{workspace.slug(Path(name).stem)}.ganart"
        write_atomic(path, data, durable=False)
        return f"Opened as {words.run_title(unpack.unpack(path))}."
    from ganart import checkpoint  # imports torch, which a gallery does not wait for

    path = folder / f"{workspace.slug(Path(name).stem)}.safetensors"
    write_atomic(path, data, durable=False)
    return f"Taken in as {checkpoint.take_in(path)}."
