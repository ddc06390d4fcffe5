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


def follow(model_id: str, model_hash: str) -> None:
    """Each save of a run is another model: hand on to it the places and keyframes that were noted about the one
    which had this id before. Names of directions stay behind: those turn as the training goes on."""
    before = (read_json(_followed()) or {}).get(model_id)
    if before == model_hash:
        return
    kept, film = (places(before), shots(before)) if isinstance(before, str) else ([], None)
    if kept or film is not None:
        with _changing(model_hash) as notes:
            own = places(model_hash)
            texts = {place.text for place in own}
            handed = [place for place in kept if place.text not in texts]
            notes["places"] = [asdict(place) for place in [*handed, *own][-MOST_PLACES:]]
            if film is not None and "shots" not in notes:
                notes["shots"] = [asdict(shot) for shot in film]
    with _lock():
        write_json(_followed(), {**(read_json(_followed()) or {}), model_id: model_hash}, durable=False)


def renamed(run_id: str, new: str | None) -> None:
    """A run has another id from here on; None where it is gone: the next of its name begins without notes."""
    with _lock():
        ids = read_json(_followed()) or {}
        found = [name for name in ids if name.partition("@")[0] == run_id]
        for name in found:
            model_hash = ids.pop(name)
            if new is not None:
                ids[f"{new}{name[len(run_id) :]}"] = model_hash
        if found:
            write_json(_followed(), ids, durable=False)


def _followed() -> Path:
    """Which hash a run's model had when it was looked at last."""
    return workspace.folder("notes") / "followed.json"


def _lock() -> filelock.FileLock:
    return filelock.FileLock(workspace.folder("locks") / "notes.lock")


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
    with _lock():
        written = read_json(_path(model_hash)) or {}
        if isinstance(version := written.get("version"), int) and version > NOTES_VERSION:
            raise InputError("The notes on this model are of a newer ganart. Update this one to change them.")
        notes = _read(model_hash)
        yield notes
        write_json(_path(model_hash), {"version": NOTES_VERSION, **notes}, durable=True)
