"""DiffAugment against loops in numpy; how often and how far it changes pictures; how its strength is steered."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganart import augment

ALL = "colour,translation,cutout"


def pictures(count: int = 3, channels: int = 3, side: int = 8, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, (count, channels, side, side)))


def uniform(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(augment.draw(np.random.default_rng(seed), count))


def column(*values: float) -> Tensor:
    """(N, 1, 1, 1), one value for each picture."""
    return torch.tensor(values, dtype=torch.float64)[:, None, None, None]


# --- each part by itself


def test_draws_are_uniform_and_enough():
    draws = augment.draw(np.random.default_rng(0), 2000)
    assert draws.shape == (2000, augment.DRAWS) and draws.dtype == np.float32
    assert draws.min() >= 0 and draws.max() < 1
    assert abs(draws.mean(0) - 0.5).max() < 0.04 and abs(draws.std(0) - 12**-0.5).max() < 0.02


def test_brightness_adds_one_amount_to_each_picture():
    x, amounts = pictures(), (0.5, -0.25, 0.0)
    expected = np.stack([picture + amount for picture, amount in zip(x.numpy(), amounts, strict=True)])
    np.testing.assert_allclose(augment.brightness(x, column(*amounts)), expected)


def test_saturation_moves_each_pixel_from_its_own_grey():
    x, factors = pictures(), (0.0, 1.0, 1.7)
    expected = np.empty(x.shape)
    for n, picture in enumerate(x.numpy()):
        for row in range(8):
            for place in range(8):
                colour = picture[:, row, place]
                grey = (colour[0] + colour[1] + colour[2]) / 3
                for channel in range(3):
                    expected[n, channel, row, place] = grey + factors[n] * (colour[channel] - grey)
    found = augment.saturation(x, column(*factors)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found[0].std(0), 0, atol=1e-12)  # factor 0 is grey
    np.testing.assert_allclose(found[1], x[1], atol=1e-12)


def test_contrast_moves_each_picture_from_its_own_mean():
    x, factors = pictures(), (0.5, 1.0, 1.5)
    expected = np.empty(x.shape)
    for n, picture in enumerate(x.numpy()):
        mean = sum(picture.ravel().tolist()) / picture.size
        expected[n] = mean + factors[n] * (picture - mean)
    found = augment.contrast(x, column(*factors)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.mean((1, 2, 3)), x.mean((1, 2, 3)), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_translation_is_exact_and_fills_with_grey(dtype):
    shifts = [(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (2, -3), (-3, 2), (7, 7), (8, 0), (-8, -8)]
    x = pictures(len(shifts)).to(dtype)
    expected = np.zeros(x.shape)
    for n, (down, right) in enumerate(shifts):
        for row in range(8):
            for place in range(8):
                if 0 <= row - down < 8 and 0 <= place - right < 8:
                    expected[n, :, row, place] = x[n, :, row - down, place - right]
    found = augment.translate(x, torch.tensor(shifts, dtype=torch.float32))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), expected)


def test_translation_is_as_exact_where_the_networks_run_in_half_precision():
    x, shifts = pictures().float(), torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, -1.0]])
    with torch.autocast("cpu", torch.bfloat16):
        found = augment.translate(x, shifts)
    assert torch.equal(found, augment.translate(x, shifts))


@pytest.mark.parametrize("side", [8, 28, 32])
def test_cutout_is_a_square_of_half_the_side_that_may_reach_over_the_edge(side):
    centres = [(0.5, 0.5), (0.0, 0.0), (0.0, 0.99), (0.99, 0.3), (0.7, 0.1)]
    x = pictures(len(centres) + 1, side=side)
    expected = x.numpy().copy()
    for n, (down, right) in enumerate(centres):
        middle = int(down * (side + 1)), int(right * (side + 1))
        for row in range(side):
            for place in range(side):
                if -side // 4 <= row - middle[0] < side // 4 and -side // 4 <= place - middle[1] < side // 4:
                    expected[n, :, row, place] = 0
    chosen = column(*[1.0] * len(centres), 0.0)
    found = augment.cutout(x, torch.tensor([*centres, (0.5, 0.5)]), chosen).numpy()
    np.testing.assert_array_equal(found, expected)
    empty = (found == 0).all(1).sum((1, 2))
    half = side // 4 * 2
    assert empty[0] == half**2 and empty[1] == (half // 2) ** 2 and empty[-1] == 0


# --- all of them, with probability p


def test_at_0_the_pictures_come_back():
    x = pictures(50).float()
    found = augment.augment(x, uniform(50), 0.0, ALL)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, x, rtol=0, atol=5e-7)  # not more than the last bits
    for ops in ("translation", "cutout"):
        assert torch.equal(augment.augment(x, uniform(50), 0.0, ops), x)


@pytest.mark.parametrize("ops", [ALL, "colour", "cutout"])
def test_at_1_every_picture_is_changed(ops):
    x = pictures(200)
    changed = (augment.augment(x, uniform(200), 1.0, ops) - x).abs().amax((1, 2, 3))
    assert (changed > 1e-3).all()


def test_the_same_draws_do_the_same_and_each_picture_follows_its_own():
    x, draws = pictures(20), uniform(20)
    whole = augment.augment(x, draws, 0.7, ALL)
    assert torch.equal(whole, augment.augment(x, draws, 0.7, ALL))
    assert torch.equal(whole, augment.augment(x, draws, torch.tensor(0.7), ALL)), "p may be a tensor"
    torch.testing.assert_close(whole[5:9], augment.augment(x[5:9], draws[5:9], 0.7, ALL))
    assert not torch.equal(whole, augment.augment(x, uniform(20, seed=1), 0.7, ALL))


def test_a_higher_p_changes_those_pictures_too_that_a_lower_one_changes():
    x, draws = pictures(200), uniform(200)
    few, many = ((augment.augment(x, draws, p, ALL) - x).abs().amax((1, 2, 3)) > 1e-9 for p in (0.1, 0.4))
    assert few.sum() < many.sum() and not (few & ~many).any()


def colour_changes(p: float, count: int) -> np.ndarray:
    """(N, 3): brightness added, saturation and contrast factor, read off from what came out. Only brightness moves
    a picture's mean, only saturation changes how the colours' size relates to the grey's."""

    def parts(x: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        values = x.numpy()
        grey = values.mean(1, keepdims=True)
        return values.mean((1, 2, 3)), grey.std((1, 2, 3)), (values - grey).std((1, 2, 3))

    x = pictures(count)
    before, after = parts(x), parts(augment.augment(x, uniform(count), p, "colour"))
    contrast = after[1] / before[1]
    return np.stack([after[0] - before[0], after[2] / before[2] / contrast, contrast], 1)


def shift_changes(p: float, count: int, side: int = 32) -> np.ndarray:
    """(N, 2): how far a single dot went down and right."""
    x = torch.zeros(count, 1, side, side)
    x[:, :, side // 2, side // 2] = 1
    found = augment.augment(x, uniform(count), p, "translation")
    assert (found.sum((1, 2, 3)) == 1).all()
    return np.argwhere(found.numpy() == 1)[:, 2:] - side // 2


def cutout_changes(p: float, count: int, side: int = 32) -> np.ndarray:
    """(N, 2): height and width of the hole."""
    found = augment.augment(torch.ones(count, 1, side, side), uniform(count), p, "cutout")[:, 0]
    hole = (found == 0).numpy()
    assert (hole.sum((1, 2)) == hole.any(2).sum(1) * hole.any(1).sum(1)).all(), "a hole is a rectangle"
    return np.stack([hole.any(2).sum(1), hole.any(1).sum(1)], 1)


def test_each_part_touches_its_share_of_the_pictures_whatever_the_others_do():
    count, p = 4000, 0.3
    colour = abs(colour_changes(p, count) - [0, 1, 1]) > 1e-9
    moved = shift_changes(p, count).any(1)
    cut = cutout_changes(p, count).any(1)
    touched = np.column_stack([colour, moved, cut]).astype(float)
    share = np.array([p, p, p, p * 80 / 81, p])  # one of 81 shifts is by nothing
    assert abs(touched.mean(0) - share).max() < 4 * (p * (1 - p) / count) ** 0.5
    between = np.corrcoef(touched.T)[np.triu_indices(5, 1)]
    assert abs(between).max() < 4 / count**0.5


@pytest.mark.parametrize("p", [1.0, 0.3])
def test_amounts_fill_their_ranges_and_stay_within_wherever_they_are_applied(p):
    for part, (low, high, nothing) in enumerate([(-0.5, 0.5, 0), (0, 2, 1), (0.5, 1.5, 1)]):
        found = colour_changes(p, 3000)[:, part]
        found = found[abs(found - nothing) > 1e-9]
        assert low <= found.min() < low + 0.02 * (high - low)
        assert high >= found.max() > high - 0.02 * (high - low)
        assert found.mean() == pytest.approx((low + high) / 2, abs=0.04 * (high - low))


def test_amounts_do_not_hang_on_each_other():
    amounts = np.column_stack([colour_changes(1.0, 3000), shift_changes(1.0, 3000)])
    between = np.corrcoef(amounts.T)[np.triu_indices(5, 1)]
    assert abs(between).max() < 4 / 3000**0.5


@pytest.mark.parametrize(("side", "reach"), [(28, 4), (32, 4), (64, 8)])
def test_a_shift_is_by_up_to_an_eighth_and_every_one_is_as_likely(side, reach):
    shifts = shift_changes(1.0, 1500, side)
    assert shifts.min() == -reach and shifts.max() == reach
    kinds = 2 * reach + 1
    for axis in (0, 1):
        counts = np.bincount(shifts[:, axis] + reach, minlength=kinds)
        assert abs(counts - 1500 / kinds).max() < 5 * (1500 / kinds) ** 0.5


def test_the_ends_of_the_draws_are_the_ends_of_the_shifts():
    dot = torch.zeros(2, 1, 32, 32)
    dot[:, :, 16, 16] = 1
    draws = torch.zeros(2, augment.DRAWS)
    draws[1] = 1 - 2**-24  # the greatest below 1
    found = augment.augment(dot, draws, 1.0, "translation")
    assert found[0, 0, 12, 12] == 1 and found[1, 0, 20, 20] == 1


def test_cutout_at_1_is_half_the_side_where_it_fits():
    sizes = cutout_changes(1.0, 1000)
    assert sizes.max() == 16 and sizes.min() == 8  # its middle lies in the picture or on its edge
    assert (sizes == 16).mean() == pytest.approx(17 / 33, abs=0.05)


@pytest.mark.parametrize("ops", ["colour", "translation", "cutout"])
def test_a_part_that_is_not_named_does_nothing(ops):
    x = pictures(100)
    found = augment.augment(x, uniform(100), 1.0, ops)
    ordered = [torch.sort(values.flatten(1)).values for values in (x, found)]
    if ops == "colour":
        assert ((found == 0).sum((1, 2, 3)) == 0).all()
        grey = augment.augment(x[:, :1], uniform(100), 1.0, ops)
        assert torch.equal(grey.flatten(1).argsort(1), x[:, :1].flatten(1).argsort(1)), "no pixel moves"
    elif ops == "cutout":
        assert ((found == x) | (found == 0)).all(), "no value and no place changes"
    else:
        rows = (found != 0).sum((1, 2, 3)) // 3
        assert (rows >= 49).all() and (rows % 7 == 0).logical_or(rows == 64).all(), "1 px of 8 at most comes in"
        for before, after in zip(ordered[0], ordered[1], strict=True):
            assert torch.isin(after[after != 0], before).all(), "no value changes"


def test_the_parts_come_in_one_order_however_they_are_named():
    """Cutout last: what it empties is 0, whatever the brightness."""
    x, draws = pictures(30, side=32), uniform(30)
    one_by_one = x
    for ops in ("colour", "translation", "cutout"):
        one_by_one = augment.augment(one_by_one, draws, 1.0, ops)
    torch.testing.assert_close(augment.augment(x, draws, 1.0, "cutout,translation,colour"), one_by_one)
    assert ((one_by_one == 0).all(1).sum((1, 2)) >= 64).all()


def test_grey_pictures_are_changed_in_all_but_their_saturation():
    x, draws = pictures(40, channels=1), uniform(40)
    found = augment.augment(x, draws, 1.0, ALL)
    assert found.shape == x.shape and torch.isfinite(found).all()
    thrice = augment.augment(x.expand(-1, 3, -1, -1), draws, 1.0, ALL)
    torch.testing.assert_close(found.expand(-1, 3, -1, -1), thrice)


def test_pictures_that_are_changed_are_not_written_over():
    x = pictures(10)
    before = x.clone()
    augment.augment(x, uniform(10), 1.0, ALL)
    assert torch.equal(x, before)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_can_be_differentiated_twice(channels):
    x, draws = pictures(2, channels).requires_grad_(), uniform(2, seed=3)

    def critic(x: Tensor) -> Tensor:
        return augment.augment(x, draws, 0.8, ALL).pow(3).sum((1, 2, 3))

    assert torch.autograd.gradcheck(critic, x)
    assert torch.autograd.gradgradcheck(critic, x)


# --- how strong


def test_overfitting_with_pictures_held_out():
    real, fake, held_out = torch.tensor([3.0, 5.0]), torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 2.0, 3.0])
    numerator, denominator = augment.overfitting(real, fake, held_out)
    assert numerator.item() == 2.0 and denominator.item() == pytest.approx(((1 + 2 / 3) / 2) ** 0.5)
    assert numerator.shape == denominator.shape == ()
    assert augment.overfitting(real, real, held_out) == (numerator, denominator), "G's pictures have no say"
    one = torch.ones(1)
    assert augment.ratio(torch.stack(augment.overfitting(one, -one, -one))).item() == 0, (
        "one picture tells nothing"
    )


