"""The models that can be played with: trained here, or come with the program. Imports no torch."""

import contextlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganart import images, run, workspace
from ganart.card import Card, read_card
from ganart.errors import InputError, ModelError
from ganart.run import Run

DESCRIPTION = 0x010E  # the tag of EXIF that holds words


@dataclass(frozen=True)
class Model:
    """A model by its file. `id` is what pages and command line call it; `run` is the run that made it here."""

    id: str
    path: Path
    run: Run | None = None

    def card(self) -> Card:
        """What the file says of itself; raises ModelError where it cannot be used."""
        return read_card(self.path)

    def sheets(self) -> list[tuple[int, bytes]]:
        """The sheets of its training, oldest first: (step, PNG bytes)."""
        if self.run is not None:
            return [(int(path.stem), data) for path in self.run.samples() if (data := _read(path)) is not None]
        return read_strip(self._strip) if self._strip.is_file() else []

    def sheet(self) -> bytes | None:
        """The sheet of its own step, or the nearest one, as PNG bytes; None where there is none."""
        if self.run is not None:
            samples, step = self.run.samples(), math.inf
            with contextlib.suppress(ModelError):  # then the newest will do
                step = self.card().step
            nearest = min(reversed(samples), key=lambda path: abs(int(path.stem) - step), default=None)
            return _read(nearest) if nearest else None
        return images.encode(_read_strip(self._strip)[1][-1]) if self._strip.is_file() else None

    @property
    def loop(self) -> Path | None:
        """The small film that came with it, an animated WebP; None where there is none."""
        path = self.path.with_name(f"{self.path.stem}-loop.webp")
        return path if self.run is None and path.is_file() else None

    @property
    def _strip(self) -> Path:
        return self.path.with_suffix(".webp")


def _read(path: Path) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):  # the run may just be taken back to an earlier state
        return path.read_bytes()
    return None


def pretrained() -> list[Model]:
    """The models that come with the program, those of paintings before those of digits."""
    found = _lying_in(workspace.pretrained_folder())
    return sorted(found, key=lambda model: ("mnist" in model.id, model.id))


def built_in(name: str) -> Model:
    """The model of this name that comes with the program, whatever the workspace holds. Raises InputError."""
    for model in pretrained():
        if model.id == name:
            return model
    raise InputError(f"The model “{name}” that comes with ganart is gone from its folder, pretrained/.")


def check_free(name: str) -> None:
    """Raises InputError where a run or a model that comes with the program has this name: another one of it would
    hide that, or be hidden."""
    if name in {model.id for model in pretrained()} | {found.id for found in run.list_runs()}:
        raise InputError(f"The name “{name}” is taken by another model. Choose another one.")


def imported() -> list[Model]:
    """The models that were copied into the workspace."""
    return _lying_in(workspace.home() / "models")


def _lying_in(folder: Path) -> list[Model]:
    """The models in a folder, by their names; not what macOS lays beside them on foreign disks, ._portraits."""
    paths = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("."))
    return [Model(path.stem, path) for path in paths]


def list_models() -> list[Model]:
    """All models: the best of each run, newest first, then those that were copied in or come with the program."""
    own = [Model(r.id, _shown(r), r) for r in run.list_runs() if r.model.is_file()]
    taken = {model.id for model in own}
    others = {model.id: model for model in [*pretrained(), *imported()] if model.id not in taken}
    return own + list(others.values())


def of_run(owner: Run) -> list[Model]:
    """All that a run keeps: its best model, the last ("ID@last"), those on the way ("ID@STEP"), newest first."""
    if not owner.model.is_file():
        return []
    found = [Model(owner.id, _shown(owner), owner)]
    if owner.best.is_file():
        found.append(Model(f"{owner.id}@last", owner.model, owner))
    return found + [
        Model(f"{owner.id}@{step}", path, owner) for step, path in reversed(owner.checkpoints().items())
    ]


