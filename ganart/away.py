"""What happened while nobody was looking. Imports no torch."""

import contextlib
import time

from ganart import run, workspace
from ganart.files import read_json, write_json

AWAY_SECONDS = 90.0  # without a look for that long, somebody was away


def touch() -> None:
    """Note that somebody looks now."""
    with contextlib.suppress(OSError):
        write_json(workspace.home() / "seen.json", {"version": 1, "time": time.time()})


def last_seen() -> float | None:
    """When somebody looked last, in seconds since 1970; None where nobody has yet."""
    seen = (read_json(workspace.home() / "seen.json") or {}).get("time")
    return float(seen) if isinstance(seen, int | float) else None


def happened(since: float) -> list[tuple[str, str]]:
    """(run id, what became of it) for every run that ended, paused or went on since then, newest first."""
    told = []
    for item in run.list_runs():
        status = item.status()
        if status.heartbeat <= since:
            continue
        seen = f"{status.kimg:.0f} thousand pictures"
        sentence = {
            "done": f"is done: it has seen all its {seen}.",
            "stopped": f"was stopped at {seen}.",
            "failed": f"failed at {seen}. {status.error}",
            "crashed": f"was interrupted at {seen}; resume goes on exactly where it was saved.",
            "stuck": f"has not answered since {seen}.",
            "paused": f"is paused at {seen}. {status.note}",
        }.get(status.state, f"has come to {seen} and goes on. {status.note}")
        told.append((item.id, sentence.strip()))
    return told
