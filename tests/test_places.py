"""Places by their text, exact to the bit, and the way through them, forth and back."""

import base64
from urllib.parse import quote

import numpy as np
import pytest

from ganart import latent, places
from ganart.errors import InputError
from ganart.places import MIDDLE, Place, Way

Z = latent.sample_z([3], 8)[0]


def text_of(data: bytes) -> str:
    return "z." + base64.urlsafe_b64encode(data).decode().rstrip("=")


def far(index: int) -> Place:
    """A place with no seed, another one for every index."""
    return Place(np.full(8, index / 100, np.float32), f"Place {index}")


# --- places and their text


@pytest.mark.parametrize("seed", [0, 12, 2**32 - 1])
def test_a_seed_is_written_as_its_number(seed):
    place = places.of_seed(seed, 8)
    assert (place.seed, place.text, place.label) == (seed, str(seed), f"Seed {seed}")
    again = places.read(place.text, 8)
    assert (again.seed, again.text, again.label) == (seed, str(seed), f"Seed {seed}")
    assert again.z.tobytes() == latent.sample_z([seed], 8)[0].tobytes()


@pytest.mark.parametrize("z_dim", [2, 3, 4, 8, 128, 1024])
def test_a_latent_comes_back_to_the_bit(z_dim):
    z = latent.sample_z([5], z_dim)[0] / 3
    place = Place(z, "Here")
    again = places.read(place.text, z_dim)
    assert again.z.tobytes() == z.tobytes() and again.z.dtype == np.float32
    assert again.seed is None and again.text == place.text
    assert quote(place.text, safe="") == place.text, "it would not survive in an address"


def test_values_that_are_easily_lost_come_back_to_the_bit():
    z = np.array([-0.0, 1e-45, 1 / 3, 16, -16, np.nextafter(np.float32(16), 0), 1e-38, -1e-20], np.float32)
    assert places.read(places.write(z), 8).z.tobytes() == z.tobytes()
    assert places.write(z.astype(np.float64)) == places.write(z[::-1].copy()[::-1]) == places.write(z)


def test_a_latent_is_called_as_one_says_or_a_place_from_a_link():
    assert places.read(places.write(Z), 8).label == "A place from a link"
    for text in (places.write(Z), "7"):
        assert places.read(text, 8, "Dawn").label == "Dawn"
        assert len(places.read(text, 8, "x" * 500).label) == places.LONGEST_LABEL
    assert places.read("7", 8, "Dawn").seed == 7


@pytest.mark.parametrize("z_dim", [7, 9, 128])
def test_a_latent_of_another_model_is_refused(z_dim):
    with pytest.raises(InputError, match=f"has 8 values, but the model takes {z_dim}"):
        places.read(places.write(Z), z_dim)


def test_a_link_that_was_cut_off_anywhere_is_refused():
    text = places.write(Z)
    for length in range(len(text)):
        with pytest.raises(InputError):
            places.read(text[:length], 8)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(value):
    z = Z.copy()
    z[5] = value
    with pytest.raises(InputError, match="not numbers"):
        places.read(places.write(z), 8)


def test_values_are_brought_back_to_where_latents_lie():
    z = np.array([1e30, -1e30, 16.001, -17, 1, -1, 0, 15.5], np.float32)
    found = [16, -16, 16, -16, 1, -1, 0, 15.5]
    assert places.read(places.write(z), 8).z.tolist() == found
    assert places.of_seed(1, 8).moved(z).z.tolist() == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x1",
        " 12",
        "12\n",
        "1_0",
        "²",
        "٣",
        "4294967296",
        "9999999999",
        "z",
        "z.",
        "z.A",
        "z.AAAA\n",
        "z.AA AA",
        "z.AAAA====",
        "z.+/+/",
        "z../../secret",
        "Z.AAAA",
        "z.é",
        "nan",
        "None",
        "../secret",
        "\0",
        "<b>",
        "\ud800",
        pytest.param("9" * 5000, id="5000-digits"),
        pytest.param(text_of(bytes(32))[:-2] + "é!", id="foreign-letters"),
        pytest.param("z." + "A" * 100_000, id="100,000-letters"),
    ],
)
def test_what_is_no_place_is_refused_in_a_sentence(text):
    with pytest.raises(InputError) as refusal:
        places.read(text, 8)
    assert len(str(refusal.value)) < 150 and str(refusal.value).endswith(".")


def test_nobody_changes_a_place_by_its_latent():
    z = Z.copy()
    for place in (places.of_seed(3, 8), places.read(places.write(Z), 8), places.of_seed(0, 8).moved(z)):
        with pytest.raises(ValueError, match="read-only"):
            place.z[0] = 1.0
    moved = places.of_seed(0, 8).moved(z)
    z[0] = 9.0
    assert moved.z.tobytes() == Z.tobytes()


# --- moved from one to another


def test_what_moved_is_no_seed_any_more_and_says_so_once():
    moved = places.of_seed(3, 8).moved(Z / 2)
    assert (moved.seed, moved.label) == (None, "Seed 3, moved")
    assert moved.moved(Z / 3).label == "Seed 3, moved"
    assert moved.moved(Z / 3, "Dawn").label == "Dawn"
    assert len(Place(Z, "x" * 60).moved(Z / 2).label) == places.LONGEST_LABEL


