"""How good a model is, in figures that each stand beside their floor. They are measured in a job (`evaluate`).

Imports no torch.
"""

from dataclasses import dataclass

from ganart import dataset, jobs
from ganart.card import Card
from ganart.config import IntakeConfig
from ganart.dataset import Dataset
from ganart.jobs import Job
from ganart.models import Model

EVALUATION_VERSION = 1


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


def intake(card: Card) -> IntakeConfig:
    """How pictures are prepared to be compared with this model's."""
    return IntakeConfig(size=card.networks.size, channels=1 if card.networks.channels == 1 else 0)


def own_store(card: Card) -> Dataset | None:
    """The pictures that a model was trained on, where they are in this workspace."""
    same = (s for s in dataset.list_datasets() if s.hash == card.dataset.get("hash"))
    return next(same, None)


def figures(result: dict) -> dict[str, Figure]:
    """The figures of a job's result, or of a card."""
    return {name: Figure(**values) for name, values in result.items() if name in METRICS}


def known(model: Model, card: Card, store: Dataset) -> tuple[Job, dict[str, Figure]] | None:
    """The job that measured it before and its figures; None where nothing was measured."""
    job = jobs.find(request(model, card, store))
    result = job.result()
    return None if result is None else (job, figures(result["figures"]))
