"""A run folder: the only thing that pages, command line and trainer share. Imports no torch.

config.json         all settings, written once by the launcher
control.json        what is asked of the trainer: run, pause or stop
initial.safetensors the model that it starts from, where it does, until there is a state
run.lock            held by the trainer for life; free while the status is unfinished means it crashed
status.json         where it stands, replaced about once a second by the trainer
metrics.jsonl       one line of figures at a time
vitals.jsonl        one line of the signs of health at a time
samples/            sheets of G at the same 36 latents, named by step
state.safetensors   everything needed to go on; the one before it as .prev
checkpoints/        STEP.safetensors, generators on the way; STEP.state.safetensors, states to go back to
model.safetensors   the generator so far; best.safetensors, the best one by held-out pictures
log.txt             what the trainer printed
"""

import contextlib
import dataclasses
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from ganart import config, jsonlines, workspace
from ganart.config import TrainConfig
from ganart.errors import InputError, RunError
from ganart.files import append_line, read_json, write_atomic, write_json

STATUS_VERSION = 1
STARTING_SECONDS = 60.0  # importing torch takes a while on a cold disk
STUCK_SECONDS = 60.0
UNFINISHED = {"starting", "running", "paused", "stopping"}
ACTIVE = UNFINISHED | {"stuck"}
FINISHED = {"done", "stopped", "failed"}
REQUESTS = ("run", "pause", "stop")
STEP_DIGITS = 8


