"""Ten people at once: how long they wait, and whether the server grows. They come without browsers (`visitor.py`),
which would take all the processor for themselves."""

import os
import statistics
import threading
import time
from pathlib import Path

import drawn
import numpy as np
import psutil
import pytest
from serving import Server
from visitor import Visitor
from waiting import until

from ganart import dataset, launch, places, run
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.latent import sample_z
from ganart.run import Run

pytestmark = pytest.mark.skipif(
    not hasattr(psutil.Process, "num_fds"), reason="open files are counted on POSIX alone"
)

VISITORS = 10
WARM = 6  # rounds until all is there that comes once
FILLED = 3000  # polls after which what is kept up to a bound is full, and the heap has its final shape
POINT = "/paint/point?model=landscapes&at={at}&x={x:.4f}&y={y:.4f}"
HERE = places.write(sample_z([3], 128)[0])


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """The workspace of all tests here."""
    return tmp_path_factory.mktemp("workplace")


@pytest.fixture(autouse=True)
def home(workplace, monkeypatch) -> Path:
    monkeypatch.setenv("GANART_HOME", str(workplace))
    return workplace


@pytest.fixture(scope="module")
def training(workplace, tmp_path_factory) -> Run:
    """A training of small pictures that goes on until the last test here has ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(workplace))
        pictures = drawn.draw(tmp_path_factory.mktemp("pictures") / "colours", 20, (32, 32))
        store = dataset.prepare(pictures, IntakeConfig(size=32))
        settings = TrainConfig(
            networks=NetworkConfig(size=32, channels=3, z_dim=8, width=8),
            dataset=store.name,
            dataset_hash=store.hash,
            batch=8,
            kimg=100_000.0,
            device="cpu",
        )
        started = launch.launch(settings, "load")
        until(lambda: started.status().state == "running" and started.samples(), 120)
        yield started
        launch.stop(started)


@pytest.fixture(scope="module")
def server(training, workplace) -> Server:
    """The app beside the training."""
    server = Server(workplace)
    server.start()
    yield server
    server.end()


@pytest.fixture
def visitors(server, training) -> list[Visitor]:
    """Ten of them, on the page of the training."""
    made = [Visitor(server.url) for _ in range(VISITORS)]
    for visitor in made:
        visitor.open("train", run=training.id)
        visitor.server = psutil.Process(server.process.pid)
    yield made
    for visitor in made:
        visitor.close()


def trainer_of(target: Run) -> psutil.Process:
    """The process that trains."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(target.folder) in (process.info["cmdline"] or []) and "ganart.train" in process.info["cmdline"]
    ]
    return found


def keep_going(training: Run) -> None:
    """A painter of so few pictures collapses after some minutes, for which a run is paused, once."""
    if training.status().state == "paused":
        training.request("run")
    assert training.status().active


def point(visitor: Visitor, index: int) -> float:
    """A picture under a hand that moves -> how long it took, in seconds."""
    return visitor.get(POINT.format(at=HERE, x=(index * 0.37) % 2 - 1, y=(index * 0.61) % 2 - 1))


def ask_due(visitor: Visitor, second: int) -> None:
    """What a browser asks in this second of a visit: each part of the page whose time is up."""
    for fragment, every in list(visitor.timers.items()):
        if second % round(every) == 0:
            visitor.poll(fragment)


def quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100)[round(100 * share) - 1]


def told(seconds: list[float]) -> str:
    return f"median {1000 * statistics.median(seconds):.0f} ms, p95 {1000 * quantile(seconds, 0.95):.0f} ms"


def stay(visitor: Visitor, seconds: int, polls: list[float], pictures: list[float]) -> None:
    """Each part of the page asks when its time is up, as in a browser; meanwhile a hand moves now and then."""
    due = {fragment: visitor.opened + every for fragment, every in visitor.timers.items()}
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        fragment = min(due, key=due.get)
        if due[fragment] > now:
            pictures.append(point(visitor, len(pictures)))
            time.sleep(max(0.0, min(due[fragment], end) - time.monotonic()))
            continue
        polls.append(visitor.poll(fragment))
        due[fragment] = max(due[fragment] + visitor.timers.get(fragment, 1.0), now)


