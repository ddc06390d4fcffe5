"""The two distances between sets of pictures: what they see, what they leave out, and their formulas in loops."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from ganart import images, metrics
from ganart.randomness import generator

COUNT, SIDE = 64, 32


def blobs(seed: int, count: int = COUNT, side: int = SIDE, channels: int = 3, size: float = 0.15) -> np.ndarray:
    """Pictures of five soft blobs in random colours on grey, with a fine grain; `size` of a blob in sides."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    values = 128 + 6 * rng.standard_normal((count, side, side, channels))
    for _ in range(5):
        row, column = rng.random((2, count, 1, 1))
        spread = size * rng.uniform(0.7, 1.4, (count, 1, 1))
        blob = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * spread**2))
        values += blob[..., None] * rng.uniform(-50, 50, (count, 1, 1, channels))
    return values.clip(0, 255).astype(np.uint8)


def stripes(seed: int) -> np.ndarray:
    """Pictures of a different kind: a wave across, of random length and direction."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    turn, length, start = rng.uniform(0, 6.28, (3, COUNT, 1, 1))
    wave = np.sin((np.cos(turn) * rows + np.sin(turn) * columns) / (1 + length / 3) + start)
    return (128 + 60 * wave[..., None] * rng.uniform(-1, 1, (COUNT, 1, 1, 3))).astype(np.uint8)


def blurred(pictures: np.ndarray) -> np.ndarray:
    """Every pixel becomes the mean of its 3x3 neighbourhood."""
    padded = np.pad(pictures.astype(float), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    parts = [padded[:, i : i + SIDE, j : j + SIDE] for i in range(3) for j in range(3)]
    return np.mean(parts, 0).round().astype(np.uint8)


def collapsed(pictures: np.ndarray, kinds: int) -> np.ndarray:
    """The first few pictures over and over."""
    return np.tile(pictures[:kinds], (len(pictures) // kinds, 1, 1, 1))


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    return blobs(0)


@pytest.fixture(scope="module")
def floor(real) -> dict[str, float]:
    """The sliced distance of another sample of the same source."""
    return metrics.sliced_wasserstein(real, blobs(1))


# --- the pyramid


@pytest.mark.parametrize(
    ("side", "sides"), [(16, [16]), (28, [28]), (32, [32, 16]), (64, [64, 32, 16]), (128, [128, 64, 32, 16])]
)
def test_a_pyramid_goes_down_to_16_px(side, sides):
    levels = metrics.laplacian_pyramid(torch.randn(2, 3, side, side))
    assert [level.shape for level in levels] == [(2, 3, s, s) for s in sides]


def test_a_pyramid_adds_up_to_the_pictures_again():
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    *fine, whole = metrics.laplacian_pyramid(pictures)
    for level in reversed(fine):
        whole = level + metrics._enlarged(whole, level.shape[2])
    torch.testing.assert_close(whole, pictures, atol=1e-5, rtol=0)


def test_a_pyramid_keeps_one_colour_on_its_coarsest_level_alone():
    colour = torch.tensor([0.5, -0.25, 1.0])[:, None, None]
    *fine, coarse = metrics.laplacian_pyramid(colour.expand(1, 3, 64, 64))
    assert all(level.abs().max() < 1e-6 for level in fine)
    torch.testing.assert_close(coarse, colour.expand(1, 3, 16, 16))


def test_a_pyramid_keeps_an_even_slope_out_of_its_finest_level():
    """A level holds what is lost on the way down and up again, and of a slope nothing is, but for the border."""
    slope = (torch.arange(64.0) / 32 - 1).expand(1, 1, 64, 64)
    finest = metrics.laplacian_pyramid(slope)[0][:, :, 8:-8, 8:-8]
    assert finest.abs().max() < 0.1 / 32  # a tenth of the step from pixel to pixel


def test_the_finest_level_holds_the_grain_and_the_coarsest_the_shapes():
    smooth = torch.from_numpy(blurred(blobs(0, size=0.4))).float()
    grain = torch.randn(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    (fine_grain, coarse_grain), (fine_smooth, coarse_smooth) = (
        [level.std().item() for level in metrics.laplacian_pyramid(values)]
        for values in (grain, smooth.permute(0, 3, 1, 2))
    )
    assert fine_grain > 2 * coarse_grain and coarse_smooth > 5 * fine_smooth


# --- sliced Wasserstein distance


@pytest.mark.parametrize(("side", "names"), [(16, ["16"]), (28, ["28"]), (32, ["32", "16"])])
def test_levels_are_named_by_their_sides_finest_first(side, names):
    found = metrics.sliced_wasserstein(blobs(0, 4, side), blobs(1, 4, side))
    assert list(found) == names
    assert all(isinstance(value, float) and value > 0 for value in found.values())


def test_a_set_is_at_no_distance_from_itself(real):
    assert metrics.sliced_wasserstein(real, real.copy()) == {"32": 0, "16": 0}


def test_the_same_sets_and_seed_give_the_same_figures(real, floor):
    assert metrics.sliced_wasserstein(real, blobs(1)) == floor
    other = metrics.sliced_wasserstein(real, blobs(1), seed=1)
    assert other != floor and other["32"] == pytest.approx(floor["32"], rel=0.4)


def test_another_source_is_farther_away_than_another_sample(real, floor):
    assert metrics.sliced_wasserstein(real, blobs(2))["16"] < 1.5 * floor["16"]
    found = metrics.sliced_wasserstein(real, stripes(0))
    assert found["32"] > 4 * floor["32"] and found["16"] > 2 * floor["16"]
    smaller_blobs = metrics.sliced_wasserstein(real, blobs(1, size=0.03))  # with the same grain
    assert smaller_blobs["16"] > 3 * floor["16"]


def test_a_shift_of_all_colours_shows_on_the_coarse_level(real, floor):
    assert real.max() < 250
    found = metrics.sliced_wasserstein(real, real + np.uint8(5))
    assert found["16"] > 10 * max(found["32"], 1e-3)
    far = metrics.sliced_wasserstein(real, real.clip(0, 215) + np.uint8(40))
    assert far["16"] > 5 * floor["16"] and far["16"] > 3 * found["16"]


def test_blur_shows_on_the_fine_level(real, floor):
    found = metrics.sliced_wasserstein(real, blurred(blobs(1)))
    assert found["32"] > 5 * floor["32"]
    assert found["32"] - floor["32"] > 3 * abs(found["16"] - floor["16"])


def test_a_collapsed_set_is_worse_than_a_full_one(real, floor):
    found = metrics.sliced_wasserstein(real, collapsed(blobs(1), 4))
    assert found["16"] > 1.5 * floor["16"]


def test_one_dimensional_distances_are_those_of_the_best_pairing():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (2, 6))
    best = min(abs(a - np.array(order)).mean() for order in itertools.permutations(b))
    one, other = (
        metrics._sorted(torch.from_numpy(points)[:, None], torch.ones(1, 1).double()) for points in (a, b)
    )
    assert np.abs(one - other).mean() == pytest.approx(best)


def test_the_distance_between_sets_of_plain_greys_is_the_known_one():
    """All patches of a plain grey v are (v, …, v), and project to v times the sum of the direction, on average
    sqrt(2 / pi) in size for any length of the patch. A shift by d is thus at d / deviation * sqrt(2 / pi)."""
    levels = np.random.default_rng(0).integers(40, 180, (40, 1, 1, 1))
    real, fake = (np.broadcast_to(values, (40, 16, 16, 1)).astype(np.uint8) for values in (levels, levels + 30))
    expected = 1000 * 30 / levels.std() * (2 / np.pi) ** 0.5
    spread = (np.pi / 2 - 1) ** 0.5 / metrics.DIRECTIONS**0.5  # relative standard error over the directions
    found = metrics.sliced_wasserstein(real, fake)["16"]
    assert found == pytest.approx(expected, rel=4 * spread + 0.01)
    twice = metrics.sliced_wasserstein(real, fake + np.uint8(30))["16"]
    assert twice == pytest.approx(2 * found, rel=1e-4)


def test_brightness_and_contrast_of_the_whole_world_do_not_count():
    """Both sets are scaled by the real one's mean and deviation."""
    one, other = blobs(0, 16), blobs(1, 16)
    half = [(pictures // 2).astype(np.uint8) for pictures in (one, other)]
    for level, value in metrics.sliced_wasserstein(*half).items():
        assert value == pytest.approx(metrics.sliced_wasserstein(one, other)[level], rel=0.15)


def test_patches_are_cut_from_the_level_at_the_same_places_for_both_sets():
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    level = torch.stack([rows, columns]).expand(20, 2, 16, 16)
    found = metrics._patches(level, seed=0)
    assert found.shape == (20 * metrics.PATCHES, 2, 49)
    square = found.view(-1, 2, 7, 7)
    steps = torch.arange(7.0)
    corners = square[:, :, :1, :1]
    assert torch.equal(square[:, 0], (corners[:, 0] + steps[:, None]).expand(-1, 7, 7)), "rows go down"
    assert torch.equal(square[:, 1], (corners[:, 1] + steps).expand(-1, 7, 7)), "columns go right"
    assert corners.min() == 0 and corners.max() == 16 - 7
    assert torch.equal(found, metrics._patches(level, seed=0))
    marked = torch.arange(20.0)[:, None, None, None].expand(20, 2, 16, 16)
    assert metrics._patches(marked, seed=0)[:: metrics.PATCHES, 0, 0].tolist() == list(range(20))


# --- kernel distance


def test_features_are_one_row_for_each_picture_and_hang_on_the_seed(real):
    some = real[:6]
    features = metrics.random_features(some, 0)
    assert features.shape == (6, 2 * (32 + 64 + 96 + 128)) and torch.isfinite(features).all()
    assert torch.equal(features, metrics.random_features(some, 0))
    assert not torch.allclose(features, metrics.random_features(some, 1))
    torch.testing.assert_close(features[4:5], metrics.random_features(some[4:5], 0), rtol=1e-4, atol=1e-5)


def test_features_of_the_first_layer_are_those_of_its_formula(real):
    """Three steps of the first map, written out: sums over a 3x3 window, leaky ReLU, mean and deviation."""
    weights = generator(3, metrics.FEATURES).standard_normal((32, 3, 3, 3), np.float32) * (2 / 27) ** 0.5
    picture = np.pad(images.to_float(torch.from_numpy(real[:1]))[0].numpy(), ((0, 0), (1, 1), (1, 1)))
    expected = np.zeros((32, SIDE, SIDE))
    for i in range(3):
        for j in range(3):
            window = picture[:, i : i + SIDE, j : j + SIDE]
            expected += np.einsum("oc,chw->ohw", weights[:, :, i, j], window)
    expected = np.where(expected > 0, expected, 0.2 * expected)
    found = metrics.random_features(real[:1], 3)[0]
    np.testing.assert_allclose(found[:32], expected.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(found[32:64], expected.std((1, 2), ddof=1), rtol=1e-4)


def test_the_discrepancy_is_the_double_sum_without_its_diagonal():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (5, 3)), rng.normal(0.5, 1, (5, 3))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 3 + 1) ** 3)

    pairs = [(i, j) for i in range(5) for j in range(5)]
    within = sum(kernel(a[i], a[j]) + kernel(b[i], b[j]) for i, j in pairs if i != j) / 20
    between = sum(kernel(a[i], b[j]) for i, j in pairs) / 25
    assert metrics._mmd(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(within - 2 * between)


def test_the_discrepancy_of_one_source_is_0_on_average():
    rng = np.random.default_rng(0)
    found = [metrics._mmd(*torch.from_numpy(rng.normal(0, 1, (2, 8, 4)))) for _ in range(2000)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 2000**0.5
    assert min(found) < 0 < max(found)


def test_the_kernel_distance_of_one_source_is_near_0_beside_that_of_two(real):
    pool, rng = blobs(5, 3 * COUNT), np.random.default_rng(0)
    splits = [rng.permutation(len(pool)) for _ in range(6)]
    same = [metrics.kernel_distance(pool[order[:COUNT]], pool[order[COUNT : 2 * COUNT]]) for order in splits]
    different = metrics.kernel_distance(real, stripes(0))
    assert abs(np.mean(same)) < 0.01 * different
    assert max(map(abs, same)) < 0.05 * different
    assert metrics.kernel_distance(real, blobs(1, size=0.03)) > 5 * max(map(abs, same))


def test_the_kernel_distance_sees_a_collapse(real):
    full = abs(metrics.kernel_distance(real, blobs(1)))
    assert metrics.kernel_distance(real, collapsed(blobs(1), 2)) > 3 * full


def test_the_kernel_distance_is_the_same_every_time(real):
    assert metrics.kernel_distance(real[:16], real[16:32]) == metrics.kernel_distance(real[:16], real[16:32])


def drawn_features(seed: int, count: int, shift: float = 0.0) -> list[Tensor]:
    """As of pictures of one source, by two networks."""
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(count, 12, generator=source) + shift for _ in range(2)]


def test_the_standard_error_is_that_of_leaving_out_each_fake():
    real, fake = drawn_features(0, 9), drawn_features(1, 7, 0.3)
    fewer = []
    for i in range(7):
        kept = [torch.cat([part[:i], part[i + 1 :]]) for part in fake]
        pairs = [metrics.standardised(*pair) for pair in zip(real, kept, strict=True)]
        fewer.append(1000 * np.mean([plainly(a.double(), b.double()) for a, b in pairs]))
    assert metrics.error_of(real, fake) == pytest.approx(
        (6 / 7 * sum((np.array(fewer) - np.mean(fewer)) ** 2)) ** 0.5
    )


def plainly(a: Tensor, b: Tensor) -> float:
    """The squared discrepancy of sets of different sizes, pair by pair, but for what only a has a part in."""

    def k(x: Tensor, y: Tensor) -> float:
        return ((x @ y) / len(x) + 1).item() ** 3

    within = [k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j]
    return np.mean(within) - 2 * np.mean([k(x, y) for x in a for y in b])


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_standard_error_is_how_far_distances_of_other_fakes_stray(shift):
    real = drawn_features(0, 100)
    sets = [drawn_features(seed, 100, shift) for seed in range(1, 201)]
    strays = np.std([metrics.kernel_distance_of(real, fake) for fake in sets])
    told = np.median([metrics.error_of(real, fake) for fake in sets])
    assert told == pytest.approx(strays, rel=0.35)


@pytest.mark.parametrize("which", ["fake", "real"])
def test_a_set_of_one_picture_alone_gives_finite_figures(which):
    """Nothing differs between its pictures, so all its deviations are 0."""
    one, other = collapsed(blobs(0, 16), 1), blobs(1, 16)
    sets = (one, other) if which == "real" else (other, one)
    assert np.isfinite(list(metrics.sliced_wasserstein(*sets).values())).all()
    assert np.isfinite(metrics.kernel_distance(*sets))


# --- both


@pytest.mark.parametrize("measure", [metrics.sliced_wasserstein, metrics.kernel_distance])
def test_sets_of_different_form_are_refused(measure):
    one = blobs(0, 6, 16)
    for other in (one[:5], blobs(0, 6, 32), blobs(0, 6, 16, channels=1)):
        with pytest.raises(ValueError, match="same form"):
            measure(one, other)
    with pytest.raises(ValueError, match="same form"):
        measure(one[:1], one[:1])


def test_grey_pictures_work():
    one, same, other = blobs(0, 32, channels=1), blobs(1, 32, channels=1), blobs(1, 32, channels=1, size=0.04)
    near, far = metrics.sliced_wasserstein(one, same), metrics.sliced_wasserstein(one, other)
    assert list(near) == ["32", "16"] and far["16"] > 2 * near["16"]
    assert metrics.kernel_distance(one, other) > 3 * abs(metrics.kernel_distance(one, same))


def test_pictures_may_be_read_only_and_are_left_alone(real):
    kept = real[:8].copy()
    kept.setflags(write=False)
    metrics.sliced_wasserstein(kept, real[8:16])
    metrics.kernel_distance(kept, real[8:16])
    np.testing.assert_array_equal(kept, real[:8])
