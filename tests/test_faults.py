"""Everything that goes wrong around a training in a week: ends without a warning, full disks, two starts at once,
clocks that are set, disks that are closed to writing, odd paths. What was good stays, what happened is told."""

import ast
import contextlib
import dataclasses
import itertools
import json
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from test_uploads import announce, put
from waiting import until

from ganart import (
    card,
    checkpoint,
    config,
    dataset,
    export,
    graph,
    images,
    jobs,
    kept,
    launch,
    notes,
    pack,
    recipes,
    recovery,
    run,
    saving,
    share,
    train,
    training,
    unpack,
    uploads,
    workspace,
)
from ganart.config import IntakeConfig, TrainConfig
from ganart.errors import BusyError, GanartError, RunError
from ganart.files import write_json
from ganart.jobs import JobStatus
from ganart.models import Model
from ganart.notes import Kept
from ganart.run import Run, Status

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
posix = pytest.mark.skipif(os.name != "posix", reason="forks and limits of POSIX")


@pytest.fixture
def original(finished_workspaces) -> Path:
    """A workspace with a dataset and a short training that is done."""
    return finished_workspaces("first", kimg=0.16)


@pytest.fixture
def first(finished) -> Run:
    """The training of `original`, in a workspace of this test's own."""
    return finished("first", kimg=0.16)


@pytest.fixture
def plan(first) -> TrainConfig:
    """The settings of another such training."""
    return first.config()


def left_behind(folder: Path) -> list[str]:
    """Names of what only a process at work may have there."""
    marks = (".tmp-", ".preparing-", ".unpacking-", ".deleting-", ".part")
    found = [path for path in folder.rglob("*") if any(mark in path.name for mark in marks)]
    return [path.relative_to(folder).as_posix() for path in found]


# --- killed

