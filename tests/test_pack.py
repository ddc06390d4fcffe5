"""A run travels in one file: whole, private, and without trusting whoever made the file."""

import dataclasses
import io
import json
import os
import re
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import asking

from ganart import checkpoint, config, dataset, housekeeping, images, launch, pack, train, unpack, workspace
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.errors import DatasetError, GanartError, InputError, ModelError, RunError
from ganart.networks import Discriminator, Generator
from ganart.run import Run, Status, list_runs

NETWORKS = NetworkConfig(size=32, channels=3, z_dim=8, width=4)


def fill(target: Run) -> Run:
    """Give a run everything that a trainer leaves behind."""
    torch.manual_seed(0)
    settings = target.config()
    model = checkpoint.model_bytes(
        Generator(NETWORKS).eval(),
        Discriminator(NETWORKS),
        name=target.name,
        networks=NETWORKS,
        dataset={"name": settings.dataset, "hash": settings.dataset_hash, "pictures": 20, "held_out": 0},
        recipe=config.to_dict(settings),
        step=100,
        kimg=0.8,
        averaged=False,
    )
    (target.folder / "checkpoints").mkdir()
    for path in (target.model, target.best, target.checkpoint_path(50)):
        path.write_bytes(model)
    for path in (target.state, target.state, target.checkpoint_path(50, state=True)):
        checkpoint.save_state(path, {"weights": torch.ones(100)}, {"step": 100, "choices": {}})
    for step in (0, 50, 100):
        target.sample_path(step).write_bytes(images.encode(np.full((192, 192, 3), step, np.uint8)))
        target.append_metrics({"step": step, "kimg": step / 125, "loss_D": 1.5})
        target.append_vitals({"step": step, "kimg": step / 125, "gap": 0.5})
    target.log.write_text("Traceback in /home/somebody/ganart\n")
    target.request("stop")
    target.write_status(Status(state="done", step=100, kimg=0.8, total_kimg=0.8, device="cpu", dtype="float32"))
    (target.folder / "model.safetensors.tmp-1-2").write_bytes(b"half")
    return target


def prepared(folder: Path) -> Dataset:
    """Eight pictures of 32 px, prepared."""
    folder.mkdir()
    for index in range(8):
        rng = np.random.default_rng(index)
        picture = images.to_pillow(rng.integers(0, 256, (32, 32, 3), np.uint8))
        picture.save(folder / f"picture {index}.png")
    return dataset.prepare(folder, IntakeConfig(size=32))


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Run:
    """A finished run in a workspace of its own, on another machine as it were."""
    place = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(place / "home"))
        store = prepared(place / "sun-flowers")
        settings = TrainConfig(
            networks=NETWORKS, dataset=store.name, dataset_hash=store.hash, batch=8, kimg=0.8, device="cpu"
        )
        return fill(launch.create(settings, "van-gogh"))


