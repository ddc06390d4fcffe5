"""Folders, zips, uploads and MNIST become stores, and every file is accounted for."""

import dataclasses
import errno
import gzip
import hashlib
import io
import os
import shutil
import struct
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image

from ganart import dataset, decoders, files, mnist, selection, workspace
from ganart.config import IntakeConfig
from ganart.errors import DatasetError, InputError
from ganart.limits import limits

SMALL = IntakeConfig(size=32)


def picture(index: int, side: int = 32) -> Image.Image:
    rng = np.random.default_rng(1000 + index)
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8))


def png(index: int) -> bytes:
    buffer = io.BytesIO()
    picture(index).save(buffer, "PNG")
    return buffer.getvalue()


def many(folder: Path, count: int, first: int = 0) -> Path:
    """`count` PNGs of 32 px, whose pixels a store of 32 px holds unchanged."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        picture(index).save(folder / f"{index:03}.png", compress_level=1)
    return folder


def reasons(store: dataset.Dataset) -> dict[str, str]:
    return {entry["file"]: entry["reason"] for entry in store.skipped}


def assert_refused(source: object, words: str, settings: IntakeConfig = SMALL, name: str | None = None) -> None:
    """One clear sentence or two on one line, and nothing left in datasets/."""
    before = sorted(workspace.folder("datasets").iterdir())
    with pytest.raises(InputError, match=words) as caught:
        dataset.prepare(source, settings, name)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 400
    assert sorted(workspace.folder("datasets").iterdir()) == before


@pytest.fixture
def processes(monkeypatch) -> set:
    """All decoder processes that the test started."""
    started = set()

    class Watched(decoders.Decoder):
        def ask(self, job: dict) -> dict:
            try:
                return super().ask(job)
            finally:
                started.add(self.process)
                started.discard(None)

    monkeypatch.setattr(decoders, "Decoder", Watched)
    return started


# --- folders


def test_a_folder_flat_or_nested_with_suffixes_in_any_case(tmp_path):
    folder = many(tmp_path / "Mixed Cases", 4)
    (folder / "deep" / "er").mkdir(parents=True)
    for index, file in enumerate(["A.PNG", "b.Bmp", "c.TIFF", "deep/IMG.webp", "deep/er/D.GIF", "deep/er/e.tif"]):
        picture(50 + index).save(folder / file, lossless=True)
    picture(60).save(folder / "deep" / "PHOTO.JPG")
    picture(61).save(folder / "deep" / "photo.Jpeg")
    store = dataset.prepare(folder, SMALL)
    assert store.name == "mixed-cases-32" and store.count == 12 and store.skipped == []
    assert store.images().shape == (12, 32, 32, 3) and store.images().dtype == np.uint8
    files = [entry["file"] for entry in store.report]
    assert "deep/er/D.GIF" in files and "deep/PHOTO.JPG" in files
    assert (store.images()[files.index("deep/er/e.tif")] == np.asarray(picture(55))).all()


def test_every_file_is_listed_with_what_became_of_it(tmp_path, picture_folder):
    folder = picture_folder(9)
    (folder / "notes.txt").write_text("words")
    (folder / "letter.jpg").write_text("words")
    (folder / "IMG_1.HEIC").write_bytes(b"heic")
    (folder / "img_2.heif").write_bytes(b"heif")
    (folder / "scan.psd").write_bytes(b"8BPS")
    data = (folder / "picture-000.png").read_bytes()
    (folder / "torn.png").write_bytes(data[: len(data) // 2])
    Image.new("RGB", (400, 20)).save(folder / "strip.png")
    (folder / ".DS_Store").write_bytes(b"the system's")
    (folder / "link.png").symlink_to(folder / "picture-000.png")
    os.mkfifo(folder / "pipe.png")
    store = dataset.prepare(folder, SMALL)
    assert store.count == 9 and len(store.report) == 18
    found = reasons(store)
    assert found.pop("strip.png").startswith("too small: 400x20 px")
    assert found == {
        "notes.txt": "not a picture format that ganart reads",
        "scan.psd": "not a picture format that ganart reads",
        "letter.jpg": "not a picture, whatever its name says",
        "IMG_1.HEIC": "HEIC photo: export it as JPEG first",
        "img_2.heif": "HEIC photo: export it as JPEG first",
        "torn.png": "damaged or incomplete",
        "link.png": "a link or a device, not a file",
        "pipe.png": "a link or a device, not a file",
    }


def test_heic_photos_are_counted_with_how_to_convert_them(tmp_path):
    folder = many(tmp_path / "phone", 8)
    (folder / "IMG_1.HEIC").write_bytes(b"heic")
    (folder / "img_2.heif").write_bytes(b"heif")
    note = next(note for note in dataset.prepare(folder, SMALL).warnings() if "HEIC" in note)
    assert note.startswith("2 HEIC photos were left out. Export them as JPEG")
    assert "Settings, Camera, Formats, Most Compatible" in note


def test_a_folder_that_is_a_link_is_named_in_the_report(tmp_path):
    folder = many(tmp_path / "own", 8)
    (folder / "more").symlink_to(many(tmp_path / "elsewhere", 8, first=20), target_is_directory=True)
    store = dataset.prepare(folder, SMALL)
    assert store.count == 8, "a link was followed"
    assert "more" in reasons(store), "what was left out is not in the report"


def test_names_that_are_no_text_do_not_stop_anything(tmp_path):
    folder = many(tmp_path / "names", 8)
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(png(90))
    (folder / "line\nbreak.png").write_bytes(png(91))
    store = dataset.prepare(folder, SMALL)
    assert store.count == 10
    assert all(entry["file"].isprintable() for entry in store.report)


# --- zips


def test_a_zip_is_read_by_number_and_never_unpacked_by_name(tmp_path):
    path = tmp_path / "Some Art.ZIP"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        for index in range(8):
            archive.writestr(f"folder/{index}.png", png(index))
        for index, name in enumerate(
            ["../../evil.png", "folder/../../evil2.png", "/etc/evil3.png", "C:/evil4.png"]
        ):
            archive.writestr(name, png(20 + index))
        archive.writestr("..\\evil5.png", png(25))
        link = zipfile.ZipInfo("link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/folder/._0.png", b"resource fork")
        archive.writestr("folder/.thumbnails/9.png", png(9))
        archive.writestr("folder/desktop.ini", "words")
        archive.writestr("Sunset 12:30:00.png", png(8))
        archive.writestr("inner.zip", path.name)
        archive.writestr("readme.txt", "words")
        archive.writestr("letter.png", "words")
    before = {p for p in tmp_path.rglob("*") if "home" not in p.parts}
    store = dataset.prepare(path, SMALL)
    assert store.name == "some-art-32" and store.count == 9
    assert any((found == np.asarray(picture(3))).all() for found in store.images())
    outside = "its name points outside the zip"
    assert reasons(store) == {
        "../../evil.png": outside,
        "folder/../../evil2.png": outside,
        "/etc/evil3.png": outside,
        "C:/evil4.png": outside,
        "..\\evil5.png": outside,
        "link.png": "a link or a device, not a file",
        "inner.zip": "an archive: unpack it and give the folder",
        "readme.txt": "not a picture format that ganart reads",
        "letter.png": "not a picture, whatever its name says",
    }
    assert {p for p in tmp_path.rglob("*") if "home" not in p.parts} == before, "something was unpacked"
    assert not Path("/etc/evil3.png").exists()


def test_the_second_of_one_name_and_damaged_or_locked_entries_are_named(tmp_path):
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:  # stored, so that the bytes can be found and changed
        for index in range(8):
            archive.writestr(f"{index}.png", png(index))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("0.png", png(30))
        archive.writestr("locked.png", png(31))
        archive.writestr("rotten.png", png(32))
        infos = {info.filename: info for info in archive.infolist()}
    data = bytearray(path.read_bytes())
    data[infos["rotten.png"].header_offset + 200] ^= 0xFF  # inside its pixels: the checksum does not fit
    data[infos["locked.png"].header_offset + 6] |= 1
    data[data.rindex(b"PK\x01\x02", 0, data.rindex(b"locked.png")) + 8] |= 1
    path.write_bytes(data)
    store = dataset.prepare(path, SMALL)
    assert store.count == 8
    assert reasons(store) == {
        "0.png": "the zip holds another file of this name",
        "locked.png": "locked with a password",
        "rotten.png": "damaged or incomplete",
    }
    assert (store.images()[0] == np.asarray(picture(0))).all(), "the second of the name was taken"


# --- what is kept


def test_the_same_pixels_in_another_format_are_a_duplicate(tmp_path):
    folder = many(tmp_path / "twice", 8)
    picture(2).save(folder / "copy.bmp")
    store = dataset.prepare(folder, SMALL)
    assert store.count == 8 and reasons(store) == {"copy.bmp": "the same picture as 002.png"}


def test_grey_pictures_give_one_channel_unless_one_has_colour(tmp_path):
    folder = tmp_path / "grey"
    folder.mkdir()
    for index in range(8):
        image = picture(index).convert("L")
        image.convert("RGB" if index % 2 else "L").save(folder / f"{index}.png")
    store = dataset.prepare(folder, SMALL)
    assert store.channels == 1 and store.images().shape == (8, 32, 32, 1)
    for index in range(8):
        assert (store.images()[index, ..., 0] == np.asarray(picture(index).convert("L"))).all()
    picture(9).save(folder / "colour.png")
    coloured = dataset.prepare(folder, SMALL)
    assert coloured.channels == 3 and coloured.images().shape == (9, 32, 32, 3)


def test_few_pictures_are_warned_of_and_enough_are_not(tmp_path):
    store = dataset.prepare(many(tmp_path / "few", 8), dataclasses.replace(SMALL, size=64))
    assert any("8 pictures are few" in note for note in store.warnings())
    assert store.enlarged == 8 and any("enlarged" in note for note in store.warnings())
    assert not any("few" in note for note in dataclasses.replace(store, count=500).warnings())


def test_held_out_pictures_are_chosen_by_content_and_come_last(tmp_path):
    folder = many(tmp_path / "first", 205)
    store = dataset.prepare(folder, SMALL)
    assert (store.count, store.held_out, store.training) == (205, 30, 175)
    names = [entry["file"] for entry in store.report if entry.get("held_out")]
    outside = store.images()[-30:]
    expected = [np.asarray(Image.open(folder / name)) for name in names]
    assert len(names) == 30 and (outside == np.stack(expected)).all()

    other = tmp_path / "renamed"
    other.mkdir()
    for index, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        path.rename(other / f"x{index * 7 % 205:03}.png")
    again = dataset.prepare(other, SMALL)
    assert again.held_out == 30

    def contents(rows: np.ndarray) -> set[bytes]:
        return {row.tobytes() for row in rows}

    assert contents(again.images()[-30:]) == contents(outside)
    assert (
        contents(again.images()[:-30]) == contents(store.images()[:-30]) and len(contents(store.images())) == 205
    )


def test_a_tenth_is_held_out_from_200_pictures_on_and_at_least_30():
    def held_out(count: int) -> int:
        hashes = {row: hashlib.sha256(b"%d" % row).hexdigest() for row in range(count)}
        order, outside = selection.split(list(range(count)), hashes)
        assert sorted(order) == list(range(count))
        return outside

    assert [held_out(count) for count in (199, 200, 300, 301, 1000)] == [0, 30, 30, 30, 100]


def test_names_and_content_decide_which_store_is_returned(tmp_path):
    folder, others = many(tmp_path / "art", 8), many(tmp_path / "others" / "art", 8, first=40)
    first = dataset.prepare(folder, SMALL, "mine")
    before = (first.folder / "manifest.json").stat().st_mtime_ns
    again = dataset.prepare(folder, SMALL, "mine")
    assert again == first and (again.folder / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match="“mine” is taken"):
        dataset.prepare(others, SMALL, "mine")
    with pytest.raises(DatasetError, match="“mine” is taken"):  # other settings make other pictures
        dataset.prepare(folder, dataclasses.replace(SMALL, size=64), "mine")
    assert dataset.prepare(folder, SMALL).name == "art-32"
    assert dataset.prepare(others, SMALL).name == "art-32-2"
    assert sorted(p.name for p in workspace.folder("datasets").iterdir()) == ["art-32", "art-32-2", "mine"]
    assert {store.name for store in dataset.list_datasets()} == {"art-32", "art-32-2", "mine"}
    assert dataset.open_dataset("mine") == first


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files a process has mapped")
def test_on_a_full_disk_nothing_holds_on_to_what_is_deleted(tmp_path, monkeypatch):
    """Windows deletes no file that is open or mapped: all of it would stay on the full disk."""
    held, looked = [], []

    def look(folder: Path, **_: object) -> None:
        looked.append(sorted(path.name for path in folder.rglob("*.npy")))
        maps = Path("/proc/self/maps").read_text()
        held.extend(path for path in Path("/proc/self/fd").iterdir() if str(folder) in os.path.realpath(path))
        held.extend(line for line in maps.splitlines() if str(folder) in line)

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.shutil, "rmtree", look)
    monkeypatch.setattr(dataset.os, "fsync", fail)
    with pytest.raises(DatasetError, match=r"could not be written \(No space left on device\)\. Make room"):
        dataset.prepare(many(tmp_path / "art", 8), SMALL)
    assert looked == [["images-32.npy"]] and held == []


def test_other_pictures_under_the_same_hash_are_not_taken_for_them(tmp_path):
    """A packed run may have brought them along: what it says of its hash cannot be checked by itself."""
    folder = many(tmp_path / "art", 8)
    brought = dataset.prepare(folder, SMALL)
    right = np.array(brought.images())
    path = brought.folder / "images-32.npy"
    np.save(path, np.full_like(right, 255))
    again = dataset.prepare(folder, SMALL)
    assert (
        again.name == f"{brought.name}-2" and again.hash == brought.hash and np.array_equal(again.images(), right)
    )
    assert_refused(folder, f"“{brought.name}” is taken by a dataset with other pictures", name=brought.name)
    np.save(path, right)
    assert dataset.prepare(folder, SMALL, name=brought.name).folder == brought.folder


def test_the_same_content_without_a_name_is_not_stored_twice(tmp_path):
    dataset.prepare(many(tmp_path / "art", 8), SMALL)
    others = many(tmp_path / "others" / "art", 8, first=40)
    assert dataset.prepare(others, SMALL) == dataset.prepare(others, SMALL)


# --- refusals


def test_too_few_usable_pictures_are_refused_with_the_reasons(tmp_path, picture_folder):
    folder = picture_folder(7)
    (folder / "words.txt").write_text("words")
    shutil.copy(folder / "picture-000.png", folder / "zz-copy.png")
    assert_refused(
        folder, "“pictures” has 7 usable pictures among 9 files .*1 the same picture as another.*At least 8"
    )


def test_sources_without_pictures_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert_refused(tmp_path / "empty", "“empty” is empty")
    words = tmp_path / "words"
    words.mkdir()
    (words / "a.txt").write_text("a")
    (words / "b.txt").write_text("b")
    assert_refused(words, "no usable picture among 2 files")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert_refused(tmp_path / "empty.zip", "is empty")


def test_sources_that_are_not_there_or_no_folder_are_refused(tmp_path):
    assert_refused(tmp_path / "missing", "no folder or zip file")
    assert_refused("//server/share", "Network paths")
    picture(0).save(tmp_path / "one.png")
    assert_refused(tmp_path / "one.png", "“one.png” is a single file")


@pytest.mark.parametrize("source", ["~nobody-of-that-name/pictures", "/tmp/" + "long" * 100])
def test_an_unknown_home_or_an_overlong_path_is_refused(source):
    assert_refused(source, "is not a path on this computer")


def test_broken_zips_are_refused(tmp_path):
    (tmp_path / "words.zip").write_text("this is no archive")
    assert_refused(tmp_path / "words.zip", "not a readable zip")
    with zipfile.ZipFile(tmp_path / "torn.zip", "w") as archive:
        archive.writestr("a.png", png(0) * 3)
    data = (tmp_path / "torn.zip").read_bytes()
    (tmp_path / "torn.zip").write_bytes(data[: len(data) // 2])
    assert_refused(tmp_path / "torn.zip", "not a readable zip")


def test_names_that_are_no_names_are_refused(tmp_path):
    folder = many(tmp_path / "art", 8)
    for name in ("Big", "a b", "../up", "", "x" * 41, "a/b"):
        assert_refused(folder, "not a usable name", name=name)


def test_unknown_datasets_are_refused():
    with pytest.raises(DatasetError, match="no dataset “nothing”"):
        dataset.open_dataset("nothing")
    assert dataset.list_datasets() == []


# --- decoder processes


def test_a_killed_decoder_is_an_answer_and_the_next_job_works(tmp_path):
    many(tmp_path / "art", 1)
    (tmp_path / "rows").write_bytes(bytes(32 * 32 * 3))
    shared = {"out": str(tmp_path / "rows"), "size": 32, "crop": "centre", "background": [0, 0, 0]}
    job = {"row": 0, "path": str(tmp_path / "art" / "000.png"), **shared}
    decoder = decoders.Decoder()
    try:
        assert decoder.ask(job)["ok"]
        decoder.process.kill()
        answer = decoder.ask(job)
        assert answer == {"row": 0, "ok": False, "reason": "made the decoder stop"}
        assert decoder.ask(job)["ok"]
    finally:
        decoder.close()


def test_a_hanging_decoder_is_an_answer_and_the_next_job_works(tmp_path, monkeypatch):
    job = {"row": 0, "path": str(tmp_path / "missing.png"), "size": 32, "crop": "centre", "background": [0, 0, 0]}
    decoder = decoders.Decoder()
    try:
        assert "cannot be opened" in decoder.ask(job)["reason"]
        hung = decoder.process
        psutil.Process(hung.pid).suspend()
        monkeypatch.setattr(decoder, "most", dataclasses.replace(decoder.most, seconds=0.2))
        assert "took longer than" in decoder.ask(job)["reason"]
        assert hung.poll() is not None
        monkeypatch.setattr(decoder, "most", limits())
        assert "cannot be opened" in decoder.ask(job)["reason"]
    finally:
        decoder.close()


def test_a_picture_that_kills_its_decoder_is_named_and_the_others_are_decoded(tmp_path, monkeypatch):
    folder = many(tmp_path / "art", 12)
    picture(50).save(folder / "004-killer.png")

    class Mortal(decoders.Decoder):
        def ask(self, job: dict) -> dict:
            if job["path"].endswith("killer.png"):
                if self.process is None:
                    super().ask({**job, "path": str(tmp_path / "missing.png")})  # starts the process
                psutil.Process(self.process.pid).suspend()  # so that it cannot answer before it is killed
                threading.Timer(0.1, self.process.kill).start()
            return super().ask(job)

    monkeypatch.setattr(decoders, "Decoder", Mortal)
    store = dataset.prepare(folder, SMALL)
    assert store.count == 12 and reasons(store) == {"004-killer.png": "made the decoder stop"}
    for row in range(12):
        assert (store.images()[row] == np.asarray(picture(row))).all()


def test_progress_reaches_the_total_and_no_process_is_left(tmp_path, processes):
    folder = many(tmp_path / "art", 10)
    (folder / "letter.png").write_text("words")
    (folder / "words.txt").write_text("words")
    seen = []
    dataset.prepare(folder, SMALL, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 11) for done in range(1, 12)]
    assert processes and all(process.poll() is not None for process in processes)


def test_a_page_that_goes_away_leaves_no_folder_and_no_process(tmp_path, processes):
    folder = many(tmp_path / "art", 40)

    class Gone(BaseException):
        pass

    def progress(done: int, total: int) -> None:
        if done == 3:
            raise Gone

    with pytest.raises(Gone):
        dataset.prepare(folder, SMALL, progress=progress)
    assert list(workspace.folder("datasets").iterdir()) == []
    assert processes and all(process.poll() is not None for process in processes)


# --- MNIST


def idx(pixels: np.ndarray, magic: int = 2051) -> bytes:
    return struct.pack(">4I", magic, *pixels.shape) + pixels.tobytes()


PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
PACKED = gzip.compress(idx(PIXELS))
DAMAGED = {
    "short": idx(PIXELS)[:-1],
    "long": idx(PIXELS) + b"\0",
    "labels": idx(PIXELS, magic=2049),
    "large": idx(np.zeros((3, 32, 32), np.uint8)),
    "empty": b"",
    "words.gz": b"no gzip at all",
    "torn.gz": PACKED[: len(PACKED) // 2],
    "checksum.gz": PACKED[:-8] + bytes(8),
    "block.gz": PACKED[:10] + b"\xff" * 20,  # begins with a deflate block of a kind that does not exist
}


@pytest.mark.parametrize(("name", "data"), [("digits", idx(PIXELS)), ("digits.gz", PACKED)])
def test_idx_files_are_read_packed_or_not(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    digits = mnist.read_images(tmp_path, "digits")
    assert digits.shape == (3, 28, 28, 1) and digits.dtype == np.uint8 and (digits[..., 0] == PIXELS).all()


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_idx_files_are_named(tmp_path, name):
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(DatasetError, match=f"{name} is damaged"):
        mnist.read_images(tmp_path, name.removesuffix(".gz"))


def test_missing_idx_files_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no digits .or digits\.gz. there"):
        mnist.read_images(tmp_path, "digits")


def test_a_python_without_certificates_gets_some_for_the_download(monkeypatch):
    """One from python.org on a Mac has none until somebody installs them."""
    used = []

    def fetch(*_: object, **__: object) -> None:
        used.append(Path(os.environ["SSL_CERT_FILE"]))
        raise OSError

    monkeypatch.setenv("SSL_CERT_FILE", "what was there before comes back behind the test")
    for name in ("SSL_CERT_FILE", "GANART_MNIST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mnist.ssl, "create_default_context", lambda: SimpleNamespace(get_ca_certs=list))
    monkeypatch.setattr("torchvision.datasets.MNIST", fetch)
    assert_refused("mnist", "could not be downloaded", None)
    assert b"BEGIN CERTIFICATE" in used[0].read_bytes()


@pytest.fixture
def blank_mnist(tmp_path, monkeypatch) -> Path:
    """MNIST's files with 70,000 black digits, which take no room on the disk."""
    folder = tmp_path / "blank"
    folder.mkdir()
    for name, count in zip(mnist.FILES, (60_000, 10_000), strict=True):
        with (folder / name).open("wb") as file:
            file.write(struct.pack(">4I", 2051, count, 28, 28))
            file.truncate(16 + count * 784)
    monkeypatch.setenv("GANART_MNIST", str(folder))
    return folder


