"""A run folder is all that pages, command line and trainer share, and it can be read at any moment."""

import dataclasses
import json
import os
import subprocess
import sys
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import pytest

from ganart import config, run
from ganart.config import TrainConfig
from ganart.errors import InputError, RunError
from ganart.files import write_json
from ganart.run import Run, Status


@pytest.fixture
def make(home):
    """Makes a run folder in the workspace, as the launcher does."""

    def make(name: str = "0001-van-gogh", settings: TrainConfig | None = None) -> Run:
        made = Run(home / "runs" / name)
        (made.folder / "samples").mkdir(parents=True)
        write_json(made.folder / "config.json", config.to_dict(settings or TrainConfig()))
        return made

    return make


@contextmanager
def trainer(of: Run):
    """A process that holds the run's lock, as a trainer does; killed at the end."""
    code = (
        "import sys, time, filelock\n"
        "lock = filelock.FileLock(sys.argv[1])\n"
        "lock.acquire()\n"
        "print('held', flush=True)\n"
        "time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(of.folder / "run.lock")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.kill()
        holder.communicate()


def aged(of: Run, state: str, seconds: float) -> None:
    """A status whose heartbeat is some seconds old."""
    write_json(of.folder / "status.json", dataclasses.asdict(Status(state=state, heartbeat=time.time() - seconds)))


def test_a_status_comes_back_as_it_was_written(make):
    target = make()
    status = Status("paused", 500, 32.0, 200.0, 111.5, 60.5, 0.0, "cpu", "float32", "")
    target.write_status(status)
    found = target.written_status()
    assert dataclasses.replace(found, heartbeat=0.0) == status
    assert abs(found.heartbeat - time.time()) < 10


@pytest.mark.parametrize("state", ["running", "paused", "stopping"])
def test_the_lock_decides_whether_a_run_is_alive(make, state):
    target = make()
    target.write_status(Status(state=state))
    with trainer(target):
        assert target.status().state == state and target.status().active
    assert target.status().state == "crashed" and not target.status().active
    assert target.written_status().state == state  # only the reader says crashed


def test_a_trainer_without_a_heartbeat_is_stuck(make):
    target = make()
    aged(target, "running", 61)
    with trainer(target):
        assert target.status().state == "stuck" and target.status().active
        aged(target, "running", 30)
        assert target.status().state == "running"


def test_a_start_is_given_a_minute(make):
    target = make()
    aged(target, "starting", 5)
    assert target.status().state == "starting" and target.status().active
    aged(target, "starting", 61)
    assert target.status().state == "crashed"


@pytest.mark.parametrize("state", ["done", "stopped", "failed"])
def test_an_ended_run_stays_as_it_ended(make, state):
    target = make()
    aged(target, state, 10_000)
    assert target.status().state == state and not target.status().active
    with trainer(target):
        assert target.status().state == state


def test_looking_at_a_run_does_not_hold_its_lock(make):
    target = make()
    target.write_status(Status(state="running"))
    target.status()
    with trainer(target):
        pass


def test_a_status_of_another_version_still_reads(make):
    target = make()
    write_json(target.folder / "status.json", {"state": "done", "step": 7, "mood": "good", "version": 9})
    assert (target.status().state, target.status().step) == ("done", 7)
    write_json(target.folder / "status.json", {"state": "done"})  # an older one, with less in it
    assert target.status() == Status(state="done")


@pytest.mark.parametrize("text", [None, "", '{"state": "run'])
def test_a_missing_or_torn_status_is_a_fresh_one(make, text):
    target = make()
    if text is not None:
        (target.folder / "status.json").write_text(text)
    assert target.written_status() == Status()


def test_progress_is_a_share():
    assert Status().progress == 0
    assert Status(kimg=50, total_kimg=200).progress == 0.25
    assert Status(kimg=200.1, total_kimg=200).progress == 1


def test_the_settings_come_back(make):
    settings = TrainConfig(dataset="x", batch=32, kimg=3.5)
    assert make(settings=settings).config() == settings


def test_a_run_without_settings_says_so(make):
    target = make()
    for damage in ("", "[]", "{"):
        (target.folder / "config.json").write_text(damage)
        with pytest.raises(RunError, match=r"0001-van-gogh has no readable config\.json"):
            target.config()
    (target.folder / "config.json").unlink()
    with pytest.raises(RunError, match=r"config\.json"):
        target.config()


def test_what_is_asked_of_the_trainer(make):
    target = make()
    assert target.requested() is None
    for request in ("pause", "stop", "run"):
        target.request(request)
        assert target.requested() == request
    with pytest.raises(ValueError, match="explode"):
        target.request("explode")
    assert target.requested() == "run"


@pytest.mark.parametrize("text", ["", "{", '{"request": "explode"}', '{"request": ["stop"]}', "[]"])
def test_a_request_that_makes_no_sense_is_none(make, text):
    target = make()
    (target.folder / "control.json").write_text(text)
    assert target.requested() is None


def test_figures_come_back_in_order(make):
    target = make()
    assert target.metrics() == []
    lines = [{"step": step, "loss_D": step / 3} for step in (1, 50, 100)]
    for line in lines:
        target.append_metrics(line)
    assert target.metrics() == lines


@pytest.mark.parametrize("at_once", [1, 7, 5000])
def test_of_very_many_figures_the_last_and_an_even_part_of_the_others_are_read(make, at_once):
    """However they came; and a branch has all of them."""
    target, written = make(), 0
    with (target.folder / "metrics.jsonl").open("ab", buffering=0) as file:
        while written < 5000:
            file.write(b"".join(b'{"step": %d}\n' % step for step in range(written, min(5000, written + at_once))))
            written += at_once
            if written % 490 < at_once:
                target.metrics()
    steps = [line["step"] for line in target.metrics()]
    older, newer = steps[:-300], steps[-300:]
    assert newer == list(range(4700, 5000)) and older[0] == 0
    assert older == list(range(0, 4700, older[1])) and 150 <= len(older) <= 300
    other = make("0002-other")
    other.write_history(target, 4000)
    assert len((other.folder / "metrics.jsonl").read_text().splitlines()) == 4001


def test_two_objects_in_one_line_are_none(make):
    target = make()
    (target.folder / "metrics.jsonl").write_bytes(b'{"step": 1}\n{"step": 2},{"a": 0}\n{"step": 3}\n')
    assert target.metrics() == [{"step": 1}, {"step": 3}]


def test_a_torn_last_line_of_figures_is_left_out(make):
    target = make()
    lines = [{"step": 1, "loss_D": 1.25}, {"step": 2, "loss_D": 1.5}]
    for line in lines:
        target.append_metrics(line)
    whole = (target.folder / "metrics.jsonl").read_bytes()
    for cut in range(1, len(json.dumps(lines[1])) + 1):
        (target.folder / "metrics.jsonl").write_bytes(whole[:-cut])
        assert target.metrics() == lines[:1], cut


def test_damaged_lines_of_figures_are_left_out_and_the_others_read(make):
    target = make()
    lines = [
        b'{"step": 10}',
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b'{"step":',
        b"7",
        b"[" * 50_000,
        b'{"step": 20}',
        b'{"st',
    ]
    (target.folder / "metrics.jsonl").write_bytes(b"\n".join(lines))
    assert target.metrics() == [{"step": 10}, {"step": 20}]


def test_a_file_of_figures_that_grows_takes_no_more_and_more_memory(make):
    """However often it was looked at meanwhile."""
    target = make()
    line = {f"figure_{index}": 0.0 for index in range(9)}
    tracemalloc.start()
    for step in range(2000):
        target.append_metrics({**line, "step": step})
        if step % 10 == 0:
            target.metrics()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 300 < len(target.metrics()) <= 600
    assert held < 600 * 1000


def test_figures_are_those_of_the_file_however_it_changes(make):
    target = make()
    path = target.folder / "metrics.jsonl"
    texts = [
        b"",
        b'{"a": 1}\n',
        b'{"a": 1}\n{"a": 2}\n{"a"',  # the last is being written
        b'{"a": 1}\n{"a": 2}\n{"a": 3}\n',
        b'{"a": 1}\n{"a": 2}\n',  # taken back
        b'{"a": 1}\n{"a": 5}\n{"a": 6}\n',  # another way on
        b'{"a": 1}\nnonsense\n[7]\n{"a": 5}\n{"a": 6}\n{"b": 7}\n',
        b"",
        b'{"a": 9}\n',
    ]
    for number, text in enumerate(texts):
        path.write_bytes(text)
        os.utime(path, ns=(number, number))
        lines = [line for line in text.split(b"\n")[:-1] if line.startswith(b"{")]
        assert target.metrics() == target.metrics() == [json.loads(line) for line in lines], text


def test_after_going_back_figures_can_be_added_to_a_torn_file(make):
    target = make()
    target.append_metrics({"step": 1})
    with (target.folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    target.rewind_to(1)
    target.append_metrics({"step": 2})
    assert target.metrics() == [{"step": 1}, {"step": 2}]


def test_going_back_forgets_what_came_after(make):
    target = make()
    for step in (0, 50, 100, 150):
        target.append_metrics({"step": step})
        target.sample_path(step).write_bytes(b"")
    target.rewind_to(100)
    assert [line["step"] for line in target.metrics()] == [0, 50, 100]
    assert [int(path.stem) for path in target.samples()] == [0, 50, 100]


def test_sheets_come_oldest_first_and_nothing_else_with_them(make):
    target = make()
    for step in (1000, 5, 99_999, 0):
        target.sample_path(step).write_bytes(b"")
    assert target.sample_path(5).name == "00000005.png"
    (target.folder / "samples" / "notes.png").write_bytes(b"")
    (target.folder / "samples" / "00000007.png.tmp-12").write_bytes(b"")
    assert [int(path.stem) for path in target.samples()] == [0, 5, 1000, 99_999]


def test_the_end_of_the_log(make):
    target = make()
    assert target.log_tail() == ""
    target.log.write_bytes(b"\xff broken\n" + b"".join(f"line {i}\n".encode() for i in range(50)))
    assert target.log_tail(2) == "line 48\nline 49"
    assert "broken" in target.log_tail(100)


# --- finding runs


def test_runs_are_listed_newest_first(make, home):
    assert run.list_runs() == []
    for name in ("0002-b", "9999-c", "10000-d", "0001-a"):
        make(name)
    (home / "runs" / "notes").mkdir()
    (home / "runs" / "0003-Upper").mkdir()
    assert [r.id for r in run.list_runs()] == ["10000-d", "9999-c", "0002-b", "0001-a"]


def test_a_run_is_found_by_id_name_and_path(make):
    first, second = make("0001-van-gogh"), make("0002-monet")
    assert (first.id, first.name) == ("0001-van-gogh", "van-gogh")
    assert run.find_run("van-gogh") == run.find_run("0001-van-gogh") == first
    assert run.find_run(str(second.folder)) == second


def test_a_run_elsewhere_is_found_by_its_path(make, tmp_path, monkeypatch):
    moved = make().folder.rename(tmp_path / "backup")
    assert run.find_run(str(moved)).config() == TrainConfig()
    monkeypatch.chdir(tmp_path)
    assert run.find_run("./backup").folder == Path(moved)


def test_a_name_that_two_runs_share_is_refused_with_both(make):
    make("0001-van-gogh")
    other = make("0002-van-gogh")
    with pytest.raises(InputError, match="several runs: 0001-van-gogh, 0002-van-gogh"):
        run.find_run("van-gogh")
    assert run.find_run("0002-van-gogh") == other


def test_a_run_that_is_not_there_is_refused(make, tmp_path):
    make()
    with pytest.raises(InputError, match="no run “monet”"):
        run.find_run("monet")
    with pytest.raises(InputError, match="not a run folder"):
        run.find_run(str(tmp_path))
