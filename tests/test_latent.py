"""Seeds, arcs and what is made of latents, checked against formulas written down a second time."""

import numpy as np
import pytest

from ganart import latent
from ganart.errors import InputError


def angle(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float), b.astype(float)
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


def test_a_seed_is_a_picture_whatever_is_drawn_beside_it():
    together = latent.sample_z([7, 3, 2**32 - 1, 7], 100)
    assert together.shape == (4, 100) and together.dtype == np.float32
    for row, seed in enumerate([7, 3, 2**32 - 1, 7]):
        np.testing.assert_array_equal(together[row], latent.sample_z([seed], 100)[0])
    assert not np.array_equal(together[0], together[1])


def test_a_seed_is_the_same_picture_in_every_version():
    written_down = [
        [-1.5641825, -0.3293442, -2.0088933, -0.3433073],
        [-0.4045270, -1.2026320, -0.1077861, 0.0107083],
    ]
    np.testing.assert_allclose(latent.sample_z([0, 42], 4), written_down, atol=1e-6)


def test_latents_are_normal_over_many_seeds():
    z = latent.sample_z(list(range(3000)), 32).astype(float)
    assert abs(z.mean()) < 0.015 and abs(z.std() - 1) < 0.01
    assert abs((z**4).mean() - 3) < 0.15  # a normal distribution's, not a uniform one's
    assert abs(z.mean(0)).max() < 0.1 and abs(z.std(0) - 1).max() < 0.07
    between_neighbours = (z[1:] * z[:-1]).mean()
    assert abs(between_neighbours) < 0.02


def test_no_seeds_give_no_latents():
    assert latent.sample_z([], 5).shape == (0, 5)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(InputError, match="between 0 and 4294967295"):
        latent.sample_z([1, seed], 8)


def test_slerp_begins_and_ends_where_it_should():
    a, b = latent.sample_z([1, 2], 128)
    path = latent.slerp(a, b, np.array([0.0, 1.0]))
    assert path.dtype == np.float32
    np.testing.assert_allclose(path, [a, b], atol=1e-6)


def test_slerp_turns_evenly_and_lengths_change_linearly():
    a, b = latent.sample_z([1, 2], 128)
    b = 2 * b
    t = np.linspace(0, 1, 11)
    path = latent.slerp(a, b, t)
    lengths = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(lengths, (1 - t) * np.linalg.norm(a) + t * np.linalg.norm(b), rtol=1e-5)
    turned = [angle(a, point) for point in path]
    np.testing.assert_allclose(turned, t * angle(a, b), atol=0.05)


def test_slerp_agrees_with_a_turn_in_the_plane_of_both():
    """The same arc by Gram-Schmidt: cos(ta) u + sin(ta) v, v at right angles to u."""
    a, b = latent.sample_z([5, 6], 20).astype(float)
    u = a / np.linalg.norm(a)
    v = b - (b @ u) * u
    v /= np.linalg.norm(v)
    whole = np.radians(angle(a, b))
    for t in (0.1, 0.5, 0.77):
        length = (1 - t) * np.linalg.norm(a) + t * np.linalg.norm(b)
        expected = length * (np.cos(t * whole) * u + np.sin(t * whole) * v)
        np.testing.assert_allclose(latent.slerp(a, b, np.array([t]))[0], expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0, 0.0])
def test_slerp_joins_parallel_vectors_by_a_straight_line(factor):
    a = latent.sample_z([1], 16)[0]
    t = np.linspace(0, 1, 5)
    path = latent.slerp(a, factor * a, t)
    np.testing.assert_allclose(path, a + t[:, None] * (factor * a - a), atol=1e-5)


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.5, 1.0])
def test_neighbours_turn_by_their_share_of_a_right_angle(amount):
    z = latent.sample_z([9], 128)[0]
    found = latent.neighbours(z, amount, 6, seed=1)
    assert found.shape == (6, 128) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(z), rtol=1e-5)
    assert [angle(z, other) for other in found] == pytest.approx([amount * 90] * 6, abs=0.05)


def test_neighbours_differ_from_each_other_and_between_rounds():
    z = latent.sample_z([9], 128)[0]
    first, second = latent.neighbours(z, 0.5, 4, seed=1), latent.neighbours(z, 0.5, 4, seed=2)
    everything = np.concatenate([first, second])
    assert min(angle(a, b) for i, a in enumerate(everything) for b in everything[:i]) > 20


def test_picking_variations_can_be_done_again():
    z = latent.sample_z([9], 32)[0]
    assert np.array_equal(latent.varied(9, [], 32), z)
    once = latent.neighbours(z, 0.3, 8, seed=4)[5]  # the page shows eight, and the sixth is picked
    twice = latent.neighbours(once, 0.2, 8, seed=5)[0]
    np.testing.assert_allclose(latent.varied(9, [[0.3, 4, 5]], 32), once, atol=1e-6)
    np.testing.assert_allclose(latent.varied(9, [[0.3, 4, 5], [0.2, 5, 0]], 32), twice, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0-35,40,3", [*range(36), 40, 3]),
        ("7", [7]),
        (" 3, 14 ,15", [3, 14, 15]),
        ("5-5", [5]),
        ("4294967295", [2**32 - 1]),
        ("1,1", [1, 1]),
    ],
)
def test_seeds_as_people_type_them(text, seeds):
    assert latent.parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "a",
        "1-",
        "-3",
        "3-1",
        "1,,2",
        "1--2",
        "1-2-3",
        "1.5",
        "²",
        "٣",
        "0x1",
        "4294967296",
        pytest.param("9" * 5000, id="5000-digits"),
    ],
)
def test_what_is_not_a_list_of_seeds_is_refused(text):
    with pytest.raises(InputError):
        latent.parse_seeds(text)


