"""The settings of a film: what they accept, what they refuse in a sentence, and how they travel as JSON."""

import dataclasses
import json
import math

import numpy as np
import pytest

from ganart import export, filmconfig, places
from ganart.errors import InputError
from ganart.filmconfig import FilmConfig, Keyframe

LATENT = places.write(np.linspace(-1, 1, 128))


def keyframes(count: int) -> tuple[Keyframe, ...]:
    return tuple(Keyframe(str(seed)) for seed in range(count))


def film(path: str = "slerp", count: int = 2, **settings: object) -> FilmConfig:
    return FilmConfig(path, keyframes(count), **settings)


def refusal(words: str, **settings: object) -> None:
    """The settings are refused in one sentence or two that hold these words."""
    with pytest.raises(InputError, match=words) as refused:
        film(**settings)
    assert str(refused.value).endswith(".") and len(str(refused.value)) < 200


# --- what each setting may be


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("path", list(filmconfig.WALKS), ["", "Slerp", "os", None, 1, ["slerp"]]),
        ("frames", [2, 3, 6000], [0, 1, -5, 6001, 2.5, 150.0, True, "150", None, math.nan]),
        ("fps", [10, 20, 25, 50], [0, 24, 30, 60, 25.0, "25", None, True, [25]]),
        ("easing", ["linear", "smooth"], ["", "fast", None, 1]),
        ("even", [True, False], [1, 0, "yes", None]),
        ("smooth", [True, False], [1, 0, "yes", None]),
        ("waves", [1, 6], [0, 7, 2.0, "2", True, None]),
        ("direction", ["sefa", "ganspace"], ["", "os", None]),
        ("index", [0, 11], [-1, 12, 1.0, "1", None]),
        ("reach", [0.1, 3, 6.0], [0, 0.09, 6.1, -1, math.nan, math.inf, "3", True, None]),
        ("rows", [1], [0, -1, 13, 1.0, "1", True, None, math.inf]),
        ("columns", [1], [0, -1, 13, 1.0, "1", True, None, 10**400]),
        (
            "background",
            ["000000", "1a2b3c", "ffffff"],
            ["", "fff", "#ffffff", "FFFFFF", "00000g", "²²²²²²", 0, None],
        ),
    ],
)
def test_every_setting_has_its_range(name, good, bad):
    words = {
        "path": "The path is",
        "fps": "10, 20, 25, 50",
        "frames": "2 to 6,000",
        "easing": "“linear” or “smooth”",
        "even": "true or false",
        "smooth": "true or false",
        "waves": "1, calm, to 6, lively",
        "direction": "“sefa” or “ganspace”",
        "index": "from 0 to 11",
        "reach": r"0\.1 to 6",
        "rows": "1 to 12 rows",
        "columns": "1 to 12 rows",
        "background": "rrggbb",
    }
    for value in good:
        assert getattr(film(**{name: value}), name) == value
    for value in bad:
        refusal(words[name], **{name: value})


@pytest.mark.parametrize("sides", [(0, 0), (16, 16), (1080, 1920), (4096, 16)])
def test_a_size_has_both_sides_or_follows_from_the_pictures(sides):
    found = film(width=sides[0], height=sides[1])
    assert (found.width, found.height) == sides


@pytest.mark.parametrize(
    "sides",
    [
        *[(0, 100), (100, 0), (15, 100), (100, 15), (4097, 100), (-1, -1)],
        *[(100.0, 100.0), (0.0, 0.0), (False, False), ("100", "100"), (None, None), (math.nan, math.nan)],
    ],
)
def test_other_sizes_are_refused(sides):
    refusal("16 to 4096 px for both sides", width=sides[0], height=sides[1])


@pytest.mark.parametrize("place", ["0", "4294967295", "9" * 10, LATENT, places.write(np.zeros(1024))])
def test_a_keyframe_is_a_seed_or_a_latent(place):
    assert Keyframe(place).place == place


