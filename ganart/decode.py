"""One untrusted picture file -> the squares of raw pixels that a network will see.

`python -m ganart.decode` is a process that does this for others: it reads one job a line from stdin, writes
the pixels into a raw file and one line of JSON to stdout. A picture made to crash a decoder ends this
process and nothing else.
"""

import contextlib
import errno
import functools
import hashlib
import io
import json
import os
import stat
import struct
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import AvifImagePlugin, Image, ImageOps, UnidentifiedImageError

from ganart import plain
from ganart.limits import limits

FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF"]
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"}
HEIC_PHOTO = "HEIC photo: export it as JPEG first"
HEIC_BRANDS = {b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1"}  # in the head of a file, whatever it is called
MIN_SIDE = 32
CORNERS = ((0, 0), (1, 1), (1, 0))  # where the second, third and fourth crop lie


class UnusableError(Exception):
    """A picture that is left out; the message is the reason, for the report."""


def open_picture(data: bytes, size: int) -> Image.Image:
    """The first frame of a picture file, turned the way its EXIF says, in the mode that it has.

    size: side of the training pictures; a JPEG more than twice as large is decoded at a fraction.
    Raises UnusableError, or whatever a decoder throws at a damaged file.
    """
    Image.MAX_IMAGE_PIXELS = limits().pixels
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # there is a process on every core already
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    needed = max(min(MIN_SIDE, size), size // 2)
    if min(width, height) < needed:
        raise UnusableError(f"too small: {width}x{height} px, the shorter side must have {needed} px or more")
    if image.format in ("JPEG", "MPO"):  # of phones: a JPEG with another one behind it
        image.draft(None, (2 * size, 2 * size))
    image.load()
    with contextlib.suppress(SyntaxError, ValueError, TypeError, KeyError, struct.error):
        ImageOps.exif_transpose(image, in_place=True)  # an EXIF block that cannot be read turns nothing
    return image


def windows(width: int, height: int, size: int, crops: int) -> list[tuple[float, float, float]]:
    """The squares (left, top, side) to cut out of a picture: its centre, and where the picture is at least twice
    the training size up to three more of two thirds the side, from its corners."""
    side = min(width, height)
    found = [((width - side) / 2, (height - side) / 2, float(side))]
    if side >= 2 * size:
        small = side * 2 / 3
        found += [((width - small) * x, (height - small) * y, small) for x, y in CORNERS[: crops - 1]]
    return found


def squares(
    image: Image.Image, size: int, crop: str, background: tuple[int, int, int], crops: int = 1
) -> np.ndarray:
    """An RGB image -> uint8 (n, size, size, 3): its `windows` ("centre"), or all of it between bars ("fit")."""
    width, height = image.size
    if crop == "fit":
        scale = size / max(width, height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        result = Image.new("RGB", (size, size), background)
        resized = image.resize(inner, Image.Resampling.LANCZOS)
        result.paste(resized, ((size - inner[0]) // 2, (size - inner[1]) // 2))
        return np.asarray(result)[None]
    boxes = [(left, top, left + side, top + side) for left, top, side in windows(width, height, size, crops)]
    return np.stack([np.asarray(image.resize((size, size), Image.Resampling.LANCZOS, box=box)) for box in boxes])


def prepare(
    data: bytes, size: int, crop: str, background: tuple[int, int, int], crops: int = 1
) -> tuple[np.ndarray, dict]:
    """A picture file -> uint8 (n, size, size, 3), n from 1 to `crops`, and what the report says of it.

    Returns with the pixels: `hash` of the decoded picture, `grey`, `enlarged`, and n as `crops` where more than
    one was asked for.
    """
    if len(data) > limits().file_bytes:
        raise UnusableError(too_large())
    try:
        image = plain.flatten(open_picture(data, size), background)
    except plain.NotNumbersError as error:
        raise UnusableError("holds values that are not numbers") from error
    except UnidentifiedImageError as error:
        if data[4:12] in HEIC_BRANDS:
            raise UnusableError(HEIC_PHOTO) from error
        raise
    digest = hashlib.sha256(f"{image.size}".encode())
    for strip in plain.strips(image):
        digest.update(image.crop(strip).tobytes())
    pixels = squares(image, size, crop, background, crops)
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
    # Under "fit" the longer side meets the square, under "centre" the shorter one.
    enlarged = (max(image.size) if crop == "fit" else min(image.size)) < size
    about = {"hash": digest.hexdigest(), "grey": grey, "enlarged": enlarged}
    return pixels, about | ({"crops": len(pixels)} if crops > 1 else {})


# --- reasons


def too_large() -> str:
    """Why a file of too many bytes is left out."""
    return f"larger than {limits().file_bytes / 1e6:,g} MB: save it smaller, or set GANART_MAX_FILE_MB higher"


def too_hungry() -> str:
    """Why a file that took a decoder to its limit of memory is left out."""
    most = f"{limits().memory / 1e6:,g} MB"
    return f"needs more than {most} of memory: save it smaller, or set GANART_DECODER_MB higher"


def reason(error: BaseException) -> str:
    """Why a file is left out, in the words of the report."""
    if isinstance(error, UnusableError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        most = f"{limits().pixels / 1e6:,g}"
        return f"more than {most} million pixels: save it smaller, or set GANART_MAX_MEGAPIXELS higher"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture, whatever its name says"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:  # what O_NOFOLLOW says to a link
        return "a link or a device, not a file"
    if isinstance(error, FileNotFoundError | PermissionError):
        return f"cannot be opened ({error.strerror})"
    if isinstance(error, OSError) and error.errno is not None:  # the system's, and not a decoder's
        return f"cannot be read ({error.strerror}): is its drive or cloud away?"
    if isinstance(error, MemoryError):
        return too_hungry()
    return "damaged or incomplete"


# --- the process


def _read(job: dict) -> bytes:
    most = limits().file_bytes + 1  # the size that an archive states is not to be trusted
    if job.get("zip"):
        archive = _archive(job["zip"])
        with archive.open(archive.infolist()[job["entry"]]) as file:
            return file.read(most)
    with os.fdopen(_open_unlinked(job["path"]), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnusableError("a link or a device, not a file")
        return file.read(most)


def _open_unlinked(path: str) -> int:
    """Open what was a plain file when the folder was listed; it may have become a link or a pipe since."""
    flags = [getattr(os, name, 0) for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK")]
    return os.open(path, os.O_RDONLY | sum(flags))


@functools.lru_cache(maxsize=1)  # reading the directory of a large zip takes longer than decoding a picture
def _archive(path: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def limit_memory() -> None:
    """Never more memory than the limit allows, where the system can hold a process to that (Linux); elsewhere the
    parent watches. No core dumps."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        import psutil

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        used = psutil.Process().memory_info()
        most = used.vms + max(0, limits().memory - used.rss)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limit_seconds() -> None:
    """From now on only as much time on the processor as one picture may take, where the system can count it."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        spent = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(spent.ru_utime + spent.ru_stime + limits().seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


@contextlib.contextmanager
def _answers() -> Iterator[TextIO]:
    """Where the answers go; what a library prints meanwhile goes nowhere, so that it cannot be taken for one."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers, Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        yield answers


def serve() -> None:
    """Answer jobs until stdin ends.

    A job: {row, path | zip + entry, out, size, crop, background, crops}. Its pixels go to byte
    row * crops * size² * 3 of the file `out`; the answer is {row, ok, …}, {row, ok: false, reason}, or
    {row, ok: false, unwritten} where the pixels could not be written.
    """
    limit_memory()
    with _answers() as answers:
        for line in sys.stdin:
            job = json.loads(line)
            limit_seconds()
            answers.write(json.dumps({"row": job["row"], **answer(job)}) + "\n")
            answers.flush()


def answer(job: dict) -> dict:
    """Do one job -> all of its answer but the row."""
    crops = job.get("crops", 1)
    try:
        pixels, about = prepare(_read(job), job["size"], job["crop"], tuple(job["background"]), crops)
    except Exception as error:  # decoders throw a dozen kinds at damaged files; each is a reason
        return {"ok": False, "reason": reason(error)}
    try:
        with Path(job["out"]).open("r+b") as out:
            out.seek(job["row"] * crops * pixels[0].size)
            out.write(pixels.tobytes())
    except OSError as error:  # no fault of the picture's
        return {"ok": False, "unwritten": error.strerror or "not written"}
    return {**about, "ok": True}


if __name__ == "__main__":
    serve()
