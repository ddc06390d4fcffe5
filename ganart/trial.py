"""The process that measures for a forecast: `python -m ganart.trial FILE` tries the training that FILE names."""

import dataclasses
import os
import shutil
import statistics
import sys
import threading
import time
from pathlib import Path

import filelock
import numpy as np

from ganart import (
    batches,
    config,
    devices,
    forecast,
    graph,
    kept,
    launch,
    memory,
    probe,
    saving,
    training,
    vitals,
    workspace,
)
from ganart.config import IntakeConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.errors import GanartError
from ganart.files import building, read_json, write_json
from ganart.forecast import Forecast
from ganart.run import Run
from ganart.training import Training

PROBE_SECONDS = 6.0
BURST = 8  # steps that a card is given before anybody waits for it, as in a training


def measure(settings: TrainConfig, folder: Path) -> Forecast:
    """Make some steps of this training, for about PROBE_SECONDS, and see how long they take.

    folder: an empty one, for what a training writes.
    """
    settings = dataclasses.replace(settings, device=probe.working_device(settings)[0])
    devices.tune(settings.device)
    together = settings.networks.pack * max(1, settings.networks.d_stddev)
    small = dataclasses.replace(settings, batch=min(settings.batch, max(1, 8 // together) * together))
    dtype = probe.faster_dtype(settings if settings.device == "cuda" else small)
    rough = _rough_seconds(small, dtype) / small.batch
    hopeless = Forecast(settings.device, settings.networks.size, settings.batch, round(1 / rough, 3))
    if hopeless.milestones()[1] > 2 * forecast.PATIENCE[1]:
        return hopeless  # nobody wants to wait for more decimals
    need, free = memory.step_bytes(settings, dtype), devices.free_memory(settings.device)
    tried = settings
    if settings.device != "cuda":
        affordable = int(PROBE_SECONDS / 8 / rough) // together * together
        tried = dataclasses.replace(settings, batch=min(settings.batch, max(small.batch, affordable)))
    networks = settings.networks
    shape = 1024, networks.size, networks.size, networks.channels
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.save(folder / f"images-{networks.size}.npy", noise, allow_pickle=False)
    form = IntakeConfig(size=networks.size)
    store = Dataset(folder, "forecast", "", form, len(noise), networks.channels, len(noise) // 2, [])
    pictures = batches.Pictures(store, settings.device)
    state = training.build(tried, {})
    step = _step_seconds(state, tried, pictures, dtype)

    target = Run(folder)
    (target.folder / "samples").mkdir()
    started = time.perf_counter()
    G = training.sampling_generator(state, tried)
    averaged = time.perf_counter() - started
    saving.write_sheet(state, tried, target, G)
    sheet = time.perf_counter() - started
    vitals.measure(state, tried, pictures, G)
    look = time.perf_counter() - started - sheet
    keeps = []
    for _ in range(2):
        started = time.perf_counter()
        saving.keep(state, tried, target, store, G, vitals.held_out_distance(pictures, tried, G))
        keeps.append(time.perf_counter() - started)
    pictures.file.close()  # on Windows an open file keeps its folder
    state_bytes, model_bytes = target.state.stat().st_size, target.checkpoint_path(state.step).stat().st_size
    return Forecast(
        device=settings.device,
        size=networks.size,
        batch=settings.batch,
        images_per_second=round(tried.batch / step, 2),
        sheet_seconds=round(sheet, 4),
        look_seconds=round(averaged + look, 4),
        keep_seconds=round(min(keeps), 4),
        memory=need,
        memory_free=free,
        disk=(kept.STATES + 2) * state_bytes + (kept.CHECKPOINTS + 3) * model_bytes,
    )


def _rough_seconds(settings: TrainConfig, dtype: str) -> float:
    """Seconds of one step that does everything its recipe can ask for."""
    state, batch = training.build(settings, {}), probe.trial_batch(settings)
    for _ in range(2):
        started = time.perf_counter()
        training.train_step(state, settings, batch, dtype).tolist()
        seconds = time.perf_counter() - started
    return seconds


def _step_seconds(state: Training, settings: TrainConfig, pictures: batches.Pictures, dtype: str) -> float:
    """Mean seconds of a step, cheap and dear ones in their proportion."""
    make_step, burst = graph.stepper(state, settings, dtype), BURST if settings.device == "cuda" else 1
    every = batches.STEER_EVERY * settings.penalty_every
    forms: dict[tuple[bool, bool], list[int]] = {}
    for number in range(every):
        penalised = settings.gamma > 0 and number % settings.penalty_every == 0
        steered = settings.augment == "steered" and number % batches.STEER_EVERY == 0
        forms.setdefault((penalised, steered), []).append(number)
    total = 0.0
    for numbers in forms.values():
        timings: list[float] = []
        deadline = time.perf_counter() + PROBE_SECONDS / len(forms)
        while len(timings) < 3 or (time.perf_counter() < deadline and len(timings) < 30):
            started = time.perf_counter()
            for number in range(len(timings) * burst, (len(timings) + 1) * burst):
                figures = make_step(batches.draw(pictures, settings, numbers[number % len(numbers)]))
            figures.tolist()
            timings.append((time.perf_counter() - started) / burst)
        total += statistics.median(timings[1:]) * len(numbers)
    return total / every


def _give_way(request: Path, device: str, folder: Path, ended: threading.Event) -> None:
    """End this process as soon as a training wants the device, or nobody wants to know any more, unless it has
    `ended` by itself."""
    while request.exists() and launch.active_run(device) is None:
        if ended.wait(0.2):
            return
    if ended.is_set():
        return
    request.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> int:
    """The measuring process."""
    request = Path(sys.argv[1])
    settings = config.train_from_dict(read_json(request))
    target, ended = forecast.path_for(settings), threading.Event()
    try:
        with building(workspace.folder("forecasts"), forecast.MEASURING) as folder:
            watched = request, settings.device, folder, ended
            threading.Thread(target=_give_way, args=watched, daemon=True).start()
            with launch.device_lock(settings.device).acquire(timeout=forecast.MOST_SECONDS / 2):
                write_json(target, dataclasses.asdict(measure(settings, folder)))
    except filelock.Timeout:
        return 1  # others are measured there; asking again later will tell
    except (GanartError, RuntimeError, MemoryError) as error:
        short = devices.is_memory(error)
        words = launch.device_words(settings.device)
        sentence = f"The memory of the {words} is not enough for this. Choose a smaller size or network."
        told = {"error": sentence if short else str(error), "memory": short}
        write_json(target, {"version": forecast.FORECAST_VERSION, **told})
    finally:
        ended.set()
        request.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
