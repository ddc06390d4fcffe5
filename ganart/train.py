"""The training loop. `python -m ganart.train RUN_FOLDER` is the trainer process; the pages never import this.

Batch, update D, update G, update the average, report, save, stop if asked.
"""

import contextlib
import dataclasses
import errno
import gc
import math
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import filelock
import torch
import wakepy
from torch import Tensor
from tqdm import tqdm

from ganart import batches, cadence, dataset, devices, doctor, graph, launch, probe, recovery, vitals
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.errors import BusyError, GanartError, RunError
from ganart.files import FULL, ROOM, sweep_temporary
from ganart.networks import Generator
from ganart.reporter import Reporter
from ganart.run import Run
from ganart.saving import DivergedError, keep, save, write_sheet
from ganart.training import FIGURES, Training, sampling_generator

# --- the loop


def train(target: Run, ended: threading.Event, at_collapse: str = "stop") -> str:
    """Train the run in this folder until it is done or asked to stop -> "done" or "stopped".

    Where it diverges it is taken back to its last state and goes on with half the rate and other noise; where the
    device's memory is too small, a batch is taken in pieces.

    ended: set from outside to stop it as well. at_collapse: "stop", or "pause" where somebody can continue it.

    Raises BusyError, RunError, DatasetError or ModelError; whatever was saved stays.
    """
    settings = target.config()
    store = dataset.find(settings.dataset, settings.dataset_hash)
    sweep_temporary(target.folder)
    device, note = probe.working_device(settings)
    settings = dataclasses.replace(settings, device=device)
    devices.tune(device)
    reporter = Reporter(target, settings, ended, note, at_collapse)
    while True:
        try:
            with wakepy.keep.running(on_fail="pass"):  # a computer that falls asleep does not train
                return _go_on(target, settings, store, reporter)
        except DivergedError as error:
            diverged, step = True, error.step
        except graph.RecordingError as error:
            raise recovery.give_up_recording(target) from error
        except Exception as error:
            if not devices.is_memory(error):
                raise
            diverged, step = False, 0
        # Outside of the handlers, where the error no longer holds on to the memory of the step that failed.
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()
        if diverged:
            reporter.note = recovery.take_back(target, step)
        else:
            reporter.note = recovery.take_less(target, settings)


def _go_on(target: Run, settings: TrainConfig, store: Dataset, reporter: Reporter) -> str:
    """Train from the saved state, or from step 0, to the end or until asked to stop."""
    training, settings = recovery.load_or_start(target, settings)
    reporter.follow(training)
    reporter.tick("starting", now=True)
    target.rewind_to(training.step)
    if training.step == 0:
        write_sheet(training, settings, target)
    here = devices.here(settings.device)
    if training.choices and training.choices.setdefault("here", here) != here:
        training.choices = {}
        moved = "It goes on where other hardware computes, so not bit for bit as it would have before."
        reporter.note = f"{reporter.note} {moved}".strip()
    if "dtype" not in training.choices:
        if settings.device == "cuda":  # whatever the trial meets there, it leaves something to go on from
            save(training, settings, target, store)
        dtype = probe.faster_dtype(settings, training.choices.get("plain", False))
        training.choices |= {"threads": torch.get_num_threads(), "dtype": dtype, "here": here}
        save(training, settings, target, store)
    torch.set_num_threads(training.choices["threads"])
    pictures = batches.Pictures(store, settings.device)
    train_step = graph.stepper(training, settings, training.choices["dtype"])

    rhythms = [
        cadence.figures(settings.device, settings.batch),
        cadence.SHEETS,
        cadence.looks(settings.device),
        cadence.checkpoints(settings.device),
    ]
    cadences = [cadence.Cadence(settings.batch, rhythm) for rhythm in rhythms]
    for each in cadences:
        each.due(training.step)  # what was due until here was done
    sums, counted = torch.zeros(len(FIGURES), device=settings.device), 0
    saved = time.monotonic()
    bar = tqdm(total=settings.total_steps, initial=training.step, unit="step", disable=not sys.stderr.isatty())
    state = "done"
    with bar:
        while training.step < settings.total_steps:
            asked = reporter.requested()
            if asked == "pause":
                save(training, settings, target, store)
                saved = time.monotonic()
                asked = _wait_while_paused(reporter)
                reporter.alarm = ""
            if asked == "stop":
                state = "stopped"
                break
            sums += train_step(batches.draw(pictures, settings, training.step))
            counted += 1
            bar.update()
            reporter.tick()
            figures, sheet, look, kept = [each.due(training.step) for each in cadences]
            kept = kept or training.step == settings.total_steps
            if figures:
                _log_figures(target, settings, training, reporter, sums / counted)
                sums, counted = torch.zeros_like(sums), 0
            if sheet or look or kept:
                G = sampling_generator(training, settings)
                if sheet:
                    write_sheet(training, settings, target, G)
                distance = vitals.held_out_distance(pictures, settings, G) if kept else None
                if look or kept:
                    _look(target, settings, training, pictures, G, distance)
                if kept:
                    keep(training, settings, target, store, G, distance)
                    saved = time.monotonic()
                if look:
                    _halt_if_collapsed(target, settings, training, store, reporter)
            if time.monotonic() - saved >= settings.save_seconds:
                save(training, settings, target, store)
                saved = time.monotonic()
    reporter.tick("stopping", now=True)
    G = sampling_generator(training, settings)
    if state == "stopped":
        save(training, settings, target, store, G)
    elif training.step not in target.checkpoints():  # it was at its end already, and that is not kept
        keep(training, settings, target, store, G, vitals.held_out_distance(pictures, settings, G))
    write_sheet(training, settings, target, G)
    reporter.tick(state, now=True)
    return state


