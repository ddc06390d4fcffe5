"""Even pace: steps that look equally long, on curves whose true speed is known."""

import numpy as np
import pytest

from ganart import pace
from ganart.filmconfig import Keyframe
from ganart.paths import Curve

FRAMES = 60


def draw(z: np.ndarray) -> np.ndarray:
    """A latent (N, 1) -> a wave that has wandered so many times round the picture: equal steps look equal."""
    x = np.arange(32) / 32
    wave = np.sin(2 * np.pi * (x[None] - z.astype(float)))
    return np.repeat((128 + 100 * wave).round().astype(np.uint8)[:, None, :, None], 32, 1)


def curve(legs: int = 1, sway: float = 0.9) -> Curve:
    """Round once in all; the speed sways by that share of its mean, over and over on each leg."""
    return Curve(legs, lambda u: (u / legs + sway * np.sin(2 * np.pi * u) / (2 * np.pi * legs))[:, None])


def variation(curve: Curve, u: np.ndarray) -> float:
    return pace.variation(pace.distances(draw(curve.at(u))))


def plain(legs: int = 1) -> np.ndarray:
    return np.arange(FRAMES) * (legs / FRAMES)


# --- how far apart pictures are


def flat(*levels: int, side: int = 8) -> np.ndarray:
    return np.array(levels, np.uint8)[:, None, None, None].repeat(side, 1).repeat(side, 2)


def test_flat_pictures_are_as_far_apart_as_their_levels():
    np.testing.assert_allclose(pace.distances(flat(10, 20, 40, 255)), [10, 20, 215, 245])
    np.testing.assert_allclose(pace.distances(flat(10, 20, 40, 255), closed=False), [10, 20, 215])


def test_what_is_fine_counts_half():
    """A chequerboard and its opposite are the same at a quarter of the size."""
    board = np.indices((8, 8)).sum(0) % 2 * 200
    pictures = np.stack([board, 200 - board])[..., None].astype(np.uint8)
    np.testing.assert_allclose(pace.distances(pictures), [100, 100])


def test_colours_count_alike():
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    for channel in range(3):
        pictures[1] = 0
        pictures[1, ..., channel] = 90
        np.testing.assert_allclose(pace.distances(pictures), [90 / 3**0.5] * 2)


@pytest.mark.parametrize("count", [2, 3, pace.TOGETHER, pace.TOGETHER + 1, pace.TOGETHER + 2, 200])
def test_painting_a_few_at_a_time_measures_the_same(count):
    u, most = np.arange(count) / count, []

    def counted(z: np.ndarray) -> np.ndarray:
        most.append(len(z))
        return draw(z)

    np.testing.assert_array_equal(pace.along(curve(), counted, u), pace.distances(draw(curve().at(u))))
    assert max(most) <= pace.TOGETHER and sum(most) == count


# --- how much steps vary


@pytest.mark.parametrize(
    ("steps", "expected"), [([2, 2, 2], 0), ([1, 3], 0.5), ([0, 1, 0, 3, 0], 0.5), ([0, 0], 0), ([], 0), ([5], 0)]
)
def test_the_variation_of_steps_leaves_rests_out(steps, expected):
    assert pace.variation(np.array(steps, float)) == pytest.approx(expected)


# --- even times


@pytest.mark.parametrize("sway", [0.3, 0.6, 0.9])
def test_even_pace_is_even(sway):
    before = variation(curve(sway=sway), plain())
    assert before == pytest.approx(sway / 2**0.5, abs=0.02), "the curve is not as uneven as it should be"
    after = variation(curve(sway=sway), pace.even_times(curve(sway=sway), draw, FRAMES))
    assert after <= before / 2 and after < 0.04


def test_a_long_film_is_paced_with_few_pictures_and_no_worse():
    """Its points lie no nearer than whole levels of the pixels can tell apart."""
    drawn: list[int] = []

    def counted(z: np.ndarray) -> np.ndarray:
        drawn.append(len(z))
        return draw(z)

    u = pace.even_times(curve(2, sway=0.6), counted, 3000)
    assert sum(drawn) == pace.ROUNDS * 2 * pace.MOST
    assert variation(curve(2, sway=0.6), u[::50]) < 0.04


def test_even_times_are_where_the_inverse_of_the_speed_says():
    u = pace.even_times(curve(), draw, FRAMES)
    travelled = curve().at(u)[:, 0]
    np.testing.assert_allclose(travelled, np.arange(FRAMES) / FRAMES, atol=0.004)


def test_what_is_even_already_stays():
    np.testing.assert_allclose(pace.even_times(curve(sway=0.0), draw, FRAMES), plain(), atol=0.005)


@pytest.mark.parametrize("frames", [2, 3, 10, 61, 300])
def test_even_times_begin_at_the_beginning_and_never_go_back(frames):
    for sway in (0.0, 0.9, 3.0):  # more than 1 goes back on the curve, not in time
        u = pace.even_times(curve(2, sway), draw, frames)
        assert u.shape == (frames,) and u[0] == 0
        assert (np.diff(u) > 0).all() and u[-1] < 2


KEYFRAMES = (Keyframe("1", 0.5, 1.0), Keyframe("2", 0.0, 3.0), Keyframe("3", 1.0, 0.5))  # six parts in all


def test_rests_keep_their_share_and_the_ways_between_are_even():
    walk = curve(3, sway=0.6)
    u = pace.even_times(walk, draw, FRAMES, KEYFRAMES)
    assert (np.diff(u) >= 0).all() and u[-1] < 3
    np.testing.assert_allclose(u[:5], 0, atol=1e-9)  # half of six parts of 60 frames
    resting = np.flatnonzero(abs(u - 2) < 1e-9)
    assert 10 <= len(resting) <= 11 and (np.diff(resting) == 1).all()
    moving = np.diff(u) > 1e-9
    assert moving.sum() == pytest.approx(FRAMES * 4.5 / 6, abs=2)
    whole = moving[:-2] & moving[1:-1] & moving[2:]  # not those that a rest cuts short
    steps = pace.distances(draw(walk.at(u)), closed=False)[1:-1][whole]
    assert len(steps) > 35 and pace.variation(steps) < 0.06


def test_each_way_takes_the_time_that_there_is_to_see_on_it():
    """Whatever the keyframes ask: the first leg goes three times as far as the second."""
    walk = Curve(2, lambda u: np.interp(u, [0, 1, 2], [0, 0.75, 1.0])[:, None])
    u = pace.even_times(walk, draw, FRAMES, (Keyframe("1", 0, 1), Keyframe("2", 0, 5)))
    assert (u < 1).sum() == pytest.approx(45, abs=1)


def test_what_hardly_changes_is_passed_quickly_and_not_leapt_over():
    """Half of the curve shows nothing new."""
    walk = Curve(1, lambda u: np.maximum(u - 0.5, 0)[:, None] * 2)
    u = pace.even_times(walk, draw, 200)
    inside = int(((u > 0.01) & (u < 0.49)).sum())
    assert 200 * 0.02 <= inside <= 200 * 0.05


def test_a_curve_on_which_nothing_changes_is_gone_along_evenly():
    u = pace.even_times(Curve(2, lambda u: np.zeros((len(u), 1))), draw, FRAMES)
    np.testing.assert_allclose(u, plain(2), atol=1e-6)
