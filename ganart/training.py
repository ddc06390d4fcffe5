"""What changes while training, and the step that changes it.

Imported by the process that trains, never by the pages.
"""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganart import augment, checkpoint, ema, losses
from ganart.adam import Adam
from ganart.batches import STEER_EVERY, Batch, cosine, sample_z
from ganart.config import TrainConfig
from ganart.networks import Discriminator, Generator, initialise
from ganart.randomness import generator

BATCHNORM_BATCHES = 8
FIGURES = ("loss_D", "loss_G", "D_real", "D_fake", "augment", "overfitting")
DISTANCE = 0.05  # how far the approximate penalty moves each pixel; bfloat16 rounds smaller moves away


@dataclass
class Training:
    """Networks, optimisers and the step they are at.

    steering: (3,), the augmentation's p and the running means it is steered by. choices: what was measured once
    and then stays, dtype, threads and `pieces` of a batch, without which a resumed run would not be the same run;
    `here`, the hardware; `plain`, where a card would not record its steps.
    history: what has happened to the run, as JSON values: `rollbacks`, how often it was taken back because it
    diverged; `best` {step, distance}; `collapsed`, the step at which it was paused for that.
    norms: (2,), how long the last step's gradients of D and G were, -1 before the first: kept by the step itself,
    since the memory of a recorded step's gradients may by now be another one's.
    """

    G: Generator
    D: Discriminator
    G_ema: Generator | None
    opt_G: Adam
    opt_D: Adam
    steering: Tensor
    step: int
    choices: dict
    history: dict
    norms: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, by name."""
        tensors = checkpoint.named("G", self.G) | checkpoint.named("D", self.D)
        tensors["steering"] = self.steering.cpu()
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
        if "steering" in tensors:  # not in states from before there was augmentation
            self.steering.copy_(tensors["steering"])
        for name, network, optimiser in (("G", self.G, self.opt_G), ("D", self.D, self.opt_D)):
            for index, parameter in enumerate(network.parameters()):
                start = f"adam.{name}.{index}."
                for key in [k for k in tensors if k.startswith(start)]:
                    values, kind = optimiser.state[parameter], key[len(start) :]
                    if kind in values:  # in place, since a recorded step reads this very memory
                        values[kind].copy_(tensors[key])
                    elif tensors[key].shape == parameter.shape:  # the moments lie as the parameter does
                        values[kind] = torch.empty_like(parameter, requires_grad=False).copy_(tensors[key])
                    else:  # Adam's count of steps, on the device only where it works without looking at it
                        of_all = optimiser.param_groups[0]
                        there = of_all.get("capturable") or of_all.get("fused")
                        values[kind] = tensors[key].to(parameter.device if there else "cpu")
        self.step = step

    def finite(self) -> bool:
        """Whether all that `tensors` holds are finite numbers."""
        networks = [network for network in (self.G, self.D, self.G_ema) if network is not None]
        moments = [kept for optimiser in (self.opt_G, self.opt_D) for kept in optimiser.state.values()]
        return are_finite(*(network.state_dict() for network in networks), *moments, {"steering": self.steering})


def are_finite(*tensors: dict[str, Tensor]) -> bool:
    """Whether these hold no NaN and nothing infinite."""
    return all(bool(tensor.isfinite().all()) for some in tensors for tensor in some.values())


def build(settings: TrainConfig, choices: dict, history: dict | None = None) -> Training:
    """Networks and optimisers at step 0, drawn from the seed, on the device of the settings."""
    source = torch.Generator().manual_seed(int(generator(settings.seed, "init").integers(2**32)))
    G, D = Generator(settings.networks), Discriminator(settings.networks)
    # N(0, 0.02) needs BatchNorm behind it; without, the signal would die out.
    inits = {"batch": settings.init, "none": "he", "spectral": "he"} if settings.init == "normal" else {}
    initialise(G, inits.get(settings.networks.g_norm, settings.init), source)
    initialise(D, inits.get(settings.networks.d_norm, settings.init), source)
    for network in (G, D):
        network.to(settings.device).to(memory_format=torch.channels_last).train()
    G_ema = copy.deepcopy(G).requires_grad_(False) if settings.ema_half_life else None
    captured = settings.device == "cuda"  # a CUDA graph reads the rate from the card's memory
    adam = functools.partial(
        Adam,
        betas=(settings.beta1, settings.beta2),
        fused=settings.device != "mps",
        capturable=captured,
    )
    opt_G, opt_D = (
        adam(network.parameters(), lr=torch.tensor(settings.lr, device="cuda") if captured else settings.lr)
        for network in (G, D)
    )
    full = float(settings.augment == "full")
    steering = torch.tensor([full, 0.0, 0.0], device=settings.device)
    norms = torch.full((2,), -1.0, device=settings.device)
    return Training(G, D, G_ema, opt_G, opt_D, steering, 0, choices, history or {}, norms)


def _autocast(settings: TrainConfig, dtype: str) -> torch.autocast:
    # One context for each network pass: the weights that a context has cast are stale after an update.
    return torch.autocast(settings.device, torch.bfloat16, enabled=dtype == "bfloat16")


def train_step(training: Training, settings: TrainConfig, batch: Batch, dtype: str) -> Tensor:
    """One update of D, of G and of the average -> the step's FIGURES, (6,) float32, still on the device."""
    set_rate(training, settings)
    figures = update(training, settings, batch, dtype)
    finish(training, settings)
    return figures