def _wait_while_paused(reporter: Reporter) -> str:
    while (asked := reporter.requested()) == "pause":
        reporter.tick("paused")
        time.sleep(0.1)
    return asked


def _log_figures(
    target: Run, settings: TrainConfig, training: Training, reporter: Reporter, means: Tensor
) -> None:
    values = dict(zip(FIGURES, (round(value, 5) for value in means.tolist()), strict=True))
    if not all(math.isfinite(value) for value in values.values()):
        raise DivergedError(training.step)
    target.append_metrics({**_when(training, settings), **values, "img_s": round(reporter.speed, 1)})


def _when(training: Training, settings: TrainConfig) -> dict:
    return {"step": training.step, "kimg": round(training.step * settings.batch / 1000, 3)}


def _look(
    target: Run,
    settings: TrainConfig,
    training: Training,
    pictures: batches.Pictures,
    G: Generator,
    distance: vitals.Distance | None,
) -> None:
    """One line of the signs of health, at checkpoints with the distance to held-out pictures."""
    signs = vitals.measure(training, settings, pictures, G)
    if not all(math.isfinite(value) for value in signs.values()):
        raise DivergedError(training.step)
    if distance is not None:
        signs["distance"] = round(distance.value, 3)
    target.append_vitals({**_when(training, settings), **signs})


def _halt_if_collapsed(
    target: Run, settings: TrainConfig, training: Training, store: Dataset, reporter: Reporter
) -> None:
    """Ask for a pause or the end, once, where the painter has collapsed."""
    if "collapsed" in training.history:
        return
    found = doctor.examine(target.metrics(), target.vitals(), settings, store.training)
    collapse = next((finding for finding in found if finding.kind in ("collapse", "dead")), None)
    if collapse is None:
        return
    training.history["collapsed"] = training.step
    healthy = [step for step in target.states() if step < collapse.since]
    way = f"Go back to step {healthy[-1]}" if healthy else "Start anew with another seed"
    done, other = ("is paused", "continue") if reporter.at_collapse == "pause" else ("has stopped", "resume it")
    reporter.alarm = f"{collapse.sentence} The training {done}. {way}, or {other}."
    print(reporter.alarm, file=sys.stderr)
    if reporter.requested() == "run":  # not where a stop was asked for meanwhile
        target.request(reporter.at_collapse)


# --- the process


def work(target: Run, at_collapse: str = "stop") -> str:
    """Hold the run's lock and the device's, train, and leave a final status behind whatever happens.

    at_collapse: as `train` has it.

    Returns the final state. Raises GanartError for what a user can cause, and anything else for a bug.
    """
    settings = target.config()
    own, device = target.lock(), launch.device_lock(settings.device)
    ended = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda *_: ended.set()) for number in signals]
    try:
        _take(target, settings.device, own, device)
        devices.pick(settings.device)
        return train(target, ended, at_collapse)
    except OSError as error:
        reason = f"A file could not be read or written ({error.strerror})"
        if error.errno == errno.ENOSPC:
            reason = "The disk is full"
        mend = ROOM if error.errno in FULL else "Mend that"
        raise _failed_with(
            target, f"{reason}. The last saved state is kept. {mend}, then resume the run."
        ) from error
    except GanartError as error:
        if own.is_locked:  # else another trainer is at work in this run
            _fail(target, str(error))
        raise
    except BaseException as error:
        if devices.is_memory(error):
            networks, device_words = settings.networks, launch.device_words(settings.device)
            raise _failed_with(
                target,
                f"The memory of the {device_words} is not enough for {networks.size} px at "
                f"width {networks.width} and batch {settings.batch}. Choose a smaller network.",
            ) from error
        with contextlib.suppress(OSError), target.log.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        _fail(target, f"The training stopped on an error of the program ({type(error).__name__}). See log.txt.")
        raise
    finally:
        device.release()
        own.release()
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)


def _take(target: Run, name: str, own: filelock.BaseFileLock, device: filelock.BaseFileLock) -> None:
    """Take the locks of a run and of its device. Raises BusyError where another trainer holds one."""
    try:
        own.acquire(timeout=5)  # a page may be looking at the lock just now
    except filelock.Timeout as error:
        raise BusyError(f"The run {target.id} is at work already.") from error
    try:
        device.acquire(timeout=5)
    except filelock.Timeout as error:
        raise launch.busy_error(launch.active_run(name, but=target), name) from error


def _fail(target: Run, sentence: str) -> None:
    with contextlib.suppress(OSError):  # on a full disk the old status stays, and the free lock says "crashed"
        target.write_status(dataclasses.replace(target.written_status(), state="failed", error=sentence))


def _failed_with(target: Run, sentence: str) -> RunError:
    _fail(target, sentence)
    return RunError(sentence)


def main() -> int:
    """The trainer process: `python -m ganart.train RUN_FOLDER`."""
    if hasattr(os, "nice"):
        os.nice(10)  # the pages come first
    try:
        print(work(Run(Path(sys.argv[1])), "pause"))
        return 0
    except GanartError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except Exception:
        return 1  # `work` has written the whole story into log.txt


if __name__ == "__main__":
    sys.exit(main())