FORKS = """
import os, sys, time
from pathlib import Path
from ganart import batches, train

draw = batches.draw
os.nice = lambda more: 0  # a kill every second, also on a busy machine
for line in sys.stdin:
    folder = line.strip()
    if not (child := os.fork()):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        told = os.open(Path(folder).with_name("steps"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)

        def noted(pictures, settings, step):
            os.write(told, f"{step} {time.monotonic()}\\n".encode())
            return draw(pictures, settings, step)

        batches.draw = noted
        sys.argv = ["train", folder]
        status = 70
        try:
            status = train.main()
        finally:
            os._exit(status)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Trainers:
    """Trainer processes that begin at once, forked where torch has been imported. Each notes beside its run folder
    when it drew the pictures of which step."""

    def __init__(self) -> None:
        environment = {**os.environ, **ENVIRONMENT}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", FORKS], env=environment, bufsize=0, **pipes)

    def start(self, target: Run) -> int:
        self.process.stdin.write(f"{target.folder}\n".encode())
        return int(self.process.stdout.readline())

    def ends(self, seconds: float) -> bool:
        """Whether the trainer ends by itself within so many seconds."""
        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def status(self) -> int:
        """The exit status, when there is one."""
        assert self.ends(240), "the trainer hangs"
        return int(self.process.stdout.readline())

    def kill(self, child: int) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        return self.status()


@pytest.fixture
def trainers() -> Iterator[Trainers]:
    trainers = Trainers()
    yield trainers
    trainers.process.kill()
    trainers.process.communicate()


def steps(target: Run) -> list[tuple[int, float]]:
    """The steps that the last trainer began, and when."""
    noted = target.folder.with_name("steps")
    lines = noted.read_text().splitlines() if noted.exists() else []
    return [(int(step), float(when)) for step, when in map(str.split, lines)]


def check_whole(target: Run) -> None:
    """Everything in a run folder can be read, whatever happened to its trainer: no file is half of anything."""
    for path in (target.state, target.state.with_name("state.safetensors.prev"), *target.states().values()):
        if path.exists():
            data = path.read_bytes()
            values = json.loads(card.header(data, path.name)[0]["ganart"])
            tensors = checkpoint.safetensors.torch.load(data)
            assert values["format"] == "ganart-state" and all(t.isfinite().all() for t in tensors.values())
    for path in (target.model, target.best, *target.checkpoints().values()):
        if path.exists():
            checkpoint.load_networks(path)
    for path in target.samples():
        assert images.read_png(path.read_bytes()).shape == (192, 192, 3)
    for name in ("config.json", "status.json", "control.json"):
        if (path := target.folder / name).exists():
            json.loads(path.read_text(encoding="utf-8"))


def same_weights(one: Run, other: Run) -> bool:
    (first, _), (second, _) = (checkpoint.load_state(target.state) for target in (one, other))
    hashes = {checkpoint.load_generator(target.model)[1].hash for target in (one, other)}
    equal = [bool((first[name] == second[name]).all()) for name in first]
    return first.keys() == second.keys() and all(equal) and len(hashes) == 1


def pull_the_plug(trainers: Trainers, settings: TrainConfig, kills: int) -> tuple[int, float]:
    """Kill a training so many times, at random moments and in the midst of writing; it must lose nothing that was
    saved -> the most (steps, seconds) of work that a kill cost beyond the interval between saves."""
    straight = launch.create(dataclasses.replace(settings, save_seconds=60.0), "straight")
    trainers.start(straight)
    assert trainers.status() == 0
    target = launch.create(settings, "killed")
    rng = random.Random(0)
    done, most_steps, most_seconds, writing = 0, 0, 0.0, 0
    while done < kills:
        interval = (0.0, 0.0, 0.1)[done % 3]
        values = json.loads((target.folder / "config.json").read_text(encoding="utf-8"))
        write_json(target.folder / "config.json", {**values, "save_seconds": interval})
        target.folder.with_name("steps").unlink(missing_ok=True)
        child = trainers.start(target)
        if done % 5 == 4:  # before, or in the midst of, its start
            trainers.ends(rng.uniform(0.0, 0.3))
        else:
            until(lambda: steps(target) or trainers.ends(0), 120)
            trainers.ends(rng.uniform(0.0, 0.1 + 2 * interval))
        if done % 2:  # while a file is being written
            until(lambda: left_behind(target.folder) or trainers.ends(0), 120)
        assert not trainers.ends(0), f"the training ended by itself after {done} kills"
        assert trainers.kill(child) == -signal.SIGKILL
        done += 1
        writing += bool(left_behind(target.folder))
        check_whole(target)
        if begun := steps(target):
            saved = checkpoint.load_state(target.state)[1]["step"]
            when = dict(begun)
            last, at = begun[-1]
            if interval == 0.0:
                most_steps = max(most_steps, last - saved)
            elif saved in when:
                most_seconds = max(most_seconds, at - when[saved] - interval)
    values = json.loads((target.folder / "config.json").read_text(encoding="utf-8"))
    write_json(target.folder / "config.json", {**values, "save_seconds": settings.save_seconds})
    trainers.start(target)
    assert trainers.status() == 0 and target.status().state == "done"
    lines = [line["step"] for line in target.metrics()]
    assert lines == sorted(set(lines)), "figures of repeated steps were left in the file"
    assert writing >= kills // 4, "hardly a kill came in the midst of writing"
    lost = f"{most_steps} steps, {most_seconds:.3f} s"
    print(f"{kills} kills, {writing} of them while a file was written; most lost beyond the interval: {lost}")
    assert same_weights(straight, target)
    return most_steps, most_seconds


@posix
@pytest.mark.timeout(600)
def test_killed_at_any_moment_it_loses_an_interval_at_most_and_ends_bit_for_bit_the_same(trainers, plan):
    most_steps, most_seconds = pull_the_plug(trainers, dataclasses.replace(plan, kimg=1.2), 5)
    assert most_steps == 0, "a save after every step, and yet a whole step was lost"
    assert most_seconds < 2.0


@posix
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_killed_two_hundred_times(trainers, plan):
    most_steps, most_seconds = pull_the_plug(trainers, dataclasses.replace(plan, kimg=48.0), 200)
    assert most_steps == 0 and most_seconds < 2.0


# --- full disks

ROOMY = re.compile("Make room on the disk|Choose another place")
Writer = tuple[Callable[[int], object], Callable[[], object]]


@contextlib.contextmanager
def limit(count: int, home: Path) -> Iterator[None]:
    """No file can have more bytes, as on a full disk; anybody may ask for that."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def filled(count: int, home: Path) -> Iterator[None]:
    """So many bytes are left on the disk, up to a page."""
    facts = os.statvfs(home)
    ballast = home / "ballast"
    with contextlib.suppress(OSError):  # who writes there meanwhile may have taken some of it
        ballast.write_bytes(bytes(max(0, facts.f_bavail * facts.f_frsize - count)))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A small disk, which only root can have."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def listing(folder: Path) -> dict[str, bytes]:
    """All files under a folder but locks and logs."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("ballast", "log.txt")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.suffix != ".lock"}


def frames(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (4, 64, 64, 1), np.uint8)


def a_state(first: Run, out: Path) -> Writer:
    def write(version: int) -> None:
        values = {"step": version, "choices": {}}
        checkpoint.save_state(first.state, {"weights": torch.full((10_000,), float(version))}, values)

    return write, lambda: checkpoint.load_state(first.state)[1]["step"]


def a_training(first: Run, out: Path) -> Writer:
    """All that a trainer saves at a checkpoint: state, model, kept state, generator, sheet, figures, status."""
    store = dataset.find(first.config().dataset, first.config().dataset_hash)
    kept_at = itertools.count(100)

    def write(version: int) -> None:
        at_work, settings = recovery.load_or_start(first, first.config())
        at_work.step = next(kept_at)
        G = training.sampling_generator(at_work, settings)
        saving.keep(at_work, settings, first, store, G, None)
        saving.write_sheet(at_work, settings, first, G)
        first.append_metrics({"step": at_work.step})

    def read() -> tuple:
        check_whole(first)
        return first.metrics(), len(first.states()), len(first.samples())

    return write, read


def a_best_without_links(first: Run, out: Path) -> Writer:
    sources = [first.folder.with_name(f"source-{version}") for version in range(3)]
    for version, source in enumerate(sources):
        source.write_bytes(bytes([version]) * 50_000)

    def refuse(*_: object) -> None:
        raise OSError("no links on this disk")

    def write(version: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "link", refuse)
            kept.share(sources[version], first.best)

    return write, lambda: first.best.read_bytes()


def a_status(first: Run, out: Path) -> Writer:
    note = "told at length. " * 40
    return lambda version: first.write_status(Status("done", version, note=note)), lambda: first.status().step


def figures(first: Run, out: Path) -> Writer:
    (first.folder / "metrics.jsonl").unlink()
    return lambda version: first.append_metrics({"step": version, "loss": [0.125] * 900}), first.metrics


def a_new_run(first: Run, out: Path) -> Writer:
    settings = dataclasses.replace(first.config(), initial="first")

    def read() -> tuple:
        return [item.id for item in run.list_runs()], listing(first.folder.parent)

    return lambda version: launch.create(settings, "new", first.model), read


def a_branch(first: Run, out: Path) -> Writer:
    return lambda version: launch.branch(first, None, {"kimg": 9.0}), lambda: listing(first.folder.parent)


def a_film(suffix: str) -> Callable[[Run, Path], Writer]:
    def make(first: Run, out: Path) -> Writer:
        path = out / f"film{suffix}"
        about = recipes.recipe("0" * 64, kind="film", film={})
        return lambda version: export.write_film(path, frames(version), 4, 25, about), path.read_bytes

    return make


def a_dataset(first: Run, out: Path) -> Writer:
    for index in range(9):
        images.to_pillow(frames(index)[0]).save(out / f"{index}.png")
    settings = IntakeConfig(size=64)
    return lambda version: dataset.prepare(out, settings), lambda: listing(workspace.folder("datasets"))


def a_pack(first: Run, out: Path) -> Writer:
    path = out / "first.ganart"
    return lambda version: pack.pack(first, path), lambda: (path.stat().st_ino, path.read_bytes())


def a_run_from_a_pack(first: Run, out: Path) -> Writer:
    packed = pack.pack(first, out / "first.ganart")
    return lambda version: unpack.unpack(packed), lambda: listing(workspace.home())


def a_model_to_give_away(first: Run, out: Path) -> Writer:
    model = Model(first.id, first.model, first)
    return lambda version: export.write(out / "m.safetensors", share.model_file(model)), lambda: listing(out)


def a_model_taken_in(first: Run, out: Path) -> Writer:
    return lambda version: checkpoint.take_in(first.model), lambda: listing(workspace.folder("models"))


def some_notes(first: Run, out: Path) -> Writer:
    line = tuple(str(seed) for seed in range(900))

    def write(version: int) -> None:
        notes.keep("0" * 64, Kept("12", f"Dawn {version}", pinned=True, line=line))

    return write, lambda: notes.places("0" * 64)


def an_upload(first: Run, out: Path) -> Writer:
    upload = uploads.begin()
    announce(upload, ("a/one.png", 30_000, 0))

    def write(version: int) -> None:
        answer = put(upload, 0, *[bytes([version]) * 10_000] * 3)
        if answer.status != 204:
            raise GanartError(answer.sentence())

    return write, lambda: listing(upload.folder)


def a_job(first: Run, out: Path) -> Writer:
    job = jobs.Job(workspace.folder("jobs") / "0")
    job.folder.mkdir()
    note = "told at length. " * 40
    return lambda version: job.write(JobStatus("done", version, 9, note)), job.status


WRITERS: dict[str, Callable[[Run, Path], Writer]] = {
    "state": a_state,
    "training": a_training,
    "best": a_best_without_links,
    "status": a_status,
    "figures": figures,
    "new run": a_new_run,
    "branch": a_branch,
    **{suffix: a_film(suffix) for suffix in export.KINDS},
    "dataset": a_dataset,
    "pack": a_pack,
    "unpack": a_run_from_a_pack,
    "export": a_model_to_give_away,
    "import": a_model_taken_in,
    "notes": some_notes,
    "upload": an_upload,
    "job": a_job,
}
NEW = ("new run", "branch", "dataset", "unpack", "export", "import", "upload")  # that have no older version


UNNAMED = re.compile(  # what is being made, has come by an upload, or grows by lines
    r"\.tmp-|/\.preparing-|/\.unpacking-|\.part$|/uploads/|/(metrics|vitals)\.jsonl$|/log\.txt$|\.lock$"
)
_listeners: list[list[str]] = []


def _hear(event: str, facts: tuple) -> None:
    if _listeners and event == "open" and isinstance(facts[0], str) and facts[2] & (os.O_WRONLY | os.O_RDWR):
        _listeners[-1].append(facts[0])


sys.addaudithook(_hear)  # stays until the process ends, and listens where it is asked to


@contextlib.contextmanager
def opened() -> Iterator[list[str]]:
    """The files that this process opens for writing."""
    _listeners.append([])
    try:
        yield _listeners[-1]
    finally:
        _listeners.pop()


def stored(places: tuple[Path, Path]) -> set[tuple[int, int]]:
    """Number and length of every file; what has several names counts once."""
    facts = [path.stat() for place in places for path in place.rglob("*") if path.is_file()]
    return {(fact.st_ino, fact.st_size) for fact in facts}


def take_away(folder: Path, before: dict[str, bytes], folders: set[Path]) -> None:
    """Delete what is new in a folder."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.suffix != ".lock" and str(path.relative_to(folder)) not in before:
            path.unlink()
        elif path.is_dir() and path not in folders and not any(path.iterdir()):
            path.rmdir()


