"""A visitor of the app without a browser: speaks Streamlit's protocol on its websocket, so that ten of them cost
little beside the server that is measured."""

import contextlib
import time
import urllib.request
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

PATIENCE = 120.0  # seconds for one run of a page


class Visitor:
    """One tab. `timers` are the parts of the page that ask again by themselves: {fragment: seconds}."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stack = contextlib.ExitStack()
        address = f"ws{url.removeprefix('http')}/_stcore/stream"
        self.socket = self.stack.enter_context(
            connect(address, subprotocols=["streamlit"], origin=url, max_size=None)
        )
        self.page, self.query = "", ""
        self.timers: dict[str, float] = {}
        self.texts: list[str] = []

    def open(self, page: str, **query: str) -> float:
        """Go to a page -> how long its run took, in seconds."""
        self.page, self.query, self.timers = page, urlencode(query), {}
        return self._run("")

    def poll(self, fragment: str) -> float:
        """What the browser does when a timer is up -> how long it took, in seconds."""
        return self._run(fragment)

    def get(self, path: str) -> float:
        """Fetch a picture as the page's components do -> how long it took, in seconds."""
        began = time.perf_counter()
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            assert answer.status == 200 and answer.read()
        return time.perf_counter() - began

    def close(self) -> None:
        self.stack.close()

    def _run(self, fragment: str) -> float:
        message = BackMsg()
        state = message.rerun_script
        state.page_name, state.query_string = self.page, self.query
        state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
        began = time.perf_counter()
        self.socket.send(message.SerializeToString())
        self.texts = []
        while True:
            data = self.socket.recv(timeout=PATIENCE)
            told = ForwardMsg.FromString(data)
            kind = told.WhichOneof("type")
            if kind == "auto_rerun":
                self.timers[told.auto_rerun.fragment_id] = told.auto_rerun.interval
            elif kind == "stop_auto_rerun":
                for stopped in told.stop_auto_rerun.fragment_ids:
                    self.timers.pop(stopped, None)
            elif kind == "delta":
                self.texts.append(str(told.delta))
            elif kind == "script_finished":
                finished = told.script_finished
                if finished in (
                    ForwardMsg.FINISHED_SUCCESSFULLY,
                    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
                ):
                    return time.perf_counter() - began
                assert finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN, self.texts
