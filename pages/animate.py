"""A small film studio: keyframes, a way through them, a length, a file."""

import streamlit as st

from ganart.ui import choose, manage, page, screen, studio

page.start()
st.title("Animate")
manage.message()
studio.settle()
left, right = st.columns([1, 1], gap="large")

with left:
    model = choose.model()
    kind = st.segmented_control("Film", studio.KINDS, required=True, key=studio.first_kind(), bind="query-params")
    st.caption(studio.KINDS[kind])
    asked = None
    with page.error_box():
        asked = studio.ask(model, kind)
    with st.container(horizontal=True, vertical_alignment="center"), page.error_box():
        # Not in a callback, which would know what was asked for before the field that this click has left.
        wanted = st.button("Make the film", type="primary", icon=":material/movie:", disabled=asked is None)
        if wanted and asked:
            screen.begin(model, asked)
        if asked:
            screen.size(model, asked)
    screen.open_file(model)

with right:
    screen.show(model)
screen.earlier()
