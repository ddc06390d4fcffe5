"""A folder, a zip or MNIST -> an immutable store of training pictures, with a report of every file.

A store is a folder of the workspace's `datasets/`:
    images-64.npy    uint8 (N, 64, 64, C); training pictures first, held-out ones last
    manifest.json    the settings, the counts, every file with what became of it; written last
Imports no torch.
"""

import contextlib
import filecmp
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np

from ganart import config, decoders, intake, mnist, selection, workspace
from ganart.config import IntakeConfig
from ganart.decoders import Progress
from ganart.errors import DatasetError, InputError
from ganart.files import building, flush_folder, read_json, replace_with_retry, write_json

MANIFEST_VERSION = 1
FEW_PICTURES = 500


@dataclass(frozen=True)
class Dataset:
    """A prepared store, opened. `report` lists every file: {file, ok, reason?, enlarged?, crops?}; `count` and
    `held_out` are of what the networks see, where several crops of a picture are several."""

    folder: Path
    name: str
    hash: str
    settings: IntakeConfig
    count: int
    channels: int
    held_out: int
    report: list[dict]

    @property
    def training(self) -> int:
        """Pictures that the networks see; the held-out ones come after them."""
        return self.count - self.held_out

    @property
    def pictures(self) -> int:
        """How many pictures there are, whatever the number of their crops."""
        return self.count if self.settings.crops == 1 else sum(entry["ok"] for entry in self.report)

    @property
    def skipped(self) -> list[dict]:
        """The files that were left out: {file, reason}."""
        return [{"file": f["file"], "reason": f["reason"]} for f in self.report if not f["ok"]]

    @property
    def enlarged(self) -> int:
        """How many kept pictures were smaller than the training size."""
        return sum(bool(f.get("enlarged")) for f in self.report if f["ok"])

    def images(self) -> np.ndarray:
        """uint8 (count, size, size, channels), memory-mapped."""
        return np.load(self.folder / _images(self.settings), mmap_mode="r", allow_pickle=False)

    def has_pictures_of(self, build: Path) -> bool:
        """Whether its pictures are those of a store of the same settings that is being built, to the byte."""
        name = _images(self.settings)
        return (build / name).is_file() and filecmp.cmp(self.folder / name, build / name, shallow=False)

    def warnings(self) -> list[str]:
        """What the artist should know before training, in plain words."""
        notes = []
        if self.pictures < FEW_PICTURES:
            notes.append(
                f"{self.pictures} pictures are few: the network will partly copy them. From about {FEW_PICTURES} "
                "on it begins to invent."
            )
        if heic := sum("HEIC" in f.get("reason", "") for f in self.report):
            notes.append(
                f"{heic} HEIC photo{'s were' if heic > 1 else ' was'} left out. Export them as JPEG (on a Mac: "
                "Preview, Export; on an iPhone: Settings, Camera, Formats, Most Compatible), then add them."
            )
        if self.enlarged:
            notes.append(f"{self.enlarged} pictures are smaller than {self.settings.size} px and were enlarged.")
        return notes


def _images(settings: IntakeConfig) -> str:
    """The name of the file with the pictures."""
    return f"images-{settings.size}.npy"


# --- opening what is there


def open_dataset(name: str) -> Dataset:
    """The prepared store of that name; raises DatasetError where there is none."""
    folder = workspace.folder("datasets") / workspace.check_name(name)
    values = read_json(folder / "manifest.json")
    if values is None:
        raise DatasetError(f"There is no dataset “{name}”. Choose its pictures again to prepare it anew.")
    if values.get("version") != MANIFEST_VERSION:
        raise DatasetError(
            f"The dataset “{name}” was written by another version of ganart (manifest version "
            f"{values.get('version')!r}, this one reads {MANIFEST_VERSION}). Prepare its folder again."
        )
    settings = IntakeConfig(**{**values["settings"], "background": tuple(values["settings"]["background"])})
    if not (folder / _images(settings)).is_file():
        raise DatasetError(f"The pictures of the dataset “{name}” are gone. Prepare its folder again.")
    return Dataset(
        folder=folder,
        name=name,
        hash=values["hash"],
        settings=settings,
        count=values["count"],
        channels=values["channels"],
        held_out=values["held_out"],
        report=values["files"],
    )


