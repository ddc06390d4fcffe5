"""A run in one file, to go on with it on another machine. Imports no torch.

NAME.ganart is a zip that keeps its files as they are:
    pack.json    {"format": "ganart-pack", "version": 1, "run": name, "dataset": name or null}
    run/         the run folder without its log, its locks and what is asked of its trainer
    dataset/     the prepared pictures, where they were packed as well
A pack may come from anybody, so nothing in it is believed before it was checked.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import stat
import struct
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock
import numpy as np

from ganart import card, config, dataset, export, housekeeping, intake, kept, launch, workspace
from ganart.config import IntakeConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.errors import DatasetError, InputError, ModelError, RunError
from ganart.files import replace_with_retry, sweep_abandoned
from ganart.run import UNFINISHED, Run, Status

SUFFIX = ".ganart"
PACK_VERSION = 1
MAX_ENTRIES = 500
MAX_BYTES = 20_000_000_000
MAX_TEXT = {".json": 20_000_000, ".jsonl": 100_000_000}  # bytes: a report of 20,000 files, a year of figures
MAX_LINE = 100_000  # bytes of a line of figures
MAX_SIDE = 4096  # px of a sheet; six pictures of 256 px have 1536
CHUNK = 1_000_000
MOST = {"samples": 400, "checkpoints": 40, "states": 20}  # files of a run, so that it stays under MAX_ENTRIES
RUN_FILES = (
    "config.json",
    "status.json",
    "metrics.jsonl",
    "vitals.jsonl",
    "state.safetensors",
    "model.safetensors",
    "best.safetensors",
)
ENTRY = re.compile(
    "|".join(
        [
            r"pack\.json",
            f"run/({'|'.join(map(re.escape, RUN_FILES))})",
            r"run/samples/[0-9]{8,12}\.png",
            r"run/checkpoints/[0-9]{8,12}(\.state)?\.safetensors",
            r"dataset/manifest\.json",
            f"dataset/images-({'|'.join(map(str, config.SIZES))})\\.npy",
        ]
    )
)
WORDS = {  # fields of a TrainConfig that could hold any text, a path among others
    "preset": r"[a-z0-9-]{0,40}",
    "dataset": r"[a-z0-9-]{0,40}",
    "dataset_hash": r"[0-9a-f]{0,64}",
    "parent": r"([\w .-]{1,80}@[0-9]{1,12})?",
}
PATH = re.compile(r"(?<![^\s“\"'(])(~|[A-Za-z]:)?[/\\]\S")


# --- out


def pack(run: Run, path: Path, *, pictures: bool = True) -> Path:
    """Write a run that is not at work into one .ganart file, by default with the pictures it learned from.

    A file already there is replaced in one move. Never a path or a name of a person or a computer gets in.
    Raises InputError for a file that cannot be meant, DatasetError where the pictures are gone, RunError while the
    run is at work or where the file cannot be written.
    """
    export.check_suffix(path, SUFFIX)
    housekeeping.check_idle(run)
    before = run.written_status()
    settings = run.config()
    _check_words(settings)
    store = _store(settings) if pictures and settings.dataset else None
    sources = _run_files(run)
    if store:
        images = f"images-{store.settings.size}.npy"
        sources |= {f"dataset/{name}": store.folder / name for name in ("manifest.json", images)}
    name = run.name if workspace.NAME.fullmatch(run.name) else workspace.slug(run.id)
    about = {"format": "ganart-pack", "version": PACK_VERSION, "run": name, "dataset": store and store.name}
    status = json.dumps(dataclasses.asdict(_without_paths(before)), indent=1, ensure_ascii=False) + "\n"
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    try:
        if (total := sum(source.stat().st_size for source in sources.values())) > MAX_BYTES:
            raise InputError(
                f"“{path.name}” would hold {housekeeping.words(total)}, and a pack has "
                f"{housekeeping.words(MAX_BYTES)} at most. Pack the run without its pictures."
            )
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.writestr(_entry("pack.json"), json.dumps(about))
            if sources.pop("run/status.json", None):
                archive.writestr(_entry("run/status.json"), status)
            for entry, source in sources.items():
                _store_file(archive, entry, source)
            entries = archive.infolist()
        _check_entries(entries, temporary.stat().st_size)
        housekeeping.check_idle(run)
        if run.written_status() != before:
            raise RunError(f"The run {run.id} was at work while it was packed. Pack it again.")
        replace_with_retry(temporary, path)
    except ModelError as error:
        raise InputError(f"“{path.name}” could not be opened again: {error}") from error
    except OSError as error:
        raise RunError(
            f"“{path.name}” could not be written ({error.strerror}). Make room on the disk, or choose another "
            "place."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _store(settings: TrainConfig) -> Dataset:
    try:
        return dataset.find(settings.dataset, settings.dataset_hash)
    except DatasetError as error:
        raise DatasetError(f"{error} Or pack the run without its pictures.") from error


def _run_files(run: Run) -> dict[str, Path]:
    """What is packed of a run, by the name of its entry."""
    paths = [run.folder / name for name in RUN_FILES]
    found = {"samples": {int(path.stem): path for path in run.samples()}}
    found |= {"checkpoints": run.checkpoints(), "states": run.states()}
    for kind, by_step in found.items():
        gone = set(kept.surplus(list(by_step), MOST[kind]))
        paths += [path for step, path in by_step.items() if step not in gone]
    entries = {f"run/{path.relative_to(run.folder).as_posix()}": path for path in paths if path.is_file()}
    return {entry: path for entry, path in entries.items() if ENTRY.fullmatch(entry)}


def _without_paths(status: Status) -> Status:
    """A status whose sentences name no folder of this machine."""
    if PATH.search(status.error):
        status = dataclasses.replace(status, error="The reason is in the log.txt of the machine that trained it.")
    return dataclasses.replace(status, note="") if PATH.search(status.note) else status


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry that tells nothing of the machine: no date, no owner."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    return entry


def _store_file(archive: zipfile.ZipFile, name: str, source: Path) -> None:
    entry = _entry(name)
    with source.open("rb") as file:
        entry.file_size = os.fstat(file.fileno()).st_size  # from 2 GB on the entry takes another form
        with archive.open(entry, "w") as target:
            shutil.copyfileobj(file, target, CHUNK)


# --- in


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
            with housekeeping.launch_lock():
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
    with filelock.FileLock(workspace.folder("locks") / "datasets.lock"):
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
        _check_entries(entries, end)
        about = _check_about(archive, entries)
        total = sum(entry.file_size for entry in entries)
        free = shutil.disk_usage(workspace.folder("runs")).free
        if total > free:
            raise RunError(
                f"The pack holds {housekeeping.words(total)}, but only {housekeeping.words(free)} are free on the "
                "disk. Make room, then open it again."
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
        raise _damaged() from error


def _damaged() -> ModelError:
    return ModelError("It is damaged, or no pack of ganart. Copy it again.")


def _check_directory(file: BinaryIO) -> int:
    """The length of the file in bytes; raises ModelError where its list of entries is too long to be a pack's.

    zipfile would read a list of any length into memory. A pack has no comment, so the records that tell the length
    are its last bytes: 22, or 98 where the file is large.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 98))
    tail = file.read().rjust(98, b"\0")
    if tail[76:80] != b"PK\5\6" or tail[96:] != b"\0\0":
        raise _damaged()
    length = int.from_bytes(tail[88:92], "little")
    if tail[56:60] == b"PK\6\7":
        if tail[:4] != b"PK\6\6" or int.from_bytes(tail[64:72], "little") != end - 98:
            raise _damaged()
        length = int.from_bytes(tail[40:48], "little")
    if length > 200 * MAX_ENTRIES:
        raise ModelError(f"It lists more than the {MAX_ENTRIES} files that a pack may hold.")
    file.seek(0)
    return end