def _shown(owner: Run) -> Path:
    return owner.best if owner.best.is_file() else owner.model


def find_model(text: str) -> Model:
    """The model that is meant by a path, a run's id (alone its best; with @last or @STEP others), the name of an
    imported or built-in model, or a run's name.

    Raises InputError where there is none or where several runs share the name, ModelError for a run that has
    saved nothing yet.
    """
    if workspace.looks_like_path(text):
        path = workspace.given_path(text).resolve()
        if (path / "config.json").is_file():
            return _of_run(Run(path))
        if not path.is_file():
            raise InputError(f"There is no model file at “{text}”. Check the path.")
        return Model(path.stem, path)
    name, _, part = text.partition("@")
    runs = run.list_runs()
    if any(r.id == name for r in runs):
        return _of_run(run.find_run(name), part)
    for model in [*imported(), *pretrained()]:  # as they are listed, whatever runs are called
        if model.id == text:
            return model
    if any(r.name == name for r in runs):
        return _of_run(run.find_run(name), part)
    known = ", ".join(model.id for model in list_models()) or "none yet"
    raise InputError(f"There is no model “{text}”. There are: {known}.")


def _of_run(owner: Run, part: str = "") -> Model:
    """part: "" for the best, "last", or the step of a checkpoint."""
    if not owner.model.is_file():
        raise ModelError(f"The run {owner.id} has saved no model yet. Wait a minute, or start it.")
    if not part:
        return Model(owner.id, _shown(owner), owner)
    if part == "last":
        return Model(f"{owner.id}@last", owner.model, owner)
    kept = owner.checkpoints()
    if not part.isdecimal() or int(part) not in kept:
        steps = ", ".join(map(str, kept)) or "none yet"
        raise InputError(f"{owner.id} has kept no model of step “{part}”. There are: last, {steps}.")
    return Model(f"{owner.id}@{int(part)}", kept[int(part)], owner)


# --- the sheets of a training in one small file


def strip_bytes(sheets: list[tuple[int, bytes]]) -> bytes:
    """Sheets (step, PNG bytes), all of one size -> one tall WebP, of high but not full quality, that names the
    steps in its description."""
    stacked = np.concatenate([images.read_png(data) for _, data in sheets])
    about, steps = Image.Exif(), [step for step, _ in sheets]
    about[DESCRIPTION] = json.dumps({"version": 1, "steps": steps, "channels": stacked.shape[-1]})
    return images.encode(stacked, "WEBP", quality=85, method=6, exif=about.tobytes())


def read_strip(path: Path) -> list[tuple[int, bytes]]:
    """The sheets in a strip: (step, PNG bytes); raises ModelError where the file is none."""
    steps, sheets = _read_strip(path)
    return [(step, images.encode(sheet)) for step, sheet in zip(steps, sheets, strict=True)]


def _read_strip(path: Path) -> tuple[list[int], np.ndarray]:
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            about = json.loads(image.getexif()[DESCRIPTION])
            steps = about["steps"]
            stacked = images.from_pillow(image.convert("L" if about["channels"] == 1 else "RGB"))
        sheets = stacked.reshape(len(steps), -1, *stacked.shape[1:])
    except (OSError, KeyError, TypeError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelError(f"{path.name} is not a strip of training sheets.") from error
    return steps, sheets


def thinned(sheets: list[tuple[int, bytes]], count: int) -> list[tuple[int, bytes]]:
    """At most `count` of the sheets, the first and the last among them, dense early: their steps stand in
    nearly constant proportion, as the changes do that the eye sees."""
    steps = np.array([step for step, _ in sheets])
    wanted = np.concatenate([[0], np.geomspace(max(steps[1], 1), steps[-1], count - 1)]) if len(steps) > 1 else [0]
    nearest = {int(np.abs(steps - step).argmin()) for step in wanted}
    return [sheets[index] for index in sorted(nearest)]
