"""Pictures, folders and zips of people who mean no good: every file gets its answer, and the program goes on."""

import dataclasses
import io
import os
import random
import shutil
import signal
import struct
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from mutants import mutant, share
from PIL import Image

from ganart import archive, dataset, decode, decoders, intake, workspace
from ganart.config import IntakeConfig
from ganart.decoders import Decoder
from ganart.errors import DatasetError, GanartError, InputError
from ganart.limits import limits

SMALL = IntakeConfig(size=32)
KNOWN = (
    "damaged or incomplete",
    "not a picture",
    "too small",
    "more than 64 million",
    "the same picture",
    "holds",
)
posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and limits of processes as POSIX has them")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")


def noise(index: int, width: int = 40, height: int = 36, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(index)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 7, 4), np.uint8), "RGBA")
    return coarse.resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def sources() -> list[tuple[str, bytes]]:
    """Small whole files of every format and of its kinds, by suffix."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    deep = Image.fromarray((np.arange(40 * 40).reshape(40, 40) * 40).astype(np.uint16))
    moving = {"save_all": True, "append_images": [noise(1), noise(2)], "duration": 50}
    tiffs = [
        encoded(noise(3), "TIFF", compression=c) for c in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")
    ]
    return [
        ("jpg", encoded(noise(4), "JPEG", exif=exif)),
        ("jpg", encoded(noise(5), "JPEG", progressive=True)),
        ("jpg", encoded(noise(6, mode="CMYK"), "JPEG")),
        ("png", encoded(noise(7), "PNG")),
        ("png", encoded(noise(8).convert("P"), "PNG", transparency=3)),
        ("png", encoded(deep, "PNG")),
        ("png", encoded(noise(9), "PNG", **moving)),
        ("webp", encoded(noise(10), "WEBP", exif=exif)),
        ("webp", encoded(noise(11, mode="RGBA"), "WEBP", lossless=True)),
        ("webp", encoded(noise(12), "WEBP", **moving)),
        ("avif", encoded(noise(13), "AVIF")),
        ("avif", encoded(noise(14, mode="RGBA"), "AVIF")),
        ("avif", encoded(noise(20), "AVIF", **moving)),
        ("bmp", encoded(noise(15), "BMP")),
        ("bmp", encoded(noise(16).convert("P"), "BMP")),
        ("gif", encoded(noise(17), "GIF")),
        ("gif", encoded(noise(18), "GIF", **moving)),
        *(("tif", data) for data in tiffs),
        ("tif", encoded(noise(19), "TIFF", compression="jpeg")),
        ("tif", encoded(deep, "TIFF")),
    ]


def peak(process: psutil.Popen) -> int:
    """The most memory that the process has had, in bytes; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.fixture
def watched(monkeypatch) -> dict:
    """What the decoders of the test took: seconds by file, the peak of their memory, how often one started."""
    seen = {"seconds": {}, "peak": 0, "starts": 0}

    class Watched(Decoder):
        def _start(self) -> None:
            super()._start()
            seen["starts"] += 1
            super().ask({"row": -1, "path": "", "size": 32, "crop": "centre", "background": [0] * 3, "out": ""})

        def ask(self, job: dict) -> dict:
            if self.process is None:
                self._start()
            started = time.perf_counter()
            answer = super().ask(job)
            seen["seconds"][job["row"]] = time.perf_counter() - started
            if self.process is not None:
                seen["peak"] = max(seen["peak"], peak(self.process))
            return answer

    monkeypatch.setattr(decoders, "Decoder", Watched)
    return seen


