"""What an artist notes about a model, names of directions and places: kept beside the model, by its hash."""

import threading
from collections.abc import Callable

import pytest

from ganart import notes, workspace
from ganart.errors import InputError
from ganart.files import read_json, write_json
from ganart.notes import Kept, Shot


@pytest.fixture(autouse=True)
def workspace_of_its_own(home):
    """Every test has an empty workspace."""


def test_a_name_is_kept_for_its_model_kind_and_place():
    notes.name_direction("abc", "sefa", 2, "  light   from the left ")
    notes.name_direction("abc", "ganspace", 0, "turn")
    assert notes.direction_names("abc", "sefa") == {2: "light from the left"}
    assert notes.direction_names("abc", "ganspace") == {0: "turn"}
    assert notes.direction_names("other", "sefa") == {}


def test_a_name_can_be_changed_and_taken_away():
    notes.name_direction("abc", "sefa", 0, "one")
    notes.name_direction("abc", "sefa", 1, "two")
    notes.name_direction("abc", "sefa", 0, "three")
    notes.name_direction("abc", "sefa", 1, " ")
    assert notes.direction_names("abc", "sefa") == {0: "three"}
    notes.name_direction("abc", "sefa", 0, "x" * 100)
    assert len(notes.direction_names("abc", "sefa")[0]) == notes.LONGEST


def test_notes_of_a_newer_program_are_left_as_they_are():
    values = {"version": 9, "directions": {"sefa": {"0": "x"}}}
    path = workspace.folder("notes") / "abc.json"
    write_json(path, values)
    assert notes.direction_names("abc", "sefa") == {} and notes.places("abc") == []
    for change in (
        lambda: notes.name_direction("abc", "sefa", 0, "now"),
        lambda: notes.keep("abc", notes.Kept("3", "three", pinned=True)),
        lambda: notes.set_shots("abc", []),
    ):
        with pytest.raises(InputError, match="newer ganart"):
            change()
    assert read_json(path) == values


@pytest.mark.parametrize("values", [{}, {"directions": {"sefa": {"0": "x"}}}, {"version": 1}])
def test_other_notes_are_none(values):
    write_json(workspace.folder("notes") / "abc.json", values)
    assert notes.direction_names("abc", "sefa") == {}
    notes.name_direction("abc", "sefa", 0, "now")
    assert notes.direction_names("abc", "sefa") == {0: "now"}
    assert read_json(workspace.folder("notes") / "abc.json")["version"] == notes.NOTES_VERSION


@pytest.mark.parametrize("kept", [["no names"], {"sefa": ["none"]}, {"sefa": {"first": "x", "1": 5}}])
def test_damaged_names_are_passed_over(kept):
    write_json(workspace.folder("notes") / "abc.json", {"version": 1, "directions": kept})
    assert set(notes.direction_names("abc", "sefa").values()) <= {"5"}


# --- places


def test_places_are_kept_for_their_model_in_the_order_in_which_they_were_taken_up():
    taken = [
        Kept("12", "Seed 12", pinned=True),
        Kept("z.AAAA", "Dawn", liked=True, line=("3", "z.BBBB")),
        Kept("7", "Seed 7", pinned=True, liked=True),
    ]
    for place in taken:
        notes.keep("abc", place)
    assert notes.places("abc") == taken
    assert notes.places("other") == []
    assert notes.find("abc", "z.AAAA") == taken[1] and notes.find("abc", "13") is None
    assert notes.find("other", "12") is None


def test_a_place_that_is_kept_again_stays_in_its_row():
    for text in ("1", "2", "3"):
        notes.keep("abc", Kept(text, f"Seed {text}", pinned=True))
    notes.keep("abc", Kept("2", "Dawn", pinned=True, liked=True))
    assert [(place.text, place.name, place.liked) for place in notes.places("abc")] == [
        ("1", "Seed 1", False),
        ("2", "Dawn", True),
        ("3", "Seed 3", False),
    ]


