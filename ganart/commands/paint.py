"""Pictures and films of a model."""

import argparse
import re

from ganart.checks import need
from ganart.commands.prepare import bar, refuse_unused
from ganart.errors import InputError
from ganart.filmconfig import PLACES, WALKS, FilmConfig, Keyframe
from ganart.models import Model


def _scale(asked: int | None, usual: int) -> int:
    scale = usual if asked is None else asked
    if not 1 <= scale <= 32:
        raise InputError(f"A scale of {scale} was asked for. Choose 1 to 32.")
    return scale


def sample(options: argparse.Namespace) -> None:
    from ganart import checkpoint, export, images, latent, models, recipes, render

    path = export.check_suffix(options.out, ".png")
    scale, seeds = _scale(options.scale, 1), latent.parse_seeds(options.seeds)
    if not 1 <= options.columns <= 100:
        raise InputError(f"{options.columns} columns were asked for. Choose 1 to 100.")
    G, card = checkpoint.load_generator(models.find_model(options.model).path)
    pixels = len(seeds) * (G.config.size * scale) ** 2
    need(
        pixels <= export.MAX_SHEET,
        f"{len(seeds):,} pictures of {G.config.size * scale} px have {pixels / 1e6:,.0f} million pixels, and a "
        f"sheet may have {export.MAX_SHEET / 1e6:,.0f} million. Choose fewer seeds or a smaller --scale.",
    )
    sheet = render.sheet(G, latent.sample_z(seeds, G.config.z_dim), min(options.columns, len(seeds)))
    about = recipes.recipe(
        card.hash, origin=card.origin, kind="sheet", seeds=seeds, columns=options.columns, scale=scale
    )
    export.write(path, export.png_bytes(images.enlarge(sheet, scale), about))
    print(path)


def animate(options: argparse.Namespace) -> None:
    from ganart import export, models, recipes, reopen

    if options.recipe is not None:
        refuse_unused(options, options.given - {"--recipe", "--out"}, "with --recipe: a film is made as it was")
        recipe = recipes.read(options.recipe)
        if recipe is None:
            raise InputError(
                f"“{options.recipe.name}” carries no recipe: it was not made by ganart, or was saved anew since."
            )
        model = models.find_model(options.model) if options.model else reopen.model_of(recipe)
        _make(model, reopen.film_of(recipe, model), options)
        return
    if options.model is None:
        raise InputError("Say which model paints: animate MODEL … or animate --recipe FILE.")
    model = models.find_model(options.model)
    export.check_suffix(options.out, *export.KINDS)
    _make(model, _film(options, model.card().networks.size), options)


def timelapse(options: argparse.Namespace) -> None:
    from ganart import images, latent, models

    model = models.find_model(options.run)
    values = _common(options)
    if options.grid and not options.seeds:
        raise InputError("A grid of what? Say it with --seeds, such as --seeds 0-8 --grid 3x3.")
    if options.seeds:
        keyframes = tuple(Keyframe(str(seed)) for seed in latent.parse_seeds(options.seeds))
        rows, columns = grid_shape(options.grid) if options.grid else (1, 1)
        film = FilmConfig("growth", keyframes, rows=rows, columns=columns, **values)
        side = (columns * model.card().networks.size, rows * model.card().networks.size)
    else:
        if (sheet := model.sheet()) is None:
            raise InputError(f"{model.id} came without training sheets. Give a run instead.")
        film, side = FilmConfig("sheets", **values), images.read_png(sheet).shape[1::-1]
    _make(model, _scaled(film, options.scale, side), options)


