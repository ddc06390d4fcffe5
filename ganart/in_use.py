"""Who uses what: what is at work is neither moved nor deleted. Imports no torch."""

import contextlib

import filelock

from ganart import dataset, workspace
from ganart.errors import InputError, RunError
from ganart.run import Run, list_runs


def launch_lock() -> filelock.FileLock:
    """The lock under which runs start: while it is held, none begins to use what is being moved."""
    return filelock.FileLock(workspace.folder("locks") / "launch.lock")


def check_idle(run: Run) -> None:
    """Raises RunError where a trainer is at work in this run, or should be."""
    if state := _at_work(run):
        raise RunError(f"The run {run.id} is at work ({state}). Stop it first, then try again.")


def _at_work(run: Run) -> str:
    """The state of a run that a trainer is at work in; empty where none is."""
    if (status := run.status()).active:
        return status.state
    try:  # a trainer holds the lock a moment before and after its status says so
        with run.lock().acquire(timeout=0.2):
            return ""
    except filelock.Timeout:
        return "starting"
    except OSError:
        return ""


def users(name: str) -> list[Run]:
    """The runs that learned from this dataset, newest first: those that would go on with it (`dataset.find`)."""
    hashes = {store.name: store.hash for store in dataset.list_datasets()}
    found = []
    for run in list_runs():
        with contextlib.suppress(RunError, InputError):  # a run without readable settings uses nothing
            settings = run.config()
            own = settings.dataset == name and hashes.get(name, settings.dataset_hash) == settings.dataset_hash
            moved = hashes.get(settings.dataset) != settings.dataset_hash == hashes.get(name)
            if own or moved:
                found.append(run)
    return found


def check_unused(name: str) -> None:
    """Raises RunError where a run at work learns from this dataset."""
    for run in users(name):
        if state := _at_work(run):
            raise RunError(
                f"The run {run.id} is at work ({state}) and learns from the dataset “{name}”. Stop it first, then "
                "try again."
            )