def test_a_place_that_is_neither_pinned_nor_liked_any_more_is_forgotten():
    for text in ("1", "2"):
        notes.keep("abc", Kept(text, f"Seed {text}", pinned=True, liked=True))
    notes.keep("abc", Kept("1", "Seed 1", pinned=False, liked=True))
    assert notes.find("abc", "1") == Kept("1", "Seed 1", False, True)
    notes.keep("abc", Kept("1", "Seed 1"))
    notes.keep("abc", Kept("9", "Seed 9"))
    assert [place.text for place in notes.places("abc")] == ["2"]


def test_names_of_places_are_tidied():
    notes.keep("abc", Kept("1", "  light \n  from the left ", pinned=True))
    notes.keep("abc", Kept("2", "x" * 100, pinned=True))
    assert [place.name for place in notes.places("abc")] == ["light from the left", "x" * notes.LONGEST]


def test_places_and_names_of_directions_leave_each_other_alone():
    notes.name_direction("abc", "sefa", 2, "light")
    notes.keep("abc", Kept("1", "Seed 1", pinned=True))
    notes.name_direction("abc", "sefa", 3, "age")
    assert notes.direction_names("abc", "sefa") == {2: "light", 3: "age"}
    assert [place.text for place in notes.places("abc")] == ["1"]


def test_there_is_an_end_to_the_places_that_are_kept_and_it_loses_none():
    full = [{"text": str(seed), "name": "x", "pinned": True} for seed in range(notes.MOST_PLACES)]
    write_json(workspace.folder("notes") / "abc.json", {"version": 1, "places": full})
    with pytest.raises(InputError, match="500 places are kept already"):
        notes.keep("abc", Kept("1000", "one more", pinned=True))
    notes.keep("abc", Kept("7", "changed", pinned=True))
    assert len(notes.places("abc")) == notes.MOST_PLACES and notes.find("abc", "7").name == "changed"
    notes.keep("abc", Kept("7", "taken off"))
    notes.keep("abc", Kept("1000", "one more", pinned=True))
    assert len(notes.places("abc")) == notes.MOST_PLACES and notes.find("abc", "1000")


def test_damaged_places_are_passed_over():
    whole = {"text": "1", "name": "Seed 1", "pinned": True, "liked": False, "line": ["3"]}
    damaged = [None, 5, "text", [], {}, {"text": "2"}, {"name": "no text"}, {**whole, "text": "4", "line": None}]
    write_json(workspace.folder("notes") / "abc.json", {"version": 1, "places": [*damaged, whole]})
    assert notes.places("abc") == [Kept("1", "Seed 1", True, False, ("3",))]
    notes.keep("abc", Kept("5", "Seed 5", liked=True))
    assert [place.text for place in notes.places("abc")] == ["1", "5"]


@pytest.mark.parametrize("places", [None, 5, "text", {}, {"text": "1", "name": "x"}])
def test_places_that_are_no_list_are_none(places):
    write_json(workspace.folder("notes") / "abc.json", {"version": 1, "places": places})
    assert notes.places("abc") == []


