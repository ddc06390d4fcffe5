"""The commands that keep the workspace in order, move runs, branch them, and foretell, as a person meets them."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganart import (
    checkpoint,
    config,
    dataset,
    devices,
    disk,
    forecast,
    kept,
    latent,
    launch,
    presets,
    render,
    run,
    train,
    trial,
)
from ganart.card import Card
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.errors import InputError
from ganart.files import write_json
from ganart.run import Run, Status

KINDS = ("run", "dataset", "model", "export")
NAMES = {"run": "blue", "dataset": "colours-32", "model": "lilies", "export": "loop.gif"}
UNTRAINED = TrainConfig(networks=NetworkConfig(size=32, channels=3, z_dim=8, width=4), batch=16, device="cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A workspace with a dataset and a run of 160 steps that learned from it, states kept at 125 and 160."""
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(0)
    (folder / "colours").mkdir()
    for index in range(20):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / "colours" / f"{index}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(folder / "home"))
        store = dataset.prepare(folder / "colours", IntakeConfig(size=32))
        settings = dataclasses.replace(
            UNTRAINED, dataset=store.name, dataset_hash=store.hash, kimg=2.56, ema_half_life=0.2, dtype="float32"
        )
        assert train.work(launch.create(settings, "blue")) == "done"
    return folder / "home"


@pytest.fixture
def done(trained, home) -> Run:
    """That run, in this test's own workspace."""
    shutil.copytree(trained, home, dirs_exist_ok=True)
    target = run.find_run("blue")
    assert list(target.states()) == [125, 160]
    return target


