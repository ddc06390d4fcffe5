"""A training that diverges or runs out of memory, and branches from kept states."""

import contextlib
import dataclasses
import itertools
import re
import threading
import time
from pathlib import Path

import pytest
import torch

from ganart import cadence, checkpoint, dataset, devices, graph, launch, recovery, run, saving, train, training
from ganart.config import IntakeConfig, TrainConfig
from ganart.errors import InputError, RunError
from ganart.reporter import Reporter
from ganart.run import Run
from ganart.vitals import Distance


def tensors(target: Run) -> dict[str, torch.Tensor]:
    return checkpoint.load_state(target.state)[0]


def assert_same(one: Run, other: Run) -> None:
    one, other = tensors(one), tensors(other)
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def each_step(settings: TrainConfig) -> TrainConfig:
    """The same, saved after every step."""
    return dataclasses.replace(settings, save_seconds=0.0)


@pytest.fixture
def often(monkeypatch) -> None:
    """Checkpoints lie four times as near, so that short runs have some."""
    monkeypatch.setattr(cadence, "checkpoints", lambda device: (480, 1 / 8))


@pytest.fixture
def spoilt(monkeypatch):
    """Makes a weight of G not a number whenever `wanted(step, times)` says so."""

    def spoil(wanted) -> list[int]:
        happened = []
        plain = graph.stepper

        def stepper(training, settings, dtype):
            step = plain(training, settings, dtype)

            def spoiling(batch):
                figures = step(batch)
                if wanted(training.step, len(happened)):
                    happened.append(training.step)
                    with torch.no_grad():
                        training.G.dense.weight[0, 0] = float("nan")
                return figures

            return spoiling

        monkeypatch.setattr(train.graph, "stepper", stepper)
        return happened

    return spoil


# --- figures that are no numbers


def test_a_training_that_diverges_goes_on_from_its_last_state_with_half_the_rate(settings, spoilt):
    happened = spoilt(lambda step, times: step == 40 and not times)
    target = launch.create(each_step(settings), "once")
    assert train.work(target) == "done" and happened == [40]
    found, values = checkpoint.load_state(target.state)
    assert values["history"]["rollbacks"] == 1 and all(t.isfinite().all() for t in found.values())
    assert "taken back" in target.status().note and "half" in target.status().note
    assert checkpoint.load_generator(target.model)[1].recipe["lr"] == settings.lr / 2
    steps = [line["step"] for line in target.metrics()]
    assert steps == sorted(set(steps))


def test_before_the_first_save_it_goes_back_to_step_0(settings, spoilt):
    happened = spoilt(lambda step, times: step == 1 and not times)
    target = launch.create(dataclasses.replace(settings, save_seconds=60.0), "early")
    assert train.work(target) == "done" and happened == [1]
    assert "taken back to step 0" in target.status().note


def test_after_three_times_it_stops_and_says_so_and_no_bad_weights_are_kept(settings, spoilt):
    happened = spoilt(lambda step, times: step > 20)
    target = launch.create(each_step(settings), "thrice")
    with pytest.raises(RunError, match="4th time"):
        train.work(target)
    assert len(happened) == 4
    assert target.status().state == "failed" and "another seed" in target.status().error
    assert all(t.isfinite().all() for t in tensors(target).values())


def test_other_noise_is_drawn_each_time_and_the_rate_halves(settings):
    seen = [recovery.after_rollbacks(settings, count) for count in range(4)]
    assert seen[0] == settings
    assert [other.lr for other in seen] == [settings.lr / 2**count for count in range(4)]
    assert len({other.seed for other in seen}) == 4


def test_a_run_taken_back_and_then_interrupted_ends_as_the_uninterrupted_one(settings, spoilt, monkeypatch):
    spoils = [0]
    spoilt(lambda step, times: step == 40 and times in spoils)
    straight = launch.create(each_step(settings), "straight")
    assert train.work(straight) == "done"
    spoils[0] = 1  # once in this run, too
    halted = launch.create(each_step(settings), "halted")
    saved = train.save

    def stop_at_45(training, *rest):
        saved(training, *rest)
        if training.step == 45:
            halted.request("stop")

    monkeypatch.setattr(train, "save", stop_at_45)
    assert train.work(halted) == "stopped"
    halted.request("run")
    assert train.work(halted) == "done"
    assert_same(straight, halted)


# --- a collapse