def test_two_who_write_at_the_same_time_lose_nothing():
    """As two tabs do, each in a thread of the server's."""
    begun = threading.Barrier(3)
    failed: list[Exception] = []

    def writer(write: Callable[[int], None]) -> threading.Thread:
        def run() -> None:
            begun.wait()
            try:
                for index in range(20):
                    write(index)
            except Exception as error:
                failed.append(error)

        return threading.Thread(target=run)

    threads = [
        writer(lambda index: notes.keep("abc", Kept(str(index), f"Seed {index}", pinned=True))),
        writer(lambda index: notes.keep("abc", Kept(str(100 + index), f"Seed {100 + index}", liked=True))),
        writer(lambda index: notes.name_direction("abc", "sefa", index, f"name {index}")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {place.text for place in notes.places("abc")} == {str(i) for i in [*range(20), *range(100, 120)]}
    assert len(notes.direction_names("abc", "sefa")) == 20


# --- the film that the artist is at

SHOTS = [Shot("12", "Seed 12"), Shot("z.AAAA", "Dawn", 0.5, 2.0), Shot("12", "Seed 12", 100, 0.01)]


def test_a_film_that_was_never_begun_is_none_and_an_empty_one_is_empty():
    assert notes.shots("abc") is None
    notes.keep("abc", Kept("1", "Seed 1", pinned=True))
    assert notes.shots("abc") is None
    notes.set_shots("abc", [])
    assert notes.shots("abc") == []


def test_the_keyframes_of_a_film_are_kept_in_their_order_for_their_model():
    notes.set_shots("abc", SHOTS)
    assert notes.shots("abc") == SHOTS
    assert notes.shots("other") is None
    notes.set_shots("abc", SHOTS[::-1])
    assert notes.shots("abc") == SHOTS[::-1]


def test_keyframes_places_and_names_of_directions_leave_each_other_alone():
    notes.name_direction("abc", "sefa", 2, "light")
    notes.set_shots("abc", SHOTS)
    notes.keep("abc", Kept("1", "Seed 1", pinned=True))
    notes.name_direction("abc", "sefa", 3, "age")
    assert notes.shots("abc") == SHOTS
    assert [place.text for place in notes.places("abc")] == ["1"]
    assert notes.direction_names("abc", "sefa") == {2: "light", 3: "age"}


def test_damaged_keyframes_are_passed_over():
    damaged = [None, 5, "text", [], {}, {"text": "2"}, {"name": "no text"}]
    damaged += [{"text": "2", "name": "x", "rest": value} for value in (None, "long", [], 10**400)]
    whole = {"text": "1", "name": "x" * 100}
    write_json(workspace.folder("notes") / "abc.json", {"version": 1, "shots": [*damaged, whole]})
    assert notes.shots("abc") == [Shot("1", "x" * notes.LONGEST)]


@pytest.mark.parametrize("value", [-1, 101, float("nan"), float("inf"), -0.5])
def test_times_that_no_film_can_have_are_the_usual_ones(value):
    kept = [{"text": "1", "name": "one", "rest": value, "way": value}]
    write_json(workspace.folder("notes") / "abc.json", {"version": 1, "shots": kept})
    assert notes.shots("abc") == [Shot("1", "one", 0.0, 1.0)]


@pytest.mark.parametrize("shots", [None, 5, "text", {}, {"text": "1", "name": "x"}])
def test_keyframes_that_are_no_list_are_none_that_can_be_used(shots):
    write_json(workspace.folder("notes") / "abc.json", {"version": 1, "shots": shots})
    assert notes.shots("abc") == []


def test_a_run_that_saves_again_keeps_its_places_and_keyframes():
    notes.follow("0001-run", "aaa")
    notes.keep("aaa", Kept("3", "Dawn", pinned=True))
    notes.name_direction("aaa", "sefa", 0, "light")
    notes.set_shots("aaa", [Shot("5", "Seed 5")])
    notes.keep("bbb", Kept("4", "Dusk", liked=True))  # a click that came before the page heard of the save
    notes.follow("0001-run", "bbb")
    assert [place.name for place in notes.places("bbb")] == ["Dawn", "Dusk"]
    assert notes.shots("bbb") == [Shot("5", "Seed 5")]
    assert notes.direction_names("bbb", "sefa") == {}, "its directions are others now"
    notes.keep("bbb", Kept("3", "Dawn"))
    notes.follow("0001-run", "bbb")
    assert [place.name for place in notes.places("bbb")] == ["Dusk"], "what was taken off came back"
    notes.follow("0002-other", "ccc")
    assert notes.places("ccc") == [] and notes.shots("ccc") is None


def test_notes_go_with_a_run_of_another_name_and_end_with_it():
    notes.follow("0001-run", "aaa")
    notes.follow("0001-run@last", "bbb")
    notes.keep("aaa", Kept("3", "Dawn", pinned=True))
    notes.renamed("0001-run", "0001-monet")
    notes.follow("0001-monet", "ccc")
    assert [place.name for place in notes.places("ccc")] == ["Dawn"]
    notes.renamed("0001-monet", None)
    notes.follow("0001-monet", "ddd")
    assert notes.places("ddd") == []