@pytest.fixture(scope="module")
def whole(original, tmp_path_factory) -> Path:
    """The pack of `original`, with its pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(original.folder.parent.parent))
        return pack.pack(original, tmp_path_factory.mktemp("packs") / "van-gogh.ganart")


@pytest.fixture
def there(original, monkeypatch) -> Run:
    """`original`, in its own workspace."""
    monkeypatch.setenv("GANART_HOME", str(original.folder.parent.parent))
    return original


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def changed(source: Path, target: Path, **changes: bytes | None) -> Path:
    """A copy of a pack with other files in it: bytes for a name, None to leave it out."""
    target.write_bytes(zip_of({**contents(source), **changes}))
    return target


def zip_of(entries: dict[str, bytes | None], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries.items():
            if data is not None:
                archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def with_json(source: Path, name: str, **values: object) -> dict[str, bytes]:
    """The file `name` of a pack with other values, as a change."""
    return {name: json.dumps({**json.loads(contents(source)[name]), **values}).encode()}


def assert_refused(path: Path, words: str, error: type[GanartError] = ModelError) -> None:
    """One clear sentence or two on one line, and nothing left in the workspace."""
    with pytest.raises(error, match=words) as caught:
        unpack.unpack(path)
    sentence = str(caught.value)
    assert path.name in sentence and "\n" not in sentence and sentence.endswith(".") and len(sentence) < 400
    for kind in ("runs", "datasets"):
        assert list(workspace.folder(kind).iterdir()) == [], sentence


# --- there and back


def test_a_run_comes_back_as_it_was(original, whole):
    target = unpack.unpack(whole)
    assert target.id == "0001-van-gogh" and target.folder.parent == workspace.folder("runs")
    left_out = {
        "log.txt",
        "control.json",
        "run.lock",
        "state.safetensors.prev",
        "model.safetensors.tmp-1-2",
    }
    expected = {name: data for name, data in files(original.folder).items() if name not in left_out}
    assert files(target.folder) == expected and len(expected) == 12
    assert target.config() == original.config() and target.status().state == "done"
    (store,) = dataset.list_datasets()
    assert files(store.folder) == files(original.folder.parent.parent / "datasets" / store.name)
    assert store.hash == target.config().dataset_hash and store.images().shape == (8, 32, 32, 3)


def test_packing_what_was_unpacked_gives_the_same_file(whole, tmp_path):
    again = pack.pack(unpack.unpack(whole), tmp_path / "again.ganart")
    assert again.read_bytes() == whole.read_bytes()


def test_a_pack_is_a_plain_zip_that_says_what_it_is(whole):
    with zipfile.ZipFile(whole) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {stat.S_IFREG | 0o644}
        about = json.loads(archive.read("pack.json"))
    assert about == {"format": "ganart-pack", "version": 1, "run": "van-gogh", "dataset": "sun-flowers-32"}


def test_a_training_goes_on_in_another_workspace_bit_for_bit(settings, tmp_path, monkeypatch):
    here = launch.create(settings, "van-gogh")

    with monkeypatch.context() as patch:
        patch.setattr(train.Reporter, "tick", asking(train.Reporter.tick, 20, "stop"))
        assert train.work(here) == "stopped"
    step = here.status().step
    assert 20 <= step < settings.total_steps
    path = pack.pack(here, tmp_path / "halfway.ganart")

    here.request("run")
    assert train.work(here) == "done"
    expected = checkpoint.load_state(here.state)[0]

    monkeypatch.setenv("GANART_HOME", str(tmp_path / "elsewhere"))
    there = unpack.unpack(path)
    assert (there.status().state, there.status().step) == ("stopped", step)
    assert there.folder.is_relative_to(tmp_path / "elsewhere")
    assert train.work(there) == "done"
    found = checkpoint.load_state(there.state)[0]
    assert found.keys() == expected.keys()
    for name in found:
        assert torch.equal(found[name], expected[name]), name
    assert [line["step"] for line in there.metrics()] == [line["step"] for line in here.metrics()]


def test_without_pictures_the_same_dataset_here_is_used(there, original, tmp_path, monkeypatch):
    path = pack.pack(there, tmp_path / "small.ganart", pictures=False)
    assert not [name for name in contents(path) if name.startswith("dataset/")]
    assert json.loads(contents(path)["pack.json"])["dataset"] is None
    monkeypatch.setenv("GANART_HOME", str(tmp_path / "elsewhere"))
    settings = unpack.unpack(path).config()
    with pytest.raises(DatasetError, match="sun-flowers-32"):
        dataset.find(settings.dataset, settings.dataset_hash)
    store = prepared(tmp_path / "other name")
    assert dataset.find(settings.dataset, settings.dataset_hash) == store


def test_pictures_that_are_here_already_are_not_kept_twice(whole):
    first, second = unpack.unpack(whole), unpack.unpack(whole)
    assert (first.id, second.id) == ("0001-van-gogh", "0002-van-gogh")
    assert [store.name for store in dataset.list_datasets()] == ["sun-flowers-32"]


def test_pictures_whose_name_is_taken_get_another(whole, picture_folder):
    dataset.prepare(picture_folder(9), IntakeConfig(size=32), "sun-flowers-32")
    target = unpack.unpack(whole)
    assert {store.name for store in dataset.list_datasets()} == {"sun-flowers-32", "sun-flowers-32-2"}
    assert dataset.find(target.config().dataset, target.config().dataset_hash).name == "sun-flowers-32-2"


def test_a_renamed_dataset_is_packed_all_the_same(whole, tmp_path):
    target = unpack.unpack(whole)
    housekeeping.rename_dataset("sun-flowers-32", "mine")
    about = json.loads(contents(pack.pack(target, tmp_path / "again.ganart"))["pack.json"])
    assert about["dataset"] == "mine"


@pytest.mark.parametrize("state", ["starting", "running", "paused", "stopping"])
def test_a_crashed_run_arrives_stopped(whole, tmp_path, state):
    change = with_json(whole, "run/status.json", state=state, step=70, error="")
    status = unpack.unpack(changed(whole, tmp_path / "crashed.ganart", **change)).written_status()
    assert (status.state, status.step) == ("stopped", 70)


def test_a_run_without_a_status_arrives_stopped(whole, tmp_path):
    change = {"run/status.json": None}
    assert unpack.unpack(changed(whole, tmp_path / "bare.ganart", **change)).status().state == "stopped"


def test_figures_torn_by_a_crash_travel_as_they_are(whole, tmp_path):
    torn = b'{"step": 1, "kimg": 1}\n{"st\n{"step": 2, "kimg": 2.0}\n{"step": 3, "lo'
    target = unpack.unpack(changed(whole, tmp_path / "torn.ganart", **{"run/metrics.jsonl": torn}))
    assert (target.folder / "metrics.jsonl").read_bytes() == torn
    assert target.metrics() == [{"step": 1, "kimg": 1}, {"step": 2, "kimg": 2.0}]


def test_a_run_learns_from_its_own_pictures_whatever_lies_there_under_their_hash(whole, tmp_path):
    images = contents(whole)["dataset/images-32.npy"]
    forged = changed(whole, tmp_path / "forged.ganart", **{"dataset/images-32.npy": images[:-5000] + bytes(5000)})
    runs = [unpack.unpack(path) for path in (forged, whole, whole, forged)]
    settings = [found.config() for found in runs]
    stores = [dataset.find(each.dataset, each.dataset_hash) for each in settings]
    first, second = "sun-flowers-32", "sun-flowers-32-2"
    assert [store.name for store in stores] == [first, second, second, first]
    for store, path in zip(stores, (forged, whole, whole, forged), strict=True):
        assert (store.folder / "images-32.npy").read_bytes() == contents(path)["dataset/images-32.npy"]
    assert len(dataset.list_datasets()) == 2


def test_a_pack_beside_another_leaves_that_as_it_is(there, tmp_path):
    """A run may come to bear the name of one whose only copy is its pack."""
    path = tmp_path / "sea.ganart"
    path.write_bytes(b"the pack before")
    assert [pack.pack(there, path, pictures=False, beside=True).name for _ in range(2)] == [
        "sea-2.ganart",
        "sea-3.ganart",
    ]
    assert path.read_bytes() == b"the pack before" and len(list(tmp_path.glob("*.ganart*"))) == 3


# --- what is packed


def test_a_pack_names_no_place_and_nobody(there, tmp_path):
    sentence = f"The pictures of the dataset “x” are gone from {there.folder}. Prepare its folder again."
    failed = dataclasses.replace(there.written_status(), state="failed", error=sentence, note="In C:\\Users\\Ann.")
    before = (there.folder / "status.json").read_bytes()
    there.write_status(failed)
    try:
        data = pack.pack(there, tmp_path / "private.ganart").read_bytes()
    finally:
        (there.folder / "status.json").write_bytes(before)
    for place in (str(there.folder), str(Path.home()), str(workspace.home()), "/home/somebody", "C:\\\\Users"):
        assert place.encode() not in data, place
    target = unpack.unpack(tmp_path / "private.ganart")
    assert target.status().state == "failed" and "log.txt of the machine" in target.status().error
    assert target.status().note == ""


def test_a_sentence_without_a_path_travels(there, tmp_path):
    before = (there.folder / "status.json").read_bytes()
    there.write_status(dataclasses.replace(there.written_status(), note="It went on with 3/4 of the batch."))
    try:
        assert b"3/4 of the batch" in pack.pack(there, tmp_path / "note.ganart").read_bytes()
    finally:
        (there.folder / "status.json").write_bytes(before)


def test_settings_with_a_path_in_them_are_not_packed(home, tmp_path):
    target = fill(launch.create(TrainConfig(networks=NETWORKS, device="cpu", preset="/home/ann/art"), "odd"))
    with pytest.raises(InputError, match="preset is '/home/ann/art'"):
        pack.pack(target, tmp_path / "odd.ganart")
    assert not list(tmp_path.glob("*.ganart*"))


def test_a_run_at_work_is_not_packed(home, tmp_path):
    target = launch.create(TrainConfig(networks=NETWORKS, device="cpu"), "young")
    with pytest.raises(RunError, match=r"0001-young is at work \(starting\)"):
        pack.pack(target, tmp_path / "young.ganart")
    assert not list(tmp_path.glob("*.ganart*"))


def test_a_run_that_starts_while_it_is_packed_is_not_packed(there, tmp_path, monkeypatch):
    before = (there.folder / "status.json").read_bytes()
    store_file = pack._store_file

    def meanwhile(*arguments: object) -> None:
        store_file(*arguments)
        there.write_status(Status(state="done", step=101))  # a trainer came and went

    monkeypatch.setattr(pack, "_store_file", meanwhile)
    try:
        with pytest.raises(RunError, match="was at work while it was packed"):
            pack.pack(there, tmp_path / "moving.ganart")
    finally:
        (there.folder / "status.json").write_bytes(before)
    assert not list(tmp_path.glob("*.ganart*"))


def test_pictures_that_are_gone_can_be_left_out(whole, tmp_path):
    target = unpack.unpack(whole)
    housekeeping.delete_dataset("sun-flowers-32")
    with pytest.raises(DatasetError, match=r"sun-flowers-32.*Or pack the run without its pictures"):
        pack.pack(target, tmp_path / "again.ganart")
    assert pack.pack(target, tmp_path / "again.ganart", pictures=False).is_file()


@pytest.mark.parametrize("name", ["run.zip", "run", "missing/run.ganart"])
def test_a_file_that_cannot_be_meant_is_refused(there, tmp_path, name):
    with pytest.raises(InputError, match=r"should end in \.ganart|does not exist"):
        pack.pack(there, tmp_path / name)


def test_a_full_disk_leaves_the_old_file(there, tmp_path, monkeypatch):
    path = tmp_path / "kept.ganart"
    path.write_bytes(b"the old one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pack, "_store_file", full)
    with pytest.raises(RunError, match=r"kept.ganart” could not be written \(No space left"):
        pack.pack(there, path)
    assert path.read_bytes() == b"the old one" and len(list(tmp_path.glob("*.ganart*"))) == 1


def test_a_run_with_very_many_sheets_still_opens(home, tmp_path):
    target = fill(launch.create(TrainConfig(networks=NETWORKS, device="cpu"), "long"))
    sheet, model = target.sample_path(0).read_bytes(), target.checkpoint_path(50)
    for step in range(1000, 1600):
        target.sample_path(step).write_bytes(sheet)
        os.link(model, target.checkpoint_path(step))
    there = unpack.unpack(pack.pack(target, tmp_path / "long.ganart"))
    steps = [int(path.stem) for path in there.samples()]
    assert len(steps) == 400 and steps[0] == 0 and steps[-3:] == [1597, 1598, 1599]
    assert max(there.checkpoints()) == 1599


def test_what_could_not_be_opened_again_is_not_written(there, tmp_path, monkeypatch):
    for limit, value, words in (
        ("MAX_BYTES", 100_000, "would hold .* KB, and a pack has 100 KB at most"),
        ("MAX_ENTRIES", 3, "could not be opened again: It lists more than the 3 files"),
    ):
        with monkeypatch.context() as patch, pytest.raises(InputError, match=rf"large\.ganart” {words}"):
            patch.setattr(pack, limit, value)
            pack.pack(there, tmp_path / "large.ganart")
    assert not list(tmp_path.glob("*.ganart*"))


# --- packs that nobody wrote in earnest


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "run/../../evil",
        "/etc/evil",
        "C:/evil",
        "run\\..\\evil",
        "run/",
        "run/log.txt",
        "run/control.json",
        "run/state.safetensors.prev",
        "run/samples/00000001.png/x",
        "run/samples/٠٠٠٠٠٠٠١.png",
        "run/samples/1.png",
        "run/checkpoints/00000001.pt",
        "dataset/images-65.npy",
        "RUN/config.json",
        "evil\nname",
    ],
)
def test_names_that_no_pack_has_are_refused(whole, tmp_path, name):
    path = changed(whole, tmp_path / "bad.ganart", **{name: b"x"})
    assert_refused(path, "which is no part of a pack")
    assert not [found for found in tmp_path.rglob("*") if "evil" in found.name]


def test_a_name_that_ends_early_is_refused(whole, tmp_path):
    """zipfile cuts a name at its first zero byte."""
    path = changed(whole, tmp_path / "bad.ganart", **{"run/best.safetensors": None, "run/best.safetensors_": b"x"})
    path.write_bytes(path.read_bytes().replace(b"run/best.safetensors_", b"run/best.safetensors\0"))
    assert_refused(path, "no part of a pack")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_what_is_no_file_is_refused(whole, tmp_path, kind):
    path = tmp_path / "bad.ganart"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents(whole).items():
            entry = zipfile.ZipInfo(name)
            if name == "run/model.safetensors":
                entry.external_attr, data = (kind | 0o777) << 16, b"/etc/passwd"
            archive.writestr(entry, data)
    assert_refused(path, r"“run/model.safetensors” in it is a link or a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_is_there_twice_is_refused(whole, tmp_path):
    path = shutil.copy(whole, tmp_path / "bad.ganart")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("run/config.json", b"{}")
    assert_refused(path, r"“run/config.json” more than once")


def test_compressed_entries_are_refused(whole, tmp_path):
    path = tmp_path / "bad.ganart"
    path.write_bytes(zip_of(contents(whole), zipfile.ZIP_DEFLATED))
    assert_refused(path, "is compressed or locked")


def test_what_is_torn_off_is_refused(whole, tmp_path):
    data = whole.read_bytes()
    for length in (0, 1, 21, 22, 97, 98, 1000, len(data) // 2, len(data) - 1, len(data) - 22, len(data) - 200):
        path = tmp_path / "torn.ganart"
        path.write_bytes(data[:length])
        assert_refused(path, "It is damaged, or no pack of ganart")


@pytest.mark.parametrize("data", [b"words" * 100, b"PK\3\4" + bytes(200), b"PK\5\6" + bytes(18), bytes(1000)])
def test_what_is_no_zip_is_refused(tmp_path, data):
    path = tmp_path / "bad.ganart"
    path.write_bytes(data)
    assert_refused(path, "is damaged, or no pack|holds no pack.json")


def test_a_zip_of_something_else_is_refused(tmp_path):
    path = tmp_path / "bad.ganart"
    path.write_bytes(zip_of({"run/config.json": b"{}"}))
    assert_refused(path, r"holds no pack.json, so it is no pack")
    path.write_bytes(zip_of({"photo.jpg": b"x"}))
    assert_refused(path, r"“photo.jpg”")


def test_there_must_be_a_file(home, tmp_path):
    for path in (tmp_path / "missing.ganart", tmp_path):
        with pytest.raises(InputError, match="There is no file at"):
            unpack.unpack(path)


@pytest.mark.parametrize("version", [2, "1", None])
def test_a_pack_of_another_version_says_what_to_do(whole, tmp_path, version):
    path = changed(whole, tmp_path / "new.ganart", **with_json(whole, "pack.json", version=version))
    assert_refused(path, f"pack version {version!r}, and this ganart reads version 1. Update ganart")


def flipped(data: bytes) -> bytes:
    """A byte of the first model is another one: the check sums no longer fit."""
    at = data.index(b"ganart-model") + 20_000
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def directory(data: bytes) -> int:
    """Where a zip's list of entries begins."""
    return struct.unpack("<L", data[-6:-2])[0]


