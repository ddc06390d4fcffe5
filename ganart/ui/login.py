"""Who may come in where a team uses ganart: Streamlit's own login (OIDC) and a list of people in secrets.toml.

    [auth]      what Streamlit's login needs
    [ganart]    allowed = ["ada@example.org", "@example.org"], or ["*"] for all whom the provider lets log in

Without [auth] there is no login and all of this does nothing.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import streamlit as st
from streamlit import auth_util
from streamlit.errors import StreamlitAuthError
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

SHORTEST_SECRET = 32  # characters; whoever guesses it is everybody
PROVIDER_KEYS = {"client_id", "client_secret", "server_metadata_url"}


@functools.cache
def is_on() -> bool:
    """Whether there is a login. As it was at the start: Streamlit reads the file again whenever it changes, and
    one that is damaged or gone for a moment must not let everybody in."""
    return bool(_section("auth"))


def _section(name: str) -> dict:
    """A table of secrets.toml; empty where there is none."""
    try:
        found = st.secrets.get(name) if st.secrets.load_if_toml_exists() else None
    except (OSError, UnicodeDecodeError):
        return {}
    return found.to_dict() if found is not None and hasattr(found, "to_dict") else {}


def _allowed() -> set[str]:
    listed = _section("ganart").get("allowed")
    return {str(each).strip().lower() for each in listed} if isinstance(listed, list) else set()


def _providers() -> list[str]:
    """The providers that one may log in with, as `st.login` calls them."""
    section = _section("auth")
    if PROVIDER_KEYS & section.keys():
        return ["default"]
    return [name for name, value in section.items() if isinstance(value, dict) and PROVIDER_KEYS & value.keys()]


def problem() -> str:
    """What is wrong with secrets.toml, in a sentence that says what to do; empty where nothing is. Never opens the
    door where somebody tried to close it."""
    try:
        written = any(Path(path).exists() for path in st.get_option("secrets.files"))
        if written and not st.secrets.load_if_toml_exists():
            return "the file secrets.toml is no valid TOML. Correct it, or take it away."
    except (OSError, UnicodeDecodeError):
        return "the file secrets.toml cannot be read. Make it readable for who runs ganart, as UTF-8 text."
    if not _section("auth"):
        meant = st.secrets.load_if_toml_exists() and ("auth" in st.secrets or "ganart" in st.secrets)
        return (
            "secrets.toml has no [auth] that one could log in by. Write it as docs/remote.md says."
            if meant
            else ""
        )
    if not auth_util.is_authlib_installed():
        return 'a login needs Authlib. Run: pip install "streamlit[auth]"'
    secret = _section("auth").get("cookie_secret", "")
    if not isinstance(secret, str) or len(secret) < SHORTEST_SECRET:
        return (
            f"[auth] cookie_secret in secrets.toml must have {SHORTEST_SECRET} characters or more. Make one with: "
            'python -c "import secrets; print(secrets.token_hex(32))"'
        )
    try:
        for provider in _providers() or ["default"]:
            auth_util.validate_auth_credentials(provider)
    except StreamlitAuthError as error:
        return " ".join(str(error).split())
    if not any("@" in each or each == "*" for each in _allowed()):
        return (
            "secrets.toml must say who may come in, since some providers let everybody log in. Add [ganart] with "
            'allowed = ["ada@example.org", "@example.org"], or ["*"] for all whom the provider lets log in.'
        )
    return ""


def is_allowed(user: Mapping) -> bool:
    """Whether the list has the user, by an address that the provider does not call unverified."""
    listed = _allowed()
    if "*" in listed:
        return True
    address = str(user.get("email") or "").strip().lower()
    name, at, domain = address.rpartition("@")
    verified = str(user.get("email_verified", True)).lower() != "false"
    return bool(name and at and verified and listed & {address, f"@{domain}"})


def admits(cookies: Mapping[str, str]) -> bool:
    """Whether the cookie that Streamlit gives to who logs in is among these, is genuine and is of an allowed user.

    Streamlit reads it only for the websocket; our own routes, and its media files, would be open to all.
    """

    def genuine(name: str) -> bytes | None:
        return decode_signed_value(auth_util.get_signing_secret(), name, cookies.get(name, "").encode("latin-1"))

    try:
        user = json.loads(auth_util.get_cookie_with_chunks(genuine, USER_COOKIE_NAME) or b"{}")
    except (ValueError, RecursionError):
        return False
    here = isinstance(user, dict) and user.get("origin") == auth_util.get_origin_from_redirect_uri()
    return here and user.get("is_logged_in") is True and is_allowed(user)


def gate() -> None:
    """Ends the page of who is not logged in, or not allowed, before anything of it is drawn. Others see who they
    are, and a way out."""
    if not is_on():
        return
    if st.user.get("is_logged_in") is not True:
        st.title("ganart")
        st.write("Log in to come in.")
        for provider in _providers():
            label = "Log in" if provider == "default" else f"Log in with {provider.title()}"
            st.button(label, type="primary", icon=":material/login:", on_click=st.login, args=(provider,))
        st.stop()
    name = str(st.user.get("email") or st.user.get("name") or "somebody without an address")[:80]
    if not is_allowed(st.user.to_dict()):
        st.title("ganart")
        st.error("You are logged in, but not on the list of who may come in here. Ask who runs this ganart.")
        st.text(f"Logged in as {name}")
        st.button("Log out", icon=":material/logout:", on_click=st.logout)
        st.stop()
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.text(name, width="content")
        st.button("Log out", type="tertiary", icon=":material/logout:", on_click=st.logout, key="log-out")
