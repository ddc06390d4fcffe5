"""The game on the ring."""

import numpy as np
import pytest

from ganart import ring


def test_the_ring_has_eight_clusters_and_what_hits_them_is_counted():
    points = ring.real(4000, np.random.default_rng(0))
    assert ring.clusters_hit(points) == ring.CLUSTERS
    assert ring.clusters_hit(points[points[:, 0] > 1.0]) == 3
    assert ring.clusters_hit(np.zeros((100, 2))) == 0


def test_a_game_is_the_same_every_time_and_another_one_with_another_seed():
    one, again, other = (ring.play("pairs", 20, 4, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.points, again.points) and one.covered == again.covered
    assert not np.array_equal(one.points, other.points)
    assert one.steps == [0, 5, 10, 15, 20] and one.points.shape == (5, ring.SHOWN, 2)


@pytest.mark.slow
def test_the_first_recipe_collapses_and_pairs_do_not():
    """Over ten games: what the page says they mostly do."""
    covered = {name: [ring.play(name, seed=seed).covered[-1] for seed in range(10)] for name in ring.RECIPES}
    assert np.median(covered["first"]) <= 3, covered
    assert np.median(covered["pairs"]) >= 7, covered
    assert np.mean(covered["calmer"]) < np.mean(covered["pairs"]), covered


def test_each_look_is_told_as_it_is_taken():
    told = []
    game = ring.play("calmer", 20, 4, watch=lambda points, covered: told.append((points.copy(), covered)))
    assert [covered for _, covered in told] == game.covered
    assert np.array_equal(np.stack([points for points, _ in told]), game.points)