@pytest.mark.parametrize(
    "count", [1_000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_mutated_pictures_all_get_an_answer_and_stop_nothing(tmp_path, watched, count):
    folder, rng, whole = tmp_path / "art", random.Random(0), sources()
    folder.mkdir()
    for index in range(8):
        noise(100 + index).save(folder / f"whole-{index}.png")
    for index in range(count):
        suffix, data = whole[index % len(whole)]
        (folder / f"{index:05}.{suffix}").write_bytes(mutant(data, rng))
    store = dataset.prepare(folder, SMALL)
    assert len(store.report) == count + 8
    assert all(entry["ok"] for entry in store.report if entry["file"].startswith("whole"))
    for entry in store.skipped:
        assert entry["reason"].startswith(KNOWN), entry
    times = list(watched["seconds"].values())
    print(
        f"{count} pictures: {len(store.skipped)} left out, mean {1000 * sum(times) / len(times):.1f} ms, "
        f"p99 {1000 * share(times, 0.99):.1f} ms, worst {1000 * max(times):.0f} ms, "
        f"{watched['starts']} processes, peak {watched['peak'] / 1e6:.0f} MB"
    )
    assert watched["starts"] == (os.cpu_count() or 1), "a decoder had to be started again"
    assert len(store.skipped) > count / 5 and max(times) < 2 and watched["peak"] < 1e9


# --- what a decoder may take


def job(path: Path, out: Path, **other: object) -> dict:
    out.write_bytes(bytes(32 * 32 * 3))
    return {
        "row": 0,
        "path": str(path),
        "out": str(out),
        "size": 32,
        "crop": "centre",
        "background": [0] * 3,
        **other,
    }


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


@linux
def test_a_picture_that_wants_more_memory_than_there_is_is_named_and_the_process_lives(tmp_path, monkeypatch):
    monkeypatch.setenv("GANART_DECODER_MB", "200")
    Image.new("RGB", (7000, 7000)).save(tmp_path / "large.png", compress_level=1)
    noise(0).save(tmp_path / "good.png")
    made = Decoder()
    try:
        assert made.ask(job(tmp_path / "good.png", tmp_path / "rows"))["ok"]
        first = made.process
        answer = made.ask(job(tmp_path / "large.png", tmp_path / "rows"))
        assert answer["reason"].startswith("needs more than 200 MB of memory: save it smaller, or set GANART_DE")
        assert made.ask(job(tmp_path / "good.png", tmp_path / "rows"))["ok"] and made.process is first
        assert peak(first) < 200e6
    finally:
        made.close()


@posix
def test_the_parent_ends_a_decoder_that_takes_more_memory_than_it_may(tmp_path, decoder):
    noise(0).save(tmp_path / "good.png")
    good = job(tmp_path / "good.png", tmp_path / "rows")
    assert decoder.ask(good)["ok"]
    fat, real = decoder.process, decoder.most
    fat.send_signal(signal.SIGSTOP)  # so that it is looked at before it can answer
    decoder.most = dataclasses.replace(real, memory=1_000_000)
    assert decoder.ask(good)["reason"].startswith("needs more than")
    assert fat.poll() is not None
    decoder.most = real
    assert decoder.ask(good)["ok"]


@posix
def test_a_decoder_that_computes_without_end_is_ended_by_the_system(tmp_path, monkeypatch):
    """Also where the parent, which watches the clock, is gone."""
    Image.new("L", (20_000, 20_000)).save(tmp_path / "long.png", compress_level=1)
    noise(0).save(tmp_path / "good.png")
    # The system counts whole seconds, so that the picture has to take more than one on any machine.
    monkeypatch.setenv("GANART_MAX_MEGAPIXELS", "400")
    monkeypatch.setenv("GANART_DECODER_MB", "4000")
    monkeypatch.setenv("GANART_DECODER_SECONDS", "0.01")
    made = Decoder(dataclasses.replace(limits(), seconds=60))
    try:
        answer = made.ask(job(tmp_path / "long.png", tmp_path / "rows"))
        assert made.status == -signal.SIGXCPU and "took longer than" in answer["reason"]
        assert made.ask(job(tmp_path / "good.png", tmp_path / "rows"))["ok"]
    finally:
        made.close()


def test_a_computer_that_slept_does_not_hold_it_against_a_picture(monkeypatch):
    """Where the clock goes on meanwhile, as on Windows: every decoder would be ended at the first look."""
    clock = iter([0.0, 0.1, 900.0, 905.0, 915.0, 919.0, 921.0])
    looks, ended = [], []

    def now() -> float:
        looks.append(next(clock))
        return looks[-1]

    monkeypatch.setattr(decoders, "time", SimpleNamespace(monotonic=now, sleep=lambda seconds: None))
    monkeypatch.setattr(decoders, "AWAKE", 20.0)
    made = Decoder(dataclasses.replace(limits(), seconds=20, memory=10**12))
    made.begun = 0.0, 0.0
    process = SimpleNamespace(pid=os.getpid(), poll=lambda: None, kill=lambda: ended.append(looks[-1]))
    made._watch(process)
    assert ended == [921.0] and made.ended_for.startswith("took longer than 20 s"), "899.9 of them it slept"


def test_where_the_system_counts_no_time_a_crash_is_a_crash(monkeypatch):
    """On Windows: what is killed has the status 1 there."""
    monkeypatch.setattr(decoders, "signal", SimpleNamespace())
    made = Decoder()
    made.status = 1
    assert made._why() == "made the decoder stop"


def test_on_windows_the_interpreter_itself_is_started_and_knows_its_environment(monkeypatch):
    monkeypatch.setattr(sys, "_base_executable", "/usr/bin/python-itself", raising=False)
    assert decoders._python() == (sys.executable, {})
    with monkeypatch.context() as patch:
        patch.setattr(decoders, "os", SimpleNamespace(name="nt"))
        assert decoders._python() == ("/usr/bin/python-itself", {"__PYVENV_LAUNCHER__": sys.executable})


def test_what_is_no_answer_is_a_crash_and_what_a_library_prints_is_none():
    for line in ("", "{", "[]\n", "5\n", '{"row": 7, "ok": true}\n', '{"ok": true}\n', '{"row": 0, "ok": tr'):
        assert decoders._answer(line, {"row": 0}) is None
    assert decoders._answer('{"row": 0, "ok": true}\n', {"row": 0}) == {"row": 0, "ok": True}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG", "AVIF", "WEBP"])
def test_the_largest_pictures_stay_under_1_gb(tmp_path, decoder, format):
    """WebP of 64 million pixels with transparency is over it and says so; all others are decoded."""
    side = np.linspace(0, 255, 8000).astype(np.uint8)
    bands = [np.broadcast_to(side, (8000, 8000)), np.broadcast_to(side[:, None], (8000, 8000))]
    bands = [Image.fromarray(np.ascontiguousarray(b)) for b in bands]
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {
        "PNG": {"compress_level": 1, "exif": exif},
        "TIFF": {"compression": "tiff_adobe_deflate"},
        "JPEG": {"progressive": True},
        "AVIF": {"speed": 10},
        "WEBP": {"method": 0, "quality": 50},
    }[format]
    mode = "RGB" if format == "JPEG" else "RGBA"
    image = Image.merge(mode, (bands * 2)[: len(mode)])
    if format == "WEBP":  # whose gradients would be over 50 MB
        image = Image.new(mode, image.size, (1, 2, 3, 4))
    path = tmp_path / f"large.{format.lower()}"
    image.save(path, **options)
    noise(0).save(tmp_path / "good.png")
    decoder.ask(job(tmp_path / "good.png", tmp_path / "rows"))
    started = time.perf_counter()
    answer = decoder.ask(job(path, tmp_path / "rows"))
    most = peak(decoder.process)
    print(f"{format} of 64 million pixels: {time.perf_counter() - started:.1f} s, {most / 1e6:.0f} MB, {answer}")
    assert most < 1e9 and (answer["ok"] or (format == "WEBP" and "needs more than" in answer["reason"]))


# --- limits


def png(index: int, **size: int) -> bytes:
    return encoded(noise(index, **size), "PNG")


def many(folder: Path, count: int = 8) -> Path:
    folder.mkdir()
    for index in range(count):
        (folder / f"{index:03}.png").write_bytes(png(index))
    return folder


def refused(source: object, words: str) -> str:
    """Refused within a second, in a sentence, with nothing left behind."""
    started = time.perf_counter()
    with pytest.raises(InputError, match=words) as caught:
        dataset.prepare(source, SMALL)
    assert time.perf_counter() - started < 1
    assert list(workspace.folder("datasets").iterdir()) == []
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    return str(caught.value)


def reasons(store: dataset.Dataset) -> dict[str, str]:
    return {entry["file"]: entry["reason"] for entry in store.skipped}


def test_every_limit_is_settable_and_says_what_to_do(tmp_path, monkeypatch):
    folder = many(tmp_path / "art", 10)
    (folder / "large.png").write_bytes(png(50, width=1200, height=1000))
    assert len(dataset.prepare(folder, SMALL).report) == 11
    monkeypatch.setenv("GANART_MAX_MEGAPIXELS", "1")
    found = reasons(dataset.prepare(folder, dataclasses.replace(SMALL, size=28)))
    assert found == {
        "large.png": "more than 1 million pixels: save it smaller, or set GANART_MAX_MEGAPIXELS higher"
    }
    monkeypatch.setenv("GANART_MAX_FILE_MB", "0.01")
    found = reasons(dataset.prepare(folder, dataclasses.replace(SMALL, background=(0, 0, 0))))
    assert found == {"large.png": "larger than 0.01 MB: save it smaller, or set GANART_MAX_FILE_MB higher"}
    for home in workspace.folder("datasets").iterdir():
        shutil.rmtree(home)
    monkeypatch.setenv("GANART_MAX_FILES", "9")
    assert "set GANART_MAX_FILES higher" in refused(folder, "More than 9 files were found")
    monkeypatch.delenv("GANART_MAX_FILES")
    monkeypatch.setenv("GANART_MAX_GB", "0.00001")
    assert "set GANART_MAX_GB higher" in refused(folder, "“art” holds more than 1e-05 GB of pictures")
    monkeypatch.setenv("GANART_MAX_GB", "0.00003")
    refused(folder, r"11 files at 32 px could take 0\.0 GB, more than the 3e-05 GB of GANART_MAX_GB")


@pytest.mark.parametrize("value", ["lots", "0", "-5", "nan", "inf", "1e99"])
def test_a_limit_that_is_no_number_is_refused(tmp_path, monkeypatch, value):
    monkeypatch.setenv("GANART_MAX_FILES", value)
    refused(many(tmp_path / "art"), r"GANART_MAX_FILES is .*It must be a number above 0, or not be set \(20,000\)")


# --- folders


@posix
def test_links_that_lead_out_or_round_are_named_and_not_followed(tmp_path):
    folder = many(tmp_path / "art")
    many(tmp_path / "elsewhere")
    (folder / "deep").mkdir()
    (folder / "deep" / "round").symlink_to(folder, target_is_directory=True)
    (folder / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "up").symlink_to("..", target_is_directory=True)
    (folder / "file.png").symlink_to(tmp_path / "elsewhere" / "001.png")
    (folder / "broken.png").symlink_to(tmp_path / "nowhere")
    store = dataset.prepare(folder, SMALL)
    assert store.count == 8
    names = {"deep/round", "out", "up", "file.png", "broken.png"}
    assert reasons(store) == dict.fromkeys(names, "a link or a device, not a file")


@posix
def test_a_junction_that_does_not_call_itself_a_link_is_not_followed(tmp_path, monkeypatch):
    """As those of Windows, where a folder may be another one and is no symlink."""
    folder = many(tmp_path / "art")
    (folder / "junction").symlink_to(many(tmp_path / "elsewhere", 12), target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)
    monkeypatch.setattr(os.path, "islink", lambda path: False)
    store = dataset.prepare(folder, SMALL)
    assert store.count == 8 and set(reasons(store)) == {"junction", "loop"}


@posix
def test_the_root_itself_may_be_a_link(tmp_path):
    many(tmp_path / "art")
    (tmp_path / "link").symlink_to(tmp_path / "art", target_is_directory=True)
    assert dataset.prepare(tmp_path / "link", SMALL).count == 8


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    folder, real = many(tmp_path / "art"), os.scandir
    many(folder / "closed")

    def scandir(path: object) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    store = dataset.prepare(folder, SMALL)
    assert reasons(store) == {"closed": "a folder that cannot be opened (Permission denied)"}


def test_files_that_may_be_listed_and_not_looked_at_are_named(tmp_path, monkeypatch):
    folder, real = many(tmp_path / "art"), Path.lstat
    many(folder / "shut", 2)

    def lstat(path: Path) -> os.stat_result:
        if path.parent.name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    store = dataset.prepare(folder, SMALL)
    assert set(reasons(store).values()) == {"cannot be opened (Permission denied)"} and len(reasons(store)) == 2


def test_what_is_still_in_the_cloud_is_named(tmp_path):
    folder = many(tmp_path / "art")
    (folder / ".IMG_1.jpg.icloud").write_bytes(b"bplist00")
    store = dataset.prepare(folder, SMALL)
    assert reasons(store) == {".IMG_1.jpg.icloud": "still in iCloud: download it first"}


def test_a_file_that_its_drive_does_not_give_is_not_called_damaged():
    assert decode.reason(OSError(5, "Input/output error")).startswith("cannot be read (Input/output error)")
    assert decode.reason(OSError("image file is truncated")) == "damaged or incomplete"


@pytest.mark.parametrize("brand", sorted(decode.HEIC_BRANDS))
def test_a_heic_photo_by_another_name_is_called_one(brand):
    with pytest.raises(decode.UnusableError, match="HEIC photo: export it as JPEG"):
        decode.prepare(b"\0\0\0\x18" + brand + bytes(100), 32, "centre", (0, 0, 0))


@posix
def test_a_file_that_became_a_link_or_a_pipe_since_it_was_listed_is_not_opened(tmp_path, decoder):
    (tmp_path / "secret.png").write_bytes(png(0))
    (tmp_path / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("link.png", "pipe.png"):
        answer = decoder.ask(job(tmp_path / name, tmp_path / "rows"))
        assert answer == {"row": 0, "ok": False, "reason": "a link or a device, not a file"}


@pytest.mark.parametrize(
    "text", ["//server/share", r"\\server\share", r'  "\\server\share"', r"\\?\C:\x", "/\\s\\x"]
)
def test_another_computer_is_not_even_asked(monkeypatch, text):
    monkeypatch.setattr(workspace, "given_path", lambda _: pytest.fail("the path was touched"))
    with pytest.raises(DatasetError, match="Network paths are not opened"):
        dataset.prepare(text, SMALL)


# --- zips


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for index in range(8):
            made.writestr(f"good/{index}.png", png(index))
        for name, data in entries.items():
            made.writestr(zipfile.ZipInfo(name), data, method)
    return path


def test_what_no_honest_zip_holds_is_left_out_with_a_reason(tmp_path):
    good = png(40)
    names = {
        "../up.png": "its name points outside the zip",
        "a/../../up.png": "its name points outside the zip",
        "/etc/abs.png": "its name points outside the zip",
        "C:\\x.png": "its name points outside the zip",
        "..\\up.png": "its name points outside the zip",
        "CON": "its name is that of a device",
        "nul.png": "its name is that of a device",
        "com1.tar.png": "its name is that of a device",
        "aux/x.png": "its name is that of a device",
        "LPT³.png": "its name is that of a device",
        "prn .png": "its name is that of a device",
        "more.zip": "an archive: unpack it and give the folder",
        "more.tar.gz": "an archive: unpack it and give the folder",
        "more.7z": "an archive: unpack it and give the folder",
        "good/0.png": "the zip holds another file of this name",
        "good\\1.png": "the zip holds another file of this name",
        "evil.svg": "not a picture format that ganart reads",
    }
    path = zipped(tmp_path / "odd.zip", {})
    with zipfile.ZipFile(path, "a") as made, pytest.warns(UserWarning, match="Duplicate name"):
        for name in names:
            made.writestr(zipfile.ZipInfo(name), good)
        for kind, name in ((0o120000, "link.png"), (0o020000, "device.png"), (0o010000, "pipe.png")):
            special = zipfile.ZipInfo(name)
            special.create_system, special.external_attr = 3, (kind | 0o777) << 16
            made.writestr(special, "/etc/passwd")
        made.writestr(zipfile.ZipInfo("rare.png"), good, zipfile.ZIP_LZMA)
        made.writestr(zipfile.ZipInfo("console.png"), png(41))  # a name that only begins like a device's
    before = set(tmp_path.rglob("*"))
    started = time.perf_counter()
    jobs, report = intake.list_source(path)
    assert time.perf_counter() - started < 1 and len(jobs) == len(report)
    found = {line["file"]: line.get("reason") for line in report if not line["ok"]}
    special = dict.fromkeys(("link.png", "device.png", "pipe.png"), "a link or a device, not a file")
    assert found == {**names, **special, "rare.png": found["rare.png"]}
    assert found["rare.png"].startswith("packed in a rare way")
    store = dataset.prepare(path, SMALL)
    assert store.count == 9 and reasons(store) == found
    assert {p for p in tmp_path.rglob("*") if "home" not in p.parts} <= before, "something was unpacked"


def test_a_zip_by_the_name_of_a_picture_is_none(tmp_path):
    inner = zipped(tmp_path / "inner.zip", {}).read_bytes()
    store = dataset.prepare(zipped(tmp_path / "outer.zip", {"photo.png": inner}), SMALL)
    assert reasons(store) == {"photo.png": "not a picture, whatever its name says"}


def test_zeros_packed_a_thousandfold_are_left_out(tmp_path):
    path = zipped(tmp_path / "bomb.zip", {"a.bmp": bytes(60_000_000), "b.png": bytes(40_000_000)}, 8)
    started = time.perf_counter()
    _, report = intake.list_source(path)
    assert time.perf_counter() - started < 1
    found = {line["file"]: line["reason"] for line in report if not line["ok"]}
    assert found == dict.fromkeys(("a.bmp", "b.png"), "unpacks to more than 100 times its size, as zip bombs do")


def test_flat_drawings_that_were_saved_unpacked_are_taken(tmp_path):
    rng = np.random.default_rng(0)

    def drawing() -> bytes:
        squares = rng.integers(0, 2, (16, 16, 1), np.uint8) * np.uint8(255)
        image = Image.fromarray(np.kron(squares, np.ones((64, 64, 3), np.uint8)))
        image.save(file := io.BytesIO(), "BMP")
        return file.getvalue()

    path = zipped(tmp_path / "art.zip", {f"{number}.bmp": drawing() for number in range(10)}, 8)
    with zipfile.ZipFile(path) as packed:
        drawings = [entry for entry in packed.infolist() if entry.filename.endswith(".bmp")]
    assert min(entry.file_size / entry.compress_size for entry in drawings) > archive.MAX_RATIO
    store = dataset.prepare(path, SMALL)
    assert store.count == 18 and reasons(store) == {}


def test_a_size_that_is_not_true_unpacks_no_more_than_a_file_may_have(tmp_path, decoder):
    path = zipped(tmp_path / "liar.zip", {"a.bmp": bytes(40_000_000)}, 8)
    data = path.read_bytes()
    path.write_bytes(data.replace((40_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    jobs, report = intake.list_source(path)
    assert report[-1]["ok"], "the lie was not believed, so the test is of nothing"
    with zipfile.ZipFile(path) as made:
        assert made.infolist()[-1].file_size == 1000
    answer = decoder.ask(job(tmp_path, tmp_path / "rows", **jobs[-1]))
    assert answer["reason"] == "damaged or incomplete"
    assert peak(decoder.process) < 200e6


def test_entries_that_share_their_bytes_are_left_out(tmp_path):
    """A bomb that needs no ratio: a thousand names for the same megabytes."""
    path = zipped(tmp_path / "shared.zip", {"kernel.png": png(60)})
    with zipfile.ZipFile(path, "a") as made:
        kernel = made.getinfo("kernel.png")
        for index in range(1000):
            twin = zipfile.ZipInfo(f"twin-{index}.png")
            for name in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(twin, name, getattr(kernel, name))
            made.filelist.append(twin)
            made.NameToInfo[twin.filename] = twin
        made._didModify = True
    started = time.perf_counter()
    _, report = intake.list_source(path)
    assert time.perf_counter() - started < 1
    bad = [line for line in report if not line["ok"]]
    assert len(bad) == 1001 and all("shares its bytes" in line["reason"] for line in bad)


def test_a_zip_that_states_more_than_a_run_may_have_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GANART_MAX_GB", "0.003")
    pixels = np.random.default_rng(0).integers(0, 256, 1_000_000, np.uint8).tobytes()
    path = zipped(tmp_path / "large.zip", {f"{n}.bmp": pixels for n in range(4)})
    refused(path, r"“large.zip” holds more than 0\.003 GB of pictures")


def directory_entry(name: bytes) -> bytes:
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), *[0] * 4, 0, 0) + name


@pytest.mark.parametrize("kind", ["plain", "zip64", "untrue", "comment"])
def test_a_zip_of_a_million_entries_is_refused_before_they_are_read(tmp_path, kind):
    """Also where it states another number of them, or puts it into the records of large zips."""
    record = directory_entry(b"x")
    count = 1_000_000 if kind != "untrue" else 600_000
    directory = record * count
    stated = count if kind == "zip64" else 3
    size = len(directory)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(stated, 65535), min(stated, 65535), size, 0, 0)
    if kind == "comment":
        end = end[:-2] + struct.pack("<H", 300) + b"PK\5\7" + bytes(296)
    if kind == "zip64":
        large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, stated, stated, size, 0)
        end = large + struct.pack("<4sLQL", b"PK\6\7", 0, size, 1) + end[:12] + b"\xff" * 8 + b"\0\0"
    path = tmp_path / "endless.zip"
    path.write_bytes(directory + end)
    refused(path, r"More than 20,000 files were found\. Give a folder with fewer")


@pytest.mark.parametrize("kind", ["added to", "elsewhere", "in front"])
def test_a_large_zip_whose_record_is_not_where_it_says_is_refused(tmp_path, kind):
    """By its version zipfile looks behind the place, at the place, or in front of its end: it gets no choice."""
    count = 50_000
    directory = directory_entry(b"x") * count
    added = b"\1\0\4\0\0\0abcd" if kind == "added to" else b""
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44 + len(added), 45, 45, 0, 0, count, count, len(directory), 0)
    small = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 0, 0) if kind == "elsewhere" else b""
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 0, 0, 0)
    front = b"#!/bin/sh\n" if kind == "in front" else b""
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(directory), 1)
    path = tmp_path / "sly.zip"
    path.write_bytes(front + directory + large + added + small + locator + end)
    refused(path, "“sly.zip” is not a readable zip file")


