"""Coverage, density and the two-sample accuracy on sets whose figures are known."""

import math

import pytest
import torch
from torch import Tensor

from ganart import neighbours
from ganart.neighbours import density_and_coverage, two_sample_accuracy

COUNT, DIMENSIONS = 200, 16


def normal(seed: int, count: int = COUNT, dimensions: int = DIMENSIONS) -> Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


def expected_coverage(real: int, fake: int, k: int) -> float:
    """One source: a ball holds no fake where the k nearest of all other points are all real."""
    return 1 - math.prod((real - i) / (real + fake - i) for i in range(1, k + 1))


def mean_of(function, pairs: list[tuple[Tensor, Tensor]], **options: int) -> list[float]:
    """Of both figures, over several pairs of sets."""
    return torch.tensor([function(*pair, **options) for pair in pairs]).mean(0).tolist()


def distance(a: Tensor, b: Tensor) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True)))


# --- density and coverage


def test_coverage_of_one_source_is_1_less_a_half_to_the_kth_and_density_is_1():
    pairs = [(normal(2 * seed), normal(2 * seed + 1)) for seed in range(20)]
    density, coverage = mean_of(density_and_coverage, pairs)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.01)
    assert density == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("real", "fake", "k"), [(60, 60, 1), (60, 60, 3), (100, 25, 5), (25, 100, 2)])
def test_coverage_and_density_of_one_source_are_as_expected_for_any_counts(real, fake, k):
    pairs = [(normal(2 * seed, real, 3), normal(2 * seed + 1, fake, 3)) for seed in range(60)]
    density, coverage = mean_of(density_and_coverage, pairs, k=k)
    assert coverage == pytest.approx(expected_coverage(real, fake, k), abs=0.03)
    assert density == pytest.approx(1, abs=0.06)


def test_five_neighbours_make_a_ball_where_nothing_is_said():
    real, fake = normal(0), normal(1)
    assert neighbours.K == 5
    assert density_and_coverage(real, fake) == density_and_coverage(real, fake, k=5)
    assert density_and_coverage(real, fake) != density_and_coverage(real, fake, k=4)


def test_density_and_coverage_are_those_of_their_formulas_in_loops():
    real, fake, k = normal(0, 30, 2), 1 + normal(1, 20, 2), 3
    inside = []
    for index in range(30):
        others = sorted(distance(real[index], real[other]) for other in range(30) if other != index)
        inside.append([distance(real[index], point) <= others[k - 1] for point in fake])
    density, coverage = density_and_coverage(real, fake, k)
    assert density == pytest.approx(sum(map(sum, inside)) / (k * len(fake)))
    assert coverage == pytest.approx(sum(map(any, inside)) / len(real))
    assert 0.2 < coverage < 0.95, "a case that tells little"


def test_equal_sets_are_covered_wholly_and_a_little_denser_than_1():
    """Each ball holds the copies of its own centre and of the five that make it, the last one on its border."""
    real = normal(0)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(1))
    for fake in (real.clone(), real[order]):
        density, coverage = density_and_coverage(real, fake)
        # On the border a rounding decides, which differs from processor to processor.
        assert coverage == 1 and density == pytest.approx(6 / 5, abs=0.01)


def test_disjoint_sets_have_neither_density_nor_coverage():
    assert density_and_coverage(normal(0), normal(1) + 100) == (0, 0)


def test_fakes_in_the_middle_of_every_ball_of_a_crowd_are_dense_without_a_bound():
    """All fakes at one point lie in as many balls as that point does: n of them, so that density is n / k."""
    real = normal(0, 60, 1) * 1e-3
    real[0] = 0
    density, _ = density_and_coverage(real, torch.zeros(60, 1), k=59)
    assert density == pytest.approx(60 / 59)
    density, coverage = density_and_coverage(real, torch.zeros(60, 1), k=5)
    assert density == pytest.approx(coverage * 60 / 5)


def test_a_set_collapsed_onto_one_point_covers_hardly_anything():
    """The point lies in the balls of about k real pictures of COUNT."""
    real = normal(0)
    _, coverage = density_and_coverage(real, normal(1)[:1].expand(COUNT, -1))
    assert coverage < 4 * neighbours.K / COUNT


