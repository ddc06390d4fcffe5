"""Files on their way from a browser to a dataset: one folder of the workspace's `uploads/` for each upload.

    TOKEN/index.json    every file that the browser named, with its number; the name is only a label
    TOKEN/files/        what has arrived whole, under the numbers
    TOKEN/*.part        what is arriving

Who knows the token may add to the upload; it ends when its folder goes. Imports no torch.
"""

import contextlib
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ganart import dataset, intake, workspace
from ganart.config import IntakeConfig
from ganart.dataset import Dataset
from ganart.decoders import Progress
from ganart.disk import words
from ganart.entries import LEFT_BEHIND, ZIP_BYTES, Entry, Index, checked, common, order, read, shown
from ganart.errors import DatasetError, GanartError, InputError
from ganart.files import sweep_abandoned, write_json
from ganart.housekeeping import remove
from ganart.limits import limits

HOURS = 24.0  # after which an upload that nothing was added to is abandoned
SPARE_BYTES = 500_000_000  # that stay free on the disk
_writing = threading.Lock()  # held while an index is replaced


class FullError(GanartError):
    """There is no room on the disk."""


@dataclass(frozen=True)
class Upload:
    """An upload by its folder, which is named by its token."""

    folder: Path

    @property
    def token(self) -> str:
        return self.folder.name

    @property
    def files(self) -> Path:
        """The folder of what has arrived."""
        return self.folder / "files"

    def _index(self) -> Index:
        path = self.folder / "index.json"
        facts = path.stat()
        return read(path, facts.st_mtime_ns, facts.st_ino)

    def _write(self, index: Index) -> None:
        write_json(self.folder / "index.json", index.as_json())

    def entries(self) -> tuple[Entry, ...]:
        """Every file that the browser named, but those that a newer one replaced. Raises OSError where the upload
        is gone, as all that follows does."""
        return self._index().entries

    def wanted(self, number: int) -> Entry | None:
        """The file of that number, where its bytes are wanted."""
        found = self._index().by_number.get(number)
        return found if found and not found.reason and not found.unread else None

    def missing(self) -> list[Entry]:
        """Files that are wanted and have not arrived."""
        there = self._there()
        return [entry for entry in self.entries() if not entry.reason and entry.stored not in there]

    def _there(self) -> set[str]:
        return {path.name for path in self.files.iterdir()}

    def expect(self, named: object) -> dict:
        """Note what the browser has, given as a list of [relative path, bytes, modified in ms].

        Returns {"send": [[place in the list, number]], "there": files that need not be sent, "refused": [[place,
        reason]], "replaced": files that had arrived}. A file of the same path and other facts replaces the one
        before. Hidden files are passed over, as in a folder. Raises InputError where it is no such list or too
        much, FullError where the disk has no room for it; the upload is as it was then.
        """
        files = checked(named)
        with _writing:
            before = self._index()
            index, places = before.merged(files)
            there = self._there()
            lacking = [e for e in index.entries if not e.reason and e.stored not in there]
            wanted = {entry.number: entry for entry in lacking if not entry.unread}
            _check_quota(index.entries)
            check_disk(self.folder, sum(entry.size for entry in wanted.values()))
            self._write(index)
            for entry in lacking:
                if entry.unread:
                    (self.files / entry.stored).touch()
            gone = [before.by_number[number].stored for number in before.by_number.keys() - index.by_number.keys()]
            for stored in gone:
                (self.files / stored).unlink(missing_ok=True)
        named_now = [(place, index.by_number[number]) for number, place in places.items()]
        send = [[place, entry.number] for place, entry in named_now if entry.number in wanted]
        refused = [[place, entry.reason] for place, entry in named_now if entry.reason]
        kept = len(places) - len(send) - len(refused)
        return {"send": send, "there": kept, "refused": refused, "replaced": len(there.intersection(gone))}

    def settle(self) -> None:
        """Go on without the files that have not arrived; the report will say so of each."""
        with _writing:
            missing = {entry.number for entry in self.missing()}
            index = self._index()
            settled = [replace(e, reason=LEFT_BEHIND) if e.number in missing else e for e in index.entries]
            self._write(replace(index, entries=tuple(settled)))

    def title(self) -> str:
        """The name of the folder or zip that was dropped, without what could mean anything where it is shown."""
        zipped = self._zip()
        name = PurePosixPath(zipped.label).stem if zipped else common(self.entries())
        return re.sub(r"[^\w .()+,=@&!'-]", "_", name)[:120] or "pictures"

    def _zip(self) -> Entry | None:
        """The one zip that is all of the upload."""
        entries = self.entries()
        one = entries[0] if len(entries) == 1 else None
        return one if one and one.is_zip and not one.reason else None

    def listed(self) -> tuple[list[dict | None], list[dict]]:
        """Jobs for the decoders and the report's first draft, as `intake.list_source` gives them for the folder or
        the zip that was dropped: by the artist's names and in their order. Raises DatasetError."""
        zipped = self._zip()
        source = self.files / zipped.stored if zipped else self.files
        jobs: list[dict | None] = []
        report: list[dict] = []
        if self._there():
            try:
                jobs, report = intake.list_source(source)
            except DatasetError as error:
                told = str(error).replace(f"“{source.name}”", f"“{self.title()}”")
                raise DatasetError(told) from error
        if zipped:
            return jobs, report
        found = {line["file"]: (job, line) for job, line in zip(jobs, report, strict=True)}
        entries = self.entries()
        top = common(entries)
        rows = []
        for entry in entries:
            label = entry.label.removeprefix(f"{top}/") if top else entry.label
            job, line = None, {"ok": False, "reason": entry.reason or LEFT_BEHIND}
            if not entry.reason:
                job, line = found.get(entry.stored, (job, line))
            rows.append((order(label), job, {**line, "file": shown(label)}))
        rows.sort(key=lambda row: row[0])
        return [job for _, job, _ in rows], [line for _, _, line in rows]

    def prepare(self, settings: IntakeConfig, progress: Progress | None = None) -> Dataset:
        """The dataset of what is there; the upload goes then. Raises DatasetError, after which it is as it was."""
        store = dataset.prepare(self.files, settings, None, progress, listed=self.listed(), title=self.title())
        self.remove()
        return store

    def remove(self) -> None:
        """Delete all of it; the token is worth nothing then."""
        with contextlib.suppress(GanartError):  # gone already
            remove(self.folder)


