"""The door of the real server: who is let in, and by which address; that nothing asked of it does harm, or gives
away where it lives."""

import asyncio
import contextlib
import json
import random
import re
import shutil
import socket
import time
import traceback
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import streamlit as st
from PIL import Image
from serving import ROOT
from streamlit import config as streamlit_config
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from visitor import Visitor
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from wire import ANNA, Serving

from ganart import dataset, jobs, launch, receive, routes, server, train, uploads, workspace
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.door import Door, is_loopback
from ganart.errors import GanartError, RunError
from ganart.ui import login

OWN = "Host: localhost"
FOREIGN_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost.",
    "0.0.0.0",
    "[::2]",
    "localhost@evil.example",
    "",
]
FOREIGN_ORIGINS = [
    "http://evil.example",
    "https://localhost.evil.example:8501",
    "http://0.0.0.0:8501",  # Streamlit's own check lets it in
    "http://[::2]",
    "null",
    "file://",
    "localhost",
]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The app as the README starts it, on a workspace that was lived in: a run that is done, one that failed, a
    dataset whose pictures are gone, a model that is none. For all tests that leave it as it was."""
    serving = Serving(tmp_path_factory.mktemp("door"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(serving.home))
        furnish(tmp_path_factory.mktemp("pictures"))
    serving.start()
    yield serving
    serving.kill()


def furnish(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("whole", "torn"):
        for index in range(8):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{index}.png")
        store = dataset.prepare(folder, IntakeConfig(size=32), name=name)
        settings = TrainConfig(
            networks=NetworkConfig(size=32, channels=3, z_dim=8, width=4),
            dataset=store.name,
            dataset_hash=store.hash,
            batch=8,
            kimg=0.05,
            device="cpu",
            dtype="float32",
        )
        target = launch.create(settings, name)
        if name == "torn":
            (store.folder / "images-32.npy").unlink()
            with pytest.raises(GanartError) as failure:
                train.work(target)
            told = traceback.format_exception(failure.value)  # as the trainer's process leaves it
            target.log.write_text("step 0\n" + "".join(told))
        else:
            assert train.work(target) == "done"
    (workspace.folder("models") / "broken.safetensors").write_bytes(b"no model")


# --- where it listens


def test_the_command_of_the_readme_listens_to_this_computer_alone(app):
    command = re.search(r"<!-- start -->\n```bash\n.*&& \.venv/bin/(.+)\n", (ROOT / "README.md").read_text())
    assert command[1] == "streamlit run app.py"  # as `Serving` does
    app.visit("train")  # whatever a page may open
    assert app.listening() == {("127.0.0.1", app.port)}


@pytest.fixture
def others() -> list[str]:
    """The numbers that this computer has in networks."""
    found = {
        each.address
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family == socket.AF_INET and not is_loopback(each.address)
    }
    if not found:
        pytest.skip("this computer has no address but its own")
    return sorted(found)


def test_other_addresses_of_this_computer_do_not_answer(app, others):
    for address in others:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, app.port), timeout=20).close()


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("127.evil.example", False),
        ("127.1", False),
        ("localhost.evil.example", False),
        ("unix:///tmp/x", False),
    ],
)
def test_an_address_is_this_computer_s_own_or_not(address, local):
    assert is_loopback(address) is local


def ended(serving: Serving) -> str:
    """The sentence that the program ended with, which it must have done without answering anybody."""
    process = serving.run()
    try:
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # Streamlit binds before it reads app.py; nobody is let in by then
                assert serving.get("/_stcore/health").status == 0
            time.sleep(0.02)
        assert process.wait(1) == 2
    finally:
        serving.kill()
    *before, said = serving.log.read_text().splitlines()
    assert said.startswith("ganart: ") and said.endswith(".") and "Traceback" not in str(before), said
    return said


def test_an_open_address_is_refused_before_anybody_is_answered(tmp_path):
    said = ended(Serving(tmp_path, "--server.address=0.0.0.0", GANART_ALLOW_REMOTE="yes"))
    assert "0.0.0.0" in said and "docs/remote.md" in said and "GANART_ALLOW_REMOTE=1" in said


def test_an_address_that_was_opened_on_purpose_answers_others_by_its_number(tmp_path, others):
    serving = Serving(tmp_path, "--server.address=0.0.0.0", GANART_ALLOW_REMOTE="1")
    serving.start()
    try:
        for address in (*others, "127.0.0.1"):
            there = f"http://{address}:{serving.port}"
            visitor = Visitor(there)
            visitor.open("learn")
            visitor.close()
            with urllib.request.urlopen(f"{there}/paint/", timeout=20) as answer:
                assert answer.status == 200
            for host in ("evil.example", "192.0.2.77", f"{address}.evil.example"):
                with pytest.raises(urllib.error.HTTPError, match="403") as refused:
                    urllib.request.urlopen(urllib.request.Request(there, headers={"Host": host}), timeout=20)
                assert "--server.allowedHosts" in refused.value.read().decode()
            with pytest.raises(InvalidStatus, match="403"):
                connect(f"ws://{address}:{serving.port}/_stcore/stream", origin="http://evil.example")
    finally:
        serving.kill()


def meet(*headers: tuple[bytes, bytes], kind: str = "http", path: str = "/", local: str = "::1", **door) -> object:
    """What the door alone answers: a status, or "in", or that it closes a websocket."""
    sent = []

    async def inside(scope: dict, receive: object, send: object) -> None:
        sent.append({"status": "in"})

    async def collect(message: dict) -> None:
        sent.append(message)

    scope = {"type": kind, "method": "GET", "path": path, "headers": list(headers), "server": (local, 8501)}
    asyncio.run(Door(inside, **{"hosts": ["localhost", "*.studio.example"], **door})(scope, None, collect))
    return sent[0].get("status", sent[0].get("type"))


def test_who_is_taken_off_the_list_is_heard_no_more():
    """What comes over a websocket is answered outside of a page's script, too: its parts, what is clicked."""
    allowed, heard = {"listed": True}, []

    async def inside(scope: dict, receive: Callable, send: object) -> None:
        for _ in range(2):
            heard.append((await receive())["type"])
            allowed["listed"] = False

    async def receive() -> dict:
        return {"type": "websocket.receive", "text": "a click"}

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"localhost")], "server": ("::1", 8501)}
    door = Door(inside, ["localhost"], admits=lambda cookies: allowed["listed"])
    asyncio.run(door(scope, receive, None))
    assert heard == ["websocket.receive", "websocket.disconnect"]

    # Coming back, they get a session of their own, not the one that was begun before.
    told = []

    async def again(scope: dict, receive: Callable, send: object) -> None:
        told.append(dict(scope["headers"])[b"sec-websocket-protocol"])

    scope["headers"].append((b"sec-websocket-protocol", b"streamlit, a-token, an-old-session"))
    for listed in (False, True):
        allowed["listed"] = listed
        asyncio.run(Door(again, ["localhost"], admits=lambda cookies: allowed["listed"])(scope, receive, None))
    assert told == [b"streamlit, a-token", b"streamlit, a-token, an-old-session"]


