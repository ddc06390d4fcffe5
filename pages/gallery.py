"""Models to play with, and trainings under way."""

import streamlit as st

from ganart import models, run, workspace
from ganart.ui import gallery, manage, page, sheets, words

page.start()

st.title("Gallery")
st.caption("Every picture here is painted by a network. Step inside one, or teach your own.")

manage.message()
gallery.while_away()
active = [r for r in run.list_runs() if r.status().active]
for item in active:
    status = item.status()
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        page.state_badge(status)
        st.markdown(f"**{words.run_title(item)}**  {words.progress(status)}")
        st.page_link("pages/train.py", label="Watch", icon=":material/visibility:", query_params={"run": item.id})

found = models.list_models()
if not found:
    st.info(
        "There are no models yet. Give ganart a folder of pictures and it will learn them.",
        icon=":material/image_search:",
    )
if st.button("Train on your pictures", type="primary", icon=":material/add_photo_alternate:"):
    st.switch_page("pages/train.py")

with st.grid(3, min_column_width=300, gap="medium"):
    for model in found:
        with st.container(border=True), page.error_box():
            card = model.card()
            if sheet := model.sheet():
                st.image(sheets.larger(sheet), width="stretch", alt=f"36 pictures painted by {model.id}")
            with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
                st.markdown(f"**{words.run_title(model.run) if model.run else model.id}**")
                if model.run:
                    manage.run(model.run)
                elif model.path.is_relative_to(workspace.home()):
                    manage.model(model.id)
            st.caption(words.model_line(card))
            with st.container(horizontal=True):
                to_it = {"model": model.id}
                st.page_link("pages/explore.py", label="Explore", icon=":material/explore:", query_params=to_it)
                st.page_link("pages/animate.py", label="Animate", icon=":material/animation:", query_params=to_it)
                if model.run:
                    to_run = {"run": model.run.id}
                    st.page_link("pages/train.py", label="Run", icon=":material/history:", query_params=to_run)
            if about := models.read_about(model):
                with st.expander("About this model"):
                    st.markdown(about)

gallery.open_packed()
manage.usage()
