"""What is exported into the workspace: a file comes whole, under a name that none has yet. Imports no torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganart import in_use, workspace
from ganart.files import discard, replace_with_retry

MAKING = ".making-"  # the beginning of the name of what is not whole yet


@contextmanager
def making(name: str) -> Iterator[Path]:
    """A path among the exports to write a file to, hidden from all lists; what is there behind the block goes."""
    hidden = workspace.folder("exports") / f"{MAKING}{name}"
    try:
        yield hidden
    finally:
        discard(hidden)


def keep(whole: Path, wanted: Path) -> Path:
    """Move a whole file to the first free name: `film.gif`, else `film-2.gif`, `film-3.gif`, … -> where it is."""
    with in_use.launch_lock():  # nobody gives this name to another file meanwhile
        found, number = wanted, 2
        while found.exists():
            found, number = wanted.with_stem(f"{wanted.stem}-{number}"), number + 1
        replace_with_retry(whole, found)
    return found
