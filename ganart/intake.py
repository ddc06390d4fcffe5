"""Files that nobody vouches for: what a folder or a zip holds, and the processes that decode it."""

import contextlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from ganart import workspace
from ganart.config import IntakeConfig
from ganart.decode import SUFFIXES
from ganart.errors import DatasetError
from ganart.files import sweep_abandoned

MAX_FILES = 20_000
MIN_PICTURES = 8
SECONDS_A_PICTURE = 20.0
LINK = "a link or a device, not a file"
HEIC = {".heic", ".heif"}
Progress = Callable[[int, int], None]


def list_source(path: Path) -> tuple[list[dict], list[dict]]:
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
        raise DatasetError(
            f"“{path.name}” is empty. Give a folder or a zip with at least {MIN_PICTURES} pictures."
        )
    return jobs, report


def _walk(root: Path) -> Iterator[tuple[str, dict, str | None]]:
    """(name, job, problem) of every file under a folder, by name; links are not followed."""
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for linked in [f for f in folders if (Path(folder) / f).is_symlink()]:
            yield (Path(folder) / linked).relative_to(root).as_posix(), {}, LINK
            folders.remove(linked)
        for file in sorted(files):
            path = Path(folder) / file
            if file.startswith(".") or file in ("Thumbs.db", "desktop.ini"):
                continue  # what the system puts into every folder is no file of the artist's
            problem = None if path.is_file() and not path.is_symlink() else LINK
            yield path.relative_to(root).as_posix(), {"path": str(path.resolve())}, problem


def _walk_zip(path: Path) -> Iterator[tuple[str, dict, str | None]]:
    """(name, job, problem) of every file in a zip. Entries are read by number and never unpacked by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise DatasetError(
            f"“{path.name}” is not a readable zip file. Make it again, or give the folder."
        ) from error
    for index, entry in enumerate(entries):
        parts = entry.filename.replace("\\", "/").split("/")
        if entry.is_dir() or "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1] == "Thumbs.db":
            continue
        problem = None
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            problem = "its name points outside the zip"
        elif (entry.external_attr >> 16) & 0o170000 == 0o120000:
            problem = LINK
        elif entry.flag_bits & 1:
            problem = "locked with a password"
        yield entry.filename, {"zip": str(path.resolve()), "entry": index}, problem


def _display(name: str) -> str:
    """A file's name fit for a report: printable, 120 characters at most."""
    plain = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode())
    return plain if len(plain) <= 120 else "…" + plain[-119:]


@contextlib.contextmanager
def spooled(files: list) -> Iterator[Path]:
    """Uploaded files, each with `.name` and `.getbuffer()`, as a source on the disk for as long as the block runs.

    Yields the zip where one zip was uploaded, else a folder named as the uploaded one. Names are data from a
    browser: they are kept only as far as they are harmless.
    """
    sweep_abandoned(workspace.folder("uploads"), "*")
    spool = Path(tempfile.mkdtemp(dir=workspace.folder("uploads")))
    try:
        source = spool
        for number, file in enumerate(files):
            parts = [_harmless(part) for part in re.split(r"[/\\]", file.name) if part not in ("", ".", "..")]
            target = spool.joinpath(*(parts or ["file"]))
            if target.exists() or any(parent.is_file() for parent in target.parents):
                target = spool / f"again-{number}" / target.name  # no two files share the number
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.getbuffer())
            except OSError as error:
                raise DatasetError(
                    f"The upload could not be kept ({error.strerror}). Make room on the disk and drop it again."
                ) from error
            if len(files) == 1 and target.suffix.lower() == ".zip":
                source = target
        tops = list(spool.iterdir())
        if len(tops) == 1 and tops[0].is_dir():
            source = tops[0]
        yield source
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def _harmless(part: str) -> str:
    """One part of a path without anything that a file system could take amiss."""
    plain = re.sub(r"[^\w .()+,=@&!-]", "_", part)
    return plain.encode()[-150:].decode(errors="ignore").strip(". ") or "file"


# --- the decoder processes


class _Decoder:
    """A `ganart.decode` process that is started again when a picture brings it down."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        self.deadline: float | None = None  # of the picture in work, on the monotonic clock

    def ask(self, job: dict) -> dict:
        """The decoder's answer to a job; a crash or a hang is an answer with its reason."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ganart.decode"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libtiff writes its complaints there; ours come as answers
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": str(workspace.CHECKOUT), "OMP_NUM_THREADS": "1"},
            )
            threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()
        self.deadline = time.monotonic() + SECONDS_A_PICTURE
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        hung = time.monotonic() > self.deadline
        self.deadline = None
        if line.endswith("\n"):
            return json.loads(line)
        self.close()
        why = f"took longer than {SECONDS_A_PICTURE:.0f} s to decode" if hung else "made the decoder stop"
        return {"row": job["row"], "ok": False, "reason": why}

    def _watch(self, process: subprocess.Popen) -> None:
        """End the process when a picture has had its time; `ask` then sees its pipe closed."""
        while process.poll() is None:
            deadline = self.deadline
            if deadline is not None and time.monotonic() > deadline:
                process.kill()
            time.sleep(0.1)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def decode_all(
    jobs: list[dict | None], report: list[dict], rows: Path, settings: IntakeConfig, progress: Progress | None
) -> dict[int, str]:
    """Decode every job into its row of the file `rows`; returns the content hash of each row that has pixels."""
    with rows.open("wb") as file:
        file.truncate(len(jobs) * settings.size**2 * 3)
    shared = {
        "out": str(rows),
        "size": settings.size,
        "crop": settings.crop,
        "background": settings.background,
    }
    decoders = [_Decoder() for _ in range(os.cpu_count() or 1)]
    idle: queue.SimpleQueue[_Decoder] = queue.SimpleQueue()
    for decoder in decoders:
        idle.put(decoder)

    def decode(row: int) -> dict:
        decoder = idle.get()
        try:
            return decoder.ask({"row": row, **jobs[row], **shared})
        finally:
            idle.put(decoder)

    hashes: dict[int, str] = {}
    pool = ThreadPoolExecutor(len(decoders))
    try:
        waiting = [pool.submit(decode, row) for row, job in enumerate(jobs) if job is not None]
        for done, future in enumerate(as_completed(waiting), 1):
            answer = future.result()
            row = answer.pop("row")
            if "unwritten" in answer:
                raise OSError(0, answer["unwritten"])
            if answer["ok"]:
                hashes[row] = answer.pop("hash")
            report[row].update(answer)
            if progress:
                progress(done, len(waiting))
    finally:  # also when the page that asked is gone, which arrives here as an exception from `progress`
        pool.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.close()
    return hashes
