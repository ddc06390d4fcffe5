"""Pictures in, a network that learns them: choose pictures, see what the network will see, start, watch."""

import streamlit as st

from ganart import dataset, run
from ganart.errors import GanartError
from ganart.ui import page, prepare, start, watch, words

page.start()

asked_run, asked_dataset = st.query_params.get("run"), st.query_params.get("dataset")


def another() -> None:
    """Back to the choice of pictures."""
    st.query_params.clear()


if asked_run:
    try:
        chosen = run.find_run(asked_run)
    except GanartError as error:
        st.title("Train")
        st.error(str(error), icon=":material/error:")
        st.button("Choose pictures", icon=":material/arrow_back:", on_click=another)
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(words.run_title(chosen))
        st.button("New training", icon=":material/add:", on_click=another)
    with page.error_box():
        watch.watch(chosen)
elif asked_dataset:
    try:
        store = dataset.open_dataset(asked_dataset)
    except GanartError as error:
        st.title("Train")
        st.error(str(error), icon=":material/error:")
        st.button("Choose other pictures", icon=":material/arrow_back:", on_click=another)
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(store.name)
        st.button("Choose other pictures", icon=":material/arrow_back:", on_click=another)
    left, right = st.columns([3, 2], gap="large")
    with left:
        prepare.contact_sheet(store)
    with right:
        start.settings(store)
else:
    st.title("Train")
    start.active_run()
    prepare.choose_pictures()
    start.earlier_runs()
