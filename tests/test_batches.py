"""What a step reads: the right pictures, in the right order, from memory or from the file."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from ganart import batches, images


def test_every_epoch_shows_every_picture_and_small_sets_wrap():
    seen = np.concatenate([batches.batch_indices(0, step, 20, 5) for step in range(4)])
    assert sorted(seen) == list(range(20))
    assert not np.array_equal(seen[:5], batches.batch_indices(0, 4, 20, 5)), "epochs repeat their order"
    short = np.concatenate([batches.batch_indices(0, step, 22, 5) for step in range(4)])
    assert len(set(short)) == 20, "the short last batch is dropped"
    wrapped = np.concatenate([batches.batch_indices(0, step, 3, 8) for step in range(3)])
    assert np.bincount(wrapped).tolist() == [8, 8, 8]


def test_pictures_come_from_their_places_in_the_file(store):
    places = np.array([3, 19, 0, 3])
    assert np.array_equal(batches.Pictures(store, "cpu").take(places).numpy(), np.array(store.images())[places])


def test_pictures_that_lie_on_the_device_are_taken_from_there(store):
    pictures = batches.Pictures(store, "cpu")
    places = np.array([3, 19, 0, 3])
    expected = pictures.take(places)
    pictures.resident = pictures.take(np.arange(store.count))
    pictures.file.close()
    assert torch.equal(pictures.take(places), expected)


def test_flip_mirrors_about_half_of_the_pictures(store, settings):
    pictures = batches.Pictures(store, "cpu")
    plain = dataclasses.replace(settings, flip=False)
    mirrored = []
    for step in range(40):
        a, b = batches.real_batch(pictures, plain, step), batches.real_batch(pictures, settings, step)
        for one, other in zip(a, b, strict=True):
            same = torch.equal(one, other)
            assert same or torch.equal(one.flip(2), other)
            mirrored.append(not same)
    assert 0.4 < np.mean(mirrored) < 0.6


def test_training_and_held_out_pictures_never_mix(settings, store):
    split = dataclasses.replace(store, held_out=6)  # the last six of the file
    pictures, plain = batches.Pictures(split, "cpu"), dataclasses.replace(settings, flip=False)
    everything = images.to_float(torch.from_numpy(np.array(store.images())))

    def places(found):
        return {next(k for k, one in enumerate(everything) if torch.equal(one, picture)) for picture in found}

    seen = set().union(*(places(batches.real_batch(pictures, plain, step)) for step in range(12)))
    held = set().union(*(places(batches.held_out_batch(pictures, plain, step)) for step in range(0, 96, 8)))
    assert seen == set(range(14)) and held == set(range(14, 20))
    assert batches.held_out_batch(batches.Pictures(store, "cpu"), plain, 0) is None


def test_a_step_draws_what_its_recipe_uses_and_nothing_else(store, settings):
    pictures = batches.Pictures(store, "cpu")
    plain = batches.draw(pictures, settings, 8)
    assert plain.real.shape == (8, 3, 32, 32) and plain.z.shape == (8, 8)
    others = [plain.z_G, plain.draws_D, plain.draws_G, plain.signs, plain.held_out, plain.gamma]
    assert all(value is None for value in others) and plain.form == (False, False)

    networks = dataclasses.replace(settings.networks, d_norm="none")
    rich = dataclasses.replace(
        settings, networks=networks, loss="rpgan", gamma=1.0, penalty="approximate", penalty_every=2
    )
    rich = dataclasses.replace(rich, augment="steered", fresh_noise=True)
    split = batches.Pictures(dataclasses.replace(store, held_out=6), "cpu")
    batch = batches.draw(split, rich, 8)
    assert batch.form == (True, True) and batch.held_out.shape == batch.real.shape
    assert batch.draws_D.shape == batch.draws_G.shape == (16, 12) and not torch.equal(batch.z, batch.z_G)
    assert batch.signs.shape == (16, 3, 32, 32) and set(batch.signs.unique().tolist()) == {-1.0, 1.0}
    assert abs(batch.signs.mean().item()) < 0.02
    assert batches.draw(split, rich, 9).form == (False, False) and batches.draw(split, rich, 10).form == (
        True,
        False,
    )


def test_the_same_step_draws_the_same_and_another_does_not(store, settings):
    pictures = batches.Pictures(store, "cpu")
    chosen = dataclasses.replace(settings, augment="full")
    one, again, other = (batches.draw(pictures, chosen, step) for step in (5, 5, 6))
    for name in ("real", "z", "draws_D", "draws_G"):
        assert torch.equal(getattr(one, name), getattr(again, name))
        assert not torch.equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("step", "value"), [(0, 1.0), (25, 0.1 + 0.9 * 0.8535533), (50, 0.55), (100, 0.1), (150, 0.1)]
)
def test_the_cosine(step, value):
    assert batches.cosine(0.1, step, 100) == pytest.approx(value)


MEASURE = """
import dataclasses, resource, sys
import numpy as np
from pathlib import Path
from ganart import batches, config, dataset

class Store:
    training, count = int(sys.argv[2]), int(sys.argv[2])
    def images(self):
        return np.load(sys.argv[1], mmap_mode="r")

settings = config.TrainConfig(batch=64, device="cpu")
pictures = batches.Pictures(Store(), "cpu")
for step in range(0, 4):
    batches.real_batch(pictures, settings, step)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for step in range(4, Store.count // 64):
    batches.real_batch(pictures, settings, step)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in bytes on a Mac, and not there on Windows")
def test_memory_does_not_grow_with_the_store(tmp_path):
    """A whole epoch over 200 MB, in a process of its own; a mapped file would count as it is touched."""
    path = tmp_path / "images-64.npy"
    count = 16_384
    big = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 64, 64, 3))
    big[:] = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    big.flush()
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), str(count)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert int(answer.stdout) < 20_000, "KiB more than after the first steps"