def with_field(data: bytes, entry: str, offset: int, value: int, size: int = 4) -> bytes:
    """A zip whose list says something else about one of its entries, at this offset of its record."""
    at = data.index(entry.encode(), directory(data)) - 46 + offset
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def test_sizes_that_are_not_true_are_refused(whole, tmp_path):
    data, path = whole.read_bytes(), tmp_path / "bad.ganart"
    entry, huge = "run/model.safetensors", 4_000_000_000
    for lie, words in (
        (with_field(data, entry, 24, huge), "is damaged"),  # its size, but not the packed one
        (with_field(with_field(data, entry, 24, huge), entry, 20, huge), "is damaged"),
        (with_field(with_field(data, entry, 24, 10), entry, 20, 10), "is damaged"),  # less than there is
        (with_field(data, entry, 42, huge), "is damaged"),  # where it lies
        (with_field(data, entry, 42, 0), "is damaged"),  # on top of another
        (with_field(data, entry, 8, 1, 2), "compressed or locked"),
        (flipped(data), "is damaged"),
    ):
        path.write_bytes(lie)
        assert_refused(path, words)


def test_entries_that_share_their_bytes_hold_no_more_than_the_file(whole, tmp_path):
    """A bomb of stored entries: a hundred names for the same megabyte."""
    big = contents(whole)["run/state.safetensors"] + bytes(1_000_000)
    names = [f"run/checkpoints/{step:08d}.safetensors" for step in range(100)]
    data = zip_of({"pack.json": b"{}", "run/config.json": b"{}", names[0]: big, **dict.fromkeys(names[1:], b"")})
    offset = data.index(names[0].encode()) - 30
    for name in names[1:]:
        for field in (20, 24):
            data = with_field(data, name, field, len(big))
        data = with_field(data, name, 42, offset)
    (tmp_path / "bomb.ganart").write_bytes(data)
    assert_refused(tmp_path / "bomb.ganart", "It claims to hold 10[0-9] MB, more than it can")


