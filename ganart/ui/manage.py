"""Other names, packing and deletion, for everything that lies in the workspace."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from ganart import disk, housekeeping, pack, workspace
from ganart.errors import GanartError, InputError
from ganart.run import Run
from ganart.ui import page, words

Done = TypeVar("Done")


def _attempt(work: Callable[..., Done], *arguments: object) -> Done | None:
    """Do it in a callback; what goes wrong is shown on the next run of the page."""
    try:
        return work(*arguments)
    except GanartError as error:
        st.session_state.manage_error = str(error)
        return None


def message() -> None:
    """What the last rename, pack or deletion has to say, where something went wrong or is worth telling. On a long
    page it stands out of sight, and goes where the page is drawn anew; so it is told in the corner as well."""
    for key, show, icon in (
        ("manage_error", st.error, ":material/error:"),
        ("manage_told", st.success, ":material/check:"),
    ):
        if told := st.session_state.pop(key, None):
            show(told, icon=icon)
            st.toast(words.plain(told), icon=icon, duration="long")


def _named(key: str) -> str:
    """The name that was typed, in the allowed form. Raises InputError where nothing of it is left."""
    typed = st.session_state[f"name-{key}"].strip()
    if not (name := workspace.slug(typed, "")):
        raise InputError(
            f"“{typed}” is not a usable name here. Use letters from a to z, digits and hyphens: my-paintings."
            if typed
            else "No name was given. Type one, then rename."
        )
    return name


def run(target: Run) -> None:
    """Rename, pack and delete a run."""
    key = f"run-{target.id}"

    def renamed() -> None:
        done = _attempt(lambda: housekeeping.rename_run(target, _named(key)))
        if done is not None and st.query_params.get("run") == target.id:
            page.go(run=done.id)

    def packed() -> None:
        wanted = workspace.folder("exports") / f"{target.id}{pack.SUFFIX}"
        if (path := _attempt(lambda: pack.pack(target, wanted, beside=True))) is not None:
            size = disk.words(path.stat().st_size)
            st.session_state.manage_told = f"Packed as exports/{path.name} in the workspace, {size}."

    def deleted() -> None:
        _attempt(housekeeping.delete_run, target)
        if st.query_params.get("run") == target.id:
            page.go()

    with _menu(key):
        _rename(key, target.name, renamed)
        st.button("Pack into one file", icon=":material/inventory_2:", key=f"pack-{key}", on_click=packed)
        _delete(key, lambda: housekeeping.describe_run(target), deleted)


def dataset(name: str) -> None:
    """Rename and delete a prepared dataset."""
    key = f"dataset-{name}"

    def renamed() -> None:
        _attempt(lambda: housekeeping.rename_dataset(name, _named(key)))

    with _menu(key):
        _rename(key, name, renamed)
        _delete(
            key,
            lambda: housekeeping.describe_dataset(name),
            lambda: _attempt(housekeeping.delete_dataset, name),
        )


def model(name: str) -> None:
    """Rename and delete a model that was taken in."""
    key = f"model-{name}"

    def renamed() -> None:
        _attempt(lambda: housekeeping.rename_model(name, _named(key)))

    with _menu(key):
        _rename(key, name, renamed)
        _delete(key, lambda: housekeeping.describe_model(name), lambda: _attempt(housekeeping.delete_model, name))


def export(file: str) -> None:
    """Rename and delete an exported file."""
    key = f"export-{file}"
    stem = file.rpartition(".")[0]

    def renamed() -> None:
        _attempt(lambda: housekeeping.rename_export(file, st.session_state[f"name-{key}"].strip()))

    with _menu(key):
        _rename(key, stem, renamed)
        _delete(
            key,
            lambda: housekeeping.describe_export(file),
            lambda: _attempt(housekeeping.delete_export, file),
        )


def _menu(key: str) -> st.delta_generator.DeltaGenerator:
    return st.popover("More", icon=":material/more_horiz:", key=f"menu-{key}")


def _rename(key: str, name: str, renamed: Callable[[], None]) -> None:
    st.text_input("Name", name, key=f"name-{key}", max_chars=40)
    st.button("Rename", icon=":material/edit:", key=f"rename-{key}", on_click=renamed)


def _delete(key: str, describe: Callable[[], str], deleted: Callable[[], object]) -> None:
    """The button; behind it what goes, and the question whether it shall."""
    state, asked = st.session_state, f"confirm-{key}"

    def ask() -> None:
        state[asked] = True

    def really() -> None:
        if state.pop(asked, None):  # else it is the second of two clicks
            deleted()

    if not state.get(asked):
        st.button("Delete", icon=":material/delete:", key=f"delete-{key}", on_click=ask)
        return
    with page.error_box():
        st.warning(f"This goes for good. {describe()}", icon=":material/delete:")
    st.button("Delete it", type="primary", key=f"really-{key}", on_click=really)
    st.button("Keep it", key=f"keep-{key}", on_click=lambda: state.pop(asked, None))


def usage() -> None:
    """How much room the workspace takes, in one line."""
    used = disk.usage()
    parts = [f"{kind} {disk.words(count)}" for kind, count in used.items() if kind != "free" and count]
    free = disk.words(used["free"])
    st.caption(f"On the disk: {', '.join(parts) or 'nothing yet'}; {free} free.")
