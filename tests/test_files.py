"""Files are the old version or the new one, whatever happens in between."""

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganart import files
from ganart.errors import GanartError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_and_nothing_is_left_beside_it(home, durable):
    path = home / "state"
    for data in (b"old", b"new"):
        files.write_atomic(path, data, durable=durable)
        assert path.read_bytes() == data
    assert names(home) == ["state"]


def test_the_version_before_stays_when_asked(home):
    path = home / "state"
    for data in (b"1", b"2", b"3"):
        files.write_atomic(path, data, keep_previous=True)
    assert path.read_bytes() == b"3" and (home / "state.prev").read_bytes() == b"2"
    assert names(home) == ["state", "state.prev"]


def test_the_version_before_stays_also_on_disks_without_hard_links(home, monkeypatch):
    def no_links(*_: object) -> None:
        raise OSError("not supported here")

    monkeypatch.setattr(os, "link", no_links)
    for data in (b"1", b"2", b"3"):
        files.write_atomic(home / "state", data, keep_previous=True)
    assert (home / "state.prev").read_bytes() == b"2"
    assert names(home) == ["state", "state.prev"]


def test_a_write_that_cannot_be_finished_leaves_the_old_file(home):
    resource = pytest.importorskip("resource")
    path = home / "state"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # stands in for a full disk
    try:
        with pytest.raises(OSError):
            files.write_atomic(path, bytes(5000), keep_previous=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old" and names(home) == ["state"]


def test_a_target_that_cannot_be_replaced_leaves_no_litter(home):
    (home / "state" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        files.write_atomic(home / "state", b"new")
    assert names(home) == ["state"]


def test_a_writer_killed_at_any_moment_leaves_whole_files(home):
    path = home / "state"
    size = 2_000_000
    code = (
        "import itertools, sys; from pathlib import Path; from ganart import files\n"
        f"for letter in itertools.cycle([b'a', b'b']):\n"
        f"    files.write_atomic(Path(sys.argv[1]), letter * {size}, keep_previous=True, durable=False)"
    )
    root = Path(__file__).parent.parent
    for pause in (0.05, 0.013, 0.031):
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=root)
        before = written(path)
        deadline = time.monotonic() + 30
        while written(path) == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.01 + pause)  # in the middle of a later version
        writer.kill()
        writer.wait()
        for kept in (path, path.with_name("state.prev")):
            assert kept.read_bytes() in (b"a" * size, b"b" * size)
    files.sweep_temporary(home, seconds=0)
    assert names(home) == ["state", "state.prev"]


def test_sweeping_takes_only_what_a_writer_left(home):
    for name in ("state", "state.prev", "state.tmp-123", "status.json.tmp-9", "state.tmp-123-prev", "my.tmp"):
        (home / name).write_bytes(b"")
    files.sweep_temporary(home)
    assert len(names(home)) == 6, "what was written just now may be in work"
    files.sweep_temporary(home, seconds=0)
    assert names(home) == ["my.tmp", "state", "state.prev"]


@pytest.mark.skipif(os.name != "posix", reason="folders are flushed on POSIX alone")
def test_a_disk_that_cannot_flush_folders_is_written_all_the_same_and_a_full_one_is_told(home, monkeypatch):
    fsync, number = os.fsync, errno.EINVAL

    def refusing(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    files.write_atomic(home / "state", b"1")
    assert (home / "state").read_bytes() == b"1" and names(home) == ["state"]
    number = errno.ENOSPC
    with pytest.raises(GanartError, match="room"):
        files.write_atomic(home / "state", b"2")


def test_json_comes_back_as_it_went(home):
    value = {"name": "Gemälde “1”", "list": [1, 2.5, None, True], "inner": {"a": {}}}
    files.write_json(home / "x.json", value)
    assert files.read_json(home / "x.json") == value
    assert "Gemälde" in (home / "x.json").read_text(encoding="utf-8")
    assert names(home) == ["x.json"]


@pytest.mark.parametrize("data", [b"", b'{"a": 1', b"[1, 2]", b"null", b"\xff\xfe{}", b"\0\0\0"])
def test_what_is_no_whole_json_object_reads_as_none(home, data):
    (home / "x.json").write_bytes(data)
    assert files.read_json(home / "x.json") is None


def test_a_missing_json_file_reads_as_none(home):
    assert files.read_json(home / "x.json") is None
    assert files.read_json(home) is None
