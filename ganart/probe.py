"""What is tried once, before a run's first step: which precision is faster, what the device can do."""

import dataclasses
import math
import time

import torch

from ganart import batches, devices, graph
from ganart.batches import Batch
from ganart.config import TrainConfig
from ganart.training import build, train_step


def trial_batch(settings: TrainConfig) -> Batch:
    """A batch of noise in the form of a step that does everything its recipe can ask for."""
    networks, count = settings.networks, settings.batch
    augmented = settings.augment != "off"
    ones = torch.ones(2 * count, 12, device=settings.device) / 2
    real = torch.zeros(count, networks.channels, networks.size, networks.size, device=settings.device)
    real = real.contiguous(memory_format=torch.channels_last)
    approximate = settings.gamma > 0 and settings.penalty == "approximate"
    return Batch(
        real=real,
        z=batches.sample_z(settings, "trial", 0),
        z_G=batches.sample_z(settings, "trial", 1) if settings.fresh_noise else None,
        draws_D=ones if augmented else None,
        draws_G=ones if augmented else None,
        signs=torch.cat([real, real]) + 1 if approximate else None,
        held_out=real if settings.augment == "steered" else None,
        gamma=torch.tensor(settings.gamma, device=settings.device) if settings.gamma else None,
        steered=settings.augment == "steered",
    )


def faster_dtype(settings: TrainConfig, plain: bool = False) -> str:
    """ "bfloat16" where three steps are at least a tenth faster in it than in float32: small ones, on a card whole
    ones, recorded, since there a step that Python launches takes as long in either.

    plain: nothing is to be recorded.
    """
    if settings.dtype != "auto":
        return settings.dtype
    if not devices.may_like_bfloat16(settings.device):
        return "float32"
    if settings.device != "cuda":
        together = settings.networks.pack * max(1, settings.networks.d_stddev)
        settings = dataclasses.replace(settings, batch=min(settings.batch, max(32 // together, 1) * together))
    try:
        slow = _seconds(settings, "float32", plain)
        return "bfloat16" if _seconds(settings, "bfloat16", plain, 4 * slow) < 0.9 * slow else "float32"
    except Exception as error:
        if isinstance(error, graph.RecordingError) or not devices.is_memory(error):
            raise
        return "bfloat16"  # takes half the memory


def _seconds(settings: TrainConfig, dtype: str, plain: bool, patience: float = math.inf) -> float:
    """The fastest of some steps, as a training makes them; one that takes longer than `patience` is the last one,
    but for the first on a card, which chooses among kernels."""
    step = graph.stepper(build(settings, {"plain": True} if plain else {}), settings, dtype)
    batch = trial_batch(settings)
    timings: list[float] = []
    for _ in range(4):
        start = time.perf_counter()
        step(batch)[0].item()
        timings.append(time.perf_counter() - start)
        if timings[-1] > patience and (settings.device != "cuda" or len(timings) > 1):
            return timings[-1]
    return min(timings[1:])


def working_device(settings: TrainConfig) -> tuple[str, str]:
    """The device that can make a whole step of this recipe, and a sentence where it is not the one asked for.

    PyTorch on Apple's chips lacks an operation here and there; the processor has all of them.
    """
    if settings.device != "mps":
        return settings.device, ""
    try:
        small = dataclasses.replace(settings, batch=settings.networks.pack * max(2, settings.networks.d_stddev))
        train_step(build(small, {}), small, trial_batch(small), "float32").tolist()
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        return "cpu", f"Apple's graphics cannot do this recipe ({reason}), so it trains on the processor."
    return "mps", ""
