"""A model and a film's settings -> frames -> a file: the walk through the latent space, painted.

Frames are painted as they are asked for, so that a film of any length needs the memory of a moment.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganart import (
    checkpoint,
    export,
    exported,
    filmconfig,
    images,
    layout,
    models,
    pace,
    painters,
    paths,
    places,
    recipes,
    render,
)
from ganart.errors import ModelError
from ganart.files import write_atomic
from ganart.filmconfig import FilmConfig
from ganart.models import Model
from ganart.networks import Generator
from ganart.paths import Curve
from ganart.places import Place

TOGETHER = 64  # pictures that are painted at once
PREVIEW_SIDE, PREVIEW_SECONDS, PREVIEW_FPS = 256, 3.0, 20
Progress = Callable[[int, int], None]
_reckoning = threading.Lock()


@dataclass(frozen=True)
class Report:
    """What came out: bytes, frames, seconds, width and height of the file; seam: the step from the last frame
    to the first over the longest other step (1 or less is seamless; None where the film does not loop); uneven:
    the variation of steps (`pace.variation`) of the film, and what it would have been without even pace."""

    bytes: int
    frames: int
    seconds: float
    width: int
    height: int
    seam: float | None
    uneven: float
    uneven_before: float


def make(model: Model, film: FilmConfig, path: Path, progress: Progress | None = None) -> Report:
    """Paint a film into a file of the kind that the suffix of `path` names.

    progress(done, total) is called as frames are painted. Raises InputError for what cannot be made, before
    anything is painted, ModelError, and GanartError where the file cannot be written.
    """
    export.check_suffix(path, *export.KINDS)
    suffix = path.suffix.lower()
    reel = Reel(model, film, suffix)
    about = _about(reel, film)
    recipes.to_json(about)  # refuses one that is too long
    walk = reel.walk(progress)
    watch = _Watch()
    frames = watch.seen(reel.paint(walk, progress))
    export.write_film(path, map(reel.canvas.place, frames), reel.count, film.fps, about)
    return Report(
        path.stat().st_size,
        reel.count,
        reel.count / film.fps,
        *export.sides(suffix, reel.count, reel.canvas.width, reel.canvas.height),
        watch.seam() if film.loops else None,
        watch.uneven(),
        watch.uneven() if walk.uneven_before is None else walk.uneven_before,
    )


def estimate(model: Model, film: FilmConfig, suffix: str) -> int:
    """About how many bytes the film will have in this kind of file; one at a time is reckoned. Raises as `make`
    does."""
    reel = Reel(model, replace(film, even=False), suffix)  # an even pace is found by painting all of it, often
    walk = reel.walk()

    def paint(some: list[int]) -> Iterator[np.ndarray]:
        return map(reel.canvas.place, reel.paint(walk, None, some))

    with _reckoning:  # for everybody who asks: frames are large
        frames = export.estimate(suffix, paint, reel.count, film.fps, reel.canvas.width * reel.canvas.height)
    return frames + len(recipes.to_json(_about(reel, film)))


def _about(reel: "Reel", film: FilmConfig) -> dict:
    return recipes.recipe(reel.card.hash, origin=reel.card.origin, kind="film", film=filmconfig.to_dict(film))


@dataclass(frozen=True, eq=False)
class Walk:
    """Where each picture of each frame is: (cells, frames) times on the curves, one curve for each cell.
    uneven_before: the variation of the film's steps without even pace, where it has that."""

    curves: Sequence[Curve]
    times: np.ndarray
    uneven_before: float | None = None

    def z(self, frames: np.ndarray) -> np.ndarray:
        """Latents of these frames, (frames, cells, z_dim)."""
        return np.stack([curve.at(u[frames]) for curve, u in zip(self.curves, self.times, strict=True)], 1)


