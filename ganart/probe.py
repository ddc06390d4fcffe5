"""What is tried once, before a run's first step: which precision is faster, what the device can do."""

import dataclasses
import math
import time

import torch

from ganart import batches, devices
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


def faster_dtype(settings: TrainConfig) -> str:
    """ "bfloat16" where three small steps are at least a tenth faster in it than in float32."""
    if settings.dtype != "auto":
        return settings.dtype
    if not devices.may_like_bfloat16(settings.device):
        return "float32"
    together = settings.networks.pack * max(1, settings.networks.d_stddev)
    small = dataclasses.replace(settings, batch=min(settings.batch, max(32 // together, 1) * together))
    batch = trial_batch(small)
    seconds: dict[str, float] = {}
    for dtype in ("float32", "bfloat16"):
        training, timings = build(small, {}), []
        for _ in range(4):
            start = time.perf_counter()
            train_step(training, small, batch, dtype)[0].item()
            timings.append(time.perf_counter() - start)
            # On a card a first step chooses among kernels.
            if settings.device != "cuda" and timings[-1] > 4 * seconds.get("float32", math.inf):
                return "float32"  # far off, even for a first step, and each takes long
        seconds[dtype] = min(timings[1:])
    return "bfloat16" if seconds["bfloat16"] < 0.9 * seconds["float32"] else "float32"


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
