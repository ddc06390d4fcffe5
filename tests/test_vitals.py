"""The signs of health, each against a case whose answer is known, and that looking changes nothing."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganart import batches, latent, presets, training, vitals
from ganart.batches import Pictures
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.training import Training

NETWORKS = NetworkConfig(size=32, channels=3, z_dim=64, width=4, d_norm="none")
SETTINGS = TrainConfig(networks=NETWORKS, batch=8, device="cpu", dtype="float32")


class Painter(nn.Module):
    """A G that paints the picture number i, of uint8 (N, S, S, C), for the i-th latent that is measured and for
    all that lie nearest to it."""

    def __init__(self, pictures: np.ndarray, z_dim: int = 64) -> None:
        super().__init__()
        self.config = NetworkConfig(size=pictures.shape[1], channels=pictures.shape[3], z_dim=z_dim)
        seeds = range(vitals.SEEDS, vitals.SEEDS + len(pictures))
        self.z = nn.Parameter(torch.from_numpy(latent.sample_z(list(seeds), z_dim)))
        self.pictures = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.pictures[torch.cdist(z, self.z).argmin(1)]


class Blend(nn.Module):
    """A G that adds up patterns (K, S, S, C) by its first K latents."""

    def __init__(self, patterns: np.ndarray, z_dim: int = 64) -> None:
        super().__init__()
        self.config = NetworkConfig(size=patterns.shape[1], channels=patterns.shape[3], z_dim=z_dim)
        self.patterns = nn.Parameter(torch.from_numpy(patterns).permute(0, 3, 1, 2).float())

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nk,kchw->nchw", z[:, : len(self.patterns)], self.patterns)


class Brightness(nn.Module):
    """A D that takes bright pictures for real ones."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean((1, 2, 3))


class Glance(nn.Module):
    """A D that knows nothing: its logits are values of one projection that means nothing."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        values = torch.randn(pictures[0].numel(), generator=torch.Generator().manual_seed(0))
        return pictures.flatten(1) @ values


class Constant(nn.Module):
    """A D to which everything is the same."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(pictures))


def noise(count: int, first: int = 0, low: int = 0, high: int = 256) -> np.ndarray:
    """Different coarse pictures, uint8 (count, 32, 32, 3)."""
    found = []
    for index in range(first, first + count):
        coarse = Image.fromarray(np.random.default_rng(index).integers(low, high, (5, 6, 3), np.uint8))
        found.append(np.asarray(coarse.resize((32, 32), Image.Resampling.BILINEAR)))
    return np.stack(found)


def tinted(count: int, value: int) -> np.ndarray:
    """Different pictures of one mean brightness: stripes of `value` ± 20 at different places."""
    found = np.full((count, 32, 32, 3), value, np.uint8)
    for index, picture in enumerate(found):
        rows, columns = np.random.default_rng(index).permutation(32)[:8], index % 3
        picture[rows, :, columns] += 20
        picture[np.setdiff1d(np.arange(32), rows)[:8], :, columns] -= 20
    return found


@pytest.fixture
def pictures_of(tmp_path):
    """Makes what a training reads of pictures (N, S, S, C), the last `held_out` of them held out."""

    def make(pictures: np.ndarray, held_out: int = 0) -> Pictures:
        count, size, _, channels = pictures.shape
        folder = tmp_path / f"store-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        np.save(folder / f"images-{size}.npy", pictures, allow_pickle=False)
        store = Dataset(folder, "made", "", IntakeConfig(size=size), count, channels, held_out, [])
        return Pictures(store, "cpu")

    return make


def judged_by(D: nn.Module) -> Training:
    """An untrained training with this D."""
    return dataclasses.replace(training.build(SETTINGS, {}), D=D)


def measured(pictures: Pictures, G: nn.Module, D: nn.Module | None = None) -> dict[str, float]:
    return vitals.measure(judged_by(D or Brightness()), SETTINGS, pictures, G)


# --- the painter


def test_a_G_that_paints_one_picture_is_seen_by_every_sign(pictures_of):
    signs = measured(pictures_of(noise(200)), Painter(noise(1).repeat(128, 0)))
    assert signs["sensitivity"] == 0 and signs["diversity"] == pytest.approx(0, abs=1e-3)
    assert signs["duplicates"] == 1 and signs["rank"] < 0.1


@pytest.mark.parametrize("count", [9, 20, 100])
def test_duplicates_are_seen_beside_few_real_pictures_too(pictures_of, count):
    real = pictures_of(noise(count))
    assert measured(real, Painter(noise(1).repeat(128, 0)))["duplicates"] == 1
    assert measured(real, Painter(noise(128, first=1000)))["duplicates"] < 0.5


