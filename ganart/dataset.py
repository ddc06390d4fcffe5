"""A folder, a zip or MNIST -> an immutable store of training pictures, with a report of every file.

A store is a folder of the workspace's `datasets/`:
    images-64.npy    uint8 (N, 64, 64, C); training pictures first, held-out ones last
    manifest.json    the settings, the counts, every file with what became of it; written last
Imports no torch.
"""

import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ganart import mnist, workspace
from ganart.config import SIZES
from ganart.decode import SUFFIXES
from ganart.errors import DatasetError, InputError
from ganart.files import read_json, write_json

MANIFEST_VERSION = 1
MIN_PICTURES = 8
FEW_PICTURES = 500
MAX_FILES = 20_000
HOLD_OUT_FROM = 200
MIN_HELD_OUT = 30
SECONDS_A_PICTURE = 20.0
HEIC = {".heic", ".heif"}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Settings:
    """How pictures become squares: side in px, "centre" or "fit", colour behind transparency and bars,
    channels (1, 3, or 0 for grey where every picture is grey)."""

    size: int = 64
    crop: str = "centre"
    background: tuple[int, int, int] = (255, 255, 255)
    channels: int = 0

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise InputError(f"A size of {self.size} px is not offered. Choose one of {', '.join(map(str, SIZES))}.")
        if self.crop not in ("centre", "fit"):
            raise InputError(f"The crop is “{self.crop}”. It must be centre or fit.")
        if self.channels not in (0, 1, 3):
            raise InputError("Channels are 1 (grey), 3 (colour), or 0 to decide by the pictures.")


@dataclass(frozen=True)
class Dataset:
    """A prepared store, opened. `report` lists every file: {file, ok, reason?, enlarged?}."""

    folder: Path
    name: str
    hash: str
    settings: Settings
    count: int
    channels: int
    held_out: int
    report: list[dict]

    @property
    def training(self) -> int:
        """Pictures that the networks see; the held-out ones come after them."""
        return self.count - self.held_out

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
        return np.load(self.folder / f"images-{self.settings.size}.npy", mmap_mode="r", allow_pickle=False)

    def warnings(self) -> list[str]:
        """What the artist should know before training, in plain words."""
        notes = []
        if self.count < FEW_PICTURES:
            notes.append(
                f"{self.count} pictures are few: the network will partly copy them. From about {FEW_PICTURES} on "
                "it begins to invent."
            )
        if heic := sum("HEIC" in f.get("reason", "") for f in self.report):
            notes.append(
                f"{heic} HEIC photo{'s were' if heic > 1 else ' was'} left out. Export them as JPEG (on a Mac: "
                "Preview, Export; on an iPhone: Settings, Camera, Formats, Most Compatible), then add them."
            )
        if self.enlarged:
            notes.append(f"{self.enlarged} pictures are smaller than {self.settings.size} px and were enlarged.")
        return notes


# --- opening what is there ------------------------------------------------------------------------------------


def open_dataset(name: str) -> Dataset:
    """The prepared store of that name; raises DatasetError where there is none."""
    folder = workspace.folder("datasets") / workspace.check_name(name)
    values = read_json(folder / "manifest.json")
    if values is None:
        raise DatasetError(f"There is no dataset “{name}”. Prepare one with: python -m ganart prepare FOLDER")
    if values.get("version") != MANIFEST_VERSION:
        raise DatasetError(
            f"The dataset “{name}” was written by another version of ganart (manifest version "
            f"{values.get('version')!r}, this one reads {MANIFEST_VERSION}). Prepare its folder again."
        )
    settings = Settings(**{**values["settings"], "background": tuple(values["settings"]["background"])})
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


def list_datasets() -> list[Dataset]:
    """All readable stores, newest first."""
    manifests = sorted(
        workspace.folder("datasets").glob("*/manifest.json"), key=lambda p: p.stat().st_mtime, reverse=True
    )
    found = []
    for manifest in manifests:
        try:
            found.append(open_dataset(manifest.parent.name))
        except InputError:
            continue  # a store of another version stays on the disk and out of the lists
    return found


