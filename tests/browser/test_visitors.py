"""A team at one ganart: who logs in and who does not, in a real browser; and that visitors do not see what others
are uploading."""

import base64
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import expect
from wire import Serving

CLIENT = {"client_id": "ganart", "client_secret": "of-the-team"}


class Provider(ThreadingHTTPServer):
    """A small provider of logins (OIDC) on this computer. Whoever comes is `user`, without being asked."""

    def __init__(self) -> None:
        from joserfc.jwk import RSAKey

        super().__init__(("127.0.0.1", 0), Desk)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.user = {"sub": "1", "email": "ada@example.org", "email_verified": True}
        self.nonces: dict[str, str] = {}  # by code
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Desk(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        asked, url = urlsplit(self.path), self.server.url
        if asked.path == "/.well-known/openid-configuration":
            self.say(
                {
                    "issuer": url,
                    "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                    "jwks_uri": f"{url}/jwks",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        elif asked.path == "/jwks":
            self.say({"keys": [self.server.key.as_dict(private=False)]})
        else:
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            code = f"code-{len(self.server.nonces)}"
            self.server.nonces[code] = query["nonce"]
            self.send_response(302)
            self.send_header(
                "Location", f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
            )
            self.end_headers()

    def do_POST(self) -> None:
        from joserfc import jwt

        told = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        assert given == f"{CLIENT['client_id']}:{CLIENT['client_secret']}", given
        now = int(time.time())
        claims = {
            **self.server.user,
            "iss": self.server.url,
            "aud": CLIENT["client_id"],
            "iat": now,
            "exp": now + 3600,
            "nonce": self.server.nonces.pop(told["code"][0]),
        }
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.server.key)
        self.say({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def say(self, value: dict) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def provider():
    pytest.importorskip("authlib", reason="Authlib is not installed: pip install '.[auth]'")
    provider = Provider()
    yield provider
    provider.shutdown()
    provider.server_close()


@pytest.fixture(scope="module")
def studio(provider, tmp_path_factory):
    """A ganart for a team, below a path of its own."""
    folder = tmp_path_factory.mktemp("studio")
    path = folder / "secrets.toml"
    serving = Serving(folder, f"--secrets.files={path}", "--server.baseUrlPath=studio")
    path.write_text(f"""
[auth]
redirect_uri = "{serving.url}/studio/oauth2callback"
cookie_secret = "{"0123456789abcdef" * 4}"
client_id = "{CLIENT["client_id"]}"
client_secret = "{CLIENT["client_secret"]}"
server_metadata_url = "{provider.url}/.well-known/openid-configuration"

[ganart]
allowed = ["ada@example.org", "@studio.example"]
""")
    yield serving.start()
    serving.kill()


def statuses(tab, studio: Serving) -> dict[str, int]:
    """What the routes answer to the pages of this tab."""
    script = """async paths => Object.fromEntries(await Promise.all(paths.map(async ([method, path]) =>
        [path, (await fetch(path, {method})).status])))"""
    paths = {
        "GET": ["paint/seeds?model=mnist-seed&first=0&count=2", "media/nothing.png", "_stcore/metrics"],
        "PUT": ["upload/" + "0" * 32 + "/0", "_stcore/upload_file/a/b"],
    }
    asked = [[method, f"/studio/{path}"] for method, several in paths.items() for path in several]
    return {path.split("/")[2]: status for path, status in tab.evaluate(script, asked).items()}


def test_before_the_login_there_is_nothing_and_behind_it_everything(studio, provider, page):
    provider.user = {"sub": "1", "email": "Ada@example.org", "email_verified": True}
    for name in ("", "train", "explore", "animate", "learn"):
        said = studio.visit(name, "model=mnist-seed&run=1")
        assert b"Log in to come in" in said and b"Gallery" not in said and not studio.leaks(said)
    for name in ("", "explore?model=mnist-seed"):
        page.goto(f"{studio.url}/studio/{name}")
        page.get_by_role("button", name="Log in").wait_for()
        expect(page.locator("[data-testid=stMain]")).to_have_text(
            re.compile(r"^\W*ganart\W*Log in to come in\.\W*\w*Log in$")
        )
        assert not page.get_by_role("link", name="Explore").count()
    before = statuses(page, studio)
    assert set(before.values()) == {401}, before

    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Gallery").wait_for()
    page.get_by_text("Ada@example.org").wait_for()
    page.goto(f"{studio.url}/studio/explore?model=mnist-seed")
    page.get_by_role("heading", name="Explore").wait_for()
    with page.expect_response(re.compile("/studio/paint/point")) as painted:
        pad = page.locator(".pad .map")
        pad.wait_for(timeout=120_000)
        pad.focus()
        page.keyboard.press("ArrowRight")
    assert painted.value.status == 200
    after = statuses(page, studio)
    assert after == {"paint": 200, "media": 404, "_stcore": after["_stcore"], "upload": 404}
    assert 401 not in after.values()
    assert not page.errors

    page.goto(f"{studio.url}/studio/train")
    page.get_by_role("button", name="Choose a folder").wait_for()
    assert not page.get_by_text("A folder on this computer").count()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for()
    assert set(statuses(page, studio).values()) == {401}


def test_who_is_not_on_the_list_is_told_so_and_gets_nothing(studio, provider, page):
    provider.user = {"sub": "3", "email": "ada@example.org", "email_verified": False}
    page.goto(f"{studio.url}/studio/explore")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("not on the list").wait_for()
    page.get_by_text("Logged in as ada@example.org").wait_for()
    assert not page.get_by_role("link", name="Explore").count()
    assert set(statuses(page, studio).values()) == {401}
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for()


def test_a_login_is_not_made_up(studio, provider, page):
    """The cookie that Streamlit gives counts where it is signed with the secret, and nowhere else."""
    provider.user = {"sub": "5", "email": "kim@studio.example"}
    page.goto(f"{studio.url}/studio/")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Gallery").wait_for()
    cookie = next(each for each in page.context.cookies() if each["name"] == "_streamlit_user")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    good, path = (
        f"Cookie: _streamlit_user={cookie['value']}",
        "/studio/paint/seeds?model=mnist-seed&first=0&count=1",
    )
    assert studio.get(path, good).status == 200
    head, _, rest = cookie["value"].partition(".")
    claims = json.dumps(json.dumps({"email": "ada@example.org", "is_logged_in": True, "origin": studio.url}))
    forged = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
    for value in (f"{forged}.{rest}", head, f"{cookie['value'][:-2]}AA", ""):
        assert studio.get(path, f"Cookie: _streamlit_user={value}").status == 401, value
    assert b"Explore" in studio.visit("explore", cookie=good.removeprefix("Cookie: "))
    assert b"Log in to come in" in studio.visit("explore", cookie=f"_streamlit_user={forged}.{rest}")

    # Who is taken off the list is out, without a restart.
    path_of_secrets = next(option.partition("=")[2] for option in studio.options if "secrets.files" in option)
    told = Path(path_of_secrets).read_text()
    Path(path_of_secrets).write_text(told.replace("@studio.example", "@another.example"))
    deadline = time.monotonic() + 60
    while studio.get(path, good).status != 401 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert studio.get(path, good).status == 401
    assert b"not on the list" in studio.visit("explore", cookie=good.removeprefix("Cookie: "))
    Path(path_of_secrets).write_text(told)


# --- what others are uploading


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for index in range(count):
        (folder / f"{folder.name}-{index}.jpg").write_bytes(bytes([index]) * 2000)
    return folder


def test_visitors_do_not_see_what_others_are_uploading(lasting_server, browser, tmp_path):
    """Nor is a word of it sent to them."""
    sent: dict[str, list[bytes]] = {"of-anna": [], "of-bela": []}
    tokens = {}
    for name, frames in sent.items():
        tab = browser.new_context().new_page()
        tab.set_default_timeout(60_000)
        tab.on(
            "websocket", lambda socket, frames=frames: socket.on("framereceived", lambda data: frames.append(data))
        )
        tab.goto(f"{lasting_server.url}/train")
        tab.get_by_role("button", name="Choose a folder").wait_for()
        tab.get_by_label("Folder of pictures").set_input_files(pictures(tmp_path / name, 9))
        tab.get_by_text(f"“{name}” is here: 9 files").wait_for()
        tokens[name] = parse_qs(urlsplit(tab.url).query)["upload"][0]
    try:
        for context in browser.contexts:
            tab = context.pages[0]
            tab.reload()
            tab.get_by_text("is here: 9 files").wait_for()
    finally:
        for context in browser.contexts:
            context.close()
    for name, other in (("of-anna", "of-bela"), ("of-bela", "of-anna")):
        told = b"".join(frames if isinstance(frames, bytes) else frames.encode() for frames in sent[name])
        assert tokens[name].encode() in told and name.encode() in told
        assert tokens[other].encode() not in told and other.encode() not in told
