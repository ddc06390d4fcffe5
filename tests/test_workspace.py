"""Where things are kept, and the names of things."""

import random
from pathlib import Path

import pytest

from ganart import workspace
from ganart.errors import InputError


def test_the_workspace_is_where_the_environment_says(home, monkeypatch):
    assert workspace.home() == home.resolve()
    monkeypatch.setenv("GANART_HOME", "~/art")
    assert workspace.home() == (Path.home() / "art").resolve()


def test_without_a_word_it_is_in_the_checkout(monkeypatch):
    monkeypatch.delenv("GANART_HOME")
    assert workspace.home() == Path(__file__).resolve().parent.parent / "workspace"


def test_without_a_checkout_it_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("GANART_HOME")
    monkeypatch.setattr(workspace, "CHECKOUT", tmp_path)
    assert workspace.home() == Path.home() / "ganart"


def test_folders_appear_when_they_are_needed(home):
    assert not (home / "runs").exists()
    assert workspace.folder("runs") == home / "runs"
    assert workspace.folder("runs").is_dir()


def test_a_workspace_that_cannot_be_written_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GANART_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="Set GANART_HOME"):
        workspace.folder("runs")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Van Gogh's", "van-gogh-s"),
        ("  Käthe Kollwitz  ", "kathe-kollwitz"),
        ("IMG_2024 (1)", "img-2024-1"),
        ("---", "pictures"),
        ("", "pictures"),
        ("北斎", "pictures"),
        ("x" * 50, "x" * 32),
        ("x" * 31 + " y", "x" * 31),
    ],
)
def test_a_name_is_made_from_any_text(text, name):
    assert workspace.slug(text) == name


def test_a_name_made_from_text_is_always_usable():
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(32, 0xD000)])) for _ in range(60))
        name = workspace.slug(text)
        assert workspace.check_name(name) == name


@pytest.mark.parametrize("name", ["a", "0", "my-paintings", "x" * 40])
def test_good_names(name):
    assert workspace.check_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "a b", "a_b", "a.b", "..", "a/b", "ä", "x" * 41, "a\n", "²"])
def test_bad_names_are_refused(name):
    with pytest.raises(InputError, match="not a usable name"):
        workspace.check_name(name)


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    long = "x" * 40
    assert workspace.free_name(tmp_path, "art") == "art"
    for name in ("art", "art-2", long):
        (tmp_path / name).mkdir()
    assert workspace.free_name(tmp_path, "art") == "art-3"
    other = workspace.free_name(tmp_path, long)
    assert other != long and workspace.check_name(other) == other


@pytest.mark.parametrize(
    "text", ["a/b", "./a", "/a", "~/a", "a\\b", "pictures.zip", ".", "..", "~", "m.safetensors"]
)
def test_a_separator_or_a_suffix_makes_a_path(text):
    assert workspace.looks_like_path(text)


@pytest.mark.parametrize("text", ["van-gogh", "0003-van-gogh", "mnist", ""])
def test_anything_else_is_a_name(text):
    assert not workspace.looks_like_path(text)


def test_the_models_of_the_program_have_a_folder():
    assert workspace.pretrained_folder().is_dir()
