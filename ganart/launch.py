"""Starting and stopping trainers: processes of their own, one to a device. Imports no torch."""

import contextlib
import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from ganart import card, config, detached, in_use, kept, workspace
from ganart.config import TrainConfig
from ganart.errors import BusyError, InputError, ModelError, RunError
from ganart.files import write_atomic, write_json
from ganart.run import Run, Status, list_runs


def device_lock(device: str) -> filelock.FileLock:
    """The lock that a trainer holds on its device: one training at a time on each."""
    return filelock.FileLock(workspace.folder("locks") / f"{device}.lock")


def active_run(device: str, but: Run | None = None) -> Run | None:
    """The run, `but` this one, that trains, pauses or starts on this device now."""
    for run in list_runs():
        if run == but:
            continue
        with contextlib.suppress(RunError, InputError):
            if run.status().active and run.config().device == device:
                return run
    return None


def create(settings: TrainConfig, name: str, initial: Path | None = None) -> Run:
    """A new run folder with its config, for a trainer in this very process.

    `settings.device` is a real device here, not "auto": whoever creates a run has looked. initial: the file of
    the model that `settings.initial` names.
    Raises InputError for a name that is not usable, BusyError where the device trains already.
    """
    workspace.check_name(name)
    with in_use.launch_lock():
        refuse_if_busy(settings.device)
        return _create(settings, name, initial)


def _create(settings: TrainConfig, name: str, initial: Path | None = None) -> Run:
    run = Run(new_folder(name))
    with _whole(run):
        (run.folder / "samples").mkdir(parents=True)
        if initial is not None:
            write_atomic(run.initial, initial.read_bytes())
        write_json(run.folder / "config.json", config.to_dict(settings), durable=True)
        run.write_status(Status(total_kimg=settings.kimg, state="starting"))
    return run


@contextlib.contextmanager
def _whole(run: Run) -> Iterator[None]:
    """Nothing of a new run stays where it could not be written whole."""
    try:
        yield
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise


def new_folder(name: str) -> Path:
    """Where the next run of this name belongs; for whoever holds the launch lock. No number is given twice, also
    where a run was deleted: exports, models and branches that came of it name it."""
    runs = workspace.folder("runs")
    last = workspace.folder("locks") / "last-run-number"
    numbers = [int(run.id.split("-")[0]) for run in list_runs()]
    with contextlib.suppress(OSError, ValueError):
        numbers.append(int(last.read_bytes()[:9]))
    number = max(numbers, default=0) + 1
    write_atomic(last, b"%d" % number)
    return runs / f"{number:04d}-{name}"


def launch(settings: TrainConfig, name: str, initial: Path | None = None) -> Run:
    """Create a run and start its trainer as a process of its own.

    Raises BusyError, naming the run, where the device trains already. Two tabs cannot slip past each other: a
    run that was created a moment ago counts as training.
    """
    run = create(settings, name, initial)
    _spawn(run)
    return run


