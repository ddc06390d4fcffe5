"""Words that more than one page uses."""

import re
from typing import Literal

from ganart.card import Card
from ganart.forecast import duration
from ganart.models import Model
from ganart.run import Run, Status

Colour = Literal["blue", "green", "orange", "gray", "red"]

STATES: dict[str, tuple[str, Colour, str]] = {  # state: (what the artist reads, colour of its badge, icon)
    "starting": ("Starting", "blue", ":material/hourglass_top:"),
    "running": ("Learning", "green", ":material/model_training:"),
    "paused": ("Paused", "orange", ":material/pause:"),
    "stopping": ("Stopping", "orange", ":material/hourglass_bottom:"),
    "done": ("Done", "gray", ":material/check:"),
    "stopped": ("Stopped", "gray", ":material/stop:"),
    "failed": ("Failed", "red", ":material/error:"),
    "crashed": ("Interrupted", "red", ":material/bolt:"),
    "stuck": ("Not answering", "orange", ":material/help:"),
}


LIGHTS: dict[str, tuple[str, Colour, str]] = {  # of the doctor, likewise
    "green": ("Healthy", "green", ":material/check_circle:"),
    "yellow": ("Have a look", "orange", ":material/error:"),
    "red": ("Needs help", "red", ":material/warning:"),
}
AUGMENT = {"off": "Off", "steered": "As needed", "full": "Full"}  # how many pictures the critic sees altered
REMEDIES = {"full": "Alter every picture", "steered": "Alter pictures as needed"}  # of the augmentation


def changes(values: dict) -> str:
    """The button of a remedy: what it will change."""
    if "augment" in values:
        return REMEDIES[values["augment"]]
    return f"Go on with a learning rate of {values['lr']:.2g}" if "lr" in values else "Go on"


def progress(status: Status) -> str:
    """One line on how far a run is: pictures seen, speed, time left."""
    parts = [f"{status.kimg:,.1f} of {status.total_kimg:,.0f} thousand pictures seen"]
    if status.total_kimg < 10:
        parts = [f"{round(1000 * status.kimg):,} of {round(1000 * status.total_kimg):,} pictures seen"]
    if status.state == "running" and status.images_per_second:
        speed = status.images_per_second
        parts.append(f"{speed:,.0f} pictures a second" if speed >= 10 else f"{speed:.1f} pictures a second")
        if status.eta_seconds is not None:
            parts.append(f"{duration(status.eta_seconds)} left")
    return " · ".join(parts)


def model_line(card: Card) -> str:
    """One line on a model: size, colour, what it was trained on and how long."""
    networks = card.networks
    colour = "colour" if networks.channels == 3 else "grey"
    pictures = f"{card.dataset.get('pictures', 0):,} pictures"
    return f"{networks.size} px, {colour} · {pictures} · {card.kimg:,.0f} thousand seen"


def run_title(run: Run) -> str:
    """A run's name as a heading, such as "van-gogh-64 (0003)"."""
    number, _, name = run.id.partition("-")
    return f"{name} ({number})"


def model_title(model: Model) -> str:
    """A model's name as a heading."""
    return run_title(model.run) if model.run else model.id


def plain(text: str) -> str:
    """What somebody typed or a file says, to stand in Markdown as it is."""
    return re.sub(r"([\\`*_\[\]<>$:~#|!])", r"\\\1", text)


def distinct(labels: list[str]) -> list[str]:
    """Labels of a choice, those that came before with their number: the browser tells choices by their labels."""
    found: list[str] = []
    for label in labels:
        number, told = 2, label
        while told in found:
            number, told = number + 1, f"{label} ({number})"
        found.append(told)
    return found