def _film(options: argparse.Namespace, size: int) -> FilmConfig:
    """What the options of `animate` ask for."""
    from ganart import latent

    if not options.grid and not options.seeds:
        raise InputError("Say what to show: --seeds 3,14,15 for a walk, or --grid 6x6 for a grid of loops.")
    seeds = latent.parse_seeds(options.seeds) if options.seeds else []
    rows, columns = grid_shape(options.grid) if options.grid else (1, 1)
    path = options.path or ("circle" if options.grid else "slerp")
    if not seeds:
        seeds = list(range(rows * columns))
    if path not in WALKS:
        refuse_unused(options, {"--rest", "--easing"}, f"on a {path}: it has no seeds to stop at")
    if options.pace == "even":
        refuse_unused(options, {"--easing"}, "at even pace")
    if path != "noise":
        refuse_unused(options, {"--waves"}, "without --path noise")
    if path != "direction":
        refuse_unused(options, {"--direction", "--reach"}, "without --path direction")
    kind, index = _direction(options.direction)
    film = FilmConfig(
        path,
        tuple(Keyframe(str(seed), options.rest) for seed in seeds),
        easing=options.easing,
        even=options.pace == "even",
        waves=options.waves,
        direction=kind,
        index=index,
        reach=options.reach,
        rows=rows,
        columns=columns,
        **_common(options),
    )
    return _scaled(film, options.scale, (columns * size, rows * size))


def _common(options: argparse.Namespace) -> dict:
    """Length, speed and canvas."""
    from ganart import filmconfig

    if options.bpm is None:
        refuse_unused(options, {"--bars"}, "without --bpm")
    place = PLACES[options.place] if options.place else None
    if options.size:
        width, height = _pair(options.size, "size", "1080x1080")
        if not width or not height:
            raise InputError(f"{options.size} px were asked for. Leave --size out for what suits.")
    else:
        if place is None:
            refuse_unused(options, {"--background"}, "without --size or --for: there is no ground")
        width, height = (place.width, place.height) if place else (0, 0)
    if options.bpm is not None:
        frames = filmconfig.beats(options.bpm, options.bars, options.fps)
    elif options.frames is not None:
        filmconfig.check_fps(options.fps)
        frames = options.frames
    else:
        frames = filmconfig.frame_count(options.seconds, options.fps)
    return {
        "frames": frames,
        "fps": options.fps,
        "width": width,
        "height": height,
        "smooth": options.smooth,
        "background": options.background.lower().lstrip("#"),
    }


def _scaled(film: FilmConfig, scale: int | None, sides: tuple[int, int]) -> FilmConfig:
    """The film at whole squares of `scale` px, if a scale was asked for."""
    import dataclasses

    if scale is None or film.width:
        return film
    scale = _scale(scale, 1)
    return dataclasses.replace(film, width=sides[0] * scale, height=sides[1] * scale)


def _make(model: Model, film: FilmConfig, options: argparse.Namespace) -> None:
    from ganart import film as film_of

    with bar("painting", "frame") as progress:
        report = film_of.make(model, film, options.out, progress)
    told = f"{options.out} ({report.bytes / 1e6:.1f} MB, {report.width}x{report.height} px, {report.seconds:g} s"
    if report.seam is not None:
        told += f"; where it closes, the step is {report.seam:.2f} of the longest other"
    if film.even:
        told += f"; unevenness {report.uneven_before:.2f} before, {report.uneven:.2f} now"
    print(f"{told})")


def _direction(text: str) -> tuple[str, int]:
    """ "ganspace:1" -> its kind, and its place counted from 0."""
    match = re.fullmatch(r"(sefa|ganspace):([0-9]{1,2})", text)
    if match is None or not 1 <= int(match[2]) <= 12:
        raise InputError(f"“{text[:30]}” is no direction. Write ganspace:1, the first, to sefa:12.")
    return match[1], int(match[2]) - 1


def grid_shape(text: str) -> tuple[int, int]:
    """ "6x6" -> (6, 6), rows and columns; raises InputError for anything else."""
    return _pair(text, "grid of rows x columns", "6x6")


def _pair(text: str, what: str, example: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text.lower())
    if match is None:
        raise InputError(f"“{text[:30]}” is not a {what}. Write it as {example}.")
    return int(match[1]), int(match[2])
