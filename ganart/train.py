"""The training loop. `python -m ganart.train RUN_FOLDER` is the trainer process; the pages never import this.

Batch, update D, update G, update the average, report, save, stop if asked.
"""

import copy
import dataclasses
import errno
import functools
import math
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ganart import checkpoint, config, dataset, devices, ema, images, latent, losses, render, run
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.errors import BusyError, GanartError, RunError
from ganart.files import sweep_temporary, write_atomic
from ganart.networks import Discriminator, Generator, initialise
from ganart.randomness import generator
from ganart.run import Run, Status

SHEET_SEEDS = list(range(36))  # the 36 latents of every sheet are those of the seeds 0 to 35
BATCHNORM_BATCHES = 8
ON_DEVICE_BYTES = 2_000_000_000  # a store up to this size is moved whole to where the networks are
FIGURES = ("loss_D", "loss_G", "D_real", "D_fake")


# --- randomness: everything that a step draws is a function of (seed, step) -------------------------------------


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


# --- what changes while training --------------------------------------------------------------------------------


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
    for network in (G, D):
        initialise(network, settings.init, source)
        network.to(settings.device, memory_format=torch.channels_last).train()
    G_ema = copy.deepcopy(G).requires_grad_(False) if settings.ema_half_life else None
    adam = functools.partial(
        torch.optim.Adam, lr=settings.lr, betas=(settings.beta1, settings.beta2), fused=settings.device != "mps"
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
    with precision():
        if settings.networks.d_norm == "batch":  # statistics of real and fake must not mix
            real_logits, fake_logits = D(real, dropout), D(fake.detach(), dropout)
        else:
            both = torch.cat([real, fake.detach().to(real.dtype)])
            real_logits, fake_logits = D(both, dropout).split(len(real))
    loss_D = losses.bce_D(real_logits, fake_logits)
    training.opt_D.zero_grad(set_to_none=True)
    loss_D.backward()
    training.opt_D.step()

    # Update G through the new D, whose own weights need no gradient here.
    D.requires_grad_(False)
    if settings.fresh_noise:
        with precision():
            fake = G(_z(settings, "z-G", step, device))
    with precision():
        loss_G = losses.bce_G(D(fake, dropout))
    training.opt_G.zero_grad(set_to_none=True)
    loss_G.backward()
    training.opt_G.step()
    D.requires_grad_(True)

    training.step += 1
    if training.G_ema is not None:
        seen = training.step * settings.batch
        ema.update(training.G_ema, G, ema.decay(settings.batch, settings.ema_half_life * 1000, seen))
    probabilities = [torch.sigmoid(real_logits.detach().float()), torch.sigmoid(fake_logits.detach().float())]
    return torch.stack([loss_D.detach(), loss_G.detach(), *(p.mean() for p in probabilities)])


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


# --- pictures and files -----------------------------------------------------------------------------------------


def sampling_generator(training: Training, settings: TrainConfig) -> Generator:
    """The G that draws sheets and is saved as the model, in eval mode: the average with BatchNorm statistics
    of its own where there is one, else a copy of G."""
    if training.G_ema is None:
        return copy.deepcopy(training.G).eval().requires_grad_(False)
    draw = functools.partial(_z, settings, "batchnorm", device=settings.device)
    return ema.with_own_batchnorm(training.G_ema, (draw(step=k) for k in range(BATCHNORM_BATCHES)))


def write_sheet(training: Training, settings: TrainConfig, target: Run) -> None:
    """The sheet of this step: 6x6 pictures at the latents of the seeds 0 to 35."""
    G = sampling_generator(training, settings)
    sheet = render.sheet(G, latent.sample_z(SHEET_SEEDS, settings.networks.z_dim))
    write_atomic(target.sample_path(training.step), images.encode(sheet), durable=False)


def next_sheet(step: int, batch: int) -> int:
    """The step of the sheet after the one at `step`: every 500 pictures at first, then ever wider apart, a
    twenty-fifth of what was seen, as the eye sees less and less change."""
    seen = step * batch
    return step + max(1, math.ceil(max(500, seen / 25) / batch))


def save(training: Training, settings: TrainConfig, target: Run, store: Dataset) -> None:
    """The whole state, and the model so far; raises RunError rather than save weights that are not finite."""
    if not training.finite():
        raise RunError(_diverged(training, settings))
    values = {"step": training.step, "choices": training.choices, "config": config.to_dict(settings)}
    checkpoint.save_state(target.state, training.tensors(), values)
    data = checkpoint.model_bytes(
        sampling_generator(training, settings),
        training.D,
        name=target.name,
        networks=settings.networks,
        dataset={"name": store.name, "hash": store.hash, "pictures": store.count, "held_out": store.held_out},
        recipe=config.to_dict(settings),
        step=training.step,
        kimg=training.step * settings.batch / 1000,
        averaged=training.G_ema is not None,
    )
    write_atomic(target.model, data)


def _diverged(training: Training, settings: TrainConfig) -> str:
    return (
        f"The training diverged near step {training.step}: its figures are no longer numbers. The last good state "
        f"is kept. Start a new run with a learning rate below {settings.lr:g}."
    )


def load_or_start(target: Run, settings: TrainConfig) -> Training:
    """The training as its saved state left it, or at step 0."""
    if not target.state.exists() and not target.state.with_name(target.state.name + ".prev").exists():
        return build(settings, {})
    tensors, values = checkpoint.load_state(target.state)
    training = build(settings, values["choices"])
    try:
        training.load(tensors, values["step"])
    except (KeyError, RuntimeError) as error:
        raise RunError(f"The state of {target.id} does not fit its config.json. Start a new run.") from error
    return training


# --- the loop ---------------------------------------------------------------------------------------------------


class Reporter:
    """Keeps status.json fresh, once a second, and knows what was asked for: control.json or a signal."""

    def __init__(self, target: Run, settings: TrainConfig, training: Training) -> None:
        self.run, self.settings, self.training = target, settings, training
        self.signalled = False
        self.last_write = 0.0
        self.last_step, self.last_time = training.step, time.monotonic()
        self.speed = 0.0  # pictures a second, smoothed
        self.control, self.control_time = "run", -1
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self.signalled = True

    def requested(self) -> str:
        """ "run", "pause" or "stop"; reads the file only when it has changed."""
        if self.signalled:
            return "stop"
        try:
            changed = (self.run.folder / "control.json").stat().st_mtime_ns
        except OSError:
            return self.control
        if changed != self.control_time:
            self.control, self.control_time = self.run.requested(), changed
        return self.control

    def tick(self, state: str = "running", *, now: bool = False, error: str = "") -> None:
        """Write the status if a second has passed, or `now`."""
        clock = time.monotonic()
        if not now and clock - self.last_write < 1.0:
            return
        self._measure(clock, state)
        batch, left = self.settings.batch, self.settings.total_steps - self.training.step
        self.run.write_status(
            Status(
                state=state,
                step=self.training.step,
                kimg=self.training.step * batch / 1000,
                total_kimg=self.settings.total_steps * batch / 1000,
                images_per_second=round(self.speed, 2),
                eta_seconds=round(left * batch / self.speed) if self.speed and state == "running" else None,
                device=self.settings.device,
                dtype=self.training.choices.get("dtype", ""),
                error=error,
            )
        )
        self.last_write = clock

    def _measure(self, clock: float, state: str) -> None:
        steps, seconds = self.training.step - self.last_step, clock - self.last_time
        if state != "running":
            self.last_step, self.last_time = self.training.step, clock  # a pause is not slow training
        elif steps and seconds >= 0.9:
            speed = steps * self.settings.batch / seconds
            self.speed = speed if not self.speed else 0.8 * self.speed + 0.2 * speed
            self.last_step, self.last_time = self.training.step, clock


def train(target: Run) -> str:
    """Train the run in this folder until it is done or asked to stop -> "done" or "stopped".

    Raises BusyError, RunError, DatasetError or ModelError; whatever was saved stays.
    """
    settings = target.config()
    store = dataset.open_dataset(settings.dataset)
    if store.hash != settings.dataset_hash:
        raise RunError(f"The dataset {store.name} is not the one that this run was started with. Start a new run.")
    sweep_temporary(target.folder)
    training = load_or_start(target, settings)
    reporter = Reporter(target, settings, training)
    reporter.tick("starting", now=True)
    target.rewind_to(training.step)
    if training.step == 0:
        write_sheet(training, settings, target)
    if not training.choices:
        training.choices = {"threads": torch.get_num_threads(), "dtype": faster_dtype(settings)}
        save(training, settings, target, store)
    torch.set_num_threads(training.choices["threads"])
    pictures = Pictures(store, settings.device)

    log_every = 50 if settings.device == "cuda" else 10  # reading figures makes the device wait
    sheet_at = 0
    while sheet_at <= training.step:
        sheet_at = next_sheet(sheet_at, settings.batch)
    sums, counted = torch.zeros(len(FIGURES), device=settings.device), 0
    saved = time.monotonic()
    bar = tqdm(total=settings.total_steps, initial=training.step, unit="step", disable=not sys.stderr.isatty())
    state = "done"
    with bar:
        while training.step < settings.total_steps:
            if (asked := reporter.requested()) != "run":
                save(training, settings, target, store)
                if _wait_while_paused(reporter, asked) == "stop":
                    state = "stopped"
                    break
                saved = time.monotonic()
            real = pictures.batch(settings, training.step)
            sums += train_step(training, settings, real, training.choices["dtype"])
            counted += 1
            bar.update()
            reporter.tick()
            if training.step % log_every == 0:
                _log_figures(target, settings, training, reporter, sums / counted)
                sums, counted = torch.zeros_like(sums), 0
            if training.step >= sheet_at:
                write_sheet(training, settings, target)
                sheet_at = next_sheet(sheet_at, settings.batch)
            if time.monotonic() - saved >= settings.save_seconds:
                save(training, settings, target, store)
                saved = time.monotonic()
    reporter.tick("stopping", now=True)
    save(training, settings, target, store)
    write_sheet(training, settings, target)
    reporter.tick(state, now=True)
    return state


def _wait_while_paused(reporter: Reporter, asked: str) -> str:
    while asked == "pause":
        reporter.tick("paused")
        time.sleep(0.1)
        asked = reporter.requested()
    reporter.tick("stopping" if asked == "stop" else "running", now=True)
    return asked


def _log_figures(
    target: Run, settings: TrainConfig, training: Training, reporter: Reporter, means: Tensor
) -> None:
    values = dict(zip(FIGURES, (round(value, 5) for value in means.tolist()), strict=True))
    if not all(math.isfinite(value) for value in values.values()):
        raise RunError(_diverged(training, settings))
    kimg = round(training.step * settings.batch / 1000, 3)
    target.append_metrics({"step": training.step, "kimg": kimg, **values, "img_s": round(reporter.speed, 1)})


# --- the process ------------------------------------------------------------------------------------------------


def work(target: Run) -> str:
    """Hold the run's lock and the device's, train, and leave a final status behind whatever happens.

    Returns the final state. Raises GanartError for what a user can cause, and anything else for a bug.
    """
    settings = target.config()
    own, device = target.lock(), run.device_lock(settings.device)
    try:
        own.acquire(timeout=5)  # a page may be looking at the lock just now
        device.acquire(timeout=5)
    except filelock.Timeout as error:
        if not own.is_locked:
            raise BusyError(f"The run {target.id} is at work already.") from error
        own.release()
        other = run.active_run(settings.device)
        message = f"{other.id if other else 'Another run'} is training on this {run.device_words(settings.device)}"
        _fail(target, f"{message} already. Stop it first, or wait until it is done.")
        raise BusyError(f"{message} already. Stop it first, or wait until it is done.") from error
    try:
        return train(target)
    except GanartError as error:
        _fail(target, str(error))
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        sentence = (
            f"The memory of the {run.device_words(settings.device)} is not enough for {settings.networks.size} px "
            f"at width {settings.networks.width} and batch {settings.batch}. Choose a smaller width or batch."
        )
        _fail(target, sentence)
        raise RunError(sentence) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "The disk is full" if full else f"A file could not be written ({error.strerror})"
        sentence = f"{reason}. The last saved state is kept: make room, then resume the run."
        _fail(target, sentence)
        raise RunError(sentence) from error
    except BaseException as error:
        _fail(target, f"The training stopped on an error of the program ({type(error).__name__}). See log.txt.")
        raise
    finally:
        device.release()
        own.release()


def _fail(target: Run, sentence: str) -> None:
    target.write_status(dataclasses.replace(target.written_status(), state="failed", error=sentence))


def main() -> int:
    """The trainer process: `python -m ganart.train RUN_FOLDER`."""
    if hasattr(os, "nice"):
        os.nice(10)  # the pages come first
    try:
        print(work(Run(Path(sys.argv[1]))))
        return 0
    except GanartError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except Exception:
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    sys.exit(main())
