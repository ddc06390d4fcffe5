"""The trainer: exact resumption, its files, and what it does when something goes wrong."""

import dataclasses
import itertools
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from ganart import checkpoint, config, dataset, launch, run, train, training
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.errors import BusyError, RunError
from ganart.run import Run

TINY = NetworkConfig(size=32, channels=3, z_dim=8, width=4)


@pytest.fixture
def store(tmp_path):
    """Twenty small pictures, prepared."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "colours"
    folder.mkdir()
    for index in range(20):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{index}.png")
    return dataset.prepare(folder, IntakeConfig(size=32))


@pytest.fixture
def settings(store):
    """A training of some hundred steps that takes seconds, the same on every machine."""
    return TrainConfig(
        networks=TINY,
        dataset=store.name,
        dataset_hash=store.hash,
        batch=8,
        kimg=0.8,
        ema_half_life=0.2,
        device="cpu",
        dtype="float32",
        save_seconds=0.0,
    )


def weights(target: Run) -> dict[str, torch.Tensor]:
    """Everything in the saved state."""
    return checkpoint.load_state(target.state)[0]


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def spawn(target: Run) -> subprocess.Popen:
    """A trainer process that the test may kill."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "ganart.train", str(target.folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("variant", ["batchnorm", "mnist-seed", "rpgan"])
def test_killed_at_random_moments_ends_bit_for_bit_as_uninterrupted(settings, variant):
    if variant == "mnist-seed":  # dropout, fresh noise and no average: the other way through the step
        networks = dataclasses.replace(TINY, d_norm="none", d_dropout=0.25)
        settings = dataclasses.replace(settings, networks=networks, fresh_noise=True, ema_half_life=0.0)
    if variant == "rpgan":
        networks = dataclasses.replace(TINY, d_norm="none")
        settings = dataclasses.replace(settings, networks=networks, loss="rpgan", gamma=1.0)
    straight = launch.create(settings, "straight")
    assert spawn(straight).wait(120) == 0

    killed = launch.create(dataclasses.replace(settings), "killed")
    moments = random.Random(0)
    kills = 0
    for _ in range(12):
        process = spawn(killed)
        while killed.written_status().step == 0 and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0.0, 0.8))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        if kills == 4:
            process = spawn(killed)
            process.wait(120)
            break
    assert kills >= 2, "the training was too quick to be interrupted"
    assert killed.status().state == "done"
    assert_same(weights(straight), weights(killed))
    steps = [line["step"] for line in killed.metrics()]
    assert steps == sorted(set(steps)), "figures of repeated steps were left in the file"


def test_stop_and_resume_ends_bit_for_bit_as_uninterrupted(settings):
    straight = launch.create(settings, "straight")
    assert spawn(straight).wait(120) == 0
    paused = launch.create(settings, "paused")
    process = spawn(paused)
    while paused.written_status().step < 10:
        time.sleep(0.02)
    paused.request("pause")
    while paused.status().state != "paused":
        time.sleep(0.02)
    step = paused.status().step
    time.sleep(0.5)
    assert paused.status().step == step, "a paused run went on"
    assert launch.stop(paused).state == "stopped"
    assert process.wait(10) == 0
    launch.relaunch(paused)
    while paused.status().active:
        time.sleep(0.05)
    assert paused.status().state == "done"
    assert_same(weights(straight), weights(paused))


def test_sheets_start_at_step_0_and_lie_dense_early(settings):
    target = launch.create(dataclasses.replace(settings, save_seconds=60.0, kimg=4.0), "sheets")
    assert train.work(target) == "done"
    steps = [int(path.stem) for path in target.samples()]
    assert steps[0] == 0 and steps[-1] == 500
    with Image.open(target.samples()[0]) as sheet:
        assert sheet.size == (6 * 32, 6 * 32)
    gaps = [b - a for a, b in itertools.pairwise(steps)]
    assert max(gaps) * settings.batch <= 600
    assert train.next_sheet(100_000, 8) - 100_000 > 10 * train.next_sheet(0, 8), "sheets never get wider apart"


def test_a_finished_run_leaves_a_model_that_draws_its_last_sheet(settings):
    from ganart import images, latent, render

    target = launch.create(dataclasses.replace(settings, save_seconds=60.0), "model")
    assert train.work(target) == "done"
    G, card = checkpoint.load_generator(target.model)
    assert card.step == settings.total_steps and card.averaged and card.dataset["name"] == settings.dataset
    drawn = render.sheet(G, latent.sample_z(list(range(36)), TINY.z_dim))
    assert np.abs(drawn.astype(int) - images.read_png(target.samples()[-1].read_bytes())).max() <= 1


