"""Parts of the gallery: what happened while nobody looked, and opening a packed run."""

import tempfile
from pathlib import Path

import streamlit as st

from ganart import pack, run, workspace
from ganart.errors import GanartError
from ganart.run import Run
from ganart.ui import words


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


def open_packed() -> None:
    """Take in a run that was packed on another computer."""
    with st.expander("Open a packed run", icon=":material/unarchive:"):
        st.caption("A run can be packed into one file on one computer and trained on, or played with, on another.")
        turn = st.session_state.get("packed_turn", 0)
        file = st.file_uploader("Packed run", type="ganart", key=f"packed-{turn}", max_upload_size=1024)
        if file is None or not st.button("Open it", type="primary", icon=":material/unarchive:"):
            return
        try:
            with tempfile.TemporaryDirectory(dir=workspace.folder("uploads")) as folder:
                path = Path(folder) / "packed.ganart"
                path.write_bytes(file.getbuffer())
                opened = pack.unpack(path)
        except GanartError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.session_state.packed_turn = turn + 1  # frees what the uploader holds
        st.session_state.manage_told = f"Opened as {words.run_title(run.find_run(opened.id))}."
        st.rerun()
