"""Pictures and films of a model."""

import argparse

from ganart.commands.prepare import bar
from ganart.errors import InputError


def _scale(asked: int | None, usual: int) -> int:
    scale = usual if asked is None else asked
    if not 1 <= scale <= 32:
        raise InputError(f"A scale of {scale} was asked for. Choose 1 to 32.")
    return scale


def sample(options: argparse.Namespace) -> None:
    from ganart import checkpoint, export, images, latent, models, render

    path = export.check_suffix(options.out, ".png")
    scale, seeds = _scale(options.scale, 1), latent.parse_seeds(options.seeds)
    if not 1 <= options.columns <= 100:
        raise InputError(f"{options.columns} columns were asked for. Choose 1 to 100.")
    G, card = checkpoint.load_generator(models.find_model(options.model).path)
    export.check_memory(1, G.config.size * scale * len(seeds), G.config.size * scale)
    sheet = render.sheet(G, latent.sample_z(seeds, G.config.z_dim), min(options.columns, len(seeds)))
    about = export.recipe(card.hash, kind="sheet", seeds=seeds, columns=options.columns, scale=scale)
    export.write(path, export.png_bytes(images.enlarge(sheet, scale), about))
    print(path)


def animate(options: argparse.Namespace) -> None:
    from ganart import checkpoint, export, film, images, latent, models

    path = export.check_suffix(options.out, ".gif")
    if not options.grid and not options.seeds:
        raise InputError("Say what to show: --seeds 3,14,15 for a walk, or --grid 6x6 for a grid of loops.")
    seeds = latent.parse_seeds(options.seeds) if options.seeds else []
    G, card = checkpoint.load_generator(models.find_model(options.model).path)
    size = G.config.size
    with bar("drawing", "picture") as progress:
        if options.grid:
            rows, columns = film.grid_shape(options.grid)
            scale = _scale(options.scale, images.best_scale(size * max(rows, columns, 1)))
            seeds = seeds or list(range(rows * columns))
            data = film.grid(G, card.hash, rows, columns, seeds, options.seconds, options.fps, scale, progress)
        else:
            scale = _scale(options.scale, images.best_scale(size))
            data = film.walk(G, card.hash, seeds, options.seconds, options.fps, scale, progress)
    export.write(path, data)
    print(f"{path} ({len(data) / 1e6:.1f} MB)")


def timelapse(options: argparse.Namespace) -> None:
    from ganart import export, film, images, models

    path = export.check_suffix(options.out, ".gif")
    model = models.find_model(options.run)
    if (sheet := model.sheet()) is None:
        raise InputError(f"{model.id} came without training sheets. Give a run instead.")
    side = max(images.read_png(sheet).shape[:2])
    scale = _scale(options.scale, images.best_scale(side))
    data = film.growth(model, options.seconds, options.fps, scale)
    export.write(path, data)
    print(f"{path} ({len(data) / 1e6:.1f} MB)")
