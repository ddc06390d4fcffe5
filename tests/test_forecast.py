"""What a training is foretold to cost: the arithmetic, the sentences, and the measuring itself."""

import dataclasses
import json
import os
import threading
import time
from pathlib import Path

import pytest
from waiting import until

from benchmarks.training import made_store
from ganart import cadence, dataset, forecast, launch, trial, workspace
from ganart.config import NetworkConfig, TrainConfig
from ganart.errors import BusyError, RunError
from ganart.forecast import Forecast
from ganart.run import Status

TINY = TrainConfig(
    networks=NetworkConfig(size=32, channels=3, z_dim=8, width=4),
    batch=8,
    kimg=0.8,
    ema_half_life=0.2,
    device="cpu",
    dtype="float32",
)
HOUR = 3600.0
PATIENT = sum(forecast.PATIENCE) / 2  # seconds to a good look, clearly between "yes" and "no"


def costly(device: str = "cpu", size: int = 64, speed: float = 200.0) -> Forecast:
    """A forecast in which everything between the steps costs something."""
    return Forecast(device, size, 8, speed, 0.7, 2.5, 6.0, 10**9, 4 * 10**9, 10**8)


def lasting(seconds: float, device: str = "cpu", size: int = 64) -> Forecast:
    """A forecast of plain steps whose good look comes after so many seconds."""
    _, look = Forecast(device, size, 64, 1.0).milestones()
    return Forecast(device, size, 64, look / seconds, memory=10**9, memory_free=4 * 10**9)


# --- arithmetic


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("speed", [3.0, 200.0, 20_000.0])
def test_kimg_is_the_inverse_of_seconds(device, speed):
    found = costly(device, speed=speed)
    for seconds in (1.0, 60.0, *forecast.BUDGETS.values(), 30 * 24 * HOUR):
        assert found.seconds(found.kimg(seconds)) == pytest.approx(seconds, rel=1e-6)
    for kimg in (0.5, 30.0, 1000.0):
        assert found.kimg(found.seconds(kimg)) == pytest.approx(kimg, rel=1e-6)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("kimg", [4, 40, 400])
