"""On a graphics card, where there is one: that its steps are those of the processor, recorded or not, that a run
stops and goes on there, and what it does where the card's memory is small.
"""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from benchmarks.training import made_store
from ganart import (
    batches,
    checkpoint,
    dataset,
    devices,
    forecast,
    graph,
    launch,
    memory,
    presets,
    run,
    train,
    training,
    trial,
)
from ganart.config import TrainConfig
from ganart.reporter import Reporter

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

STEPS = 20


@pytest.fixture
def small_card():
    """Makes the card one that has so many bytes free, by taking up the rest."""
    ballast = []

    def make(free: float) -> None:
        torch.cuda.empty_cache()
        ballast.append(torch.empty(int(torch.cuda.mem_get_info()[0] - free), dtype=torch.uint8, device="cuda"))

    yield make
    ballast.clear()
    torch.cuda.empty_cache()


@pytest.fixture
def exact(monkeypatch):
    """Kernels that sum in the same order each time, in full float32."""
    monkeypatch.setattr(devices, "tune", lambda device: None)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    yield
    torch.set_float32_matmul_precision(before)


def recipes() -> dict[str, TrainConfig]:
    """Every preset, narrow, and what no preset has."""
    small = functools.partial(dataclasses.replace, device="cuda", batch=32, kimg=STEPS * 0.032)
    found = {}
    for name, preset in presets.PRESETS.items():
        digits = name.startswith("mnist-")
        fitted = presets.for_dataset(preset, 28 if digits else 32, 1 if digits else 3, width=16)
        found[name] = small(fitted)
    art, networks = found["art"], found["art"].networks
    spectral = dataclasses.replace(networks, d_norm="spectral", d_stddev=0)
    batchnorm = dataclasses.replace(networks, d_norm="batch", d_stddev=0)
    found["approximate"] = dataclasses.replace(art, penalty="approximate", fresh_noise=True)
    found["hinge"] = dataclasses.replace(art, networks=spectral, loss="hinge", gamma=0.0, augment="full")
    found["bce"] = dataclasses.replace(art, networks=batchnorm, loss="bce", gamma=0.0, lr_end=0.1)
    return found


def pictures_for(settings: TrainConfig) -> batches.Pictures:
    networks = settings.networks
    made_store("made", networks.size, networks.channels, 500)
    return batches.Pictures(dataset.open_dataset("made"), settings.device)


def flat(state: training.Training) -> torch.Tensor:
    """All weights and moments of a training."""
    return torch.cat([value.float().cpu().flatten() for value in state.tensors().values()])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", [name for name in recipes() if name != "mnist-seed"])
def test_recorded_steps_end_where_plain_ones_do(exact, name, dtype):
    settings = recipes()[name]
    pictures = pictures_for(settings)
    plain, recorded = training.build(settings, {}), training.build(settings, {})
    step = graph.stepper(recorded, settings, dtype)
    assert isinstance(step, graph.Recorded)
    for number in range(STEPS):
        batch = batches.draw(pictures, settings, number)
        expected = training.train_step(plain, settings, batch, dtype)
        assert torch.equal(step(batch), expected), number
        assert torch.equal(recorded.norms, plain.norms) and recorded.norms.min() > 0, number
    assert torch.equal(flat(plain), flat(recorded))


