"""The frame of every page: navigation, a heartbeat, and the box that errors come back in."""

import contextlib
import logging
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

import streamlit as st

from ganart import away
from ganart.errors import GanartError
from ganart.run import Status
from ganart.ui import words

PAGES = [  # file, title, icon, what it is for
    ("pages/gallery.py", "Gallery", ":material/grid_view:", "Models to play with, and trainings under way."),
    ("pages/train.py", "Train", ":material/model_training:", "Pictures in, a network that learns them."),
    ("pages/explore.py", "Explore", ":material/explore:", "A latent space under your hand."),
    ("pages/animate.py", "Animate", ":material/animation:", "Films that loop, and films of a training."),
    ("pages/learn.py", "Learn", ":material/school:", "How it works, taken apart by hand."),
]
ICON = str(Path(__file__).with_name("icon.svg"))
_navigated: ContextVar[bool] = ContextVar("navigated", default=False)


def navigate() -> None:
    """Run the page that the address names, under the navigation bar."""
    st.set_page_config(page_title="ganart", page_icon=ICON, layout="wide")
    st.logo(ICON, size="large")
    pages = [
        st.Page(file, title=title, icon=icon, help=text, default=file == PAGES[0][0])
        for file, title, icon, text in PAGES
    ]
    token = _navigated.set(True)
    try:
        st.navigation(pages, position="top").run()
    finally:
        _navigated.reset(token)


def start() -> None:
    """First line of every page.

    On a server that has just started, Streamlit may run a file in `pages/` without `app.py`; the page then
    comes back under the navigation.
    """
    if not _navigated.get():
        navigate()
        st.stop()
    st.session_state.pop("gone", None)
    if "away" not in st.session_state:
        seen = away.last_seen()
        gone = seen is not None and time.time() - seen > away.AWAY_SECONDS
        st.session_state.away = away.happened(seen) if gone else []
    _heartbeat()


def go(**query: str) -> None:
    """In a callback: the page is about something else from here on."""
    st.query_params.from_dict(query)
    st.session_state.gone = True


def follow() -> None:
    """First line of a fragment whose buttons may `go`: then the whole page is drawn anew, not it alone."""
    if st.session_state.pop("gone", False):
        st.rerun()


@st.fragment(run_every=5.0)
def _heartbeat() -> None:
    """Keeps asking, so that a tab finds a restarted server again by itself; and notes that somebody is there."""
    away.touch()


@contextlib.contextmanager
def error_box() -> Iterator[None]:
    """Show a GanartError that the block raises as a message, and go on behind the block."""
    try:
        yield
    except GanartError as error:
        st.error(str(error), icon=":material/error:")


def show_error(error: BaseException) -> bool:
    """For what no page expected: a message in the page, the whole story in the terminal."""
    if isinstance(error, GanartError):
        st.error(str(error), icon=":material/error:")
    else:
        logging.getLogger("ganart").error("a page failed", exc_info=error)
        st.error(
            "Something in the program went wrong; nothing of yours is lost. Reload the page. "
            "The details are in the terminal where ganart runs.",
            icon=":material/error:",
        )
    return True


def state_badge(status: Status) -> None:
    """The state of a run in a word, with its colour and icon."""
    label, colour, icon = words.STATES[status.state]
    st.badge(label, icon=icon, color=colour)


def base_path() -> str:
    """What stands before the paths of the server's routes."""
    path = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{path}" if path else ""


def is_local() -> bool:
    """Whether only this computer can reach the app, so that folders may be named by their paths."""
    return str(st.get_option("server.address")) in ("127.0.0.1", "localhost", "::1")
