"""Which checkpoints of a run stay on the disk: all of the last few, then ever wider apart. Imports no torch."""

import contextlib
from pathlib import Path

from ganart.files import give_name
from ganart.run import Run

CHECKPOINTS, STATES = 24, 6  # at most so many generators and whole states of a run
NEWEST = 3  # that always stay


def surplus(steps: list[int], most: int, newest: int = NEWEST) -> list[int]:
    """Which of these ascending steps to let go of, so that at most `most` stay.

    The first and the last `newest` stay. Of the others always the one goes that leaves the smallest gap, as a
    share of how long ago the gap's beginning was; so gaps grow in proportion to their age.
    """
    stay, gone = list(steps), []
    while len(stay) > max(most, newest + 1):
        inner = range(1, len(stay) - newest)
        index = min(inner, key=lambda i: (stay[i + 1] - stay[i - 1]) / (1 + stay[-1] - stay[i - 1]))
        gone.append(stay.pop(index))
    return gone


def thin(run: Run) -> None:
    """Delete the surplus checkpoints and states of a run."""
    for kept, most in ((run.checkpoints(), CHECKPOINTS), (run.states(), STATES)):
        for step in surplus(list(kept), most):
            with contextlib.suppress(OSError):  # on Windows a page may be reading it
                kept[step].unlink()


def share(source: Path, target: Path) -> None:
    """Give a file that is never written in place a second name; where links are unknown, copy it."""
    target.parent.mkdir(exist_ok=True)
    give_name(source, target)