# --- preparing --------------------------------------------------------------------------------------------------


def prepare(
    source: str | Path, settings: Settings | None = None, name: str | None = None, progress: Progress | None = None
) -> Dataset:
    """Make a store from a folder, a .zip or the built-in name "mnist", and return it.

    `settings` None means the defaults (28 px for mnist). A `name` that is taken by the same content returns
    that store; by other content it raises DatasetError; without a `name` a free one is made from the source.
    `progress(done, total)` is called as files are looked at.
    Raises DatasetError where nothing can be made of the source; nothing is left behind then.
    """
    if str(source) == "mnist":
        return _prepare_mnist(settings, name, progress)
    settings = settings or Settings()
    path = Path(str(source).strip().strip('"')).expanduser()
    if name is not None:
        workspace.check_name(name)
    jobs, report = _list_source(path)
    title = path.stem if path.suffix.lower() == ".zip" else path.resolve().name
    with tempfile.TemporaryDirectory(dir=workspace.folder("datasets"), prefix=".preparing-") as temporary:
        build = Path(temporary)
        rows = build / "rows"
        hashes = _decode_all(jobs, report, rows, settings, progress)
        _mark_duplicates(report, hashes)
        kept = [row for row in sorted(hashes) if report[row]["ok"]]
        if len(kept) < MIN_PICTURES:
            raise DatasetError(_too_few(path, report, len(kept)))
        channels = settings.channels or (1 if all(report[row].pop("grey") for row in kept) else 3)
        for entry in report:
            entry.pop("grey", None)
        order, held_out = _split(kept, hashes)
        for row in order[len(order) - held_out :]:
            report[row]["held_out"] = True
        _write_images(build / f"images-{settings.size}.npy", rows, order, settings.size, channels)
        rows.unlink()
        content = [hashes[row] for row in order]
        return _finish(build, name, f"{workspace.slug(title)}-{settings.size}", settings, channels, held_out, content, report)


def _prepare_mnist(settings: Settings | None, name: str | None, progress: Progress | None) -> Dataset:
    """MNIST as it is: the 60,000 training digits to learn from, the 10,000 test digits held out."""
    if settings is not None and settings != Settings(size=28, channels=settings.channels) or (
        settings and settings.channels == 3
    ):
        raise DatasetError("The built-in mnist has 28 px grey pictures. Leave the size out, or ask for --size 28.")
    settings = Settings(size=28, channels=1)
    digits, files = mnist.load()
    held_out = len(digits) - mnist.TRAINING
    with tempfile.TemporaryDirectory(dir=workspace.folder("datasets"), prefix=".preparing-") as temporary:
        build = Path(temporary)
        np.save(build / "images-28.npy", digits, allow_pickle=False)
        if progress:
            progress(len(digits), len(digits))
        content = [hashlib.sha256(digits).hexdigest()]
        report = [{"file": file, "ok": True} for file in files]
        return _finish(build, name, "mnist", settings, 1, held_out, content, report, count=len(digits))


def _finish(
    build: Path,
    name: str | None,
    free: str,
    settings: Settings,
    channels: int,
    held_out: int,
    content: list[str],
    report: list[dict],
    count: int | None = None,
) -> Dataset:
    """Name the finished folder; the manifest, written last, makes it a store."""
    key = json.dumps([asdict(settings), channels, content])
    digest = hashlib.sha256(key.encode()).hexdigest()
    parent = workspace.folder("datasets")
    for existing in list_datasets():
        if existing.hash == digest and existing.name in (name, free):
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
        "settings": asdict(settings),
        "count": len(content) if count is None else count,
        "channels": channels,
        "held_out": held_out,
        "files": report,
    }
    images = next(build.glob("images-*.npy"))
    target = parent / name
    target.mkdir()
    images.replace(target / images.name)
    write_json(target / "manifest.json", manifest, durable=True)
    return open_dataset(name)


