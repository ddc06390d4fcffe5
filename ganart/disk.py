"""How much room things take, in bytes and in words. Imports no torch."""

import contextlib
import os
import shutil
import stat
from pathlib import Path

from ganart import workspace

KINDS = ("datasets", "runs", "models", "exports", "uploads")  # the folders of the workspace that grow


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder: what has several names there counts once, links not at all."""
    files = [path] if not path.is_dir() else []
    if not path.is_symlink():
        files += [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    total, seen = 0, set()
    for file in files:
        with contextlib.suppress(OSError):  # gone meanwhile
            facts = file.lstat()
            key = facts.st_dev, facts.st_ino
            if stat.S_ISREG(facts.st_mode) and key not in seen:
                total += facts.st_size
                if facts.st_nlink > 1:  # only then: some file systems of Windows number no files
                    seen.add(key)
    return total


def usage() -> dict[str, int]:
    """Bytes by folder of the workspace (`KINDS`), and "free": left on the disk."""
    used = {kind: size(workspace.folder(kind).resolve()) for kind in KINDS}
    return used | {"free": shutil.disk_usage(workspace.home()).free}


def words(count: int) -> str:
    """4_600_000 -> "4.6 MB": bytes in units that go up by a thousand."""
    if count < 1000:
        return counted(count, "byte")
    amount, units = count / 1000, ["TB", "GB", "MB", "KB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.1f} {units[-1]}" if amount < 9.95 else f"{amount:.0f} {units[-1]}"


def counted(count: int, noun: str) -> str:
    """1, "byte" -> "1 byte"; 2_000, "byte" -> "2,000 bytes"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