def test_fakes_that_equal_the_real_pictures_have_their_diversity_and_rank(pictures_of):
    signs = measured(pictures_of(noise(128)), Painter(noise(128)))
    assert signs["diversity"] == pytest.approx(1, abs=1e-3) and signs["rank"] == pytest.approx(1, abs=1e-3)
    assert signs["duplicates"] <= 0.02 and signs["gap"] == pytest.approx(0, abs=1e-5)


def test_fakes_of_another_hand_that_differ_as_much_as_real_pictures_look_healthy(pictures_of):
    signs = measured(pictures_of(noise(300)), Painter(noise(128, first=1000)))
    assert signs["diversity"] == pytest.approx(1, abs=0.05) and signs["rank"] == pytest.approx(1, abs=0.15)
    assert signs["duplicates"] < 0.1


def test_diversity_is_how_far_fakes_lie_apart_as_a_share_of_the_real_ones(pictures_of):
    real = noise(128)
    for share, middle in ((0.5, 128), (0.25, 128), (0.25, 200)):  # what all have in common is no direction
        faint = np.round(share * (real.astype(float) - 128) + middle).astype(np.uint8)
        signs = measured(pictures_of(real), Painter(faint))
        assert signs["diversity"] == pytest.approx(share, rel=0.02) and signs["rank"] == pytest.approx(1, abs=0.02)


def test_pairs_of_the_same_picture_are_duplicates_though_the_fakes_differ_as_a_whole(pictures_of):
    real = pictures_of(noise(200))
    pairs = noise(64, first=500).repeat(2, 0)
    signs = measured(real, Painter(pairs))
    assert signs["duplicates"] == 1 and signs["diversity"] > 0.9
    half = np.concatenate([noise(64, first=500), noise(64, first=900)[:1].repeat(64, 0)])
    assert measured(real, Painter(half))["duplicates"] == pytest.approx(0.5, abs=0.05)


