"""`streamlit run app.py` for tests that ask it by its socket: what comes over the wire, to the byte."""

import contextlib
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from serving import ROOT, Server
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from websockets.sync.client import connect

ANNA = {"HOME": "/home/private-anna", "LOGNAME": "anna-the-painter", "USER": "anna-the-painter"}


@dataclass(frozen=True)
class Answer:
    """status: 0 where the connection was closed without a word."""

    status: int
    head: str
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Serving(Server):
    """The app for somebody whose name and folders are easy to find again."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        home = folder / "studio-of-anna"
        home.mkdir(exist_ok=True)
        super().__init__(home, *options, log=folder / "server.log", **ANNA, **environment)
        self.secrets = [*ANNA.values(), home.name, str(ROOT), str(folder)]

    def listening(self) -> set[tuple[str, int]]:
        """Where the server and all that it started listen, and where they take datagrams."""
        me = psutil.Process(self.process.pid)
        open_ones = [each for process in (me, *me.children(recursive=True)) for each in process.net_connections()]
        return {
            tuple(each.laddr) for each in open_ones if each.status == "LISTEN" or each.type == socket.SOCK_DGRAM
        }

    def raw(self, request: bytes, wait: float = 30.0) -> Answer:
        """The answer to these bytes, read to its end; the request must ask for the connection to be closed."""
        began, came = time.monotonic(), b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(request)
            with contextlib.suppress(ConnectionError, TimeoutError):
                while chunk := connection.recv(2**16):
                    came += chunk
                    if came.startswith(b"HTTP/1.1 101"):
                        break
        head, _, body = came.partition(b"\r\n\r\n")
        parts = head.split(b" ", 2)
        status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
        return Answer(status, head.decode("latin-1"), body, time.monotonic() - began)

    def get(self, path: str, *headers: str, method: str = "GET") -> Answer:
        named = [] if any(header.lower().startswith("host:") for header in headers) else ["Host: localhost"]
        lines = [f"{method} {path} HTTP/1.1", *named, *headers, "Connection: close"]
        return self.raw("\r\n".join([*lines, "", ""]).encode("utf-8"))

    def handshake(self, *headers: str, path: str = "/_stcore/stream") -> Answer:
        """The answer to a websocket that wants to open with these headers."""
        return self.raw(
            "\r\n".join(
                [
                    f"GET {path} HTTP/1.1",
                    *headers,
                    "Connection: Upgrade",
                    "Upgrade: websocket",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "",
                    "",
                ]
            ).encode("latin-1")
        )

    def visit(self, page: str, query: str = "", *, cookie: str = "", **headers: str) -> bytes:
        """All that a browser is sent for a page of that name, until its script has ended.

        headers: of the websocket, with “_” for “-”. cookie: beside the token that the pages themselves send.
        """
        token = generate_xsrf_token_string()
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        told["Cookie"] = f"_streamlit_xsrf={token}" + (f"; {cookie}" if cookie else "")
        came = b""
        with connect(
            f"ws://127.0.0.1:{self.port}{self.base}/_stcore/stream",
            origin=self.url,
            subprotocols=["streamlit", token],
            additional_headers=told,
            max_size=None,
            open_timeout=60,
        ) as websocket:
            asked = BackMsg()
            asked.rerun_script.page_name, asked.rerun_script.query_string = page, query
            websocket.send(asked.SerializeToString())
            while True:
                data = websocket.recv(timeout=120)
                came += data
                message = ForwardMsg.FromString(data)
                if message.WhichOneof("type") == "script_finished":
                    return came

    def leaks(self, data: bytes) -> list[str]:
        """Which folders, names and tracebacks are in it."""
        found = [secret for secret in self.secrets if secret.encode() in data]
        return [*found, *(word for word in ("Traceback (most", 'File "', '.py", line') if word.encode() in data)]