def test_too_many_entries_are_refused_before_they_are_read(whole, tmp_path, monkeypatch):
    many = {f"run/samples/{step:08d}.png": b"" for step in range(501)}
    path = changed(whole, tmp_path / "bad.ganart", **many)
    assert_refused(path, "more than the 500 files")
    path.write_bytes(zip_of({f"{index}": b"" for index in range(70_000)}))  # so many that the list has a new form
    monkeypatch.setattr(zipfile, "ZipFile", None)  # it must not come to this
    assert_refused(path, "more than the 500 files")


def test_a_large_pack_has_its_records_in_another_form(whole, tmp_path, monkeypatch):
    """From 2 GB on zipfile writes them as zip64; here it does so from 100 KB on."""
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 100_000)
        path = changed(whole, tmp_path / "large.ganart")
    assert path.read_bytes()[-42:-38] == b"PK\6\7"
    assert files(unpack.unpack(path).folder).keys() == {
        name[4:] for name in contents(whole) if name.startswith("run/")
    }


def test_a_disk_without_room_is_told_before_anything_is_written(whole, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000))
    with pytest.raises(RunError, match=r"only 50 KB are free\. Make room on the disk"):
        unpack.unpack(whole)
    assert list(workspace.folder("runs").iterdir()) == list(workspace.folder("datasets").iterdir()) == []


