"""The process of a job: `python -m ganart.work FOLDER` does what its request.json asks for."""

import importlib
import os
import sys
import traceback
from pathlib import Path

import filelock

from ganart import workspace
from ganart.errors import GanartError
from ganart.files import write_json
from ganart.jobs import Job, JobStatus

KINDS = {
    "evaluate": "ganart.evaluate",
    "preview": "ganart.film",
    "film": "ganart.film",
}  # kind -> module with `work(request, folder, progress) -> dict`


class CancelledError(GanartError):
    """Nobody wants the result any more."""


def do(job: Job) -> None:
    """Wait for its turn, do it, write the result."""

    def progress(done: int, total: int) -> None:
        if job.cancelled():
            raise CancelledError("The work was cancelled.")
        job.write(JobStatus("running", done, total))

    turn = filelock.FileLock(workspace.folder("locks") / "job.lock")
    while True:
        try:
            turn.acquire(timeout=0.5)
            break
        except filelock.Timeout:
            if job.cancelled():
                raise CancelledError("The work was cancelled.") from None
    with turn:
        progress(0, 0)
        request = job.request()
        module = importlib.import_module(KINDS[request["kind"]])
        write_json(job.folder / "result.json", module.work(request, job.folder, progress))


def main() -> int:
    """Runs the job, and leaves in its status what became of it."""
    job = Job(Path(sys.argv[1]))
    if hasattr(os, "nice"):
        os.nice(10)
    own = filelock.FileLock(job.folder / "job.lock")
    try:
        own.acquire(timeout=5)  # a page may be looking at the lock just now
    except filelock.Timeout:
        return 0  # another process does it already
    with own:
        if job.cancelled() or job.result() is not None:
            return 0
        try:
            do(job)
        except GanartError as error:
            job.write(JobStatus("failed", error=str(error)))
        except Exception:
            traceback.print_exc()
            where = f"jobs/{job.folder.name}/log.txt"
            job.write(JobStatus("failed", error=f"It failed. The details are in the workspace, in {where}."))
        else:
            job.write(JobStatus("done"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
