"""Files of JSON lines, which grow at their end and are read again and again. Imports no torch."""

import contextlib
import functools
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TAIL = 300  # as many points as a page draws
BLOCK = 100_000  # bytes that are read at once, so that a long file takes no more memory than a short one


def read(path: Path) -> list[dict]:
    """The objects in a file of JSON lines, oldest first: the last TAIL of them, and before those as many at most,
    evenly spread and the first among them, however many there are. What is no whole line is left out."""
    try:
        return _lines_of(path).read()
    except OSError:
        return []


def read_all(path: Path) -> Iterator[dict]:
    """All of them, as they are asked for."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        for line in file:
            yield from _parsed([line] if line.endswith(b"\n") else [])


@functools.lru_cache(maxsize=32)
def _lines_of(path: Path) -> "_Lines":
    return _Lines(path)


class _Lines:
    """A file of JSON lines, as it was when it was last read: every page that watches a run asks every second, and
    all of them for the same. What was added since is all that is read then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = _Seen()

    def read(self) -> list[dict]:
        seen = self.seen
        with self.path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_size != seen.size or facts.st_mtime_ns != seen.time:
                file.seek(seen.end - len(seen.last))
                if not seen.last or file.read(len(seen.last)) != seen.last:  # it is another file, or has changed
                    seen = _Seen()
                    file.seek(0)
                end, last, kept = seen.end, seen.last, seen.kept
                while lines := file.readlines(BLOCK):
                    if not lines[-1].endswith(b"\n"):
                        lines.pop()  # it is being written
                    end += sum(map(len, lines))
                    last = lines[-1] if lines else last
                    kept = kept.with_more(_parsed(lines))
                self.seen = seen = _Seen(facts.st_size, facts.st_mtime_ns, end, last, kept)
        return [*seen.kept.older, *seen.kept.newer]


@dataclass(frozen=True)
class _Kept:
    """newer: the last TAIL objects. older: every `apart`th of the `count` before those."""

    older: tuple[dict, ...] = ()
    newer: tuple[dict, ...] = ()
    apart: int = 1
    count: int = 0

    def with_more(self, added: list[dict]) -> "_Kept":
        newer, older, apart, count = [*self.newer, *added], list(self.older), self.apart, self.count
        for value in newer[:-TAIL]:
            if count % apart == 0:
                older.append(value)
            count += 1
            if len(older) > TAIL:
                older, apart = older[::2], 2 * apart
        return _Kept(tuple(older), tuple(newer[-TAIL:]), apart, count)


@dataclass(frozen=True)
class _Seen:
    """size, time: of the file. end: of its last whole line, `last`. kept: of its whole lines."""

    size: int = 0
    time: int = 0
    end: int = 0
    last: bytes = b""
    kept: _Kept = _Kept()


def _parsed(lines: list[bytes]) -> list[dict]:
    values = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            values.append(json.loads(line))
    # The names of figures are the same in all lines: in memory they are once.
    return [{sys.intern(name): value[name] for name in value} for value in values if isinstance(value, dict)]