def test_overfitting_by_the_signs_alone():
    real, fake = torch.tensor([1.0, 2.0, 3.0, 0.0, 1.5]), torch.tensor([-1.0, 0.0, 4.0])  # the fakes' mean is 1
    numerator, denominator = augment.overfitting(real, fake, None)
    assert numerator.item() == pytest.approx((0 + 1 + 1 - 1 + 1) / 5) and denominator.item() == 1


def test_a_shift_of_all_logits_is_no_overfitting():
    rng = np.random.default_rng(0)
    real, fake, held_out = (torch.from_numpy(rng.normal(0, 1, 8)) for _ in range(3))
    for held in (held_out, None):
        one = augment.overfitting(real, fake, held)
        other = augment.overfitting(real + 5, fake + 5, None if held is None else held + 5)
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (1, 4, 0.25),
        (-1, 4, -0.25),
        (9, 4, 1),
        (-9, 4, -1),
        (1, 0, 0),
        (1, -2, 0),
        (-1, -2, 0),
        (0, 0, 0),
        (3, 3, 1),
    ],
)
def test_the_ratio_is_a_share_and_0_where_D_does_not_tell_real_from_fake(numerator, denominator, expected):
    found = augment.ratio(torch.tensor([numerator, denominator], dtype=torch.float32))
    assert found.shape == () and found.item() == expected


