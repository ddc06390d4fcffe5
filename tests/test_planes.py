"""Planes for the pad: where their points lie in the latent space, and how an address names them."""

import numpy as np
import pytest

from ganart import latent, places, planes
from ganart.errors import InputError
from ganart.planes import CORNERS, REACH, SIGMAS, Around, Directions, Three

Z = latent.sample_z([3], 16)[0]
SQUARE = np.random.default_rng(0).uniform(-1, 1, (200, 2))
FOUND = np.linalg.qr(np.random.default_rng(1).standard_normal((16, 16)))[0][:4]  # directions of some model


def lengths(z: np.ndarray) -> np.ndarray:
    return np.linalg.norm(z.astype(float), axis=-1)


def angles(z: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Between z and each of the others, in radians."""
    z = z.astype(float)
    return np.arccos(np.clip(others.astype(float) @ z / lengths(z) / lengths(others), -1, 1))


# --- random planes


def test_the_middle_of_a_random_plane_is_the_latent_itself():
    found = planes.around(Z, 5).at(np.zeros((1, 2)))
    assert found.shape == (1, 16) and found.dtype == np.float32
    np.testing.assert_array_equal(found[0], Z)


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0])
def test_every_point_of_a_random_plane_is_as_typical_as_its_middle(factor):
    found = planes.around(factor * Z, 5).at(SQUARE)
    np.testing.assert_allclose(lengths(found), factor * lengths(Z), rtol=1e-5)


def test_a_random_plane_turns_evenly_to_every_side():
    found = planes.around(Z, 5).at(SQUARE)
    np.testing.assert_allclose(angles(Z, found), lengths(SQUARE) * REACH, atol=1e-3)
    edges = planes.around(Z, 5).at(np.array([[1, 0], [0, -1], [-1, 0], [0, 1]]))
    np.testing.assert_allclose(np.degrees(angles(Z, edges)), 72, atol=0.01)


def test_the_two_ways_of_a_random_plane_stand_at_right_angles():
    plane = planes.around(Z, 5)
    np.testing.assert_allclose(plane.along @ plane.along.T, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(plane.along @ Z, 0, atol=1e-5)
    right, up = plane.at(np.array([[0.5, 0], [0, 0.5]])) @ plane.along.T
    far = np.sin(0.5 * REACH) * lengths(Z)
    np.testing.assert_allclose([right, up], far * np.eye(2), atol=1e-4)


def test_a_turn_is_a_plane_and_another_turn_another():
    np.testing.assert_array_equal(planes.around(Z, 7).at(SQUARE), planes.around(Z, 7).at(SQUARE))
    one, other = planes.around(Z, 7).along, planes.around(Z, 8).along
    shared = np.linalg.svd(one @ other.T, compute_uv=False)  # cosines between the two planes
    assert shared.max() < 0.95


def test_a_random_plane_is_there_in_every_latent_space_that_a_model_may_have():
    for z_dim in (2, 3, 1024):
        z = latent.sample_z([3], z_dim)[0]
        found = planes.around(z, 0).at(np.array([[0, 0], [1, 0], [0, 1], [-1, -1]]))
        assert found.shape == (4, z_dim) and np.isfinite(found).all()
        np.testing.assert_allclose(found[0], z, atol=1e-6)
        assert len(np.unique(found, axis=0)) == 4


def test_around_the_origin_nothing_breaks():
    assert not planes.around(np.zeros(16, np.float32), 0).at(SQUARE).any()


# --- along directions


def test_along_directions_each_axis_moves_along_one():
    found = Directions(Z.astype(float), FOUND[:2]).at(SQUARE)
    assert found.dtype == np.float32
    for z, (x, y) in zip(found, SQUARE, strict=True):
        np.testing.assert_allclose(z, Z + SIGMAS * (x * FOUND[0] + y * FOUND[1]), atol=1e-5)
    np.testing.assert_array_equal(Directions(Z.astype(float), FOUND[:2]).at(np.zeros((1, 2)))[0], Z)


# --- through three


@pytest.fixture
def three() -> Three:
    """Through three latents of different lengths."""
    return Three(latent.sample_z([1, 2, 3], 16).astype(float) * np.array([[0.8], [1.0], [1.5]]))


def test_the_three_lie_at_their_corners(three):
    np.testing.assert_allclose(three.at(CORNERS), three.corners, atol=1e-5)


def test_lengths_stay_between_those_of_the_three(three):
    found = lengths(three.at(SQUARE))
    low, high = lengths(three.corners).min(), lengths(three.corners).max()
    assert (found > low * 0.9999).all() and (found < high * 1.0001).all()


def test_halfway_between_two_the_third_has_no_part(three):
    for a, b in ((0, 1), (1, 2), (0, 2)):
        found = three.at((CORNERS[a] + CORNERS[b])[None] / 2)[0]
        ends = three.corners[[a, b]]
        bisector = (ends / lengths(ends)[:, None]).sum(0)
        np.testing.assert_allclose(found / lengths(found), bisector / lengths(bisector), atol=1e-5)
        assert lengths(found) == pytest.approx(lengths(ends).mean(), rel=1e-5)


def test_outside_the_triangle_it_goes_on_away_from_the_opposite_corner(three):
    bottom = (CORNERS[0] + CORNERS[1]) / 2
    below = np.linspace(bottom, bottom + 0.35 * (bottom - CORNERS[2]), 5)
    turned = angles(three.corners[2], three.at(below))
    assert (np.diff(turned) > 0).all()


def test_three_latents_that_cancel_or_are_nothing_break_nothing():
    z = latent.sample_z([1], 16)[0].astype(float)
    for corners in ([z, z, z], [z, -z, z], [0 * z, z, -z], [0 * z, 0 * z, 0 * z]):
        assert np.isfinite(Three(np.stack(corners)).at(SQUARE)).all()


# --- sheets of a plane


class Flat:
    """A plane whose latents are its points."""

    def at(self, points: np.ndarray) -> np.ndarray:
        return points


def test_a_sheet_goes_row_by_row_from_the_upper_left():
    found = planes.grid(Flat(), 3)
    third = 2 / 3
    expected = [[x, y] for y in (third, 0, -third) for x in (-third, 0, third)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("count", "middle", "span"), [(4, (0.0, 0.0), 1.0), (5, (0.3, -0.2), 0.25), (1, (0, 1), 1)]
)
def test_every_point_is_the_centre_of_its_cell(count, middle, span):
    found = planes.grid(Flat(), count, middle, span).reshape(count, count, 2)
    side = 2 * span / count
    for row in range(count):
        for column in range(count):
            left, top = middle[0] - span + column * side, middle[1] + span - row * side
            np.testing.assert_allclose(found[row, column], [left + side / 2, top - side / 2], atol=1e-12)


def test_a_part_of_a_plane_shows_the_same_latents_as_the_whole():
    plane = planes.around(Z, 5)
    whole = planes.grid(plane, 9).reshape(9, 9, 16)
    part = planes.grid(plane, 3, (-2 / 3, 2 / 3), 1 / 3).reshape(3, 3, 16)
    np.testing.assert_allclose(part, whole[:3, :3], atol=1e-5)


# --- as an address names them


def directions(kind: str) -> np.ndarray:
    if kind != "sefa":
        raise InputError(f"“{kind}” is no kind of directions.")
    return FOUND


HERE = places.write(Z)
QUERIES = {
    "around": {"plane": "around", "at": HERE, "turn": "4"},
    "directions": {"plane": "directions", "at": HERE, "kind": "sefa", "i": "2", "j": "0"},
    "three": {"plane": "three", "a": "1", "b": HERE, "c": "7"},
}


def test_an_address_names_a_random_plane():
    expected = planes.around(Z, 4).at(SQUARE)
    for left_out in ((), ("plane",)):
        query = {name: text for name, text in QUERIES["around"].items() if name not in left_out}
        np.testing.assert_array_equal(planes.read(query, 16, directions).at(SQUARE), expected)
    first = planes.read({"at": "3"}, 16, directions)
    assert isinstance(first, Around)
    np.testing.assert_array_equal(first.at(SQUARE), planes.around(Z, 0).at(SQUARE))


def test_an_address_names_two_directions():
    plane = planes.read(QUERIES["directions"], 16, directions)
    expected = Z + SIGMAS * SQUARE @ FOUND[[2, 0]]
    np.testing.assert_allclose(plane.at(SQUARE), expected, atol=1e-5)
    clamped = planes.read({**QUERIES["directions"], "i": "99", "j": "1"}, 16, directions)
    np.testing.assert_array_equal(clamped.along, FOUND[[3, 1]])


def test_an_address_names_three_places():
    plane = planes.read(QUERIES["three"], 16, directions)
    one, seven = latent.sample_z([1, 7], 16)
    np.testing.assert_allclose(plane.at(CORNERS), [one, Z, seven], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, query in QUERIES.items() for name in query if name not in ("plane", "turn")],
)
@pytest.mark.parametrize("text", [None, "", "-1", "nan", "x", "1.5", "²", "z.AAAA", "9" * 400])
def test_what_is_missing_or_wrong_in_an_address_is_said(kind, name, text):
    query = {**QUERIES[kind], name: text}
    if text is None:
        del query[name]
    with pytest.raises(InputError) as refusal:
        planes.read(query, 16, directions)
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 450


@pytest.mark.parametrize("turn", ["", "-1", "x", "1.5", "9" * 13])
def test_a_turn_is_a_number(turn):
    with pytest.raises(InputError, match="not a whole number"):
        planes.read({"at": "3", "turn": turn}, 16, directions)


@pytest.mark.parametrize("kind", ["", "Around", "../x", "x" * 1000])
def test_other_kinds_of_planes_are_refused(kind):
    with pytest.raises(InputError, match="around, directions, three") as refusal:
        planes.read({**QUERIES["around"], "plane": kind}, 16, directions)
    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("0", 2), ("2", 2), ("9", 9), ("10", 9), ("999999999999", 9), ("007", 7)]
)
def test_numbers_are_brought_into_their_range(text, value):
    assert planes.number(text, 2, 9) == value


@pytest.mark.parametrize(
    "text", ["", " ", " 5", "5 ", "+5", "-5", "5.0", "5e0", "0x5", "1_0", "²", "٥", "nan", "inf", "9" * 13, "5\n"]
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(InputError, match="not a whole number of 0 or more"):
        planes.number(text, 2, 9)
