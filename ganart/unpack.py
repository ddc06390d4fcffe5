"""A packed run, which may come from anybody, becomes one of this workspace. Imports no torch.

The file and everything in it are checked before anything is believed; what a pack is: `pack`.
"""

import contextlib
import dataclasses
import os
import shutil
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ganart import config, dataset, disk, housekeeping, in_use, launch, workspace
from ganart.checks import told
from ganart.config import TrainConfig
from ganart.errors import InputError, ModelError, RunError
from ganart.files import building, replace_with_retry, write_json
from ganart.pack import CHUNK, MAX_ENTRIES, PACK_VERSION, check_entries, damaged
from ganart.run import UNFINISHED, Run
from ganart.unpacked import check_dataset, check_run, json_of


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
            settings = check_run(made)
            digest = check_dataset(pictures, settings) if about["dataset"] else None
            status = Run(made).written_status()
            if status.state in UNFINISHED:
                Run(made).write_status(dataclasses.replace(status, state="stopped"))
            with in_use.launch_lock():
                placed = _place_dataset(pictures, made, settings, about["dataset"]) if digest else None
                try:
                    target = launch.new_folder(about["run"])
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
    with building(workspace.folder(kind), ".unpacking-") as build:
        yield build


def _place_dataset(build: Path, made: Path, settings: TrainConfig, name: str) -> Path | None:
    """Move the pictures to a free name -> where they are now; None where the workspace has them already.

    Other pictures may lie there under their hash, which only who prepared them knows to be true. The unpacked run
    then learns from its own: its settings name them.
    """
    parent = workspace.folder("datasets")
    with dataset.lock():
        like = [store for store in dataset.list_datasets() if store.hash == settings.dataset_hash]
        same = [store.name for store in like if store.has_pictures_of(build)]
        target = None if same else parent / workspace.free_name(parent, name)
        own = target.name if target else settings.dataset if settings.dataset in same else same[0]
        if len(like) > len(same) and own != settings.dataset:
            write_json(made / "config.json", config.to_dict(dataclasses.replace(settings, dataset=own)))
        if target:
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
    about = json_of(archive.read("pack.json"), "pack.json")
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
