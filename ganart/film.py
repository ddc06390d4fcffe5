"""Models and runs -> films: the recipe of each animation, from (what, how long, how large) to GIF bytes."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn

from ganart import checkpoint, export, images, latent, render
from ganart.errors import InputError
from ganart.files import write_atomic
from ganart.models import Model

MAX_SIDE = 1024  # px, of a GIF's longer side
PREVIEW_SIDE, PREVIEW_SECONDS, PREVIEW_FPS = 256, 3.0, 20
Progress = Callable[[int, int], None]


def walk(
    G: nn.Module,
    model_hash: str,
    seeds: list[int],
    seconds: float,
    fps: int,
    scale: int,
    progress: Progress | None = None,
) -> bytes:
    """A closed walk through the pictures of these seeds, as a GIF.

    seconds, fps: length and speed, fps one of export.FPS. scale: each pixel becomes scale x scale.
    progress(done, total) is called as frames are drawn. Raises InputError for what cannot be made.
    """
    z = latent.keyframe_loop(latent.sample_z(seeds, G.config.z_dim), export.frame_count(seconds, fps))
    _check_size(G.config.size * scale, G.config.size * scale, len(z))
    frames = _draw(G, z, progress)
    about = export.recipe(model_hash, kind="walk", seeds=seeds, seconds=seconds, fps=fps, scale=scale)
    return export.gif_bytes(images.enlarge(frames, scale), fps, about)


def grid(
    G: nn.Module,
    model_hash: str,
    rows: int,
    columns: int,
    seeds: list[int],
    seconds: float,
    fps: int,
    scale: int,
    progress: Progress | None = None,
) -> bytes:
    """rows x columns pictures, each on a loop of its own through its seed's picture, as a GIF.

    The famous morphing digits. Pictures too large for the grid are drawn smaller. Raises InputError for what
    cannot be made.
    """
    if not (1 <= rows <= 12 and 1 <= columns <= 12):
        raise InputError(f"A grid of {rows}x{columns} was asked for. Choose 1 to 12 rows and columns.")
    if len(seeds) != rows * columns:
        raise InputError(f"A {rows}x{columns} grid needs {rows * columns} seeds, but {len(seeds)} were given.")
    count = export.frame_count(seconds, fps)
    factor = _shrink_factor(max(rows, columns) * G.config.size)
    size = G.config.size // factor
    _check_size(rows * size * scale, columns * size * scale, count)
    frames = _grid_frames(G, seeds, columns, count, factor, progress)
    about = export.recipe(
        model_hash,
        kind="grid",
        rows=rows,
        columns=columns,
        seeds=seeds,
        seconds=seconds,
        fps=fps,
        scale=scale,
    )
    return export.gif_bytes(images.enlarge(frames, scale), fps, about)


def _grid_frames(
    G: nn.Module, seeds: list[int], columns: int, count: int, factor: int, progress: Progress | None = None
) -> np.ndarray:
    """uint8 (count, H, W, C): each seed on its loop, drawn `factor` times smaller."""
    cells = np.stack([latent.seed_loop(seed, G.config.z_dim, count) for seed in seeds], axis=1)
    drawn = _draw(G, cells.reshape(count * len(seeds), -1), progress)
    drawn = images.shrink(drawn, factor) if factor > 1 else drawn
    drawn = drawn.reshape(count, len(seeds), *drawn.shape[1:])
    return np.stack([images.tile(frame, columns) for frame in drawn])


def preview(G: nn.Module) -> bytes:
    """A small grid of loops, at most 256 px on a side, that shows a model at a glance, as an animated WebP."""
    across = max(1, min(6, PREVIEW_SIDE // G.config.size))
    count = export.frame_count(PREVIEW_SECONDS, PREVIEW_FPS)
    first, *others = map(images.to_pillow, _grid_frames(G, list(range(across**2)), across, count, 1))
    buffer = io.BytesIO()
    options = {"save_all": True, "duration": round(1000 / PREVIEW_FPS), "loop": 0, "quality": 75, "method": 4}
    first.convert("RGB").save(buffer, "WEBP", append_images=[frame.convert("RGB") for frame in others], **options)
    return buffer.getvalue()


def growth(model: Model, seconds: float, fps: int, scale: int = 1) -> bytes:
    """The sheets of a training, from noise to the last, as a GIF that rests on its end for a second and a half.

    Sheets lie denser in the beginning, where more happens. Raises InputError where there are fewer than two.
    """
    sheets = [images.read_png(data) for _, data in model.sheets()]
    if len(sheets) < 2:
        raise InputError(f"{model.id} has {len(sheets)} training sheets, and a film needs two or more. Train on.")
    count = export.frame_count(seconds, fps)
    if (factor := _shrink_factor(max(sheets[0].shape))) > 1:
        sheets = [images.shrink(sheet, factor) for sheet in sheets]
    height, width = sheets[0].shape[:2]
    rest = round(1.5 * fps)
    _check_size(height * scale, width * scale, count + rest)
    chosen = np.linspace(0, len(sheets) - 1, min(count, len(sheets))).round().astype(int)
    each = np.minimum(np.arange(count) * len(chosen) // count, len(chosen) - 1)
    order = [*chosen[each], *([chosen[-1]] * rest)]
    about = export.recipe(model.card().hash, kind="growth", seconds=seconds, fps=fps, scale=scale)
    return export.gif_bytes(images.enlarge(np.stack([sheets[i] for i in order]), scale), fps, about)


def grid_shape(text: str) -> tuple[int, int]:
    """ "6x6" -> (6, 6), rows and columns; raises InputError for anything else."""
    match = re.fullmatch(r"([0-9]{1,3})x([0-9]{1,3})", text.lower())
    if match is None:
        raise InputError(f"“{text[:30]}” is not a grid. Write rows x columns, such as 6x6.")
    return int(match[1]), int(match[2])


def _shrink_factor(side: int) -> int:
    """The least power of two by which something of `side` px must shrink to fit into a GIF."""
    factor = 1
    while side > MAX_SIDE * factor:
        factor *= 2
    return factor


def _draw(G: nn.Module, z: np.ndarray, progress: Progress | None) -> np.ndarray:
    parts, done = [], 0
    for part in render.frames(G, z):
        parts.append(part)
        done += len(part)
        if progress:
            progress(done, len(z))
    return np.concatenate(parts)


def _check_size(height: int, width: int, frames: int) -> None:
    if max(height, width) > MAX_SIDE:
        raise InputError(
            f"The film would be {width}x{height} px, and a GIF of more than {MAX_SIDE} px is too large to share. "
            "Choose a smaller scale or grid."
        )
    export.check_memory(frames, height, width)


def work(request: dict, folder: Path, progress: Progress) -> dict:
    """The job of kind "preview": draws the loop of a model into `loop.webp`."""
    G, _ = checkpoint.load_generator(Path(request["model"]))
    write_atomic(folder / "loop.webp", preview(G), durable=False)
    progress(1, 1)
    return {"file": "loop.webp"}