@pytest.mark.parametrize("function", ["_extract", "replace_with_retry"])
def test_a_disk_that_fills_up_leaves_nothing_behind(whole, monkeypatch, function):
    real = getattr(unpack, function)
    calls = []

    def full(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:  # of the moves it is the run's: its pictures are in place already
            raise OSError(28, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(unpack, function, full)
    assert_refused(whole, r"could not be unpacked \(No space left", RunError)
    assert len(calls) == 2


# --- what the files in it say


def manifest(whole: Path, **values: object) -> dict[str, bytes]:
    return with_json(whole, "dataset/manifest.json", **values)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, np.zeros((8, 32, 32, 3), np.uint8))
    return buffer.getvalue()


PICTURES = np.zeros((8, 32, 32, 3), np.uint8)
DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy(PICTURES[:7]), "not 8 of 32 px"),
        (npy(PICTURES[..., :1]), "not 8 of 32 px"),
        (npy(PICTURES.astype(np.int8)), "not 8 of 32 px"),
        (npy(np.asfortranarray(PICTURES)), "not 8 of 32 px"),
        (npy(PICTURES)[:-1], "not 8 of 32 px"),
        (npy(PICTURES)[:40], "not 8 of 32 px"),
        (npy(np.array([{}], object)), "not 8 of 32 px"),
        (npz(), "not 8 of 32 px"),
        (b"\x93NUMPY\1\0\xff\xff" + b"(" * 65535, "not 8 of 32 px"),
        (b"", "not 8 of 32 px"),
        (None, "pictures are not whole"),
    ],
    ids=["fewer", "grey", "int8", "fortran", "cut", "cut-head", "objects", "npz", "deep", "empty", "none"],
)
def test_pictures_that_are_not_what_the_manifest_says_are_refused(whole, tmp_path, data, words):
    path = changed(whole, tmp_path / "bad.ganart", **{"dataset/images-32.npy": data})
    assert_refused(path, words)