def test_a_collapse_pauses_the_run_once_and_names_the_last_healthy_state(settings, monkeypatch):
    """G hears nothing of its z from step 150 on, as where every unit of a layer has died."""
    plain = graph.stepper

    def stepper(training, settings, dtype):
        step = plain(training, settings, dtype)

        def dying(batch):
            figures = step(batch)
            if training.step >= 150:
                with torch.no_grad():
                    for G in (training.G, training.G_ema):
                        G.dense.weight.zero_()
            return figures

        return dying

    monkeypatch.setattr(train.graph, "stepper", stepper)
    monkeypatch.setattr(train.doctor, "GRACE_KIMG", 1.0)
    settings = dataclasses.replace(settings, kimg=6.4, batch=16, save_seconds=60.0)
    target = launch.create(settings, "ill")
    seen: list[run.Status] = []

    def artist() -> None:
        while not seen:
            if (status := target.written_status()).state == "paused":
                seen.append(status)
                target.request("run")
            time.sleep(0.05)

    watching = threading.Thread(target=artist, daemon=True)
    watching.start()
    assert train.work(target, "pause") == "done", "it went on when asked to, and did not pause again"
    watching.join(5)
    (paused,) = seen
    assert "has died" in paused.note and "is paused" in paused.note
    step = int(re.search(r"Go back to step (\d+), or continue", paused.note)[1])
    assert step in target.states() and step < 200
    assert target.status().note == ""
    assert checkpoint.load_state(target.state)[1]["history"]["collapsed"] == paused.step


def test_a_collapse_does_not_undo_a_stop_that_was_asked_for(settings, monkeypatch):
    found = train.doctor.Finding("collapse", "red", 5, "It has collapsed.", "Half the rate.")
    monkeypatch.setattr(train.doctor, "examine", lambda *_: [found])
    target = launch.create(settings, "ill")
    for asked, wish, then, words in (
        ("stop", "pause", "stop", "or continue"),
        ("run", "pause", "pause", "is paused"),
        ("run", "stop", "stop", "has stopped. Start anew with another seed, or resume it"),
    ):
        target.request(asked)
        state, reporter = training.build(settings, {}), Reporter(target, settings, threading.Event(), "", wish)
        train._halt_if_collapsed(target, settings, state, dataset.open_dataset(settings.dataset), reporter)
        assert target.requested() == then and words in reporter.alarm


# --- short memory


@pytest.mark.parametrize(
    ("words", "short"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB.", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("The size of tensor a (3) must match the size of tensor b (4)", False),
    ],
)
def test_short_memory_is_known_by_the_words_of_torch_and_its_libraries(words, short):
    assert devices.is_memory(RuntimeError(words)) == short


def short_of_memory(monkeypatch, limit: int) -> None:
    """Steps of more than `limit` pictures at a time find no memory."""
    plain = graph.stepper

    def stepper(training, settings, dtype):
        step = plain(training, settings, dtype)

        def limited(batch):
            if len(batch.real) // training.choices.get("pieces", 1) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return step(batch)

        return limited

    monkeypatch.setattr(train.graph, "stepper", stepper)


def test_a_batch_that_does_not_fit_is_taken_in_pieces_and_the_page_is_told(settings, monkeypatch):
    short_of_memory(monkeypatch, 2)
    target = launch.create(settings, "small")
    assert train.work(target) == "done"
    assert checkpoint.load_state(target.state)[1]["choices"]["pieces"] == 4
    assert "2 at a time" in target.status().note


def test_a_card_that_refuses_to_record_is_told_and_the_run_goes_on_without_when_it_is_resumed(
    settings, monkeypatch
):
    stepper = graph.stepper

    def refusing(training, settings, dtype):
        if training.choices.get("plain"):
            return stepper(training, settings, dtype)
        return graph.Recorded(training, settings, dtype, graph.record_cuda)

    def refuse(work, pool):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(devices, "free_memory", lambda device: 10**12)
    monkeypatch.setattr(graph, "stepper", refusing)
    monkeypatch.setattr(graph, "_record_one", refuse)
    target = launch.create(settings, "refused")
    with pytest.raises(RunError, match="would not record the steps"):
        train.work(target)
    assert target.status().state == "failed" and "resume the run" in target.status().error
    launch.make_ready(target)
    assert train.work(target) == "done"
    plain = launch.create(settings, "plain")
    monkeypatch.setattr(graph, "stepper", stepper)
    assert train.work(plain) == "done"
    assert_same(plain, target)


