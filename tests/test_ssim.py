"""Structural similarity: its formula in loops, its known values, and what it says of sets."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganart import ssim


def noise(seed: int, count: int = 2, side: int = 16, channels: int = 3) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def plain(value: float, side: int = 32) -> Tensor:
    return torch.full((1, 1, side, side), value)


def by_loops(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """SSIM and its contrast and structure of one channel, (S, S) in [-1, 1], as Wang et al. 2004 write it: of
    brightness that begins at 0 for black."""
    a, b = a + 1, b + 1
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    weights = {
        (i, j): math.exp(-((i - 5) ** 2 + (j - 5) ** 2) / (2 * 1.5**2)) for i in range(11) for j in range(11)
    }
    total = sum(weights.values())
    similarity, contrast = [], []
    for row in range(len(a) - 10):
        for column in range(len(a) - 10):
            mean_a = mean_b = 0.0
            for (i, j), weight in weights.items():
                mean_a += weight / total * a[row + i, column + j]
                mean_b += weight / total * b[row + i, column + j]
            var_a = var_b = both = 0.0
            for (i, j), weight in weights.items():
                off_a, off_b = a[row + i, column + j] - mean_a, b[row + i, column + j] - mean_b
                var_a += weight / total * off_a**2
                var_b += weight / total * off_b**2
                both += weight / total * off_a * off_b
            contrast.append((2 * both + c2) / (var_a + var_b + c2))
            luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            similarity.append(luminance * contrast[-1])
    return float(np.mean(similarity)), float(np.mean(contrast))


def halved(picture: np.ndarray) -> np.ndarray:
    side = len(picture) // 2
    return picture.reshape(side, 2, side, 2).mean((1, 3))


@pytest.mark.parametrize(
    ("side", "count"),
    [(11, 1), (16, 1), (21, 1), (22, 2), (28, 2), (32, 2), (64, 3), (128, 4), (256, 5), (512, 5)],
)
def test_as_many_scales_as_the_window_fits_into(side, count):
    assert ssim.scales(side) == count
    assert side / 2 ** (count - 1) >= ssim.WINDOW


@pytest.mark.parametrize("side", [16, 28, 32, 64])
def test_equal_pictures_are_1(side):
    pictures = noise(0, 3, side)
    torch.testing.assert_close(ssim.ms_ssim(pictures, pictures.clone()), torch.ones(3))


def test_one_scale_is_the_formula_in_loops():
    a = noise(0, 2, 14)
    b = 0.6 * a + 0.4 * noise(1, 2, 14)
    expected = [
        np.mean([by_loops(a[n, c].double().numpy(), b[n, c].double().numpy())[0] for c in range(3)])
        for n in range(2)
    ]
    assert min(expected) > 0.2 and max(expected) < 0.95, "a case that tells little"
    assert ssim.ms_ssim(a, b).tolist() == pytest.approx(expected, abs=1e-4)


def test_two_scales_are_contrast_on_the_fine_one_and_all_on_the_coarse_one():
    a = noise(0, 1, 24, 1)
    b = 0.8 * a + 0.2 * noise(1, 1, 24, 1)
    one, other = a[0, 0].double().numpy(), b[0, 0].double().numpy()
    fine, coarse = by_loops(one, other)[1], by_loops(halved(one), halved(other))[0]
    assert 0.2 < coarse < 0.98, "a case that tells little"
    weights = np.array([0.0448, 0.2856]) / (0.0448 + 0.2856)
    assert ssim.ms_ssim(a, b).item() == pytest.approx(fine ** weights[0] * coarse ** weights[1], abs=1e-4)


def test_greys_that_hardly_differ_are_alike_wherever_they_lie():
    """Also in the middle, where one is just below 0 and the other just above it."""
    for value in (-0.9, -0.02, 0.5):
        assert ssim.ms_ssim(plain(value, 16), plain(value + 0.04, 16)).item() > 0.9


@pytest.mark.parametrize("side", [28, 64, 256])
def test_weights_of_all_numbers_of_scales_add_to_1(side):
    """Plain pictures have the same contrast, and on the coarsest scale alone does their brightness count."""
    a, b, c1 = -0.6, 0.8, 0.02**2
    count = ssim.scales(side)
    weight = ssim.WEIGHTS[count - 1] / sum(ssim.WEIGHTS[:count])
    luminance = (2 * (1 + a) * (1 + b) + c1) / ((1 + a) ** 2 + (1 + b) ** 2 + c1)
    assert ssim.ms_ssim(plain(a, side), plain(b, side)).item() == pytest.approx(luminance**weight, abs=1e-3)


def test_half_the_contrast_is_at_its_known_value():
    """2xy / (x² + y²) of the deviations on every scale: 0.8, to the power of 1."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    blocks = ((rows // 8 + columns // 8) % 2 * 2.0 - 1)[None, None]
    wave = torch.sin(rows * 1.3)[None, None] * 0.5 + blocks * 0.5
    wave = wave - wave.mean()
    assert ssim._ssim(wave, wave / 2)[1].item() == pytest.approx(0.8, abs=0.03)