def _list_source(path: Path) -> tuple[list[dict], list[dict]]:
    """Jobs for the decoders and the report's first draft, one entry for each file; both by row."""
    if str(path).startswith(("\\\\", "//")):
        raise DatasetError("Network paths are not opened. Copy the pictures to a folder on this computer first.")
    if not path.exists():
        raise DatasetError(f"There is no folder or zip file at “{path}”. Check the path and try again.")
    if path.is_dir():
        entries = _walk(path)
    elif path.suffix.lower() == ".zip":
        entries = _walk_zip(path)
    else:
        raise DatasetError(f"“{path.name}” is a single file. Give a folder of pictures or a .zip of them.")
    jobs, report = [], []
    for file, job, problem in entries:
        if len(report) >= MAX_FILES:
            raise DatasetError(f"More than {MAX_FILES:,} files were found. Give a folder with fewer of them.")
        suffix = Path(file).suffix.lower()
        if problem is None and suffix in HEIC:
            problem = "HEIC photo: export it as JPEG first"
        if problem is None and suffix not in SUFFIXES:
            problem = "not a picture format that ganart reads"
        report.append({"file": _display(file), "ok": problem is None, **({"reason": problem} if problem else {})})
        jobs.append(job if problem is None else None)
    if not report:
        raise DatasetError(f"“{path.name}” is empty. Give a folder or a zip with at least {MIN_PICTURES} pictures.")
    return jobs, report


def _walk(root: Path) -> Iterator[tuple[str, dict, str | None]]:
    """(name, job, problem) of every file under a folder, by name; links are not followed."""
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(files):
            path = Path(folder) / file
            if file.startswith(".") or file in ("Thumbs.db", "desktop.ini"):
                continue  # what the system puts into every folder is no file of the artist's
            problem = None if path.is_file() and not path.is_symlink() else "a link or a device, not a file"
            yield path.relative_to(root).as_posix(), {"path": str(path.resolve())}, problem


def _walk_zip(path: Path) -> Iterator[tuple[str, dict, str | None]]:
    """(name, job, problem) of every file in a zip. Entries are read by number and never unpacked by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise DatasetError(f"“{path.name}” is not a readable zip file. Make it again, or give the folder.") from error
    for index, entry in enumerate(entries):
        parts = entry.filename.replace("\\", "/").split("/")
        if entry.is_dir() or "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1] == "Thumbs.db":
            continue
        problem = None
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            problem = "its name points outside the zip"
        elif (entry.external_attr >> 16) & 0o170000 == 0o120000:
            problem = "a link or a device, not a file"
        elif entry.flag_bits & 1:
            problem = "locked with a password"
        yield entry.filename, {"zip": str(path.resolve()), "entry": index}, problem


def _display(name: str) -> str:
    """A file's name fit for a report: printable, 120 characters at most."""
    plain = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode())
    return plain if len(plain) <= 120 else "…" + plain[-119:]


def _mark_duplicates(report: list[dict], hashes: dict[int, str]) -> None:
    first: dict[str, int] = {}
    for row in sorted(hashes):
        if (earlier := first.setdefault(hashes[row], row)) != row:
            report[row]["ok"] = False
            report[row]["reason"] = f"the same picture as {report[earlier]['file']}"


def _split(kept: list[int], hashes: dict[int, str]) -> tuple[list[int], int]:
    """Rows in the order of the store (training first) and how many at its end are held out.

    From 200 pictures on a tenth, at least 30, is held out: those with the smallest content hashes, so that
    the same picture falls on the same side whatever the folder around it is called.
    """
    if len(kept) < HOLD_OUT_FROM:
        return kept, 0
    count = max(MIN_HELD_OUT, round(0.1 * len(kept)))
    outside = set(sorted(kept, key=lambda row: hashes[row])[:count])
    return [row for row in kept if row not in outside] + [row for row in kept if row in outside], count


