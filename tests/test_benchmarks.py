"""What the benchmarks compute themselves: counts of operations, recipes of the ablation, made stores."""

import json

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import ablation, training
from ganart import batches, config, dataset, metrics, presets
from ganart.training import build, train_step


def test_the_floor_counts_what_torch_counts():
    settings = config.TrainConfig(
        networks=config.NetworkConfig(size=64, channels=3, width=64, d_norm="batch"),
        batch=2,
        flip=False,
        ema_half_life=0.0,
        device="cpu",
    )
    training.made_store("made-8", 64, 3, 8)
    pictures = batches.Pictures(dataset.open_dataset("made-8"), "cpu")
    state = build(settings, {})
    with FlopCounterMode(display=False) as counted:
        train_step(state, settings, batches.draw(pictures, settings, 0), "float32")
    operations, traffic = training.floor()
    assert operations == pytest.approx(counted.get_total_flops() / 2 / 1e9, rel=0.01)
    assert 5 < traffic < 20, "MB of activations a picture"


def test_a_made_store_is_one_that_the_program_opens():
    training.made_store("made-20", 32, 1, 1_020)
    store = dataset.open_dataset("made-20")
    assert (store.count, store.held_out, store.channels, store.settings.size) == (1_020, 102, 1, 32)
    pictures = store.images()
    assert pictures.shape == (1_020, 32, 32, 1) and np.array_equal(pictures[:20], pictures[1_000:])


def test_every_cell_of_the_ablation_is_the_recipe_that_its_name_says():
    cells = ablation.CELLS
    made = {cell: ablation.settings_of(cell, 32, 32, 1, "cpu") for cell in cells}
    assert len({json.dumps(config.to_dict(settings)) for settings in made.values()}) == len(cells) == 23
    for cell, settings in made.items():
        assert cell.startswith(f"{settings.loss}-{settings.augment}") and settings.seed == 1
    norms = {settings.loss: settings.networks.d_norm for settings in made.values()}
    assert norms == {"bce": "batch", "hinge": "spectral", "rpgan": "none"}
    assert made["rpgan-off-every16"].penalty_every == 16 and made["rpgan-off-gamma0.1"].gamma == 0.1
    assert made["rpgan-off-beta0.5"].beta1 == 0.5 and made["rpgan-off-lr0.0004"].lr == 4e-4
    assert made["rpgan-off-float32"].dtype == "float32" and made["rpgan-off-bfloat16"].dtype == "bfloat16"
    assert made["rpgan-off-approximate"].penalty == "approximate"
    assert all(made[cell].gamma == 0 for cell in made if not cell.startswith("rpgan"))