def test_the_other_way_round_is_the_same_and_opposites_are_0():
    a, b = noise(0, 4, 32), noise(1, 4, 32) * 0.5 + noise(0, 4, 32) * 0.5
    torch.testing.assert_close(ssim.ms_ssim(a, b), ssim.ms_ssim(b, a))
    assert ssim.ms_ssim(a, -a).tolist() == [0, 0, 0, 0], "no NaN from a root of what is below 0"


def test_the_more_noise_the_less_alike():
    a, grain = noise(0, 1, 32), noise(1, 1, 32)
    found = [ssim.ms_ssim(a, a + grain * share).item() for share in (0, 0.1, 0.5, 1, 4)]
    assert found == sorted(found, reverse=True) and found[0] - found[-1] > 0.5


def test_each_picture_is_compared_with_its_own_other_and_all_channels_count():
    a = noise(0, 3, 32)
    b = torch.stack([a[0], -a[1], a[2]])
    b[2, 1] = -b[2, 1]
    torch.testing.assert_close(ssim.ms_ssim(a, b), torch.tensor([1, 0, 2 / 3]))


# --- sets


def pixels(seed: int, count: int = 60, side: int = 16, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), np.uint8)


@pytest.mark.parametrize("side", [16, 28, 32])
def test_a_collapsed_set_is_at_1(side):
    assert ssim.likeness(np.repeat(pixels(0, 1, side), 40, 0)) == pytest.approx(1, abs=1e-5)


def test_pictures_of_noise_are_nothing_alike():
    assert 0 <= ssim.likeness(pixels(0)) < 0.06


def test_a_half_collapsed_set_is_as_much_alike_as_the_share_of_pairs_within_it():
    some = pixels(0)
    apart = ssim.likeness(some)
    some[:30] = some[0]
    within = (30 / 60) * (29 / 59)
    expected = within + (1 - within) * apart
    assert ssim.likeness(some, pairs=2000) == pytest.approx(
        expected, abs=4 * (within * (1 - within) / 2000) ** 0.5
    )


def test_no_picture_is_paired_with_itself():
    two = pixels(0, 2)
    floats = torch.from_numpy(two).permute(0, 3, 1, 2) / 127.5 - 1
    expected = ssim.ms_ssim(floats[:1], floats[1:]).item()
    assert expected < 0.5
    assert ssim.likeness(two, pairs=150) == pytest.approx(expected, abs=1e-5)


def test_the_pairs_hang_on_the_seed_alone():
    some = pixels(0)
    assert ssim.likeness(some, 120) == ssim.likeness(some.copy(), 120)
    assert ssim.likeness(some, 120) != ssim.likeness(some, 120, seed=1)


def test_grey_and_read_only_pictures_work():
    some = pixels(0, 10, 28, 1)
    some.setflags(write=False)
    kept = some.copy()
    assert 0 <= ssim.likeness(some, 50) < 0.1
    np.testing.assert_array_equal(some, kept)
