"""ganart: `streamlit run app.py`.

The pages, in the order of the journey:
    Gallery   pages/gallery.py    models to play with, trainings under way
    Train     pages/train.py      pictures in, settings, start, watch
    Explore   pages/explore.py    a wall of seeds, pick one, vary it
    Animate   pages/animate.py    keyframes, film, file

This file is read twice: once by the server, which needs `app`, and then as the page script of every visit.
"""

from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from ganart import routes, server
    from ganart.ui.page import show_error

    server.send_at_once()
    server.refuse_open_door(st.get_option("server.address") or "")
    app = st.App(
        Path(__file__),
        routes=routes.ROUTES,
        lifespan=server.lifespan,
        middleware=server.middleware(st.get_option("server.allowedHosts") or []),
        on_script_error=show_error,
    )
else:
    from ganart.ui import page

    page.navigate()
