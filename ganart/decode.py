"""One untrusted picture file -> the square of raw pixels that a network will see.

`python -m ganart.decode` is a process that does this for others: it reads one job a line from stdin, writes
the pixels into a raw file and one line of JSON to stdout. A picture made to crash a decoder ends this
process and nothing else.
"""

import functools
import hashlib
import io
import json
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF"]
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"}
MAX_FILE = 50_000_000  # bytes
MAX_PIXELS = 64_000_000
MIN_SIDE = 32


class UnusableError(Exception):
    """A picture that is left out; the message is the reason, for the report."""


def open_picture(data: bytes, size: int) -> Image.Image:
    """The first frame of a picture file, turned the way its EXIF says, in mode RGB, RGBA or L.

    size: side of the training pictures; a JPEG more than twice as large is decoded at a fraction.
    Raises UnusableError, or whatever a decoder throws at a damaged file.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    needed = max(min(MIN_SIDE, size), size // 2)
    if min(width, height) < needed:
        raise UnusableError(f"too small: {width}x{height} px, the shorter side must have {needed} px or more")
    if image.format == "JPEG":
        image.draft(None, (2 * size, 2 * size))
    image.load()
    return to_plain_mode(ImageOps.exif_transpose(image))


def to_plain_mode(image: Image.Image) -> Image.Image:
    """Any Pillow mode -> RGB, RGBA (where something is transparent) or L, without clipping deep pixels."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image), image.mode))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _eight_bits(deep: np.ndarray, mode: str) -> np.ndarray:
    """Grey values of 16 or 32 bits or floats -> uint8. Pillow's own conversion would clip them to white."""
    values = deep.astype(np.float64)
    if not np.isfinite(values).all():
        raise UnusableError("holds values that are not numbers")
    if mode.startswith("I;16"):
        top = 65535.0
    elif mode == "F":
        top = 1.0 if values.max() <= 1.0 else 255.0 if values.max() <= 255.0 else 65535.0
    else:
        top = 255.0 if values.max() <= 255 else 65535.0 if values.max() <= 65535 else float(2**31 - 1)
    return np.clip(values * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)


def flatten(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """RGB, RGBA or L -> RGB, transparency laid onto `background`."""
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def square(image: Image.Image, size: int, crop: str, background: tuple[int, int, int]) -> Image.Image:
    """An RGB image -> size x size: its centre ("centre"), or all of it between bars ("fit")."""
    width, height = image.size
    if crop == "fit":
        scale = size / max(width, height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        result = Image.new("RGB", (size, size), background)
        resized = image.resize(inner, Image.Resampling.LANCZOS)
        result.paste(resized, ((size - inner[0]) // 2, (size - inner[1]) // 2))
        return result
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))


def prepare(data: bytes, size: int, crop: str, background: tuple[int, int, int]) -> tuple[np.ndarray, dict]:
    """A picture file -> uint8 (size, size, 3) and what the report says of it.

    Returns with the pixels: `hash` of the decoded picture, `grey`, `enlarged`.
    """
    if len(data) > MAX_FILE:
        raise UnusableError(f"larger than {MAX_FILE // 10**6} MB")
    image = flatten(open_picture(data, size), background)
    digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
    pixels = np.asarray(square(image, size, crop, background))
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
    # Under "fit" the longer side meets the square, under "centre" the shorter one.
    enlarged = (max(image.size) if crop == "fit" else min(image.size)) < size
    return pixels, {"hash": digest, "grey": grey, "enlarged": enlarged}


def reason(error: BaseException) -> str:
    """Why a file is left out, in the words of the report."""
    if isinstance(error, UnusableError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than {MAX_PIXELS // 10**6} million pixels"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture, whatever its name says"
    if isinstance(error, FileNotFoundError | PermissionError):
        return f"cannot be opened ({error.strerror})"
    return "damaged or incomplete"


def _read(job: dict) -> bytes:
    if job.get("zip"):
        archive = _archive(job["zip"])
        with archive.open(archive.infolist()[job["entry"]]) as file:
            return file.read(MAX_FILE + 1)  # the size that the archive states is not to be trusted
    with Path(job["path"]).open("rb") as file:
        return file.read(MAX_FILE + 1)


@functools.lru_cache(maxsize=1)  # reading the directory of a large zip takes longer than decoding a picture
def _archive(path: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def serve() -> None:
    """Answer jobs until stdin ends.

    A job: {row, path | zip + entry, out, size, crop, background}. Its pixels go to byte row * size² * 3 of the
    file `out`; the answer is {row, ok, …}, {row, ok: false, reason}, or
    {row, ok: false, unwritten} where the pixels could not be written.
    """
    for line in sys.stdin:
        job = json.loads(line)
        try:
            pixels, answer = prepare(_read(job), job["size"], job["crop"], tuple(job["background"]))
            answer |= {"row": job["row"], "ok": True}
        except Exception as error:  # decoders throw a dozen kinds at damaged files; each is a reason
            answer = {"row": job["row"], "ok": False, "reason": reason(error)}
        if answer["ok"]:
            try:
                with Path(job["out"]).open("r+b") as out:
                    out.seek(job["row"] * pixels.size)
                    out.write(pixels.tobytes())
            except OSError as error:  # no fault of the picture's
                answer = {"row": job["row"], "ok": False, "unwritten": error.strerror or "not written"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
