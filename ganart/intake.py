"""Files that nobody vouches for: what a folder, a zip or an upload holds."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ganart import archive, workspace
from ganart.archive import LINK, Entry
from ganart.decode import HEIC_PHOTO, SUFFIXES, too_large
from ganart.errors import DatasetError
from ganart.limits import limits

MIN_PICTURES = 8
HEIC = {".heic", ".heif"}
ARCHIVES = {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".lzh", ".cab", ".cbz", ".cbr"}


def source_path(text: str) -> Path:
    """The folder or zip that somebody named. Raises InputError for what can be none, and for another computer's
    before that is asked anything: a Windows would send it the password of whoever is logged in."""
    if text.strip().strip("\"'").replace("\\", "/").startswith("//"):
        raise DatasetError("Network paths are not opened. Copy the pictures to a folder on this computer first.")
    return workspace.given_path(text)


def list_source(path: Path) -> tuple[list[dict | None], list[dict]]:
    """Jobs for the decoders and the report's first draft, one entry for each file; both by row.

    Raises DatasetError where there is nothing to read, or more than the limits allow.
    """
    if not path.exists():
        raise DatasetError(f"There is no folder or zip file at “{path}”. Check the path and try again.")
    if path.is_dir():
        entries = _walk(path)
    elif path.suffix.lower() == ".zip":
        entries = archive.entries(path)
    else:
        raise DatasetError(f"“{path.name}” is a single file. Give a folder of pictures or a .zip of them.")
    most, total = limits(), 0
    jobs: list[dict | None] = []
    report: list[dict] = []
    for entry in entries:
        if len(report) >= most.files:
            raise DatasetError(archive.too_many())
        problem = entry.problem or _problem(Path(entry.name).suffix.lower(), entry.length)
        total += 0 if problem else entry.length
        if total > most.total_bytes:
            raise DatasetError(
                f"“{path.name}” holds more than {most.total_bytes / 1e9:,g} GB of pictures. Give fewer or smaller "
                "ones, or set GANART_MAX_GB higher."
            )
        report.append(
            {"file": _display(entry.name), "ok": not problem, **({"reason": problem} if problem else {})}
        )
        jobs.append(None if problem else entry.job)
    if not report:
        raise DatasetError(
            f"“{path.name}” is empty. Give a folder or a zip with at least {MIN_PICTURES} pictures."
        )
    return jobs, report


def _problem(suffix: str, length: int) -> str | None:
    """Why a file with this suffix and of so many bytes is not even opened."""
    if suffix in HEIC:
        return HEIC_PHOTO
    if suffix == archive.IN_THE_CLOUD:
        return "still in iCloud: download it first"
    if suffix in ARCHIVES:
        return "an archive: unpack it and give the folder"
    if suffix not in SUFFIXES:
        return "not a picture format that ganart reads"
    return too_large() if length > limits().file_bytes else None


def _walk(root: Path) -> Iterator[Entry]:
    """Every file under a folder, by name; nothing outside it, since links are not followed."""
    real = Path(os.path.realpath(root))
    closed: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=closed.append, followlinks=False):
        inside = Path(folder).relative_to(root)
        folders[:] = sorted(f for f in folders if not archive.is_hidden(f))
        for linked in [f for f in folders if _leads_away(Path(folder) / f, real / inside / f)]:
            yield Entry((inside / linked).as_posix(), {}, 0, LINK)
            folders.remove(linked)
        for file in sorted(files):
            if archive.is_hidden(file):
                continue  # what the system puts into every folder is no file of the artist's
            name = (inside / file).as_posix()
            try:
                facts = (Path(folder) / file).lstat()
            except OSError as error:  # in a folder that may be listed but not entered, or deleted meanwhile
                yield Entry(name, {}, 0, f"cannot be opened ({error.strerror})")
                continue
            problem = None if stat.S_ISREG(facts.st_mode) else LINK
            yield Entry(name, {"path": str(real / inside / file)}, facts.st_size, problem)
    for shut in closed:
        name = Path(shut.filename).relative_to(root).as_posix()
        yield Entry(name, {}, 0, f"a folder that cannot be opened ({shut.strerror})")


def _leads_away(folder: Path, expected: Path) -> bool:
    """Whether a folder lies elsewhere than its name says: a link, or a junction of Windows."""
    found = os.path.realpath(folder)
    return folder.is_symlink() or os.path.normcase(found) != os.path.normcase(expected)


def _display(name: str) -> str:
    """A file's name fit for a report: printable, 120 characters at most."""
    plain = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode())
    return plain if len(plain) <= 120 else "…" + plain[-119:]
