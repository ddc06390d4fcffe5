"""How much disk the workspace uses, new names for what lies in it, and its end: never under a training's feet."""

import dataclasses
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ganart import checkpoint, dataset, disk, housekeeping, in_use, launch, run, workspace
from ganart.config import IntakeConfig
from ganart.errors import DatasetError, InputError, ModelError, RunError
from ganart.files import write_json
from ganart.run import Run, Status


@pytest.fixture
def make(settings):
    """Makes a run that learned from the store, in the state that is asked for."""

    def make(name: str = "van-gogh", state: str = "stopped") -> Run:
        made = launch.create(settings, name)
        made.write_status(Status(state=state))
        return made

    return make


@pytest.fixture
def imported(home, tiny_model) -> Path:
    """A model that was imported, with its words beside it."""
    folder = workspace.folder("models")
    shutil.copy(tiny_model, folder / "lilies.safetensors")
    (folder / "lilies.md").write_text("# Lilies\n")
    return folder / "lilies.safetensors"


@pytest.fixture
def film(home) -> Path:
    path = workspace.folder("exports") / "loop.gif"
    path.write_bytes(b"x" * 2_100_000)
    return path


@pytest.fixture
def trainer():
    """Starts a process that holds a run's lock, as a trainer does; killed at the end."""
    code = (
        "import sys, time, filelock\n"
        "lock = filelock.FileLock(sys.argv[1])\n"
        "lock.acquire()\n"
        "print('held', flush=True)\n"
        "time.sleep(60)"
    )
    holders = []

    def hold(of: Run) -> None:
        command = [sys.executable, "-c", code, str(of.folder / "run.lock")]
        holders.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert holders[-1].stdout.readline() == "held\n"

    yield hold
    for holder in holders:
        holder.kill()
        holder.communicate()


def names(kind: str) -> list[str]:
    """Everything in a folder of the workspace, hidden or not."""
    return sorted(path.name for path in workspace.folder(kind).iterdir())


# --- disk


def test_a_file_with_two_names_counts_once_and_links_do_not_count(tmp_path):
    folder = tmp_path / "counted"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(b"x" * 1000)
    (folder / "deep" / "b").write_bytes(b"x" * 30)
    os.link(folder / "a", folder / "deep" / "again")
    (tmp_path / "outside").write_bytes(b"x" * 5000)
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "deep" / "up").symlink_to(tmp_path)
    assert disk.size(folder) == 1030
    assert disk.size(folder / "a") == 1000
    assert disk.size(folder / "link") == disk.size(folder / "deep" / "up") == 0
    assert disk.size(folder / "gone") == 0


def test_files_that_vanish_meanwhile_are_passed_over(tmp_path, monkeypatch):
    (tmp_path / "stays").write_bytes(b"x" * 7)
    walk = os.walk

    def slow(*args: object) -> list:
        found = list(walk(*args))
        (tmp_path / "goes").unlink()
        return found

    (tmp_path / "goes").write_bytes(b"x" * 90)
    monkeypatch.setattr(os, "walk", slow)
    before = disk.size(tmp_path)
    assert before == 7


def test_usage_names_every_kind_and_what_is_free(store, make, film):
    first, second = make("first"), make("second")
    first.state.write_bytes(b"x" * 100_000)
    (second.folder / "checkpoints").mkdir()
    os.link(first.state, second.checkpoint_path(5, state=True))  # as a branch has it
    used = disk.usage()
    assert set(used) == {"datasets", "runs", "models", "exports", "uploads", "free"}
    assert used["exports"] == 2_100_000 and used["models"] == 0
    assert used["datasets"] == disk.size(store.folder) > 20 * 32 * 32 * 3
    assert 100_000 < used["runs"] < 150_000
    assert abs(used["free"] - shutil.disk_usage(workspace.home()).free) < 1e9