@pytest.mark.parametrize(
    "place", ["", "-1", "1.5", "²", "٣", "1\n", "9" * 11, "z.", "z.a b", "../x", 3, None, ["3"], b"3"]
)
def test_other_places_are_refused(place):
    with pytest.raises(InputError, match="no place that a film can go through") as refused:
        Keyframe(place)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize("value", [-0.1, 100.1, math.nan, math.inf, "1", None, True, 10**400])
def test_rests_and_ways_have_their_range(value):
    with pytest.raises(InputError, match=r"rest of .* 0 and 100"):
        Keyframe("3", rest=value)
    with pytest.raises(InputError, match=r"way of .* 0\.01 and 100"):
        Keyframe("3", way=value)
    assert Keyframe("3", 100, 0.01).rest == 100


def test_a_way_takes_time():
    with pytest.raises(InputError, match="way of 0"):
        Keyframe("3", way=0)


# --- how many keyframes


@pytest.mark.parametrize(
    ("path", "grid", "counts"),
    [
        ("slerp", (1, 1), (2, 3, 64)),
        ("spline", (2, 3), (2, 64)),
        ("circle", (1, 1), (1,)),
        ("circle", (2, 3), (6,)),
        ("noise", (12, 12), (144,)),
        ("direction", (1, 1), (1,)),
        ("direction", (2, 2), (1, 4)),
        ("growth", (1, 1), (1, 2, 9)),
        ("growth", (3, 3), (9,)),
        ("sheets", (1, 1), (0,)),
    ],
)
def test_each_path_takes_its_number_of_keyframes_and_no_other(path, grid, counts):
    size = {"rows": grid[0], "columns": grid[1], "frames": 200}
    for count in counts:
        assert len(film(path, count, **size).keyframes) == count
    many = path in filmconfig.WALKS or (path, grid) == ("growth", (1, 1))
    for count in {0, 1, 2, 3, 5, 63, 65, 143, 145} - set(counts):
        if not (many and min(counts) <= count <= 64):
            refusal(".", path=path, count=count, **size)


def test_a_walk_of_one_keyframe_is_no_walk():
    refusal("at least two keyframes", count=1)
    refusal("at least two keyframes", count=0)


def test_a_walk_has_a_frame_for_every_keyframe():
    assert film(count=10, frames=10).frames == 10
    refusal("9 frames are too few for 10 keyframes", count=10, frames=9)


def test_the_keyframes_of_a_grid_are_counted():
    refusal("2x3 grid needs 6 seeds, but 5 were given", path="circle", count=5, rows=2, columns=3)


# --- what follows


@pytest.mark.parametrize("path", filmconfig.PATHS)
def test_only_films_of_a_training_end_elsewhere(path):
    count = {"sheets": 0, "slerp": 2, "spline": 2}.get(path, 1)
    assert film(path, count).loops == (path not in ("sheets", "growth"))


def test_a_film_knows_its_seconds():
    assert film(frames=150, fps=25).seconds == 6.0


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"), [(6, 25, 150), (0.2, 10, 2), (1.01, 50, 50), (120, 20, 2400), (120, 50, 6000)]
)
def test_a_length_makes_a_number_of_frames(seconds, fps, frames):
    assert filmconfig.frame_count(seconds, fps) == frames
    assert film(frames=frames, fps=fps).frames == frames


@pytest.mark.parametrize("seconds", [0, 0.1, -1, 121, math.nan, math.inf])
def test_lengths_out_of_range_are_refused(seconds):
    with pytest.raises(InputError, match=r"0\.2 to 120"):
        filmconfig.frame_count(seconds, 25)


def test_speeds_that_players_do_not_honour_are_refused():
    for fps in (0, 24, 30, 60, 100, 25.0):
        with pytest.raises(InputError, match="10, 20, 25, 50"):
            filmconfig.frame_count(1, fps)


