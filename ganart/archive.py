"""What a zip from anywhere says it holds. Its entries are read by number, and nothing is unpacked by name."""

import os
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ganart.errors import DatasetError
from ganart.limits import limits

SYSTEM_FILES = {"Thumbs.db", "desktop.ini", "__MACOSX"}  # that a system puts beside pictures
IN_THE_CLOUD = ".icloud"  # .NAME.icloud stands for a picture that a Mac has not downloaded
LINK = "a link or a device, not a file"
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
MAX_RATIO = 100  # pictures hardly shrink; zeros shrink a thousandfold
UNPACKED = (".bmp", ".tif", ".tiff")  # pictures that may shrink as far: drawings of few colours
FREE_RATIO = 1_000_000  # bytes under which the ratio does not matter
MAX_DIRECTORY = 32_000_000  # bytes; 60,000 entries of common names have 6 MB


@dataclass(frozen=True)
class Entry:
    """A file of a folder or a zip: its name there, the job that reads it, its bytes, and why it is left out."""

    name: str
    job: dict
    length: int
    problem: str | None


def is_hidden(part: str) -> bool:
    """Whether a file or folder of this name is the system's, and none of the artist's; as `hidden` in drop.js."""
    cloudy = part.endswith(IN_THE_CLOUD)
    return (part.startswith(".") and part not in (".", "..") and not cloudy) or part in SYSTEM_FILES


def too_many() -> str:
    """The sentence for a source of too many files."""
    most = f"{limits().files:,}"
    return f"More than {most} files were found. Give a folder with fewer of them, or set GANART_MAX_FILES higher."


def entries(path: Path) -> Iterator[Entry]:
    """Every file in a zip. Raises DatasetError where it is none, or lists more than anybody's pictures."""
    try:
        with path.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                listed = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise DatasetError(
            f"“{path.name}” is not a readable zip file. Make it again, or give the folder."
        ) from error
    sharing = _sharing(listed)
    real, seen = str(path.resolve()), set()
    for index, entry in enumerate(listed):
        parts = entry.filename.replace("\\", "/").split("/")
        if entry.is_dir() or any(map(is_hidden, parts)):
            continue
        problem = _problem(entry, parts)
        if problem is None and tuple(parts) in seen:
            problem = "the zip holds another file of this name"
        elif problem is None and index in sharing:
            problem = "shares its bytes with another file of the zip, as zip bombs do"
        seen.add(tuple(parts))
        yield Entry(entry.filename, {"zip": real, "entry": index}, entry.file_size, problem)


def _problem(entry: zipfile.ZipInfo, parts: list[str]) -> str | None:
    """Why one entry is left out, whatever else the zip holds."""
    if ".." in parts or parts[0] == "" or re.match("[A-Za-z]:", parts[0]):
        return "its name points outside the zip"
    if any(DEVICES.fullmatch(part) for part in parts):
        return "its name is that of a device"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return LINK
    if entry.flag_bits & 1:
        return "locked with a password"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed in a rare way: make the zip again with another program"
    flat = parts[-1].lower().endswith(UNPACKED) and entry.file_size <= limits().file_bytes
    if entry.file_size > max(FREE_RATIO, MAX_RATIO * entry.compress_size) and not flat:
        return f"unpacks to more than {MAX_RATIO} times its size, as zip bombs do"
    return None


def _sharing(listed: list[zipfile.ZipInfo]) -> set[int]:
    """Numbers of the entries whose bytes begin before those of the entry in front of them end."""
    found, end, before = set[int](), 0, -1
    for index in sorted(range(len(listed)), key=lambda index: listed[index].header_offset):
        entry = listed[index]
        if entry.header_offset < end:
            found |= {index, before}
        if (reach := entry.header_offset + 30 + entry.compress_size) > end:
            end, before = reach, index
    return found


def _check_directory(file: BinaryIO) -> None:
    """Raises DatasetError where the zip lists too many entries. zipfile would read them all into memory first,
    whatever number the zip states; here they are counted."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 22 - 65_535 - 76))
    tail = file.read()
    at = len(tail) - 22 if tail[-22:-18] == b"PK\5\6" and tail[-2:] == b"\0\0" else tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile
    length, start = int.from_bytes(tail[at + 12 : at + 16], "little"), end - len(tail) + at
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\6\7":  # a large zip: it says where its own record is
        place = int.from_bytes(tail[at - 12 : at - 4], "little")
        if at < 76 or tail[at - 76 : at - 72] != b"PK\6\6" or place != start - 76:
            raise zipfile.BadZipFile  # zipfile, by its version, would look for another one
        length, start = int.from_bytes(tail[at - 36 : at - 28], "little"), place
    if length > MAX_DIRECTORY:
        raise DatasetError(too_many())
    file.seek(max(0, start - length))
    directory = file.read(length)
    most = 3 * limits().files  # folders, and what macOS puts beside every file, are not counted as files
    count = place = 0
    while directory[place : place + 4] == b"PK\1\2" and count <= most:
        place += 46 + sum(int.from_bytes(directory[place + at : place + at + 2], "little") for at in (28, 30, 32))
        count += 1
    if count > most:
        raise DatasetError(too_many())
    file.seek(0)