def test_manifests_that_ganart_did_not_write_are_refused(whole, tmp_path):
    settings = json.loads(contents(whole)["dataset/manifest.json"])["settings"]
    for change, words in (
        (manifest(whole, version=2), "manifest version 2"),
        (manifest(whole, hash="0" * 64), "not those that the run learned from"),
        (manifest(whole, hash=["x"]), "not those that the run learned from"),
        (manifest(whole, channels=1), "not those that the run learned from"),
        (manifest(whole, settings={**settings, "size": 64}), "not those that the run learned from"),
        (manifest(whole, settings={**settings, "size": 33}), "33 px is not offered"),
        (manifest(whole, settings={**settings, "mood": 1}), "manifest.json is not one"),
        (manifest(whole, settings={**settings, "background": 5}), "manifest.json is not one"),
        (manifest(whole, settings=[]), "manifest.json is not one"),
        (manifest(whole, count=True), "manifest.json is not one"),
        (manifest(whole, count=-1), "manifest.json is not one"),
        (manifest(whole, held_out=8), "manifest.json is not one"),
        (manifest(whole, count=10**9), "not 1000000000 of 32 px"),
        (manifest(whole, files=5), "manifest.json is not one"),
        (manifest(whole, files=["x"]), "manifest.json is not one"),
        (manifest(whole, files=[{"file": "x", "ok": False}]), "manifest.json is not one"),
        (manifest(whole, files=[{"file": {}, "ok": True}]), "manifest.json is not one"),
        (manifest(whole, files=[{"file": "x", "ok": True, "enlarged": [1]}]), "manifest.json is not one"),
        ({"dataset/manifest.json": b"[]"}, "manifest.json cannot be read"),
        ({"dataset/manifest.json": DEEP}, "manifest.json cannot be read"),
        ({"dataset/manifest.json": DEEP * 5}, "manifest.json is not one"),
        ({"dataset/manifest.json": None}, "pictures are not whole"),
        ({"dataset/manifest.json": None, "dataset/images-32.npy": None}, "pictures are not whole"),
        (with_json(whole, "pack.json", dataset=None), "pictures are not whole"),
    ):
        assert_refused(changed(whole, tmp_path / "bad.ganart", **change), re.escape(words))


