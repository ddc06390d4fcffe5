"""Model files, training states and packed runs of people who mean no good: refused in words, quickly, without a
byte more memory than the file is worth."""

import ctypes
import json
import random
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from mutants import mutant, odd, share
from PIL import Image

from ganart import card, checkpoint, config, dataset, images, launch, pack, recovery, unpack, workspace
from ganart.config import IntakeConfig, NetworkConfig, TrainConfig
from ganart.errors import GanartError, ModelError
from ganart.networks import Discriminator, Generator
from ganart.run import Run, Status

COUNTS = [1_000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
NETWORKS = NetworkConfig(size=32, channels=3, z_dim=8, width=16)
linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux tells it")


def words(networks: NetworkConfig, dataset_name: str = "none", digest: str = "") -> dict:
    return {
        "name": "tiny",
        "networks": networks,
        "dataset": {"name": dataset_name, "hash": digest, "pictures": 8, "held_out": 0},
        "recipe": config.to_dict(TrainConfig(networks=networks)),
        "step": 10,
        "kimg": 0.1,
        "averaged": True,
        "about": "Words, and more of them.",
        "figures": {"swd": {"value": 1.0, "floor": 0.5, "n": 8}},
    }


def model(networks: NetworkConfig = NETWORKS, with_D: bool = True, half: bool = False) -> bytes:
    torch.manual_seed(0)
    D = Discriminator(networks) if with_D else None
    return checkpoint.model_bytes(Generator(networks).eval(), D, half=half, **words(networks))


def split(data: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header: object, weights: bytes) -> bytes:
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw + weights


def model_mutants(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """By turns: any bytes damaged, the header another, the card in it another, a weight another."""
    rng = random.Random(seed)
    header, weights = split(data)
    for number in range(count):
        kind = number % 4
        if kind == 0:
            yield mutant(data, rng)
        elif kind == 1:
            yield joined(odd(header, rng), weights)
        elif kind == 2:
            text = json.loads(header["__metadata__"]["ganart"])
            yield joined({**header, "__metadata__": {"ganart": json.dumps(odd(text, rng))}}, weights)
        else:
            yield joined(header, mutant(weights, rng))


class Peak:
    """How much more memory than before a block held at most, in bytes."""

    def __enter__(self) -> "Peak":
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        self.before = psutil.Process().memory_info().rss
        return self

    def __exit__(self, *_: object) -> None:
        status = Path("/proc/self/status").read_text()
        highest = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        self.bytes = 1024 * highest - self.before


def throw(make: Callable[[], Iterator[bytes]], path: Path, use: Callable[[Path], bool]) -> dict[str, float]:
    """Every mutant through `use`, which says whether the file was taken for whole. Whatever is raised must be a
    GanartError of one line. Returns figures."""
    times, taken = [], 0
    for data in make():
        path.write_bytes(data)
        started = time.perf_counter()
        try:
            taken += use(path)
        except GanartError as error:
            assert str(error).strip() and "\n" not in str(error) and len(str(error)) < 600
            assert str(path.parent) not in str(error)
        times.append(1000 * (time.perf_counter() - started))
    return {
        "mean": statistics.mean(times),
        "p99": share(times, 0.99),
        "worst": max(times),
        "taken": taken / len(times),
    }


def told(what: str, figures: dict[str, float]) -> None:
    print(f"{what}: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items()))


# --- models


@pytest.mark.parametrize("count", COUNTS)
def test_mutated_models_are_refused_in_words_and_within_milliseconds(tmp_path, count):
    whole = model()
    expected = checkpoint.tensors_hash(checkpoint._tensors_of(bytearray(whole), "whole")[0])

    def use(path: Path) -> bool:
        for look in (card.read_card, card.has_D):
            try:
                look(path)
            except GanartError:
                continue
        tensors, _ = checkpoint.load_tensors(path)
        assert checkpoint.tensors_hash(tensors) == expected, "other weights were taken for the model's"
        G, D, about = checkpoint.load_networks(path)
        assert about.networks == NETWORKS and G is not None and D is not None
        json.dumps(about.to_json()).encode()
        return True

    figures = throw(lambda: model_mutants(whole, count), tmp_path / "m.safetensors", use)
    told(f"{count} models", figures)
    assert figures["mean"] < 50 and figures["taken"] < 0.5


@linux
@pytest.mark.parametrize("count", [50, pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("half", [False, True])
def test_a_refused_model_takes_no_more_memory_than_twice_its_file(tmp_path, count, half):
    """In a process of its own: in this one, whatever other tests have left running would count, too."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        length, worst = process.submit(peak_of_refusals, tmp_path / "m.safetensors", count, half).result()
    print(f"a file of {length / 1e6:.1f} MB: at most {worst / 1e6:.1f} MB")
    assert worst < 2 * length


def peak_of_refusals(path: Path, count: int, half: bool) -> tuple[int, int]:
    """The length of a model's file, and the most memory that one of its mutants took before it was refused."""
    whole = model(NetworkConfig(size=64, channels=3, z_dim=64, width=32), half=half)
    path.write_bytes(whole)
    checkpoint.load_tensors(path)  # what the first use of the libraries takes is theirs
    worst = 0
    for data in model_mutants(whole, count, seed=1):
        path.write_bytes(data)
        with Peak() as peak:
            try:
                checkpoint.load_tensors(path)
            except ModelError:
                refused = True
            else:
                refused = False
        worst = max(worst, peak.bytes if refused else 0)
    return len(whole), worst


HUGE = {"size": 256, "channels": 3, "z_dim": 1024, "width": 256}


def with_card(data: bytes, **changes: object) -> bytes:
    header, weights = split(data)
    text = {**json.loads(header["__metadata__"]["ganart"]), **changes}
    return joined({**header, "__metadata__": {"ganart": json.dumps(text)}}, weights)


def hand_made() -> dict[str, bytes]:
    """Files that are right in all but one point, each of which a reader might believe."""
    whole = model()
    header, weights = split(whole)
    first = next(name for name in header if name != "__metadata__")
    raw = json.dumps(header).encode()
    twice = raw.rstrip()[:-1] + b", " + json.dumps({first: header[first]})[1:].encode()
    card_text = header["__metadata__"]["ganart"]
    empty = {f"x{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(10_000)}

    def changed(**values: object) -> bytes:
        return joined({**header, first: {**header[first], **values}}, weights)

    metadata = {
        "a-list": ["ganart"],
        "a-number": {"ganart": 5},
        "an-object": {"ganart": {"format": "ganart-model"}},
        "null": None,
        "twice-in-the-card": {"ganart": card_text[:-1] + ', "version": 2}'},
        "half-a-character": {"ganart": card_text.replace("tiny", "\\ud800")},
        "more": {"ganart": card_text, "other": 5},
    }
    return {
        "a-name-twice": len(twice).to_bytes(8, "little") + twice + weights,
        "ten-thousand-empty": joined({**header, **empty}, weights),
        "huge-networks": with_card(whole, networks={**json.loads(card_text)["networks"], **HUGE}),
        "deep": joined({"__metadata__": {"ganart": card_text}}, b"")[:8] + b"[" * 500_000,
        "nested-header": (400_000).to_bytes(8, "little") + b'{"a":' * 80_000 + weights,
        "float64": changed(dtype="F64"),
        "strange-type": changed(dtype="os.system"),
        "endless-shape": changed(shape=[2**62, 2**62]),
        "negative-shape": changed(shape=[-1, 8]),
        "offsets-outside": changed(data_offsets=[0, 2**60]),
        "offsets-backwards": changed(data_offsets=[64, 0]),
        "offsets-shared": joined(
            {**header, **{n: {**v, "data_offsets": [0, 128]} for n, v in header.items() if n != "__metadata__"}},
            weights,
        ),
        "a-tensor-that-is-a-list": joined({**header, first: [1, 2]}, weights),
        "no-offsets": joined({**header, first: {"dtype": "F32", "shape": [8]}}, weights),
        "a-step-without-end": with_card(whole, step=10**300),
        "not-a-number": with_card(whole, kimg=float("nan")),
        "infinite-figure": with_card(whole, figures={"swd": {"value": 1e999, "floor": 0, "n": 1}}),
        "a-name-of-numbers": with_card(whole, dataset={"name": [1], "hash": ""}),
        **{f"metadata-{n}": joined({**header, "__metadata__": m}, weights) for n, m in metadata.items()},
    }


@pytest.mark.parametrize("name", hand_made())
def test_what_is_right_in_all_but_one_point_is_refused_at_once(tmp_path, name):
    path = tmp_path / "m.safetensors"
    path.write_bytes(hand_made()[name])
    started = time.perf_counter()
    with pytest.raises(ModelError, match=r"m\.safetensors") as caught:
        checkpoint.load_networks(path)
    assert time.perf_counter() - started < 1
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_nothing_is_allocated_for_networks_that_the_file_does_not_hold(tmp_path, monkeypatch):
    """Sizes come from the meta device, so a card of the largest networks costs no memory."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(hand_made()["huge-networks"])
    monkeypatch.setattr(checkpoint.torch, "frombuffer", lambda *_, **__: pytest.fail("weights were looked at"))
    with pytest.raises(ModelError, match="do not fit"):
        checkpoint.load_networks(path)


def test_what_is_taken_in_is_what_was_checked(tmp_path, monkeypatch):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(whole := model())
    real = checkpoint._tensors_of

    def swapped(data: bytes, name: str) -> tuple:
        answer = real(data, name)
        path.write_bytes(b"something else by now")
        return answer

    monkeypatch.setattr(checkpoint, "_tensors_of", swapped)
    name = checkpoint.take_in(path)
    assert (workspace.folder("models") / f"{name}.safetensors").read_bytes() == whole


# --- training states


@pytest.mark.parametrize("count", COUNTS)
def test_mutated_states_are_refused_in_words_and_within_milliseconds(tmp_path, count):
    path = tmp_path / "state.safetensors"
    checkpoint.save_state(path, {"G.weight": torch.randn(64, 64)}, {"step": 5, "choices": {"threads": 1}})
    whole = path.read_bytes()
    header, weights = split(whole)

    def states() -> Iterator[bytes]:
        rng = random.Random(2)
        for number in range(count):
            if number % 2:
                yield mutant(whole, rng)
            else:
                text = json.dumps(odd(json.loads(header["__metadata__"]["ganart"]), rng))
                yield joined({**header, "__metadata__": {"ganart": text}}, weights)

    def use(path: Path) -> bool:
        tensors, values = checkpoint.load_state(path)
        assert isinstance(values, dict) and len(tensors) == 1
        return True

    figures = throw(states, path, use)
    told(f"{count} states", figures)
    assert figures["mean"] < 50


def test_a_training_goes_on_from_no_state_that_was_tampered_with(settings, tmp_path):
    """What a mutated state still says is held against the run's settings before anything is made of it."""
    run = launch.create(settings, "tiny")
    training = recovery.build(settings, {"threads": 1, "dtype": "float32", "pieces": 1})
    values = {"step": 5, "choices": training.choices, "history": {"rollbacks": 1, "collapsed": 3}}
    checkpoint.save_state(run.state, training.tensors(), values)
    header, weights = split(run.state.read_bytes())
    assert recovery.load_or_start(run, settings)[0].step == 5
    rng, refused = random.Random(4), 0
    for number in range(120):
        text = json.loads(header["__metadata__"]["ganart"])
        changed = dict(header)
        if number % 3:
            text = odd(text, rng)
        else:  # another name for a tensor, or the place of one for another
            first, second = rng.sample([name for name in header if name != "__metadata__"], 2)
            changed[first] = changed.pop(second) if number % 2 else {**header[first], "dtype": "I32"}
        changed["__metadata__"] = {"ganart": json.dumps(text)}
        run.state.write_bytes(joined(changed, weights))
        try:
            found, _ = recovery.load_or_start(run, settings)
        except GanartError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 400
        else:
            assert isinstance(found.step, int) and found.step >= 0
    assert refused > 50


# --- packed runs


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> bytes:
    """A small run with its pictures, packed in a workspace of its own."""
    place = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANART_HOME", str(place / "home"))
        (place / "art").mkdir()
        for index in range(8):
            pixels = np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(place / "art" / f"{index}.png")
        store = dataset.prepare(place / "art", IntakeConfig(size=32))
        networks = NetworkConfig(size=32, channels=3, z_dim=8, width=4)
        settings = TrainConfig(networks=networks, dataset=store.name, dataset_hash=store.hash, batch=8, kimg=0.1)
        run = launch.create(settings, "tiny")
        torch.manual_seed(0)
        run.model.write_bytes(
            checkpoint.model_bytes(Generator(networks).eval(), None, **words(networks, store.name, store.hash))
        )
        checkpoint.save_state(run.state, {"w": torch.ones(100)}, {"step": 10, "choices": {}})
        run.sample_path(10).write_bytes(images.encode(np.zeros((192, 192, 3), np.uint8)))
        run.append_metrics({"step": 10, "kimg": 0.08, "loss_D": 1.5})
        run.write_status(Status(state="done", step=10, kimg=0.1, total_kimg=0.1, device="cpu", dtype="float32"))
        return pack.pack(run, place / "tiny.ganart").read_bytes()


def zipped(entries: dict[str, bytes], path: Path) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path.read_bytes()


def pack_mutants(whole: bytes, count: int, scratch: Path) -> Iterator[bytes]:
    """By turns: any bytes of the zip damaged, its list of entries, one file in it, a JSON in it another."""
    rng = random.Random(3)
    scratch.write_bytes(whole)
    with zipfile.ZipFile(scratch) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
        start = archive.start_dir
    texts = [name for name in entries if name.endswith(".json")]
    for number in range(count):
        kind = number % 4
        if kind == 0:
            yield mutant(whole, rng)
        elif kind == 1:
            yield whole[:start] + mutant(whole[start:], rng)
        elif kind == 2:
            name = rng.choice(list(entries))
            yield zipped({**entries, name: mutant(entries[name], rng)}, scratch)
        else:
            name = rng.choice(texts)
            yield zipped({**entries, name: json.dumps(odd(json.loads(entries[name]), rng)).encode()}, scratch)


@pytest.mark.parametrize("count", COUNTS)
def test_mutated_packs_are_refused_in_words_and_leave_nothing_behind(tmp_path, packed, count):
    def use(path: Path) -> bool:
        try:
            found = unpack.unpack(path)
        except GanartError:
            assert not list(workspace.folder("runs").iterdir()), "something was left behind"
            assert not list(workspace.folder("datasets").iterdir()), "something was left behind"
            raise
        read_all(found)
        for kind in ("runs", "datasets"):
            for folder in workspace.folder(kind).iterdir():
                unpack.housekeeping.remove(folder)
        return True

    figures = throw(lambda: pack_mutants(packed, count, tmp_path / "scratch"), tmp_path / "tiny.ganart", use)
    told(f"{count} packs", figures)
    assert figures["mean"] < 50


def read_all(found: Run) -> None:
    """What the pages read of a run must read, whoever packed it."""
    found.config(), found.status(), found.metrics(), found.samples(), found.checkpoints(), found.states()
    for store in dataset.list_datasets():
        assert len(store.images()) == store.count and store.warnings() is not None and store.skipped is not None


@linux
def test_a_refused_pack_takes_no_more_memory_than_twice_its_file(tmp_path, packed):
    path, worst = tmp_path / "tiny.ganart", 0
    path.write_bytes(packed)
    unpack.unpack(path)
    for data in pack_mutants(packed, 100, tmp_path / "scratch"):
        path.write_bytes(data)
        with Peak() as peak:
            try:
                unpack.unpack(path)
            except GanartError:
                continue
        worst = max(worst, peak.bytes)
    print(f"a pack of {len(packed) / 1e6:.1f} MB: at most {worst / 1e6:.1f} MB")
    assert worst < 2 * len(packed) + 2_000_000


@linux
@pytest.mark.parametrize(
    ("entry", "data"),
    [
        ("run/metrics.jsonl", b'{"step":1,"kimg":1}\n' * 200_000),
        ("run/metrics.jsonl", b"0\n" * 4_000_000),
        ("run/metrics.jsonl", b"[[],[],[]" * 900_000),
        ("pack.json", b"[%b[]]" % (b"[]," * 2_500_000)),
        ("run/config.json", b"[%b[]]" % (b"[]," * 2_500_000)),
        ("dataset/manifest.json", b'{"files":[%b[]]}' % (b"[]," * 2_500_000)),
        ("dataset/manifest.json", b'{"files":[%b1]}' % (b"1," * 4_000_000)),
    ],
    ids=["lines", "numbers", "one line", "pack", "settings", "lists", "report"],
)
def test_a_pack_of_many_small_values_takes_no_more_memory_than_twice_its_file(tmp_path, packed, entry, data):
    path = tmp_path / "tiny.ganart"
    path.write_bytes(packed)
    unpack.unpack(path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    size = len(zipped({**entries, entry: data}, path))
    del entries
    with Peak() as peak:
        try:
            unpack.unpack(path).metrics()
        except GanartError as error:
            print(error)
    print(f"a pack of {size / 1e6:.1f} MB: {peak.bytes / 1e6:.1f} MB")
    assert peak.bytes < 2 * size
