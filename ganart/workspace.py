"""Where things are kept, and what the names that people type mean. Imports no torch."""

import errno
import os
import re
import unicodedata
from pathlib import Path

from ganart.errors import InputError

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent
NAME = re.compile(r"[a-z0-9-]{1,40}")


def home() -> Path:
    """The workspace: `GANART_HOME`, else `workspace/` in a checkout, else `~/ganart`."""
    if chosen := os.environ.get("GANART_HOME"):
        return Path(chosen).expanduser().resolve()
    if (CHECKOUT / "app.py").is_file():
        return CHECKOUT / "workspace"
    return Path.home() / "ganart"


def folder(kind: str) -> Path:
    """One folder of the workspace ("datasets", "runs", "models", "exports", "locks", …), made if missing."""
    path = home() / kind
    try:
        path.mkdir(parents=True, exist_ok=True)
        if kind == "locks" and not os.access(path, os.W_OK):  # who only reads takes none
            raise PermissionError(errno.EACCES, "it is read-only")
    except OSError as error:
        raise InputError(
            f"The workspace cannot be written ({error.strerror}). Set GANART_HOME to a folder that can."
        ) from error
    return path


def slug(text: str, otherwise: str = "pictures") -> str:
    """A name of the allowed form made from any text: "Van Gogh's" -> "van-gogh-s"; `otherwise` where none of its
    letters can stand in one."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32].strip("-") or otherwise


def check_name(name: str) -> str:
    """`name` itself; raises InputError where it is not 1 to 40 small letters, digits and hyphens."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"“{name[:60]}” is not a usable name. Use 1 to 40 small letters, digits and hyphens, such as "
            "my-paintings."
        )
    return name


def free_name(parent: Path, name: str) -> str:
    """`name`, or `name-2`, `name-3`, … where that folder already exists in `parent`."""
    candidate, number = name, 2
    while (parent / candidate).exists():
        candidate = f"{name[:36]}-{number}"
        number += 1
    return candidate


def looks_like_path(text: str) -> bool:
    """Whether `text` has a separator or a suffix, so that it means a file or folder and not a name."""
    return text in (".", "..", "~") or "/" in text or "\\" in text or bool(Path(text).suffix)


def given_path(text: str) -> Path:
    """The path that somebody typed, quotes and ~ resolved; raises InputError where it can be none."""
    try:
        path = Path(text.strip().strip("\"'")).expanduser()
        path.exists()  # refuses names that the file system cannot have
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"“{text[:120]}” is not a path on this computer. Check it and try again.") from error
    if not text.strip():
        raise InputError("No path was given. Name a folder of pictures or a .zip of them.")
    return path


def pretrained_folder() -> Path:
    """The models that come with the program: beside the package in a checkout, inside it when installed."""
    inside = PACKAGE / "pretrained"
    return inside if inside.is_dir() else CHECKOUT / "pretrained"