def set_rate(training: Training, settings: TrainConfig) -> None:
    """Give both optimisers the learning rate of the step that comes."""
    if settings.lr_end == 1:
        return
    rate = settings.lr * cosine(settings.lr_end, training.step, settings.total_steps)
    for optimiser in (training.opt_G, training.opt_D):
        for group in optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate


def finish(training: Training, settings: TrainConfig) -> None:
    """Count the step and move the average."""
    training.step += 1
    if training.G_ema is not None:
        seen = training.step * settings.batch
        weight = ema.decay(settings.batch, settings.ema_half_life * 1000, seen)
        ema.update(training.G_ema, training.G, weight)


def update(training: Training, settings: TrainConfig, batch: Batch, dtype: str) -> Tensor:
    """One update of D and one of G -> FIGURES. It reads and writes tensors alone and never waits for the device,
    so that a CUDA graph can hold it; dropout, whose masks are drawn on the way, is the exception.

    Where the device cannot hold a whole batch it goes through in `pieces`, whose gradients add up.
    """
    G, D = training.G, training.D
    dropout = generator(settings.seed, "dropout", training.step) if settings.networks.d_dropout else None
    precision = functools.partial(_autocast, settings, dtype)
    pieces = batch.split(training.choices.get("pieces", 1))
    seen = _augmentation(training, settings)
    _, of_G = _losses(settings)
    reuse = not settings.fresh_noise and len(pieces) == 1  # of a piece's fakes only the last would be there still

    # Update D on real pictures and fakes.
    training.opt_D.zero_grad(set_to_none=True)
    losses_D, logits_D = [], []
    for piece in pieces:
        with torch.set_grad_enabled(reuse), precision():
            fake = G(piece.z)
        loss, penalty, logits = _judge(training, settings, piece, fake.detach(), dropout, precision)
        ((loss + penalty) / len(pieces)).backward()
        losses_D.append(loss.detach())
        logits_D.append(logits.detach().chunk(2))
    real_logits, fake_logits = (torch.cat(kind) for kind in zip(*logits_D, strict=True))
    if batch.steered:  # by the D that gave these logits: its step moves all of them, by more than they lie apart
        _steer(training, settings, batch, (real_logits, fake_logits), dropout, precision)
    training.opt_D.step()

    # Update G through the new D, whose own weights need no gradient here.
    D.requires_grad_(False)
    training.opt_G.zero_grad(set_to_none=True)
    losses_G = []
    for piece in pieces:
        if not reuse:
            with precision():
                fake = G(piece.z_G if settings.fresh_noise else piece.z)
        draws_fake, draws_real = piece.draws_G.chunk(2) if piece.draws_G is not None else (None, None)
        with precision():
            judged = D(seen(fake, draws_fake), dropout)
            rivals = D(seen(piece.real, draws_real), dropout) if settings.loss == "rpgan" else None
        loss_G = of_G(rivals, judged)
        (loss_G / len(pieces)).backward()
        losses_G.append(loss_G.detach())
    training.opt_G.step()
    D.requires_grad_(True)
    training.norms.copy_(torch.stack([_gradient_norm(D), _gradient_norm(G)]))

    beliefs = _beliefs(settings, real_logits, fake_logits)
    overfitting = augment.ratio(training.steering[1:])
    means = (torch.stack(some).mean() for some in (losses_D, losses_G))
    return torch.stack([*means, *beliefs, training.steering[0], overfitting])