def test_an_app_that_another_server_opened_wide_answers_this_computer_alone():
    """As `uvicorn app:app --host 0.0.0.0` would, which asks nobody."""
    host = (b"host", b"localhost")
    assert meet(host, local="192.168.1.7") == 403
    assert meet(host, local="192.168.1.7", kind="websocket") == "websocket.close"
    assert meet(host, local="192.168.1.7", remote=True) == meet(host) == "in"


@pytest.mark.parametrize(
    ("host", "local", "answer"),
    [
        (b"192.168.1.7", "192.168.1.7", "in"),
        (b"192.168.1.7:8501", "::ffff:192.168.1.7", "in"),
        (b"[fd00::2]:8501", "fd00::2", "in"),
        (b"192.168.1.8", "192.168.1.7", 403),
        (b"192.168.1.7.evil.example", "192.168.1.7", 403),
        (b"0.0.0.0", "0.0.0.1", 403),
        (b"", "192.168.1.7", 403),
    ],
)
def test_an_open_door_knows_this_computer_by_the_number_it_was_reached_by(host, local, answer):
    assert meet((b"host", host), local=local, remote=True) == answer
    assert meet((b"host", host), local=local) == 403


# --- who is let in


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_opens_no_websocket(app, host):
    assert app.handshake(f"Host: {host}").status == 403
    assert app.handshake(f"Host: {host}", f"Origin: http://{host}").status == 403
    assert app.get("/", f"Host: {host}").status == 403


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_page_of_another_site_opens_no_websocket(app, origin):
    assert app.handshake(OWN, f"Origin: {origin}").status == 403