def fill_up(name: str, full: Callable, first: Run, out: Path, offsets: int, exact: bool = True) -> None:
    """Let a writer run into a full disk at so many places of what it writes."""
    write, read = WRITERS[name](first, out)
    places = workspace.home(), out
    if name not in NEW:
        write(0)
    before, folders = [listing(place) for place in places], {path for place in places for path in place.rglob("*")}
    there = stored(places)
    write(1)  # once without harm, to see how much it writes
    sizes = [size for _, size in stored(places) - there]
    length = max(sizes) if full is limit else sum(sizes)
    if name in NEW:
        for place, files in zip(places, before, strict=True):
            take_away(place, files, folders)
    old = read()
    for offset in range(offsets):
        room = length * offset // offsets
        if name == "figures":  # a line of several that are there
            room //= 4
            if full is limit:
                room += (first.folder / "metrics.jsonl").stat().st_size
        with full(room, places[0]), pytest.raises(GanartError) as told:
            write(2)
        assert ROOMY.search(str(told.value)), told.value
        now = read()  # raises where something is half written
        assert now == old or not exact, f"with room for {room:,} of {length:,} bytes it is not as it was"
        assert not [left for place in places for left in left_behind(place)]
    with opened() as names:
        write(2)
    assert read() != old, "and when there is room it goes on"
    own = [name for name in names if any(Path(name).is_relative_to(place) for place in places)]
    assert not [name for name in own if not UNNAMED.search(name)], "written under its own name"


