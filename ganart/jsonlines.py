"""Files of JSON lines, which grow at their end and are read again and again. Imports no torch."""

import contextlib
import functools
import json
from pathlib import Path


def read(path: Path) -> list[dict]:
    """The objects in a file of JSON lines; what is no whole line is left out."""
    try:
        return _lines_of(path).read()
    except OSError:
        return []


@functools.lru_cache(maxsize=32)
def _lines_of(path: Path) -> "_Lines":
    return _Lines(path)


class _Lines:
    """A file of JSON lines, as it was when it was last read: every page that watches a run asks every second, and
    all of them for the same."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: tuple[tuple[int, int], tuple[dict, ...]] = (0, 0), ()

    def read(self) -> list[dict]:
        facts = self.path.stat()
        stamp = facts.st_mtime_ns, facts.st_size
        known, values = self.seen
        if stamp != known:
            *whole, _ = self.path.read_bytes().split(b"\n")
            values = tuple(_parsed(whole))
            self.seen = stamp, values
        return list(values)


def _parsed(lines: list[bytes]) -> list[dict]:
    try:  # as one text, which is quicker, and has the names of all lines only once in memory
        values = json.loads(b"[%b]" % b",".join(lines))
    except (ValueError, RecursionError):
        values = []
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                values.append(json.loads(line))
    return [value for value in values if isinstance(value, dict)]