def test_a_folder_that_was_moved_to_another_disk_is_counted(home, tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "file").write_bytes(b"x" * 50)
    (home / "exports").symlink_to(tmp_path / "large")
    assert disk.usage()["exports"] == 50


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (4_600_000, "4.6 MB"),
        (9_960_000, "10 MB"),
        (312_400_000, "312 MB"),
        (999_600_000, "1.0 GB"),
        (1_200_000_000, "1.2 GB"),
        (20_000_000_000_000_000, "20000 TB"),
    ],
)
def test_bytes_in_words(count, text):
    assert disk.words(count) == text


# --- who uses what


def test_the_users_of_a_dataset_fit_by_name_and_hash(store, settings, make):
    first, second = make("first"), make("second")
    other = launch.create(dataclasses.replace(settings, dataset_hash="0" * 64), "other")
    other.write_status(Status(state="stopped"))
    broken = make("broken")
    (broken.folder / "config.json").write_text("{")
    assert in_use.users(store.name) == [second, first]
    assert in_use.users("monet") == []


def test_a_run_finds_its_dataset_by_hash_after_it_was_renamed(store, make):
    target = make()
    renamed = housekeeping.rename_dataset(store.name, "mine")
    assert (renamed.name, renamed.hash, names("datasets")) == ("mine", store.hash, ["mine"])
    assert in_use.users("mine") == [target]
    settings = target.config()
    assert dataset.find(settings.dataset, settings.dataset_hash) == renamed
    assert dataset.find("mine", store.hash) == renamed


def test_a_dataset_of_the_old_name_with_other_pictures_is_not_taken_for_it(store, make, picture_folder):
    target = make()
    housekeeping.rename_dataset(store.name, "mine")
    other = dataset.prepare(picture_folder(9), IntakeConfig(size=32), store.name)
    settings = target.config()
    assert dataset.find(settings.dataset, settings.dataset_hash).name == "mine"
    assert in_use.users(other.name) == [] and in_use.users("mine") == [target]


def test_of_two_datasets_with_the_same_pictures_the_named_one_is_found(store, tmp_path):
    twin = dataset.prepare(tmp_path / "colours", IntakeConfig(size=32), "a-twin")
    assert twin.hash == store.hash
    assert dataset.find(store.name, store.hash) == store
    assert dataset.find("a-twin", store.hash) == twin


def test_a_dataset_that_is_gone_is_named(store):
    for name, digest in ((store.name, "0" * 64), ("monet", "0" * 64), ("Not a name", store.hash[:-1])):
        with pytest.raises(DatasetError, match=f"“{name}” is gone.*Prepare the same pictures"):
            dataset.find(name, digest)


# --- other names


def test_the_number_of_a_deleted_run_is_not_given_again(make):
    """What came of it bears it still: packs, models, branches, links."""
    make(), housekeeping.delete_run(make("sea"))
    assert make("sea").id == "0003-sea"
    (workspace.folder("locks") / "last-run-number").write_text("no number")
    assert make("sea").id == "0004-sea"


def test_a_run_keeps_its_number_and_its_files_under_a_new_name(make):
    target = make()
    renamed = housekeeping.rename_run(target, "sunflowers")
    assert renamed.id == "0001-sunflowers" and renamed.config() and not target.folder.exists()
    assert run.list_runs() == [renamed]
    assert housekeeping.rename_run(renamed, "sunflowers") == renamed


def test_a_name_that_is_not_usable_is_refused(make, store, imported):
    target = make()
    for name in ("", "Upper", "a/b", "..", "x" * 41):
        for rename, of in (
            (housekeeping.rename_run, target),
            (housekeeping.rename_dataset, store.name),
            (housekeeping.rename_model, "lilies"),
        ):
            with pytest.raises(InputError, match="not a usable name"):
                rename(of, name)
    assert names("datasets") == [store.name] and names("runs") == [target.id] and imported.is_file()


