"""Work beside the pages: asked for, done in a process of its own, looked at, and let go."""

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import filelock
import psutil
import pytest
from waiting import until

from ganart import dataset, detached, evaluate, evaluation, images, jobs, models, work, workspace
from ganart.config import IntakeConfig
from ganart.errors import RunError
from ganart.files import read_json, write_json
from ganart.jobs import Job, JobStatus

ASKED = {"kind": "nothing", "number": 1}  # its process ends at once: there is no such kind


@pytest.fixture
def turn():
    """Held: no job gets its turn."""
    lock = filelock.FileLock(workspace.folder("locks") / "job.lock")
    with lock:
        yield lock


@pytest.fixture
def counting(tmp_path, monkeypatch) -> None:
    """A kind of work that counts to three; `work.do` does it in this process."""
    (tmp_path / "counting.py").write_text(
        "def work(request, folder, progress):\n"
        "    for done in range(1, 4):\n"
        "        progress(done, 3)\n"
        "    (folder / 'beside.txt').write_text('beside')\n"
        "    return {'counted': request['by'] * done}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(work.KINDS, "count", "counting")
    monkeypatch.delitem(sys.modules, "counting", raising=False)


def asked(request: dict, status: JobStatus | None = None, seconds: float = 0.0) -> Job:
    """The folder of a job without a process, as it was asked for some seconds ago."""
    job = jobs.find(request)
    job.folder.mkdir()
    write_json(job.folder / "request.json", request)
    job.write(status or JobStatus())
    aged(job, seconds)
    return job


def aged(job: Job, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(job.folder / "request.json", (then, then))


def taken(lock: Path) -> bool:
    """Whether somebody holds it."""
    try:
        with filelock.FileLock(lock).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


def at_work(job: Job) -> bool:
    return taken(job.folder / "job.lock")


# --- all of it


def test_a_model_is_measured_in_a_process_and_the_answer_is_kept(started, tiny_model, picture_folder):
    store = dataset.prepare(picture_folder(40), IntakeConfig(size=32))
    model = models.find_model(str(tiny_model))
    request = evaluation.request(model, model.card(), store)
    job, seen = jobs.begin(request), []
    assert job.status().active and job.request() == request
    assert jobs.begin(request) == job and len(started) == 1, "asked twice, done twice"
    result = jobs.wait(job, lambda done, total: seen.append((done, total)))
    assert job.status().state == "done" and job.result() == result
    figures = evaluation.figures(result["figures"])
    assert figures.keys() == evaluation.METRICS.keys()
    assert evaluation.known(model, model.card(), store) == (job, figures)
    assert seen == sorted(seen) and all(0 <= done <= total for done, total in seen)
    pairs = images.read_png((job.folder / "pairs.png").read_bytes())
    assert pairs.shape == (2 * 32, evaluate.PAIRS * 32, 3)
    started[0].wait(30)
    assert jobs.begin(request) == job and jobs.wait(job) == result and len(started) == 1


def test_work_that_fails_says_why_in_its_own_sentence(started, tiny_model, picture_folder):
    store = dataset.prepare(picture_folder(9), IntakeConfig(size=32))
    model = models.find_model(str(tiny_model))
    job = jobs.begin(evaluation.request(model, model.card(), store))
    with pytest.raises(RunError, match="has 9 pictures, and measuring needs 32 or more"):
        jobs.wait(job)
    assert job.status().state == "failed" and job.result() is None
    assert evaluation.known(model, model.card(), store) is None


def test_a_bug_is_told_with_where_its_details_are_and_the_job_can_be_begun_again(started):
    job = jobs.begin(ASKED)
    with pytest.raises(RunError) as failure:
        jobs.wait(job)
    log = job.folder / "log.txt"
    assert f"jobs/{log.parent.name}/log.txt" in str(failure.value) and "KeyError: 'nothing'" in log.read_text()
    assert jobs.begin(ASKED) == job and job.status().active and len(started) == 2
    until(lambda: not job.status().active)
    assert job.status().state == "failed" and log.read_text().count("Traceback") == 1, "of the last attempt alone"


# --- which job it is


def test_the_same_request_is_the_same_job_in_whatever_order_it_is_written(home):
    one, other = jobs.find({"kind": "a", "b": 1}), jobs.find({"b": 1, "kind": "a"})
    assert one == other and one.folder.parent == home / "jobs"
    assert jobs.find({"kind": "a", "b": 2}) != one
    assert not one.folder.exists(), "to look for a job is not to ask for it"


def test_a_job_that_nobody_asked_for_has_no_status_and_no_result():
    job = jobs.find(ASKED)
    assert job.status() is None and job.result() is None and job.request() == {}
    with pytest.raises(RunError):
        jobs.wait(job)


def test_jobs_wait_for_their_turn_and_each_is_begun_once(started, turn):
    one, other = jobs.begin(ASKED), jobs.begin({**ASKED, "number": 2})
    assert one != other and len(started) == 2
    until(lambda: at_work(one) and at_work(other))
    time.sleep(1.2)  # more than one look at the turn
    for job in (one, other):
        aged(job, 3600)
        assert job.status() == JobStatus("waiting") and jobs.begin(job.request()) == job
    assert len(started) == 2
    turn.release()
    for job in (one, other):
        with pytest.raises(RunError, match="It failed"):
            jobs.wait(job)


# --- what a status says


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_a_job_just_asked_for_is_under_way_before_its_process_has_its_lock(state):
    job = asked(ASKED, JobStatus(state, 2, 9))
    assert job.status() == JobStatus(state, 2, 9) and job.status().active
    aged(job, jobs.STARTING_SECONDS + 5)
    status = job.status()
    assert status == JobStatus("interrupted", 2, 9, "It was interrupted.") and not status.active
    assert read_json(job.folder / "status.json")["state"] == state, "only the reader says so"
    with pytest.raises(RunError, match="It was interrupted"):
        jobs.wait(job)


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_job_that_has_ended_needs_no_process(state):
    job = asked(ASKED, JobStatus(state, error="why"), seconds=3600)
    assert job.status() == JobStatus(state, error="why") and not job.status().active


def test_a_job_that_ends_between_two_looks_is_not_interrupted(monkeypatch):
    job = asked(ASKED, JobStatus("running"), seconds=3600)

    def alive(self: Job) -> bool:
        self.write(JobStatus("done"))
        return False

    monkeypatch.setattr(Job, "_alive", alive)
    assert job.status() == JobStatus("done")


def test_a_half_written_status_is_no_status():
    job = asked(ASKED)
    (job.folder / "status.json").write_text('{"state": "run')
    assert job.status() is None


# --- ends before its time


def test_a_killed_process_is_interrupted_and_its_work_can_be_begun_again(started, turn):
    job = jobs.begin(ASKED)
    until(lambda: at_work(job))
    (job.folder / "half.bin").write_bytes(b"half")
    aged(job, 3600)
    assert job.status().active
    started[0].kill()
    started[0].wait()
    assert job.status().state == "interrupted"
    assert jobs.begin(ASKED) == job and len(started) == 2
    assert job.status().state == "waiting" and job.request() == ASKED
    assert not (job.folder / "half.bin").exists(), "of the first attempt something is left"
    turn.release()
    with pytest.raises(RunError, match="It failed"):
        jobs.wait(job)


def test_a_cancelled_job_ends_while_it_waits_for_its_turn(started, turn):
    job = jobs.begin(ASKED)
    until(lambda: at_work(job))
    jobs.cancel(job)
    assert started[0].wait(30) == 0
    assert job.cancelled() and job.status() == JobStatus("failed", error="The work was cancelled.")
    with pytest.raises(RunError, match=r"The work was cancelled\."):
        jobs.wait(job)
    jobs.cancel(job)  # twice is no error
    assert jobs.begin(ASKED) == job and job.status().active and not job.cancelled() and len(started) == 2


def test_a_job_that_is_asked_for_again_while_it_is_let_go_is_done(started, turn):
    """Somebody changes their mind before the process has looked."""
    job = jobs.begin(ASKED)
    until(lambda: at_work(job))
    jobs.cancel(job)
    assert jobs.begin(ASKED) == job
    turn.release()
    with pytest.raises(RunError) as failure:
        jobs.wait(job)
    assert "cancelled" not in str(failure.value), "it was not even tried"


def test_a_job_that_does_not_let_go_holds_nobody_up(started, turn, monkeypatch):
    """One that writes a long film looks only when that is done."""
    monkeypatch.setattr(jobs, "LETTING_GO_SECONDS", 1.5)
    job = jobs.begin(ASKED)
    until(lambda: at_work(job))
    psutil.Process(started[0].pid).suspend()
    jobs.cancel(job)
    failures = []

    def again() -> None:
        try:
            jobs.begin(ASKED)
        except RunError as error:
            failures.append(str(error))

    waiting = threading.Thread(target=again)
    waiting.start()
    time.sleep(0.3)
    began = time.monotonic()
    other = jobs.begin({"kind": "nothing", "number": 2})
    assert time.monotonic() - began < 1 and other != job and waiting.is_alive()
    waiting.join()
    assert len(failures) == 1 and failures[0].startswith("What was called off is still coming to its end.")
    assert len(started) == 2


def test_a_job_that_is_done_stays_done_when_it_is_cancelled(started):
    job = asked(ASKED, JobStatus("done"))
    write_json(job.folder / "result.json", {"answer": 42})
    jobs.cancel(job)
    assert job.status().state == "done" and jobs.wait(job) == {"answer": 42}


# --- the process itself


def test_the_result_is_what_the_kind_of_work_returns(counting, monkeypatch):
    written, turns, write = [], [], Job.write
    turn = workspace.folder("locks") / "job.lock"

    def look(self: Job, status: JobStatus) -> None:
        written.append(status)
        turns.append(taken(turn))
        write(self, status)

    monkeypatch.setattr(Job, "write", look)
    job = asked({"kind": "count", "by": 5})
    written.clear()
    turns.clear()
    work.do(job)
    assert job.result() == {"counted": 15} and (job.folder / "beside.txt").read_text() == "beside"
    assert written == [JobStatus("running", done, total) for done, total in [(0, 0), (1, 3), (2, 3), (3, 3)]]
    assert turns == [True] * 4 and not taken(turn), "nobody else is at work meanwhile, and then may be"


def test_work_that_nobody_wants_any_more_ends_at_its_next_look(counting, monkeypatch):
    job = asked({"kind": "count", "by": 5})
    write = Job.write

    def write_and_cancel(self: Job, status: JobStatus) -> None:
        write(self, status)
        if status.done == 2:
            jobs.cancel(self)

    monkeypatch.setattr(Job, "write", write_and_cancel)
    with pytest.raises(work.CancelledError, match="The work was cancelled"):
        work.do(job)
    assert job.result() is None and not (job.folder / "beside.txt").exists()
    assert read_json(job.folder / "status.json")["done"] == 2


def test_the_process_uses_one_core_and_the_workspace_of_who_asked(monkeypatch, home):
    options, start = {}, subprocess.Popen

    def look(*arguments: object, **given: object) -> subprocess.Popen:
        options.update(given)
        return start(*arguments, **given)

    monkeypatch.setattr(detached.subprocess, "Popen", look)
    job = jobs.begin(ASKED)
    until(lambda: not job.status().active)
    assert options["env"]["OMP_NUM_THREADS"] == "1" and Path(options["env"]["GANART_HOME"]) == home.resolve()


def test_of_many_answers_the_oldest_go_and_no_job_at_work(started, turn):
    done = [asked({"kind": "nothing", "number": number}, JobStatus("done")) for number in range(5)]
    for age, job in enumerate(done):
        os.utime(job.folder / "status.json", (1000 - age, 1000 - age))
    waiting = jobs.begin(ASKED | {"number": -1})
    os.utime(waiting.folder / "status.json", (0, 0))
    jobs.forget_oldest(2)
    assert [job.status() is not None for job in (waiting, *done)] == [True, True, True, False, False, False]
    jobs.cancel(waiting)


def test_all_kinds_of_work_are_there():
    for module in work.KINDS.values():
        assert callable(__import__(module, fromlist=["work"]).work)


def test_a_status_is_json_that_comes_back_as_it_was(home):
    job = asked(ASKED, JobStatus("failed", 1, 2, "“Zoë” is gone."))
    assert json.loads((job.folder / "status.json").read_text(encoding="utf-8")) == dataclasses.asdict(job.status())