def branch(source: Run, step: int | None, changes: dict, name: str | None = None) -> Run:
    """A new run that goes on from a kept state of another one, or from its last, with other settings.

    step: of one of `source.states()`; None for the state as it is. changes: fields of TrainConfig; networks and
    batch have to stay, since the state is theirs. Nothing is trained yet: `relaunch` starts it.
    Raises InputError for a step of which no state is kept, for settings that do not fit, or for a total that was
    reached already; RunError while the source is at work and its last state was asked for.
    """
    if name is None:
        name = source.name if workspace.NAME.fullmatch(source.name) else workspace.slug(source.id)
    workspace.check_name(name)
    settings = dataclasses.replace(source.config(), **changes)
    before = source.config()
    if (settings.networks, settings.batch) != (before.networks, before.batch):
        raise InputError("A branch keeps the networks and the batch of its run. Start a new run for other ones.")
    states = source.states()
    if step is None:
        if source.status().active:
            raise RunError(f"The run {source.id} is at work. Stop it first, or go back to a kept state.")
        step, state = _step_of(source.state), source.state
    elif step in states:
        state = states[step]
    else:
        steps = ", ".join(map(str, states)) or "none yet"
        raise InputError(f"No state of step {step} was kept in {source.id}. There are: {steps}.")
    if step >= settings.total_steps:
        raise InputError(
            f"The state at step {step} has seen {step * settings.batch / 1000:g} thousand pictures already. "
            "Choose a larger total (--kimg)."
        )
    settings = dataclasses.replace(settings, parent=f"{source.id}@{step}")
    with in_use.launch_lock():
        run = _create(settings, name)
        with _whole(run):
            kept.share(state, run.state)
            for kind in (source.samples(), source.checkpoints().values(), source.states().values()):
                for path in kind:
                    if int(path.name.partition(".")[0]) <= step:
                        kept.share(path, run.folder / path.parent.name / path.name)
            run.write_history(source, step)
            kimg = step * settings.batch / 1000
            run.write_status(Status(state="stopped", step=step, kimg=kimg, total_kimg=settings.kimg))
    return run


def _step_of(state: Path) -> int:
    """The step of a saved state, from its header alone; a run's status may be some steps further."""
    try:
        with state.open("rb") as file:
            header = card.metadata(file.read(8 + card.MAX_HEADER), state.name)
        return int(json.loads(header["ganart"])["step"])
    except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
        raise InputError(
            f"{state.parent.name} has no readable state yet, so there is nothing to go on from."
        ) from error


def relaunch(run: Run) -> None:
    """Start the trainer of a stopped, failed or crashed run again; it goes on where its state is.

    Raises BusyError where the device trains already, RunError where there is nothing to go on with.
    """
    make_ready(run)
    _spawn(run)


def make_ready(run: Run) -> None:
    """Mark a run as starting again, for a trainer that comes now; raises as `relaunch`."""
    with in_use.launch_lock():
        check_resumable(run)
        refuse_if_busy(run.config().device)
        run.write_status(dataclasses.replace(run.written_status(), state="starting", error="", note=""))
        run.request("run")


def check_resumable(run: Run) -> None:
    """Raises InputError for a run that is done, RunError for one that is at work."""
    status = run.status()
    if status.state == "done":
        raise InputError(
            f"The run {run.id} is done: it has seen all its {status.total_kimg:g} thousand pictures. Train "
            "it longer with --kimg."
        )
    if status.active:
        raise RunError(f"The run {run.id} is already at work ({status.state}). Watch it, or stop it first.")


def refuse_if_busy(device: str) -> None:
    """Raises BusyError where a run is at work on this device."""
    if other := active_run(device):
        raise busy_error(other, device)


def busy_error(other: Run | None, device: str) -> BusyError:
    """The refusal that names the run which holds the device."""
    who = f"The run {other.id}" if other else "Another run"
    return BusyError(
        f"{who} is training on this {device_words(device)} already. Stop it first, or wait until it is done."
    )


def device_words(device: str) -> str:
    """ "cuda" -> "graphics card", for sentences."""
    return {"cuda": "graphics card", "mps": "Mac's graphics chip"}.get(device, "processor")


def _spawn(run: Run) -> None:
    run.request("run")
    detached.start("ganart.train", run.folder, log=run.log)


def stop(run: Run, seconds: float = 30.0) -> Status:
    """Ask a run to stop and wait until it has; returns its status, also of a run that had ended before.

    Raises RunError where it has not stopped in `seconds`.
    """
    deadline = time.monotonic() + seconds
    if (status := run.status()).active:
        run.request("stop")
    while status.active:
        if time.monotonic() > deadline:
            raise RunError(
                f"The run {run.id} has not stopped within {seconds:.0f} s. It was asked to and will stop at its "
                "next step; see its log.txt if it does not."
            )
        time.sleep(0.1)
        status = run.status()
    return status
