"""Which checkpoints stay."""

import itertools
import os

import pytest

from ganart import kept, launch


def grown(count: int, most: int, every: int = 10) -> list[int]:
    """What is left after `count` checkpoints were kept one after the other."""
    steps: list[int] = []
    for step in range(every, every * (count + 1), every):
        steps.append(step)
        gone = kept.surplus(steps, most)
        steps = [step for step in steps if step not in gone]
    return steps


@pytest.mark.parametrize("most", [6, 24])
def test_the_first_and_the_last_few_stay_and_gaps_grow_with_age(most):
    steps = grown(400, most)
    assert len(steps) == most and steps[0] == 10 and steps[-3:] == [3980, 3990, 4000]
    gaps = [b - a for a, b in itertools.pairwise(steps[1:])]
    assert gaps[-1] == gaps[-2] == 10 and max(gaps) == max(gaps[: len(gaps) // 2])
    ages = [4000 - step for step in steps[:-3]]
    assert all(2 * later <= 2 * earlier for earlier, later in itertools.pairwise(ages))
    assert ages[len(ages) // 2] < 0.5 * ages[0], "the middle of what stays is from the later half"


def test_nothing_goes_while_there_is_room():
    assert kept.surplus([1, 2, 3], 6) == [] and kept.surplus([], 6) == []


def test_a_shared_file_outlives_the_one_it_came_from(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    kept.share(tmp_path / "a", tmp_path / "folder" / "b")
    (tmp_path / "a").unlink()
    assert (tmp_path / "folder" / "b").read_bytes() == b"weights"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["b"]


def test_where_links_are_unknown_the_file_is_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_bytes(b"weights")
    kept.share(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"weights"


def test_a_run_is_thinned_to_its_limits(settings):
    target = launch.create(settings, "full")
    for step in range(1, 41):
        for state in (False, True):
            path = target.checkpoint_path(step, state=state)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x")
    kept.thin(target)
    assert len(target.checkpoints()) == kept.CHECKPOINTS and len(target.states()) == kept.STATES
    assert list(target.states())[-3:] == [38, 39, 40]
