"""What the benchmarks compute themselves: counts of operations, recipes of the ablation, made stores."""

import json

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import ablation, training
from ganart import batches, config, dataset, metrics
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
    assert len({json.dumps(config.to_dict(settings)) for settings in made.values()}) == len(cells) == 22
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
