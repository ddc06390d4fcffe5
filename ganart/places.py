"""Places in a latent space that can be named, and the way that somebody took through them.

A place is written as a seed (“12”) or, where no seed leads there, as its exact latent (“z.” and float32 values in
base64), which fits into a link, a file and a recipe. Imports no torch.
"""

import base64
import binascii
import re
from dataclasses import dataclass, replace

import numpy as np

from ganart import latent
from ganart.errors import InputError

FARTHEST = 16.0  # of any value of a latent; a draw of N(0, 1) never comes near to it
LONGEST_LABEL = 60
MIDDLE = (0.0, 0.0)
LONGEST_WAY = 500  # places that can be undone
LONGEST_LINE = 12  # ancestors that a place remembers


@dataclass(frozen=True, eq=False)
class Place:
    """A latent z, float32 (z_dim,), and what it is called.

    seed: the seed that leads there, if one does. line: the texts of the places that it was bred from, oldest
    first."""

    z: np.ndarray
    label: str
    seed: int | None = None
    line: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """It as text, for a link or a recipe: exact to the bit."""
        return write(self.z) if self.seed is None else str(self.seed)

    def moved(self, z: np.ndarray, label: str = "", line: tuple[str, ...] | None = None) -> "Place":
        """Another latent that one came to from here; it is called `label`, or as this one with “, moved”."""
        told = label or (self.label if self.label.endswith(", moved") else f"{self.label}, moved")
        kept = self.line if line is None else line[-LONGEST_LINE:]
        return Place(_held(z), told[:LONGEST_LABEL], None, kept)


def _held(z: np.ndarray) -> np.ndarray:
    z = np.clip(np.asarray(z, np.float32), -FARTHEST, FARTHEST)
    z.setflags(write=False)
    return z


def inside(label: str) -> str:
    """A label as it stands inside a sentence: “seed 3” for “Seed 3”. What an artist named stays as it is."""
    return f"{label[:1].lower()}{label[1:]}" if label.startswith(("Seed ", "Near ", "Child of ", "A ")) else label


def of_seed(seed: int, z_dim: int) -> Place:
    """The place of a seed. Raises InputError for one out of range."""
    return Place(_held(latent.sample_z([seed], z_dim)[0]), f"Seed {seed}", seed)


def write(z: np.ndarray) -> str:
    """A latent (z_dim,) -> text, without any loss."""
    data = np.ascontiguousarray(z, "<f4").tobytes()
    return "z." + base64.urlsafe_b64encode(data).decode().rstrip("=")


def read(text: str, z_dim: int, label: str = "") -> Place:
    """A seed or what `write` wrote -> the place, its values clamped to FARTHEST.

    Raises InputError where it is neither, or a latent of another length than z_dim.
    """
    if re.fullmatch(r"[0-9]{1,10}", text):
        place = of_seed(int(text), z_dim)
        return replace(place, label=label[:LONGEST_LABEL]) if label else place
    if not re.fullmatch(r"z\.[A-Za-z0-9_-]{1,6000}", text):
        raise InputError(f"“{text[:30]}” is no place in a latent space. Give a seed, or a link that ganart wrote.")
    try:
        data = base64.urlsafe_b64decode(text[2:] + "=" * (-len(text[2:]) % 4))
    except binascii.Error:
        data = b"?"
    if len(data) % 4:
        raise InputError("The link was cut off somewhere. Copy it again, whole.")
    if len(data) != 4 * z_dim:
        cut = ", or the link was cut off" if len(data) < 4 * z_dim else ""
        raise InputError(
            f"This place has {len(data) // 4} values, but the model takes {z_dim}. It was found in another model"
            f"{cut}."
        )
    z = np.frombuffer(data, "<f4")
    if not np.isfinite(z).all():
        raise InputError("This place holds values that are not numbers. Copy the link again, whole.")
    if not np.abs(z).max() > 1e-6:
        raise InputError(
            "This place is the middle of the latent space, from which no direction leads. Choose another."
        )
    return Place(_held(z), label[:LONGEST_LABEL] or "A place from a link")


@dataclass(frozen=True, eq=False)
class Visit:
    """Where somebody was: the place, and how the pad stood that led there: which plane it lay on, the place that
    this plane is laid around, and the spot on it."""

    place: Place
    plane: str
    around: Place
    spot: tuple[float, float]


@dataclass
class Way:
    """The places that somebody went through, with undo and redo."""

    visits: list[Visit]
    at: int = 0
    turn: int = 0  # counts every step that was not made on the pad

    @classmethod
    def begin(cls, place: Place) -> "Way":
        return cls([Visit(place, "", place, MIDDLE)])

    @property
    def place(self) -> Place:
        """Where one is."""
        return self.visits[self.at].place

    def stand(self, plane: str) -> tuple[Place, tuple[float, float] | None]:
        """How the pad stands on a plane of this name: the place that it is laid around, and the spot; None
        where it was not the pad that led here, so that it is laid anew around the place itself."""
        visit = self.visits[self.at]
        return (visit.around, visit.spot) if visit.plane == plane else (visit.place, None)

    def go(self, place: Place) -> None:
        """To another place. What was undone before is forgotten."""
        if place.text != self.place.text:
            self._add(Visit(place, "", place, MIDDLE))
        self.turn += 1

    def slide(self, place: Place, plane: str, spot: tuple[float, float]) -> None:
        """To a place on the pad, which stays as it lies."""
        self._add(Visit(place, plane, self.stand(plane)[0], spot))

    def lay(self) -> None:
        """Lay the pad anew around the place where one is."""
        self.visits[self.at] = Visit(self.place, "", self.place, MIDDLE)
        self.turn += 1

    def name(self, text: str, label: str) -> None:
        """Call a place otherwise, wherever the way leads through it."""

        def named(place: Place) -> Place:
            return replace(place, label=label[:LONGEST_LABEL]) if place.text == text else place

        self.visits = [replace(v, place=named(v.place), around=named(v.around)) for v in self.visits]

    def step(self, by: int) -> None:
        """Back (-1) or forth (1) again, as far as the way goes."""
        self.at = min(max(self.at + by, 0), len(self.visits) - 1)
        self.turn += 1

    @property
    def can_undo(self) -> bool:
        return self.at > 0

    @property
    def can_redo(self) -> bool:
        return self.at < len(self.visits) - 1

    def _add(self, visit: Visit) -> None:
        self.visits = [*self.visits[: self.at + 1], visit][-LONGEST_WAY:]
        self.at = len(self.visits) - 1