def state(p: float, numerator: float = 0.0, denominator: float = 0.0) -> Tensor:
    return torch.tensor([p, numerator, denominator])


def signs_of(numerator: float, denominator: float = 1.0) -> tuple[Tensor, Tensor]:
    return torch.tensor(numerator), torch.tensor(denominator)


def test_p_rises_above_the_target_and_falls_below():
    assert augment.steer(state(0.4), signs_of(0.9), 0.5, 0.01)[0].item() == pytest.approx(0.41)
    assert augment.steer(state(0.4), signs_of(0.1), 0.5, 0.01)[0].item() == pytest.approx(0.39)
    assert augment.steer(state(0.4), signs_of(0.9), 0.95, 0.01)[0].item() == pytest.approx(0.39)


def test_p_stays_between_0_and_1():
    assert augment.steer(state(0.995), signs_of(1.0), 0.5, 0.01)[0] == 1
    assert augment.steer(state(0.005), signs_of(0.0), 0.5, 0.01)[0] == 0


def test_running_means_keep_nine_tenths_and_decide():
    before = state(0.5, 0.8, 1.0)
    after = augment.steer(before, signs_of(-1.0, 2.0), 0.5, 0.01)
    np.testing.assert_allclose(after, [0.51, 0.9 * 0.8 - 0.1, 0.9 * 1.0 + 0.2], rtol=1e-6)
    assert before.tolist() == pytest.approx([0.5, 0.8, 1.0]), "the old state is left alone"
    assert after.shape == (3,) and after.dtype == torch.float32


