"""Heavy work beside the pages: one job at a time, each a process of its own whose folder tells how it goes.

request.json    what is wanted, written once; the folder's name is a hash of it, so asking twice is one job
job.lock        held by the process for life
status.json     state, done, total, error; replaced by the process
result.json     what came of it, and files beside it; the folder is then an answer that is kept
Imports no torch.
"""

import contextlib
import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock

from ganart import detached, workspace
from ganart.errors import RunError
from ganart.files import read_json, write_json

LETTING_GO_SECONDS = 5.0  # that a job which was called off is waited for
STARTING_SECONDS = 30.0  # importing torch takes a while on a cold disk
MOST = 300  # answers that are kept
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class JobStatus:
    """Where a job stands: waiting (for another one), running, done, failed or, where its process is gone,
    interrupted. done of total: parts of the work."""

    state: str = "waiting"
    done: int = 0
    total: int = 0
    error: str = ""

    @property
    def active(self) -> bool:
        return self.state in ("waiting", "running")


@dataclass(frozen=True)
class Job:
    """A job by its folder."""

    folder: Path

    def request(self) -> dict:
        """What is wanted: {kind, …}; empty where the folder is gone."""
        return read_json(self.folder / "request.json") or {}

    def status(self) -> JobStatus | None:
        """Where it stands; None where it was never asked for."""
        values = read_json(self.folder / "status.json")
        if values is None:
            return None
        status = JobStatus(**values)
        if status.active and not self._alive():
            # Once more: it may have ended between the two looks.
            status = JobStatus(**(read_json(self.folder / "status.json") or values))
            if status.active:
                return dataclasses.replace(status, state="interrupted", error="It was interrupted.")
        return status

    def is_active(self) -> bool:
        """Whether it waits or is at work."""
        status = self.status()
        return status is not None and status.active

    def _alive(self) -> bool:
        with contextlib.suppress(OSError):
            age = time.time() - (self.folder / "request.json").stat().st_mtime
            if abs(age) < STARTING_SECONDS:  # of the future: the wall clock was put back
                return True
        lock = filelock.FileLock(self.folder / "job.lock")
        try:
            with lock.acquire(timeout=0):
                return False
        except (filelock.Timeout, OSError):
            return self.folder.is_dir()

    def result(self) -> dict | None:
        """What came of it; None until it is done."""
        return read_json(self.folder / "result.json")

    def write(self, status: JobStatus) -> None:
        """For the process of the job."""
        write_json(self.folder / "status.json", dataclasses.asdict(status))

    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""
        return not (self.folder / "request.json").exists()


def find(request: dict) -> Job:
    """The job of this request, asked for or not. Where its model and its pictures lie does not tell it from
    others, since they may be renamed: what they are is told by their hashes."""
    what = {name: value for name, value in request.items() if name not in ("model", "dataset")}
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    return Job(workspace.folder("jobs") / key)


def begin(request: dict) -> Job:
    """Have it done, unless it is done or under way already. request: {kind, …}, a kind of `work.KINDS`.

    Raises RunError where the same was called off a moment ago and is still at work.
    """
    job, deadline = find(request), time.monotonic() + LETTING_GO_SECONDS
    while not _begun(job, request):
        if time.monotonic() > deadline:
            raise RunError("What was called off is still coming to its end. Try again in a moment.")
        time.sleep(0.1)
    return job


def _begun(job: Job, request: dict) -> bool:
    """Whether it is done, under way or was begun now; not while it was let go and has not looked since. Others
    begin theirs meanwhile."""
    with filelock.FileLock(workspace.folder("locks") / "jobs.lock"):
        status = job.status()
        if status is not None and status.active and job.cancelled():
            return False
        if status is None or not (status.active or status.state == "done"):
            shutil.rmtree(job.folder, ignore_errors=True)
            job.folder.mkdir(exist_ok=True)
            write_json(job.folder / "request.json", request)
            job.write(JobStatus())
            detached.start("ganart.work", job.folder, log=job.folder / "log.txt", OMP_NUM_THREADS="1")
    return True


def under_way(kind: str) -> list[Job]:
    """The jobs of this kind that wait or are at work, and are still wanted; in the order they were asked for."""
    found = []
    for folder in workspace.folder("jobs").iterdir():
        job = Job(folder)
        if job.request().get("kind") == kind and job.is_active():
            with contextlib.suppress(OSError):  # let go just now
                found.append(((folder / "request.json").stat().st_mtime, job))
    return [job for _, job in sorted(found, key=lambda pair: pair[0])]


def cancel(job: Job) -> None:
    """Let it go; its process ends at its next look."""
    (job.folder / "request.json").unlink(missing_ok=True)


def forget_oldest(most: int = MOST) -> None:
    """Delete what jobs have left that ended longest ago, where there are more than `most`. It can be asked for
    again."""
    with filelock.FileLock(workspace.folder("locks") / "jobs.lock"):
        ended = {}
        for folder in workspace.folder("jobs").iterdir():
            if (status := Job(folder).status()) is not None and not status.active:
                ended[folder] = (folder / "status.json").stat().st_mtime
        for folder in sorted(ended, key=ended.__getitem__)[: max(0, len(ended) - most)]:
            shutil.rmtree(folder, ignore_errors=True)


def wait(job: Job, progress: Progress | None = None) -> dict:
    """The result, when it is there. Raises RunError with the reason of a job that failed."""
    while (status := job.status()) is not None and status.active:
        if progress and status.total:
            progress(status.done, status.total)
        time.sleep(0.2)
    if status is None or (result := job.result()) is None:
        raise RunError(status.error if status and status.error else "The work was cancelled.")
    return result
