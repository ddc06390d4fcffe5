"""The processes that decode what nobody vouches for: held to limits, and started again when a file ends them."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import psutil

from ganart import workspace
from ganart.config import IntakeConfig
from ganart.decode import too_hungry
from ganart.errors import DatasetError
from ganart.limits import Limits, limits

Progress = Callable[[int, int], None]
AWAKE = 5.0  # seconds between two looks at a process; where they are more, the computer slept


def _python() -> tuple[str, dict[str, str]]:
    """The interpreter, and what it has to find in its environment. On Windows that of a virtual environment only
    starts another process, whose memory nobody would watch; `multiprocessing` goes round it as well."""
    base = getattr(sys, "_base_executable", sys.executable)
    if os.name == "nt" and base != sys.executable:
        return base, {"__PYVENV_LAUNCHER__": sys.executable}
    return sys.executable, {}


class Decoder:
    """A `ganart.decode` process that is started again when a picture brings it down."""

    def __init__(self, most: Limits | None = None) -> None:
        self.most = most or limits()
        self.process: subprocess.Popen[str] | None = None
        self.begun: tuple[float, float] | None = None  # when the picture in work was, and `slept` then
        self.slept = 0.0  # seconds that the computer slept, which count for no picture
        self.ended_for = ""  # why the watch ended the process
        self.status: int | None = None  # with which the last process ended

    def ask(self, job: dict) -> dict:
        """The decoder's answer to a job; a crash, a hang or a hunger for memory is an answer with its reason."""
        process = self.process or self._start()
        assert process.stdin and process.stdout  # both are pipes
        self.begun = time.monotonic(), self.slept
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        self.begun = None
        answer = _answer(line, job)
        if answer is None:
            self.close()
            answer = {"row": job["row"], "ok": False, "reason": self._why()}
        return answer

    def _start(self) -> subprocess.Popen[str]:
        self.ended_for = ""
        program, told = _python()
        self.process = subprocess.Popen(
            [program, "-P", "-m", "ganart.decode"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff writes its complaints there; ours come as answers
            text=True,
            encoding="utf-8",
            env={**os.environ, **told, "PYTHONPATH": str(workspace.CHECKOUT), "OMP_NUM_THREADS": "1"},
        )
        threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()
        return self.process

    def _why(self) -> str:
        if self.ended_for:
            return self.ended_for
        if hasattr(signal, "SIGXCPU") and self.status == -signal.SIGXCPU:
            return self._too_slow()
        return "made the decoder stop"

    def _too_slow(self) -> str:
        return f"took longer than {self.most.seconds:g} s to read and decode"

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """End the process when a picture has had its time or its memory; `ask` then sees its pipe closed.

        The process limits itself as well, where the system knows how; this holds everywhere.
        """
        try:
            watched, looked = psutil.Process(process.pid), time.monotonic()
            while process.poll() is None:
                now, begun = time.monotonic(), self.begun
                if now - looked > AWAKE:
                    self.slept += now - looked
                looked = now
                if begun is not None and now - begun[0] - (self.slept - begun[1]) > self.most.seconds:
                    self.ended_for = self._too_slow()
                elif watched.memory_info().rss > self.most.memory:
                    self.ended_for = too_hungry()
                if self.ended_for:
                    process.kill()
                    return
                time.sleep(0.1)
        except psutil.Error:  # it has ended just now
            return

    def close(self) -> None:
        """End the process; the next job starts another."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.status, self.process = self.process.returncode, None


def _answer(line: str, job: dict) -> dict | None:
    """The answer in a line; None where it is none, as from a process that was ended while it wrote."""
    try:
        answer = json.loads(line) if line.endswith("\n") else None
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("row") == job["row"] else None


def decode_all(
    jobs: list[dict | None], report: list[dict], rows: Path, settings: IntakeConfig, progress: Progress | None
) -> dict[int, str]:
    """Decode every job into its places of the file `rows`, `settings.crops` for each job; returns the content
    hash of each job that has pixels. Raises DatasetError where so many pictures would not fit the limits."""
    most = limits()
    length = len(jobs) * settings.crops * settings.size**2 * 3
    if length > most.total_bytes:
        raise DatasetError(
            f"{len(jobs):,} files at {settings.size} px could take {length / 1e9:,.1f} GB, more than the "
            f"{most.total_bytes / 1e9:,g} GB of GANART_MAX_GB. Take a smaller size, or fewer pictures or crops."
        )
    with rows.open("wb") as file:
        file.truncate(length)
    shared = {
        "out": str(rows),
        "size": settings.size,
        "crop": settings.crop,
        "background": settings.background,
        "crops": settings.crops,
    }
    decoders = [Decoder(most) for _ in range(os.cpu_count() or 1)]
    idle: queue.SimpleQueue[Decoder] = queue.SimpleQueue()
    for decoder in decoders:
        idle.put(decoder)

    def decode(row: int, job: dict) -> dict:
        decoder = idle.get()
        try:
            return decoder.ask({"row": row, **job, **shared})
        finally:
            idle.put(decoder)

    hashes: dict[int, str] = {}
    pool = ThreadPoolExecutor(len(decoders))
    try:
        waiting = [pool.submit(decode, row, job) for row, job in enumerate(jobs) if job is not None]
        for done, future in enumerate(as_completed(waiting), 1):
            answer = future.result()
            row = answer.pop("row")
            if "unwritten" in answer:
                raise OSError(0, answer["unwritten"])
            if answer["ok"]:
                hashes[row] = answer.pop("hash")
            report[row].update(answer)
            if progress:
                progress(done, len(waiting))
    finally:  # also when the page that asked is gone, which arrives here as an exception from `progress`
        pool.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.close()
    return hashes
