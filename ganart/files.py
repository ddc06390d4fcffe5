"""Files that are either the old version or the new one, never half of each."""

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ganart.errors import GanartError

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
TEMPORARY = re.compile(r"\.tmp-\d+(-\w+)?$")  # how names end of what is being written: process and thread
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
ROOM = "Make room on the disk: delete runs, datasets or exports that are no longer needed"


class UnwrittenError(GanartError, OSError):
    """A file could not be written, because the disk is full or closed to writing. It says what to do, and is the
    system's own error as well."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(error.errno, error.strerror, str(path))
        self.path = path

    def __str__(self) -> str:
        sentence = f"“{self.path.name}” could not be written ({self.strerror}), and what was there before is kept."
        if self.errno in FULL:
            return f"{sentence} {ROOM}, then try again."
        return f"{sentence} Make its folder writable, or set GANART_HOME to one that is."


def write_atomic(
    path: Path, data: bytes | bytearray | memoryview, *, keep_previous: bool = False, durable: bool = True
) -> None:
    """Replace the file at `path` by `data` in one move.

    The bytes go to a temporary file beside the target first, so a full disk or a kill leaves the old file
    as it was. With `keep_previous` the version before stays beside it as `NAME.prev`. With `durable` the
    bytes are flushed to the disk before the move, and the folder after it (POSIX).

    Raises UnwrittenError when the disk is full or the folder cannot be written, OSError for anything else.
    """
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    with _told(path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            if keep_previous and path.exists():
                give_name(path, path.with_name(path.name + ".prev"))
            replace_with_retry(temporary, path)
        finally:
            discard(temporary)
        if durable:
            flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """The names in it reach the disk (POSIX; elsewhere nothing is done, nor on disks of the network or of a host
    that cannot do it: the files themselves are there by then)."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EIO):
            raise
    finally:
        os.close(opened)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What a disk that is full or closed to writing has to say, in a sentence."""
    try:
        yield
    except UnwrittenError:
        raise
    except OSError as error:
        if error.errno in FULL | CLOSED:
            raise UnwrittenError(path, error) from error
        raise


def give_name(source: Path, target: Path) -> None:
    """Give a file that is never written in place a second name, in one move: without a moment in which a file that
    had the name before is gone. Where links are unknown it is copied."""
    spare = target.with_name(f"{target.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    discard(spare)
    try:
        os.link(source, spare)
    except OSError:  # exFAT and some network shares know no hard links
        write_atomic(target, source.read_bytes())
        return
    try:
        replace_with_retry(spare, target)
    finally:
        discard(spare)


def discard(temporary: Path) -> None:
    """Delete a temporary file, if it is there."""
    with contextlib.suppress(OSError):  # a disk that is closed to writing says so even where there is nothing
        temporary.unlink()


def replace_with_retry(source: Path, target: Path) -> None:
    """`os.replace`, tried for 2.5 s where Windows refuses because a scanner or a reader holds the file."""
    deadline = time.monotonic() + 2.5
    pause = 0.05
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 0.5)


def write_json(path: Path, value: dict, *, durable: bool = False) -> None:
    """Replace the file at `path` by `value` as JSON."""
    write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(), durable=durable)


def append_line(path: Path, value: dict) -> None:
    """Add one line of JSON; where it cannot be written whole, nothing of it stays. Raises UnwrittenError."""
    data = (json.dumps(value) + "\n").encode()
    with _told(path), path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            if (written := file.write(data)) < len(data):
                file.write(data[written:])  # says why the first did not take all of it
        except OSError:
            file.truncate(before)
            raise


def read_json(path: Path) -> dict | None:
    """The JSON object in the file at `path`; None where there is no file or no whole object in it."""
    for attempt in range(5):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except PermissionError:  # Windows, while a writer replaces the file
            if os.name != "nt" or attempt == 4:
                return None
            time.sleep(0.02)
        except (OSError, ValueError, RecursionError):
            return None
        else:
            return value if isinstance(value, dict) else None
    return None


@contextlib.contextmanager
def building(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent` to build something in, to be moved to its place when it is whole; what is left of
    it behind the block is deleted, and before it what others of this prefix have left a day ago.

    Not one of `tempfile`'s: on Windows those are closed to all but who made them, and stay so where they are
    moved, on another computer as well.
    """
    sweep_abandoned(parent, f"{prefix}*")
    folder = parent / f"{prefix}{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_temporary(folder: Path, seconds: float = 60.0, *, deep: bool = True) -> None:
    """Delete what a killed writer left in `folder`, and (deep) under it, that long ago; younger files may be in
    work."""
    for path in folder.rglob("*.tmp-*") if deep else folder.glob("*.tmp-*"):
        if not TEMPORARY.search(path.name):
            continue  # somebody's own name
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > seconds:
                path.unlink()


def sweep_abandoned(parent: Path, pattern: str, hours: float = 24.0) -> None:
    """Delete what a killed process left in `parent` so long ago that nobody can be at work on it."""
    for path in parent.glob(pattern):
        try:
            old = time.time() - path.stat().st_mtime > 3600 * hours
        except OSError:
            continue
        if old and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif old:
            discard(path)
