"""What came out of a pack, looked at before it becomes a run of this workspace. Imports no torch.

Every check raises ModelError with a sentence about “its” file.
"""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np

from ganart import card, config, dataset, images, jsonlines
from ganart.checks import number, told, whole
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.errors import ModelError
from ganart.limits import limits
from ganart.pack import check_words
from ganart.run import Run, Status

MAX_LINE = 100_000  # bytes of a line of figures
MAX_LINES = 200_000  # of figures; they thin out, so that weeks are some thousand
MOST_PARTS = 30  # values of a line of a report of files, with what its name may hold of commas
MOST = 10**15  # that any figure may be
MOST_SEEN = config.MOST_KIMG + 1  # the last batch may reach beyond


def json_of(data: bytes, name: str) -> dict:
    """What a JSON file of a pack says. Raises ModelError where it is not one object."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"Its {name} cannot be read.") from error
    if not isinstance(values, dict):
        raise ModelError(f"Its {name} cannot be read.")
    return values


def check_run(folder: Path) -> TrainConfig:
    """The settings of an unpacked run, all of whose files were looked at."""
    (folder / "samples").mkdir(exist_ok=True)
    settings = config.train_from_dict(json_of((folder / "config.json").read_bytes(), "config.json"))
    check_words(settings)
    run = Run(folder)
    if (path := folder / "status.json").exists():
        _check_status(json_of(path.read_bytes(), path.name))
    for name in ("metrics.jsonl", "vitals.jsonl"):
        if (path := folder / name).exists():
            _check_lines(path)
    for path in run.samples():
        _check_sheet(path, settings.networks)
    for path in (run.model, run.best, *run.checkpoints().values()):
        if path.exists():
            card.read_card(path)
    for path in (run.state, *run.states().values()):
        if path.exists():
            _check_state(path)
    return settings


def _check_status(values: dict) -> None:
    for field in dataclasses.fields(Status):
        value = values.get(field.name, field.default)
        if isinstance(field.default, str):
            good = isinstance(value, str) and len(value) <= 2000
        elif value is None:
            good = field.default is None
        else:
            most = MOST_SEEN if field.name in ("kimg", "total_kimg") else MOST
            good = whole(value, 0, MOST) if field.name in ("step", "version") else number(value, 0, most)
        if not good:
            raise ModelError(f"In its status.json {field.name} is {value!r:.80}, which is not what ganart writes.")


def _check_lines(path: Path) -> None:
    """Every line of figures has numbers alone; what is no whole line is passed over, as `Run.metrics` does."""
    with path.open("rb") as file:
        for count in itertools.count():
            if count > MAX_LINES:
                raise ModelError(f"Its {path.name} has more than {MAX_LINES:,} lines, and ganart writes fewer.")
            if len(line := file.readline(MAX_LINE)) == MAX_LINE:
                raise ModelError(f"Its {path.name} has a line that is too long to be read.")
            if not line:
                break
    for values in jsonlines.read_all(path):
        if not (whole(values.get("step"), 0, MOST) and number(values.get("kimg"), 0, MOST_SEEN)):
            raise ModelError(f"A line of its {path.name} does not say when it was written.")
        if not all(number(value, -MOST, MOST) for value in values.values()):
            raise ModelError(f"A line of its {path.name} holds what is no number.")


def _check_sheet(path: Path, networks: NetworkConfig) -> None:
    """A whole PNG of 6x6 pictures that these networks paint."""
    side = 6 * networks.size
    with path.open("rb") as file:
        head = file.read(24)
    sides = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:16] != b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" or sides != (side, side):
        raise ModelError(f"Its sheet {path.name} is not a PNG that ganart wrote.")
    try:
        pixels = images.read_png(path.read_bytes())
    except ModelError as error:
        raise ModelError(f"Its sheet {path.name} is damaged. Pack the run again.") from error
    if pixels.shape[2] != networks.channels:
        raise ModelError(f"Its sheet {path.name} has other colours than its run.")


def _check_state(path: Path) -> None:
    """The header of a training state; its tensors are checked when the run goes on."""
    with path.open("rb") as file:
        data = file.read(8 + card.MAX_HEADER)
    values = json_of(card.metadata(data, path.name).get("ganart", "").encode(), path.name)
    kinds = {"step": int, "choices": dict}
    if values.get("format") != "ganart-state" or any(not isinstance(values.get(k), t) for k, t in kinds.items()):
        raise ModelError(f"Its {path.name} is not a training state of ganart.")


def check_dataset(folder: Path, settings: TrainConfig) -> str:
    """The hash of the unpacked pictures, which are those that the settings name."""
    data = (folder / "manifest.json").read_bytes()
    if sum(map(data.count, (b"{", b"[", b","))) > MOST_PARTS * (limits().files + 1000):
        raise ModelError("Its manifest.json is not one that ganart wrote.")  # and would take much more memory
    values = json_of(data, "manifest.json")
    if values.get("version") != dataset.MANIFEST_VERSION:
        raise ModelError(
            f"Its pictures have manifest version {told(values.get('version'))}, and this ganart reads "
            f"{dataset.MANIFEST_VERSION}. Update ganart, or pack the run without them."
        )
    try:
        taken = IntakeConfig(**{**values["settings"], "background": tuple(values["settings"]["background"])})
        count, held_out, channels, digest = (values[key] for key in ("count", "held_out", "channels", "hash"))
        numbers = all(type(value) is int for value in (count, held_out, channels))
        good = numbers and 0 <= held_out < count and all(map(_is_report_line, values["files"]))
        good = good and isinstance(values.get("name"), str) and len(values["files"]) <= limits().files
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError("Its manifest.json is not one that ganart wrote.") from error
    if not good:
        raise ModelError("Its manifest.json is not one that ganart wrote.")
    shape = settings.networks.size, settings.networks.channels
    if not digest or digest != settings.dataset_hash or (taken.size, channels) != shape:
        raise ModelError("Its pictures are not those that the run learned from. Pack the run again.")
    _check_images(folder / f"images-{taken.size}.npy", (count, taken.size, taken.size, channels))
    return digest


def _is_report_line(entry: dict) -> bool:
    kinds = {"file": str, "ok": bool} | ({"reason": str} if "reason" in entry or not entry["ok"] else {})
    plain = all(isinstance(value, str | int | float | None) for value in entry.values())
    return plain and all(isinstance(entry[key], kind) for key, kind in kinds.items())


def _check_images(path: Path, shape: tuple[int, int, int, int]) -> None:
    sentence = f"Its pictures are not {shape[0]} of {shape[1]} px, as its manifest.json says. Pack the run again."
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever numpy makes of a header that nobody wrote in earnest
        raise ModelError(sentence) from error
    if not isinstance(images, np.ndarray) or (images.shape, images.dtype) != (shape, np.uint8):
        raise ModelError(sentence)
    if not images.flags.c_contiguous:
        raise ModelError(sentence)