def test_a_taken_name_is_refused(make, store, picture_folder, imported, film):
    other = dataset.prepare(picture_folder(9), IntakeConfig(size=32), "monet")
    with pytest.raises(InputError, match="“monet” is taken"):
        housekeeping.rename_dataset(store.name, "monet")
    assert dataset.open_dataset("monet") == other and dataset.open_dataset(store.name) == store

    target = make()
    (target.folder.parent / "0001-copy").mkdir()
    with pytest.raises(InputError, match="“0001-copy” is taken"):
        housekeeping.rename_run(target, "copy")

    imported.with_name("roses.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"“roses.safetensors” is taken"):
        housekeeping.rename_model("lilies", "roses")
    assert imported.stat().st_size and imported.with_suffix(".md").is_file()

    (film.parent / "dawn.gif").write_bytes(b"dawn")
    with pytest.raises(InputError, match=r"“dawn.gif” is taken"):
        housekeeping.rename_export("loop.gif", "dawn")
    assert (film.parent / "dawn.gif").read_bytes() == b"dawn" and film.is_file()


def test_no_model_takes_the_name_of_a_run_or_of_one_that_comes_with_the_program(imported, make):
    """It would hide it, or be hidden itself."""
    for name in ("portraits", make("sea").id):
        with pytest.raises(InputError, match=f"“{name}” is taken by another model"):
            housekeeping.rename_model("lilies", name)
        other = imported.with_stem(name)
        shutil.copy(imported, other.parent.parent / other.name)
        with pytest.raises(InputError, match=f"“{name}” is taken by another model"):
            checkpoint.take_in(other.parent.parent / other.name)
    assert names("models") == ["lilies.md", "lilies.safetensors"]


def test_a_model_takes_what_lies_beside_it_along(imported):
    moved = housekeeping.rename_model("lilies", "water-lilies")
    assert moved == imported.with_name("water-lilies.safetensors")
    assert names("models") == ["water-lilies.md", "water-lilies.safetensors"]
    assert housekeeping.rename_model("water-lilies", "water-lilies") == moved


def test_an_export_may_change_the_case_of_its_name(film):
    """Where the disk does not tell them apart: the new name is the file itself."""
    other = film.with_name(film.name.swapcase()).with_suffix(film.suffix)
    os.link(film, other)
    assert housekeeping.rename_export(film.name, other.stem) == other
    other.unlink()
    other.write_bytes(b"another film")
    with pytest.raises(InputError, match="is taken"):
        housekeeping.rename_export(film.name, other.stem)


@pytest.mark.parametrize("new", ["slow dawn", "slow dawn.gif", "slow dawn.GIF"])
def test_an_export_keeps_its_suffix(film, new):
    assert housekeeping.rename_export("loop.gif", new) == film.with_name("slow dawn.gif")
    assert names("exports") == ["slow dawn.gif"]
    housekeeping.rename_export("slow dawn.gif", "slow dawn")
    assert names("exports") == ["slow dawn.gif"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "c:x", "a\nb", "x" * 121, "x "])
def test_no_name_leads_out_of_its_folder(home, film, imported, name):
    (home / "x").write_bytes(b"not an export")
    (home / "x.safetensors").write_bytes(b"not a model")
    for call in (
        lambda: housekeeping.rename_export("loop.gif", name),
        lambda: housekeeping.rename_export(name, "free"),
        lambda: housekeeping.delete_export(name),
        lambda: housekeeping.describe_export(name),
        lambda: housekeeping.rename_model(name, "free"),
        lambda: housekeeping.delete_model(name),
        lambda: housekeeping.delete_dataset(name),
    ):
        with pytest.raises(InputError, match="not a usable"):
            call()
    assert (home / "x").is_file() and (home / "x.safetensors").is_file()
    assert names("exports") == ["loop.gif"] and imported.is_file()


# --- the end


def test_what_is_deleted_is_gone(make, store, imported, film):
    target = make()
    target.sample_path(0).write_bytes(b"sheet")
    housekeeping.delete_run(target)
    housekeeping.delete_dataset(store.name)
    housekeeping.delete_model("lilies")
    housekeeping.delete_export("loop.gif")
    for kind in disk.KINDS:
        assert names(kind) == [], kind