def _check_entries(entries: list[zipfile.ZipInfo], end: int) -> None:
    """Raises ModelError for anything that `pack` does not write. `end`: length of the zip in bytes."""
    names = [entry.filename for entry in entries]
    if len(names) > MAX_ENTRIES:
        raise ModelError(f"It lists more than the {MAX_ENTRIES} files that a pack may hold.")
    for entry in entries:
        shown = ascii(entry.filename[:60])[1:-1]
        if not ENTRY.fullmatch(entry.filename) or entry.filename != entry.orig_filename:
            raise ModelError(f"It holds “{shown}”, which is no part of a pack.")
        if names.count(entry.filename) > 1:
            raise ModelError(f"It holds “{shown}” more than once.")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ModelError(f"“{shown}” in it is a link or a device, not a file.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ModelError(f"“{shown}” in it is compressed or locked. Use the file as ganart wrote it.")
        beyond = entry.header_offset < 0 or entry.header_offset + entry.file_size > end
        if entry.compress_size != entry.file_size or beyond:
            raise _damaged()
        if entry.file_size > MAX_TEXT.get(Path(entry.filename).suffix, MAX_BYTES):
            raise ModelError(f"“{shown}” in it has {housekeeping.words(entry.file_size)}, more than it can have.")
    total = sum(entry.file_size for entry in entries)
    if total > min(end, MAX_BYTES):  # several entries may share their bytes
        raise ModelError(f"It claims to hold {housekeeping.words(total)}, more than it can.")
    if missing := {"pack.json", "run/config.json"} - set(names):
        raise ModelError(f"It holds no {min(missing)}, so it is no pack of ganart.")


def _check_about(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict:
    """pack.json, checked."""
    about = _json(archive.read("pack.json"), "pack.json")
    if about.get("format") != "ganart-pack":
        raise ModelError("Its pack.json is not one of ganart.")
    if about.get("version") != PACK_VERSION:
        raise ModelError(
            f"It has pack version {about.get('version')!r}, and this ganart reads version {PACK_VERSION}. Update "
            "ganart, or use the one that wrote it."
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
        raise _damaged()


# --- what came out of it


def _json(data: bytes, name: str) -> dict:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"Its {name} cannot be read.") from error
    if not isinstance(values, dict):
        raise ModelError(f"Its {name} cannot be read.")
    return values


def _check_words(settings: TrainConfig) -> None:
    """Raises InputError where a name in the settings is none."""
    for name, pattern in WORDS.items():
        value = getattr(settings, name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise InputError(f"In the run's settings {name} is {value!r:.80}, which is not what ganart writes.")


def _check_run(folder: Path) -> TrainConfig:
    """The settings of an unpacked run, all of whose files were looked at."""
    (folder / "samples").mkdir(exist_ok=True)
    settings = config.train_from_dict(_json((folder / "config.json").read_bytes(), "config.json"))
    _check_words(settings)
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
            if isinstance(values, dict) and not isinstance(values.get("step"), int):
                raise ModelError(f"A line of its {path.name} has no step.")


def _check_sheet(path: Path) -> None:
    """The header of a PNG of a size that pages can show; its pixels are left to the browser."""
    with path.open("rb") as file:
        head = file.read(24)
    sides = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:16] != b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" or not all(0 < side <= MAX_SIDE for side in sides):
        raise ModelError(f"Its sheet {path.name} is not a PNG that ganart wrote.")


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
            f"Its pictures have manifest version {values.get('version')!r}, and this ganart reads "
            f"{dataset.MANIFEST_VERSION}. Update ganart, or pack the run without them."
        )
    try:
        taken = IntakeConfig(**{**values["settings"], "background": tuple(values["settings"]["background"])})
        count, held_out, channels, digest = (values[key] for key in ("count", "held_out", "channels", "hash"))
        numbers = all(type(value) is int for value in (count, held_out, channels))
        good = numbers and 0 <= held_out < count and all(map(_is_report_line, values["files"]))
        good = good and isinstance(values.get("name"), str) and len(values["files"]) <= intake.MAX_FILES
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
    kinds = {"file": str, "ok": bool} | ({} if entry["ok"] else {"reason": str})
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
