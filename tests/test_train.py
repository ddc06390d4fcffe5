"""The trainer: exact resumption, its files, and what it does when something goes wrong."""

import dataclasses
import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from waiting import until

from ganart import checkpoint, dataset, launch, run, train, training
from ganart.errors import BusyError, DatasetError, InputError, RunError
from ganart.run import Run


def weights(target: Run) -> dict[str, torch.Tensor]:
    """Everything in the saved state."""
    return checkpoint.load_state(target.state)[0]


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def spawn(target: Run, *command: str) -> subprocess.Popen:
    """A trainer process that the test may kill; command: for Python, in place of the usual one."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *(command or ("-m", "ganart.train", str(target.folder)))],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.slow  # `test_faults` has one that is killed, with another recipe
@pytest.mark.parametrize("variant", ["mnist-seed", "art"])
@pytest.mark.timeout(900)
def test_killed_at_random_moments_ends_bit_for_bit_as_uninterrupted(settings, variant):
    settings = dataclasses.replace(settings, kimg=4.0)  # long enough for a quick machine as well
    if variant == "mnist-seed":  # dropout, fresh noise and no average: the other way through the step
        networks = dataclasses.replace(settings.networks, d_norm="none", d_dropout=0.25)
        settings = dataclasses.replace(settings, networks=networks, fresh_noise=True, ema_half_life=0.0)
    if variant == "art":  # everything that has a state or a schedule of its own
        networks = dataclasses.replace(settings.networks, d_norm="spectral", d_stddev=4)
        settings = dataclasses.replace(
            settings, networks=networks, loss="rpgan", gamma=1.0, gamma_end=0.1, penalty_every=4, lr_end=0.2
        )
        settings = dataclasses.replace(settings, augment="steered")
    straight = launch.create(settings, "straight")
    assert train.work(straight) == "done"

    killed = launch.create(dataclasses.replace(settings, save_seconds=0.0), "killed")
    moments = random.Random(0)
    kills = 0
    for _ in range(6):
        process = spawn(killed)
        while killed.written_status().step == 0 and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0.0, 0.8))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
        if kills == 2:
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
    assert train.work(straight) == "done"
    paused = launch.create(dataclasses.replace(settings, save_seconds=0.0), "paused")
    process = spawn(paused, str(Path(__file__).with_name("asking.py")), str(paused.folder), "20", "pause")
    until(lambda: paused.status().state == "paused")
    step = paused.status().step
    assert 20 <= step < settings.total_steps
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
    target = launch.create(dataclasses.replace(settings, kimg=2.0), "sheets")
    assert train.work(target) == "done"
    steps = [int(path.stem) for path in target.samples()]
    assert steps[0] == 0 and steps[-1] == 250
    with Image.open(target.samples()[0]) as sheet:
        assert sheet.size == (6 * 32, 6 * 32)
    gaps = [b - a for a, b in itertools.pairwise(steps)]
    assert max(gaps) * settings.batch <= 600


def test_a_finished_run_leaves_a_model_that_draws_its_sheet(settings):
    from ganart import images, latent, render

    target = launch.create(settings, "model")
    assert train.work(target) == "done"
    G, card = checkpoint.load_generator(target.model)
    assert card.step == settings.total_steps and card.averaged and card.dataset["name"] == settings.dataset
    drawn = render.sheet(G, latent.sample_z(list(range(36)), settings.networks.z_dim))
    assert np.abs(drawn.astype(int) - images.read_png(target.samples()[-1].read_bytes())).max() <= 1


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


@pytest.mark.slow  # `test_faults` has two commands at once
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
    psutil.Process(process.pid).suspend()
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
    target = launch.create(dataclasses.replace(settings, save_seconds=0.0), "full")
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
    with pytest.raises(DatasetError, match="not the one"):
        train.work(target)
    assert target.status().state == "failed"


def test_resuming_a_done_run_is_refused(settings):
    target = launch.create(settings, "once")
    assert train.work(target) == "done"
    with pytest.raises(InputError, match="is done"):
        launch.relaunch(target)