class Reel:
    """A film that can be painted: what paints it, the canvas, and how many frames there are with the rest at the
    end. Raises InputError where the model cannot paint this film, or this kind of file not hold it, ModelError."""

    def __init__(self, model: Model, film: FilmConfig, suffix: str) -> None:
        self.film = film
        self.painter, self.card = painters.painter(model, film)
        self.count = film.frames + (0 if film.loops else round(filmconfig.REST_SECONDS * film.fps))
        height, width = self.painter.shape if isinstance(self.painter, painters.Sheets) else self._tiled()
        self.canvas = layout.canvas(film, width, height, min(export.KINDS[suffix][1], layout.MOST_SIDE))
        export.check(suffix, self.count, self.canvas.width, self.canvas.height)

    def _tiled(self) -> tuple[int, int]:
        return self.film.rows * self.painter.size, self.film.columns * self.painter.size

    def walk(self, progress: Progress | None = None) -> Walk:
        """The way through the latent space; with even pace it is painted a few times to be measured. Meanwhile
        progress is told that nothing is done, so that it can call the whole off."""
        film, painter, cells = self.film, self.painter, self.film.rows * self.film.columns
        if isinstance(painter, painters.Sheets):
            return Walk([], np.zeros((0, film.frames)))
        kept = [places.read(frame.place, painter.z_dim) for frame in film.keyframes]
        if film.path == "growth":
            z = np.stack([place.z for place in kept])
            if cells == 1 and len(kept) > 1:  # wandering meanwhile, and not back
                return Walk([paths.slerps(z)], np.linspace(0, len(kept) - 1, film.frames)[None])
            return Walk([paths.still(point) for point in z], np.zeros((cells, film.frames)))
        return self._timed(painter, self._curves(painter, kept), cells, progress)

    def _curves(self, painter: painters.Still, kept: Sequence[Place]) -> list[Curve]:
        """One for each picture of the grid, or a single one for all."""
        film, z = self.film, np.stack([place.z for place in kept])
        if film.path == "circle":
            return [paths.circle(place.z, place.seed) for place in kept]
        if film.path == "noise":
            return [paths.noise(place.z, film.waves, place.seed) for place in kept]
        if film.path == "direction":
            found = painter.directions(film.direction)
            direction = found[min(film.index, len(found) - 1)]
            return [paths.along(point, direction, film.reach) for point in z]
        return [(paths.slerps if film.path == "slerp" else paths.spline)(z)]

    def _timed(self, painter: painters.Still, curves: list[Curve], cells: int, progress: Progress | None) -> Walk:
        film = self.film
        keyframes = film.keyframes if film.path in filmconfig.WALKS else ()
        plain = np.arange(film.frames) / film.frames
        if keyframes:
            plain = paths.times(keyframes, film.frames, film.easing)
        walk = self._side_by_side(curves, [plain] * len(curves), cells)
        if not film.even:
            return walk

        def draw(z: np.ndarray) -> np.ndarray:
            if progress:
                progress(0, self.count)
            return painter.now(z)

        watch = _Watch()
        for _ in watch.seen(self.paint(walk, (lambda *_: progress(0, self.count)) if progress else None)):
            pass
        times = [pace.even_times(curve, draw, film.frames, keyframes) for curve in curves]
        return replace(self._side_by_side(curves, times, cells), uneven_before=watch.uneven())

    def _side_by_side(self, curves: list[Curve], times: list[np.ndarray], cells: int) -> Walk:
        if len(curves) < cells:  # one curve for many pictures: each is somewhere else on it
            shifts = [round(cell * self.film.frames / cells) for cell in range(cells)]
            curves, times = curves * cells, [np.roll(times[0], -shift) for shift in shifts]
        return Walk(curves, np.stack(times))

    def paint(
        self, walk: Walk, progress: Progress | None, frames: Sequence[int] | None = None
    ) -> Iterator[np.ndarray]:
        """The frames, or those of these numbers, as they come: uint8 (H, W, C), before the canvas."""
        wanted = list(range(self.count)) if frames is None else list(frames)
        cells = self.film.rows * self.film.columns
        at_once = 1 if isinstance(self.painter, painters.Sheets) else max(1, TOGETHER // cells)
        total, done = len(wanted), 0
        for part in (wanted[start : start + at_once] for start in range(0, total, at_once)):
            inner = np.minimum(part, self.film.frames - 1)
            moments = inner / (self.film.frames - 1)
            if isinstance(self.painter, painters.Sheets):
                drawn = [self.painter.sheet(moment) for moment in moments]
            else:
                z = walk.z(inner)
                pictures = self.painter.at(z.reshape(-1, z.shape[-1]), np.repeat(moments, cells))
                pictures = pictures.reshape(len(part), cells, *pictures.shape[1:])
                drawn = [images.tile(some, self.film.columns) for some in pictures]
            yield from drawn
            done += len(part)
            if progress:
                progress(done, total)


class _Watch:
    """Looks at frames as they pass, and remembers how far apart they are."""

    def __init__(self) -> None:
        self.first: np.ndarray | None = None
        self.last: np.ndarray | None = None
        self.steps: list[float] = []

    def seen(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for frame in frames:
            if self.last is not None:
                self.steps.append(self._step(self.last, frame))
            else:
                self.first = frame
            self.last = frame
            yield frame

    @staticmethod
    def _step(a: np.ndarray, b: np.ndarray) -> float:
        return float(pace.distances(np.stack([a, b]), closed=False)[0])

    def seam(self) -> float:
        longest = max(self.steps)
        assert self.first is not None and self.last is not None  # there was a step between them
        return self._step(self.last, self.first) / longest if longest else 1.0

    def uneven(self) -> float:
        return pace.variation(np.array(self.steps))


def preview(G: Generator) -> bytes:
    """A small grid of loops, at most 256 px on a side, that shows a model at a glance, as an animated WebP."""
    across = max(1, min(6, PREVIEW_SIDE // G.config.size))
    count = filmconfig.frame_count(PREVIEW_SECONDS, PREVIEW_FPS)
    u = np.arange(count) / count
    kept = [places.of_seed(seed, G.config.z_dim) for seed in range(across**2)]
    z = np.stack([paths.circle(place.z, place.seed).at(u) for place in kept], 1)
    drawn = render.pictures(G, z.reshape(-1, z.shape[-1]))
    drawn = drawn.reshape(count, len(kept), *drawn.shape[1:])
    return export.webp_bytes([images.tile(some, across) for some in drawn], PREVIEW_FPS, 75)


def work(request: dict, folder: Path, progress: Progress) -> dict:
    """The jobs "preview", which draws the loop of a model, and "film", which paints a film into the folder."""
    if request["kind"] == "preview":
        G, _ = checkpoint.load_generator(Path(request["model"]))
        write_atomic(folder / "loop.webp", preview(G), durable=False)
        progress(1, 1)
        return {"file": "loop.webp"}
    model = models.find_model(request["id"])
    if model.card().hash != request["hash"]:
        raise ModelError(f"{model.id} has learned on since the film was asked for. Ask again.")
    with exported.making(f"{folder.name}{request['suffix']}") as hidden:
        report = make(model, filmconfig.from_dict(request["film"]), hidden, progress)
        progress(report.frames, report.frames)  # somebody may have let go of it while it was written
        path = exported.keep(hidden, hidden.with_name(request["name"] + request["suffix"]))
    return {"file": path.name, "written": path.stat().st_mtime_ns, **vars(report)}