def test_every_epoch_shows_every_picture_and_small_sets_wrap():
    seen = np.concatenate([training.batch_indices(0, step, 20, 5) for step in range(4)])
    assert sorted(seen) == list(range(20))
    assert not np.array_equal(seen[:5], training.batch_indices(0, 4, 20, 5)), "epochs repeat their order"
    short = np.concatenate([training.batch_indices(0, step, 22, 5) for step in range(4)])
    assert len(set(short)) == 20, "the short last batch is dropped"
    wrapped = np.concatenate([training.batch_indices(0, step, 3, 8) for step in range(3)])
    assert np.bincount(wrapped).tolist() == [8, 8, 8]


def test_the_article_step_updates_D_then_G_with_fresh_noise(store, settings):
    """One step of `mnist-seed`'s recipe against the same arithmetic written plainly."""
    networks = dataclasses.replace(TINY, d_norm="none")
    plain = dataclasses.replace(settings, networks=networks, fresh_noise=True, ema_half_life=0.0, beta1=0.9)
    ours, reference = training.build(plain, {}), training.build(plain, {})
    real = training.Pictures(store, "cpu").batch(plain, 0)
    training.train_step(ours, plain, real, "float32")

    G, D = reference.G, reference.D
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    with torch.no_grad():
        fake = G(training._z(plain, "z-D", 0, "cpu"))
    real_logits, fake_logits = D(real), D(fake)
    loss = bce(real_logits, torch.ones(8)) + bce(fake_logits, torch.zeros(8))
    reference.opt_D.zero_grad()
    loss.backward()
    reference.opt_D.step()
    loss = bce(D(G(training._z(plain, "z-G", 0, "cpu"))), torch.ones(8))
    reference.opt_G.zero_grad()
    loss.backward()
    reference.opt_G.step()
    for name, network, twin in (("D", ours.D, D), ("G", ours.G, G)):
        for (key, value), other in zip(network.named_parameters(), twin.parameters(), strict=True):
            # Adam's first step is lr * sign(g) wherever g is not tiny, so compare on the scale of lr
            close = (value - other).abs() <= 0.02 * plain.lr
            assert close.float().mean() > 0.98, (name, key)


def test_the_relativistic_step_adds_R1_on_real_and_R2_on_fakes(store, settings):
    """D's update under rpgan with gamma 2 against the same arithmetic written plainly, in two passes."""
    networks = dataclasses.replace(TINY, d_norm="none")
    paired = dataclasses.replace(settings, networks=networks, loss="rpgan", gamma=2.0)
    ours, reference = training.build(paired, {}), training.build(paired, {})
    real = training.Pictures(store, "cpu").batch(paired, 0)
    figures = training.train_step(ours, paired, real, "float32")

    G, D = reference.G, reference.D
    fake = G(training._z(paired, "z-D", 0, "cpu")).detach()
    softplus, squares = torch.nn.functional.softplus, []
    logits = []
    for pictures in (real.clone().requires_grad_(), fake.clone().requires_grad_()):
        logits.append(D(pictures))
        (gradient,) = torch.autograd.grad(logits[-1].sum(), pictures, create_graph=True)
        squares.append(gradient.square().sum((1, 2, 3)).mean())
    loss = softplus(logits[1] - logits[0]).mean()
    assert figures[0].item() == pytest.approx(loss.item(), rel=1e-4)
    reference.opt_D.zero_grad()
    (loss + 2.0 / 2 * squares[0] + 2.0 / 2 * squares[1]).backward()
    reference.opt_D.step()
    for (name, value), other in zip(ours.D.named_parameters(), D.parameters(), strict=True):
        assert ((value - other).abs() <= 0.02 * paired.lr).float().mean() > 0.98, name


def test_bfloat16_step_stays_near_float32(store, settings):
    both = {}
    for dtype in ("float32", "bfloat16"):
        state = training.build(settings, {})
        pictures = training.Pictures(store, "cpu")
        figures = [
            training.train_step(state, settings, pictures.batch(settings, k), dtype).clone() for k in range(3)
        ]
        both[dtype] = torch.stack(figures)
        assert all(p.dtype == torch.float32 for p in state.G.parameters())
    assert torch.allclose(both["float32"], both["bfloat16"], atol=0.05)