@pytest.mark.parametrize("seconds", [6, pytest.param(120, marks=pytest.mark.slow)])
def test_ten_who_watch_and_explore_at_once_do_not_wait(visitors, training, seconds):
    """At the best of three times: on a busy machine everybody waits."""
    waits = []
    while len(waits) < 3 and min(waits, default=1.0) >= 0.3:
        step, polls, pictures = training.status().step, [], []
        for index, visitor in enumerate(visitors):  # people do not come all in one moment
            visitor.opened = time.monotonic() + index / VISITORS
        people = [threading.Thread(target=stay, args=(visitor, seconds, polls, pictures)) for visitor in visitors]
        for person in people:
            person.start()
        for person in people:
            person.join()
        assert training.status().step > step
        assert len(polls) > 0.5 * VISITORS * seconds, "they did not come to ask"
        print(f"{len(polls)} reruns: {told(polls)}; {len(pictures)} pictures: {told(pictures)}")
        waits.append(quantile(polls, 0.95))
    assert min(waits) < 0.3


AN_HOUR = pytest.param(3600, marks=[pytest.mark.slow, pytest.mark.timeout(3 * 3600)])


@pytest.mark.parametrize("rounds", [8, AN_HOUR])
def test_the_server_does_not_grow_however_long_they_stay(visitors, training, rounds):
    """A round is a second of ten visitors, as fast as it goes; an hour of them are 3,600."""

    def stay_a_second(number: int) -> None:
        for index, visitor in enumerate(visitors):
            ask_due(visitor, number)
            if (number + index) % 5 == 0:
                point(visitor, number)
            if (number + index) % 60 == 59:  # somebody looks elsewhere, and comes back
                visitor.open(("explore", "animate")[number % 2], model="landscapes")
                visitor.open("train", run=training.id)

    process, trainer = visitors[0].server, trainer_of(training)
    for number in range(WARM):  # what is there once for all pages comes first
        stay_a_second(number)
    before, files, trained = process.memory_info().rss, process.num_fds(), trainer.memory_info().rss
    for number in range(WARM, WARM + rounds):
        stay_a_second(number)
        keep_going(training)
    grown = process.memory_info().rss - before
    print(f"{rounds * VISITORS:,} visits a second apart: {grown / 1e6:+.1f} MB on {before / 1e6:.0f} MB")
    assert grown < (25e6 if rounds > 1000 else 10e6)  # much of the first megabytes is only warming up
    assert process.num_fds() < files + 20
    assert trainer.memory_info().rss - trained < 10e6
    assert run.list_runs() == [training]


def an_hour(seconds: list[float], sizes: list[float]) -> float:
    """The slope of the sizes, an hour; by least squares."""
    return 3600 * float(np.polyfit(seconds, sizes, 1)[0])


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_hours_of_a_watched_training_take_no_more_memory(visitors, training):
    """One visitor who looks every second; GANART_SOAK_HOURS says for how long, the first tenth does not count.
    Before that polls come as fast as they are answered, until all is full that has a bound."""
    hours = float(os.environ.get("GANART_SOAK_HOURS", "2"))
    (visitor, *others), processes = visitors, {"server": visitors[0].server, "trainer": trainer_of(training)}
    for other in others:
        other.close()
    began, empty = time.monotonic(), processes["server"].memory_info().rss
    for number in range(FILLED):
        ask_due(visitor, number)
        keep_going(training)
    full = processes["server"].memory_info().rss
    print(f"{FILLED:,} polls in {time.monotonic() - began:.0f} s: {(full - empty) / 1e6:+.1f} MB")
    began, looks = time.monotonic(), []
    while (now := time.monotonic() - began) < 3600 * hours:
        keep_going(training)
        ask_due(visitor, round(now))
        if now > 360 * hours:
            looks.append((now, *((p.memory_info().rss / 1e6, p.num_fds()) for p in processes.values())))
        time.sleep(max(0.0, 1 - (time.monotonic() - began - now)))
    seconds, half, grows, opened = [look[0] for look in looks], len(looks) // 2, {}, {}
    for index, name in enumerate(processes, 1):
        sizes, files = zip(*(look[index] for look in looks), strict=True)
        grows[name], opened[name] = an_hour(seconds, sizes), max(files) - files[0]
        print(
            f"{name}: {grows[name]:+.2f} MB an hour on {sizes[0]:.0f} MB, in the second half "
            f"{an_hour(seconds[half:], sizes[half:]):+.2f}, {files[0]} to {files[-1]} files, {hours:g} h"
        )
    assert all(slope < 1.0 for slope in grows.values()), grows
    assert all(more < 10 for more in opened.values()), opened
