"""From the recipe in a picture back to its model, and to the very latent it was painted from."""

import json
import math

import numpy as np
import pytest

from ganart import directions, export, filmconfig, images, latent, loaded, models, places, recipes, reopen, share
from ganart.card import read_card
from ganart.errors import InputError
from ganart.filmconfig import FilmConfig, Keyframe
from ganart.models import Model
from ganart.run import Run

Z = latent.sample_z([3], 8)[0] / 2


def recipe_of(**settings: object) -> dict:
    return recipes.recipe("ab" * 32, kind="picture", **settings)


# --- the model


def test_the_model_is_found_by_its_hash_whatever_it_is_called(make_painter):
    make_painter("first")
    wanted = make_painter("second", seed=1)
    recipe = recipes.recipe(wanted.card().hash, kind="picture", place="3")
    assert reopen.model_of(recipe) == wanted
    renamed = wanted.path.rename(wanted.path.with_stem("third"))
    assert reopen.model_of(recipe).path == renamed


def test_a_damaged_model_beside_it_does_no_harm(make_painter, home):
    wanted = make_painter("second")
    for name, data in (("a", b""), ("b", b"hello"), ("z", wanted.path.read_bytes()[:100])):
        (home / "models" / f"{name}.safetensors").write_bytes(data)
    assert reopen.model_of(recipes.recipe(wanted.card().hash)) == wanted


def test_models_that_come_with_the_program_are_found(make_painter):
    make_painter()
    model = models.pretrained()[0]
    assert reopen.model_of(recipes.recipe(model.card().hash)) == model


def test_every_model_that_a_run_keeps_is_found(make_painter, home):
    made = [make_painter(f"step-{step}", seed=step).path for step in range(3)]
    run = Run(home / "runs" / "0001-dawn")
    (run.folder / "checkpoints").mkdir(parents=True)
    targets = {"0001-dawn": run.best, "0001-dawn@last": run.model, "0001-dawn@250": run.checkpoint_path(250)}
    for path, target in zip(made, targets.values(), strict=True):
        path.rename(target)
    for name, path in targets.items():
        assert reopen.model_of(recipes.recipe(read_card(path).hash)).id == name


def test_another_file_of_the_same_G_will_do(make_painter, home):
    """What was exported has other bytes, so another hash; so has what a run saves beside its checkpoint."""
    wanted = make_painter("second", seed=1, recipe={"seed": 1})
    given_away = home / "models" / "given-away.safetensors"
    given_away.write_bytes(share.model_file(wanted, name="given-away"))
    recipe = recipes.recipe(wanted.card().hash, origin=wanted.card().origin)
    wanted.path.unlink()
    assert read_card(given_away).hash != recipe["model"] and reopen.model_of(recipe).path == given_away
    with pytest.raises(InputError, match="not in this workspace"):
        reopen.model_of({**recipe, "origin": ["x"]})


def test_a_film_of_places_that_the_model_does_not_have_is_refused(make_painter):
    """Before anything that the artist has is changed."""
    config = filmconfig.to_dict(
        FilmConfig("slerp", (Keyframe("1"), Keyframe(places.write(np.ones(9, np.float32)))), 8, 10)
    )
    model = make_painter("second")
    with pytest.raises(InputError, match="This place has 9 values"):
        reopen.film_of(recipes.recipe(model.card().hash, kind="film", film=config), model)


@pytest.mark.parametrize(
    "recipe", [{"model": "ab" * 32}, {}, {"model": None}, {"model": ["x"]}, {"model": "painter"}]
)
def test_a_model_that_is_not_here_is_asked_for(make_painter, recipe):
    make_painter()
    with pytest.raises(InputError, match="not in this workspace"):
        reopen.model_of(recipe)


# --- the place


def test_a_seed_is_found_again(make_painter):
    place = reopen.place_of(recipe_of(place="12", name="Dawn"), make_painter())
    assert (place.seed, place.text, place.label, place.line) == (12, "12", "Dawn", ())
    assert reopen.place_of(recipe_of(place="12"), make_painter()).label == "Seed 12"