def _too_few(path: Path, report: list[dict], kept: int) -> str:
    reasons: dict[str, int] = {}
    for entry in report:
        if not entry["ok"]:
            words = entry["reason"].split(":")[0]
            words = "the same picture as another" if words.startswith("the same picture") else words
            reasons[words] = reasons.get(words, 0) + 1
    skipped = ", ".join(f"{count} {words}" for words, count in sorted(reasons.items(), key=lambda r: -r[1]))
    found = f"{kept} usable picture{'' if kept == 1 else 's'}" if kept else "no usable picture"
    return (
        f"“{path.name}” has {found} among {len(report)} file{'' if len(report) == 1 else 's'}"
        f"{f' (left out: {skipped})' if skipped else ''}. At least {MIN_PICTURES} different JPEG, PNG, WebP, AVIF, "
        "BMP, GIF or TIFF pictures are needed."
    )


def _write_images(path: Path, rows: Path, order: list[int], size: int, channels: int) -> None:
    """Copy the kept rows into the final array, a chunk at a time, so that memory does not grow with the store."""
    count = rows.stat().st_size // (size * size * 3)
    source = np.memmap(rows, np.uint8, "r", shape=(count, size, size, 3))
    shape = (len(order), size, size, channels)
    target = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    for start in range(0, len(order), 256):
        chunk = source[order[start : start + 256]]
        if channels == 1:  # luma weights of ITU-R BT.601, as Pillow's "L"
            chunk = (chunk @ np.array([0.299, 0.587, 0.114]) + 0.5).astype(np.uint8)[..., None]
        target[start : start + 256] = chunk
    target.flush()


# --- the decoder processes --------------------------------------------------------------------------------------


class _Decoder:
    """A `ganart.decode` process that is started again when a picture brings it down."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None

    def ask(self, job: dict) -> dict:
        """The decoder's answer to a job; a crash or a hang is an answer with its reason."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ganart.decode"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libtiff writes its complaints there; ours come as answers
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": str(workspace.CHECKOUT), "OMP_NUM_THREADS": "1"},
            )
        timer = threading.Timer(SECONDS_A_PICTURE, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        finally:
            hung = not timer.is_alive()
            timer.cancel()
        if line.endswith("\n"):
            return json.loads(line)
        self.close()
        why = f"took longer than {SECONDS_A_PICTURE:.0f} s to decode" if hung else "made the decoder stop"
        return {"row": job["row"], "ok": False, "reason": why}

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def _decode_all(
    jobs: list[dict | None], report: list[dict], rows: Path, settings: Settings, progress: Progress | None
) -> dict[int, str]:
    """Decode every job into its row of the file `rows`; returns the content hash of each row that has pixels."""
    with rows.open("wb") as file:
        file.truncate(len(jobs) * settings.size**2 * 3)
    shared = {"out": str(rows), "size": settings.size, "crop": settings.crop, "background": settings.background}
    decoders: queue.SimpleQueue[_Decoder] = queue.SimpleQueue()
    workers = os.cpu_count() or 1
    for _ in range(workers):
        decoders.put(_Decoder())

    def decode(row: int) -> dict:
        decoder = decoders.get()
        try:
            return decoder.ask({"row": row, **jobs[row], **shared})
        finally:
            decoders.put(decoder)

    hashes: dict[int, str] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        waiting = [pool.submit(decode, row) for row, job in enumerate(jobs) if job is not None]
        for done, future in enumerate(as_completed(waiting), 1):
            answer = future.result()
            row = answer.pop("row")
            if answer["ok"]:
                hashes[row] = answer.pop("hash")
            report[row].update(answer)
            if progress:
                progress(done, len(waiting))
    finally:  # also when the page that asked is gone, which arrives here as an exception from `progress`
        pool.shutdown(cancel_futures=True)
        while not decoders.empty():
            decoders.get().close()
    return hashes


def delete_upload(folder: Path) -> None:
    """Remove a folder of uploaded files once its store is made."""
    shutil.rmtree(folder, ignore_errors=True)
