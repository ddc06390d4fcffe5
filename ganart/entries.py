"""What a browser says of the files that it has: a number for each, and a name that is only a label."""

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganart import archive, intake
from ganart.decode import SUFFIXES, too_large
from ganart.disk import words
from ganart.errors import InputError
from ganart.files import read_json
from ganart.limits import limits

INDEX_VERSION = 1
ZIP_BYTES = 1024 * 2**20  # of one zip, where nothing else was set
LEFT_BEHIND = "it was not sent whole"
ZIP_AMONG_OTHERS = "a zip among other files: drop it alone"
LONGEST_NAME = 4096
NOTED = intake.HEIC | {archive.IN_THE_CLOUD}  # suffixes that say why a file is left out
KEPT = SUFFIXES | NOTED | {".zip"}
LARGEST = 2**53  # that JavaScript counts exactly
Named = tuple[int, tuple[str, int, int]]  # place in the browser's list; label, size, mtime


@dataclass(frozen=True)
class Entry:
    """A file that the browser named. reason: why its bytes are not wanted, empty where they are."""

    number: int
    label: str
    size: int
    mtime: int
    reason: str = ""

    @property
    def stored(self) -> str:
        """Its name on the disk. What ganart does not read keeps no suffix that means anything."""
        suffix = _suffix(self.label)
        return f"{self.number:05}{suffix if suffix in KEPT else '.other'}"

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from others: a file with the same is the same."""
        return self.label, self.size, self.mtime

    @property
    def is_zip(self) -> bool:
        return self.stored.endswith(".zip")

    @property
    def unread(self) -> bool:
        """Whether its name or its size of none says enough: such a file is noted, not sent."""
        suffix = _suffix(self.stored)
        return self.size == 0 or suffix == ".other" or suffix in NOTED


@dataclass(frozen=True)
class Index:
    """All entries of an upload. next: the first number that was never given, so that what is still arriving of a
    file that was replaced cannot be taken for another's."""

    zip_bytes: int
    next: int
    entries: tuple[Entry, ...]

    @functools.cached_property
    def by_number(self) -> dict[int, Entry]:
        return {entry.number: entry for entry in self.entries}

    def as_json(self) -> dict:
        """What `read` reads."""
        rows = [[e.number, e.label, e.size, e.mtime, e.reason] for e in self.entries]
        return {"version": INDEX_VERSION, "zip_bytes": self.zip_bytes, "next": self.next, "files": rows}

    def merged(self, files: list[Named]) -> tuple["Index", dict[int, int]]:
        """The index with these files, and the place of each by its number."""
        keys, labels = {key for _, key in files}, {key[0] for _, key in files}
        kept = {entry.key: entry for entry in self.entries if entry.key in keys or entry.label not in labels}
        free = self.next
        places = {}
        for place, key in files:
            entry = kept.get(key)
            if entry is None:
                entry, free = Entry(free, *key), free + 1
                entry = replace(entry, reason=self._too_large(entry))
            elif entry.reason == LEFT_BEHIND:
                entry = replace(entry, reason="")
            kept[key] = entry
            places[entry.number] = place
        if len(kept) > limits().files:
            raise InputError(archive.too_many())
        if len(kept) > 1:
            for key, entry in kept.items():
                if entry.is_zip and not entry.reason:
                    kept[key] = replace(entry, reason=ZIP_AMONG_OTHERS)
        return replace(self, next=free, entries=tuple(kept.values())), places

    def _too_large(self, entry: Entry) -> str:
        if entry.is_zip:
            return f"larger than {words(self.zip_bytes)}" if entry.size > self.zip_bytes else ""
        return too_large() if entry.size > limits().file_bytes and not entry.unread else ""


@functools.lru_cache(maxsize=4)
def read(path: Path, _modified: int, _inode: int) -> Index:
    """The index in that file, which is kept in memory until the file is another."""
    value = read_json(path) or {"zip_bytes": ZIP_BYTES, "next": 0, "files": []}
    return Index(value["zip_bytes"], value["next"], tuple(Entry(*row) for row in value["files"]))


def checked(named: object) -> list[Named]:
    """What the browser names, but hidden files. Raises InputError where it is no list of [path, size, mtime]."""
    found = []
    for place, facts in enumerate(named if isinstance(named, list) else [None]):
        match facts:
            case [str(path), int(size), int(mtime)] if 0 <= size <= LARGEST and abs(mtime) <= LARGEST:
                label = _label(path)
            case _:
                raise InputError(
                    "What the page said of the files cannot be read. Reload the page, then drop again."
                )
        if len(label) > LONGEST_NAME:
            raise InputError(f"The name of “…{shown(label)[-40:]}” is too long. Shorten it, then drop again.")
        parts = label.split("/")
        if not any(map(archive.is_hidden, parts)):
            found.append((place, (label, int(size), int(mtime))))
    return found


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  a Path each time is slow for thousands


def _label(path: str) -> str:
    """The relative path, of printable characters, without what leads up or nowhere."""
    parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".", "..")]
    return "".join(c if c.isprintable() else "?" for c in "/".join(parts)) or "file"


def shown(label: str) -> str:
    """A label fit for a report: 120 characters at most."""
    return label if len(label) <= 120 else "…" + label[-119:]


def common(entries: Sequence[Entry]) -> str:
    """The folder that all files lie in, empty where there is none."""
    tops = {entry.label.partition("/")[0] if "/" in entry.label else "" for entry in entries}
    return tops.pop() if len(tops) == 1 else ""


def order(label: str) -> tuple:
    """Sorts as a walk through the folder goes: its files, then its folders."""
    *folders, file = label.split("/")
    return *((1, folder) for folder in folders), (0, file)
