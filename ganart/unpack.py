"""A packed run, which may come from anybody, becomes one of this workspace. Imports no torch.

The file and everything in it are checked before anything is believed; what a pack is: `pack`.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganart import card, config, dataset, disk, housekeeping, images, in_use, jsonlines, launch, workspace
from ganart.checks import told
from ganart.config import IntakeConfig, TrainConfig
from ganart.errors import InputError, ModelError, RunError
from ganart.files import replace_with_retry, sweep_abandoned
from ganart.limits import limits
from ganart.pack import CHUNK, MAX_ENTRIES, PACK_VERSION, check_entries, check_words, damaged
from ganart.run import UNFINISHED, Run, Status

MAX_LINE = 100_000  # bytes of a line of figures
MAX_SIDE = 4096  # px of a sheet; six pictures of 256 px have 1536


def unpack(path: Path) -> Run:
    """Make a run of this workspace, and its dataset where that is missing here, from a .ganart file.

    Raises InputError where there is no file, ModelError where it is no whole pack, RunError where the disk has no
    room. Nothing is left behind then.
    """
    if not path.is_file():
        raise InputError(f"There is no file at “{path}”. Check the path.")
    try:
        with path.open("rb") as file, _building("runs") as made, _building("datasets") as pictures:
            about = _extract_all(file, {"run": made, "dataset": pictures})
            settings = _check_run(made)
            digest = _check_dataset(pictures, settings) if about["dataset"] else None
            status = Run(made).written_status()
            if status.state in UNFINISHED:
                Run(made).write_status(dataclasses.replace(status, state="stopped"))
            with in_use.launch_lock():
                placed = _place_dataset(pictures, about["dataset"], digest) if digest else None
                try:
                    target = launch.next_folder(about["run"])
                    replace_with_retry(made, target)
                except BaseException:
                    if placed:
                        housekeeping.remove(placed)
                    raise
                return Run(target)
    except InputError as error:
        raise ModelError(f"“{path.name}” cannot be opened: {error}") from error
    except OSError as error:
        raise RunError(
            f"“{path.name}” could not be unpacked ({error.strerror}). Make room on the disk, then open it again."
        ) from error


@contextlib.contextmanager
def _building(kind: str) -> Iterator[Path]:
    """A folder of the workspace to build in; what is left of it behind the block is deleted."""
    parent = workspace.folder(kind)
    sweep_abandoned(parent, ".unpacking-*")
    with tempfile.TemporaryDirectory(dir=parent, prefix=".unpacking-", ignore_cleanup_errors=True) as temporary:
        build = Path(temporary) / "build"
        build.mkdir()
        yield build


def _place_dataset(build: Path, name: str, digest: str) -> Path | None:
    """Move the pictures to a free name -> where they are now; None where the workspace has them already."""
    parent = workspace.folder("datasets")
    with dataset.lock():
        if any(store.hash == digest for store in dataset.list_datasets()):
            return None
        target = parent / workspace.free_name(parent, name)
        replace_with_retry(build, target)
        return target


# --- the zip


def _extract_all(file: BinaryIO, folders: dict[str, Path]) -> dict:
    """Write every entry into the folder of its kind -> pack.json."""
    end = _check_directory(file)
    with _reading(), zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        check_entries(entries, end)
        about = _check_about(archive, entries)
        total = sum(entry.file_size for entry in entries)
        free = shutil.disk_usage(workspace.folder("runs")).free
        if total > free:
            raise RunError(
                f"The pack holds {disk.words(total)}, but only {disk.words(free)} are free. Make room on the "
                "disk, then open it again."
            )
        for entry in entries:
            kind, _, name = entry.filename.partition("/")
            if name:
                _extract(archive, entry, folders[kind] / name)
    return about


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """What zipfile raises of a damaged file, as one sentence."""
    try:
        yield
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OverflowError, struct.error) as error:
        raise damaged() from error


def _check_directory(file: BinaryIO) -> int:
    """The length of the file in bytes; raises ModelError where its list of entries is too long to be a pack's.

    zipfile would read a list of any length into memory. A pack has no comment, so the records that tell the length
    are its last bytes: 22, or 98 where the file is large.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 98))
    tail = file.read().rjust(98, b"\0")
    if tail[76:80] != b"PK\5\6" or tail[96:] != b"\0\0":
        raise damaged()
    length = int.from_bytes(tail[88:92], "little")
    if tail[56:60] == b"PK\6\7":
        if tail[:4] != b"PK\6\6" or int.from_bytes(tail[64:72], "little") != end - 98:
            raise damaged()
        length = int.from_bytes(tail[40:48], "little")
    if length > 200 * MAX_ENTRIES:
        raise ModelError(f"It lists more than the {MAX_ENTRIES} files that a pack may hold.")
    file.seek(0)
    return end


