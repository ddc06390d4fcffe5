"""The place where pictures are dropped: their files go past Streamlit straight to the disk, see `receive`."""

from pathlib import Path

import streamlit as st

from ganart import uploads
from ganart.limits import limits
from ganart.ui import page
from ganart.uploads import Upload

_HERE = Path(__file__).parent
_HTML = """
<div class="drop" role="group">
  <p class="lead"></p>
  <div class="row">
    <button type="button" class="folder">Choose a folder</button>
    <button type="button" class="files">Choose files or a zip</button>
    <button type="button" class="settle" hidden></button>
    <button type="button" class="clear" hidden>Start over</button>
    <input type="file" class="pick-folder" aria-label="Folder of pictures" webkitdirectory multiple hidden>
    <input type="file" class="pick-files" aria-label="Pictures or a zip of them" multiple hidden>
  </div>
  <div class="row work" hidden>
    <progress class="bar" max="1" value="0" aria-label="Sent so far"></progress>
    <span class="count"></span>
    <button type="button" class="stop">Stop</button>
  </div>
  <p class="said" role="status"></p>
</div>
"""
_drop = st.components.v2.component(
    "ganart_drop",
    html=_HTML,
    js=(_HERE / "drop.js").read_text(encoding="utf-8"),
    css=(_HERE / "drop.css").read_text(encoding="utf-8"),
)


def drop() -> Upload | None:
    """Where pictures are dropped -> the upload once all of it is there; None until then.

    Its token is in the address and in the session, so that it is found again after a reload.
    """
    upload = _current()
    entries = upload.entries() if upload else ()
    missing = upload.missing() if upload else []
    data = {
        "base": page.base_path(),
        "token": upload.token if upload else "",
        "label": "Your pictures",
        "title": upload.title() if upload else "",
        "listed": len(entries),
        "there": len(entries) - len(missing),
        "bytes": sum(entry.size for entry in entries if not entry.reason and not entry.unread),
        "most": limits().files,
    }
    _drop(key="drop", data=data, on_asked_change=_asked)
    return upload if entries and not missing else None


def _current() -> Upload | None:
    for token in (st.query_params.get("upload"), st.session_state.get("upload")):
        if upload := uploads.find(token):
            st.query_params["upload"] = st.session_state.upload = upload.token
            return upload
    forget()
    return None


def _asked() -> None:
    """What the component wants: a token to "begin" with, to "settle" for what is there, to "clear" all; or it says
    that it has "ended"."""
    asked, upload = st.session_state.drop["asked"], uploads.find(st.session_state.get("upload"))
    if asked == "begin" and upload is None:
        st.session_state.upload = uploads.begin(st.get_option("server.maxUploadSize") * 2**20).token
    elif asked == "settle" and upload:
        upload.settle()
    elif asked == "clear" and upload:
        upload.remove()


def forget() -> None:
    """The page knows of no upload any more."""
    st.session_state.pop("upload", None)
    if "upload" in st.query_params:
        del st.query_params["upload"]
