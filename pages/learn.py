"""How it works, taken apart by hand: the game, the networks, the convolution, the losses, a training replayed."""

import streamlit as st

from ganart.ui import apart, lessons, page

CHAPTERS = {
    "The game": lessons.game,
    "Two networks, opened": lessons.networks,
    "Transposed convolution": apart.show,
    "The losses": lessons.curves,
    "Why so": lessons.choices,
    "A training, replayed": lessons.replay,
    "Read on": lessons.reading,
}

page.start()
st.title("Learn")
st.caption("What happens in here, in parts that can be moved. School mathematics is enough.")
chapter = st.pills(
    "Chapter", list(CHAPTERS), default="The game", required=True, key="chapter", bind="query-params"
)
st.header(chapter)
with st.container(width=920), page.error_box():
    CHAPTERS[chapter]()
following = list(CHAPTERS)[list(CHAPTERS).index(chapter) + 1 :][:1]
for name in following:
    st.page_link(
        "pages/learn.py", label=f"Next: {name}", icon=":material/arrow_forward:", query_params={"chapter": name}
    )