def test_a_place_remembers_its_last_ancestors_oldest_first():
    line = tuple(str(seed) for seed in range(20))
    bred = places.of_seed(3, 8).moved(Z / 2, "Child", line)
    assert bred.line == line[-places.LONGEST_LINE :]
    assert bred.moved(Z / 3).line == bred.line
    assert bred.moved(Z / 3, "Alone", ()).line == ()


@pytest.mark.parametrize(
    ("label", "inside"),
    [
        ("Seed 3", "seed 3"),
        ("A place from a link", "a place from a link"),
        ("Child of seed 3", "child of seed 3"),
        ("Seedling", "Seedling"),
        ("Anna", "Anna"),
        ("Dawn", "Dawn"),
        ("", ""),
    ],
)
def test_a_label_inside_a_sentence_is_small_where_it_is_not_a_name(label, inside):
    assert places.inside(label) == inside


# --- the way


def texts(way: Way) -> list[str]:
    return [visit.place.text for visit in way.visits]


def test_a_way_goes_back_and_forth():
    way = Way.begin(places.of_seed(0, 8))
    assert (way.can_undo, way.can_redo) == (False, False)
    for seed in (1, 2, 3):
        way.go(places.of_seed(seed, 8))
    assert way.place.text == "3" and (way.can_undo, way.can_redo) == (True, False)
    seen = []
    for by in (-1, -1, -1, -1, 1, 1, 1, 1, -1):
        way.step(by)
        seen.append(way.place.text)
    assert seen == ["2", "1", "0", "0", "1", "2", "3", "3", "2"]
    assert (way.can_undo, way.can_redo) == (True, True)


def test_what_was_undone_is_forgotten_when_one_goes_elsewhere():
    for leave in (lambda way: way.go(far(9)), lambda way: way.slide(far(9), "around-0", (0.1, 0.2))):
        way = Way.begin(places.of_seed(0, 8))
        for seed in (1, 2, 3):
            way.go(places.of_seed(seed, 8))
        way.step(-1)
        way.step(-1)
        leave(way)
        assert texts(way) == ["0", "1", far(9).text] and not way.can_redo
        way.step(-1)
        assert way.place.text == "1"


def test_going_where_one_is_adds_nothing_and_keeps_what_was_undone():
    way = Way.begin(places.of_seed(0, 8))
    way.go(places.of_seed(1, 8))
    way.step(-1)
    way.go(places.of_seed(0, 8))
    assert texts(way) == ["0", "1"] and way.can_redo


def test_the_pad_stays_as_it_lies_while_one_slides():
    start = places.of_seed(0, 8)
    way = Way.begin(start)
    assert way.stand("around-0") == (start, None)
    for index in (1, 2):
        way.slide(far(index), "around-0", (index / 10, 0.5))
    around, spot = way.stand("around-0")
    assert way.place.text == far(2).text and around is start and spot == (0.2, 0.5)
    around, spot = way.stand("around-1")  # another plane is laid around where one is
    assert around is way.place and spot is None


def test_undo_brings_the_pad_back_to_where_it_stood():
    start = places.of_seed(0, 8)
    way = Way.begin(start)
    way.slide(far(1), "around-0", (0.1, 0.1))
    way.slide(far(2), "around-0", (0.2, 0.2))
    way.go(places.of_seed(9, 8))
    assert way.stand("around-0") == (way.place, None)
    way.step(-1)
    assert way.stand("around-0") == (start, (0.2, 0.2))
    way.step(-1)
    assert way.stand("around-0") == (start, (0.1, 0.1))
    way.step(-1)
    assert way.stand("around-0") == (start, None)


def test_the_pad_can_be_laid_anew_around_where_one_is():
    way = Way.begin(places.of_seed(0, 8))
    way.slide(far(1), "around-0", (0.1, 0.1))
    here = way.place
    way.lay()
    assert way.place is here and len(way.visits) == 2
    assert way.stand("around-0") == (here, None)
    way.slide(far(2), "around-0", (0.3, 0.3))
    assert way.stand("around-0") == (here, (0.3, 0.3))
    assert way.visits[0].spot == MIDDLE


def test_only_the_pad_itself_leaves_it_as_it_was_drawn():
    """Any other step is counted, so that the pad is drawn again."""
    way = Way.begin(places.of_seed(0, 8))
    turns = [way.turn]
    for step in (
        lambda: way.go(far(1)),
        lambda: way.go(far(1)),
        way.lay,
        lambda: way.step(-1),
        lambda: way.step(-1),
    ):
        step()
        turns.append(way.turn)
    assert turns == [0, 1, 2, 3, 4, 5]
    way.slide(far(2), "around-0", (0.1, 0.1))
    assert way.turn == 5


def test_a_long_way_forgets_its_beginning():
    way = Way.begin(places.of_seed(0, 8))
    for index in range(1, places.LONGEST_WAY + 20):
        way.slide(far(index), "around-0", (0.0, 0.0)) if index % 2 else way.go(far(index))
    assert len(way.visits) == places.LONGEST_WAY
    assert way.place.text == far(places.LONGEST_WAY + 19).text and not way.can_redo
    for _ in range(places.LONGEST_WAY - 1):
        assert way.can_undo
        way.step(-1)
    assert not way.can_undo and way.place.text == far(20).text