def test_settings_and_names_that_ganart_did_not_write_are_refused(whole, tmp_path):
    for change, words in (
        (with_json(whole, "run/config.json", mood="good"), "Unknown settings: mood"),
        (with_json(whole, "run/config.json", version=2), "config version 2"),
        (with_json(whole, "run/config.json", batch=0), "The batch is 0"),
        (with_json(whole, "run/config.json", preset="/etc/passwd"), "preset is"),
        (with_json(whole, "run/config.json", preset={"a": 1}), "preset is"),
        (with_json(whole, "run/config.json", dataset="../x"), "dataset is"),
        (with_json(whole, "run/config.json", dataset_hash=None), "dataset_hash is"),
        (with_json(whole, "run/config.json", parent="../../x@5"), "parent is"),
        ({"run/config.json": b"{"}, "config.json cannot be read"),
        ({"run/config.json": b"\xff"}, "config.json cannot be read"),
        ({"run/config.json": None}, "holds no run/config.json"),
        (with_json(whole, "pack.json", run="../x"), "not a usable name"),
        (with_json(whole, "pack.json", run=None), "pack.json is not one"),
        (with_json(whole, "pack.json", run=""), "not a usable name"),
        (with_json(whole, "pack.json", dataset=7), "pack.json is not one"),
        (with_json(whole, "pack.json", dataset="a/b"), "not a usable name"),
        (with_json(whole, "pack.json", format="zip"), "pack.json is not one"),
        ({"pack.json": DEEP[:90_000]}, "pack.json cannot be read"),
        ({"pack.json": DEEP}, "200 KB, more than it can have"),
    ):
        assert_refused(changed(whole, tmp_path / "bad.ganart", **change), re.escape(words))


