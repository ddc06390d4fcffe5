"""Other names, packing and deletion, for everything that lies in the workspace."""

from collections.abc import Callable

import streamlit as st

from ganart import housekeeping, pack, workspace
from ganart.errors import GanartError
from ganart.run import Run
from ganart.ui import page, words


def _attempt(work: Callable, *arguments: object) -> object | None:
    """Do it in a callback; what goes wrong is shown on the next run of the page."""
    try:
        return work(*arguments)
    except GanartError as error:
        st.session_state.manage_error = str(error)
        return None


def message() -> None:
    """What the last rename, pack or deletion has to say, where something went wrong or is worth telling."""
    if error := st.session_state.pop("manage_error", None):
        st.error(error, icon=":material/error:")
    if told := st.session_state.pop("manage_told", None):
        st.success(told, icon=":material/check:")


def run(target: Run) -> None:
    """Rename, pack and delete a run."""
    key = f"run-{target.id}"

    def renamed() -> None:
        done = _attempt(housekeeping.rename_run, target, workspace.slug(st.session_state[f"name-{key}"]))
        if done is not None and st.query_params.get("run") == target.id:
            page.go(run=done.id)

    def packed() -> None:
        path = workspace.folder("exports") / f"{target.id}.ganart"
        if _attempt(pack.pack, target, path) is not None:
            size = housekeeping.words(path.stat().st_size)
            st.session_state.manage_told = f"Packed as exports/{path.name} in the workspace, {size}."

    def deleted() -> None:
        _attempt(housekeeping.delete_run, target)
        if st.query_params.get("run") == target.id:
            page.go()

    with _menu(key):
        _rename(key, target.name, renamed)
        st.button("Pack into one file", icon=":material/inventory_2:", key=f"pack-{key}", on_click=packed)
        _delete(key, words.run_title(target), lambda: housekeeping.describe_run(target), deleted)


def dataset(name: str) -> None:
    """Rename and delete a prepared dataset."""
    key = f"dataset-{name}"

    def renamed() -> None:
        new = workspace.slug(st.session_state[f"name-{key}"])
        _attempt(housekeeping.rename_dataset, name, new)

    with _menu(key):
        _rename(key, name, renamed)
        _delete(
            key,
            name,
            lambda: housekeeping.describe_dataset(name),
            lambda: _attempt(housekeeping.delete_dataset, name),
        )


def export(file: str) -> None:
    """Rename and delete an exported file."""
    key = f"export-{file}"
    stem, _, suffix = file.rpartition(".")

    def renamed() -> None:
        new = f"{workspace.slug(st.session_state[f'name-{key}'])}.{suffix}"
        _attempt(housekeeping.rename_export, file, new)

    with _menu(key):
        _rename(key, stem, renamed)
        _delete(
            key,
            file,
            lambda: housekeeping.describe_export(file),
            lambda: _attempt(housekeeping.delete_export, file),
        )


def _menu(key: str) -> st.delta_generator.DeltaGenerator:
    return st.popover("More", icon=":material/more_horiz:", key=f"menu-{key}")


def _rename(key: str, name: str, renamed: Callable[[], None]) -> None:
    st.text_input("Name", name, key=f"name-{key}", max_chars=40)
    st.button("Rename", icon=":material/edit:", key=f"rename-{key}", on_click=renamed)


def _delete(key: str, title: str, describe: Callable[[], str], deleted: Callable[[], object]) -> None:
    if st.button("Delete", icon=":material/delete:", key=f"delete-{key}"):
        _confirm(title, describe(), deleted)


@st.dialog("Delete for good?")
def _confirm(title: str, sentence: str, deleted: Callable[[], object]) -> None:
    st.markdown(f"**{title}**")
    st.write(sentence)
    with st.container(horizontal=True):
        if st.button("Delete it", type="primary", icon=":material/delete:", key="really-delete"):
            deleted()
            st.rerun()
        if st.button("Keep it", key="keep"):
            st.rerun()


def usage() -> None:
    """How much room the workspace takes, in one line."""
    used = housekeeping.usage()
    parts = [f"{kind} {housekeeping.words(count)}" for kind, count in used.items() if kind != "free" and count]
    free = housekeeping.words(used["free"])
    st.caption(f"On the disk: {', '.join(parts) or 'nothing yet'}; {free} free.")