def test_rank_counts_the_directions_that_fakes_vary_in(pictures_of):
    rng = np.random.default_rng(0)
    patterns = np.linalg.qr(rng.standard_normal((16 * 16 * 3, 16)))[0].T.reshape(16, 16, 16, 3)
    patterns = (2 * patterns).repeat(2, 1).repeat(2, 2)  # each thumbnail pixel is one value; no picture is clipped
    with torch.no_grad():
        real = Blend(patterns)(torch.from_numpy(rng.standard_normal((128, 64), np.float32)))
    real = ((real.permute(0, 2, 3, 1).numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    for directions in (1, 4, 16):
        signs = measured(pictures_of(real), Blend(patterns[:directions]))
        assert signs["rank"] == pytest.approx(directions / 16, rel=0.15)


def test_a_G_that_is_linear_is_as_sensitive_as_its_pictures_are_apart(pictures_of):
    """Then a small move goes as far as its share of the way from one latent to another."""
    patterns = np.random.default_rng(0).standard_normal((64, 4, 4, 3)).repeat(8, 1).repeat(8, 2)
    real = pictures_of(noise(200))
    for strength in (0.01, 0.03):
        signs = measured(real, Blend(strength * patterns))
        assert signs["sensitivity"] == pytest.approx(signs["diversity"], rel=0.1)
        assert signs["sensitivity"] > 0.05


def test_a_G_that_jumps_between_pictures_differs_and_does_not_heed_small_moves(pictures_of):
    signs = measured(pictures_of(noise(200)), Painter(noise(128)))
    assert signs["sensitivity"] == 0 and signs["diversity"] > 0.9


# --- the critic


def test_a_D_that_separates_everything_tells_all_pairs(pictures_of):
    signs = measured(pictures_of(tinted(200, 180)), Painter(tinted(128, 60)))
    assert signs["telling"] == 1 and signs["gap"] == pytest.approx(120 / 127.5, abs=1e-4)


def test_a_D_that_has_it_the_wrong_way_round_tells_none(pictures_of):
    signs = measured(pictures_of(tinted(230, 60), 30), Painter(tinted(128, 180)))
    assert signs["telling"] == 0 and signs["gap"] == pytest.approx(-120 / 127.5, abs=1e-4)
    assert "overfitting" not in signs, "a share of a distance the wrong way round says nothing"


def test_a_D_that_knows_nothing_tells_half_of_the_pairs(pictures_of):
    signs = measured(pictures_of(noise(200)), Painter(noise(128, first=1000)), Glance())
    assert signs["telling"] == pytest.approx(0.5, abs=0.12)


def test_a_tie_is_not_told(pictures_of):
    grey = tinted(200, 100)
    assert measured(pictures_of(grey), Painter(grey[:128]), Constant())["telling"] == 0


@pytest.mark.parametrize(("brightness", "overfitting"), [(60, 1), (120, 0.5), (180, 0)])
def test_overfitting_is_how_far_held_out_pictures_fall_towards_the_fakes(pictures_of, brightness, overfitting):
    real = np.concatenate([tinted(200, 180), tinted(30, brightness)])
    signs = measured(pictures_of(real, 30), Painter(tinted(128, 60)))
    assert signs["overfitting"] == pytest.approx(overfitting, abs=1e-3) and signs["telling"] == 1


@pytest.mark.parametrize(("brightness", "overfitting"), [(0, 1), (250, -1)])
def test_overfitting_stays_between_minus_one_and_one(pictures_of, brightness, overfitting):
    held_out = np.full((30, 32, 32, 3), brightness, np.uint8)
    real = np.concatenate([tinted(200, 120), held_out])
    assert measured(pictures_of(real, 30), Painter(tinted(128, 100)))["overfitting"] == overfitting


def test_without_held_out_pictures_there_is_no_overfitting(pictures_of):
    assert "overfitting" not in measured(pictures_of(tinted(200, 180)), Painter(tinted(128, 60)))


def test_D_is_asked_as_it_judges_and_not_as_it_trains(pictures_of):
    """With dropout its logits would be others at every look, and it would need draws that nobody has."""
    networks = dataclasses.replace(NETWORKS, d_dropout=0.5)
    settings = dataclasses.replace(SETTINGS, networks=networks)
    state, real = training.build(settings, {}), pictures_of(noise(200))
    one, other = (vitals.measure(state, settings, real, Painter(noise(128))) for _ in range(2))
    assert one == other


def test_the_norms_of_the_gradients_are_those_of_the_last_step(pictures_of):
    state, real = training.build(SETTINGS, {}), pictures_of(noise(60))
    G = training.sampling_generator(state, SETTINGS)
    assert not {"grad_D", "grad_G"} & vitals.measure(state, SETTINGS, real, G).keys(), "no step was made"
    for step in range(2):
        training.train_step(state, SETTINGS, batches.draw(real, SETTINGS, step), "float32")
        signs = vitals.measure(state, SETTINGS, real, G)
        for name, network in (("grad_D", state.D), ("grad_G", state.G)):
            gradients = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
            assert signs[name] == pytest.approx(gradients.norm().item(), rel=1e-4, abs=1e-5)


# --- forms of networks and pictures


@pytest.mark.parametrize("form", [{"pack": 2, "d_stddev": 4}, {"pack": 3}, {"d_stddev": 64, "pack": 4}])
def test_a_D_that_looks_at_several_pictures_together_is_given_whole_groups(pictures_of, form):
    networks = dataclasses.replace(NETWORKS, **form)
    together = networks.pack * max(1, networks.d_stddev)
    settings = dataclasses.replace(SETTINGS, networks=networks, batch=2 * together)
    state, given = training.build(settings, {}), []
    state.D.register_forward_hook(lambda _, inputs, __: given.append(len(inputs[0])))
    real, fake = noise(200), noise(256, first=1000)
    signs = vitals.measure(state, settings, pictures_of(real, 30), Painter(fake))
    assert given[0] == given[1] >= 100 and all(count % together == 0 for count in given)
    whole = 30 // together * together
    assert given[2:] == ([whole] if whole else []) and ("overfitting" in signs) <= bool(whole)
    assert all(np.isfinite(value) for value in signs.values()) and 0 <= signs["telling"] <= 1


def test_digits_of_28_px_in_grey(pictures_of):
    networks = dataclasses.replace(presets.preset("mnist-seed").networks, width=4)
    assert networks.d_dropout, "these networks are here for their dropout"
    settings = dataclasses.replace(presets.preset("mnist-seed"), networks=networks, batch=8, device="cpu")
    grey = np.random.default_rng(0).integers(0, 256, (230, 28, 28, 1), np.uint8)
    state, real = training.build(settings, {}), pictures_of(grey, 30)
    training.train_step(state, settings, batches.draw(real, settings, 0), "float32")
    signs = vitals.measure(state, settings, real, Painter(grey[:128], networks.z_dim))
    assert signs["diversity"] == pytest.approx(1, abs=0.05) and signs["sensitivity"] == 0
    assert {"telling", "gap", "rank", "duplicates", "grad_D", "grad_G"} <= signs.keys()


@pytest.mark.parametrize("count", [3, 20])
def test_fewer_pictures_than_are_looked_at_are_enough(pictures_of, count):
    signs = measured(pictures_of(noise(count)), Painter(noise(128, first=1000)))
    assert all(np.isfinite(value) for value in signs.values())
    assert signs["diversity"] == pytest.approx(1, abs=0.6)


# --- that looking changes nothing


def recipe(name: str) -> TrainConfig:
    """The settings of a kind of D, small."""
    forms = {
        "batch norm": {"d_norm": "batch"},
        "spectral norm": {"d_norm": "spectral"},
        "packed": {"pack": 2, "d_stddev": 2},
        "dropout": {"d_dropout": 0.25},
    }
    networks = dataclasses.replace(NETWORKS, z_dim=8, **forms[name])
    return dataclasses.replace(SETTINGS, networks=networks, ema_half_life=0.0 if name == "dropout" else 0.2)


@pytest.mark.parametrize("name", ["batch norm", "spectral norm", "packed", "dropout"])
def test_looking_changes_nothing(pictures_of, name):
    settings, real = recipe(name), pictures_of(noise(230), 30)
    watched, twin = training.build(settings, {}), training.build(settings, {})
    for state in (watched, twin):
        for step in range(3):
            training.train_step(state, settings, batches.draw(real, settings, step), "float32")
    G = training.sampling_generator(watched, settings)
    drawing, dice = copy.deepcopy(G.state_dict()), torch.get_rng_state()
    vitals.measure(watched, settings, real, G)
    vitals.held_out_distance(real, settings, G)

    assert torch.equal(torch.get_rng_state(), dice) and not G.training
    assert all(torch.equal(value, drawing[key]) for key, value in G.state_dict().items())
    for one, other in ((watched.D, twin.D), (watched.G, twin.G), (watched.G_ema, twin.G_ema)):
        if one is None:
            continue
        assert [module.training for module in one.modules()] == [module.training for module in other.modules()]
        for (key, value), same in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
            assert torch.equal(value, same), key  # weights, BatchNorm's statistics, the vectors of spectral norm
        for value, same in zip(one.parameters(), other.parameters(), strict=True):
            assert value.requires_grad == same.requires_grad
            assert (value.grad is None) == (same.grad is None)
            assert value.grad is None or torch.equal(value.grad, same.grad)
    assert watched.step == twin.step and watched.history == twin.history == {}
    figures = [
        training.train_step(state, settings, batches.draw(real, settings, 3), "float32")
        for state in (watched, twin)
    ]
    assert torch.equal(*figures)
    one, other = watched.tensors(), twin.tensors()
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


# --- the distance to held-out pictures


def test_the_held_out_distance_is_small_for_pictures_of_the_same_kind_and_large_for_one_picture(pictures_of):
    real = pictures_of(noise(300), 100)
    near = vitals.held_out_distance(real, SETTINGS, Painter(noise(128, first=1000)))
    far = vitals.held_out_distance(real, SETTINGS, Painter(noise(1).repeat(128, 0)))
    assert abs(near.value) < 0.1 * far.value and 0 < near.error < 0.1 * far.value
    assert vitals.held_out_distance(real, SETTINGS, Painter(noise(128, first=1000))) == near, "always the same"


def test_the_held_out_distance_looks_at_held_out_pictures_alone(pictures_of):
    """A G that paints the training pictures is far from held-out ones of another kind."""
    real = pictures_of(np.concatenate([tinted(100, 180), tinted(100, 60)]), 100)
    learned, held_out = Painter(tinted(128, 180)), Painter(tinted(128, 60))
    near = vitals.held_out_distance(real, SETTINGS, held_out)
    assert vitals.held_out_distance(real, SETTINGS, learned).value > 10 * abs(near.value)


def test_without_held_out_pictures_there_is_no_distance(pictures_of):
    assert vitals.held_out_distance(pictures_of(noise(50)), SETTINGS, Painter(noise(128))) is None


def test_of_two_held_out_pictures_there_is_no_distance_with_an_error(pictures_of):
    assert vitals.held_out_distance(pictures_of(noise(50), 2), SETTINGS, Painter(noise(128))) is None
    assert vitals.held_out_distance(pictures_of(noise(50), 3), SETTINGS, Painter(noise(128))).error > 0
