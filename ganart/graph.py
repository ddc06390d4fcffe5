"""The step as CUDA graphs: recorded, then replayed whole, where Python would launch hundreds of small kernels at
every step. `stepper` gives the way that fits the device.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ganart import devices
from ganart.batches import Batch
from ganart.config import TrainConfig
from ganart.training import Training, finish, set_rate, train_step, update

WARM_UP = 3  # steps before a recording, in which libraries choose their kernels and optimisers make their state
ROOM = 1.5  # of a step's own memory must be free for a recording: one that runs out of it cannot be undone

Work = Callable[[], Tensor]
Record = Callable[[list[Work], int], list[Work]]


def stepper(training: Training, settings: TrainConfig, dtype: str) -> Callable[[Batch], Tensor]:
    """What makes one step of a batch -> FIGURES: recorded on CUDA, else step by step.

    Dropout draws its masks in the middle of a step, which a recording cannot: that recipe goes step by step. So
    does a run whose card once refused to record, which its choices say.
    """
    if settings.device == "cuda" and not settings.networks.d_dropout and not training.choices.get("plain"):
        return Recorded(training, settings, dtype, record_cuda)
    return functools.partial(train_step, training, settings, dtype=dtype)


def record_cuda(works: list[Work], needed: int) -> list[Work]:
    """Record each -> what does it again on the same memory and returns its result, which stays in place.

    All share the memory of what they make on the way, since only one is at work at a time: four forms of a step
    take no more than the largest. needed: what that takes, in bytes; where the card has too little, the works
    are returned as they are. Raises RecordingError.
    """
    if devices.free_memory("cuda") < ROOM * needed:
        return works
    pool = torch.cuda.graph_pool_handle()
    try:
        return [_record_one(work, pool) for work in works]
    except RuntimeError as error:
        raise RecordingError("The graphics card does not record the steps of this training.") from error


def _record_one(work: Work, pool: Any) -> Work:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        result = work()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


class RecordingError(RuntimeError):
    """The card refused to record a step. This process can do nothing more with it."""


class Recorded:
    """`train_step` for one Training, by recordings: one for each form of step.

    A recording reads and writes fixed memory. Each batch is copied into that of its form, and whoever loads
    weights or optimiser states has to copy them in place, as `Training.load` does.
    """

    def __init__(self, training: Training, settings: TrainConfig, dtype: str, record: Record) -> None:
        self.training, self.settings, self.dtype, self.record = training, settings, dtype, record
        self.needed = 0
        self.inputs: dict[tuple[bool, bool], Batch] = {}
        self.recordings: dict[tuple[bool, bool], Work] = {}

    def __call__(self, batch: Batch) -> Tensor:
        set_rate(self.training, self.settings)
        if batch.form not in self.recordings:
            self._learn(batch)
        _copy(self.inputs[batch.form], batch)
        figures = self.recordings[batch.form]().clone()
        finish(self.training, self.settings)
        return figures

    def _learn(self, batch: Batch) -> None:
        """Record a form that comes for the first time, and the others anew: they are given up before, so that
        their memory is there for the steps of the warm-up."""
        self.recordings.clear()
        for optimiser in (self.training.opt_D, self.training.opt_G):
            optimiser.zero_grad(set_to_none=True)
        clones: dict[str, Any] = {name: tensor.clone() for name, tensor in _tensors(batch)}
        self.inputs[batch.form] = dataclasses.replace(batch, **clones)
        self.needed = max(self.needed, self._warm_up(self._work(self.inputs[batch.form])))
        works = [self._work(inputs) for inputs in self.inputs.values()]
        self.recordings = dict(zip(self.inputs, self.record(works, self.needed), strict=True))

    def _work(self, inputs: Batch) -> Work:
        return functools.partial(update, self.training, self.settings, inputs, self.dtype)

    def _warm_up(self, work: Work) -> int:
        """Do the work a few times and undo it -> the bytes that it takes on the way, 0 where nobody counts."""
        before = [(tensor, tensor.clone()) for tensor in _state(self.training)]
        stream = torch.cuda.Stream() if self.settings.device == "cuda" else None
        if stream is not None:
            stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                start = _start_counting() if stream is not None else 0
                work()
        if stream is not None:
            torch.cuda.current_stream().wait_stream(stream)
        _take_back(self.training, before)
        return torch.cuda.max_memory_allocated() - start if stream is not None else 0


def _start_counting() -> int:
    """The card's memory in use, from which its peak counts anew."""
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def _tensors(batch: Batch) -> Iterator[tuple[str, Tensor]]:
    for field in dataclasses.fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor):
            yield field.name, value


def _copy(inputs: Batch, batch: Batch) -> None:
    for name, tensor in _tensors(batch):
        getattr(inputs, name).copy_(tensor, non_blocking=True)


def _state(training: Training) -> Iterator[Tensor]:
    """All that `update` changes."""
    for network in (training.G, training.D):
        yield from (tensor.detach() for tensor in (*network.parameters(), *network.buffers()))
    yield from (training.steering, training.norms)
    for optimiser in (training.opt_G, training.opt_D):
        for values in optimiser.state.values():
            yield from values.values()


@torch.no_grad()
def _take_back(training: Training, before: list[tuple[Tensor, Tensor]]) -> None:
    """Undo the steps of the warm-up. Adam's state that came up with them starts at zero."""
    known = {tensor.data_ptr() for tensor, _ in before}
    for tensor in _state(training):
        if tensor.data_ptr() not in known:
            tensor.zero_()
    for tensor, value in before:
        tensor.copy_(value)