@pytest.mark.parametrize("comment", [b"", b"words", b"PK\5\6 words"])
def test_honest_zips_with_a_comment_or_bytes_in_front_still_open(tmp_path, comment):
    path = zipped(tmp_path / "art.zip", {})
    with zipfile.ZipFile(path, "a") as made:
        made.comment = comment
    path.write_bytes(b"#!/bin/sh\nexit\n" * 10 + path.read_bytes())
    if comment.startswith(b"PK"):
        with pytest.raises(GanartError):  # zipfile itself cannot tell the end of such a file
            dataset.prepare(path, SMALL)
    else:
        assert dataset.prepare(path, SMALL).count == 8


@pytest.mark.parametrize("count", [300, pytest.param(3_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_mutated_zips_are_refused_or_read_and_stop_nothing(tmp_path, decoder, count):
    rng, out = random.Random(1), tmp_path / "rows"
    whole = {m: zipped(tmp_path / f"{m}.zip", {"x/y.jpg": png(9), "notes.txt": b"words"}, m) for m in (0, 8)}
    whole = [path.read_bytes() for path in whole.values()]
    with zipfile.ZipFile(io.BytesIO(whole[0])) as made:
        start = made.start_dir
    times, read = [], 0
    for number in range(count):
        path = tmp_path / f"m{number}.zip"
        data = whole[number % 2]
        path.write_bytes(data[:start] + mutant(data[start:], rng) if number % 4 == 0 else mutant(data, rng))
        started = time.perf_counter()
        try:
            jobs, report = intake.list_source(path)
        except DatasetError as error:
            assert "\n" not in str(error)
        else:
            read += 1
            for row, todo in enumerate(jobs):
                answer = decoder.ask(job(path, out, **todo)) if todo else report[row]
                assert answer["ok"] or answer["reason"].startswith((*KNOWN, *ZIP_REASONS)), answer
        times.append(time.perf_counter() - started)
        path.unlink()
    print(f"{count} zips: {read} read, p99 {1000 * share(times, 0.99):.0f} ms, worst {1000 * max(times):.0f} ms")
    assert read and max(times) < 2


ZIP_REASONS = (
    "its name",
    "the zip holds",
    "shares",
    "unpacks",
    "packed",
    "locked",
    "a link",
    "an archive",
    "larger than",
    "not a picture",
)


# --- several crops


def test_windows_are_inside_the_picture_and_no_smaller_than_the_training_size():
    for width, height in ((128, 128), (129, 700), (2000, 130), (5000, 3000)):
        found = decode.windows(width, height, 64, 4)
        assert len(found) == 4 and len(set(found)) == 4
        assert found[0] == decode.windows(width, height, 64, 1)[0]
        for left, top, side in found:
            assert 64 <= side <= min(width, height)
            assert left >= 0 and left + side <= width + 1e-6 and top >= 0 and top + side <= height + 1e-6
    assert len(decode.windows(127, 500, 64, 4)) == 1, "a picture that is not much larger gives one"


def test_crops_show_their_parts_of_the_picture():
    image = Image.new("RGB", (192, 192), (0, 255, 0))
    image.paste((255, 0, 0), (0, 0, 96, 96))
    image.paste((0, 0, 255), (96, 96, 192, 192))
    pixels, about = decode.prepare(encoded(image, "PNG"), 64, "centre", (0, 0, 0), 4)
    assert pixels.shape == (4, 64, 64, 3) and about["crops"] == 4
    assert (pixels[0] == decode.prepare(encoded(image, "PNG"), 64, "centre", (0, 0, 0))[0][0]).all()
    assert tuple(pixels[1, 10, 10]) == (255, 0, 0) and (pixels[1, :, :, 0] == 255).mean() > 0.5
    assert tuple(pixels[2, 50, 50]) == (0, 0, 255) and (pixels[2, :, :, 2] == 255).mean() > 0.5
    assert tuple(pixels[3, 10, 50]) == (0, 255, 0)


def test_pictures_and_crops_are_counted_and_lie_in_the_store(tmp_path):
    folder = many(tmp_path / "art", 6)
    for index in range(6, 10):
        (folder / f"{index:03}.png").write_bytes(png(index, width=90, height=70))
    store = dataset.prepare(folder, dataclasses.replace(SMALL, crops=3))
    assert (store.pictures, store.count, store.held_out) == (10, 6 + 4 * 3, 0)
    assert len(store.images()) == 18
    assert [entry["crops"] for entry in store.report] == [1] * 6 + [3] * 4
    expected = decode.prepare((folder / "007.png").read_bytes(), 32, "centre", (255, 255, 255), 3)[0]
    assert (store.images()[9:12] == expected).all()
    assert dataset.open_dataset(store.name) == store and "10 pictures are few" in store.warnings()[0]


def test_all_crops_of_a_picture_fall_on_one_side(tmp_path):
    folder = tmp_path / "art"
    folder.mkdir()
    for index in range(210):
        (folder / f"{index:03}.png").write_bytes(png(index, width=70, height=66 if index % 2 else 40))
    one = dataset.prepare(folder, SMALL)
    store = dataset.prepare(folder, dataclasses.replace(SMALL, crops=2))

    def outside(found: dataset.Dataset) -> list[str]:
        return [entry["file"] for entry in found.report if entry.get("held_out")]

    assert outside(store) == outside(one) and len(outside(store)) == one.held_out == 30
    large = sum(int(name[:3]) % 2 for name in outside(store))
    assert store.held_out == 30 + large and store.count == 210 + 105 and store.pictures == 210
    expected = [
        decode.prepare((folder / name).read_bytes(), 32, "centre", (255, 255, 255), 2)[0]
        for name in outside(store)
    ]
    assert (store.images()[-store.held_out :] == np.concatenate(expected)).all()


def test_one_crop_leaves_hash_and_manifest_as_they_were(tmp_path):
    store = dataset.prepare(many(tmp_path / "art"), SMALL)
    manifest = (store.folder / "manifest.json").read_text()
    assert "crops" not in manifest
    more = dataset.prepare(tmp_path / "art", dataclasses.replace(SMALL, crops=2))
    assert more.hash != store.hash and more.settings.crops == 2


@pytest.mark.parametrize("settings", [{"crops": 0}, {"crops": 5}, {"crops": True}, {"crops": 2, "crop": "fit"}])
def test_crops_that_cannot_be_are_refused(settings):
    with pytest.raises(InputError, match="crops"):
        IntakeConfig(**settings)


def test_the_command_line_counts_pictures_and_crops(tmp_path, ganart, refused):
    folder = many(tmp_path / "art")
    (folder / "large.png").write_bytes(png(30, width=80, height=80))
    answer = ganart("prepare", folder, "--size", 32, "--crops", 4, "--json").json()
    assert (answer["kept"], answer["crops"]) == (9, 12)
    assert "9 pictures, in 12 crops of 32 px" in ganart("prepare", folder, "--size", 32, "--crops", 4).out
    assert "crops" in refused("prepare", folder, "--crops", 9)