def test_only_a_run_whose_card_refused_is_not_recorded(settings):
    on_card = dataclasses.replace(settings, device="cuda")
    state = training.build(settings, {"plain": True})
    assert not isinstance(graph.stepper(state, on_card, "float32"), graph.Recorded)
    state.choices["plain"] = False
    assert isinstance(graph.stepper(state, on_card, "float32"), graph.Recorded)


def test_when_nothing_is_left_to_halve_it_fails_with_a_sentence(settings, monkeypatch):
    short_of_memory(monkeypatch, 0)
    with pytest.raises(RunError, match="memory of the processor is not enough"):
        train.work(launch.create(settings, "none"))


def test_pieces_never_split_what_D_looks_at_together(settings, monkeypatch):
    networks = dataclasses.replace(settings.networks, d_norm="none", d_stddev=4)
    short_of_memory(monkeypatch, 2)
    with pytest.raises(RunError, match="memory"):
        train.work(launch.create(dataclasses.replace(settings, networks=networks, loss="rpgan"), "grouped"))


# --- branches


@pytest.fixture
def done(finished) -> Run:
    """A finished run of 50 steps with kept states."""
    return finished("done")


@pytest.fixture
def long(finished, often) -> Run:
    """A run with several kept states."""
    return finished("long", kimg=2.0)


def test_checkpoints_and_states_are_kept_on_the_way(long):
    assert len(long.states()) >= 4 and long.states().keys() == long.checkpoints().keys()
    for step, path in long.checkpoints().items():
        _, card = checkpoint.load_generator(path)
        assert card.step == step
    assert not any(name.startswith("D.") for name in checkpoint.load_tensors(path)[0])
    assert {"telling", "diversity", "rank", "duplicates", "sensitivity", "gap"} <= long.vitals()[-1].keys()


def test_a_branch_with_the_same_settings_ends_bit_for_bit_as_its_run(long):
    step = list(long.states())[1]
    branch = launch.branch(long, step, {})
    assert branch.config().parent == f"{long.id}@{step}" and branch.status().state == "stopped"
    assert branch.status().step == step and max(line["step"] for line in branch.metrics()) <= step
    assert max(int(path.stem) for path in branch.samples()) <= step and list(branch.states())[-1] == step
    branch.request("run")
    assert train.work(branch) == "done"
    assert_same(long, branch)
    assert [line["loss_D"] for line in branch.metrics()] == [line["loss_D"] for line in long.metrics()]


def test_a_branch_with_other_settings_goes_another_way_and_leaves_its_run_alone(long):
    before = long.state.read_bytes()
    step = list(long.states())[1]
    branch = launch.branch(long, step, {"lr": 1e-3, "augment": "full"}, "other")
    branch.request("run")
    assert train.work(branch) == "done" and branch.name == "other"
    assert long.state.read_bytes() == before
    assert not torch.equal(tensors(branch)["G.dense.weight"], tensors(long)["G.dense.weight"])


def test_a_finished_run_can_train_longer(done):
    longer = launch.branch(done, None, {"kimg": 0.8})
    longer.request("run")
    assert train.work(longer) == "done"
    assert longer.status().step == 100 and longer.status().kimg == 0.8
    whole = launch.create(dataclasses.replace(done.config(), kimg=0.8), "whole")
    assert train.work(whole) == "done"
    assert_same(longer, whole)


def test_on_other_hardware_precision_and_threads_are_chosen_anew(done):
    values, facts = checkpoint.load_state(done.state)
    facts["choices"] |= {"here": "cuda of another computer", "dtype": "bfloat16", "pieces": 2}
    checkpoint.save_state(done.state, values, facts)
    branch = launch.branch(done, None, {"kimg": 1.25 * done.config().kimg})
    assert train.work(branch) == "done"
    choices = checkpoint.load_state(branch.state)[1]["choices"]
    assert "pieces" not in choices and choices["here"] == devices.here("cpu")
    assert "other hardware" in branch.status().note and done.status().note == ""


def test_a_branch_can_learn_from_more_pictures(done, picture_folder):
    from ganart import dataset
    from ganart.config import IntakeConfig

    more = dataset.prepare(picture_folder(30), IntakeConfig(size=32))
    changes = {"dataset": more.name, "dataset_hash": more.hash, "kimg": 1.6}
    branch = launch.branch(done, None, changes)
    branch.request("run")
    assert train.work(branch) == "done"
    assert checkpoint.load_generator(branch.model)[1].dataset["pictures"] == more.count