def _judge(
    training: Training,
    settings: TrainConfig,
    batch: Batch,
    fake: Tensor,
    dropout: np.random.Generator | None,
    precision: Callable[[], torch.autocast],
) -> tuple[Tensor, Tensor | float, Tensor]:
    """D's loss on real pictures and fakes, its penalty, and the logits of both, real ones first."""
    D, size = training.D, len(batch.real)
    seen = _augmentation(training, settings)
    of_D, _ = _losses(settings)
    both = torch.cat([batch.real, fake.to(batch.real.dtype)])
    both.requires_grad_(batch.gamma is not None and settings.penalty == "exact")
    shown = seen(both, batch.draws_D)
    # Its next masks once more, for pictures that are moved: dropout is no slope.
    again = copy.deepcopy(dropout) if settings.penalty == "approximate" else None
    if settings.networks.d_norm == "batch":  # statistics of real and fake must not mix
        with precision():
            logits = torch.cat([D(shown[:size], dropout), D(shown[size:], dropout)])
    else:
        with precision():
            logits = D(shown, dropout)
    penalty: Tensor | float = 0.0
    # The mean over real pictures and fakes together is half of R1 plus R2.
    if batch.gamma is not None and settings.penalty == "exact":
        penalty = losses.gradient_penalty(logits, both, 2 * batch.gamma)
    elif batch.gamma is not None:
        assert batch.signs is not None  # drawn for this penalty
        moved = seen(both + DISTANCE * batch.signs, batch.draws_D)
        with precision():
            penalty = losses.approximate_penalty(logits, D(moved, again), DISTANCE, 2 * batch.gamma)
    return of_D(*logits.chunk(2)), penalty, logits


def _losses(settings: TrainConfig) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Loss of D from (real, fake) logits, loss of G from (real or None, fake)."""
    if settings.loss == "rpgan":
        return losses.rpgan_D, losses.rpgan_G
    if settings.loss == "hinge":
        return losses.hinge_D, lambda _, fake: losses.hinge_G(fake)
    return losses.bce_D, lambda _, fake: losses.bce_G(fake)


def _augmentation(training: Training, settings: TrainConfig) -> Callable[[Tensor, Tensor | None], Tensor]:
    """What becomes of pictures on their way into D."""
    if settings.augment == "off":
        return lambda pictures, _: pictures

    def augmented(pictures: Tensor, draws: Tensor | None) -> Tensor:
        assert draws is not None  # only without augmentation there are none
        return augment.augment(pictures.float(), draws, training.steering[0], settings.augment_ops)

    return augmented


def _gradient_norm(network: Generator | Discriminator) -> Tensor:
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return torch.stack(torch._foreach_norm(gradients)).norm()


@torch.no_grad()
def _steer(
    training: Training,
    settings: TrainConfig,
    batch: Batch,
    logits: tuple[Tensor, Tensor],
    dropout: np.random.Generator | None,
    precision: Callable[[], torch.autocast],
) -> None:
    """Move the augmentation's p by the signs of overfitting of this step."""
    held_out = None
    if batch.held_out is not None:
        assert batch.draws_G is not None  # only without augmentation there are none
        shown = _augmentation(training, settings)(batch.held_out, batch.draws_G[: len(batch.held_out)])
        with precision():
            held_out = training.D(shown, dropout)
    found = augment.overfitting(*logits, held_out)
    target = augment.TARGET["sign" if held_out is None else "held-out"]
    change = STEER_EVERY * settings.batch / (augment.RAMP_KIMG * 1000)
    training.steering.copy_(augment.steer(training.steering, found, target, change))


def _beliefs(settings: TrainConfig, real_logits: Tensor, fake_logits: Tensor) -> list[Tensor]:
    """How real D takes the real pictures and the fakes to be on average, 0 … 1 each. Under "rpgan" only
    differences of logits mean anything, so they are taken from the middle of both kinds."""
    real, fake = real_logits.detach().float(), fake_logits.detach().float()
    middle = (real.mean() + fake.mean()) / 2 if settings.loss == "rpgan" else 0.0
    return [torch.sigmoid(real - middle).mean(), torch.sigmoid(fake - middle).mean()]


def sampling_generator(training: Training, settings: TrainConfig) -> Generator:
    """The G that draws sheets and is saved as the model, in eval mode: the average with BatchNorm statistics
    of its own where there is one, else a copy of G."""
    if training.G_ema is None:
        return copy.deepcopy(training.G).eval().requires_grad_(False)
    return ema.with_own_batchnorm(
        training.G_ema, (sample_z(settings, "batchnorm", k) for k in range(BATCHNORM_BATCHES))
    )
