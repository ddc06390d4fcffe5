"""The frame of every page: navigation, a heartbeat, and the box that errors come back in."""

import contextlib
import functools
import logging
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession

from ganart import away, door, workspace
from ganart.errors import GanartError
from ganart.run import Status
from ganart.ui import login, words

PAGES = [  # file, title, icon, what it is for
    ("pages/gallery.py", "Gallery", ":material/grid_view:", "Models to play with, and trainings under way."),
    ("pages/train.py", "Train", ":material/model_training:", "Pictures in, a network that learns them."),
    ("pages/explore.py", "Explore", ":material/explore:", "A latent space under your hand."),
    ("pages/animate.py", "Animate", ":material/animation:", "Films that loop, and films of a training."),
    ("pages/learn.py", "Learn", ":material/school:", "How it works, taken apart by hand."),
]
ICON = str(Path(__file__).with_name("icon.svg"))
STYLE = Path(__file__).with_name("page.css")  # what the theme cannot say
SCRIPT = Path(__file__).with_name("page.js")  # how a tab finds a restarted server
PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")  # headers that they add
IDS = {"run": "run", "dataset": "dataset", "model": "model", "from": "model"}  # what addresses name
_navigated: ContextVar[bool] = ContextVar("navigated", default=False)


def navigate() -> None:
    """Run the page that the address names, under the navigation bar."""
    st.set_page_config(page_title="ganart", page_icon=ICON, layout="wide")
    st.logo(ICON, size="large")
    login.gate()
    _refuse_paths()
    pages = [
        st.Page(file, title=title, icon=icon, help=text, default=file == PAGES[0][0])
        for file, title, icon, text in PAGES
    ]
    token = _navigated.set(True)
    try:
        st.navigation(pages, position="top").run()
    finally:
        _navigated.reset(token)


def head() -> str:
    """What the head of every page has beside Streamlit's own, as HTML."""
    style, script = (path.read_text(encoding="utf-8") for path in (STYLE, SCRIPT))
    return f"<style>{style}</style><script>{script}</script>"


def _refuse_paths() -> None:
    """Take out of the address what is a path. Anybody can make a link: it may name what is in the workspace, and
    must not have this computer look elsewhere, or ask another one."""
    for name, kind in IDS.items():
        if workspace.looks_like_path(st.query_params.get(name, "")):
            del st.query_params[name]
            st.warning(
                f"The address names no {kind} of this workspace, but a path. Choose one here.",
                icon=":material/link_off:",
            )


def start() -> None:
    """First line of every page.

    On a server that has just started, Streamlit may run a file in `pages/` without `app.py`; the page then
    comes back under the navigation.
    """
    if not _navigated.get():
        navigate()
        st.stop()
    st.session_state.pop("gone", None)
    if not st.session_state.pop("redrawn", False):
        closed()  # whatever else draws a page anew closes them
    if "away" not in st.session_state:
        seen = away.last_seen()
        st.session_state.away = (
            away.happened(seen) if seen is not None and time.time() - seen > away.AWAY_SECONDS else []
        )
    _heartbeat()


def go(**query: str) -> None:
    """In a callback: the page is about something else from here on."""
    st.query_params.from_dict(query)
    st.session_state.gone = True


def follow() -> None:
    """First line of a fragment whose buttons may `go`: then the whole page is drawn anew, not it alone."""
    if st.session_state.pop("gone", False):
        st.rerun()


def redraw() -> None:
    """In a fragment: draw the whole page anew, of its own accord; a dialog that is open stays so (`is_open`)."""
    st.session_state.redrawn = True
    st.rerun()


def is_open(dialog: str, clicked: bool) -> bool:
    """Whether a dialog is to be shown: its button was clicked, or it was open when the page chose to `redraw`."""
    if clicked:
        st.session_state.open_dialog = dialog
    return st.session_state.get("open_dialog") == dialog


def closed() -> None:
    """For the on_dismiss of a dialog."""
    st.session_state.pop("open_dialog", None)


def tell(key: str, value: object) -> None:
    """Let the widget of this key show a value, before it is drawn. It is not told what it says itself: that would
    undo what is pressed there while the page runs."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value


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


def allowed_hosts(remote: bool) -> list[str]:
    """The names in `server.allowedHosts`, for the `Door`. remote: other computers may come; then it looks at them
    alone, as Streamlit knows names and no numbers of this computer, which a network gives and takes."""
    hosts = list(st.get_option("server.allowedHosts") or [])
    if remote:
        config.set_option("server.allowedHosts", [])
    return hosts


def hide_place() -> None:
    """Streamlit tells every browser, also before a login, where its script lies on this computer: let it not."""
    made = getattr(AppSession, "_create_new_session_message", None)  # where it is gone, a test will say so
    if made is None:
        return

    @functools.wraps(made)
    def without_place(*given: object, **named: object) -> ForwardMsg:
        message = made(*given, **named)
        message.new_session.main_script_path = Path(message.new_session.main_script_path).name
        return message

    AppSession._create_new_session_message = without_place  # type: ignore[method-assign]  # that is what is meant


def state_badge(status: Status) -> None:
    """The state of a run in a word, with its colour and icon."""
    label, colour, icon = words.STATES[status.state]
    st.badge(label, icon=icon, color=colour)


def base_path() -> str:
    """What stands before the paths of the server's routes."""
    path = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{path}" if path else ""


def is_local() -> bool:
    """Whether the visitor sits at this computer, so that folders may be named by their paths.

    Not where there is a login, nor where a proxy hands on what others ask: it gives itself away by a name that
    this computer has for others only, or by the headers that tell whom it asks for.
    """
    if login.is_on() or not door.is_loopback(str(st.get_option("server.address"))):
        return False
    headers = st.context.headers
    name = urlsplit(f"//{headers.get('Host') or 'localhost'}").hostname or ""
    return door.is_loopback(name) and not any(header in headers for header in PROXIES)