@dataclass(frozen=True)
class Status:
    """Where a run stands. `state` is one of starting, running, paused, stopping, done, stopped, failed, or
    derived by the reader: crashed (nobody holds the lock), stuck (no heartbeat for a minute). `heartbeat` is when
    it was written, in seconds since 1970; `clock` is the same on the monotonic clock, which nobody sets."""

    state: str = "starting"
    step: int = 0
    kimg: float = 0.0
    total_kimg: float = 0.0
    images_per_second: float = 0.0
    eta_seconds: float | None = None
    heartbeat: float = 0.0
    device: str = ""
    dtype: str = ""
    note: str = ""
    error: str = ""
    version: int = STATUS_VERSION
    clock: float = field(default=0.0, compare=False)

    @property
    def age(self) -> float:
        """Seconds since it was written, by whichever clock says less: the wall clock may have been set since, the
        other one begins anew with the computer, and is another one on another computer."""
        by_wall, by_clock = abs(time.time() - self.heartbeat), time.monotonic() - self.clock
        return min(by_wall, by_clock) if self.clock and by_clock >= 0 else by_wall

    @property
    def active(self) -> bool:
        """Whether a trainer is at work, or should be."""
        return self.state in ACTIVE

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0 … 1."""
        return min(1.0, self.kimg / self.total_kimg) if self.total_kimg else 0.0


@dataclass(frozen=True)
class Run:
    """A run by its folder. Nothing is kept in memory: every call reads the files."""

    folder: Path

    @property
    def id(self) -> str:
        """Number and name, such as "0003-van-gogh"."""
        return self.folder.name

    @property
    def name(self) -> str:
        """The name alone, such as "van-gogh"."""
        return self.id.partition("-")[2]

    @property
    def model(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def initial(self) -> Path:
        return self.folder / "initial.safetensors"

    @property
    def state(self) -> Path:
        return self.folder / "state.safetensors"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def config(self) -> TrainConfig:
        """The settings; raises RunError where the file is missing or damaged."""
        values = read_json(self.folder / "config.json")
        if values is None:
            raise RunError(
                f"The run {self.id} has no readable config.json, so it cannot be used. Start a new run."
            )
        return config.train_from_dict(values)

    def lock(self) -> filelock.FileLock:
        """The lock that the trainer holds for life."""
        return filelock.FileLock(self.folder / "run.lock")

    def status(self) -> Status:
        """Where the run stands, with `crashed` and `stuck` derived from the lock and the heartbeat."""
        status = self.written_status()
        if status.state not in UNFINISHED:
            return status
        if _held(self.lock()):
            if (age := status.age) > STUCK_SECONDS:
                return dataclasses.replace(status, state="stuck", heartbeat=time.time() - age)
            return status
        status = self.written_status()  # the trainer may have finished between the two looks
        if status.state not in UNFINISHED or (status.state == "starting" and status.age < STARTING_SECONDS):
            return status
        return dataclasses.replace(status, state="crashed")

    def written_status(self) -> Status:
        """What the trainer wrote last; a fresh status where there is none."""
        values = read_json(self.folder / "status.json") or {}
        known = {f.name for f in dataclasses.fields(Status)}
        status = Status(**{key: value for key, value in values.items() if key in known})
        return status if status.state in UNFINISHED | FINISHED else dataclasses.replace(status, state="failed")

    def write_status(self, status: Status) -> None:
        """For the trainer, and for the launcher before there is one."""
        status = dataclasses.replace(status, heartbeat=time.time(), clock=time.monotonic())
        write_json(self.folder / "status.json", dataclasses.asdict(status))

    def request(self, what: str) -> None:
        """Ask the trainer to "run", "pause" or "stop"; it looks at every step."""
        if what not in REQUESTS:
            raise ValueError(f"unknown request {what!r}")
        write_json(self.folder / "control.json", {"version": 1, "request": what})

    def requested(self) -> str | None:
        """What is asked of the trainer now: one of REQUESTS; None where the file cannot be read just now."""
        request = (read_json(self.folder / "control.json") or {}).get("request")
        return request if request in REQUESTS else None

    def metrics(self) -> list[dict]:
        """Lines of figures, oldest first: of very many the last, and of those before a part (`jsonlines.read`)."""
        return jsonlines.read(self.folder / "metrics.jsonl")

    def append_metrics(self, values: dict) -> None:
        """For the trainer: add one line of figures."""
        append_line(self.folder / "metrics.jsonl", values)

    def vitals(self) -> list[dict]:
        """Lines of the signs of health, likewise; what they hold: `ganart.vitals`."""
        return jsonlines.read(self.folder / "vitals.jsonl")

    def append_vitals(self, values: dict) -> None:
        """For the trainer: add one line of signs of health."""
        append_line(self.folder / "vitals.jsonl", values)

    def write_history(self, source: "Run", step: int) -> None:
        """Take over the figures of another run, or of this one, up to a step."""
        for name in ("metrics.jsonl", "vitals.jsonl"):
            lines = jsonlines.read_all(source.folder / name)
            text = "".join(json.dumps(line) + "\n" for line in lines if line["step"] <= step)
            write_atomic(self.folder / name, text.encode(), durable=False)

    def rewind_to(self, step: int) -> None:
        """For the trainer, on resuming: forget all figures and pictures beyond the state it goes on from."""
        self.write_history(self, step)
        beyond = [path for path in self.samples() if int(path.stem) > step]
        for kept in (self.checkpoints(), self.states()):
            beyond += [path for at, path in kept.items() if at > step]
        for path in beyond:
            with contextlib.suppress(OSError):  # on Windows a page may be reading it
                path.unlink()

    def checkpoints(self) -> dict[int, Path]:
        """The generators kept on the way, by step, oldest first."""
        return self._kept(".safetensors")

    def states(self) -> dict[int, Path]:
        """The whole states that were kept, by step, oldest first: what a branch can start from."""
        return self._kept(".state.safetensors")

    def _kept(self, suffix: str) -> dict[int, Path]:
        files = (self.folder / "checkpoints").glob(f"*{suffix}")
        return {int(p.name[: -len(suffix)]): p for p in sorted(files) if p.name[: -len(suffix)].isdigit()}

    def checkpoint_path(self, step: int, *, state: bool = False) -> Path:
        """Where the generator, or the whole state, of a step belongs."""
        return self.folder / "checkpoints" / f"{step:0{STEP_DIGITS}d}{'.state' if state else ''}.safetensors"

    def samples(self) -> list[Path]:
        """The sheets, oldest first; the stem of each is its step."""
        return sorted(p for p in (self.folder / "samples").glob("*.png") if p.stem.isdigit())

    def sample_path(self, step: int) -> Path:
        """Where the sheet of a step belongs."""
        return self.folder / "samples" / f"{step:0{STEP_DIGITS}d}.png"

    def log_tail(self, lines: int = 20) -> str:
        """The end of what the trainer printed."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        return ""


def _held(lock: filelock.FileLock) -> bool:
    if not Path(lock.lock_file).parent.is_dir():
        return False  # the folder was deleted: nobody trains there
    try:
        with lock.acquire(timeout=0.03, poll_interval=0.01):  # another page's look is over by then
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


# --- finding runs


def list_runs() -> list[Run]:
    """All runs, newest first."""
    folders = [p for p in workspace.folder("runs").iterdir() if re.fullmatch(r"\d{4,}-[a-z0-9-]{1,40}", p.name)]
    return [Run(p) for p in sorted(folders, key=lambda p: int(p.name.split("-")[0]), reverse=True)]


def find_run(text: str) -> Run:
    """The run that is meant by its id, its name where only one has it, or its path.

    Raises InputError where there is none, or several.
    """
    if workspace.looks_like_path(text):
        folder = workspace.given_path(text).resolve()
        if (folder / "config.json").is_file():
            return Run(folder)
        raise InputError(f"“{text}” is not a run folder: it holds no config.json.")
    found = [run for run in list_runs() if text in (run.id, run.name)]
    if not found:
        raise InputError(f"There is no run “{text}” in this workspace. Look for it in the list of runs.")
    if len(found) > 1:
        names = ", ".join(run.id for run in reversed(found))
        raise InputError(f"“{text}” is the name of several runs: {names}. Give the whole name.")
    return found[0]
