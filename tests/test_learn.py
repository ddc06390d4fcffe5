"""The page Learn, chapter by chapter, without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ganart import ring
from ganart.ui import lessons

CHAPTERS = (
    "The game",
    "Two networks, opened",
    "Transposed convolution",
    "The losses",
    "Why so",
    "A training, replayed",
    "Read on",
)


@pytest.fixture
def learn(monkeypatch):
    """Opens a chapter; games are short."""
    play = ring.play
    monkeypatch.setattr(ring, "play", lambda name, seed, watch: play(name, 30, 30, seed, watch))
    lessons._games.clear()

    def opened(chapter: str) -> AppTest:
        at = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60).run()
        at.query_params["chapter"] = chapter
        at.switch_page("pages/learn.py").run()
        assert at.title[0].value == "Learn"
        return at

    yield opened
    lessons._games.clear()


def words(at: AppTest) -> str:
    return "\n".join(str(part.value) for part in [*at.markdown, *at.caption, *at.header, *at.error])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_opens(learn, chapter):
    at = learn(chapter)
    assert not at.exception and not at.error
    assert chapter in words(at) and len(words(at)) > 200


def test_prose_has_a_text_for_all_that_is_asked():
    for name in ("game", *(f"game {recipe}" for recipe in ring.RECIPES), "networks", "convolution", "transposed"):
        assert len(lessons.prose(name)) > 100
    assert set(lessons.GAMES) == set(ring.RECIPES)


def test_a_game_is_played_once_and_then_looked_through(learn, monkeypatch):
    plain, played = ring.play, []

    def play(name, seed, watch):
        played.append((name, seed))
        return plain(name, seed, watch)

    monkeypatch.setattr(ring, "play", play)
    at = learn("The game")
    assert not at.exception and len(played) == 1
    game = plain("first", lessons.FIRST_GAME, lambda points, covered: None)
    for look in (game.covered[-1], game.covered[0]):
        assert at.metric[0].value == f"{look} of 8"
        at.slider(key="game_step").set_value(0).run()
    assert len(played) == 1
    next(button for button in at.button if button.label == "Play again").click().run()
    assert not at.exception and len(played) == 2


def test_the_digits_networks_say_what_D_thinks(learn):
    at = learn("Two networks, opened")
    assert len(at.get("image")) + len(at.get("imgs")) >= 6
    before = at.metric[0].value
    at.slider(key="lesson_seed").set_value(7).run()
    assert not at.exception and at.metric[0].value != before


def test_the_losses_say_where_the_first_one_pushes_least(learn):
    at = learn("The losses")
    at.slider(key="curve_at").set_value(-6.0).run()
    pushes = dict(at.dataframe[0].value.iloc[:, :2].itertuples(index=False))
    flat = float(pushes["log(1 - D): as first thought of"])
    assert flat < 0.01 < 0.9 < float(pushes["-log D: what everybody uses"])


def test_padding_that_leaves_nothing_is_told(learn):
    at = learn("Transposed convolution")
    assert at.get("bidi_component")
    at.slider(key="apart_padding").set_value(2).run()
    assert not at.exception and "nothing of the result is left" in str(at.info[0].value)
