"""Pictures in, a network that learns them: choose pictures, see what the network will see, start, watch."""

from collections.abc import Callable

import streamlit as st

from ganart import dataset, run
from ganart.errors import GanartError
from ganart.ui import history, manage, page, prepare, start, watch, words

page.start()

asked_run, asked_dataset = st.query_params.get("run"), st.query_params.get("dataset")


def another() -> None:
    """Back to the choice of pictures."""
    st.query_params.clear()


def opened(find: Callable, name: str) -> object:
    """What the address names; where that is gone, why, the way back, and the end of the page."""
    try:
        return find(name)
    except GanartError as error:
        st.title("Train")
        st.error(str(error), icon=":material/error:")
        st.button("Choose pictures", icon=":material/arrow_back:", on_click=another)
        st.stop()


def headline(title: str, label: str, icon: str) -> None:
    """The title and, beside it, the button that leads back to the choice of pictures."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(title)
        st.button(label, icon=icon, on_click=another)


def find_run(asked: str) -> run.Run:
    """The run that the address names, also where it has another name by now: a number is given once."""
    try:
        return run.find_run(asked)
    except GanartError:
        st.session_state.pop("watch_error", None)  # of a click on what is gone
        number = asked.partition("-")[0]
        for renamed in run.list_runs():
            if number.isdecimal() and renamed.id.partition("-")[0] == number:
                st.query_params["run"] = renamed.id
                return renamed
        raise


manage.message()
if asked_run:
    chosen = opened(find_run, asked_run)
    headline(words.run_title(chosen), "New training", ":material/add:")
    with page.error_box():
        st.caption(history.origin(chosen))
    with page.error_box():
        watch.watch(chosen)
elif asked_dataset:
    store = opened(dataset.open_dataset, asked_dataset)
    headline(store.name, "Choose other pictures", ":material/arrow_back:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        prepare.contact_sheet(store)
    with right:
        start.settings(store)
else:
    st.title("Train")
    start.under_way()
    prepare.choose_pictures(start.from_line())
    start.earlier_runs()
