"""How much the files of strangers may ask for.

Each limit is an environment variable with a number; where it is not set, this is what holds:
    GANART_MAX_MEGAPIXELS    64       million pixels of a picture
    GANART_MAX_FILE_MB       50       of a picture file
    GANART_MAX_FILES         20000    files of a folder or a zip
    GANART_MAX_GB            8        picture files of a folder or a zip together, and the dataset made of them
    GANART_DECODER_MB        1000     memory of a process that decodes; there is one a core
    GANART_DECODER_SECONDS   20       time for one picture
"""

import os
from dataclasses import dataclass

from ganart.checks import need, told


@dataclass(frozen=True)
class Limits:
    """The limits in pixels, bytes, files and seconds."""

    pixels: int
    file_bytes: int
    files: int
    total_bytes: int
    memory: int
    seconds: float


def limits() -> Limits:
    """What holds now; raises InputError where a variable is no number above 0."""
    return Limits(
        pixels=int(_number("GANART_MAX_MEGAPIXELS", 64) * 1e6),
        file_bytes=int(_number("GANART_MAX_FILE_MB", 50) * 1e6),
        files=int(_number("GANART_MAX_FILES", 20_000)),
        total_bytes=int(_number("GANART_MAX_GB", 8) * 1e9),
        memory=int(_number("GANART_DECODER_MB", 1000) * 1e6),
        seconds=_number("GANART_DECODER_SECONDS", 20),
    )


def _number(name: str, usual: float) -> float:
    text = os.environ.get(name, "").strip()
    if not text:
        return usual
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    need(0 < value <= 1e6, f"{name} is {told(text)}. It must be a number above 0, or not be set ({usual:,g}).")
    return value
