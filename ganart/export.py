"""Frames -> a file, by the suffix of its name: GIF, MP4, WebP, APNG, PNG frames in a zip, a contact sheet. Each
has the recipe inside. MP4 and zip are written as the frames come; the others hold them all. Imports no torch.
"""

import io
import math
import os
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL.PngImagePlugin import PngInfo

from ganart import gif, images, recipes
from ganart.errors import GanartError, InputError
from ganart.files import discard, replace_with_retry, write_atomic

MAX_HELD = 2_000_000_000  # bytes of memory for the frames of a film
MAX_SHEET = 300_000_000  # pixels of a sheet
WEBP_QUALITY = 90
SHEET_PICTURES, SHEET_SIDE = 36, 3000  # of a contact sheet
KINDS = {  # suffix: (what it is called, the most that its longer side may have in px)
    ".gif": ("GIF", 1024),
    ".mp4": ("MP4", 4096),
    ".webp": ("WebP", 2048),
    ".apng": ("APNG", 2048),
    ".zip": ("PNG frames in a zip", 4096),
    ".png": ("Contact sheet", 4096),
}
HELD = {".gif": 5, ".webp": 5, ".apng": 9}  # kinds whose frames are all in memory at once: bytes a pixel, measured
SEGMENTS, SEGMENT = 4, 6  # of the film, and frames of each, by which its size is estimated
VIDEO_SEGMENTS, VIDEO_SEGMENT = 2, 16  # likewise, where frames are foretold from others on both sides
VIDEO_PIXELS = 17_000_000  # of such a segment, or four frames
ZIP_ENTRY = 104  # bytes, of the two headers that a frame has in a zip
ESTIMATE_PIXELS = 6000  # for the palette of an estimate
Painting = Callable[[list[int]], Iterable[np.ndarray]]


def check(suffix: str, frames: int, width: int, height: int) -> None:
    """Raises InputError for a film that this kind of file cannot hold, or cannot be shared as."""
    name, most = KINDS[suffix]
    if max(width, height) > most:
        raise InputError(
            f"The film would be {width}x{height} px, and {name} may have up to {most} px here. "
            "Choose a smaller size or grid."
        )
    if suffix == ".mp4" and (width % 2 or height % 2):
        raise InputError(f"An MP4 has even sides, but {width}x{height} px were asked for. Add or take one px.")
    needed = frames * height * width * HELD.get(suffix, 0)
    if needed > MAX_HELD:
        raise InputError(
            f"{frames} frames of {width}x{height} px take {needed / 1e9:.1f} GB of memory until the {name} is "
            f"written, and {MAX_HELD / 1e9:g} GB are allowed. Choose fewer seconds, a smaller size, or MP4."
        )


def write_film(path: Path, frames: Iterable[np.ndarray], count: int, fps: int, about: dict) -> None:
    """Write `count` frames, uint8 (H, W, C), all of one size, as the kind of file that the suffix of `path`
    names. A file that is there already is replaced in one move, when the new one is whole.

    Raises InputError for a suffix that is none of KINDS, GanartError where the disk is full.
    """
    check_suffix(path, *KINDS)
    suffix = path.suffix.lower()
    if suffix in (".mp4", ".zip"):
        with _replacing(path) as temporary:
            (_write_mp4 if suffix == ".mp4" else _write_zip)(temporary, frames, count, fps, about)
        return
    writer: Callable = {".gif": _gif, ".webp": _webp, ".apng": _apng, ".png": _sheet}[suffix]
    write(path, writer(frames, count, fps, about))


def _gif(frames: Iterable[np.ndarray], count: int, fps: int, about: dict) -> bytes:
    return gif.gif_bytes(_all(frames, count), fps, about)


def _webp(frames: Iterable[np.ndarray], count: int, fps: int, about: dict) -> bytes:
    return webp_bytes(frames, fps, WEBP_QUALITY, xmp=recipes.xmp(about))


def webp_bytes(frames: Iterable[np.ndarray], fps: int, quality: int, **options: object) -> bytes:
    """Frames -> a WebP that loops; options are Pillow's."""
    first, *others = [images.to_pillow(frame).convert("RGB") for frame in frames]
    buffer = io.BytesIO()
    usual = {"save_all": True, "duration": round(1000 / fps), "loop": 0, "quality": quality, "method": 4}
    first.save(buffer, "WEBP", append_images=others, **usual, **options)
    return buffer.getvalue()


def _apng(frames: Iterable[np.ndarray], count: int, fps: int, about: dict) -> bytes:
    first, *others = [images.to_pillow(frame) for frame in frames]
    buffer = io.BytesIO()
    options = {"save_all": True, "duration": 1000 / fps, "loop": 0, "pnginfo": _png_info(about)}
    first.save(buffer, "PNG", append_images=others, **options)
    return buffer.getvalue()


def _sheet(frames: Iterable[np.ndarray], count: int, fps: int, about: dict) -> bytes:
    """A contact sheet: pictures at equal times, row by row."""
    chosen = _on_sheet(count)
    columns = _across(len(chosen))
    kept = [_for_sheet(frame, columns) for index, frame in enumerate(frames) if index in chosen]
    return png_bytes(images.tile(np.stack(kept), columns), about)


def _on_sheet(count: int) -> list[int]:
    """The frames that a contact sheet shows."""
    return sorted({round(index) for index in np.linspace(0, count - 1, min(SHEET_PICTURES, count))})


def _across(count: int) -> int:
    return max(1, math.ceil(math.sqrt(count)))


