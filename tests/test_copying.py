"""Whether a generator copies: the two figures on distances whose verdict is known."""

import numpy as np
import pytest

from ganart import copying

COUNT, LEARNED, DIMENSIONS = 480, 600, 6  # held-out points, fakes as many; training points


def points(seed: int, count: int = COUNT, dimensions: int = DIMENSIONS) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions))


def to_nearest(some: np.ndarray, training: np.ndarray) -> np.ndarray:
    return np.sqrt(((some[:, None] - training) ** 2).sum(-1)).min(1)


def verdict(held_out: np.ndarray, fake: np.ndarray, training: np.ndarray) -> float:
    return copying.statistic(held_out, fake, training, to_nearest(held_out, training), to_nearest(fake, training))


def most_extreme(count: int) -> float:
    """The statistic of two sets of that many where every value of one is larger."""
    return (count**2 / 2) / np.sqrt(count**2 * (2 * count + 1) / 12)


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    return points(0, LEARNED)


@pytest.fixture(scope="module")
def held_out() -> np.ndarray:
    return points(1)


# --- ratio


def test_the_ratio_is_0_for_copies_and_1_for_new_pictures(training, held_out):
    of_held_out = to_nearest(held_out, training)
    assert copying.ratio(to_nearest(training[:COUNT], training), of_held_out) == 0
    assert copying.ratio(to_nearest(points(2), training), of_held_out) == pytest.approx(1, abs=0.1)
    assert copying.ratio(of_held_out, of_held_out) == 1


def test_the_ratio_is_0_from_the_half_on_that_are_copies():
    of_held_out = np.full(100, 5.0)
    of_fake = np.full(100, 5.0)
    of_fake[:49] = 0
    assert copying.ratio(of_fake, of_held_out) == 1
    of_fake[:51] = 0
    assert copying.ratio(of_fake, of_held_out) == 0


def test_the_ratio_is_that_of_the_medians():
    assert copying.ratio(np.array([1.0, 6.0, 100.0]), np.array([1.0, 3.0, 4.0])) == 2


def test_the_ratio_stays_a_number_where_held_out_pictures_are_copies_too():
    assert copying.ratio(np.zeros(4), np.zeros(4)) == 0
    assert np.isfinite(copying.ratio(np.ones(4), np.zeros(4)))


# --- Mann-Whitney


@pytest.mark.parametrize("ties", [False, True])
def test_the_test_is_that_of_its_loops(ties):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 7), rng.normal(0.5, 1, 11)
    if ties:
        a, b = a.round(), b.round()
        assert len(np.intersect1d(a, b)) > 1
    wins = 0.0
    for x in a:
        for y in b:
            wins += 1.0 if y > x else 0.5 if y == x else 0.0
    deviation = (7 * 11 * (7 + 11 + 1) / 12) ** 0.5
    assert copying.mann_whitney(a, b) == pytest.approx((wins - 7 * 11 / 2) / deviation)


def test_the_test_is_about_standard_normal_where_both_are_of_one_source():
    rng = np.random.default_rng(0)
    found = np.array([copying.mann_whitney(rng.random(40), rng.random(60)) for _ in range(3000)])
    assert abs(found.mean()) < 4 / 3000**0.5
    assert found.std() == pytest.approx(1, abs=0.06)
    assert np.mean(abs(found) < 1.96) == pytest.approx(0.95, abs=0.016)
    assert np.mean(found > 0) == pytest.approx(0.5, abs=0.04)


def test_the_test_changes_its_sign_with_the_sides():
    a, b = np.arange(10.0), np.arange(10.0) + 3.5
    assert copying.mann_whitney(a, b) == -copying.mann_whitney(b, a) > 0
    assert copying.mann_whitney(a, a) == 0


def test_the_test_is_at_its_end_where_all_are_larger():
    a = np.arange(20.0)
    assert copying.mann_whitney(a, a + 100) == pytest.approx(most_extreme(20))
    assert copying.mann_whitney(a, a - 100) == pytest.approx(-most_extreme(20))


# --- the statistic


@pytest.mark.parametrize("seed", range(2, 7))
def test_new_ones_of_the_same_source_are_within_three_deviations(training, held_out, seed):
    assert abs(verdict(held_out, points(seed), training)) < 3