@pytest.fixture
def full(done, home, tiny_model) -> Path:
    """A workspace with one thing of every kind."""
    for kind in ("models", "exports"):
        (home / kind).mkdir()
    shutil.copy(tiny_model, home / "models" / "lilies.safetensors")
    (home / "exports" / "loop.gif").write_bytes(b"x" * 1000)
    return home


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal at stdin on which these keys have been pressed."""
    pty, opened = pytest.importorskip("pty"), []

    def press(keys: bytes) -> None:
        master, slave = pty.openpty()
        stdin = os.fdopen(slave)
        opened.extend([lambda: os.close(master), stdin.close])
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(master, keys)

    yield press
    for close in opened:
        close()


def listed(home: Path) -> list[str]:
    """Everything in the workspace, by kind and name."""
    return sorted(f"{kind}/{path.name}" for kind in disk.KINDS for path in (home / kind).glob("*"))


ALL = ["datasets/colours-32", "exports/loop.gif", "models/lilies.safetensors", "runs/0001-blue"]


# --- other names


@pytest.mark.parametrize(
    ("kind", "new", "printed", "path"),
    [
        ("run", "red", "0001-red", "runs/0001-red"),
        ("dataset", "reds", "reds", "datasets/reds"),
        ("model", "roses", "roses", "models/roses.safetensors"),
        ("export", "slow dawn", "slow dawn.gif", "exports/slow dawn.gif"),
    ],
)
def test_rename_gives_one_thing_another_name_and_prints_it(ganart, full, kind, new, printed, path):
    answer = ganart("rename", kind, NAMES[kind], new)
    assert (answer.status, answer.out, answer.err) == (0, f"{printed}\n", "")
    others = [name for name in ALL if not name.startswith(f"{kind}s/")]
    assert listed(full) == sorted([*others, path])


@pytest.mark.parametrize("kind", KINDS)
def test_rename_refuses_what_is_not_there_and_names_that_are_not_usable(refused, full, kind):
    assert "nothing-here" in refused("rename", kind, "nothing-here", "free")
    assert "not a usable" in refused("rename", kind, NAMES[kind], "../out")
    assert listed(full) == ALL


def test_rename_knows_four_kinds_alone(refused, full):
    refused("rename", "picture", "blue", "red")
    refused("delete", "picture", "blue", "--yes")


def test_a_run_at_work_keeps_its_name_and_stays(refused, full):
    target = run.find_run("blue")
    target.write_status(Status(state="running"))
    with target.lock():
        assert "is at work (running)" in refused("rename", "run", "blue", "red", status=1)
        assert "is at work (running)" in refused("delete", "run", "blue", "--yes", status=1)
        assert "is at work (running)" in refused("delete", "dataset", "colours-32", "--yes", status=1)
    assert listed(full) == ALL


# --- deleting


@pytest.mark.parametrize("kind", KINDS)
def test_delete_with_yes_deletes_that_and_says_what_it_was(ganart, full, kind):
    answer = ganart("delete", kind, NAMES[kind], "--yes")
    assert answer.status == 0 and answer.err == ""
    assert answer.out.startswith("Deleted. ") and NAMES[kind] in answer.out
    assert listed(full) == [name for name in ALL if not name.startswith(f"{kind}s/")]


@pytest.mark.parametrize("kind", KINDS)
def test_delete_without_yes_and_without_a_terminal_deletes_nothing(refused, full, kind):
    line = refused("delete", kind, NAMES[kind])
    assert NAMES[kind] in line and "Nothing was deleted: add --yes" in line
    assert listed(full) == ALL


@pytest.mark.parametrize("kind", KINDS)
def test_delete_refuses_what_is_not_there(refused, full, kind):
    assert "nothing-here" in refused("delete", kind, "nothing-here", "--yes")
    assert listed(full) == ALL


@pytest.mark.parametrize(("keys", "goes"), [(b"y\n", True), (b"Yes\n", True), (b"n\n", False), (b"\n", False)])
def test_delete_asks_in_a_terminal(ganart, full, terminal, keys, goes):
    terminal(keys)
    answer = ganart("delete", "run", "blue")
    assert answer.status == 0 and answer.err == ""
    question, rest = answer.out.split("Delete it? [y/N] ")
    assert question.startswith("0001-blue: its model, ") and ("Nothing was deleted" in rest) != goes
    assert ("runs/0001-blue" in listed(full)) != goes


def test_delete_takes_the_end_of_input_for_no(ganart, full, terminal):
    terminal(b"\x04")
    assert "Nothing was deleted" in ganart("delete", "run", "blue").out
    assert listed(full) == ALL


# --- disk


def test_disk_says_how_much_room_each_kind_takes(ganart, full):
    used = ganart("disk", "--json").json()
    assert set(used) == {"datasets", "runs", "models", "exports", "uploads", "free"}
    assert used["exports"] == 1000 and used["runs"] == disk.size(full / "runs") > 100_000
    assert used["datasets"] > 20 * 32 * 32 * 3 and used["models"] > 10_000 and used["free"] > 0
    words = ganart("disk")
    assert words.status == 0 and len(words.out.splitlines()) == 6
    assert f"exports    {disk.words(1000):>8}" in words.out.splitlines()
    ganart("delete", "export", "loop.gif", "--yes")
    assert ganart("disk", "--json").json()["exports"] == 0


# --- packing


def test_a_packed_run_is_opened_elsewhere_and_goes_on(ganart, done, home, tmp_path, monkeypatch):
    before = ganart("info", "blue", "--json").json()
    answer = ganart("pack", "blue", "--out", tmp_path / "blue.ganart")
    assert answer.status == 0 and answer.err == "" and answer.out.startswith(f"{tmp_path / 'blue.ganart'} (")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("GANART_HOME", str(tmp_path / "elsewhere"))
    answer = ganart("unpack", tmp_path / "blue.ganart")
    assert (answer.status, answer.out, answer.err) == (0, "run 0001-blue\n", "")
    after = ganart("info", "blue", "--json").json()
    assert after["states"] == before["states"] == [125, 160] and after["config"] == before["config"]
    assert after["status"]["state"] == "done"
    answer = ganart("resume", "blue", "--kimg", 2.6)
    assert answer.status == 0 and answer.out == "run 0002-blue\ndone\n"


def test_a_run_is_packed_without_its_pictures_where_that_is_asked(ganart, done, tmp_path, monkeypatch):
    for name, options in (("whole", []), ("bare", ["--without-pictures"])):
        assert ganart("pack", "blue", *options, "--out", tmp_path / f"{name}.ganart").status == 0
    saved = (tmp_path / "whole.ganart").stat().st_size - (tmp_path / "bare.ganart").stat().st_size
    assert saved > 20 * 32 * 32 * 3
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("GANART_HOME", str(tmp_path / "elsewhere"))
    assert ganart("unpack", tmp_path / "bare.ganart").out == "run 0001-blue\n"
    assert dataset.list_datasets() == []


def test_a_model_is_unpacked_into_the_models(ganart, refused, home, tiny_model):
    answer = ganart("unpack", tiny_model)
    assert (answer.status, answer.out) == (0, "model tiny\n")
    assert (home / "models" / "tiny.safetensors").read_bytes() == tiny_model.read_bytes()
    assert ganart("sample", "tiny", "--seeds", 0, "--out", tiny_model.with_name("x.png")).status == 0
    tiny_model.write_bytes(tiny_model.read_bytes()[:-9])
    assert "damaged" in refused("unpack", tiny_model)


def test_what_cannot_be_packed_or_unpacked_is_one_line(refused, done, tmp_path):
    assert ".ganart" in refused("pack", "blue", "--out", tmp_path / "blue.zip")
    assert "There is no run “red”" in refused("pack", "red", "--out", tmp_path / "red.ganart")
    refused("unpack", tmp_path / "missing.ganart")
    (tmp_path / "words.ganart").write_text("words")
    refused("unpack", tmp_path / "words.ganart")
    assert [item.id for item in run.list_runs()] == ["0001-blue"] and not list(tmp_path.glob("*.zip"))


# --- going on otherwise


def test_resume_from_a_kept_state_makes_a_branch(ganart, done):
    before = done.state.read_bytes()
    answer = ganart("resume", "blue", "--from", 125, "--kimg", 2.2)
    assert (answer.status, answer.out, answer.err) == (0, "run 0002-blue\ndone\n", "")
    branch = run.find_run("0002-blue")
    assert branch.config() == dataclasses.replace(done.config(), kimg=2.2, parent="0001-blue@125")
    assert branch.status().step == 138 and done.state.read_bytes() == before
    assert done.status().step == 160 and done.config().parent == ""


def test_resume_with_a_larger_total_trains_longer(ganart, done):
    answer = ganart("resume", "0001-blue", "--kimg", 2.6, "--name", "longer")
    assert answer.status == 0 and answer.out == "run 0002-longer\ndone\n"
    branch = run.find_run("longer")
    assert branch.config().parent == "0001-blue@160" and branch.status().step == 163


def test_resume_takes_other_settings_into_the_branch(ganart, done):
    options = ["--lr", 5e-4, "--augment", "full", "--kimg", 2.05]
    assert ganart("resume", "blue", "--from", 125, *options).status == 0
    settings = run.find_run("0002-blue").config()
    assert (settings.lr, settings.augment, settings.kimg) == (5e-4, "full", 2.05)
    assert settings.networks == done.config().networks and settings.seed == done.config().seed


def test_resume_on_more_pictures_prepares_them_as_the_old_ones_were(ganart, done, picture_folder):
    answer = ganart("resume", "blue", "--pictures", picture_folder(24), "--kimg", 2.6)
    assert answer.status == 0 and answer.out == "run 0002-blue\ndone\n", answer.err
    settings = run.find_run("0002-blue").config()
    store = dataset.find(settings.dataset, settings.dataset_hash)
    assert store.count == 24 and store.settings.size == 32 and store.channels == 3
    again = ganart("resume", "0001-blue", "--pictures", store.name, "--kimg", 2.6)
    assert again.status == 0 and run.find_run("0003-blue").config().dataset_hash == store.hash


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", "is done: it has seen all its 2.56 thousand pictures"),
        ("--from 126", "No state of step 126 was kept in 0001-blue. There are: 125, 160."),
        ("--from 0", "There are: 125, 160."),
        ("--lr 0.001", "Choose a larger total (--kimg)"),
        ("--from 160", "Choose a larger total (--kimg)"),
        ("--kimg 2", "Choose a larger total (--kimg)"),
        ("--from 125 --lr 5", "The learning rate is 5.0"),
        ("--from 125 --kimg nan", "The length is nan kimg"),
        ("--from 125 --gamma -1", "gamma is -1.0"),
        ("--from 125 --gamma 1", "need a D without BatchNorm"),
        ("--from 125 --augment some", "invalid choice"),
        ("--from here", "invalid int value"),
        ("--pictures missing/folder --kimg 4", "missing/folder"),
        ("--pictures other --kimg 4", "Prepare it with --size 32"),
    ],
)
def test_what_cannot_be_gone_on_with_exits_2_and_leaves_no_branch(refused, done, trained, options, words):
    if "other" in options:
        dataset.prepare(trained.parent / "colours", IntakeConfig(size=28), "other")
    assert words in refused("resume", "blue", *options.split())
    assert [item.id for item in run.list_runs()] == ["0001-blue"]


@pytest.mark.parametrize("name", ["My_Run", "../../out", "x" * 41])
def test_a_branch_with_a_name_that_is_not_usable_is_refused(refused, done, home, name):
    before = sorted(path for path in home.rglob("*") if path.is_dir())
    try:
        assert "not a usable name" in refused("resume", "blue", "--from", 125, "--kimg", 2.05, "--name", name)
    finally:
        left = sorted(path for path in home.rglob("*") if path.is_dir())
    assert left == before


def available(device: str) -> bool:
    """Whether this computer has it."""
    try:
        return devices.pick(device) == device
    except InputError:
        return False


def test_a_branch_for_a_device_that_is_not_there_is_not_made(refused, done):
    missing = next(name for name in ("mps", "cuda") if not available(name))
    assert f"The device {missing} is not available" in refused(
        "resume", "blue", "--from", 125, "--device", missing
    )
    assert [item.id for item in run.list_runs()] == ["0001-blue"]


def test_a_name_alone_makes_a_branch(ganart, done):
    done.write_status(dataclasses.replace(done.written_status(), state="stopped"))
    config = json.loads((done.folder / "config.json").read_text())
    (done.folder / "config.json").write_text(json.dumps({**config, "kimg": 2.6}))
    assert ganart("resume", "blue", "--name", "green").out == "run 0002-green\ndone\n"
    assert done.status().state == "stopped"


def test_a_branch_of_a_run_from_elsewhere_has_a_name(ganart, done, tmp_path):
    done.folder.rename(tmp_path / "sunflowers")
    assert ganart("resume", tmp_path / "sunflowers", "--kimg", 2.6).status == 0
    assert [item.id for item in run.list_runs()] == ["0002-sunflowers"]


def test_a_branch_of_a_run_that_crashed_starts_where_its_state_is(done):
    shutil.copy(done.states()[125], done.state)  # saved last, 35 steps before the end
    done.write_status(dataclasses.replace(done.written_status(), state="failed"))
    branch = launch.branch(done, None, {"kimg": 4.0})
    assert checkpoint.load_state(branch.state)[1]["step"] == 125
    assert branch.config().parent == "0001-blue@125" and branch.status().step == 125


def test_a_busy_device_makes_no_branch(refused, done):
    busy = launch.create(UNTRAINED, "busy")
    busy.write_status(Status(state="running"))
    with busy.lock():
        line = refused("resume", "blue", "--from", 125, "--kimg", 3, status=1)
    assert "The run 0002-busy is training" in line and len(run.list_runs()) == 2


# --- what a run says of itself


def test_info_of_a_run_tells_its_states_and_its_health(ganart, done):
    about = ganart("info", "blue", "--json").json()
    assert about["kind"] == "run" and about["states"] == [125, 160] and about["health"] == {}
    for step in range(161, 170):
        dead = {"sensitivity": 0.0, "diversity": 0.01, "duplicates": 1.0, "telling": 0.8, "rank": 0.01, "gap": 1.0}
        done.append_vitals({"step": step, "kimg": 30.0 + step, **dead})
    about = ganart("info", "blue", "--json").json()
    assert list(about["health"]) == ["dead"]
    assert "painter has died" in about["health"]["dead"] and "learning rate" in about["health"]["dead"]
    words = ganart("info", "blue").out
    assert "painter has died" in words and "states: [125, 160]" in words


def pictures_in(sheet: Path, seeds: int) -> np.ndarray:
    """The pictures of a sheet in one row."""
    with Image.open(sheet) as image:
        return np.stack(np.split(np.asarray(image).astype(int), seeds, 1))


def test_sample_draws_the_best_the_last_and_those_on_the_way(ganart, done, tmp_path):
    kept.share(done.checkpoints()[125], done.best)
    files = {"": done.best, "@last": done.model, "@125": done.checkpoints()[125], "@160": done.checkpoints()[160]}
    z, sheets = latent.sample_z([3, 4, 5], 8), {}
    for part, path in files.items():
        out = tmp_path / "sheet.png"
        for name in ("blue", "0001-blue"):
            options = ["--seeds", "3-5", "--columns", 3, "--scale", 1, "--out", out]
            assert ganart("sample", f"{name}{part}", *options).status == 0
            sheets[part] = pictures_in(out, 3)
            expected = render.pictures(checkpoint.load_generator(path)[0], z).astype(int)
            assert np.abs(sheets[part] - expected).max() <= 1, part
    assert (sheets[""] == sheets["@125"]).all() and (sheets["@last"] == sheets["@160"]).all()
    assert (sheets["@125"] != sheets["@160"]).any(), "the steps are too alike to test on"
    assert ganart("info", "blue@125", "--json").json()["kimg"] == 2.0
    assert ganart("info", "blue@last", "--json").json()["kimg"] == 2.56


@pytest.mark.parametrize("part", ["126", "0", "-1", "first", "best"])
def test_a_step_of_which_no_model_is_kept_exits_2_and_lists_those_there_are(refused, done, tmp_path, part):
    line = refused("sample", f"blue@{part}", "--out", tmp_path / "x.png")
    assert f"has kept no model of step “{part}”. There are: last, 125, 160." in line
    assert not list(tmp_path.glob("x.*"))


def test_a_step_in_raised_digits_is_one_line(refused, done, tmp_path):
    refused("sample", "blue@²", "--out", tmp_path / "x.png")


# --- forecasts


def test_forecast_tells_the_budgets_of_the_training_that_is_asked_for(ganart, done, monkeypatch, tmp_path):
    settings = presets.for_dataset(presets.preset("sketch"), 32, 3, 4)
    settings = dataclasses.replace(settings, device="cpu", kimg=7.0, dataset="any")
    monkeypatch.setattr(trial, "PROBE_SECONDS", 0.2)
    (folder := tmp_path / "measured").mkdir()
    write_json(forecast.path_for(settings), dataclasses.asdict(trial.measure(settings, folder)))

    def refuse(_):
        raise AssertionError("something else is measured")

    monkeypatch.setattr(forecast, "begin", refuse)
    options = ["forecast", "colours-32", "--width", 4, "--device", "cpu"]
    found = ganart(*options, "--json").json()
    assert (found["device"], found["size"], found["verdict"]) == ("cpu", 32, "yes")
    assert found["images_per_second"] > 1 and 0 < found["memory"] < found["memory_free"]
    kimg = found["kimg"]
    assert list(kimg) == ["coffee", "lunch", "overnight"]
    assert 0 < kimg["coffee"] < kimg["lunch"] < kimg["overnight"]
    assert 2 < kimg["lunch"] / kimg["coffee"] < 5, "four times the time"

    words = ganart(*options)
    assert words.status == 0 and words.err == ""
    first, *rest = words.out.splitlines()
    assert first.startswith("32 px on this processor: yes. First shapes after about ")
    assert [line.split()[0] for line in rest] == ["Coffee", "Lunch", "Overnight"]
    assert "about 15 min" in rest[0] and rest[1].endswith(" thousand pictures")
    assert int(rest[1].split()[-3]) == pytest.approx(kimg["lunch"], abs=1)
    other = ["forecast", "--size", 64, "--width", 4, "--device", "cpu"]
    for different in (other, ["forecast", "colours-32", "--device", "cpu"], [*options, "--preset", "faces"]):
        with pytest.raises(AssertionError, match="something else"):
            ganart(*different)


def test_what_cannot_be_foretold_is_one_line(refused, done):
    assert "There is no dataset “monet”" in refused("forecast", "monet", "--device", "cpu")
    assert "A size of 33 px is not offered" in refused("forecast", "--size", 33, "--device", "cpu")
    assert "mnist-seed learns 28 px grey" in refused(
        "forecast", "colours-32", "--preset", "mnist-seed", "--device", "cpu"
    )
    done.write_status(Status(state="running"))
    with done.lock():
        line = refused("forecast", "--width", 4, "--device", "cpu", status=1)
    assert "The run 0001-blue is training on this processor" in line


def test_the_presets_for_digits_can_be_foretold_without_a_dataset(ganart, home, monkeypatch):
    monkeypatch.setattr(
        forecast, "ask", lambda settings: forecast.Forecast("cpu", settings.networks.size, 64, 9.0)
    )
    answer = ganart("forecast", "--preset", "mnist-seed", "--size", 28, "--device", "cpu", "--json")
    assert answer.json()["size"] == 28


@pytest.mark.parametrize("command", ["rename", "delete", "disk", "pack", "unpack", "forecast"])
def test_every_command_has_help(ganart, command):
    answer = ganart(command, "--help")
    assert answer.status == 0 and f"ganart {command}" in answer.out and answer.err == ""


def test_a_model_goes_out_as_one_file_and_comes_in_again(ganart, refused, tiny_model, tmp_path):
    target = tmp_path / "given.safetensors"
    answer = ganart("export", tiny_model, "--out", target)
    assert answer.status == 0 and str(target) in answer.out
    assert target.stat().st_size < tiny_model.stat().st_size
    assert ganart("import", target).out == "taken in as given\n"
    assert "given" in [model["name"] for model in ganart("list", "--json").json()["models"]]
    assert ganart("import", target).status == 0, "the same once more is no other model"
    assert "should end in .safetensors" in refused("export", tiny_model, "--out", tmp_path / "given.zip")
    assert "no model" in refused("export", "nothing", "--out", target)
    assert "cannot be read" in refused("import", tmp_path / "missing.safetensors")
    target.write_bytes(target.read_bytes()[:-5])
    assert "damaged" in refused("import", target)


def test_a_training_starts_from_a_model(ganart, refused, tiny_model, tmp_path, picture_folder):
    pictures = picture_folder(12)
    told = Card(
        name="tiny",
        hash="",
        networks=config.networks_from_dict({"size": 32, "channels": 3, "z_dim": 8, "width": 4}),
        dataset={"name": "none", "hash": "", "pictures": 0, "held_out": 0},
        recipe={"networks": {"size": 32, "channels": 3, "z_dim": 8, "width": 4}, "batch": 4},
        step=0,
        kimg=0.0,
        averaged=False,
    )
    G, D, _ = checkpoint.load_networks(tiny_model)
    words = {f.name: getattr(told, f.name) for f in dataclasses.fields(told) if f.name not in ("hash", "version")}
    tiny_model.write_bytes(checkpoint.model_bytes(G, D, **words))
    answer = ganart("train", pictures, "--from", tiny_model, "--kimg", 0.02, "--device", "cpu")
    assert answer.status == 0 and answer.out.endswith("done\n"), answer.err
    (made,) = run.list_runs()
    assert made.config().initial == "tiny" and made.config().batch == 4
    line = refused("train", pictures, "--from", tiny_model, "--preset", "art")
    assert "Leave out --preset and --width" in line
    assert "Leave --size out" in refused("train", pictures, "--from", tiny_model, "--size", 64)
    larger = dataset.prepare(pictures, IntakeConfig(size=64))
    answer = ganart("train", larger.name, "--from", tiny_model)
    assert answer.status == 2 and "pictures-64 has 64 px ones" in answer.err
    tiny_model.write_bytes(checkpoint.model_bytes(G, None, **words))
    assert "came without its D" in refused("train", pictures, "--from", tiny_model)


def test_resume_lets_a_paused_run_go_on(ganart, done):
    done.write_status(dataclasses.replace(done.written_status(), state="paused"))
    done.request("pause")
    with done.lock():
        answer = ganart("resume", done.id)
    assert answer.status == 0 and answer.out == f"run {done.id} goes on\n" and done.requested() == "run"