def _for_sheet(frame: np.ndarray, columns: int) -> np.ndarray:
    factor = _sheet_factor(frame.shape[0], frame.shape[1], columns)
    return images.shrink(frame, factor) if factor > 1 else frame


def _sheet_factor(height: int, width: int, columns: int) -> int:
    return -(-max(height, width) * columns // SHEET_SIDE)


def sides(suffix: str, count: int, width: int, height: int) -> tuple[int, int]:
    """Width and height in px of the file of a film of `count` frames of width x height px."""
    if suffix != ".png":
        return width, height
    pictures = len(_on_sheet(count))
    columns = _across(pictures)
    factor = _sheet_factor(height, width, columns)
    return columns * (width // factor), -(-pictures // columns) * (height // factor)


def _write_zip(path: Path, frames: Iterable[np.ndarray], count: int, fps: int, about: dict) -> None:
    digits = max(4, len(str(count - 1)))
    info = lambda name: zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # noqa: E731  without a time: same film, same file
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(info(recipes.IN_ZIP), recipes.to_json(about))
        for index, frame in enumerate(frames):
            archive.writestr(info(f"frame-{index:0{digits}}.png"), images.encode(frame))


def _write_mp4(path: Path, frames: Iterable[np.ndarray], count: int, fps: int, about: dict) -> None:
    from ganart import video

    video.write(path, frames, fps, about)


def _all(frames: Iterable[np.ndarray], count: int) -> np.ndarray:
    """All frames in one array, filled as they come."""
    iterator = iter(frames)
    first = next(iterator)
    held = np.empty((count, *first.shape), np.uint8)
    held[0] = first
    for index, frame in enumerate(iterator, 1):
        held[index] = frame
    return held


def segments_of(suffix: str, count: int, pixels: int) -> list[list[int]]:
    """The frames by which the size of a film of `count` is estimated, in segments that follow one another. pixels:
    of a frame."""
    if suffix == ".png":
        return [_on_sheet(count)]
    segments, length = SEGMENTS, SEGMENT
    if suffix == ".mp4":  # its encoder holds all frames of a segment
        segments, length = VIDEO_SEGMENTS, max(4, min(VIDEO_SEGMENT, VIDEO_PIXELS // pixels))
    length = min(length, count)
    starts = np.linspace(0, count - length, min(segments, max(1, count // length))).astype(int)
    return [list(range(start, start + length)) for start in starts]


def estimate(suffix: str, paint: Painting, count: int, fps: int, pixels: int) -> int:
    """About how many bytes a film of `count` frames will have, from those of `segments_of`: what a first frame
    takes, and what each more. paint: gives frames by their numbers, and is asked for some again, so that no more
    of them are in memory than a file of this kind needs."""
    segments = segments_of(suffix, count, pixels)
    if suffix == ".png":
        return len(_sheet(paint(segments[0]), len(segments[0]), fps, {}))
    measure = _measure(suffix, paint, segments, fps)
    sizes = [(measure(part[:1]), measure(part), len(part) - 1) for part in segments]
    first = np.mean([one for one, _, _ in sizes])
    more = np.mean([(whole - one) / max(1, others) for one, whole, others in sizes])
    return round(first + (count - 1) * more)


def _measure(suffix: str, paint: Painting, segments: list[list[int]], fps: int) -> Callable[[list[int]], int]:
    """What tells the bytes of some frames of a film in this kind of file."""
    if suffix == ".gif":
        every = [index for part in segments for index in part]
        palette = gif.palette_of(_all(paint(every), len(every)), ESTIMATE_PIXELS)
        return lambda some: len(gif.gif_bytes(_all(paint(some), len(some)), fps, palette=palette))
    if suffix == ".mp4":
        return lambda some: _video_size(paint(some), fps)
    if suffix == ".zip":
        return lambda some: sum(len(images.encode(frame)) + ZIP_ENTRY for frame in paint(some))
    writer = _webp if suffix == ".webp" else _apng
    return lambda some: len(writer(paint(some), len(some), fps, {}))


def _video_size(frames: Iterable[np.ndarray], fps: int) -> int:
    from ganart import video

    buffer = io.BytesIO()
    video.write(buffer, frames, fps, {})
    return buffer.tell()


def png_bytes(picture: np.ndarray, about: dict) -> bytes:
    """uint8 (H, W, C) -> a PNG with its recipe inside."""
    return images.encode(picture, "PNG", pnginfo=_png_info(about))


def _png_info(about: dict) -> PngInfo:
    info = PngInfo()
    info.add_text("ganart", recipes.to_json(about))
    info.add_itxt("XML:com.adobe.xmp", recipes.xmp(None).decode())
    return info


def check_suffix(path: Path, *suffixes: str) -> Path:
    """`path` itself; raises InputError where its suffix is none of these or its folder is missing."""
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"“{path.name}” should end in {' or '.join(suffixes)}, so that it is clear what to write."
        )
    if path.is_dir():
        raise InputError(f"“{path}” is a folder. Name the file to write, such as {path / ('film' + suffixes[0])}.")
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist. Make it first, or choose another --out.")
    return path


def write(path: Path, data: bytes) -> None:
    """Write an export; a file already there is replaced in one move. Raises GanartError where that fails."""
    with _told(path):
        write_atomic(path, data, durable=False)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GanartError(
            f"“{path.name}” could not be written ({error.strerror or error}). Make room on the disk, "
            "or choose another place."
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and is gone otherwise."""
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    try:
        with _told(path):
            yield temporary
            replace_with_retry(temporary, path)
    finally:
        discard(temporary)
