"""What an artist has noted about a model: names of directions. It lies beside the models, by their hash, so that
the model file itself is never rewritten. Imports no torch."""

from pathlib import Path

from ganart import workspace
from ganart.files import read_json, write_json

NOTES_VERSION = 1
LONGEST = 40  # letters of a name


def _path(model_hash: str) -> Path:
    return workspace.folder("notes") / f"{model_hash}.json"


def direction_names(model_hash: str, kind: str) -> dict[int, str]:
    """The names that directions of one kind were given, by their places."""
    notes = read_json(_path(model_hash)) or {}
    found = notes.get("directions", {}) if notes.get("version") == NOTES_VERSION else {}
    names = found.get(kind, {}) if isinstance(found, dict) else {}
    if not isinstance(names, dict):
        return {}
    return {int(place): str(name)[:LONGEST] for place, name in names.items() if str(place).isdecimal()}


def name_direction(model_hash: str, kind: str, place: int, name: str) -> None:
    """Give a direction a name, or take it away where the name is empty."""
    names = direction_names(model_hash, kind)
    names.pop(place, None)
    if name.strip():
        names[place] = " ".join(name.split())[:LONGEST]
    notes = read_json(_path(model_hash)) or {}
    others = notes.get("directions", {}) if notes.get("version") == NOTES_VERSION else {}
    kept = {str(place): name for place, name in sorted(names.items())}
    write_json(_path(model_hash), {"version": NOTES_VERSION, "directions": {**others, kind: kept}}, durable=True)