def test_what_cannot_be_branched_is_refused_with_a_sentence(done):
    with pytest.raises(InputError, match=r"No state of step 7 was kept in .*There are: "):
        launch.branch(done, 7, {})
    with pytest.raises(InputError, match="thousand pictures already"):
        launch.branch(done, None, {})
    with pytest.raises(InputError, match="keeps the networks"):
        launch.branch(done, None, {"batch": 16, "kimg": 2.0})
    assert [item.id for item in run.list_runs()] == [done.id], "a refused branch left a folder behind"


def test_a_resumed_run_forgets_the_checkpoints_beyond_its_state(long):
    first, second, *_ = long.states()
    values = checkpoint.load_state(long.states()[first])
    checkpoint.save_state(long.state, *values)
    long.rewind_to(first)
    assert list(long.states()) == [first] and second not in long.checkpoints()
    assert all(line["step"] <= first for line in itertools.chain(long.vitals(), long.metrics()))


# --- the best


def test_the_best_model_is_the_checkpoint_nearest_to_the_held_out_pictures(
    settings, often, picture_folder, monkeypatch
):
    store = dataset.prepare(picture_folder(240, size=(40, 40)), IntakeConfig(size=32))
    assert store.held_out
    changed = dataclasses.replace(settings, dataset=store.name, dataset_hash=store.hash, kimg=1.92)
    target = launch.create(changed, "best")
    assert train.work(target) == "done"
    distances = {line["step"]: line["distance"] for line in target.vitals() if "distance" in line}
    assert list(distances) == list(target.checkpoints()) and max(distances) == target.config().total_steps
    assert len(distances) >= 4
    told = checkpoint.load_state(target.state)[1]["history"]["best"]
    assert told["distance"] == pytest.approx(min(distances.values())) and told["error"] > 0
    best = max(step for step, distance in distances.items() if distance <= told["distance"] + told["error"])
    card = checkpoint.load_generator(target.best)[1]
    assert card.step == best == told["step"]

    # Ended in the midst of keeping a checkpoint, it keeps the same ones once it goes on.
    plain, left = saving.kept.share, [1, 3, 4]

    def share(source: Path, into: Path) -> None:
        if left:
            left[0] -= 1
        if left and not left[0]:
            left.pop(0)
            raise RuntimeError("ended here")
        plain(source, into)

    monkeypatch.setattr(saving.kept, "share", share)
    cut = launch.create(changed, "cut")
    for _ in range(3):
        with contextlib.suppress(RuntimeError):
            train.work(cut)
    monkeypatch.setattr(saving.kept, "share", plain)
    assert cut.status().state == "failed" and not left
    assert train.work(cut) == "done"
    assert_same(target, cut)
    assert checkpoint.load_generator(cut.best)[1].step == best and cut.checkpoints().keys() == distances.keys()

    # A branch has the state of its run, but not the model: its own best is the best of what it sees.
    branch = launch.branch(target, None, {"kimg": 3.0})
    going_on, _ = recovery.load_or_start(branch, branch.config())
    assert not branch.best.exists() and "best" not in going_on.history
    assert "best" in recovery.load_or_start(target, target.config())[0].history


def test_of_models_that_cannot_be_told_apart_the_one_that_learned_longest_is_the_best(
    settings, often, picture_folder, monkeypatch
):
    """Within a standard error of the smallest distance so far, not of the last one that was: nothing creeps."""
    values = iter([(90.0, 5.0), (10.0, 4.0), (13.0, 50.0), (16.0, 0.1), (12.0, 0.1), (20.0, 30.0), (14.5, 9.0)])
    monkeypatch.setattr(saving, "_check_finite", lambda *_: None)
    monkeypatch.setattr(train.vitals, "held_out_distance", lambda *_: Distance(*next(values)))
    store = dataset.prepare(picture_folder(40, size=(40, 40)), IntakeConfig(size=32))
    target = launch.create(dataclasses.replace(settings, dataset=store.name, dataset_hash=store.hash), "seven")
    state, seen = training.build(settings, {}), []
    G = training.sampling_generator(state, settings)
    for step in range(1, 8):
        state.step = 10 * step
        saving.keep(state, settings, target, store, G, train.vitals.held_out_distance())
        seen.append((state.history["best"]["step"], checkpoint.load_generator(target.best)[1].step))
    assert seen == [(step, step) for step in (10, 20, 30, 30, 50, 50, 50)]
    assert state.history["best"] == {"step": 50, "distance": 10.0, "error": 4.0}


def test_without_held_out_pictures_there_is_no_best(done):
    assert not done.best.exists() and all("distance" not in line for line in done.vitals())