def test_what_is_not_there_cannot_be_deleted(make):
    target = make()
    housekeeping.delete_run(target)
    with pytest.raises(InputError, match=f"no run {target.id}"):
        housekeeping.delete_run(target)
    with pytest.raises(DatasetError, match="no dataset “monet”"):
        housekeeping.delete_dataset("monet")
    with pytest.raises(ModelError, match="no imported model “monet”"):
        housekeeping.delete_model("monet")
    with pytest.raises(InputError, match=r"no export “monet.gif”"):
        housekeeping.delete_export("monet.gif")


def test_a_run_outside_of_the_workspace_is_left_alone(make, tmp_path):
    outside = Run(make().folder.rename(tmp_path / "0001-van-gogh"))
    for call in (
        lambda: housekeeping.delete_run(outside),
        lambda: housekeeping.rename_run(outside, "monet"),
        lambda: housekeeping.describe_run(outside),
    ):
        with pytest.raises(InputError, match="outside of this workspace"):
            call()
    assert outside.config()


def test_a_linked_run_loses_its_link_and_keeps_its_files(make, tmp_path):
    target = make()
    elsewhere = target.folder.rename(tmp_path / "elsewhere")
    target.folder.symlink_to(elsewhere)
    housekeeping.delete_run(target)
    assert names("runs") == [] and Run(elsewhere).config()


def assert_untouchable(target: Run, name: str, state: str) -> None:
    for call in (
        lambda: housekeeping.rename_run(target, "free"),
        lambda: housekeeping.delete_run(target),
        lambda: housekeeping.rename_dataset(name, "free"),
        lambda: housekeeping.delete_dataset(name),
    ):
        with pytest.raises(RunError, match=rf"{target.id} is at work \({state}\).*Stop it first"):
            call()
    assert names("datasets") == [name] and names("runs") == [target.id]


@pytest.mark.parametrize("state", ["running", "paused", "stopping"])
def test_a_run_at_work_and_its_dataset_are_left_alone(make, store, trainer, state):
    target = make(state=state)
    trainer(target)
    assert_untouchable(target, store.name, state)
    target.write_status(Status(state="done"))  # the trainer's last word, a moment before it lets go of the lock
    assert_untouchable(target, store.name, "starting")


def test_a_run_that_is_just_starting_and_its_dataset_are_left_alone(settings, store):
    assert_untouchable(launch.create(settings, "young"), store.name, "starting")


def test_a_crashed_run_and_its_dataset_may_go(make, store):
    target = make(state="running")
    assert target.status().state == "crashed"
    housekeeping.delete_dataset(store.name)
    housekeeping.delete_run(target)
    assert names("runs") == names("datasets") == []


def test_while_a_run_starts_nothing_is_moved(make, store):
    """Whoever deletes waits for the launcher, and then sees the run that it made."""
    target = make()
    refused = []

    def attempt(change: Callable, *arguments: object) -> None:
        try:
            change(*arguments)
        except RunError as error:
            refused.append(error)

    attempts = [
        (housekeeping.delete_dataset, store.name),
        (housekeeping.delete_run, target),
        (housekeeping.rename_dataset, store.name, "mine"),
        (housekeeping.rename_run, target, "mine"),
    ]
    threads = [threading.Thread(target=attempt, args=arguments) for arguments in attempts]
    with in_use.launch_lock():  # as `launch.relaunch` does
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        assert target.folder.exists() and store.folder.exists()
        target.write_status(Status(state="starting"))
    for thread in threads:
        thread.join(20)
    assert len(refused) == 4 and target.config() and dataset.open_dataset(store.name)


def test_what_is_half_deleted_is_in_no_list_and_swept_up(make, store, film, imported):
    target = make()
    for path in (target.folder, store.folder, film, imported):
        path.rename(path.with_name(f"{housekeeping.DELETING}0123"))
    assert run.list_runs() == [] and dataset.list_datasets() == []
    with pytest.raises(InputError):
        dataset.open_dataset(f"{housekeeping.DELETING}0123")
    housekeeping.sweep()
    assert [names(kind) for kind in disk.KINDS] == [[], [], ["lilies.md"], [], []]


