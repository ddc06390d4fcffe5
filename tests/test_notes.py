"""Names that an artist gives to directions: kept beside the model, by its hash."""

import pytest

from ganart import notes, workspace
from ganart.files import read_json, write_json


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


@pytest.mark.parametrize("values", [{}, {"version": 9, "directions": {"sefa": {"0": "x"}}}, {"version": 1}])
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
