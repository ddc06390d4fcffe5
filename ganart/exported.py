"""What is exported into the workspace: a file comes whole, under a name that none has yet. Imports no torch."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ganart import export, in_use, workspace
from ganart.files import discard, replace_with_retry

MAKING = ".making-"  # the beginning of the name of what is not whole yet


@contextlib.contextmanager
def making(name: str) -> Iterator[Path]:
    """A path among the exports to write a file to, hidden from all lists; what is there behind the block goes."""
    hidden = workspace.folder("exports") / f"{MAKING}{name}"
    try:
        yield hidden
    finally:
        discard(hidden)


def list_exports() -> list[tuple[Path, os.stat_result]]:
    """What is whole, newest first; not what is being written or deleted just now."""
    found = []
    for path in workspace.folder("exports").iterdir():
        if path.suffix in (*export.KINDS, ".ganart") and not path.name.startswith("."):
            with contextlib.suppress(OSError):  # deleted meanwhile
                found.append((path, path.stat()))
    return sorted(found, key=lambda item: item[1].st_mtime_ns, reverse=True)


def keep(whole: Path, wanted: Path) -> Path:
    """Move a whole file to the first free name: `film.gif`, else `film-2.gif`, `film-3.gif`, … -> where it is."""
    with in_use.launch_lock():  # nobody gives this name to another file meanwhile
        found, number = wanted, 2
        while found.exists():
            found, number = wanted.with_stem(f"{wanted.stem}-{number}"), number + 1
        replace_with_retry(whole, found)
    return found
