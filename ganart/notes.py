"""What an artist has noted about a model: names of directions, places that are pinned or liked. It lies beside the
models, by their hash, so that the model file itself is never rewritten. Imports no torch."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import filelock

from ganart import workspace
from ganart.errors import InputError
from ganart.files import read_json, write_json

NOTES_VERSION = 1
LONGEST = 40  # letters of a name
MOST_PLACES = 500
Part = TypeVar("Part", dict, list)  # of the notes, as JSON has it


@dataclass(frozen=True)
class Kept:
    """A place by its text (see `places`) that is pinned, to work with, or liked, to be found again; line: of its
    ancestors."""

    text: str
    name: str
    pinned: bool = False
    liked: bool = False
    line: tuple[str, ...] = ()


def direction_names(model_hash: str, kind: str) -> dict[int, str]:
    """The names that directions of one kind were given, by their places."""
    names = _part(_read(model_hash), "directions", dict).get(kind, {})
    if not isinstance(names, dict):
        return {}
    return {int(place): str(name)[:LONGEST] for place, name in names.items() if str(place).isdecimal()}


def name_direction(model_hash: str, kind: str, place: int, name: str) -> None:
    """Give a direction a name, or take it away where the name is empty."""
    with _changing(model_hash) as notes:
        names = direction_names(model_hash, kind)
        names.pop(place, None)
        if name.strip():
            names[place] = _tidy(name)
        kept = {str(place): name for place, name in sorted(names.items())}
        notes["directions"] = {**_part(notes, "directions", dict), kind: kept}


def places(model_hash: str) -> list[Kept]:
    """The places that are pinned or liked, in the order in which they were taken up."""
    found = []
    for item in _part(_read(model_hash), "places", list):
        with contextlib.suppress(AttributeError, TypeError, KeyError):  # written by hand, perhaps
            line = tuple(map(str, item.get("line", ())))
            marks = bool(item.get("pinned")), bool(item.get("liked"))
            found.append(Kept(str(item["text"]), str(item["name"])[:LONGEST], *marks, line))
    return found


def keep(model_hash: str, place: Kept) -> None:
    """Keep a place as it is given, in place of the one with the same text; one that is neither pinned nor liked is
    forgotten. Raises InputError where there are too many."""
    with _changing(model_hash) as notes:
        kept = places(model_hash)
        texts = [item.text for item in kept]
        place = replace(place, name=_tidy(place.name))
        if place.text in texts:
            kept[texts.index(place.text)] = place
        elif len(kept) >= MOST_PLACES:
            raise InputError(f"{MOST_PLACES:,} places are kept already. Take some off first.")
        else:
            kept.append(place)
        notes["places"] = [asdict(item) for item in kept if item.pinned or item.liked]


def find(model_hash: str, text: str) -> Kept | None:
    """What is kept of a place, if anything."""
    return next((item for item in places(model_hash) if item.text == text), None)


@dataclass(frozen=True)
class Shot:
    """A keyframe of the film that an artist is at: its place, what it is called, and how long it rests and goes on
    (see `filmconfig.Keyframe`)."""

    text: str
    name: str
    rest: float = 0.0
    way: float = 1.0


def shots(model_hash: str) -> list[Shot] | None:
    """The keyframes of the film that the artist is at; None where none was begun."""
    notes = _read(model_hash)
    if "shots" not in notes:
        return None
    found = []
    for item in _part(notes, "shots", list):
        # Written by hand, perhaps.
        with contextlib.suppress(TypeError, KeyError, ValueError, AttributeError, OverflowError):
            rest, way = float(item.get("rest", 0.0)), float(item.get("way", 1.0))
            times = rest if 0 <= rest <= 100 else 0.0, way if 0.01 <= way <= 100 else 1.0
            found.append(Shot(str(item["text"]), str(item["name"])[:LONGEST], *times))
    return found


def change_shots(model_hash: str, change: Callable[[list[Shot] | None], list[Shot]]) -> None:
    """Make the keyframes of the film what `change` makes of those that are there now; nobody comes in between."""
    with _changing(model_hash) as notes:
        notes["shots"] = [asdict(shot) for shot in change(shots(model_hash))]


def set_shots(model_hash: str, kept: list[Shot]) -> None:
    """Remember the keyframes of the film."""
    change_shots(model_hash, lambda _: kept)


def _tidy(name: str) -> str:
    return " ".join(name.split())[:LONGEST]


def _path(model_hash: str) -> Path:
    return workspace.folder("notes") / f"{model_hash}.json"


def _read(model_hash: str) -> dict:
    notes = read_json(_path(model_hash)) or {}
    return notes if notes.get("version") == NOTES_VERSION else {}


def _part(notes: dict, name: str, kind: type[Part]) -> Part:
    found = notes.get(name)
    return found if isinstance(found, kind) else kind()


@contextlib.contextmanager
def _changing(model_hash: str) -> Iterator[dict]:
    """The notes, to be changed by nobody else meanwhile; written when the block ends well."""
    with filelock.FileLock(workspace.folder("locks") / "notes.lock"):
        written = read_json(_path(model_hash)) or {}
        if isinstance(version := written.get("version"), int) and version > NOTES_VERSION:
            raise InputError("The notes on this model are of a newer ganart. Update this one to change them.")
        notes = _read(model_hash)
        yield notes
        write_json(_path(model_hash), {"version": NOTES_VERSION, **notes}, durable=True)
