"""Curves through the latent space: that they close, what they pass through, and where each frame is on them."""

from collections.abc import Callable

import numpy as np
import pytest

from ganart import latent, paths
from ganart.filmconfig import Keyframe
from ganart.paths import Curve

Z = latent.sample_z([11], 64)[0]
KEYFRAMES = latent.sample_z([3, 1, 4, 15], 64) * np.array([[0.7], [1.0], [1.3], [1.0]], np.float32)
WALKS: dict[str, Callable[[np.ndarray], Curve]] = {"slerps": paths.slerps, "spline": paths.spline}
CURVES = {
    "slerps": paths.slerps(KEYFRAMES),
    "slerps-two": paths.slerps(KEYFRAMES[:2]),
    "spline": paths.spline(KEYFRAMES),
    "spline-two": paths.spline(KEYFRAMES[:2]),
    "spline-three": paths.spline(KEYFRAMES[:3]),
    "circle": paths.circle(Z),
    "noise-1": paths.noise(Z, 1),
    "noise-6": paths.noise(Z, 6),
    "along": paths.along(Z, np.eye(64, dtype=np.float32)[5], 2.0),
    "still": paths.still(Z),
}


def steps(z: np.ndarray) -> np.ndarray:
    """Lengths of all steps of a closed way, the one that closes it last."""
    return np.linalg.norm(np.roll(z, -1, axis=0).astype(float) - z, axis=1)


def lengths(z: np.ndarray) -> np.ndarray:
    return np.linalg.norm(z.astype(float), axis=1)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Between two directions, in degrees."""
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


def around(curve: Curve, frames: int) -> np.ndarray:
    return curve.at(np.arange(frames) * (curve.legs / frames))


# --- all curves


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_every_curve_closes(curve):
    ends = curve.at(np.array([0.0, curve.legs]))
    np.testing.assert_array_equal(ends[0], ends[1])
    before = curve.at(np.array([curve.legs - 1e-6]))[0]
    np.testing.assert_allclose(before, ends[0], atol=1e-4)
    u = np.array([0.3, 0.9])
    np.testing.assert_allclose(curve.at(u + curve.legs), curve.at(u), atol=1e-5)


@pytest.mark.parametrize("frames", [12, 31, 150])
@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_the_step_that_closes_a_film_is_no_longer_than_others_on_its_curve(curve, frames):
    z = around(curve, frames)
    assert z.shape == (frames, 64) and z.dtype == np.float32 and np.isfinite(z).all()
    step = curve.legs / frames
    starts = np.linspace(0, curve.legs - step, 40 * frames)[:-1]  # of all steps but the one that closes
    longest = lengths(curve.at(starts + step) - curve.at(starts)).max()
    assert steps(z)[-1] <= longest * 1.01


def test_points_do_not_depend_on_what_is_asked_beside_them():
    for curve in CURVES.values():
        u = np.array([0.9, 0.1, 0.5, 0.1])
        np.testing.assert_array_equal(curve.at(u), np.concatenate([curve.at(u[i : i + 1]) for i in range(4)]))


# --- walks


@pytest.mark.parametrize("count", [2, 3, 4, 9])
@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_walks_pass_through_every_keyframe(walk, count):
    keyframes = latent.sample_z(list(range(count)), 32) * np.linspace(0.5, 1.5, count, dtype=np.float32)[:, None]
    curve = walk(keyframes)
    assert curve.legs == count
    np.testing.assert_allclose(curve.at(np.arange(count)), keyframes, atol=1e-5)


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_walks_stay_as_far_out_as_their_keyframes(walk):
    found = lengths(around(walk(KEYFRAMES), 200))
    assert found.min() > lengths(KEYFRAMES).min() * 0.999 and found.max() < lengths(KEYFRAMES).max() * 1.001


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_a_keyframe_that_comes_twice_in_a_row_is_a_place_to_stay(walk):
    found = walk(KEYFRAMES[[0, 0, 1]]).at(np.linspace(0, 3, 50))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(
        paths.slerps(KEYFRAMES[[0, 0, 1]]).at(np.linspace(0, 1, 9)), [KEYFRAMES[0]] * 9, atol=1e-6
    )


def test_slerps_are_the_great_arcs_between_neighbours():
    t = np.linspace(0, 0.99, 7)
    for k in range(4):
        expected = latent.slerp(KEYFRAMES[k], KEYFRAMES[(k + 1) % 4], t)
        np.testing.assert_allclose(paths.slerps(KEYFRAMES).at(k + t), expected, atol=1e-5)


def one_sided(curve: Curve, u: float) -> tuple[np.ndarray, np.ndarray]:
    """The derivatives at u from before and from after."""
    h = 1e-3
    before, at, after = curve.at(np.array([u - h, u, u + h])).astype(float)
    return (at - before) / h, (after - at) / h


@pytest.mark.parametrize("count", [3, 4, 9])
def test_a_spline_has_no_corner(count):
    keyframes = latent.sample_z(list(range(count)), 32) * np.linspace(0.5, 1.5, count, dtype=np.float32)[:, None]
    for k in range(count):
        before, after = one_sided(paths.spline(keyframes), k)
        assert angle(before, after) < 1 and np.linalg.norm(after) == pytest.approx(
            np.linalg.norm(before), rel=0.02
        )
        before, after = one_sided(paths.slerps(keyframes), k)
        assert angle(before, after) > 30, "great arcs have no corner either, so this test sees none"


def test_a_spline_of_two_turns_round_without_a_jolt():
    for k in range(2):
        before, after = one_sided(paths.spline(KEYFRAMES[:2]), k)
        assert np.linalg.norm(before) < 0.1 and np.linalg.norm(after) < 0.1
    assert np.linalg.norm(one_sided(paths.spline(KEYFRAMES[:2]), 0.5)[0]) > 5


def b_spline(values: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The periodic cubic spline through values (K,) at 0 … K-1, by B-splines: their coefficients are found in the
    Fourier domain, where each is divided by the spectrum of (1, 4, 1) / 6."""
    count = len(values)
    spectrum = (4 + 2 * np.cos(2 * np.pi * np.arange(count) / count)) / 6
    coefficients = np.fft.ifft(np.fft.fft(values) / spectrum).real
    leg, t = np.floor(u).astype(int), u % 1
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return sum(weight * coefficients[(leg + j - 1) % count] for j, weight in enumerate(weights)) / 6