@pytest.mark.parametrize("name", recipes())
def test_a_step_is_that_of_the_processor(exact, name):
    settings = recipes()[name]
    found = []
    made_store("made", settings.networks.size, settings.networks.channels, 500)
    for device in ("cpu", "cuda"):
        here = dataclasses.replace(settings, device=device)
        pictures = batches.Pictures(dataset.open_dataset("made"), device)
        state = training.build(here, {})
        step = graph.stepper(state, here, "float32")
        found.append([step(batches.draw(pictures, here, number)).cpu() for number in range(2)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", ["art", "mnist-seed", "mnist-best"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(exact, name, monkeypatch):
    settings = dataclasses.replace(recipes()[name], kimg=40 * 0.032, dtype="float32", save_seconds=3600.0)
    made_store("made", settings.networks.size, settings.networks.channels, 500)
    settings = dataclasses.replace(settings, dataset="made", dataset_hash="made")
    whole = launch.create(settings, "whole")
    assert train.work(whole) == "done"

    halves, asked = launch.create(settings, "halves"), []

    def in_the_middle(self: Reporter) -> str:
        asked.append(0)
        return "stop" if len(asked) == 18 else "run"

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "requested", in_the_middle)
        assert train.work(halves) == "stopped"
    assert 0 < halves.status().step < 40
    launch.make_ready(halves)
    assert train.work(halves) == "done"
    one, other = (checkpoint.load_state(target.state)[0] for target in (whole, halves))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert halves.status().device == "cuda" and halves.vitals()[-1]["step"] == 40


def test_a_state_of_the_card_goes_on_on_the_processor():
    settings = dataclasses.replace(recipes()["sketch"], dataset="made", dataset_hash="made")
    made_store("made", 32, 3, 500)
    first = launch.create(settings, "first")
    assert train.work(first) == "done"
    other = launch.branch(first, None, {"device": "cpu", "kimg": 2 * settings.kimg, "dtype": "float32"})
    assert train.work(other) == "done" and "other hardware" in other.status().note
    assert np.isfinite(other.metrics()[-1]["loss_D"])


def test_where_memory_is_short_a_run_takes_less_at_a_time(small_card):
    settings = presets.for_dataset(presets.preset("art"), 256, 3)
    settings = dataclasses.replace(settings, device="cuda", dtype="float32", kimg=0.064 * 6)
    made_store("made", 256, 3, 300)
    settings = dataclasses.replace(settings, dataset="made", dataset_hash="made")
    small_card(0.8 * memory.step_bytes(settings, "float32"))
    target = launch.create(settings, "short")
    assert train.work(target) == "done"
    assert "at a time" in target.status().note
    assert checkpoint.load_state(target.state)[1]["choices"]["pieces"] >= 2


@pytest.mark.parametrize("size", [128, 256])
def test_the_usual_recipe_fits_into_a_card_of_eight_gigabytes(small_card, size, capsys):
    """What such a card has free under a desktop, the libraries loaded, is about 6.8 GB."""
    settings = presets.for_dataset(presets.preset("art"), size, 3)
    settings = dataclasses.replace(settings, device="cuda", dtype="bfloat16", kimg=0.064 * 12)
    made_store("made", size, 3, 300)
    settings = dataclasses.replace(settings, dataset="made", dataset_hash="made")
    small_card(6.8e9)
    kept = torch.cuda.memory_allocated()
    target = launch.create(settings, "eight")
    assert train.work(target) == "done"
    assert target.status().note == "", "it took the whole batch at a time"
    most, counted = (torch.cuda.max_memory_allocated() - kept) / 1e9, memory.step_bytes(settings) / 1e9
    with capsys.disabled():
        print(f"\nart at {size} px: {most:.2f} GB of the card in use at once, {counted:.2f} counted")


def test_a_small_card_is_forecast_and_trained_in_a_precision_of_its_own_choice(small_card, tmp_path):
    settings = presets.for_dataset(presets.preset("art"), 256, 3)
    settings = dataclasses.replace(settings, device="cuda", kimg=0.064 * 6)
    made_store("made", 256, 3, 300)
    settings = dataclasses.replace(settings, dataset="made", dataset_hash="made")
    small_card(6.8e9)
    assert trial.measure(settings, tmp_path).fits
    target = launch.create(settings, "auto")
    assert train.work(target) == "done" and target.status().note == ""


def test_a_forecast_is_measured_on_the_card(tmp_path):
    settings = dataclasses.replace(recipes()["art"], kimg=100.0)
    found = trial.measure(settings, tmp_path)
    assert isinstance(found, forecast.Forecast) and found.device == "cuda"
    assert found.images_per_second > 100 and found.memory_free > found.memory > 0


def test_the_card_is_what_a_training_takes_by_itself(ganart):
    assert devices.pick("auto") == "cuda" and devices.here("cuda").startswith("cuda ")
    made_store("made", 32, 3, 500)
    answer = ganart("train", "made", "--kimg", "0.64", "--name", "own")
    assert answer.status == 0, answer.err
    made = run.find_run("own")
    assert made.config().device == "cuda" and made.config().preset == "art"
    assert made.status().device == "cuda" and made.status().state == "done"