def lock() -> filelock.FileLock:
    """The lock under which datasets get their names."""
    return filelock.FileLock(workspace.folder("locks") / "datasets.lock")


def list_datasets() -> list[Dataset]:
    """All readable stores, newest first."""
    found = []
    for manifest in workspace.folder("datasets").glob("*/manifest.json"):
        # A store of another version stays on the disk and out of the lists; one may be deleted just now.
        with contextlib.suppress(InputError, OSError):
            found.append((manifest.stat().st_mtime, open_dataset(manifest.parent.name)))
    return [store for _, store in sorted(found, key=lambda pair: pair[0], reverse=True)]


def find(name: str, digest: str) -> Dataset:
    """The store with this hash: the one of that name where it fits, else any other; a dataset may be renamed.

    Raises DatasetError where no store has this hash.
    """
    with contextlib.suppress(InputError):
        if (named := open_dataset(name)).hash == digest:
            return named
    for store in list_datasets():
        if store.hash == digest:
            return store
    raise DatasetError(
        f"The dataset “{name}” is gone, or is not the one that was learned from. Prepare the same pictures with "
        "the same settings again, or start a new run."
    )


# --- preparing


def prepare(
    source: str | Path,
    settings: IntakeConfig | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    *,
    listed: tuple[list[dict | None], list[dict]] | None = None,
    title: str | None = None,
) -> Dataset:
    """Make a store from a folder, a .zip or the built-in name "mnist", and return it.

    `settings` None means the defaults (28 px for mnist). A `name` that is taken by the same content returns
    that store; by other content it raises DatasetError; without a `name` a free one is made from the source.
    `progress(done, total)` is called as files are looked at. `listed` and `title` are what `intake.list_source`
    and the source's name would say, where somebody knows better (`uploads.Upload.listed`).
    Raises DatasetError where nothing can be made of the source; nothing is left behind then.
    """
    if name is not None:
        workspace.check_name(name)
    if str(source) == "mnist":
        return _prepare_mnist(settings, name, progress)
    settings = settings or IntakeConfig()
    # What is listed already lies in the workspace, wherever that is; a path that was typed may be anyone's.
    path = Path(source) if listed else intake.source_path(str(source))
    jobs, report = listed or intake.list_source(path)
    shown = title or path.name
    title = title or (path.stem if path.suffix.lower() == ".zip" else path.resolve().name)
    with _building() as build:
        rows = build / "rows"
        hashes = decoders.decode_all(jobs, report, rows, settings, progress)
        selection.mark_duplicates(report, hashes)
        kept = [row for row in sorted(hashes) if report[row]["ok"]]
        if len(kept) < intake.MIN_PICTURES:
            raise DatasetError(selection.too_few(shown, report, len(kept)))
        channels = settings.channels or (1 if all(report[row].pop("grey") for row in kept) else 3)
        for entry in report:
            entry.pop("grey", None)
        order, held_out = selection.split(kept, hashes)
        for row in order[len(order) - held_out :]:
            report[row]["held_out"] = True
        places = [[settings.crops * row + crop for crop in range(report[row].get("crops", 1))] for row in order]
        held_out = sum(map(len, places[len(order) - held_out :]))
        images = [place for some in places for place in some]
        _write_images(build / _images(settings), rows, images, settings.size, channels)
        rows.unlink()
        content = [hashes[row] for row in order]
        return _finish(
            build,
            name,
            f"{workspace.slug(title)}-{settings.size}",
            settings,
            channels,
            held_out,
            content,
            report,
            len(images),
        )


