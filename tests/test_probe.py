"""What is tried before a run: precision, and whether the device can make a whole step."""

import dataclasses
import time

import pytest
import torch

from ganart import batches, devices, graph, presets, probe, training


def test_a_given_precision_is_not_measured(settings):
    assert probe.faster_dtype(dataclasses.replace(settings, dtype="bfloat16")) == "bfloat16"
    assert probe.faster_dtype(dataclasses.replace(settings, dtype="float32")) == "float32"


def test_without_bfloat16_nothing_is_measured(settings, monkeypatch):
    monkeypatch.setattr(devices, "may_like_bfloat16", lambda device: False)
    monkeypatch.setattr(graph, "train_step", None)
    assert probe.faster_dtype(dataclasses.replace(settings, dtype="auto")) == "float32"


def test_a_precision_that_is_far_slower_is_tried_once(settings, monkeypatch):
    """Where it is emulated each step takes long, and a hand on Stop waits for it."""
    tried = []

    def step(training, settings, batch, dtype) -> torch.Tensor:
        tried.append(dtype)
        time.sleep(0.5 if dtype == "bfloat16" else 0.01)
        return torch.zeros(1)

    monkeypatch.setattr(devices, "may_like_bfloat16", lambda device: True)
    monkeypatch.setattr(graph, "train_step", step)
    assert probe.faster_dtype(dataclasses.replace(settings, dtype="auto")) == "float32"
    assert tried == ["float32"] * 4 + ["bfloat16"]


def on_card(settings, monkeypatch, make_step) -> str:
    """What is chosen on a card whose steps `make_step(settings, dtype)` makes."""
    monkeypatch.setattr(devices, "may_like_bfloat16", lambda device: True)
    monkeypatch.setattr(probe, "build", lambda settings, choices: None)
    monkeypatch.setattr(probe, "trial_batch", lambda settings: None)
    monkeypatch.setattr(graph, "stepper", lambda training, settings, dtype: make_step(settings, dtype))
    return probe.faster_dtype(dataclasses.replace(settings, dtype="auto", device="cuda", batch=96))


def test_on_a_card_whole_steps_are_measured_as_a_training_makes_them(settings, monkeypatch):
    tried = []

    def make_step(settings, dtype):
        def step(batch) -> torch.Tensor:
            tried.append((dtype, settings.batch))
            # A first one is slow there: it chooses among kernels, and is recorded.
            first = tried.count((dtype, settings.batch)) == 1
            time.sleep(0.3 if first and dtype == "bfloat16" else 0.03 if dtype == "float32" else 0.01)
            return torch.zeros(1)

        return step

    assert on_card(settings, monkeypatch, make_step) == "bfloat16"
    assert tried == [("float32", 96)] * 4 + [("bfloat16", 96)] * 4


def test_a_card_too_small_for_float32_takes_bfloat16(settings, monkeypatch):
    def make_step(settings, dtype):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    assert on_card(settings, monkeypatch, make_step) == "bfloat16"


@pytest.mark.parametrize("name", presets.PRESETS)
def test_the_trial_batch_fits_every_preset(name, settings):
    """It has what a real batch of that recipe has, in the same forms."""
    digits = name.startswith("mnist-")
    chosen = presets.for_dataset(presets.preset(name), 28 if digits else 32, 1 if digits else 3, width=4)
    chosen = dataclasses.replace(chosen, batch=8, device="cpu")
    trial = probe.trial_batch(chosen)
    figures = training.train_step(training.build(chosen, {}), chosen, trial, "float32")
    assert figures.shape == (len(training.FIGURES),) and figures.isfinite().all()


@pytest.mark.parametrize("penalty", ["exact", "approximate"])
def test_the_trial_batch_has_the_shapes_of_a_real_one(store, settings, penalty):
    networks = dataclasses.replace(settings.networks, d_norm="none")
    rich = dataclasses.replace(settings, networks=networks, loss="rpgan", gamma=1.0, penalty=penalty)
    rich = dataclasses.replace(rich, augment="steered", fresh_noise=True)
    real = batches.draw(batches.Pictures(dataclasses.replace(store, held_out=6), "cpu"), rich, 0)
    trial = probe.trial_batch(rich)
    for field in dataclasses.fields(real):
        one, other = getattr(real, field.name), getattr(trial, field.name)
        if isinstance(one, torch.Tensor):
            assert one.shape == other.shape and one.dtype == other.dtype, field.name
        else:
            assert one == other, field.name


def test_the_probe_leaves_no_trace_in_a_later_training(store, settings):
    pictures = batches.Pictures(store, "cpu")
    plain = training.build(settings, {})
    probe.faster_dtype(dataclasses.replace(settings, dtype="auto"))
    probed = training.build(settings, {})
    batch = batches.draw(pictures, settings, 0)
    one, other = (training.train_step(state, settings, batch, "float32") for state in (plain, probed))
    assert torch.equal(one, other)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="the device is there")
def test_a_device_that_cannot_make_the_step_hands_over_to_the_processor(settings):
    device, note = probe.working_device(dataclasses.replace(settings, device="mps"))
    assert device == "cpu" and note.startswith("Apple's graphics cannot do this recipe (") and "\n" not in note
    assert note.endswith("so it trains on the processor.")


def test_only_cuda_is_tuned(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    before = torch.get_float32_matmul_precision()
    devices.tune("cpu")
    devices.tune("mps")
    assert not torch.backends.cudnn.benchmark and torch.get_float32_matmul_precision() == before
    try:
        devices.tune("cuda")
        assert torch.backends.cudnn.benchmark and torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


def test_other_devices_are_taken_at_their_word(settings):
    assert probe.working_device(settings) == ("cpu", "")
    assert probe.working_device(dataclasses.replace(settings, device="cuda")) == ("cuda", "")
