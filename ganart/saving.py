"""What a training leaves on the disk: its state, the model so far, checkpoints on the way and the best of them."""

from ganart import checkpoint, config, images, kept, latent, render
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.errors import RunError
from ganart.files import write_atomic
from ganart.networks import Generator
from ganart.run import Run
from ganart.training import Training, are_finite, sampling_generator
from ganart.vitals import Distance

SHEET_SEEDS = list(range(36))  # the 36 latents of every sheet are those of the seeds 0 to 35


class DivergedError(RunError):
    """Weights or figures are no longer finite numbers."""

    def __init__(self, step: int) -> None:
        super().__init__(f"The training diverged near step {step}: its figures are no longer numbers.")
        self.step = step


def write_sheet(training: Training, settings: TrainConfig, target: Run, G: Generator | None = None) -> None:
    """The sheet of this step: 6x6 pictures at the latents of the seeds 0 to 35."""
    G = G or sampling_generator(training, settings)
    sheet = render.sheet(G, latent.sample_z(SHEET_SEEDS, settings.networks.z_dim))
    write_atomic(target.sample_path(training.step), images.encode(sheet))


def save(
    training: Training, settings: TrainConfig, target: Run, store: Dataset, G: Generator | None = None
) -> None:
    """The whole state, and the model so far; raises DivergedError rather than save weights that are not finite.

    G: the generator that draws sheets, where the caller has it already.
    """
    G = G or sampling_generator(training, settings)
    _check_finite(training, G)
    _save_state(training, settings, target)
    write_atomic(target.model, _model(training, settings, target, store, G, with_D=True))


def _check_finite(training: Training, G: Generator) -> None:
    if not (training.finite() and are_finite(G.state_dict())):  # finite weights may paint what is not
        raise DivergedError(training.step)


def _save_state(training: Training, settings: TrainConfig, target: Run) -> None:
    values = {
        "step": training.step,
        "choices": training.choices,
        "history": training.history,
        "config": config.to_dict(settings),
    }
    checkpoint.save_state(target.state, training.tensors(), values)


def keep(
    training: Training,
    settings: TrainConfig,
    target: Run,
    store: Dataset,
    G: Generator,
    distance: Distance | None,
) -> None:
    """Save, and keep this state and this generator beside those of before, thinned out; where its distance to
    held-out pictures is within a standard error of the smallest so far, it is the best model as well: of those
    that cannot be told apart, the one that has learned longest (after the rule of one standard error of Breiman et
    al. 1984, Classification and Regression Trees).

    The state comes last: who is ended before goes on from the one before, and keeps all of this once more.
    """
    _check_finite(training, G)
    best = _best_with(training, distance)
    better = best is not None and best["step"] == training.step
    if better:
        training.history["best"] = best
    write_atomic(target.model, _model(training, settings, target, store, G, with_D=True))
    if better:
        kept.share(target.model, target.best)
    path = target.checkpoint_path(training.step)
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, _model(training, settings, target, store, G, with_D=False))
    _save_state(training, settings, target)
    kept.share(target.state, target.checkpoint_path(training.step, state=True))
    kept.thin(target)


def _best_with(training: Training, distance: Distance | None) -> dict | None:
    """What is known of the best model: its step, the smallest distance so far, and the standard error of that."""
    best = training.history.get("best")
    if distance is None:
        return best
    if best is None or distance.value < best["distance"]:
        return {"step": training.step, "distance": distance.value, "error": distance.error}
    if distance.value <= best["distance"] + best.get("error", 0.0):
        return {**best, "step": training.step}
    return best


def _model(
    training: Training, settings: TrainConfig, target: Run, store: Dataset, G: Generator, *, with_D: bool
) -> bytes:
    return checkpoint.model_bytes(
        G,
        training.D if with_D else None,
        name=target.name,
        networks=settings.networks,
        dataset={"name": store.name, "hash": store.hash, "pictures": store.pictures, "held_out": store.held_out},
        recipe=config.to_dict(settings),
        step=training.step,
        kimg=training.step * settings.batch / 1000,
        averaged=training.G_ema is not None,
    )
