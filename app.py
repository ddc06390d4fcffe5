"""ganart: `streamlit run app.py`.

The pages, in the order of the journey:
    Gallery   pages/gallery.py    models to play with, trainings under way
    Train     pages/train.py      pictures in, settings, start, watch
    Explore   pages/explore.py    the latent space under the hand: pad, seeds, directions, breeding
    Animate   pages/animate.py    keyframes, film, file
    Learn     pages/learn.py      how it works, taken apart by hand

This file is read twice: once by the server, which needs `app`, and then as the page script of every visit.
"""

from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from ganart import door, receive, routes, server
    from ganart.ui import login
    from ganart.ui.page import allowed_hosts, head, hide_place, show_error

    server.keep_small()
    server.send_at_once()
    hide_place()
    door.refuse_open_door(st.get_option("server.address") or "", login.is_on(), login.problem())
    remote = login.is_on() or door.is_allowed_open()
    app = st.App(
        Path(__file__),
        routes=server.under(
            st.get_option("server.baseUrlPath"), [*server.ROUTES, *routes.ROUTES, *receive.ROUTES]
        ),
        lifespan=server.lifespan,
        middleware=server.middleware(
            allowed_hosts(remote),
            login.admits if login.is_on() else None,
            remote=remote,
            head=head(),
        ),
        on_script_error=show_error,
    )
else:
    from ganart.ui import page

    page.navigate()
