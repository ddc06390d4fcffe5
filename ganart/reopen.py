"""From the recipe in a file back to the model and the place that it shows."""

import contextlib
import itertools

import numpy as np

from ganart import checks, directions, filmconfig, images, latent, loaded, models, places, run
from ganart.errors import GanartError, InputError
from ganart.filmconfig import FilmConfig, Keyframe
from ganart.models import Model
from ganart.places import Place

FOREIGN = "Its recipe is damaged, or was not written by ganart."


def model_of(recipe: dict) -> Model:
    """The model that painted it, by its hash; else another file of the same G. Raises InputError where none is
    here."""
    wanted, origin, alike = recipe.get("model"), recipe.get("origin"), None
    kept = (model for owner in run.list_runs() for model in models.of_run(owner))
    for model in itertools.chain(models.list_models(), kept):
        with contextlib.suppress(GanartError):  # another model's trouble
            card = model.card()
            if card.hash == wanted:
                return model
            if origin and card.origin == origin:
                alike = alike or model
    if alike:
        return alike
    raise InputError(
        "The model that painted this is not in this workspace. Open it in the gallery first; if it was a run on "
        "its way, that may have learned on since."
    )


def place_of(recipe: dict, model: Model) -> Place:
    """The place that a picture shows, exactly. Raises InputError where the recipe is not one of a picture."""
    if recipe.get("kind") != "picture":
        raise InputError("This file holds no single picture, so there is no one place to go to.")
    _, card = loaded.generator(model)
    z_dim = card.networks.z_dim
    try:
        if "place" in recipe:
            place = places.read(str(recipe["place"]), z_dim, str(recipe.get("name", "")))
            line = tuple(map(str, recipe.get("line", ())))
            for text in line:
                places.read(text, z_dim)
            return place if place.seed is not None else place.moved(place.z, place.label, line)
        return _first_version(recipe, model, z_dim)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise InputError(FOREIGN) from error


def _first_version(recipe: dict, model: Model, z_dim: int) -> Place:
    """As it was written at first: a seed, variations picked in turn, moves along directions, truncation."""
    steps = recipe.get("steps", [])
    if len(steps) > 1000 or any(not 0 <= index < 1000 for _, _, index in steps):
        raise InputError(FOREIGN)
    seed = int(recipe["seed"])
    place, z = places.of_seed(seed, z_dim), latent.varied(seed, steps, z_dim)
    if moves := recipe.get("directions"):
        amounts = np.array(moves["amounts"], np.float32)
        along = loaded.directions(model, str(moves["kind"]), len(amounts))
        z = latent.truncate(directions.move(z, along, amounts), float(recipe.get("truncation", 1.0)))
    if z.shape != place.z.shape or not np.isfinite(z).all():
        raise InputError(FOREIGN)
    return place if np.array_equal(z, place.z) else place.moved(z, f"{place.label}, varied")


def film_of(recipe: dict, model: Model) -> FilmConfig:
    """The film that a file holds; of a single picture, one of that keyframe. Raises InputError where the recipe is
    damaged or of another kind."""
    kind = recipe.get("kind")
    if kind == "film":
        film = filmconfig.from_dict(recipe.get("film"))
        for frame in film.keyframes:
            places.read(frame.place, model.card().networks.z_dim)  # raises for one of another model
        return film
    if kind == "picture":
        place = place_of(recipe, model)
        return FilmConfig(path="circle", keyframes=(Keyframe(place.text),))
    checks.need(kind in ("walk", "grid", "growth"), "This file holds no film.")
    try:
        return _first_film(recipe, model)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(FOREIGN) from error


def _first_film(recipe: dict, model: Model) -> FilmConfig:
    """As version 1 wrote it: a walk, a grid of loops or the sheets of a training, by seeds."""
    fps, scale = recipe["fps"], recipe["scale"]
    checks.need(checks.number(recipe["seconds"], 0, 1000) and checks.whole(scale, 1, 64), FOREIGN)
    frames = filmconfig.frame_count(recipe["seconds"], fps)
    keyframes = tuple(Keyframe(str(int(seed))) for seed in recipe.get("seeds", ()))
    size = model.card().networks.size
    if recipe["kind"] == "walk":
        width, height = _first_sides(size, size, scale)
        return FilmConfig("slerp", keyframes, frames, fps, width=width, height=height)
    if recipe["kind"] == "grid":
        rows, columns = recipe["rows"], recipe["columns"]
        checks.need(all(checks.whole(n, 1, filmconfig.MOST_ACROSS) for n in (rows, columns)), FOREIGN)
        width, height = _first_sides(columns * size, rows * size, scale)
        return FilmConfig("circle", keyframes, frames, fps, rows=rows, columns=columns, width=width, height=height)
    sheet = model.sheet()
    height, width = (0, 0) if sheet is None else images.read_png(sheet).shape[:2]
    width, height = _first_sides(width, height, scale)
    return FilmConfig("sheets", (), frames, fps, width=width, height=height)


def _first_sides(width: int, height: int, scale: int) -> tuple[int, int]:
    """The sides of a film of version 1, which halved what was larger than its GIFs might be until it was not."""
    factor = 1
    while max(width, height) > 1024 * factor:
        factor *= 2
    return width // factor * scale, height // factor * scale