def test_run_files_that_ganart_did_not_write_are_refused(whole, tmp_path):
    model, state = contents(whole)["run/model.safetensors"], contents(whole)["run/state.safetensors"]
    png = contents(whole)["run/samples/00000000.png"]
    sheet, kept = "run/samples/00000050.png", "run/checkpoints/00000050"
    for change, words in (
        (with_json(whole, "run/status.json", state=["done"]), "state is"),
        (with_json(whole, "run/status.json", kimg="many"), "kimg is"),
        (with_json(whole, "run/status.json", eta_seconds=float("nan")), "eta_seconds is"),
        (with_json(whole, "run/status.json", step=1.5), "step is"),
        ({"run/status.json": b"[]"}, "status.json cannot be read"),
        (with_json(whole, "run/status.json", kimg=1e15), "kimg is"),
        ({"run/metrics.jsonl": b'{"step": "x", "kimg": 1}\n'}, "does not say when"),
        ({"run/metrics.jsonl": b'{"step": -1, "kimg": 1}\n'}, "does not say when"),
        ({"run/vitals.jsonl": b'{"step": 1, "kimg": 1}\n{"gap": 1}\n'}, "does not say when"),
        ({"run/metrics.jsonl": b'{"step": 1, "kimg": "x"}\n'}, "does not say when"),
        ({"run/vitals.jsonl": b'{"step": 1, "kimg": null}\n'}, "does not say when"),
        ({"run/metrics.jsonl": b'{"step": 1, "kimg": 1, "loss_D": null}\n'}, "holds what is no number"),
        ({"run/metrics.jsonl": b'{"step": 1, "kimg": 1, "loss_D": NaN}\n'}, "holds what is no number"),
        ({"run/metrics.jsonl": b'{"step": 1, "kimg": 1, "loss_D": 1%b}\n' % (b"0" * 400)}, "what is no number"),
        ({sheet: png_of(4, 4)}, "not a PNG"),
        ({sheet: png_of(384, 384)}, "not a PNG"),
        ({sheet: png_of(192, 192, 1)}, "other colours"),
        ({sheet: png[:40]}, "00000050.png is damaged"),
        ({"run/vitals.jsonl": b'{"step": 1}' + b" " * 200_000}, "too long"),
        ({sheet: b"GIF89a"}, "not a PNG"),
        ({sheet: png[:16] + (60_000).to_bytes(4, "big") + png[20:]}, "not a PNG"),
        ({"run/model.safetensors": state}, "model.safetensors is not a ganart model"),
        ({"run/best.safetensors": b"\x80\4pickle."}, "best.safetensors is not a ganart model"),
        ({f"{kept}.safetensors": model[:100]}, "00000050.safetensors is not a ganart model"),
        ({"run/model.safetensors": model.replace(b'"version\\": 2', b'"version\\": 3')}, "version 3"),
        ({"run/state.safetensors": model}, "not a training state"),
        ({f"{kept}.state.safetensors": b""}, "safetensors header"),
    ):
        assert_refused(changed(whole, tmp_path / "bad.ganart", **change), re.escape(words))


def png_of(height: int, width: int, channels: int = 3) -> bytes:
    return images.encode(np.zeros((height, width, channels), np.uint8))


def test_a_run_of_a_million_thousand_pictures_opens(whole, tmp_path):
    """The longest that there is, and what its last batch went beyond."""
    change = with_json(whole, "run/status.json", kimg=config.MOST_KIMG + 0.5, total_kimg=config.MOST_KIMG)
    assert unpack.unpack(changed(whole, tmp_path / "long.ganart", **change)).status().kimg > config.MOST_KIMG


def test_what_is_being_unpacked_is_in_no_list(home):
    with unpack._building("runs") as made, unpack._building("datasets") as pictures:
        (made / "config.json").write_text("{}")
        (pictures / "manifest.json").write_text("{}")
        assert list_runs() == [] and dataset.list_datasets() == []
    assert list(workspace.folder("runs").iterdir()) == list(workspace.folder("datasets").iterdir()) == []