@pytest.mark.parametrize(
    ("bpm", "bars", "fps", "frames"),
    [(120, 1, 50, 100), (120, 4, 25, 200), (60, 2, 10, 80), (90.5, 8, 25, round(8 * 4 * 60 / 90.5 * 25))],
)
def test_bars_of_four_beats_make_a_number_of_frames(bpm, bars, fps, frames):
    assert filmconfig.beats(bpm, bars, fps) == frames


@pytest.mark.parametrize(
    ("bpm", "bars", "words"),
    [
        *[(bpm, 1, "20 to 400 beats") for bpm in (0, 19, 401, -120, math.nan, math.inf, "120", None)],
        *[(120, bars, "1 to 256") for bars in (0, -1, 257, 1.5, "4", None)],
        (20, 256, r"0\.2 to 120 seconds"),
    ],
)
def test_other_beats_are_refused(bpm, bars, words):
    with pytest.raises(InputError, match=words):
        filmconfig.beats(bpm, bars, 25)


# --- as JSON

EVERYTHING = FilmConfig(
    "spline",
    (Keyframe("3", 0.5, 2.0), Keyframe(LATENT), Keyframe("15", 0, 0.25)),
    frames=77,
    fps=20,
    easing="smooth",
    even=True,
    waves=5,
    direction="sefa",
    index=7,
    reach=1.5,
    rows=2,
    columns=3,
    width=640,
    height=480,
    smooth=True,
    background="1a2b3c",
)


def test_a_film_comes_back_from_json_as_it_was():
    for one in (EVERYTHING, film(), film("sheets", 0), film("circle", 6, rows=2, columns=3)):
        assert filmconfig.from_dict(json.loads(json.dumps(filmconfig.to_dict(one)))) == one
    changed = [field.name for field in dataclasses.fields(FilmConfig) if field.name != "keyframes"]
    plain, other = filmconfig.to_dict(film()), filmconfig.to_dict(EVERYTHING)
    assert all(plain[name] != other[name] for name in changed), "a setting was not tried"


def test_what_is_left_out_is_as_usual():
    found = filmconfig.from_dict({"keyframes": [{"place": "3"}, {"place": "14"}]})
    assert found == FilmConfig(keyframes=(Keyframe("3"), Keyframe("14")))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "is a JSON object"),
        ([], "is a JSON object"),
        ("film", "is a JSON object"),
        ({"keyframes": [], "sound": "on", "colour": 1}, "Unknown settings: colour, sound"),
        ({"keyframes": [{"place": "3", "ease": 1}] * 2}, "Unknown settings: ease"),
        ({"keyframes": None}, "Keyframes are a list"),
        ({"keyframes": "33"}, "Keyframes are a list"),
        ({"keyframes": {"place": "3"}}, "Keyframes are a list"),
        ({"keyframes": ["3", "14"]}, "Keyframe is a JSON object"),
        ({"keyframes": [{}, {}]}, "damaged"),
        ({"keyframes": [{"rest": 1}] * 2}, "damaged"),
        ({"keyframes": [{"place": "3"}]}, "two keyframes"),
        ({"keyframes": [{"place": "3"}] * 2, "frames": "many"}, "'many' frames"),
        ({"keyframes": [{"place": "3"}] * 2, "path": "x" * 9999}, "The path is 'xxx"),
        ({"keyframes": [{"place": "3"}] * 2, "waves": [1] * 9999}, "1, calm, to 6"),
        ({"keyframes": [{"place": "3", "rest": "x" * 9999}] * 2}, "between 0 and 100"),
    ],
)
def test_a_damaged_film_is_refused_in_a_sentence(values, words):
    with pytest.raises(InputError, match=words) as refused:
        filmconfig.from_dict(values)
    assert str(refused.value).endswith(".") and len(str(refused.value)) < 200


# --- where films go


def test_every_place_takes_what_is_made_for_it():
    for name, place in filmconfig.PLACES.items():
        sides = (place.width, place.height) if place.width else (512, 512)
        export.check(place.suffix, 150, *sides)
        assert film(width=place.width, height=place.height).width == place.width, name