@pytest.mark.parametrize("text", ["0-10000", "0-5000,0-5000", "0-4294967295"])
def test_too_many_seeds_are_refused_before_they_are_listed(text):
    with pytest.raises(InputError, match="10,000"):
        latent.parse_seeds(text)
    assert len(latent.parse_seeds("0-9999")) == 10_000


def test_truncation_shortens_and_turns_nothing():
    z = latent.sample_z([1, 2], 16)
    np.testing.assert_allclose(latent.truncate(z, 0.7), 0.7 * z, rtol=1e-6)
    assert latent.truncate(z, 1.0).dtype == np.float32


# --- sums, jitter, children


def test_typical_latents_have_the_length_of_samples_and_point_as_before():
    z = latent.sample_z([1, 2, 3], 64) * np.array([[0.01], [1], [30]], np.float32)
    found = latent.typical(z)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 8, rtol=1e-5)
    assert max(angle(a, b) for a, b in zip(z, found, strict=True)) < 0.1
    np.testing.assert_array_equal(latent.typical(z[0]), found[0])
    assert not latent.typical(np.zeros((2, 5), np.float32)).any()


def test_sums_average_each_part_and_come_out_typical():
    plus, minus, plus_too = (
        latent.sample_z([1, 2, 3], 100),
        latent.sample_z([4, 5], 100),
        latent.sample_z([6], 100),
    )
    found = latent.arithmetic(plus, minus, plus_too)
    assert found.shape == (100,) and found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(10, rel=1e-5)
    expected = sum(plus) / 3 - sum(minus) / 2 + plus_too[0]
    assert angle(found, expected) < 0.1


def test_what_is_taken_away_and_added_again_changes_only_the_length():
    a, b = latent.sample_z([1, 2], 32)[:, None]
    assert angle(latent.arithmetic(a, b, b), a[0]) < 0.1
    assert np.linalg.norm(latent.arithmetic(a, b, b)) == pytest.approx(np.sqrt(32), rel=1e-5)
    assert not latent.arithmetic(a, a, np.zeros_like(a)).any()  # nothing is left, and nothing breaks


@pytest.mark.parametrize("count", [1, 2, 9])
def test_jittered_latents_lie_around_the_one_in_the_middle(count):
    z = latent.sample_z([9], 128)[0]
    found = latent.jittered(z, count, seed=1, amount=0.25)
    assert found.shape == (count, 128) and found.dtype == np.float32
    np.testing.assert_array_equal(found[count // 2], z)
    others = np.delete(found, count // 2, 0) - z
    assert (abs(others) <= 0.25 + 1e-6).all()
    if count == 9:
        assert abs(others).max() > 0.24 and others.std() == pytest.approx(0.5 / 12**0.5, rel=0.1)  # uniform
        assert len(np.unique(others.round(5), axis=0)) == 8
        assert not np.array_equal(found, latent.jittered(z, count, seed=2))
        np.testing.assert_array_equal(found, latent.jittered(z, count, seed=1))


def orthonormal(z_dim: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(0).standard_normal((z_dim, z_dim)))[0]


def test_children_take_every_direction_from_one_parent_or_the_other():
    a, b = latent.sample_z([1, 2], 64)
    basis = orthonormal(64)
    found = latent.cross(a, b, basis, 8, seed=3)
    assert found.shape == (8, 64) and found.dtype == np.float32
    parts = found @ basis.T
    from_a, from_b = (np.isclose(parts, basis @ parent, atol=1e-4) for parent in (a, b))
    assert (from_a | from_b).all()
    assert 0.4 < from_a.mean() < 0.6  # neither parent is favoured
    assert len(np.unique(from_a, axis=0)) == 8  # no two children are alike
    np.testing.assert_array_equal(found, latent.cross(a, b, basis, 8, seed=3))
    assert not np.allclose(found, latent.cross(a, b, basis, 8, seed=4))


def test_children_of_one_parent_twice_are_that_parent():
    a = latent.sample_z([1], 64)[0]
    np.testing.assert_allclose(latent.cross(a, a, orthonormal(64), 3, seed=0), np.stack([a] * 3), atol=1e-5)


def test_children_of_normal_parents_are_normal():
    parents = latent.sample_z(list(range(1200)), 24)
    basis = orthonormal(24)
    pairs = zip(parents[::2], parents[1::2], strict=True)
    children = np.stack([latent.cross(a, b, basis, 1, seed)[0] for seed, (a, b) in enumerate(pairs)]).astype(float)
    assert abs(children.mean()) < 0.03 and abs(children.std() - 1) < 0.02
    assert abs(children.mean(0)).max() < 0.15 and abs(children.std(0) - 1).max() < 0.12
    together = children.T @ children / len(children)
    assert abs(together - np.eye(24)).max() < 0.2  # no direction goes with another
    assert abs((children**4).mean() - 3) < 0.3
