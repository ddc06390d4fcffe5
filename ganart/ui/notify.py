"""A notification of the browser when a run has ended."""

from pathlib import Path

import streamlit as st

from ganart.run import Run, Status
from ganart.ui import words

_HERE = Path(__file__).parent
_notify = st.components.v2.component(
    "ganart_notify",
    html='<button type="button" hidden></button>\n',
    js=(_HERE / "notify.js").read_text(encoding="utf-8"),
    css=(_HERE / "notify.css").read_text(encoding="utf-8"),
)


def at_the_end(run: Run, status: Status) -> None:
    """Offer to tell when the run ends, and tell it."""
    at_work = status.active and status.state != "paused"
    _notify(
        key="notify",
        data={
            "run": run.id,
            "active": at_work,
            "label": "Notify me at the end",
            "title": f"{run.name}: {words.STATES[status.state][0].lower()}",
            "body": status.error or status.note or words.progress(status),
        },
        width="content",
    )
