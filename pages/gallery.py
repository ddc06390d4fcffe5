"""Models to play with, and trainings under way."""

import streamlit as st

from ganart import dataset, models, run
from ganart.ui import cards, gallery, manage, page, start

page.start()

st.title("Gallery")
st.caption("Every picture here is painted by a network. Step inside one, or teach your own.")

manage.message()
gallery.while_away()
start.under_way()
runs, stores = run.list_runs(), dataset.list_datasets()

found = models.list_models()
if not found:
    st.info(
        "There are no models yet. Give ganart a folder of pictures and it will learn them.",
        icon=":material/image_search:",
    )
gallery.ways_in(found, new_here=not runs and not stores)
with st.grid(3, min_column_width=300, gap="medium"):
    for model in found:
        with st.container(border=True), page.error_box():
            cards.show(model, stores)
if st.session_state.get("drawing"):
    cards.watch()

gallery.open_packed()
manage.usage()