def test_copies_are_far_below_and_as_far_as_their_number_allows(training, held_out):
    """Exact copies lose every comparison; in eight cells of about 60 each alone reaches its end."""
    exact = verdict(held_out, training[:COUNT], training)
    assert exact == pytest.approx(-most_extreme(COUNT // copying.CELLS), rel=0.1)
    near = verdict(held_out, training[:COUNT] + 0.05 * points(3), training)
    assert near == pytest.approx(exact, rel=0.02)


def test_far_ones_are_above_three(training, held_out):
    assert verdict(held_out, 3 * points(2), training) > 3
    assert verdict(held_out, points(2) + 1, training) > 3


def test_the_more_copies_the_lower(training, held_out):
    found = []
    for copies in (0, 100, 200, 400):
        fake = points(2)
        fake[:copies] = training[:copies]
        found.append(verdict(held_out, fake, training))
    assert found == sorted(found, reverse=True) and abs(found[0]) < 3 and found[2] < -3


def test_a_collapse_onto_new_points_is_no_copying(training, held_out):
    assert verdict(held_out, np.repeat(points(2, 12), COUNT // 12, 0), training) > -3


@pytest.fixture
def two_kinds() -> dict[str, np.ndarray]:
    """Points around two places far apart, three quarters of them around the first, in this order; by hand their
    distances: in each kind of its own size."""
    counts = {"training": (90, 30), "held_out": (90, 30), "fake": (60, 60)}
    places = np.array([[0.0, 0.0], [1000.0, 0.0]])
    made = {
        name: points(index, sum(count), 2) + np.repeat(places, count, 0)
        for index, (name, count) in enumerate(counts.items())
    }
    rng = np.random.default_rng(9)
    made["of_held_out"] = np.concatenate([rng.uniform(0, 1, 90), rng.uniform(100, 101, 30)])
    made["of_fake"] = np.concatenate([rng.uniform(-0.5, 0.8, 60), rng.uniform(100.3, 101.2, 60)])
    return made


def test_the_statistic_is_the_mean_of_the_cells_weighted_by_held_out_pictures(two_kinds):
    a, b = two_kinds["of_held_out"], two_kinds["of_fake"]
    first, second = copying.mann_whitney(a[:90], b[:60]), copying.mann_whitney(a[90:], b[60:])
    assert first < -3 and second > 3 / 2, "a case that tells little"
    assert copying.statistic(**two_kinds) == pytest.approx(0.75 * first + 0.25 * second)


def test_cells_keep_apart_what_would_cancel_out(two_kinds):
    """Fakes are nearer than held-out pictures in both kinds, but more of them are of the kind that is far."""
    rng = np.random.default_rng(0)
    two_kinds["of_fake"] = two_kinds["of_held_out"][np.r_[:60, 90:120, 90:120]] - rng.uniform(0.3, 0.6, 120)
    whole = copying.mann_whitney(two_kinds["of_held_out"], two_kinds["of_fake"])
    assert whole > -2 and copying.statistic(**two_kinds) < -3


@pytest.mark.parametrize(("few", "counts"), [(19, False), (20, True)])
def test_cells_with_hardly_a_fake_are_left_out(two_kinds, few, counts):
    for name in ("fake", "of_fake"):
        two_kinds[name] = two_kinds[name][: 60 + few]
    a, b = two_kinds["of_held_out"], two_kinds["of_fake"]
    first, second = copying.mann_whitney(a[:90], b[:60]), copying.mann_whitney(a[90:], b[60:])
    expected = 0.75 * first + 0.25 * second if counts else first
    assert copying.statistic(**two_kinds) == pytest.approx(expected)


def test_where_no_cell_counts_all_are_compared_at_once(two_kinds):
    for name in ("held_out", "of_held_out"):
        two_kinds[name] = np.tile(two_kinds[name][:90], (2, *[1] * (two_kinds[name].ndim - 1)))
    for name in ("fake", "of_fake"):
        two_kinds[name] = two_kinds[name][60:]
    expected = copying.mann_whitney(two_kinds["of_held_out"], two_kinds["of_fake"])
    assert copying.statistic(**two_kinds) == pytest.approx(expected)


def test_few_pictures_make_one_cell(training):
    few, fake = points(1, 50), points(2, 50)
    expected = copying.mann_whitney(to_nearest(few, training), to_nearest(fake, training))
    assert verdict(few, fake, training) == pytest.approx(expected)


def test_a_handful_of_fakes_is_enough_for_a_figure(training):
    few, fake = points(1, 8), training[:8]
    assert verdict(few, fake, training) == pytest.approx(-most_extreme(8))


def test_training_points_that_are_all_the_same_give_a_figure():
    one = np.ones((200, 3))
    assert copying.statistic(one, one, one, np.zeros(200), np.zeros(200)) == 0


def test_centres_are_the_means_of_kinds_far_apart(two_kinds):
    kept = two_kinds["training"].copy()
    centres = copying._kmeans(two_kinds["training"], 2)
    np.testing.assert_allclose(centres, [kept[:90].mean(0), kept[90:].mean(0)])
    np.testing.assert_array_equal(two_kinds["training"], kept)