def test_the_ablation_goes_on_where_it_was_and_reads_average_and_raw(tmp_path, monkeypatch, store):
    monkeypatch.setattr(metrics, "PATCHES", 4)
    pictures = batches.Pictures(store, "cpu")
    compare = np.array(store.images())
    settings = ablation.settings_of("rpgan-steered", 32, 4, 0, "cpu")
    ablation.train_cell("rpgan-steered", settings, pictures, compare, [0.1], tmp_path, "float32")
    ablation.train_cell("rpgan-steered", settings, pictures, compare, [0.1, 0.2], tmp_path, "float32")
    ablation.train_cell("rpgan-steered", settings, pictures, compare, [0.1, 0.2], tmp_path, "float32")
    rows = [json.loads(line) for line in (tmp_path / "rpgan-steered-32-0.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    assert all(row["ema"].keys() == {"fine", "coarse", "kid"} == row["raw"].keys() for row in rows)
    assert rows[0]["ema"] != rows[0]["raw"]

    straight = tmp_path / "straight"
    straight.mkdir()
    ablation.train_cell("rpgan-steered", settings, pictures, compare, [0.1, 0.2], straight, "float32")
    assert [json.loads(line) for line in (straight / "rpgan-steered-32-0.jsonl").read_text().splitlines()] == rows


def test_the_doctors_cases_are_settings_that_hold(tmp_path, monkeypatch):
    from benchmarks import doctor

    assert {kind for case in doctor.BROKEN for kind in case.finds} == {
        "collapse",
        "memorising",
        "dead",
        "diverging",
    }
    for case in doctor.BROKEN:
        config.TrainConfig(networks=config.NetworkConfig(d_norm="none"), **case.changes)


def test_the_doctors_signs_are_read_look_by_look(settings):
    from benchmarks import doctor
    from ganart import launch

    target = launch.create(settings, "ill")
    for look in range(1, 9):
        when = {"step": 100 * look, "kimg": 20.0 * look}
        target.append_metrics({**when, "loss_D": 1.0, "loss_G": 1.0})
        signs = {"telling": 0.7, "diversity": 0.9, "duplicates": 0.0, "sensitivity": 0.001 if look > 3 else 1.0}
        target.append_vitals({**when, **signs})
    assert doctor.first_flags(target, 20) == {"dead (red)": 120.0}


def test_the_frechet_distance_is_that_of_two_normal_distributions():
    """For diagonal covariances it is the squared distance of the means plus that of the deviations."""
    from benchmarks import mnist

    rng = np.random.default_rng(0)
    unit = rng.standard_normal((20_000, 4))
    a, b = torch.from_numpy(unit * [1, 2, 3, 4]), torch.from_numpy(unit * [2, 2, 3, 1] + [0, 3, 0, 0])
    assert mnist.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert mnist.frechet_distance(a, b) == pytest.approx(1 + 9 + 9, rel=0.05)
    assert mnist.frechet_distance(b, a) == pytest.approx(mnist.frechet_distance(a, b))


def test_a_row_of_the_digits_table_counts_classes_and_confidence():
    from benchmarks import mnist

    probabilities = torch.full((10, 10), 0.005) + 0.95 * torch.eye(10)
    probabilities[0] = 0.1
    probabilities[0, 0] += 0.001
    features = torch.randn(10, 3)
    cells = mnist.row("even", features, probabilities, features).split("|")
    assert float(cells[2]) == pytest.approx(0, abs=1e-2) and float(cells[3]) == pytest.approx(0, abs=1e-6)
    assert cells[4].strip() == "10.0 to 10.0 %" and cells[5].strip() == "90.0 %"


@pytest.mark.parametrize("recipe", ["textbook DCGAN", "packing 2", "RpGAN + R1 + R2"])
def test_a_trial_of_stacked_mnist_goes_on_where_it_was(tmp_path, recipe):
    from benchmarks import stacked_mnist

    pixels = torch.randint(0, 256, (64, 28, 28), dtype=torch.uint8)
    whole, first, second = (stacked_mnist.Trial(recipe, "1/4", 3, pixels) for _ in range(3))
    whole.train(4)
    first.train(2)
    first.save(tmp_path / "trial.safetensors")
    second.load(tmp_path / "trial.safetensors")
    second.train(2)
    assert second.step == 4
    for one, other in zip(whole.G.state_dict().values(), second.G.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_the_tiny_networks_have_the_shares_that_they_are_named_after():
    from benchmarks import stacked_mnist

    for share, expected in (("1/4", [2, 4, 8]), ("1/2", [4, 8, 16])):
        G, D = stacked_mnist.networks(stacked_mnist.SHARES[share], 2, norm=True)
        pictures = G(torch.randn(8, stacked_mnist.Z))
        assert pictures.shape == (8, 3, 28, 28) and pictures.abs().max() <= 1
        assert D(pictures.reshape(4, 6, 28, 28)).shape == (4,)
        assert [layer.out_channels for layer in D if isinstance(layer, torch.nn.Conv2d)] == expected


def test_a_thousand_even_kinds_are_counted_as_such():
    """A reader that knows what was painted: its ten classes are grey levels."""
    from benchmarks import stacked_mnist

    class Painter(torch.nn.Module):
        def forward(self, z):
            levels = torch.randint(0, 10, (len(z), 3), generator=torch.Generator().manual_seed(int(1e4 * z[0, 0])))
            return (levels[..., None, None] / 5 - 0.9).expand(-1, -1, 28, 28)

    class Reader(torch.nn.Module):
        def features(self, x):
            return x.mean((1, 2, 3))[:, None]

        def last(self, features):
            return -100 * (features - (torch.arange(10) / 5 - 0.9)).abs()

    trial = stacked_mnist.Trial("packing 2", "1/2", 0, torch.zeros(1, 28, 28, dtype=torch.uint8))
    trial.G = Painter()
    modes, kl = trial.kinds(Reader())
    assert modes == 1000 and kl == pytest.approx(999 / (2 * stacked_mnist.SAMPLES), rel=0.25)


def test_the_plans_of_the_pretrained_models_hold(monkeypatch):
    from benchmarks import pretrain

    for name, plan in pretrain.PLANS.items():
        assert {"pictures", "preset", "kimg", "title", "looks", "source"} <= set(plan)
        for device in ("cpu", "cuda"):
            preset = plan["preset"][device] if isinstance(plan["preset"], dict) else plan["preset"]
            assert preset in presets.PRESETS and plan["kimg"][device] > 0, name


def test_the_textbook_comparison_divides_without_overlap(tmp_path, picture_folder, monkeypatch):
    from benchmarks import versus

    monkeypatch.setattr(versus, "LEARNED", 6)
    monkeypatch.setattr(versus, "MEASURED", 5)
    learned, measured = versus.divide(picture_folder(12), tmp_path)
    sources = [{path.resolve() for path in folder.rglob("*.*")} for folder in (learned, measured)]
    assert [len(some) for some in sources] == [6, 5] and not sources[0] & sources[1]
    assert versus.divide(tmp_path / "elsewhere", tmp_path) == (learned, measured), "made once"
