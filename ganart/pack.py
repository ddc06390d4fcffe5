"""A run in one file, to go on with it on another machine. Imports no torch.

NAME.ganart is a zip that keeps its files as they are:
    pack.json    {"format": "ganart-pack", "version": 1, "run": name, "dataset": name or null}
    run/         the run folder without its log, its locks and what is asked of its trainer
    dataset/     the prepared pictures, where they were packed as well
`unpack` opens it again.
"""

import dataclasses
import json
import os
import re
import shutil
import stat
import threading
import zipfile
from pathlib import Path

from ganart import config, dataset, disk, export, exported, in_use, kept, workspace
from ganart.config import TrainConfig
from ganart.dataset import Dataset
from ganart.errors import DatasetError, InputError, ModelError, RunError
from ganart.files import discard, replace_with_retry
from ganart.run import Run, Status

SUFFIX = ".ganart"
PACK_VERSION = 1
MAX_ENTRIES = 500
MAX_BYTES = 20_000_000_000
MAX_TEXT = {".json": 100_000, ".jsonl": 20_000_000}  # bytes: settings; more figures than a run of months writes
MAX_REPORT = 20_000_000  # bytes of manifest.json: what became of 20,000 files
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
    "initial": r"[\w .-]{0,80}",
}
PATH = re.compile(r"(?<![^\s“\"'(])(~|[A-Za-z]:)?[/\\]\S")


# --- out


def pack(run: Run, path: Path, *, pictures: bool = True, beside: bool = False) -> Path:
    """Write a run that is not at work into one .ganart file, by default with the pictures it learned from -> where
    it is.

    A file already there is replaced in one move, or (beside) stays, and this one gets the next free name. Never a
    path or a name of a person or a computer gets in.
    Raises InputError for a file that cannot be meant, DatasetError where the pictures are gone, RunError while the
    run is at work or where the file cannot be written.
    """
    export.check_suffix(path, SUFFIX)
    in_use.check_idle(run)
    before = run.written_status()
    settings = run.config()
    check_words(settings)
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
                f"“{path.name}” would hold {disk.words(total)}, and a pack has "
                f"{disk.words(MAX_BYTES)} at most. Pack the run without its pictures."
            )
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.writestr(_entry("pack.json"), json.dumps(about))
            if sources.pop("run/status.json", None):
                archive.writestr(_entry("run/status.json"), status)
            for entry, source in sources.items():
                _store_file(archive, entry, source)
            entries = archive.infolist()
        check_entries(entries, temporary.stat().st_size)
        in_use.check_idle(run)
        if run.written_status() != before:
            raise RunError(f"The run {run.id} was at work while it was packed. Pack it again.")
        if beside:
            return exported.keep(temporary, path)
        replace_with_retry(temporary, path)
    except ModelError as error:
        raise InputError(f"“{path.name}” could not be opened again: {error}") from error
    except OSError as error:
        raise RunError(
            f"“{path.name}” could not be written ({error.strerror}). Make room on the disk, or choose another "
            "place."
        ) from error
    finally:
        discard(temporary)
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


# --- what a pack may hold, on the way out and on the way in


def damaged() -> ModelError:
    """The error for a file that is no whole pack."""
    return ModelError("It is damaged, or no pack of ganart. Copy it again.")


def check_entries(entries: list[zipfile.ZipInfo], end: int) -> None:
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
            raise damaged()
        report = entry.filename == "dataset/manifest.json"
        most = MAX_REPORT if report else MAX_TEXT.get(Path(entry.filename).suffix, MAX_BYTES)
        if entry.file_size > most:
            raise ModelError(f"“{shown}” in it has {disk.words(entry.file_size)}, more than it can have.")
    total = sum(entry.file_size for entry in entries)
    if total > min(end, MAX_BYTES):  # several entries may share their bytes
        raise ModelError(f"It claims to hold {disk.words(total)}, more than it can.")
    if missing := {"pack.json", "run/config.json"} - set(names):
        raise ModelError(f"It holds no {min(missing)}, so it is no pack of ganart.")


def check_words(settings: TrainConfig) -> None:
    """Raises InputError where a name in the settings is none."""
    for name, pattern in WORDS.items():
        value = getattr(settings, name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise InputError(f"In the run's settings {name} is {value!r:.80}, which is not what ganart writes.")
