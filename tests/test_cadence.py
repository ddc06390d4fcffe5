"""When things are due."""

import itertools

import pytest

from ganart import cadence
from ganart.cadence import Cadence


def test_what_is_due_comes_at_every_so_many_pictures_and_then_ever_wider_apart():
    sheets = Cadence(10, cadence.SHEETS)
    due = [step for step in range(20_001) if sheets.due(step)]
    assert due[:4] == [0, 50, 100, 150]
    gaps = [b - a for a, b in itertools.pairwise(due)]
    assert gaps == sorted(gaps) and gaps[-1] == pytest.approx(due[-2] / 25, rel=0.05)


def test_a_resumed_run_does_not_do_again_what_was_done():
    whole, late = Cadence(10, cadence.SHEETS), Cadence(10, cadence.SHEETS)
    due = [step for step in range(20_001) if whole.due(step)]
    assert late.due(7_777) and not late.due(7_778)
    assert late.at == next(step for step in due if step > 7_777)


@pytest.mark.parametrize("rhythm", [cadence.SHEETS, cadence.looks("cpu"), cadence.checkpoints("cuda")])
@pytest.mark.parametrize("kimg", [2, 30, 400])
def test_how_often_is_foretold(rhythm, kimg):
    counted = Cadence(8, rhythm)
    often = sum(counted.due(step) for step in range(1, kimg * 125 + 1))
    assert cadence.times(1000 * kimg, rhythm) == pytest.approx(often, rel=0.1, abs=1.5)


def test_the_lines_of_figures_thin_out():
    figures = Cadence(8, cadence.figures("cpu", 8))
    due = [step for step in range(1_000_001) if figures.due(step)]
    assert due[:501] == list(range(0, 5001, 10))
    assert len(due) < 3_300
    assert all(later - step <= max(10, step / 500 + 1) for step, later in itertools.pairwise(due))