@pytest.fixture
def out(tmp_path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@posix
@pytest.mark.parametrize("name", WRITERS)
def test_at_ten_places_of_a_full_disk_the_old_is_kept_and_what_to_free_is_said(name, first, out):
    fill_up(name, limit, first, out, 10)


@pytest.mark.parametrize(
    "name",
    [
        *("training", "dataset", ".mp4"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in WRITERS if name != "upload"),  # wants 500 MB
    ],
)
def test_a_disk_that_is_really_full(name, original, disk, monkeypatch):
    monkeypatch.setenv("GANART_HOME", str(disk / "home"))
    shutil.copytree(original, disk / "home")
    (disk / "out").mkdir()
    fill_up(name, filled, run.find_run("first"), disk / "out", 3, exact=name != "training")


def test_a_training_on_a_full_disk_says_what_to_free_and_goes_on_when_there_is_room(
    original, disk, monkeypatch, request
):
    monkeypatch.setenv("GANART_HOME", str(disk / "home"))
    trainers = request.getfixturevalue("trainers")  # in the workspace that is named now
    shutil.copytree(original, disk / "home")
    settings = dataclasses.replace(run.find_run("first").config(), kimg=0.8)
    target = launch.create(settings, "second")
    trainers.start(target)
    until(lambda: steps(target), 240)
    with filled(20_000, disk / "home"):
        assert trainers.status() == 1
        status = target.status()
        assert status.state == "failed" and not left_behind(disk)
        assert status.error.startswith("The disk is full. The last saved state is kept. Make room on the disk: ")
        check_whole(target)
        with pytest.raises(GanartError, match="Make room on the disk"):
            launch.create(dataclasses.replace(settings, initial="first"), "third", run.find_run("first").model)
        assert [item.name for item in run.list_runs()] == ["second", "first"], "half a run was left behind"
    launch.make_ready(target)
    trainers.start(target)
    assert trainers.status() == 0
    straight = launch.create(settings, "straight")
    trainers.start(straight)
    assert trainers.status() == 0 and same_weights(straight, target)


# --- the order of things

STRAY = {"write_text", "write_bytes", "save", "savez", "copyfile", "copy2", "copytree", "open_memmap", "mkstemp"}
OWN = {  # what writes by other means than `files`: what has no name of its own yet, what came by an upload, logs
    "ganart.files": {"write_atomic", "append_line"},
    "ganart.dataset": {"_prepare_mnist", "_write_images"},
    "ganart.decoders": {"decode_all"},
    "ganart.decode": {"_answers", "answer"},
    "ganart.export": {"_write_zip"},
    "ganart.video": {"write"},
    "ganart.pack": {"pack", "_store_file"},
    "ganart.unpack": {"_extract"},
    "ganart.receive": {"_append"},
    "ganart.trial": {"measure"},
    "ganart.detached": {"start"},
    "ganart.train": {"work"},
}


def writes(call: ast.Call) -> bool:
    """Whether this call makes or changes a file under the name that it is given."""
    if not isinstance(call.func, ast.Attribute):
        return False
    words = [a.value for a in [*call.args, *(k.value for k in call.keywords)] if isinstance(a, ast.Constant)]
    if call.func.attr in ("open", "fdopen", "ZipFile"):
        return any(isinstance(word, str) and re.fullmatch("[rbt]*[wax+][bt+]*", word) for word in words)
    in_memory = ast.unparse(call).startswith("safetensors.torch.") or "(buffer," in ast.unparse(call)
    return call.func.attr in STRAY and not in_memory


def test_files_are_written_by_one_function_alone():
    found = {}
    for path in [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "ganart").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        calls = {f.name: [c for c in ast.walk(f) if isinstance(c, ast.Call) and writes(c)] for f in functions}
        if names := {name for name, some in calls.items() if some}:
            found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = names
    assert found == OWN


FLEETING = re.compile(r"/(status|control|index)\.json$|/samples/|/(metrics|vitals)\.jsonl$")  # made again


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a descriptor stands for")
@pytest.mark.parametrize("name", ["state", "training", "best", "new run", "branch", "import", "notes"])
def test_bytes_reach_the_disk_before_they_get_their_name_and_the_name_does_too(name, first, out, monkeypatch):
    write, _ = WRITERS[name](first, out)
    if name not in NEW:
        write(0)
    events: list[tuple[str, Path, bytes | None]] = []
    fsync, replace = os.fsync, os.replace

    def content(path: Path) -> bytes | None:
        return path.read_bytes() if path.is_file() else None

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append(("sync", path, content(path)))
        fsync(descriptor)

    def moved(source: Path, target: Path) -> None:
        second = Path(source).stat().st_nlink > 1  # another name for what is there
        events.append(("link" if second else "move", Path(target), content(Path(source))))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved)
    write(1)
    lasting = 0
    for index, (kind, path, data) in enumerate(events):
        if kind != "move" or FLEETING.search(str(path)):
            continue
        before = [other for other in events[:index] if other[0] == "sync" and other[2] == data]
        assert before, f"{path.name} got its name before its bytes were on the disk"
        after = [other for other in events[index:] if other[:2] == ("sync", path.parent)]
        assert after, f"{path.name} may be gone when the power fails"
        lasting += 1
    assert lasting