def test_the_time_is_that_of_the_steps_and_of_what_is_due_between_them(device, kimg):
    found = costly(device)
    rhythms = cadence.SHEETS, cadence.looks(device), cadence.checkpoints(device)
    costs = found.sheet_seconds, found.look_seconds, found.keep_seconds
    assert len(set(costs)) == 3 and 0 not in costs
    between = slack = 0.0
    for rhythm, cost in zip(rhythms, costs, strict=True):
        due = cadence.Cadence(found.batch, rhythm)
        between += cost * sum(due.due(step) for step in range(1, 1000 * kimg // found.batch + 1))
        slack += 1.5 * cost
    steps = 1000 * kimg / found.images_per_second
    assert found.seconds(kimg) - steps == pytest.approx(between, rel=0.1, abs=slack)
    plain = dataclasses.replace(found, sheet_seconds=0.0, look_seconds=0.0, keep_seconds=0.0)
    assert plain.seconds(kimg) == pytest.approx(steps)


def test_what_was_seen_already_costs_no_more():
    found = costly()
    assert found.seconds(300, 120) == pytest.approx(found.seconds(300) - found.seconds(120))
    assert found.seconds(120, 120) == 0 and found.seconds(0) == 0


def test_larger_pictures_take_more_looking_at():
    times = [costly(size=size).milestones() for size in (32, 64, 128, 256)]
    assert times[0] == times[1] and times[1] < times[2] < times[3]
    assert all(0 < shapes < look for shapes, look in times)


# --- in words


@pytest.mark.parametrize(
    ("seconds", "verdict", "words"),
    [
        (0.5 * forecast.PATIENCE[0], "yes", ": yes. First shapes after about "),
        (PATIENT, "patience", ": with patience. First shapes after about "),
        (3 * forecast.PATIENCE[1], "no", ": no. A good look would take about "),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_the_verdict_follows_the_time_to_a_good_look(device, seconds, verdict, words):
    found = lasting(seconds, device, 128)
    assert found.verdict() == verdict
    sentence = found.sentence()
    assert sentence.startswith(f"128 px on this {launch.device_words(device)}{words}")
    assert forecast.duration(seconds) in sentence and sentence.endswith(".")
    assert ("smaller" in sentence) == (verdict == "no"), "what to do is said where it does not go"


def test_short_memory_is_a_no_with_both_figures_however_fast_it_is():
    found = dataclasses.replace(lasting(600.0), memory=6_200_000_000, memory_free=3_900_000_000)
    assert found.verdict() == "no" and not found.fits
    assert "no. A step needs 6.2 GB of memory, and 3.9 GB are free" in found.sentence()
    assert "good look" not in found.sentence()
    assert dataclasses.replace(found, memory=10**9).verdict() == "yes"
    assert not dataclasses.replace(found, memory=found.memory_free).fits, "something has to be to spare"


def test_what_is_hopelessly_slow_says_so_and_nothing_of_memory_that_was_not_counted():
    found = Forecast("cpu", 256, 64, 0.05)
    assert found.verdict() == "no" and "A good look would take" in found.sentence()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "about 5 s"),
        (42, "about 40 s"),
        (12 * 60 + 4, "about 12 min"),
        (89 * 60, "about 89 min"),
        (2 * HOUR, "about 2 h"),
        (9000, "about 2.5 h"),
        (30 * HOUR, "about 30 h"),
        (100 * HOUR, "about 4 days"),
    ],
)
def test_durations_are_said_the_way_one_says_them(seconds, words):
    assert forecast.duration(seconds) == words


# --- where it is kept


def put(values: dict | bytes) -> None:
    """Write the file of the forecast for TINY: values, or bytes as they are."""
    data = values if isinstance(values, bytes) else json.dumps(values).encode()
    forecast.path_for(TINY).write_bytes(data)


def test_the_pictures_and_the_length_do_not_matter_for_it_and_the_networks_do():
    put(dataclasses.asdict(costly()))
    for same in (
        {"dataset": "monet", "dataset_hash": "0" * 64},
        {"kimg": 900.0, "save_seconds": 5.0},
        {"seed": 7, "parent": "a@1"},
        {"lr": 1e-4, "lr_end": 0.1, "beta1": 0.9, "flip": False, "preset": "sketch"},
    ):
        assert forecast.known(dataclasses.replace(TINY, **same)) == costly()
    others = [{"networks": dataclasses.replace(TINY.networks, width=8)}, {"batch": 16}, {"augment": "full"}]
    for other in others:
        assert forecast.known(dataclasses.replace(TINY, **other)) is None


def test_a_forecast_of_last_month_is_measured_again():
    """Beside other work then, or on another card."""
    put(dataclasses.asdict(costly()))
    path = forecast.path_for(TINY)
    os.utime(path, (time.time() - 6 * 86400,) * 2)
    assert forecast.known(TINY) == costly()
    os.utime(path, (time.time() - 8 * 86400,) * 2)
    assert forecast.known(TINY) is None


def test_what_failed_before_is_said_again():
    put({"version": forecast.FORECAST_VERSION, "error": "The memory is not enough.", "memory": True})
    with pytest.raises(forecast.TooLargeError, match="The memory is not enough"):
        forecast.known(TINY)
    put({"version": forecast.FORECAST_VERSION, "error": "Something else."})
    with pytest.raises(RunError, match="Something else") as found:
        forecast.known(TINY)
    assert not isinstance(found.value, forecast.TooLargeError)


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"version": '])
def test_a_damaged_file_is_not_known(damage):
    assert forecast.known(TINY) is None
    put(damage)
    assert forecast.known(TINY) is None


@pytest.mark.parametrize("change", [{"mood": "good"}, {"device": None}])
def test_a_file_with_other_fields_is_not_known(change):
    values = {**dataclasses.asdict(costly()), **change}
    put({key: value for key, value in values.items() if value is not None})
    assert forecast.known(TINY) is None


def test_a_file_of_another_version_is_not_known():
    put({**dataclasses.asdict(costly()), "version": forecast.FORECAST_VERSION + 1, "mood": "good"})
    assert forecast.known(TINY) is None


# --- the measuring


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """An empty folder for temporary files, for this process and those that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


def assert_nothing_left(temporary: Path) -> None:
    left = [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor_")]
    assert left == [], "the measuring process left temporary files"
    left = [path.name for path in workspace.folder("forecasts").iterdir() if path.suffix != ".json"]
    assert left == [], "a request is left, so it would seem to be measured still"
    with launch.device_lock("cpu").acquire(timeout=0):
        pass  # the device is free


def test_what_is_not_known_is_measured_once_in_its_turn_in_a_process_of_its_own(temporary, monkeypatch):
    put(b"{")  # a damaged file is not known
    taken, ended = threading.Event(), threading.Event()

    def other() -> None:
        with launch.device_lock("cpu").acquire(timeout=0):
            taken.set()
            ended.wait(120)

    threading.Thread(target=other, daemon=True).start()
    taken.wait(10)
    process = forecast.begin(TINY)
    time.sleep(1)
    assert process.poll() is None and forecast.under_way(TINY) and forecast.known(TINY) is None
    ended.set()
    found = forecast.ask(TINY)  # who asks for the same waits for the same
    assert process.wait(60) == 0
    assert (found.device, found.size, found.batch) == ("cpu", 32, 8)
    assert 5 < found.images_per_second < 100_000 and found.version == forecast.FORECAST_VERSION
    assert min(found.sheet_seconds, found.look_seconds, found.keep_seconds) > 0
    assert 10**5 < found.memory < found.memory_free and found.fits and found.disk > 10**5
    assert found.verdict() == "yes"
    assert_nothing_left(temporary)

    def refuse(_):
        raise AssertionError("it is measured again")

    monkeypatch.setattr(forecast, "begin", refuse)
    assert forecast.ask(TINY) == forecast.known(TINY) == found
    assert forecast.ask(dataclasses.replace(TINY, dataset="monet", dataset_hash="", kimg=40.0)) == found
    wider = dataclasses.replace(TINY, networks=dataclasses.replace(TINY.networks, width=8))
    with pytest.raises(AssertionError, match="measured again"):
        forecast.ask(wider)
    put({**dataclasses.asdict(found), "version": forecast.FORECAST_VERSION + 1})
    with pytest.raises(AssertionError, match="measured again"):
        forecast.ask(TINY)


def test_while_a_run_has_the_device_nothing_is_measured():
    target = launch.create(TINY, "busy")
    for state in ("starting", "running", "paused"):
        target.write_status(Status(state=state))
        with target.lock(), pytest.raises(BusyError, match="0001-busy is training on this processor"):
            forecast.begin(TINY)
    assert not list(workspace.folder("forecasts").iterdir()), "a refused request is left"
    target.write_status(Status(state="stopped"))
    process = forecast.begin(TINY)  # now it may
    process.terminate()
    process.wait(30)


def test_a_training_that_starts_meanwhile_gets_the_device(temporary):
    process = forecast.begin(TINY)
    until(lambda: list(workspace.folder("forecasts").glob("*/*.npy")))  # it is in the midst of measuring
    launch.create(TINY, "eager")  # a run that is starting has the device
    assert process.wait(60) != 0
    assert forecast.known(TINY) is None
    assert_nothing_left(temporary)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "rpgan", "gamma": 1.0, "penalty_every": 4, "augment": "steered"},
        {"loss": "hinge", "augment": "full", "ema_half_life": 0.0},
    ],
)
def test_every_kind_of_recipe_can_be_measured(tmp_path, monkeypatch, changes):
    monkeypatch.setattr(trial, "PROBE_SECONDS", 0.2)
    networks = NetworkConfig(size=32, channels=3, z_dim=8, width=4, d_norm="none", d_stddev=4, pack=2)
    found = trial.measure(dataclasses.replace(TINY, networks=networks, batch=16, **changes), tmp_path)
    assert found.batch == 16 and found.images_per_second > 1 and found.memory > 10**5


def test_digits_of_28_px_can_be_measured(tmp_path, monkeypatch):
    from ganart import presets

    monkeypatch.setattr(trial, "PROBE_SECONDS", 0.2)
    digits = presets.preset("mnist-seed")
    networks = dataclasses.replace(digits.networks, width=4)
    digits = dataclasses.replace(digits, networks=networks, batch=16, device="cpu", dtype="float32")
    found = trial.measure(digits, tmp_path)
    assert found.size == 28 and found.images_per_second > 1


def test_what_nobody_would_wait_for_is_told_without_further_measuring(monkeypatch, tmp_path):
    monkeypatch.setattr(trial, "_rough_seconds", lambda *_: 500.0)  # a step that takes minutes

    def refuse(*_):
        raise AssertionError("it goes on measuring")

    monkeypatch.setattr(trial, "_step_seconds", refuse)
    found = trial.measure(TINY, tmp_path)
    assert found.verdict() == "no" and found.images_per_second == pytest.approx(8 / 500, rel=0.1)


# --- and it comes true


@pytest.mark.slow
def test_a_forecast_comes_true_within_a_quarter():
    """Against the times at which the sheets of a real training appear, on enough pictures for all that is due."""
    made_store("made-1400", 32, 3, 1_400)
    store = dataset.open_dataset("made-1400")
    settings = TrainConfig(
        networks=NetworkConfig(size=32, channels=3, width=32, d_norm="none", d_stddev=4),
        dataset=store.name,
        dataset_hash=store.hash,
        loss="rpgan",
        gamma=1.0,
        penalty_every=4,
        augment="steered",
        batch=32,
        kimg=12.0,
        device="cpu",
        dtype="float32",
    )
    found = forecast.ask(settings)
    target = launch.launch(settings, "timed")
    while target.status().active:
        time.sleep(0.5)
    assert target.status().state == "done"
    sheets = {int(path.stem) * settings.batch / 1000: path.stat().st_mtime for path in target.samples()}
    first = min(kimg for kimg in sheets if kimg >= 1)
    last = max(kimg for kimg in sheets if kimg < settings.kimg)
    real = sheets[last] - sheets[first]
    assert real > 5, "too short to be timed"
    assert found.seconds(last, first) == pytest.approx(real, rel=0.25)
