"""Every draw is a function of (seed, stream, step)."""

import numpy as np
import pytest

from ganart.randomness import generator, keep_mask


def draw(*key: object) -> list[int]:
    return generator(*key).integers(0, 2**32, 4).tolist()


def test_the_same_key_draws_the_same():
    assert draw(3, "batch", 17) == draw(3, "batch", 17)
    assert draw(3, "batch") == draw(3, "batch", 0)


def test_every_part_of_the_key_matters():
    keys = [
        (0, "z", 0),
        (1, "z", 0),
        (0, "batch", 0),
        (0, "z", 1),
        (1, "z", 1),
        (2**32 - 1, "z", 0),
        (0, "z", 2**40),
    ]
    assert len({tuple(draw(*key)) for key in keys}) == len(keys)


def test_a_draw_does_not_move_another():
    first = generator(1, "z", 5)
    generator(1, "batch", 5).standard_normal(1000)
    assert first.integers(0, 2**32, 4).tolist() == draw(1, "z", 5)


def test_draws_stay_the_same_from_version_to_version():
    """A seed someone wrote down must show the same picture next year."""
    assert draw(0, "seed") == [3962479511, 2353205518, 3578625505, 903708558]
    assert draw(12345, "batch", 678) == [412151196, 2595745019, 1112355542, 3018297828]


def test_steps_one_after_the_other_are_not_alike():
    rows = np.stack([generator(0, "z", step).standard_normal(200) for step in range(100)])
    correlation = np.corrcoef(rows) - np.eye(100)
    assert abs(correlation).max() < 0.35
    assert abs(rows.mean()) < 0.03


@pytest.mark.parametrize("drop", [0.25, 0.5, 0.75])
def test_a_mask_drops_the_share_that_was_asked_for(drop):
    mask = keep_mask(generator(0, "mask"), (50, 40, 100), drop)
    assert mask.shape == (50, 40, 100) and mask.dtype == bool
    assert 1 - mask.mean() == pytest.approx(drop, abs=0.005)
    for axis in range(3):  # in no place more than in another
        others = tuple(i for i in range(3) if i != axis)
        assert abs(1 - mask.mean(others) - drop).max() < 0.06


def test_a_mask_without_dropping_keeps_everything():
    assert keep_mask(generator(0, "mask"), (1000,), 0.0).all()


def test_a_mask_can_be_drawn_again():
    one, other = (keep_mask(generator(2, "mask", 3), (64,), 0.5) for _ in range(2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, keep_mask(generator(2, "mask", 4), (64,), 0.5))
