"""How much memory a training step takes, counted instead of tried: for a card that is not there."""

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from ganart import probe
from ganart.config import TrainConfig
from ganart.training import Training, build, train_step


class Peak(TorchDispatchMode):
    """Counts the bytes of all tensors made within it: `now` in use, and `peak`, the most at any time."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else all of torch.compile is loaded, though nothing is compiled here (see `adam`)

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._count, result)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self.known:
            size = storage.nbytes()
            self.known[storage] = size
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size


def _make_moments(training: Training) -> None:
    """Give both optimisers the state that they would make only in their first step."""
    for network, optimiser in ((training.G, training.opt_G), (training.D, training.opt_D)):
        for parameter in network.parameters():
            moments = {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
            optimiser.state[parameter] = {"step": torch.zeros(()), **moments}


def step_bytes(settings: TrainConfig, dtype: str = "bfloat16") -> int:
    """Peak memory in bytes of one step with networks, optimisers and gradients, without what the device's own
    libraries need beside.

    Two small steps are made on the processor; what they take grows in proportion with the batch.
    """
    together = settings.networks.pack * max(1, settings.networks.d_stddev)
    few = max(2, together)
    peaks = []
    for batch in (few, 2 * few):
        small = dataclasses.replace(settings, batch=batch, device="cpu")
        with Peak() as counted:
            training = build(small, {})
            _make_moments(training)
            train_step(training, small, probe.trial_batch(small), dtype)
        peaks.append(counted.peak)
    each = (peaks[1] - peaks[0]) / few
    return round(peaks[0] + each * (settings.batch - few))