def test_mnist_is_refused_in_other_sizes_and_under_impossible_names(blank_mnist):
    assert_refused("mnist", "28 px grey", IntakeConfig(size=32))
    assert_refused("mnist", "28 px grey", IntakeConfig(size=28, channels=3))
    outside = workspace.home() / "outside"
    assert_refused("mnist", "not a usable name", IntakeConfig(size=28), name="../outside")
    assert not outside.exists()


def test_mnist_with_files_missing_is_refused(blank_mnist):
    (blank_mnist / mnist.FILES[1]).unlink()
    assert_refused("mnist", "GANART_MNIST must name the folder", IntakeConfig(size=28))


def test_mnist_learns_from_its_training_digits_and_holds_out_its_test_digits(data_folder, monkeypatch):
    monkeypatch.setenv("GANART_MNIST", str(data_folder / "mnist"))
    store = dataset.prepare("mnist")
    assert (store.name, store.count, store.held_out, store.training) == ("mnist", 70_000, 10_000, 60_000)
    assert store.channels == 1 and store.images().shape == (70_000, 28, 28, 1)
    for name, row in (("train-images-idx3-ubyte.gz", 0), ("t10k-images-idx3-ubyte.gz", 60_000)):
        with gzip.open(data_folder / "mnist" / name) as file:
            first = file.read(16 + 784)[16:]
        assert int(store.images()[row].sum()) == sum(first) > 0
    assert dataset.prepare("mnist") == store