def test_sweeping_leaves_what_is_there_and_what_is_in_work(make, store):
    target = make()
    for kind, prefix in (("datasets", ".preparing-1"), ("runs", ".unpacking-1")):
        (workspace.folder(kind) / prefix).mkdir()
    old = workspace.folder("datasets") / ".unpacking-2"
    old.mkdir()
    written = [workspace.folder(kind) / f"{kind}.tmp-7-7" for kind in ("exports", "models")]
    for path in written:
        path.write_bytes(bytes(100))
    housekeeping.sweep()
    assert old.exists() and all(path.exists() for path in written), "somebody may be at work on them"
    own = workspace.folder("exports") / "dawn.tmp-2 final.gif"  # as somebody called it
    own.write_bytes(b"film")
    for path in (old, *written, own):
        os.utime(path, (0, 0))
    housekeeping.sweep()
    assert (names("exports"), names("models")) == ([own.name], [])
    assert names("runs") == [".unpacking-1", target.id]
    assert names("datasets") == [".preparing-1", store.name]


def test_deleting_hides_first(make, monkeypatch):
    """A process that dies while it deletes leaves nothing that looks like a run."""
    target = make()
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    housekeeping.delete_run(target)
    assert run.list_runs() == [] and names("runs")[0].startswith(housekeeping.DELETING)
    monkeypatch.undo()
    housekeeping.sweep()
    assert names("runs") == []


# --- the sentence that asks


def test_a_run_is_described_by_what_goes_with_it(make):
    target = make()
    assert housekeeping.describe_run(target).startswith("0001-van-gogh: no model yet; ")
    target.model.write_bytes(b"x" * 400_000)
    for step in (0, 5):
        target.sample_path(step).write_bytes(b"")
    (target.folder / "checkpoints").mkdir()
    target.checkpoint_path(5, state=True).write_bytes(b"x" * 600_000)
    target.checkpoint_path(5).write_bytes(b"")
    assert (
        housekeeping.describe_run(target) == "0001-van-gogh: its model, 2 sheets, 1 state to go back to; 1.0 MB."
    )


def test_a_dataset_is_described_with_the_runs_that_need_it(store, make):
    alone = housekeeping.describe_dataset(store.name)
    assert alone == f"{store.name}: 20 pictures, {disk.words(disk.size(store.folder))}."
    make("first")
    assert housekeeping.describe_dataset(store.name) == (
        f"{alone} 1 training learned from it (0001-first): its model stays, but it cannot go on without it."
    )
    make("second")
    assert housekeeping.describe_dataset(store.name) == (
        f"{alone} 2 trainings learned from it (0002-second, 0001-first): their models stay, but they cannot go on "
        "without it."
    )


def test_a_dataset_with_a_twin_is_not_missed(store, make, tmp_path):
    make("first")
    dataset.prepare(tmp_path / "colours", IntakeConfig(size=32), "a-twin")
    sentence = housekeeping.describe_dataset(store.name)
    assert sentence.endswith("(0001-first): it goes on with “a-twin”, which holds the same pictures.")


def test_a_dataset_of_another_version_can_be_deleted_too(store, make):
    manifest = store.folder / "manifest.json"
    write_json(manifest, {"version": 99})
    target = make()
    sentence = housekeeping.describe_dataset(store.name)
    assert "a dataset that this ganart cannot read" in sentence and target.id in sentence
    housekeeping.delete_dataset(store.name)
    assert names("datasets") == []


def test_models_and_exports_are_described_by_their_size(imported, film):
    assert housekeeping.describe_export("loop.gif") == "loop.gif: 2.1 MB."
    words = disk.words(imported.stat().st_size + len("# Lilies\n"))
    assert housekeeping.describe_model("lilies").startswith(f"lilies: an imported model, {words}. ")
