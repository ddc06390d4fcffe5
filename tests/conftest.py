"""What all tests share: a workspace of their own, small real pictures, a tiny model."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

# Networks this small are not worth a second thread: not here, nor in the processes that tests start. And with
# several, sums round otherwise: a thread keeps the count that torch had when it first drew.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import drawn
import numpy as np
import pytest
import torch
from PIL import Image

from ganart import checkpoint, cli, dataset, detached, ema, launch, run, train
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.dataset import Dataset
from ganart.models import Model
from ganart.networks import Discriminator, Generator
from ganart.run import Run

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """An empty workspace."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("GANART_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def started(monkeypatch) -> list[subprocess.Popen]:
    """The processes that a test sets to work on its own; what is left of them ends with it."""
    processes, start = [], detached.start

    def remember(*arguments: object, **options: object) -> subprocess.Popen:
        processes.append(start(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(detached, "start", remember)
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def picture_folder(tmp_path):
    """Makes a folder of `count` different pictures."""

    def make(count: int, name: str = "pictures", **options: object) -> Path:
        return drawn.draw(tmp_path / name, count, **options)

    return make


@pytest.fixture
def tiny_model(tmp_path) -> Path:
    """An untrained model of 32 px in colour, as a file."""
    networks = NetworkConfig(size=32, channels=3, z_dim=8, width=4)
    torch.manual_seed(0)
    data = checkpoint.model_bytes(
        Generator(networks).eval(),
        Discriminator(networks),
        name="tiny",
        networks=networks,
        dataset={"name": "none", "hash": "", "pictures": 0, "held_out": 0},
        recipe={},
        step=0,
        kimg=0.0,
        averaged=False,
    )
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(data)
    return path


@pytest.fixture
def make_painter(home):
    """Puts models whose pictures differ widely, untrained as they are, into the workspace."""

    def make(
        name: str = "painter",
        seed: int = 0,
        size: int = 32,
        channels: int = 3,
        z_dim: int = 8,
        recipe: dict | None = None,
        overflowing: bool = False,
    ) -> Model:
        networks = NetworkConfig(size=size, channels=channels, z_dim=z_dim, width=4)
        torch.manual_seed(seed)
        G = ema.with_own_batchnorm(Generator(networks), [torch.randn(64, z_dim)])
        with torch.no_grad():
            G.layers[-2].weight.mul_(4)
            if overflowing:  # its weights are finite, and what it computes with them is not
                for weight in G.layers.parameters():
                    weight.fill_(1e38)
        data = checkpoint.model_bytes(
            G.eval(),
            None,
            name=name,
            networks=networks,
            dataset={"name": "none", "hash": "", "pictures": 0, "held_out": 0},
            recipe=recipe or {},
            step=0,
            kimg=0.0,
            averaged=True,
        )
        path = home / "models" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return Model(name, path)

    return make


@pytest.fixture
def data_folder() -> Path:
    """The folder of real pictures that GANART_DATA names."""
    if not os.environ.get("GANART_DATA"):
        pytest.skip("GANART_DATA is not set, so there are no real pictures to test on")
    return Path(os.environ["GANART_DATA"])


def small_store(folder: Path) -> Dataset:
    """Twenty small pictures, prepared; their files lie in `folder`."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for index in range(20):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{index}.png")
    return dataset.prepare(folder, IntakeConfig(size=32))


def small_training(store: Dataset) -> TrainConfig:
    """A training of fifty steps that takes a second, the same on every machine."""
    return TrainConfig(
        networks=NetworkConfig(size=32, channels=3, z_dim=8, width=4),
        dataset=store.name,
        dataset_hash=store.hash,
        batch=8,
        kimg=0.4,
        ema_half_life=0.2,
        device="cpu",
        dtype="float32",
        save_seconds=60.0,  # saving after every step takes three times as long as the steps
    )


@pytest.fixture
def store(tmp_path) -> Dataset:
    return small_store(tmp_path / "colours")


@pytest.fixture
def settings(store) -> TrainConfig:
    return small_training(store)


@pytest.fixture(scope="session")
def finished_workspaces(tmp_path_factory):
    """Makes workspaces in which a training is done, each once for all tests."""
    made: dict[str, Path] = {}

    def make(name: str, **changes: object) -> Path:
        key = f"{name} {changes}"
        if key not in made:
            place = tmp_path_factory.mktemp(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("GANART_HOME", str(place / "home"))
                settings = dataclasses.replace(small_training(small_store(place / "colours")), **changes)
                assert train.work(launch.create(settings, name)) == "done"
            made[key] = place / "home"
        return made[key]

    return make


@pytest.fixture
def finished(home, finished_workspaces):
    """Gives a small training that is done, in a workspace of this test's own."""

    def give(name: str, **changes: object) -> Run:
        shutil.copytree(finished_workspaces(name, **changes), home, dirs_exist_ok=True)
        return run.find_run(name)

    return give


# --- the command line


@dataclasses.dataclass
class Answer:
    """What a command left."""

    status: int
    out: str
    err: str

    def json(self) -> dict:
        """The one JSON object that is all of stdout."""
        assert self.status == 0 and self.out.count("\n") == 1, self.err
        return json.loads(self.out)


@pytest.fixture
def ganart(capsys):
    """Runs a command in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as leaving:  # how argparse ends
            status = leaving.code
        return Answer(status, *capsys.readouterr())

    yield call
    for number, handler in handlers.items():
        assert signal.getsignal(number) == handler, "a training left its handlers behind"


@pytest.fixture
def refused(ganart):
    """Runs a command that must fail with one line on stderr and nothing on stdout; returns the line."""

    def call(*arguments: object, status: int = 2) -> str:
        answer = ganart(*arguments)
        assert answer.status == status and answer.out == "", (answer.out, answer.err)
        assert answer.err.startswith("ganart: ") and answer.err.count("\n") == 1
        return answer.err

    return call
