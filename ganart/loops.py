"""The small film of a model that the gallery shows: it came with the model, or is drawn once, beside the pages.
Imports no torch."""

from pathlib import Path

from ganart import jobs
from ganart.card import Card
from ganart.jobs import Job
from ganart.models import Model


def find(model: Model, card: Card) -> Path | None:
    """The film, an animated WebP; None where there is none yet."""
    if (path := model.loop) is not None:
        return path
    job = jobs.find(_request(model, card))
    return job.folder / result["file"] if (result := job.result()) is not None else None


def draw(model: Model, card: Card) -> Job:
    """Have it drawn, once; again only where the drawing was interrupted."""
    job = jobs.find(_request(model, card))
    status = job.status()
    return jobs.begin(_request(model, card)) if status is None or status.state == "interrupted" else job


def _request(model: Model, card: Card) -> dict:
    return {"kind": "preview", "model": str(model.path), "hash": card.hash}
