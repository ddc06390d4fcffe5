"""The app as a user starts it, for tests that visit it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Self

import psutil

ROOT = Path(__file__).parents[1]


class Server:
    """`streamlit run app.py` on a port and a workspace of its own; can be killed and started again.

    options, environment: what the command gets besides. log: where its words go, else into the workspace.
    """

    def __init__(self, home: Path, *options: str, log: Path | None = None, **environment: str) -> None:
        self.home, self.options, self.environment = home, options, environment
        self.base = "".join(f"/{option.partition('=')[2]}" for option in options if "baseUrlPath" in option)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log or home / "server.log"
        self.process: subprocess.Popen | None = None

    def run(self) -> subprocess.Popen:
        """Start it, whether it will serve or not."""
        options = [f"--server.port={self.port}", "--server.headless=true", *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", *options],
                cwd=ROOT,
                env={**os.environ, "GANART_HOME": str(self.home), **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def start(self) -> Self:
        """Start it, and wait until it serves."""
        self.run()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}{self.base}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        return self
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):  # it, and its decoders; trainers stand on their own
                if hasattr(os, "killpg"):
                    os.killpg(self.process.pid, signal.SIGKILL)
                else:
                    self.process.kill()
            self.process.wait()
            self.process = None

    def end(self) -> None:
        """Kill it, and all that it set to work and what works on its workspace."""
        self.kill()
        for process in psutil.process_iter(["cmdline"]):
            if any(argument.startswith(str(self.home)) for argument in process.info["cmdline"] or []):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