@pytest.mark.parametrize("values", [[3.0, -1.0], [1.0, 2.0, 4.0], [0.0, 1.0, 0.0, -2.0, 5.0], [1.0] * 4])
def test_a_spline_is_the_periodic_cubic_one(values):
    """Beside a value that is always 1, the quotient is the spline itself, whatever the length."""
    u = np.linspace(0, len(values), 101)[:-1]
    z = paths.spline(np.stack([values, np.ones(len(values))], 1).astype(np.float32)).at(u).astype(float)
    np.testing.assert_allclose(z[:, 0] / z[:, 1], b_spline(np.array(values), u), atol=1e-4)


# --- loops


@pytest.mark.parametrize("frames", [12, 150])
def test_a_circle_has_one_speed_and_one_distance(frames):
    z = around(paths.circle(Z, 11), frames)
    np.testing.assert_allclose(z[0], Z, atol=1e-6)
    np.testing.assert_allclose(steps(z), steps(z)[0], rtol=1e-4)
    np.testing.assert_allclose(lengths(z), np.linalg.norm(Z), rtol=1e-5)
    assert angle(z[frames // 2].astype(float), Z.astype(float)) > 179.9  # all the way round, not to and fro
    quarter = 90 * (frames // 4) / (frames / 4)
    assert angle(z[frames // 4].astype(float), Z.astype(float)) == pytest.approx(quarter, abs=0.01)


LOOPS = {"circle": paths.circle, "noise": lambda z, seed=None: paths.noise(z, 3, seed)}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_every_seed_and_every_latent_has_a_loop_of_its_own_and_always_the_same(loop):
    u = np.linspace(0, 1, 8)[1:-1]
    np.testing.assert_array_equal(loop(Z, 5).at(u), loop(Z, 5).at(u))
    np.testing.assert_array_equal(loop(Z).at(u), loop(Z.copy()).at(u))
    nearly = Z + np.float32(1e-6)
    for other in (loop(Z, 6), loop(Z), loop(nearly)):
        assert abs(other.at(u) - loop(Z, 5).at(u)).max() > 0.1
    assert abs(loop(nearly).at(u) - loop(Z).at(u)).max() > 0.1


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_loop_around_nothing_breaks_nothing(loop):
    assert np.isfinite(loop(np.zeros(8, np.float32), None).at(np.linspace(0, 1, 9))).all()


@pytest.mark.parametrize("waves", [1, 2, 4, 6])
def test_noise_starts_at_its_latent(waves):
    for seed in range(5):
        z = latent.sample_z([seed], 64)[0]
        np.testing.assert_allclose(paths.noise(z, waves, seed).at(np.zeros(1))[0], z, atol=1e-5)


@pytest.mark.parametrize("waves", [1, 2, 6])
def test_noise_is_made_of_its_waves_and_no_others(waves):
    """One wave is an ellipse around the origin. The waves fall as 1/k."""
    powers = np.zeros(33)
    for seed in range(200):
        z = around(paths.noise(latent.sample_z([seed], 8)[0], waves, seed), 64)
        powers += (abs(np.fft.rfft(z.astype(float), axis=0)) ** 2).mean(1) / 200
    assert powers[0] < 1e-6 * powers.max() and powers[waves + 1 :].max() < 1e-6 * powers.max()
    k = np.arange(1, waves + 1)
    np.testing.assert_allclose(powers[1 : waves + 1] / powers[1], 1 / k**2, rtol=0.1)


@pytest.mark.parametrize("waves", [1, 4])
def test_every_point_of_noise_is_a_sample_of_the_latent_space(waves):
    u = np.array([0.0, 0.1, 0.25, 0.5, 0.77])
    z = np.stack([paths.noise(latent.sample_z([s], 4)[0], waves, s).at(u) for s in range(3000)]).astype(float)
    for at in range(len(u)):
        points = z[:, at]
        assert abs(points.mean(0)).max() < 0.08
        np.testing.assert_allclose(points.T @ points / len(points), np.eye(4), atol=0.08)
        assert (points**4).mean() == pytest.approx(3, abs=0.25)


def test_more_waves_are_livelier():
    u = np.arange(300) / 300
    way = [steps(paths.noise(Z, waves, 11).at(u)).sum() for waves in range(1, 7)]
    assert (np.diff(way) > 0).all()


@pytest.mark.parametrize("reach", [0.1, 3.0, 6.0])
def test_along_a_direction_it_goes_exactly_as_far_as_was_asked(reach):
    direction = latent.sample_z([2], 64)[0].astype(float)
    direction /= np.linalg.norm(direction)
    curve = paths.along(Z, direction, reach)
    z = around(curve, 100).astype(float)
    far = z @ direction
    assert far.min() == pytest.approx(-reach, abs=1e-5) and far.max() == pytest.approx(reach, abs=1e-5)
    assert far[0] == far.min() and far[50] == far.max()
    rest = Z - (Z @ direction) * direction
    np.testing.assert_allclose(z - far[:, None] * direction, np.broadcast_to(rest, z.shape), atol=1e-5)
    np.testing.assert_allclose(far[1:], far[1:][::-1], atol=1e-5)  # back as it went
    assert abs(np.diff(far))[[0, 49]].max() < abs(np.diff(far)).max() / 10  # slow where it turns


def test_still_stays():
    np.testing.assert_array_equal(paths.still(Z).at(np.linspace(0, 5, 7)), [Z] * 7)


# --- when


def frames_of(*times: tuple[float, float]) -> list[Keyframe]:
    """Keyframes with these rests and ways."""
    return [Keyframe(str(seed), *pair) for seed, pair in enumerate(times)]


@pytest.mark.parametrize("easing", ["linear", "smooth"])
@pytest.mark.parametrize(("count", "frames"), [(2, 20), (3, 30), (4, 52), (3, 3)])
def test_keyframes_come_at_even_times(count, frames, easing):
    u = paths.times(frames_of(*[(0, 1)] * count), frames, easing)
    assert u.shape == (frames,)
    np.testing.assert_allclose(u[:: frames // count], np.arange(count), atol=1e-9)
    assert (np.diff(u) > 0).all() and u[-1] < count


def test_a_walk_of_as_many_frames_as_keyframes_is_the_keyframes():
    u = paths.times(frames_of(*[(0, 1)] * 4), 4, "linear")
    np.testing.assert_allclose(paths.slerps(KEYFRAMES).at(u), KEYFRAMES, atol=1e-5)


@pytest.mark.parametrize(("count", "frames"), [(2, 20), (3, 31), (5, 150)])
def test_a_walk_has_no_double_picture_where_it_closes(count, frames):
    keyframes = latent.sample_z(list(range(count)), 64)
    found = steps(paths.slerps(keyframes).at(paths.times(frames_of(*[(0, 1)] * count), frames, "linear")))
    assert found[-1] <= found[:-1].max() * 1.001 and found.min() > 0.3 * found.max()


def test_rests_and_ways_take_their_shares():
    """1 + 1, 0 + 2, 2 + 4: ten parts, two frames each."""
    u = paths.times(frames_of((1, 1), (0, 2), (2, 4)), 20, "linear")
    expected = [0, 0, 0, 0.5, 1, 1.25, 1.5, 1.75, 2, 2, 2, 2, 2, *(2 + np.arange(1, 8) / 8)]
    np.testing.assert_allclose(u, expected, atol=1e-9)
    doubled = paths.times(frames_of((2, 2), (0, 4), (4, 8)), 20, "linear")
    np.testing.assert_allclose(doubled, u, atol=1e-9)


def test_smooth_easing_slows_down_at_keyframes():
    u = paths.times(frames_of((0, 1), (0, 1)), 200, "smooth")
    linear = paths.times(frames_of((0, 1), (0, 1)), 200, "linear")
    np.testing.assert_allclose(u[[0, 50, 100, 150]], linear[[0, 50, 100, 150]], atol=1e-9)  # at both ends, halfway
    speed = np.diff(u)
    assert speed[[0, 99, 100]].max() < 0.03 * speed.max()
    assert speed.max() == pytest.approx(1.5 / 100, rel=1e-3)  # of t²(3 - 2t), in the middle


@pytest.mark.parametrize("easing", ["linear", "smooth"])
def test_uneven_times_never_go_back(easing):
    keyframes = frames_of((0, 0.01), (100, 3), (0.3, 7.7), (0, 100))
    for frames in (4, 7, 150, 6000):
        u = paths.times(keyframes, frames, easing)
        assert u[0] == 0 and (np.diff(u) >= 0).all() and u[-1] < 4