def _prepare_mnist(settings: IntakeConfig | None, name: str | None, progress: Progress | None) -> Dataset:
    """MNIST as it is: the 60,000 training digits to learn from, the 10,000 test digits held out."""
    if settings not in (None, IntakeConfig(size=28), IntakeConfig(size=28, channels=1)):
        raise DatasetError("The built-in mnist has 28 px grey pictures. Leave the size out, or ask for --size 28.")
    settings = IntakeConfig(size=28, channels=1)
    digits, files = mnist.load()
    held_out = len(digits) - mnist.TRAINING
    with _building() as build:
        np.save(build / "images-28.npy", digits, allow_pickle=False)
        if progress:
            progress(len(digits), len(digits))
        content = [hashlib.sha256(digits.data).hexdigest()]
        report = [{"file": file, "ok": True} for file in files]
        return _finish(build, name, "mnist", settings, 1, held_out, content, report, count=len(digits))


@contextlib.contextmanager
def _building() -> Iterator[Path]:
    """A folder to build a store in; what is left of it behind the block is deleted."""
    try:
        with building(workspace.folder("datasets"), ".preparing-") as build:
            yield build
    except OSError as error:
        raise DatasetError(
            f"The dataset could not be written ({error.strerror}). Make room on the disk, then prepare it again."
        ) from error


def _finish(
    build: Path,
    name: str | None,
    free: str,
    settings: IntakeConfig,
    channels: int,
    held_out: int,
    content: list[str],
    report: list[dict],
    count: int | None = None,
) -> Dataset:
    """Name the finished folder; the move to its name makes it a store."""
    key = json.dumps([config.intake_to_dict(settings), channels, content])
    digest = hashlib.sha256(key.encode()).hexdigest()
    parent = workspace.folder("datasets")
    with lock():  # two tabs may finish at once
        for existing in list_datasets():
            named = existing.name == name or (name is None and _made_from(existing.name, free))
            # A packed run may have brought other pictures along under this hash.
            if existing.hash == digest and named and existing.has_pictures_of(build):
                return existing
        if name is None:
            name = workspace.free_name(parent, free)
        elif (parent / name).exists():
            raise DatasetError(
                f"The name “{name}” is taken by a dataset with other pictures or settings. Choose another --name."
            )
        manifest = {
            "version": MANIFEST_VERSION,
            "name": name,
            "hash": digest,
            "settings": config.intake_to_dict(settings),
            "count": len(content) if count is None else count,
            "channels": channels,
            "held_out": held_out,
            "files": report,
        }
        write_json(build / "manifest.json", manifest, durable=True)
        replace_with_retry(build, parent / name)
        flush_folder(parent)
    return open_dataset(name)


def _made_from(name: str, free: str) -> bool:
    """Whether `name` is `free` or `free-2`, `free-3`, …"""
    return name == free or re.fullmatch(re.escape(free[:36]) + r"-\d+", name) is not None


def _write_images(path: Path, rows: Path, order: list[int], size: int, channels: int) -> None:
    """Copy the kept rows into the final array, a chunk at a time, so that memory does not grow with the store.

    Without memory maps: on a full disk one that is written would kill the process, and Windows deletes no file
    that one is left of."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(order), size, size, channels)}
    with rows.open("rb") as source, path.open("wb") as target:
        np.lib.format.write_array_header_1_0(target, header)
        for start in range(0, len(order), 256):
            chunk = np.empty((len(order[start : start + 256]), size, size, 3), np.uint8)
            for place, row in enumerate(order[start : start + 256]):
                source.seek(row * size * size * 3)
                source.readinto(chunk[place].data)
            if channels == 1:  # luma weights of ITU-R BT.601, as Pillow's "L"
                chunk = (chunk @ np.array([0.299, 0.587, 0.114]) + 0.5).astype(np.uint8)[..., None]
            target.write(chunk.tobytes())
        target.flush()
        os.fsync(target.fileno())
