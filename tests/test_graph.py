"""Everything around the recording of a step, with a recording that simply does the work again."""

import dataclasses
import functools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganart import batches, graph, training


def recipes(settings):
    networks = dataclasses.replace(settings.networks, d_norm="none", d_stddev=4)
    lazy = dataclasses.replace(settings, networks=networks, loss="rpgan", gamma=1.0, penalty_every=3)
    spectral = dataclasses.replace(settings.networks, d_norm="spectral")
    return {
        "batchnorm": settings,
        "two forms of step": dataclasses.replace(lazy, augment="steered", lr_end=0.1, gamma_end=0.1),
        "approximate": dataclasses.replace(lazy, penalty="approximate", fresh_noise=True, ema_half_life=0.0),
        "spectral": dataclasses.replace(settings, networks=spectral, loss="hinge"),
    }


@pytest.mark.parametrize("recipe", ["batchnorm", "two forms of step", "approximate", "spectral"])
def test_recorded_steps_end_bit_for_bit_as_plain_ones(store, settings, recipe):
    chosen = recipes(settings)[recipe]
    pictures = batches.Pictures(store, "cpu")
    plain, recorded = training.build(chosen, {}), training.build(chosen, {})
    made = []

    def record(works, needed):
        made.append(len(works))
        return works

    step = graph.Recorded(recorded, chosen, "float32", record)
    for number in range(10):
        batch = batches.draw(pictures, chosen, number)
        expected = training.train_step(plain, chosen, batch, "float32")
        assert torch.equal(step(batch), expected), number
    one, other = plain.tensors(), recorded.tensors()
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert plain.step == recorded.step == 10
    forms = {batches.draw(pictures, chosen, number).form for number in range(10)}
    assert len(forms) == (4 if recipe == "two forms of step" else 2 if recipe == "approximate" else 1)
    assert made == list(range(1, len(forms) + 1)), "each new form has all of them recorded, in one memory"


class FromHost(TorchDispatchMode):
    """Notes what is brought in from Python's own values: on a card that would be a copy from the host."""

    def __init__(self) -> None:
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.lift_fresh.default, torch.ops.aten._local_scalar_dense.default):
            self.found.append(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("recipe", ["batchnorm", "two forms of step", "approximate", "spectral", "always altered"])
def test_a_step_neither_brings_anything_from_the_host_nor_asks_for_it(store, settings, recipe):
    """A recording on a card fails at the first."""
    always = dataclasses.replace(settings, augment="full")
    chosen = {**recipes(settings), "always altered": always}[recipe]
    pictures, state = batches.Pictures(store, "cpu"), training.build(chosen, {})
    for number in range(2):
        batch = batches.draw(pictures, chosen, number)
        work = functools.partial(training.update, state, chosen, batch, "float32")
        work()  # optimisers make their state
        with FromHost() as noted:
            work()
        assert not noted.found, number


def test_inputs_stay_in_one_place_and_figures_are_copies(store, settings):
    pictures, seen = batches.Pictures(store, "cpu"), []
    state = training.build(settings, {})
    step = graph.Recorded(state, settings, "float32", lambda works, needed: works)
    first = step(batches.draw(pictures, settings, 0))
    kept = first.clone()
    for number in range(1, 4):
        step(batches.draw(pictures, settings, number))
        (inputs,) = step.inputs.values()
        seen.append((inputs.real.data_ptr(), inputs.z.data_ptr()))
        assert torch.equal(inputs.real, batches.draw(pictures, settings, number).real)
    assert len(set(seen)) == 1 and torch.equal(first, kept)


def test_a_loaded_state_is_what_the_recorded_step_goes_on_with(store, settings):
    pictures = batches.Pictures(store, "cpu")
    state, plain = training.build(settings, {}), training.build(settings, {})
    step = graph.Recorded(state, settings, "float32", lambda works, needed: works)
    for number in range(3):
        step(batches.draw(pictures, settings, number))
    kept = {name: value.clone() for name, value in state.tensors().items()}
    step(batches.draw(pictures, settings, 3))
    state.load(kept, 3)
    plain.load(kept, 3)
    batch = batches.draw(pictures, settings, 3)
    assert torch.equal(step(batch), training.train_step(plain, settings, batch, "float32"))


def test_only_cuda_without_dropout_is_recorded(settings):
    state = training.build(settings, {})
    assert isinstance(graph.stepper(state, settings, "float32"), functools.partial)
    on_card = dataclasses.replace(settings, device="cuda")
    recorded = graph.stepper(state, on_card, "float32")
    assert isinstance(recorded, graph.Recorded) and recorded.record is graph.record_cuda
    networks = dataclasses.replace(settings.networks, d_norm="none", d_dropout=0.25)
    article = dataclasses.replace(on_card, networks=networks)
    assert isinstance(graph.stepper(state, article, "float32"), functools.partial)