# --- two starts at once

STARTS = """
import json, sys
from pathlib import Path
from ganart import config, launch
from ganart.errors import GanartError
settings = config.train_from_dict(json.loads(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(launch.create(settings, sys.argv[2]).id, flush=True)
    except GanartError as error:
        print(error, flush=True)
"""


def busy(target: Run) -> str:
    return f"The run {target.id} is training on this processor already. Stop it first, or wait until it is done."


def test_of_starts_at_once_exactly_one_trains_and_the_others_are_told_which(first, plan):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    environment = {**os.environ, **ENVIRONMENT, "PYTHONUTF8": "1"}
    settings = json.dumps(config.to_dict(plan))
    starters = [
        subprocess.Popen([sys.executable, "-c", STARTS, settings, name], env=environment, **pipes)
        for name in "abc"
    ]
    try:
        assert [starter.stdout.readline() for starter in starters] == ["ready\n"] * 3
        for turn in range(10):
            for starter in starters:
                starter.stdin.write("go\n")
            tabs: list[str] = []

            def tab(told: list[str] = tabs) -> None:
                try:
                    told.append(launch.create(plan, "tab").id)
                except BusyError as error:
                    told.append(str(error))

            threads = [threading.Thread(target=tab) for _ in range(2)]
            for starter in starters:
                starter.stdin.flush()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            answers = [starter.stdout.readline().strip() for starter in starters] + tabs
            begun = [answer for answer in answers if re.fullmatch(r"\d{4}-\w+", answer)]
            assert len(begun) == 1, answers
            assert sorted(answers) == sorted([*begun, *[busy(run.find_run(begun[0]))] * 4])
            assert len(run.list_runs()) == turn + 2
            target = run.find_run(begun[0])
            target.write_status(Status("stopped"))
    finally:
        for starter in starters:
            starter.kill()
            starter.communicate()