def begin(zip_bytes: int = ZIP_BYTES) -> Upload:
    """A new, empty upload under a token that nobody can guess. zip_bytes: the most that a zip may have.

    What was abandoned a day ago goes. Raises InputError where the workspace cannot be written.
    """
    parent = workspace.folder("uploads")
    sweep_abandoned(parent, "*", HOURS)
    upload = Upload(parent / secrets.token_hex(16))
    try:
        upload.files.mkdir(parents=True)
        upload._write(Index(zip_bytes, 0, ()))
    except OSError as error:
        raise InputError(
            f"Nothing can be uploaded now ({error.strerror}). Make room on the disk, then try again."
        ) from error
    return upload


def find(token: object) -> Upload | None:
    """The upload of this token; None where there is none, or it was abandoned."""
    if not isinstance(token, str) or not re.fullmatch(r"[0-9a-f]{32}", token):
        return None
    upload = Upload(workspace.home() / "uploads" / token)
    try:
        old = time.time() - upload.folder.stat().st_mtime > 3600 * HOURS
        whole = (upload.folder / "index.json").is_file() and upload.files.is_dir()
    except OSError:
        return None
    return upload if whole and not old else None


def check_disk(folder: Path, coming: int) -> None:
    """Raises FullError where `coming` bytes do not fit on the disk with some room left."""
    free = shutil.disk_usage(folder).free
    if coming > max(0, free - SPARE_BYTES):
        raise FullError(
            f"The files need {words(coming)}, and the disk of the workspace has {words(free)} left, of which "
            f"{words(SPARE_BYTES)} stay free. Make room there, then choose them again."
        )


def _check_quota(entries: tuple[Entry, ...]) -> None:
    whole = sum(entry.size for entry in entries if not entry.reason and not entry.unread)
    if whole > (most := limits().total_bytes):
        raise InputError(
            f"These files have {words(whole)}, and an upload may have {words(most)}. Give fewer or smaller ones, "
            "or set GANART_MAX_GB higher."
        )