def _check_about(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict:
    """pack.json, checked."""
    about = _json(archive.read("pack.json"), "pack.json")
    if about.get("format") != "ganart-pack":
        raise ModelError("Its pack.json is not one of ganart.")
    if about.get("version") != PACK_VERSION:
        raise ModelError(
            f"It has pack version {told(about.get('version'))}, and this ganart reads version {PACK_VERSION}. "
            "Update ganart, or use the one that wrote it."
        )
    pictures = {entry.filename for entry in entries if entry.filename.startswith("dataset/")}
    whole = len(pictures) == 2 and "dataset/manifest.json" in pictures
    if bool(pictures) != whole or whole == (about.get("dataset") is None):
        raise ModelError("Its pictures are not whole. Pack the run again.")
    for key in ("run", "dataset") if whole else ("run",):
        if not isinstance(about.get(key), str):
            raise ModelError("Its pack.json is not one of ganart.")
        workspace.check_name(about[key])
    return about


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as source, target.open("xb") as file:
        while left >= 0 and (chunk := source.read(CHUNK)):
            left -= len(chunk)
            file.write(chunk)
    if left:
        raise damaged()


# --- what came out of it


def _json(data: bytes, name: str) -> dict:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"Its {name} cannot be read.") from error
    if not isinstance(values, dict):
        raise ModelError(f"Its {name} cannot be read.")
    return values


def _check_run(folder: Path) -> TrainConfig:
    """The settings of an unpacked run, all of whose files were looked at."""
    (folder / "samples").mkdir(exist_ok=True)
    settings = config.train_from_dict(_json((folder / "config.json").read_bytes(), "config.json"))
    check_words(settings)
    run = Run(folder)
    if (path := folder / "status.json").exists():
        _check_status(_json(path.read_bytes(), path.name))
    for name in ("metrics.jsonl", "vitals.jsonl"):
        if (path := folder / name).exists():
            _check_lines(path)
    for path in run.samples():
        _check_sheet(path)
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
            whole = field.name in ("step", "version")
            good = isinstance(value, int if whole else int | float) and 0 <= value <= 1e15
        if not good:
            raise ModelError(f"In its status.json {field.name} is {value!r:.80}, which is not what ganart writes.")


def _check_lines(path: Path) -> None:
    """Every line of figures has a step; what is no whole line is passed over, as `Run.metrics` does."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise ModelError(f"Its {path.name} has a line that is too long to be read.")
            try:
                values = json.loads(line)
            except ValueError:
                continue
            except RecursionError as error:
                raise ModelError(f"Its {path.name} cannot be read.") from error
            if isinstance(values, dict):
                _check_figures(values, path)
    for values in jsonlines.read_all(path):  # lines that only together are what the pages would read
        _check_figures(values, path)


def _check_figures(values: dict, path: Path) -> None:
    if not isinstance(values.get("step"), int):
        raise ModelError(f"A line of its {path.name} has no step.")
    if not all(isinstance(value, int | float | None) for value in values.values()):
        raise ModelError(f"A line of its {path.name} holds what is no number.")


def _check_sheet(path: Path) -> None:
    """A whole PNG of a size that pages can show."""
    with path.open("rb") as file:
        head = file.read(24)
    sides = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:16] != b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" or not all(0 < side <= MAX_SIDE for side in sides):
        raise ModelError(f"Its sheet {path.name} is not a PNG that ganart wrote.")
    try:
        images.read_png(path.read_bytes())
    except ModelError as error:
        raise ModelError(f"Its sheet {path.name} is damaged. Pack the run again.") from error


def _check_state(path: Path) -> None:
    """The header of a training state; its tensors are checked when the run goes on."""
    with path.open("rb") as file:
        data = file.read(8 + card.MAX_HEADER)
    values = _json(card.metadata(data, path.name).get("ganart", "").encode(), path.name)
    kinds = {"step": int, "choices": dict}
    if values.get("format") != "ganart-state" or any(not isinstance(values.get(k), t) for k, t in kinds.items()):
        raise ModelError(f"Its {path.name} is not a training state of ganart.")


def _check_dataset(folder: Path, settings: TrainConfig) -> str:
    """The hash of the unpacked pictures, which are those that the settings name."""
    values = _json((folder / "manifest.json").read_bytes(), "manifest.json")
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