def test_a_latent_is_found_again_with_its_name_and_its_ancestors(make_painter):
    line = ["3", places.write(Z / 3), "7"]
    place = reopen.place_of(recipe_of(place=places.write(Z), name="Dawn", line=line), make_painter())
    assert place.z.tobytes() == Z.tobytes()
    assert (place.seed, place.label, place.line) == (None, "Dawn", tuple(line))


def test_a_saved_picture_is_painted_again(make_painter, tmp_path):
    """All the way: file, recipe, model, place, picture."""
    model = make_painter()
    picture = loaded.pictures(model, Z[None])[0]
    about = recipes.recipe(model.card().hash, kind="picture", place=places.write(Z), name="Dawn")
    data = export.png_bytes(picture, about)
    recipe = recipes.read(tmp_path / "never-written.png", data)
    found = reopen.model_of(recipe)
    place = reopen.place_of(recipe, found)
    np.testing.assert_array_equal(loaded.pictures(found, place.z[None])[0], images.read_png(data))


@pytest.mark.parametrize("kind", [None, "walk", "sheet", 5, ["picture"]])
def test_files_of_other_kinds_have_no_place(make_painter, kind):
    recipe = {**recipe_of(place="12"), "kind": kind}
    with pytest.raises(InputError, match="no single picture"):
        reopen.place_of(recipe, make_painter())


# --- as it was written at first

STEPS = [[0.3, 4, 5], [0.2, 5, 0]]
MOVES = {"directions": {"kind": "sefa", "amounts": [1.5, 0.0, -2.0]}, "truncation": 0.7}


def test_a_seed_written_the_first_way_is_a_seed(make_painter):
    for more in ({}, {"steps": []}, {"steps": [], "directions": {"kind": "sefa", "amounts": [0.0] * 3}}):
        place = reopen.place_of(recipe_of(seed=9, scale=32, **more), make_painter())
        assert (place.seed, place.label) == (9, "Seed 9")


def test_variations_written_the_first_way_are_found_again(make_painter):
    place = reopen.place_of(recipe_of(seed=9, steps=STEPS, scale=32), make_painter())
    assert place.z.tobytes() == latent.varied(9, STEPS, 8).tobytes()
    assert (place.seed, place.label) == (None, "Seed 9, varied")


@pytest.mark.parametrize("kind", directions.KINDS)
def test_moves_written_the_first_way_are_found_again(make_painter, kind):
    model = make_painter()
    moves = {**MOVES, "directions": {**MOVES["directions"], "kind": kind}}
    place = reopen.place_of(recipe_of(seed=9, steps=STEPS, scale=32, **moves), model)
    along = directions.KINDS[kind](loaded.generator(model)[0], 3)
    moved = directions.move(latent.varied(9, STEPS, 8), along, np.array([1.5, 0.0, -2.0], np.float32))
    assert place.z.tobytes() == latent.truncate(moved, 0.7).tobytes()
    assert places.read(place.text, 8).z.tobytes() == place.z.tobytes()


# --- what is damaged