def test_logits_in_half_precision_give_a_state_in_full():
    logits = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    after = augment.steer(state(0.5), augment.overfitting(logits, -logits, logits), 0.5, 0.01)
    assert after.dtype == torch.float32


def simulated(overfits: float, held_out: bool, calls: int, change: float, settles: float = 0.0) -> list[float]:
    """p after each step of a D that rates real pictures 2 and fakes -2, and held-out ones lower than real by
    `overfits` of its logits' deviation, or so many more real ones above the fakes; less with every bit of p where
    it `settles`."""
    rng = np.random.default_rng(0)
    now, seen = torch.zeros(3), []
    for _ in range(calls):
        share = overfits - settles * float(now[0])
        real, fake = 2 + rng.normal(0, 1, 64), -2 + rng.normal(0, 1, 64)
        if held_out:
            held = torch.from_numpy(2 - share + rng.normal(0, 1, 64))
        else:
            real, held = np.where(rng.random(64) < (1 + share) / 2, 1.0, -5.0), None  # the fakes' mean is -2
        signs = augment.overfitting(torch.from_numpy(real), torch.from_numpy(fake), held)
        now = augment.steer(now, signs, augment.TARGET["held-out" if held_out else "sign"], change)
        seen.append(float(now[0]))
    return seen


EVERY, BATCH = 4, 64
CHANGE = EVERY * BATCH / (augment.RAMP_KIMG * 1000)
RAMP = round(1 / CHANGE)  # steps in which RAMP_KIMG thousand pictures pass


@pytest.mark.parametrize("held_out", [True, False])
def test_a_D_that_overfits_drives_p_from_0_to_1_within_the_ramp_and_not_sooner(held_out):
    p = simulated(1.0, held_out, RAMP + 2, CHANGE)
    assert p[RAMP // 2] == pytest.approx(0.5, abs=0.01)
    assert p[RAMP - 5] < 1 and p[-1] == 1


@pytest.mark.parametrize("held_out", [True, False])
def test_a_D_that_does_not_overfit_keeps_p_at_0(held_out):
    assert max(simulated(0.0, held_out, RAMP, CHANGE)) <= 3 * CHANGE


def test_p_settles_where_overfitting_is_at_its_target():
    p = simulated(0.6, True, 3 * RAMP, CHANGE, settles=0.8)
    assert np.mean(p[-RAMP:]) == pytest.approx(0.5, abs=0.05)  # 0.6 - 0.8 * 0.5 is the target
