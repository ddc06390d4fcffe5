"""How good a model is, in figures that each stand beside their floor. They are measured in a job (`evaluate`).

Imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ganart import dataset, jobs
from ganart.card import Card
from ganart.config import NetworkConfig
from ganart.dataset import Dataset
from ganart.errors import DatasetError
from ganart.jobs import Job
from ganart.models import Model

EVALUATION_VERSION = 1
LEAST = 32  # pictures in a store to measure against
FEW = 100  # pictures on each side, under which figures are rough
ROUGH = "With so few pictures to compare with, these figures are rough."
COPYING = -3.0  # standard deviations; below, something is copied


@dataclass(frozen=True)
class Figure:
    """value: of the generated pictures. floor: the same figure of real pictures in their place, which is as good
    as it gets. n: pictures on each side."""

    value: float
    floor: float
    n: int


@dataclass(frozen=True)
class Metric:
    """name: as people read it. good: "low", "high" or "floor", where it should be near the floor. meaning: a
    sentence."""

    name: str
    good: str
    meaning: str
    digits: int = 2


METRICS = {
    "swd": Metric("Sliced Wasserstein distance", "low", "Shapes and grain, compared patch by patch.", 0),
    "kid_rf": Metric("Kernel distance, random features", "low", "Not comparable to KID on Inception features.", 1),
    "coverage": Metric("Coverage", "high", "Share of held-out pictures with a painted one close by."),
    "density": Metric("Density", "floor", "How closely painted pictures lie where real ones do."),
    "nn_ratio": Metric("Distance to the training pictures", "floor", "1: as far as new pictures. 0: copies."),
    "c_t": Metric("Copying statistic", "floor", "Below -3: copies from the training pictures.", 1),
    "ms_ssim": Metric("Likeness to each other", "floor", "Far above the floor: little variety.", 3),
    "nn_accuracy_real": Metric("Real ones told apart", "floor", "0.5: not to be told from painted ones."),
    "nn_accuracy_fake": Metric("Painted ones told apart", "floor", "0.5: not to be told from real ones."),
}


def request(model: Model, card: Card, store: Dataset) -> dict:
    """What the job is asked for."""
    return {
        "kind": "evaluate",
        "version": EVALUATION_VERSION,
        "model": str(model.path.resolve()),
        "hash": card.hash,
        "dataset": store.name,
        "dataset_hash": store.hash,
    }


def check(networks: NetworkConfig, store: Dataset) -> None:
    """Raises DatasetError where these pictures cannot be compared with those of such a model."""
    if (networks.size, networks.channels) != (store.settings.size, store.channels):
        raise DatasetError(
            f"The model paints {networks.size} px pictures with {networks.channels} channels, but {store.name} "
            f"has {store.settings.size} px ones with {store.channels}. Prepare it with --size {networks.size}."
        )
    if store.count < LEAST:
        raise DatasetError(
            f"{store.name} has {store.count} pictures, and measuring needs {LEAST} or more. Add some, and "
            "prepare it again."
        )


def own_store(card: Card, stores: Sequence[Dataset]) -> Dataset | None:
    """The one of these datasets that a model was trained on."""
    return next((store for store in stores if store.hash == card.dataset.get("hash")), None)


def figures(values: dict) -> dict[str, Figure]:
    """The figures of a job's result, or of a card, in the order of METRICS."""
    return {name: Figure(**values[name]) for name in METRICS if name in values}


def known(model: Model, card: Card, store: Dataset) -> tuple[Job, dict[str, Figure]] | None:
    """The job that measured it before and its figures; None where nothing was measured."""
    job = jobs.find(request(model, card, store))
    result = job.result()
    return None if result is None else (job, figures(result["figures"]))


def best_known(model: Model) -> dict:
    """What was measured of a model here on its own pictures, else what its card says, as JSON values."""
    card = model.card()
    if (store := own_store(card, dataset.list_datasets())) and (found := known(model, card, store)):
        return {name: vars(figure) for name, figure in found[1].items()}
    return card.figures


def verdict(figures: dict[str, Figure]) -> list[str]:
    """What the figures come to, in plain sentences."""
    said = []
    coverage = figures.get("coverage")
    share = coverage.value / max(coverage.floor, 1e-9) if coverage else 1.0
    if share < 0.1:
        return ["Its pictures are nothing like the real ones yet."]
    if (c_t := figures.get("c_t")) and (near := figures.get("nn_ratio")):
        copies = c_t.value < COPYING and c_t.value < c_t.floor - 1
        if copies and near.value < 0.5 * near.floor:
            said.append("It repeats pictures that it learned from.")
        elif copies:
            said.append("It keeps closer to the pictures it learned from than new ones would: some may be copies.")
        else:
            said.append("No sign of copying: it keeps as far from what it learned from as new pictures do.")
    if coverage and share > 0.95:
        said.append("It covers all that the real pictures show.")
    elif coverage:
        said.append(f"It covers about {100 * share:.0f} % of what the real pictures show.")
    if (real := figures.get("nn_accuracy_real")) and (fake := figures.get("nn_accuracy_fake")):
        both = (real.value + fake.value) / 2
        if both < 0.6:
            said.append("By their nearest neighbours, its pictures can hardly be told from real ones.")
        elif both > 0.9:
            said.append("Its pictures are easily told from real ones.")
    if figures and next(iter(figures.values())).n < FEW:
        said.append(ROUGH)
    return said