LATENT = {"place": places.write(Z)}
FIRST = {"seed": 9, "steps": STEPS, **MOVES}
DAMAGED = {
    "nothing": {},
    "no-place": {"place": None},
    "empty-place": {"place": ""},
    "list": {"place": ["1"]},
    "object": {"place": {"seed": 1}},
    "negative": {"place": "-1"},
    "large-seed": {"place": 2**32},
    "fraction": {"place": 1.5},
    "longer": {"place": places.write(np.zeros(9))},
    "shorter": {"place": places.write(np.zeros(7))},
    "cut-off": {"place": places.write(Z)[:-3]},
    "not-finite": {"place": places.write(np.full(8, np.nan))},
    "line-none": {**LATENT, "line": None},
    "line-number": {**LATENT, "line": 5},
    "line-text": {**LATENT, "line": "x"},
    "line-foreign": {**LATENT, "line": ["1", "../secret"]},
    "line-other-model": {**LATENT, "line": [places.write(np.zeros(9))]},
    "line-nested": {**LATENT, "line": [["1"]]},
    "line-of-a-seed": {"place": "1", "line": ["-1"]},
    "seed-none": {**FIRST, "seed": None},
    "seed-text": {**FIRST, "seed": "x"},
    "seed-list": {**FIRST, "seed": [1]},
    "seed-negative": {**FIRST, "seed": -1},
    "seed-large": {**FIRST, "seed": 2**32},
    "seed-nan": {**FIRST, "seed": math.nan},
    "seed-infinite": {**FIRST, "seed": math.inf},
    "steps-none": {**FIRST, "steps": None},
    "steps-number": {**FIRST, "steps": 3},
    "steps-text": {**FIRST, "steps": "abc"},
    "steps-object": {**FIRST, "steps": {"abc": 1}},
    "steps-numbers": {**FIRST, "steps": [1, 2]},
    "steps-short": {**FIRST, "steps": [[0.3, 4]]},
    "steps-long": {**FIRST, "steps": [[0.3, 4, 5, 6]]},
    "steps-many": {**FIRST, "steps": [[0.3, 4, 5]] * 1001},
    "index-negative": {**FIRST, "steps": [[0.3, 4, -1]]},
    "index-large": {**FIRST, "steps": [[0.3, 4, 10**9]]},
    "index-nan": {**FIRST, "steps": [[0.3, 4, math.nan]]},
    "index-text": {**FIRST, "steps": [[0.3, 4, "5"]]},
    "round-none": {**FIRST, "steps": [[0.3, None, 5]]},
    "round-infinite": {**FIRST, "steps": [[0.3, math.inf, 5]]},
    "amount-text": {**FIRST, "steps": [["x", 4, 5]]},
    "amount-nan": {**FIRST, "steps": [[math.nan, 4, 5]]},
    "amount-infinite": {**FIRST, "steps": [[math.inf, 4, 5]]},
    "amount-large": {**FIRST, "steps": [[10**400, 4, 5]]},
    "directions-number": {**FIRST, "directions": 5},
    "directions-list": {**FIRST, "directions": [1.0]},
    "directions-text": {**FIRST, "directions": "sefa"},
    "directions-no-kind": {**FIRST, "directions": {"amounts": [1.0]}},
    "directions-other-kind": {**FIRST, "directions": {"kind": "os", "amounts": [1.0]}},
    "directions-no-amounts": {**FIRST, "directions": {"kind": "sefa"}},
    "amounts-none": {**FIRST, "directions": {"kind": "sefa", "amounts": None}},
    "amounts-number": {**FIRST, "directions": {"kind": "sefa", "amounts": 1.0}},
    "amounts-text": {**FIRST, "directions": {"kind": "sefa", "amounts": "1"}},
    "amounts-nested": {**FIRST, "directions": {"kind": "sefa", "amounts": [[1.0, 2.0], [3.0, 4.0]]}},
    "amounts-uneven": {**FIRST, "directions": {"kind": "sefa", "amounts": [[1.0], [2.0, 3.0]]}},
    "amounts-many": {**FIRST, "directions": {"kind": "sefa", "amounts": [1.0] * 9}},
    "amounts-nan": {**FIRST, "directions": {"kind": "sefa", "amounts": [math.nan]}},
    "amounts-infinite": {**FIRST, "directions": {"kind": "sefa", "amounts": [math.inf, 1.0]}},
    "truncation-none": {**FIRST, "truncation": None},
    "truncation-text": {**FIRST, "truncation": "x"},
    "truncation-nan": {**FIRST, "truncation": math.nan},
    "truncation-infinite": {**FIRST, "truncation": math.inf},
    "truncation-large": {**FIRST, "truncation": 10**400},
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, on the way to the refusal
@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_recipe_is_refused_in_a_sentence(make_painter, damage):
    recipe = json.loads(json.dumps(recipe_of(**damage)))  # whatever a file can hold
    with pytest.raises(InputError) as refusal:
        reopen.place_of(recipe, make_painter())
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 200


def test_no_recipe_leads_out_of_where_latents_lie(make_painter):
    far = {"seed": 9, "directions": {"kind": "sefa", "amounts": [1e30]}, "truncation": 1e3}
    place = reopen.place_of(recipe_of(**far), make_painter())
    assert abs(place.z).max() == places.FARTHEST


# --- films

WALK = {"kind": "walk", "seeds": [3, 14], "seconds": 6, "fps": 25, "scale": 4}
GRID = {**WALK, "kind": "grid", "seeds": [1, 2, 3, 4], "rows": 2, "columns": 2}


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"kind": "film"},
        {"kind": "film", "film": [1]},
        {"kind": "film", "film": {"keyframes": [{"place": "../x"}] * 2}},
        {"kind": "film", "film": {"keyframes": [5, 6]}},
        {**WALK, "kind": None},
        {**WALK, "kind": ["walk"]},
        {**WALK, "seeds": None},
        {**WALK, "seeds": [3]},
        {**WALK, "seeds": [3, "x"]},
        {**WALK, "seeds": [3, -1]},
        {**WALK, "seeds": [3, math.inf]},
        {**WALK, "seeds": [3, math.nan]},
        {**WALK, "seeds": [[3], [4]]},
        {**WALK, "seeds": list(range(5000))},
        {**WALK, "seconds": math.nan},
        {**WALK, "seconds": "6"},
        {**WALK, "fps": 24},
        {**WALK, "scale": 10**400},
        {**GRID, "rows": None},
        {**GRID, "rows": 3},
        {**GRID, "columns": math.inf},
        {"kind": "picture", "place": "x"},
    ],
)
def test_a_damaged_film_is_refused_in_a_sentence(make_painter, recipe):
    with pytest.raises(InputError) as refusal:
        reopen.film_of(json.loads(json.dumps(recipe)), make_painter())
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 250
    for whole in (WALK, GRID):
        assert len(reopen.film_of(whole, make_painter()).keyframes) == len(whole["seeds"])