def test_flip_mirrors_about_half_of_the_pictures(store, settings):
    pictures = training.Pictures(store, "cpu")
    plain = dataclasses.replace(settings, flip=False)
    mirrored = []
    for step in range(40):
        a, b = pictures.batch(plain, step), pictures.batch(settings, step)
        for one, other in zip(a, b, strict=True):
            same = torch.equal(one, other)
            assert same or torch.equal(one.flip(2), other)
            mirrored.append(not same)
    assert 0.4 < np.mean(mirrored) < 0.6


def test_diverging_run_fails_with_a_sentence_and_keeps_the_last_good_state(settings):
    target = launch.create(dataclasses.replace(settings, lr=1.0, kimg=40.0, save_seconds=60.0), "wild")
    state = training.build(target.config(), {"threads": 1, "dtype": "float32"})
    train.save(state, target.config(), target, dataset.open_dataset(settings.dataset))
    good = weights(target)
    with torch.no_grad():
        state.G.dense.weight[0, 0] = float("nan")
    with pytest.raises(RunError, match="diverged"):
        train.save(state, target.config(), target, dataset.open_dataset(settings.dataset))
    assert_same(good, weights(target))


def test_a_second_trainer_on_the_device_is_refused_and_named(settings):
    first = launch.launch(dataclasses.replace(settings, kimg=1000.0), "first")
    try:
        with pytest.raises(BusyError, match=first.id):
            launch.launch(settings, "second")
        assert len(run.list_runs()) == 1, "the refused run left a folder behind"
    finally:
        launch.stop(first)
    assert first.status().state == "stopped"


def test_two_trainers_at_once_only_one_trains(settings):
    """Past the launcher's look, the device lock decides."""
    first = launch.create(dataclasses.replace(settings, kimg=1000.0), "first")
    one = spawn(first)
    while first.written_status().step == 0:
        time.sleep(0.02)
    second = launch._create(settings, "second")  # as a launcher would that looked a moment too early
    other = spawn(second)
    assert other.wait(60) == 1
    assert second.status().state == "failed" and first.id in second.status().error
    launch.stop(first)
    assert one.wait(10) == 0


def test_a_killed_trainer_is_crashed_and_a_silent_one_is_stuck(settings, monkeypatch):
    target = launch.create(dataclasses.replace(settings, kimg=1000.0), "silent")
    process = spawn(target)
    while target.written_status().step == 0:
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(run, "STUCK_SECONDS", 0.5)
    time.sleep(1.5)
    assert target.status().state == "stuck"
    process.kill()
    process.wait()
    assert target.status().state == "crashed"
    assert not target.status().active, "a crashed run would block the device"


def test_sigterm_saves_and_stops(settings):
    target = launch.create(dataclasses.replace(settings, kimg=1000.0, save_seconds=1000.0), "polite")
    process = spawn(target)
    while target.written_status().step < 20:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(30) == 0
    status = target.status()
    assert status.state == "stopped" and checkpoint.load_state(target.state)[1]["step"] == status.step >= 20


def test_a_full_disk_fails_with_a_sentence_and_keeps_the_old_state(settings):
    """Writes fail from a size limit on, as they do on a full disk."""
    resource = pytest.importorskip("resource")
    target = launch.create(settings, "full")
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY}));"
        "from ganart import train; from ganart.run import Run; from pathlib import Path;"
        "save = train.save\n"
        "def limited(training, *rest):\n"
        "    if training.step >= 20: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "    save(training, *rest)\n"
        "train.save = limited\n"
        f"sys.argv = ['train', {str(target.folder)!r}]; sys.exit(train.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "could not be read or written" in done.stderr or "disk is full" in done.stderr
    assert target.status().state == "failed"
    assert checkpoint.load_state(target.state)[1]["step"] == 19
    assert not list(target.folder.glob("*.tmp-*"))


def test_the_dataset_of_a_run_must_be_the_one_it_was_started_with(settings):
    target = launch.create(dataclasses.replace(settings, dataset_hash="0" * 64), "moved")
    with pytest.raises(RunError, match="not the one"):
        train.work(target)
    assert target.status().state == "failed"


def test_resuming_a_done_run_is_refused(settings):
    target = launch.create(settings, "once")
    assert train.work(target) == "done"
    with pytest.raises(config.InputError, match="is done"):
        launch.relaunch(target)
