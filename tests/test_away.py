"""What is told of the time when nobody looked."""

import time

import pytest

from ganart import away, launch
from ganart.run import Status


def test_somebody_who_never_looked_missed_nothing_and_a_look_is_remembered(home):
    assert away.last_seen() is None
    away.touch()
    assert away.last_seen() == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"time": "yesterday"}'])
def test_a_damaged_memory_is_none(home, damage):
    (home / "seen.json").write_text(damage)
    assert away.last_seen() is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("done", "is done: it has seen all its 12 thousand pictures."),
        ("stopped", "was stopped at 12 thousand pictures."),
        ("failed", "failed at 12 thousand pictures. The disk is full."),
        ("running", "was interrupted"),
    ],
)
def test_every_run_that_changed_is_told_of(settings, state, said):
    quiet = launch.create(settings, "quiet")
    quiet.write_status(Status(state="done", kimg=3.0))
    time.sleep(0.05)
    left = time.time()
    target = launch.create(settings, "busy")
    target.write_status(Status(state=state, kimg=12.0, error="The disk is full." * (state == "failed")))
    ((name, sentence),) = away.happened(left)
    assert name == target.id and said in sentence
    assert {name for name, _ in away.happened(0.0)} == {target.id, quiet.id}


def test_a_run_at_work_is_told_of_with_what_befell_it(settings):
    target = launch.create(settings, "busy")
    target.write_status(Status(state="running", kimg=12.0, note="It was taken back to step 40."))
    with target.lock():
        ((_, sentence),) = away.happened(0.0)
    assert sentence == "has come to 12 thousand pictures and goes on. It was taken back to step 40."