@pytest.mark.parametrize("kind", ["sheet", None, "film2", 5])
def test_what_is_no_film_is_told_so(make_painter, kind):
    with pytest.raises(InputError, match="holds no film"):
        reopen.film_of({**WALK, "kind": kind}, make_painter())


def test_a_film_is_found_again(make_painter):
    config = FilmConfig("noise", (Keyframe(places.write(Z)),), frames=77, waves=5, smooth=True)
    recipe = json.loads(json.dumps(recipes.recipe("ab" * 32, kind="film", film=filmconfig.to_dict(config))))
    assert reopen.film_of(recipe, make_painter()) == config


def test_a_picture_becomes_a_loop_from_its_place(make_painter):
    for place in ("12", places.write(Z)):
        found = reopen.film_of(recipe_of(place=place, name="Dawn"), make_painter())
        assert found == FilmConfig("circle", (Keyframe(place),))
    found = reopen.film_of(recipe_of(seed=9, steps=STEPS, scale=32), make_painter())
    assert found.keyframes == (Keyframe(places.write(latent.varied(9, STEPS, 8))),)


def test_films_of_version_1_are_found_again_as_large_as_they_were(make_painter):
    model = make_painter()
    walk = FilmConfig("slerp", (Keyframe("3"), Keyframe("14")), 150, 25, width=128, height=128)
    assert reopen.film_of(WALK, model) == walk
    cells = tuple(Keyframe(str(seed)) for seed in range(6))
    grid = FilmConfig("circle", cells, 20, 10, rows=2, columns=3, width=192, height=128)
    recipe = {"kind": "grid", "seeds": [*range(6)], "seconds": 2, "fps": 10, "scale": 2, "rows": 2, "columns": 3}
    assert reopen.film_of(recipe, model) == grid


def test_grids_of_version_1_that_were_halved_to_fit_are_found_as_they_were(make_painter):
    recipe = {**GRID, "seeds": [*range(100)], "rows": 10, "columns": 10, "scale": 1}
    found = reopen.film_of(recipe, make_painter(size=128))
    assert (found.width, found.height) == (640, 640)  # 1280 were too many


@pytest.mark.parametrize(("side", "scale", "expected"), [(192, 2, 384), (192, 1, 192), (1536, 1, 768), (0, 4, 0)])
def test_films_of_sheets_of_version_1_are_found_again(make_painter, home, side, scale, expected):
    run = Run(home / "runs" / "0001-dawn")
    (run.folder / "samples").mkdir(parents=True)
    make_painter().path.rename(run.model)
    if side:
        run.sample_path(50).write_bytes(images.encode(np.zeros((side, side, 1), np.uint8)))
    recipe = {"kind": "growth", "seconds": 4.0, "fps": 20, "scale": scale}
    found = reopen.film_of(recipe, Model(run.id, run.model, run))
    assert found == FilmConfig("sheets", (), 80, 20, width=expected, height=expected)