def test_a_page_of_this_computer_s_name_in_the_network_opens_no_websocket(app):
    """Streamlit's own check lets it in, and asks a server in the internet for more such names."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this computer is in no network")
        assert app.handshake(OWN, f"Origin: http://{probe.getsockname()[0]}:{app.port}").status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8501", "[::1]", "[::1]:99"])
def test_the_names_of_this_computer_open_one(app, host):
    assert app.handshake(f"Host: {host}").status == 101
    assert app.handshake(f"Host: {host}", f"Origin: http://{host}").status == 101
    assert app.handshake(f"Host: {host}", "Origin: https://localhost:7").status == 101


def test_two_hosts_or_none_are_no_host(app):
    for headers in ([OWN, "Host: evil.example"], ["Host: evil.example", OWN], [OWN, OWN], []):
        assert app.handshake(*headers).status == 400
        lines = ["GET / HTTP/1.1", *headers, "Connection: close", "", ""]
        assert app.raw("\r\n".join(lines).encode()).status in (400, 403)
    assert app.handshake(OWN, "Origin: http://localhost", "Origin: http://evil.example").status == 400


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ([(b"host", b"localhost"), (b"host", b"evil.example")], "websocket.close"),
        ([(b"host", b"localhost"), (b"sec-fetch-site", b"cross-site")], "websocket.close"),
        ([(b"host", b"a.studio.example"), (b"origin", b"https://a.studio.example")], "in"),
        ([(b"host", b"a.studio.example"), (b"origin", b"https://b.studio.example")], "websocket.close"),
        ([(b"host", b"studio.example")], "websocket.close"),
        ([(b"host", b"a.studio.example.evil.example")], "websocket.close"),
    ],
)
def test_a_name_may_stand_for_all_below_it(headers, answer):
    assert meet(*headers, kind="websocket") == answer
    assert meet(*headers[:1], hosts=["*"]) == "in"


# --- where there is a login

SECRET = "0123456789abcdef" * 4
GOOD = f"""
[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "ganart"
client_secret = "x"
server_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"

[ganart]
allowed = ["Ada@example.org", "@studio.example"]
"""


@pytest.fixture
def secrets(tmp_path):
    """Writes the file that Streamlit keeps secrets in; without one there is none."""
    pytest.importorskip("authlib", reason="Authlib is not installed: pip install '.[auth]'")
    path = tmp_path / "secrets.toml"
    before = streamlit_config.get_option("secrets.files")

    def write(text: str | bytes) -> None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        st.secrets._reset()
        login.is_on.cache_clear()

    streamlit_config.set_option("secrets.files", [str(path)])
    st.secrets._reset()
    login.is_on.cache_clear()
    yield write
    streamlit_config.set_option("secrets.files", before)
    st.secrets._reset()
    login.is_on.cache_clear()


def test_without_secrets_there_is_no_login_and_nothing_wrong(secrets):
    assert not login.is_on() and login.problem() == ""


@pytest.mark.parametrize("text", ["", "other = 1", "[database]\npassword = 'x'"])
def test_secrets_of_something_else_are_no_login(secrets, text):
    secrets(text)
    assert not login.is_on() and login.problem() == ""


def test_a_login_that_is_whole_is_on(secrets):
    secrets(GOOD)
    assert login.is_on() and login.problem() == ""
    secrets(GOOD.replace("client_id", "[auth.studio]\nclient_id"))
    assert login.is_on() and login.problem() == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("[auth]", "[auth"), "no valid TOML"),
        (lambda text: b"\xff\xfe" + text.encode(), "UTF-8"),
        (lambda text: text.replace("[auth]", "[other]"), "no \\[auth\\]"),
        (lambda text: "auth = 1\n" + text.replace("[auth]", "[other]"), "no \\[auth\\]"),
        (lambda text: text.replace(SECRET, SECRET[:31]), "32 characters"),
        (lambda text: text.replace(f'"{SECRET}"', "7" * 40), "32 characters"),
        (lambda text: text.replace("cookie_secret", "cookie"), "32 characters"),
        (lambda text: text.replace("client_id", "client"), "client_id"),
        (lambda text: text.replace("redirect_uri", "redirect"), "redirect_uri"),
        (lambda text: text.replace("server_metadata_url", "server"), "server_metadata_url"),
        (lambda text: text.partition("[ganart]")[0], "who may come in"),
        (lambda text: text.replace("allowed", "welcome"), "who may come in"),
        (lambda text: re.sub("allowed.*", "allowed = []", text), "who may come in"),
        (lambda text: re.sub("allowed.*", 'allowed = "*"', text), "who may come in"),
        (lambda text: re.sub("allowed.*", 'allowed = ["everybody"]', text), "who may come in"),
        (lambda text: re.sub("allowed.*", "allowed = [1]", text), "who may come in"),
    ],
)
def test_a_login_that_is_not_whole_is_told_in_a_sentence(secrets, change, said):
    secrets(change(GOOD))
    problem = login.problem()
    assert re.search(said, problem) and problem.count("\n") == 0 and len(problem) < 330, problem
    assert str(Path.home()) not in problem and SECRET[:31] not in problem


def test_a_login_that_is_not_whole_keeps_the_program_from_starting(tmp_path):
    pytest.importorskip("authlib", reason="Authlib is not installed: pip install '.[auth]'")
    (tmp_path / "secrets.toml").write_text(GOOD.partition("[ganart]")[0])
    said = ended(Serving(tmp_path, f"--secrets.files={tmp_path / 'secrets.toml'}", GANART_ALLOW_REMOTE="1"))
    assert "who may come in" in said


def test_a_login_stays_on_while_its_file_is_being_written(secrets):
    secrets(GOOD)
    assert login.is_on() and login.admits(cookies())
    for text in ("", "[auth", GOOD.partition("[ganart]")[0]):
        Path(streamlit_config.get_option("secrets.files")[0]).write_text(text)
        st.secrets._reset()  # as Streamlit does when it sees the change
        assert login.is_on() and not login.admits(cookies())


def cookies(secret: str = SECRET, name: str = "_streamlit_user", **changes: object) -> dict[str, str]:
    """What the browser of somebody who logged in sends along."""
    user = {"email": "ada@example.org", "is_logged_in": True, "origin": "http://localhost:8501", **changes}
    return {"_streamlit_user": create_signed_value(secret, name, json.dumps(user)).decode()}


def test_who_logged_in_and_is_on_the_list_is_admitted(secrets):
    secrets(GOOD)
    assert login.admits(cookies()) and login.admits(cookies(email="ADA@Example.org", email_verified=True))
    assert login.admits(cookies(email="eve@studio.example"))


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"_streamlit_user": ""},
        {"_streamlit_user": "x" * 5000},
        {"_streamlit_user": "é"},
        {"_streamlit_user": "chunks-3"},
        cookies(secret="f" * 64),
        cookies(name="_streamlit_xsrf"),
        {"_streamlit_user": cookies()["_streamlit_user"][:-1]},
        {"_streamlit_user": create_signed_value(SECRET, "_streamlit_user", "chunks-99999").decode()},
        {"_streamlit_user": create_signed_value(SECRET, "_streamlit_user", "[]").decode()},
        {"_streamlit_user": create_signed_value(SECRET, "_streamlit_user", "[" * 9000).decode()},
        cookies(is_logged_in=False),
        cookies(is_logged_in="yes"),
        cookies(origin="http://another.example"),
        cookies(email="eve@example.org"),
        cookies(email="ada@example.org.evil.example"),
        cookies(email="eve@sub.studio.example"),
        cookies(email="@studio.example"),
        cookies(email="studio.example"),
        cookies(email=None),
        cookies(email=["ada@example.org"]),
        cookies(email_verified=False),
        cookies(email_verified="false"),
    ],
)
def test_nobody_else_is(secrets, found):
    secrets(GOOD)
    assert not login.admits(found)


def test_with_a_star_all_are_admitted_who_logged_in(secrets):
    secrets(re.sub("allowed.*", 'allowed = ["*"]', GOOD))
    assert login.admits(cookies(email=None)) and not login.admits({}) and not login.admits(cookies("f" * 64))


def test_a_login_that_is_old_counts_no_more(secrets, monkeypatch):
    secrets(GOOD)
    old = cookies()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 32 * 86400)
    assert not login.admits(old)


LOCKED = ["/paint/seeds", "/upload/x", "/media/x.png", "/_stcore/upload_file/a/b", "/_stcore/metrics"]


@pytest.mark.parametrize("path", [*LOCKED, *(f"/base{path}" for path in LOCKED), "//paint/seeds"])
def test_what_pages_show_is_locked_for_who_is_not_logged_in(path):
    asked = [(b"host", b"localhost"), (b"cookie", b"a=1")]
    assert meet(*asked, path=path, admits=lambda cookies: cookies == {}) == 401
    assert meet(*asked, path=path, admits=lambda cookies: cookies == {"a": "1"}) == "in"
    assert meet(*asked, path=path) == "in", "there is no login"


def test_the_login_s_own_routes_are_there_with_one_only(app):
    for path in ("/auth/login", "/auth/login?provider=x", "/auth/logout", "/oauth2callback?state=1&code=2"):
        assert app.get(path).status == 404
        assert meet((b"host", b"localhost"), path=path.partition("?")[0], admits=bool) == "in"


# --- who may name folders by their paths


def test_folders_are_named_by_who_sits_at_the_computer_alone(app):
    offered = b"A folder on this computer"
    assert offered in app.visit("train")
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"):
        assert offered not in app.visit("train", **{name: "192.0.2.1"}), name


@pytest.mark.parametrize(("address", "offered"), [("127.0.0.1", True), ("0.0.0.0", False), ("192.168.1.7", False)])
def test_folders_are_not_named_by_their_paths_where_others_may_come(address, offered):
    before = streamlit_config.get_option("server.address")
    streamlit_config.set_option("server.address", address)
    try:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
        at = at.switch_page("pages/train.py").run()
    finally:
        streamlit_config.set_option("server.address", before)
    ways = at.segmented_control(key="source").options
    assert "Drop pictures" in ways and ("A folder on this computer" in ways) is offered


# --- anything at all, on every route

OURS = [route.path for route in [*server.ROUTES, *routes.ROUTES, *receive.ROUTES]]
THEIRS = [
    *("/", "/train", "/explore", "/nowhere", "/favicon.png", "/static/index.js", "/app/static/x"),
    *("/_stcore/health", "/_stcore/script-health-check", "/_stcore/host-config", "/_stcore/metrics"),
    *("/_stcore/stream", "/_stcore/upload_file/{token}/{number}", "/_stcore/bidi-components/{token}/x.js"),
    *("/_stcore/agent/interact", "/_stcore/agent", "/component/{token}/index.html", "/media/{token}.png"),
    *("/auth/login", "/auth/logout", "/oauth2callback", "/docs", "/openapi.json", "/app.py"),
    *("/.streamlit/secrets.toml", "/workspace/seen.json"),
]
METHODS = [*["GET"] * 8, *["POST", "PUT"] * 3, "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW"]
PARTS = [
    *("..", ".", "%2e%2e", "%2E%2e%2f", "..%2f..%2fetc%2fpasswd", "%252e%252e", "..\\..", "%5c..%5c", "//", "~"),
    *("%00", "%0a%0d", "%ff%fe", "%c0%ae", "\x7f", "é", "画", "%u2215", ";a=1", "a" * 3000, "%", "%zz", "*"),
    *("etc/passwd", "proc/self/environ", "con", "C:", "{token}", "{number}", "0" * 32, "-1", "9" * 400, "nan"),
]
VALUES = [
    *("", "0", "1", "-1", "7", "48", "64", "2.5", "nan", "inf", "-inf", "1e308", "1e999", "9" * 20, "9" * 5000),
    *("4294967295", "4294967296", "0001-whole", "../0001-whole", "/etc/passwd", "%00", "%ff", "é", "x" * 9000),
    *("around", "directions", "three", "ganspace", "sefa", "z." + "A" * 44, "[]", "{}", "<script>", "${HOME}"),
]
NAMES = ["model", "plane", "at", "turn", "kind", "i", "j", "a", "b", "c", "x", "y", "span", "cells", "first"]
NAMES += ["count", "columns", "v", "file", "seeds", "step", "provider", "state"]


def asked(rng: random.Random, token: str) -> bytes:
    """A request that is right here and there, and wrong elsewhere, to the byte."""
    path = rng.choice(OURS if rng.random() < 0.6 else THEIRS)
    fill = {
        "token": rng.choice([token, token, "0" * 32, "x"]),
        "number": rng.choice(["0", "1", "-1", "x", "9" * 30]),
    }
    for name, value in fill.items():
        path = path.replace(f"{{{name}}}", value)
    if rng.random() < 0.25:
        parts = path.split("/")
        parts.insert(rng.randint(1, len(parts)), rng.choice(PARTS))
        path = "/".join(parts)
    model = rng.choice(["0001-whole"] * 9 + ["0002-torn", "broken", "nobody", "0001-whole@9"])
    query = {"model": model, "first": "3", "count": "2", "at": "3", "x": "0", "y": "0", "cells": "2"}
    pairs = [(name, value) for name, value in query.items() if rng.random() < 0.9]
    pairs += [(rng.choice(NAMES), rng.choice(VALUES)) for _ in range(rng.choice([0, 0, 1, 2, 5]))]  # some twice
    if rng.random() < 0.02:
        pairs += [(rng.choice(NAMES), "1")] * rng.choice([500, 5000])
    target = path + ("?" + "&".join(f"{name}={value}" for name, value in pairs) if rng.random() < 0.8 else "")
    target = target.replace(" ", "%20")
    method = rng.choice(METHODS)
    body = b""
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        told = [["a.jpg", rng.choice([0, 3, 2**53, -1]), 1], ["../b.png", 3, 1]]
        body = rng.choice([b"", json.dumps(told).encode(), rng.randbytes(50), b"[" * 5000, b"abc", b"\0" * 40_000])
    headers = [OWN]
    for name, values in {
        "Origin": ["http://localhost", "http://evil.example", "null", "\x01"],
        "Cookie": ["_streamlit_user=x", "_streamlit_user=" + "x" * 3000, "=;;=", "_streamlit_xsrf=2|a|b|c"],
        "Range": ["bytes=0-", "bytes=5-1", "bytes=-" + "9" * 50, "lines=1"],
        "Accept-Encoding": ["gzip", "*;q=0", "gzip;q=nan"],
        "X-Forwarded-For": ["1.2.3.4", "x" * 100],
        "X-Forwarded-Proto": ["https", "ftp"],
        "X-Xsrftoken": ["2|a|b|c", "\xff"],
        "Content-Type": ["multipart/form-data; boundary=x", "multipart/form-data", "application/json", "\xff"],
        "If-None-Match": ["*", '"x"'],
        "Upgrade": ["websocket", "h2c"],
    }.items():
        if rng.random() < 0.08:
            headers.append(f"{name}: {rng.choice(values)}")
    if body or method in ("POST", "PUT"):
        headers.append(f"Content-Length: {len(body)}")
    lines = [f"{method} {target} HTTP/1.1", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("utf-8" if rng.random() < 0.5 else "latin-1", "replace") + body


@pytest.mark.parametrize("count", [400, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_whatever_one_asks_of_any_route_it_is_answered_and_gives_nothing_away(
    app, count, monkeypatch, record_property
):
    monkeypatch.setenv("GANART_HOME", str(app.home))
    upload = uploads.begin()
    rng, statuses, worst = random.Random(0), Counter(), 0.0
    process = psutil.Process(app.process.pid)
    app.get("/paint/seeds?model=0001-whole&first=0")  # torch is read
    for _ in range(100):
        app.raw(asked(rng, upload.token))
    before, logged = process.memory_info().rss, len(app.log.read_text())
    for _ in range(count):
        request = asked(rng, upload.token)
        answer = app.raw(request)
        for _ in range(2):  # only what is slow every time is slow
            if answer.seconds > 2:
                answer = min(answer, app.raw(request), key=lambda each: each.seconds)
        worst = max(worst, answer.seconds)
        statuses[answer.status] += 1
        assert 100 <= answer.status < 500, (request[:300], answer)
        assert answer.seconds < 2, (request[:300], answer.seconds)
        assert not app.leaks(answer.head.encode() + answer.body), (request[:300], answer)
    grown = process.memory_info().rss - before
    record_property("grown", grown)
    print(f"{count:,} requests: {dict(sorted(statuses.items()))}, worst {worst:.2f} s, {grown / 1e6:.1f} MB more")
    assert grown < 40e6
    assert {200, 400, 403, 404, 405} <= set(statuses), "these are not worth asking"
    upload.remove()
    assert process.is_running() and "Traceback" not in app.log.read_text()[logged:]


# --- what the pages say

PAGES = ["", "train", "explore", "animate", "learn"]


@pytest.mark.parametrize(
    ("page", "query", "said"),
    [
        ("", "", "Gallery"),
        ("learn", "chapter=Why so", "Learn"),
        ("animate", "", "Animate"),
        ("animate", "model=broken", "broken"),
        *(("explore", f"model={name}", name) for name in ("0001-whole", "nobody", "broken")),
        *(("explore", f"model={name}", "but a path") for name in ("/etc/passwd", "%5C%5Cevil.example%5Cx")),
        *(("explore", f"model=0001-whole&at={at}", "Explore") for at in ("3", "z.AAAA", "../x", "%00")),
        *(("train", f"run={name}", "whole") for name in ("0001-whole", "whole")),
        ("train", "run=0042-never", "There is no run"),
        *(("train", f"run={name}", "but a path") for name in ("../../x", "/etc/passwd", "%5C%5Cevil.example%5Cx")),
        ("train", "run=0002-torn", "torn (0002)"),
        ("train", "dataset=whole", "What the network will see"),
        ("train", "dataset=torn", "are gone"),
        *(("train", f"dataset={name}", "Choose pictures") for name in ("never", "%00")),
        ("train", "dataset=../whole", "but a path"),
        ("train", "dataset=whole&from=/etc/passwd", "but a path"),
        ("train", "upload=" + "0" * 32, "Drop pictures"),
        ("nowhere", "", "Gallery"),
    ],
)
def test_no_page_says_where_it_lives_or_whose_it_is(app, page, query, said):
    shown = app.visit(page, query)
    assert said.encode() in shown and b"Something in the program went wrong" not in shown
    assert not app.leaks(shown)


def test_a_page_that_fails_says_so_without_its_insides(app):
    """What no page expects: a dataset that ganart did not write; a file where the folder of runs should be."""
    odd, runs, away = app.home / "datasets" / "odd", app.home / "runs", app.home / "runs.away"
    odd.mkdir()
    try:
        (odd / "manifest.json").write_text('{"version": 1, "settings": 3}')
        shown = app.visit("")
    finally:
        shutil.rmtree(odd)
    assert b"Something in the program went wrong" in shown and b"Gallery" in shown and not app.leaks(shown)
    assert "TypeError" in app.log.read_text(), "the details are nowhere"
    runs.rename(away)
    try:
        runs.write_text("no folder")
        shown = app.visit("")
    finally:
        runs.unlink()
        away.rename(runs)
    assert b"The workspace cannot be written" in shown and b"Gallery" in shown and not app.leaks(shown)


def test_work_that_fails_says_so_without_a_place(home, store):
    job = jobs.begin({"kind": "evaluation", "model": 3})
    with pytest.raises(RunError) as failure:
        jobs.wait(job)
    assert "log.txt" in str(failure.value) and str(home) not in str(failure.value)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("sheet.png", ("sample", "0001-whole", "--seeds", "0-3")),
        ("growth.webp", ("timelapse", "0001-whole")),
        ("mine.safetensors", ("export", "0001-whole")),
        ("run.ganart", ("pack", "0001-whole")),
    ],
)
def test_no_file_that_is_given_away_says_where_it_was_made(app, ganart, tmp_path, monkeypatch, name, command):
    monkeypatch.setenv("GANART_HOME", str(app.home))
    for key, value in ANNA.items():
        monkeypatch.setenv(key, value)
    answer = ganart(*command, "--out", tmp_path / name)
    assert answer.status == 0, answer.err
    data = (tmp_path / name).read_bytes()
    assert not app.leaks(data) and str(tmp_path).encode() not in data
    assert not re.search(rb"\b" + re.escape(socket.gethostname().encode()) + rb"\b", recipe_of(data))


def recipe_of(data: bytes) -> bytes:
    """The words in a file: what is printable for long."""
    return b"\n".join(re.findall(rb"[\x20-\x7e]{20,}", data))