def test_resumed_twice_at_once_it_starts_once(first):
    first.write_status(Status("stopped"))
    told = []

    def resume() -> None:
        try:
            launch.make_ready(first)
            told.append("ready")
        except RunError as error:
            told.append(str(error))

    threads = [threading.Thread(target=resume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [
        f"The run {first.id} is already at work (starting). Watch it, or stop it first."
    ] * 3 + ["ready"]


def test_two_commands_at_once_one_trains_and_one_says_which(first):
    command = [sys.executable, "-m", "ganart", "train", first.config().dataset, "--width", "4", "--kimg", "500"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    environment = {**os.environ, **ENVIRONMENT, "PYTHONUTF8": "1"}
    both = [subprocess.Popen([*command, "--name", name], env=environment, **pipes) for name in ("one", "two")]
    try:
        until(lambda: any(process.poll() is not None for process in both), 240)
        refused, training = sorted(both, key=lambda process: process.poll() is None)
        (target,) = [item for item in run.list_runs() if item != first]
        assert refused.returncode == 1
        assert refused.stderr.read().splitlines()[-1] == f"ganart: {busy(target)}"
        assert training.stdout.readline() == f"run {target.id}\n"
        until(lambda: target.status().step > 0, 240)
        training.send_signal(signal.SIGINT)
        assert training.wait(120) == 0 and target.status().state == "stopped"
    finally:
        for process in both:
            process.kill()
            process.communicate()


# --- crashed, stuck, and clocks that are set


def silent(target: Run, seconds: float, state: str = "running") -> None:
    """As if nothing had been heard of its trainer for so long."""
    status = Status(state, 10, heartbeat=time.time() - seconds, clock=time.monotonic() - seconds)
    write_json(target.folder / "status.json", dataclasses.asdict(status))


def test_the_list_tells_stuck_from_crashed(first, plan, ganart):
    second = launch.create(plan, "second")
    silent(first, 300)
    silent(second, 300)
    with first.lock():
        states = {item["id"]: item["state"] for item in ganart("list", "--json").json()["runs"]}
        assert states == {first.id: "stuck", second.id: "crashed"}
        lines = ganart("list").out.splitlines()
        assert re.fullmatch(rf"run +{first.id} +stuck .*", lines[1]) and "crashed" in lines[0]
    assert first.status().state == "crashed"


@pytest.mark.parametrize("hours", [-72.0, -1.0, 1.0, 72.0])
def test_whatever_the_wall_clock_is_set_to_a_run_is_what_it_was(first, monkeypatch, hours):
    real = time.time

    def at_this_hour() -> Run:
        monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)
        return first

    def as_before() -> None:
        monkeypatch.setattr(time, "time", real)

    first.write_status(Status("running", 10))
    with first.lock():
        assert at_this_hour().status().state == "running", "it was heard of a moment ago"
        as_before()
        silent(first, 300)
        status = at_this_hour().status()
        assert status.state == "stuck", "nothing was heard of it for five minutes"
        assert 290 < time.time() - status.heartbeat < 400, "and that is what is told"
        as_before()
    first.write_status(Status("starting"))
    assert at_this_hour().status().state == "starting", "it was started a moment ago"
    as_before()
    silent(first, 300, "starting")
    assert at_this_hour().status().state == "crashed", "it blocks the processor for ever"


def test_of_two_clocks_the_one_that_says_less_is_believed():
    """A computer that was started anew counts from nought; another computer counts otherwise."""
    assert 4 < Status(heartbeat=time.time() - 5, clock=time.monotonic() + 1e6).age < 30
    assert 4 < Status(heartbeat=time.time() - 5, clock=max(1.0, time.monotonic() - 1e4)).age < 30
    assert 290 < Status(heartbeat=time.time() - 300).age < 400, "of a status from before there were two"


def test_a_job_that_died_is_not_waited_for_because_the_clock_was_put_back(home):
    job = jobs.Job(workspace.folder("jobs") / "0")
    job.folder.mkdir()
    write_json(job.folder / "request.json", {"kind": "nothing"})
    job.write(JobStatus("running", 1, 9))
    later = time.time() + 7200
    os.utime(job.folder / "request.json", (later, later))
    assert job.status().state == "interrupted"


def test_a_training_whose_clock_is_set_goes_on_saves_and_tells_no_nonsense(first, plan, monkeypatch):
    real, ahead = time.time, [0.0]
    jumps = {20: 7200.0, 40: -5 * 86_400.0, 60: 365 * 86_400.0, 80: 0.0}
    plain, save, write = graph.stepper, train.save, Run.write_status
    told: list[Status] = []
    saved: list[int] = []

    def stepper(at_work, settings, dtype):
        step = plain(at_work, settings, dtype)

        def jumping(batch):
            ahead[0] = jumps.get(at_work.step, ahead[0])
            time.sleep(0.02)
            return step(batch)

        return jumping

    def noted_save(at_work, *rest):
        saved.append(at_work.step)
        save(at_work, *rest)

    def noted(self: Run, status: Status) -> None:
        write(self, status)
        told.append(self.status())

    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    monkeypatch.setattr(train.graph, "stepper", stepper)
    monkeypatch.setattr(train, "save", noted_save)
    monkeypatch.setattr(Run, "write_status", noted)
    target = launch.create(dataclasses.replace(plan, kimg=0.8, save_seconds=0.1), "jumping")
    assert train.work(target) == "done"
    for begin in (1, 21, 41, 61, 81):
        assert any(begin <= step < begin + 20 for step in saved), f"nothing saved from step {begin} on: {saved}"
    assert {status.state for status in told} <= {"starting", "running", "stopping", "done"}
    assert any(status.eta_seconds is not None for status in told)
    assert all((status.eta_seconds or 0) >= 0 and status.images_per_second >= 0 for status in told)
    assert all(status.age < 60 for status in told)


# --- what is no number


def test_a_training_that_is_no_number_from_the_start_says_so_and_saves_nothing(plan, monkeypatch):
    build = training.build

    def spoilt(*given: object) -> training.Training:
        made = build(*given)
        with torch.no_grad():
            made.G.dense.weight[0, 0] = float("nan")
        return made

    monkeypatch.setattr(recovery, "build", spoilt)
    target = launch.create(plan, "spoilt")
    with pytest.raises(RunError, match=r"before anything was saved.*Start a new run with another seed"):
        train.work(target)
    assert target.status().state == "failed" and "before anything was saved" in target.status().error
    assert not list(target.folder.rglob("*.safetensors"))


@pytest.mark.parametrize("where", ["weight", "statistics", "average", "moment", "painting"])
def test_nothing_that_is_no_number_gets_into_a_file(first, where):
    at_work, settings = recovery.load_or_start(first, first.config())
    store = dataset.find(settings.dataset, settings.dataset_hash)
    before = listing(first.folder)
    norm = next(module for module in at_work.G.modules() if isinstance(module, torch.nn.BatchNorm2d))
    with torch.no_grad():
        if where == "weight":
            at_work.D.convs[0].weight[0, 0, 0, 0] = float("inf")
        elif where == "statistics":
            norm.running_var[0] = float("nan")
        elif where == "average":
            at_work.G_ema.dense.weight[0, 0] = float("-inf")
        elif where == "moment":
            parameter = at_work.G.dense.weight
            at_work.opt_G.state[parameter]["exp_avg_sq"][0, 0] = float("inf")
        else:  # all numbers, but what it paints is not
            at_work.G_ema.dense.weight.fill_(3e38)
    with pytest.raises(saving.DivergedError):
        saving.save(at_work, settings, first, store)
    assert listing(first.folder) == before


def test_it_diverges_at_once_and_again_later_and_no_file_ever_shows_it(plan, monkeypatch):
    plain, times = graph.stepper, []

    def stepper(at_work, settings, dtype):
        step = plain(at_work, settings, dtype)

        def spoiling(batch):
            figures = step(batch)
            if at_work.step in (1, 50) and times.count(at_work.step) == 0:
                times.append(at_work.step)
                with torch.no_grad():
                    at_work.D.convs[0].weight[0, 0, 0, 0] = float("nan")
            check_whole(target)
            return figures

        return spoiling

    monkeypatch.setattr(train.graph, "stepper", stepper)
    target = launch.create(dataclasses.replace(plan, kimg=0.8, save_seconds=0.3), "twice")
    assert train.work(target) == "done" and times == [1, 50]
    assert checkpoint.load_state(target.state)[1]["history"]["rollbacks"] == 2
    assert "taken back" in target.status().note and "a quarter of its learning rate" in target.status().note
    check_whole(target)


# --- closed to writing


@pytest.fixture
def closed(original, disk, monkeypatch) -> Run:
    """`original` on a disk that is read-only."""
    home = disk / "home"
    shutil.copytree(original, home)
    monkeypatch.setenv("GANART_HOME", str(home))
    first = run.find_run("first")
    shutil.copy(first.model, workspace.folder("models") / "taken.safetensors")
    for kind in ("exports", "jobs", "notes", "locks", "uploads", "forecasts"):
        workspace.folder(kind)
    (home / "exports" / "film.gif").write_bytes(b"GIF89a")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return first


READING = [  # what writes nothing there
    "list",
    "list --json",
    "info first",
    "info taken",
    "disk",
    "stop first",
    "sample first --out OUT/sheet.png",
    "animate taken --seeds 1,2 --seconds 1 --fps 10 --scale 1 --out OUT/film.gif",
    "timelapse first --seconds 1 --fps 10 --scale 1 --out OUT/growth.gif",
    "export taken --out OUT/given.safetensors",
    "pack first --out OUT/first.ganart",
]
WRITING = [
    "prepare OUT --size 32",
    "train DATASET --width 4 --kimg 1",
    "resume first --kimg 9",
    "resume first --from 0",
    "forecast DATASET",
    "rename run first other",
    "rename dataset DATASET other",
    "rename model taken other",
    "rename export film.gif other",
    "delete run first --yes",
    "delete dataset DATASET --yes",
    "delete model taken --yes",
    "delete export film.gif --yes",
    "unpack OUT/other.ganart",
    "import OUT/other.safetensors",
    "evaluate taken DATASET",
    "sample first --out HOME/exports/sheet.png",
    *(
        f"animate taken --seeds 1,2 --seconds 1 --fps 10 --scale 1 --out HOME/exports/new{suffix}"
        for suffix in (".gif", ".mp4", ".zip")
    ),
    "pack first --out HOME/exports/first.ganart",
    "export taken --out HOME/exports/given.safetensors",
]


def test_on_a_disk_that_is_read_only_every_command_works_or_says_so_in_a_sentence(closed, out, ganart, original):
    for index in range(9):
        images.to_pillow(frames(index)[0]).save(out / f"{index}.png")
    shutil.copy(closed.model, out / "other.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(original))
        pack.pack(run.find_run("first"), out / "other.ganart")
    store = closed.config().dataset
    wrong = []

    def call(text: str) -> tuple[int, str, str]:
        words = text.replace("OUT", str(out)).replace("HOME", str(workspace.home())).replace("DATASET", store)
        try:
            answer = ganart(*words.split())
        except Exception as error:
            return -1, "", repr(error)
        return answer.status, answer.out, answer.err

    for text in READING:
        status, _, err = call(text)
        if status:
            wrong.append((text, status, err))
    for text in WRITING:
        status, _, err = call(text)
        sentence = re.fullmatch(r"ganart: .*\.\n", err.partition("ganart: ")[1] + err.partition("ganart: ")[2])
        if status not in (1, 2) or not sentence:
            wrong.append((text, status, err))
    assert not wrong, "\n".join(map(str, wrong))
    assert launch.stop(closed).state == "done"


@pytest.mark.parametrize("name", ["gallery", "train", "explore", "animate", "learn"])
def test_on_a_disk_that_is_read_only_every_page_comes(closed, name):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    if name != "gallery":
        at.switch_page(f"pages/{name}.py")
        at.run()
    if name == "train":
        at.query_params["run"] = closed.id
        at.run()
    assert not at.exception and len(at.title) == 1
    assert not [error.value for error in at.error if "program went wrong" in error.value]


# --- odd paths


def test_a_workspace_may_lie_under_any_name(tmp_path, monkeypatch, ganart):
    home = tmp_path / "Käthe’s 絵 pictures" / "work space"
    monkeypatch.setenv("GANART_HOME", str(home))
    folder = home.parent / "Bilder & 写真"
    folder.mkdir(parents=True)
    for index in range(9):
        images.to_pillow(frames(index)[0]).save(folder / f"Bild № {index} ü.png")
    shutil.make_archive(str(home.parent / "Archiv ö"), "zip", folder)
    made = ganart("prepare", folder, "--size", 32, "--json").json()
    assert made["kept"] == 9 and made["skipped"] == []
    assert ganart("prepare", home.parent / "Archiv ö.zip", "--size", 32, "--json").json()["kept"] == 9
    trained = ganart("train", made["name"], "--width", 4, "--batch", 8, "--kimg", 0.08, "--name", "first")
    assert trained.status == 0 and trained.out == "run 0001-first\ndone\n"
    longer = ganart("resume", "first", "--kimg", 0.16)
    assert longer.status == 0 and longer.out == "run 0002-first\ndone\n"
    for suffix in (".gif", ".mp4", ".webp", ".apng", ".zip", ".png"):
        film = home.parent / f"Schleife ∞{suffix}"
        options = ("--seeds", "1,2", "--seconds", 1, "--fps", 10, "--scale", 1)
        assert ganart("animate", "0002-first", *options, "--out", film).status == 0
        assert ganart("info", film, "--json").json()["kind"] == "export"
    packed = home.parent / "Lauf ß.ganart"
    assert ganart("pack", "0002-first", "--out", packed).status == 0
    assert ganart("unpack", packed).out == "run 0003-first\n"
    given = home.parent / "Modell ñ.safetensors"
    assert ganart("export", "0002-first", "--out", given).status == 0 and ganart("import", given).status == 0
    plain = {**os.environ, **ENVIRONMENT, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = subprocess.run([sys.executable, "-m", "ganart", "list", "--json"], env=plain, capture_output=True)
    assert told.returncode == 0 and [item["state"] for item in json.loads(told.stdout)["runs"]][1:] == ["done"] * 2
