"""What changes while training, and the step that changes it.

Imported by the process that trains, never by the pages.
"""

import copy
import dataclasses
import functools
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganart import checkpoint, devices, ema, images, losses
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.networks import Discriminator, Generator, initialise
from ganart.randomness import generator

BATCHNORM_BATCHES = 8
ON_DEVICE_BYTES = 2_000_000_000  # a store up to this size is moved whole to where the networks are
FIGURES = ("loss_D", "loss_G", "D_real", "D_fake")


# --- randomness: everything that a step draws is a function of (seed, step)


@functools.lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return generator(seed, "epoch", epoch).permutation(count)


def batch_indices(seed: int, step: int, count: int, batch: int) -> np.ndarray:
    """Which of `count` pictures step number `step` sees -> (batch,) int64.

    Each epoch is a permutation of its own; the short batch at its end is dropped. With fewer pictures than
    the batch, indices run on across permutations, so that every picture is seen equally often.
    """
    if count >= batch:
        epoch, position = divmod(step, count // batch)
        return _permutation(seed, epoch, count)[position * batch : (position + 1) * batch]
    places = np.arange(step * batch, (step + 1) * batch)
    return np.array([_permutation(seed, place // count, count)[place % count] for place in places])


def _z(settings: TrainConfig, stream: str, step: int, device: str) -> Tensor:
    shape = (settings.batch, settings.networks.z_dim)
    z = generator(settings.seed, stream, step).standard_normal(shape, np.float32)
    return torch.from_numpy(z).to(device, non_blocking=True)


class Pictures:
    """The training pictures of a store, ready to be drawn in batches on the device."""

    def __init__(self, store: Dataset, device: str) -> None:
        pictures = store.images()[: store.training]
        small = pictures.nbytes <= ON_DEVICE_BYTES
        self.device = device
        self.data = torch.from_numpy(np.array(pictures)).to(device) if small else pictures
        self.count = len(pictures)

    def batch(self, settings: TrainConfig, step: int) -> Tensor:
        """float32 (batch, C, S, S) in [-1, 1], half of them mirrored where the settings say so."""
        indices = batch_indices(settings.seed, step, self.count, settings.batch)
        if isinstance(self.data, Tensor):
            chosen = self.data[torch.from_numpy(indices).to(self.device)]
        else:
            chosen = torch.from_numpy(self.data[indices]).to(self.device)
        real = images.to_float(chosen)
        if settings.flip:
            mirrored = generator(settings.seed, "flip", step).random(settings.batch) < 0.5
            real = torch.where(torch.from_numpy(mirrored).to(self.device)[:, None, None, None], real.flip(3), real)
        return real


# --- what changes while training


@dataclass
class Training:
    """Networks, optimisers and the step they are at. `choices` are what was measured once and then stays:
    dtype and threads, without which a resumed run would not be the same run."""

    G: Generator
    D: Discriminator
    G_ema: Generator | None
    opt_G: torch.optim.Adam
    opt_D: torch.optim.Adam
    step: int
    choices: dict

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, by name."""
        tensors = checkpoint.named("G", self.G) | checkpoint.named("D", self.D)
        if self.G_ema is not None:
            tensors |= checkpoint.named("G_ema", self.G_ema)
        for name, network, optimiser in (("G", self.G, self.opt_G), ("D", self.D, self.opt_D)):
            for index, parameter in enumerate(network.parameters()):
                for key, value in optimiser.state[parameter].items():
                    tensors[f"adam.{name}.{index}.{key}"] = value.detach().cpu().contiguous()
        return tensors

    def load(self, tensors: dict[str, Tensor], step: int) -> None:
        """Take over the values of `tensors()` of another time."""
        checkpoint.load_named(self.G, "G", tensors)
        checkpoint.load_named(self.D, "D", tensors)
        if self.G_ema is not None:
            checkpoint.load_named(self.G_ema, "G_ema", tensors)
        for name, network, optimiser in (("G", self.G, self.opt_G), ("D", self.D, self.opt_D)):
            for index, parameter in enumerate(network.parameters()):
                start = f"adam.{name}.{index}."
                for key in [k for k in tensors if k.startswith(start)]:
                    value = tensors[key]
                    if value.shape == parameter.shape:  # the moments lie in memory as the parameter does
                        value = torch.empty_like(parameter, requires_grad=False).copy_(value)
                    optimiser.state[parameter][key[len(start) :]] = value.to(parameter.device)
        self.step = step

    def finite(self) -> bool:
        """Whether all weights are finite numbers."""
        weights = [*self.G.parameters(), *self.D.parameters()]
        return all(bool(weight.isfinite().all()) for weight in weights)


def build(settings: TrainConfig, choices: dict) -> Training:
    """Networks and optimisers at step 0, drawn from the seed, on the device of the settings."""
    source = torch.Generator().manual_seed(int(generator(settings.seed, "init").integers(2**32)))
    G, D = Generator(settings.networks), Discriminator(settings.networks)
    plain_D = settings.init == "normal" and settings.networks.d_norm == "none"
    initialise(G, settings.init, source)
    initialise(D, "he" if plain_D else settings.init, source)
    for network in (G, D):
        network.to(settings.device, memory_format=torch.channels_last).train()
    G_ema = copy.deepcopy(G).requires_grad_(False) if settings.ema_half_life else None
    adam = functools.partial(
        torch.optim.Adam,
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        fused=settings.device != "mps",
    )
    return Training(G, D, G_ema, adam(G.parameters()), adam(D.parameters()), 0, choices)


def _autocast(settings: TrainConfig, dtype: str) -> torch.autocast:
    # One context for each network pass: the weights that a context has cast are stale after an update.
    return torch.autocast(settings.device, torch.bfloat16, enabled=dtype == "bfloat16")


def train_step(training: Training, settings: TrainConfig, real: Tensor, dtype: str) -> Tensor:
    """One update of D and one of G -> the step's FIGURES, (4,) float32, still on the device.

    real: (batch, C, S, S) in [-1, 1]. The step's noise is drawn by its number.
    """
    G, D, step, device = training.G, training.D, training.step, settings.device
    dropout = generator(settings.seed, "dropout", step) if settings.networks.d_dropout else None
    precision = functools.partial(_autocast, settings, dtype)

    # Update D on real pictures and fakes.
    with torch.set_grad_enabled(not settings.fresh_noise), precision():
        fake = G(_z(settings, "z-D", step, device))
    if settings.networks.d_norm == "batch":  # statistics of real and fake must not mix
        with precision():
            real_logits, fake_logits = D(real, dropout), D(fake.detach(), dropout)
        penalty = 0.0
    else:
        both = torch.cat([real, fake.detach().to(real.dtype)]).requires_grad_(settings.gamma > 0)
        with precision():
            logits = D(both, dropout)
        real_logits, fake_logits = logits.split(len(real))
        # The mean over both halves is half of R1 plus R2.
        penalty = losses.gradient_penalty(logits, both, 2 * settings.gamma) if settings.gamma else 0.0
    if settings.loss == "rpgan":
        loss_D = losses.rpgan_D(real_logits, fake_logits)
    else:
        loss_D = losses.bce_D(real_logits, fake_logits)
    training.opt_D.zero_grad(set_to_none=True)
    (loss_D + penalty).backward()
    training.opt_D.step()

    # Update G through the new D, whose own weights need no gradient here.
    D.requires_grad_(False)
    if settings.fresh_noise:
        with precision():
            fake = G(_z(settings, "z-G", step, device))
    with precision():
        if settings.loss == "rpgan":
            loss_G = losses.rpgan_G(D(real, dropout), D(fake, dropout))
        else:
            loss_G = losses.bce_G(D(fake, dropout))
    training.opt_G.zero_grad(set_to_none=True)
    loss_G.backward()
    training.opt_G.step()
    D.requires_grad_(True)

    training.step += 1
    if training.G_ema is not None:
        seen = training.step * settings.batch
        ema.update(training.G_ema, G, ema.decay(settings.batch, settings.ema_half_life * 1000, seen))
    return torch.stack([loss_D.detach(), loss_G.detach(), *_beliefs(settings, real_logits, fake_logits)])


def _beliefs(settings: TrainConfig, real_logits: Tensor, fake_logits: Tensor) -> list[Tensor]:
    """How real D takes the real pictures and the fakes to be on average, 0 … 1 each. Under "rpgan" only
    differences of logits mean anything, so they are taken from the middle of both kinds."""
    real, fake = real_logits.detach().float(), fake_logits.detach().float()
    middle = (real.mean() + fake.mean()) / 2 if settings.loss == "rpgan" else 0.0
    return [torch.sigmoid(real - middle).mean(), torch.sigmoid(fake - middle).mean()]


def faster_dtype(settings: TrainConfig) -> str:
    """ "bfloat16" where three small steps are at least a tenth faster in it than in float32."""
    if settings.dtype != "auto":
        return settings.dtype
    if not devices.may_like_bfloat16(settings.device):
        return "float32"
    small = dataclasses.replace(settings, batch=min(settings.batch, 32))
    networks = settings.networks
    real = torch.zeros(small.batch, networks.channels, networks.size, networks.size, device=settings.device)
    real = real.contiguous(memory_format=torch.channels_last)
    seconds = {}
    for dtype in ("float32", "bfloat16"):
        training, timings = build(small, {}), []
        for _ in range(4):
            start = time.perf_counter()
            train_step(training, small, real, dtype)[0].item()
            timings.append(time.perf_counter() - start)
        seconds[dtype] = min(timings[1:])
    return "bfloat16" if seconds["bfloat16"] < 0.9 * seconds["float32"] else "float32"


def sampling_generator(training: Training, settings: TrainConfig) -> Generator:
    """The G that draws sheets and is saved as the model, in eval mode: the average with BatchNorm statistics
    of its own where there is one, else a copy of G."""
    if training.G_ema is None:
        return copy.deepcopy(training.G).eval().requires_grad_(False)
    draw = functools.partial(_z, settings, "batchnorm", device=settings.device)
    return ema.with_own_batchnorm(training.G_ema, (draw(step=k) for k in range(BATCHNORM_BATCHES)))
