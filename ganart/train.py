"""The training loop. `python -m ganart.train RUN_FOLDER` is the trainer process; the pages never import this.

Batch, update D, update G, update the average, report, save, stop if asked.
"""

import contextlib
import dataclasses
import errno
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
from torch import Tensor
from tqdm import tqdm

from ganart import batches, checkpoint, config, dataset, devices, graph, images, latent, launch, probe, render
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.errors import BusyError, GanartError, RunError
from ganart.files import sweep_temporary, write_atomic
from ganart.reporter import Reporter
from ganart.run import Run
from ganart.training import FIGURES, Training, build, sampling_generator

SHEET_SEEDS = list(range(36))  # the 36 latents of every sheet are those of the seeds 0 to 35


# --- pictures and files


def write_sheet(training: Training, settings: TrainConfig, target: Run) -> None:
    """The sheet of this step: 6x6 pictures at the latents of the seeds 0 to 35."""
    G = sampling_generator(training, settings)
    sheet = render.sheet(G, latent.sample_z(SHEET_SEEDS, settings.networks.z_dim))
    write_atomic(target.sample_path(training.step), images.encode(sheet), durable=False)


def save(training: Training, settings: TrainConfig, target: Run, store: Dataset) -> None:
    """The whole state, and the model so far; raises RunError rather than save weights that are not finite."""
    if not training.finite():
        raise RunError(_diverged(training))
    values = {"step": training.step, "choices": training.choices, "config": config.to_dict(settings)}
    checkpoint.save_state(target.state, training.tensors(), values)
    data = checkpoint.model_bytes(
        sampling_generator(training, settings),
        training.D,
        name=target.name,
        networks=settings.networks,
        dataset={"name": store.name, "hash": store.hash, "pictures": store.count, "held_out": store.held_out},
        recipe=config.to_dict(settings),
        step=training.step,
        kimg=training.step * settings.batch / 1000,
        averaged=training.G_ema is not None,
    )
    write_atomic(target.model, data)


def _diverged(training: Training) -> str:
    return (
        f"The training diverged near step {training.step}: its figures are no longer numbers. The last good state "
        f"is kept. Start a new run with another seed or a smaller network."
    )


def load_or_start(target: Run, settings: TrainConfig) -> Training:
    """The training as its saved state left it, or at step 0."""
    if not target.state.exists() and not target.state.with_name(target.state.name + ".prev").exists():
        return build(settings, {})
    tensors, values = checkpoint.load_state(target.state)
    training = build(settings, values["choices"])
    try:
        training.load(tensors, values["step"])
    except (KeyError, RuntimeError) as error:
        raise RunError(f"The state of {target.id} does not fit its config.json. Start a new run.") from error
    return training


def next_sheet(step: int, batch: int) -> int:
    """The step of the sheet after the one at `step`: every 500 pictures at first, then ever wider apart, a
    twenty-fifth of what was seen, as the eye sees less and less change."""
    seen = step * batch
    return step + max(1, math.ceil(max(500, seen / 25) / batch))


# --- the loop


def train(target: Run, ended: threading.Event) -> str:
    """Train the run in this folder until it is done or asked to stop -> "done" or "stopped".

    ended: set from outside to stop it as well.

    Raises BusyError, RunError, DatasetError or ModelError; whatever was saved stays.
    """
    settings = target.config()
    store = dataset.open_dataset(settings.dataset)
    if store.hash != settings.dataset_hash:
        raise RunError(f"The dataset {store.name} is not the one that this run was started with. Start a new run.")
    sweep_temporary(target.folder)
    device, note = probe.working_device(settings)
    settings = dataclasses.replace(settings, device=device)
    devices.tune(device)
    training = load_or_start(target, settings)
    reporter = Reporter(target, settings, training, ended, note)
    reporter.tick("starting", now=True)
    target.rewind_to(training.step)
    if training.step == 0:
        write_sheet(training, settings, target)
    if not training.choices:
        training.choices = {"threads": torch.get_num_threads(), "dtype": probe.faster_dtype(settings)}
        save(training, settings, target, store)
    torch.set_num_threads(training.choices["threads"])
    pictures = batches.Pictures(store, settings.device)
    train_step = graph.stepper(training, settings, training.choices["dtype"])

    log_every = 50 if settings.device == "cuda" else 10  # reading figures makes the device wait
    sheet_at = 0
    while sheet_at <= training.step:
        sheet_at = next_sheet(sheet_at, settings.batch)
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
            if asked == "stop":
                state = "stopped"
                break
            sums += train_step(batches.draw(pictures, settings, training.step))
            counted += 1
            bar.update()
            reporter.tick()
            if training.step % log_every == 0:
                _log_figures(target, settings, training, reporter, sums / counted)
                sums, counted = torch.zeros_like(sums), 0
            if training.step >= sheet_at:
                write_sheet(training, settings, target)
                sheet_at = next_sheet(sheet_at, settings.batch)
            if time.monotonic() - saved >= settings.save_seconds:
                save(training, settings, target, store)
                saved = time.monotonic()
    reporter.tick("stopping", now=True)
    save(training, settings, target, store)
    write_sheet(training, settings, target)
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
        raise RunError(_diverged(training))
    kimg = round(training.step * settings.batch / 1000, 3)
    target.append_metrics({"step": training.step, "kimg": kimg, **values, "img_s": round(reporter.speed, 1)})


# --- the process


def work(target: Run) -> str:
    """Hold the run's lock and the device's, train, and leave a final status behind whatever happens.

    Returns the final state. Raises GanartError for what a user can cause, and anything else for a bug.
    """
    settings = target.config()
    ended = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda *_: ended.set()) for number in signals]
    own, device = target.lock(), launch.device_lock(settings.device)
    try:
        own.acquire(timeout=5)  # a page may be looking at the lock just now
        device.acquire(timeout=5)
    except filelock.Timeout as error:
        if not own.is_locked:
            raise BusyError(f"The run {target.id} is at work already.") from error
        busy = launch.busy_error(launch.active_run(settings.device, but=target), settings.device)
        _fail(target, str(busy))
        own.release()
        raise busy from error
    try:
        devices.pick(settings.device)
        return train(target, ended)
    except GanartError as error:
        _fail(target, str(error))
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))
        reason = "The disk is full" if full else f"A file could not be read or written ({error.strerror})"
        raise _failed_with(
            target, f"{reason}. The last saved state is kept: mend that, then resume the run."
        ) from error
    except BaseException as error:
        if _is_memory(error):
            networks, device_words = settings.networks, launch.device_words(settings.device)
            raise _failed_with(
                target,
                f"The memory of the {device_words} is not enough for {networks.size} px at "
                f"width {networks.width} and batch {settings.batch}. Choose a smaller network.",
            ) from error
        with target.log.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        _fail(target, f"The training stopped on an error of the program ({type(error).__name__}). See log.txt.")
        raise
    finally:
        device.release()
        own.release()
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)


def _is_memory(error: BaseException) -> bool:
    words = ("not enough memory", "out of memory")  # torch says it in a plain RuntimeError on some devices
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(w in str(error).lower() for w in words)


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
        print(work(Run(Path(sys.argv[1]))))
        return 0
    except GanartError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except Exception:
        return 1  # `work` has written the whole story into log.txt


if __name__ == "__main__":
    sys.exit(main())