def test_half_of_the_kinds_missing_leaves_half_of_the_coverage_and_the_density():
    """In the kind that is there are half as many real pictures as fakes: a ball is missed with 3^-k at most."""
    away = torch.zeros(COUNT, DIMENSIONS)
    away[COUNT // 2 :, 0] = 1000
    pairs = [(normal(2 * seed) + away, normal(2 * seed + 1)) for seed in range(10)]
    density, coverage = mean_of(density_and_coverage, pairs)
    assert coverage == pytest.approx(expected_coverage(COUNT // 2, COUNT, 5) / 2, abs=0.005)
    assert density == pytest.approx(1, abs=0.05)


def test_fakes_that_are_no_pictures_halve_the_density_and_leave_the_coverage():
    away = torch.zeros(COUNT, 1)
    away[::2] = 1000
    pairs = [(normal(2 * seed), normal(2 * seed + 1) + away) for seed in range(10)]
    density, coverage = mean_of(density_and_coverage, pairs)
    assert density == pytest.approx(0.5, abs=0.04)
    assert coverage == pytest.approx(expected_coverage(COUNT, COUNT // 2, 5), abs=0.03)


def test_the_farther_a_set_is_shifted_the_less_of_the_real_one_is_covered():
    found = [density_and_coverage(normal(0), normal(1) + shift) for shift in (0, 0.5, 1, 2)]
    assert found == sorted(found, reverse=True) and found[-1] == (0, 0)
    coverage = [pair[1] for pair in found]
    assert coverage == sorted(coverage, reverse=True) and coverage[1] < coverage[0] - 0.1


def test_fewer_real_pictures_than_neighbours_still_give_figures():
    density, coverage = density_and_coverage(normal(0, 3), normal(0, 3))
    assert coverage == 1 and density == pytest.approx(3 / 2)


# --- two-sample accuracy


def test_one_source_cannot_be_told_apart():
    """The nearest of 2n - 1 others is of the same kind with (n - 1) / (2n - 1)."""
    pairs = [(normal(2 * seed), normal(2 * seed + 1)) for seed in range(20)]
    expected = (COUNT - 1) / (2 * COUNT - 1)
    assert mean_of(two_sample_accuracy, pairs) == pytest.approx([expected, expected], abs=0.03)


def test_disjoint_sets_are_told_apart_always():
    assert two_sample_accuracy(normal(0), normal(1) + 100) == (1, 1)


@pytest.mark.parametrize("off", [0, 1e-4])
def test_copies_sit_beside_their_originals(off):
    real = normal(0)
    fake = real.flip(0) + off * normal(1)
    found = two_sample_accuracy(real, fake)
    assert max(found) < 0.1


def test_exact_copies_of_far_points_are_found_as_well():
    """Where distances are differences of large squares, equal points are easily not at 0 from each other."""
    real = 1000 + 0.01 * normal(0)
    assert two_sample_accuracy(real, real.clone()) == (0, 0)


def test_a_set_collapsed_onto_the_middle_draws_the_real_ones_to_it():
    """In many dimensions the middle is nearer to all than they are to each other."""
    real, fake = normal(0, COUNT, 256), 0.01 * normal(1, COUNT, 256)
    on_real, on_fake = two_sample_accuracy(real, fake)
    assert on_real < 0.05 and on_fake == 1


def test_half_of_the_kinds_missing_shows_in_both_by_the_expected_amount():
    """Missing real ones are told always, the others with 1 / 3, as there are twice as many fakes around them."""
    away = torch.zeros(COUNT, DIMENSIONS)
    away[COUNT // 2 :, 0] = 1000
    pairs = [(normal(2 * seed) + away, normal(2 * seed + 1)) for seed in range(20)]
    assert mean_of(two_sample_accuracy, pairs) == pytest.approx([2 / 3, 2 / 3], abs=0.03)


def test_each_share_is_of_its_own_kind():
    """Two close fakes and two far ones, each beside a real picture that has no other."""
    real = torch.tensor([[0.0], [1.0], [10.0], [20.0]])
    fake = torch.tensor([[100.0], [100.5], [10.1], [20.1]])
    assert two_sample_accuracy(real, fake) == (0.5, 0.5)
    fake = torch.tensor([[100.0], [100.5], [101.0], [20.1]])
    assert two_sample_accuracy(real, fake) == (0.75, 0.75)
    fake = torch.tensor([[10.1], [10.2], [10.3], [10.4]])
    assert two_sample_accuracy(real, fake) == (0.5, 1)


def test_the_farther_a_set_is_shifted_the_better_it_is_told():
    found = [sum(two_sample_accuracy(normal(0), normal(1) + shift)) for shift in (0, 0.5, 1, 2)]
    assert found == sorted(found) and found[0] < 1.1 and found[-1] == 2


# --- both


@pytest.mark.parametrize("measure", [density_and_coverage, two_sample_accuracy])
def test_turning_and_stretching_all_points_changes_nothing(measure):
    real, fake = normal(0), normal(1) + 0.3
    turn, _ = torch.linalg.qr(normal(2, DIMENSIONS, DIMENSIONS))
    assert measure(7 * real @ turn + 3, 7 * fake @ turn + 3) == pytest.approx(measure(real, fake), abs=0.006)


@pytest.mark.parametrize("measure", [density_and_coverage, two_sample_accuracy])
def test_figures_are_plain_numbers_and_points_are_left_alone(measure):
    real, fake = normal(0, 20), normal(1, 20)
    kept = real.clone(), fake.clone()
    assert all(type(value) is float for value in measure(real, fake))
    assert torch.equal(real, kept[0]) and torch.equal(fake, kept[1])
