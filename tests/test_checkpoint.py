"""Model files and training states: exact when whole, refused in plain words when not."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch

from ganart import checkpoint, config
from ganart.card import MAX_HEADER, read_card
from ganart.config import NetworkConfig, TrainConfig
from ganart.errors import ModelError
from ganart.networks import Discriminator, Generator

NETWORKS = NetworkConfig(size=32, channels=3, z_dim=8, width=4)
ABOUT = {
    "name": "tiny",
    "networks": NETWORKS,
    "dataset": {"name": "Gemälde", "hash": "ab", "pictures": 12, "held_out": 0},
    "recipe": config.to_dict(TrainConfig(networks=NETWORKS)),
    "step": 123,
    "kimg": 7.872,
    "averaged": True,
}


@pytest.fixture
def G():
    """A generator of which every value, statistics too, is its own."""
    torch.manual_seed(1)
    G = Generator(NETWORKS)
    G(torch.randn(16, 8))  # moves the statistics
    return G.eval()


@pytest.fixture
def model(G, tmp_path) -> Path:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(checkpoint.model_bytes(G, Discriminator(NETWORKS), **ABOUT))
    return path


def split(path: Path) -> tuple[dict, bytes]:
    """A safetensors file -> its header, and the weights behind it."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(path: Path, header: object, weights: bytes, padding: int = 0) -> None:
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8 + padding)
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + weights)


def change_card(path: Path, **changes: object) -> None:
    """Write other words into the card of a model file; None takes a field out."""
    header, weights = split(path)
    card = json.loads(header["__metadata__"]["ganart"]) | changes
    card = {key: value for key, value in card.items() if value is not None}
    header["__metadata__"]["ganart"] = json.dumps(card)
    join(path, header, weights)


def save_as(path: Path, tensors: dict[str, torch.Tensor], **card: object) -> None:
    """A file whose hash is right for these tensors, whatever they are."""
    words = checkpoint.Card(hash=checkpoint.tensors_hash(tensors), **{**ABOUT, **card}).to_json()
    path.write_bytes(safetensors.torch.save(tensors, metadata={"ganart": words}))


def refused(path: Path, words: str) -> None:
    """The file is refused by name, in a sentence."""
    with pytest.raises(ModelError, match=words) as caught:
        checkpoint.load_generator(path)
    message = str(caught.value)
    assert path.name in message and message.endswith(".") and "\n" not in message
    assert str(path.parent) not in message


def test_a_model_comes_back_exactly(G, model):
    found, card = checkpoint.load_generator(model)
    for name, value in G.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(found.state_dict()[name], value), name
    z = torch.randn(4, 8)
    with torch.no_grad():
        assert torch.equal(found(z), G(z))
    assert not found.training and not any(p.requires_grad for p in found.parameters())
    assert {key: getattr(card, key) for key in ABOUT} == ABOUT


def test_D_travels_along_and_may_be_left_out(G, model):
    D = Discriminator(NETWORKS)
    model.write_bytes(checkpoint.model_bytes(G, D, **ABOUT))
    tensors, _ = checkpoint.load_tensors(model)
    again = Discriminator(NETWORKS)
    checkpoint.load_named(again, "D", tensors)
    assert all(torch.equal(a, b) for a, b in zip(D.parameters(), again.parameters(), strict=True))
    model.write_bytes(checkpoint.model_bytes(G, None, **ABOUT))
    tensors, _ = checkpoint.load_tensors(model)
    assert tensors and all(name.startswith("G.") for name in tensors)


@pytest.mark.parametrize("size", config.SIZES)
def test_a_model_of_every_size_comes_back(tmp_path, size):
    networks = dataclasses.replace(NETWORKS, size=size, channels=1)
    path = tmp_path / "m.safetensors"
    path.write_bytes(checkpoint.model_bytes(Generator(networks), None, **{**ABOUT, "networks": networks}))
    assert checkpoint.load_generator(path)[0].config == networks


def test_the_card_reads_without_the_weights(model):
    card = checkpoint.load_generator(model)[1]
    header, _ = split(model)
    join(model, header, b"")
    assert read_card(model) == card


def test_the_hash_is_of_the_weights_alone(G, model, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(checkpoint.model_bytes(G, None, **ABOUT))
    renamed = tmp_path / "renamed.safetensors"
    renamed.write_bytes(checkpoint.model_bytes(G, None, **{**ABOUT, "name": "else"}))
    assert read_card(other).hash == read_card(renamed).hash != read_card(model).hash
    tensors = checkpoint.named("G", G)
    assert checkpoint.tensors_hash(dict(reversed(tensors.items()))) == read_card(other).hash
    tensors["G.dense.weight"] = tensors["G.dense.weight"].clone()
    tensors["G.dense.weight"][0, 0] += 1e-6
    assert checkpoint.tensors_hash(tensors) != read_card(other).hash


def test_a_flipped_bit_anywhere_in_the_weights_is_found(model):
    data = model.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    for place in (start, (start + len(data)) // 2, len(data) - 4):
        damaged = bytearray(data)
        damaged[place] ^= 1
        model.write_bytes(damaged)
        refused(model, "is damaged")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(model, keep):
    data = model.read_bytes()
    model.write_bytes(data[: keep if keep > 1 else int(len(data) * keep)])
    refused(model, "is damaged or incomplete|is not a ganart model")


def test_bytes_added_at_the_end_are_refused(model):
    model.write_bytes(model.read_bytes() + b"more")
    refused(model, "is damaged or incomplete|is not a ganart model")


@pytest.mark.parametrize("data", [b"hello, this is no model" * 10, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(64)])
def test_another_kind_of_file_is_refused(tmp_path, data):
    path = tmp_path / "other.safetensors"
    path.write_bytes(data)
    refused(path, "not a ganart model")
    with pytest.raises(ModelError, match=r"other\.safetensors is not a ganart model"):
        read_card(path)


def test_models_of_other_programs_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    weights = {"x": torch.zeros(3)}
    for metadata in (None, {"format": "pt"}, {"ganart": "no json"}, {"ganart": '{"format": "ganart-state"}'}):
        path.write_bytes(safetensors.torch.save(weights, metadata=metadata))
        refused(path, "not a ganart model")
        with pytest.raises(ModelError, match="not a ganart model"):
            read_card(path)
    join(path, {"__metadata__": None}, b"")
    refused(path, "not a ganart model")
    with pytest.raises(ModelError, match="not a ganart model"):
        read_card(path)


def test_a_missing_file_is_refused(tmp_path):
    for path in (tmp_path / "no.safetensors", tmp_path):
        refused(path, "cannot be read")
        with pytest.raises(ModelError, match="cannot be read"):
            read_card(path)


def test_weights_of_another_shape_are_refused(G, model):
    wider = Generator(dataclasses.replace(NETWORKS, width=8))
    save_as(model, checkpoint.named("G", wider))
    refused(model, "do not fit the networks that its card names")
    save_as(model, checkpoint.named("G", G), networks=dataclasses.replace(NETWORKS, z_dim=9))
    refused(model, "do not fit")


def test_missing_surplus_and_foreign_weights_are_refused(G, model):
    tensors = checkpoint.named("G", G)
    save_as(model, {name: t for name, t in tensors.items() if name != "G.dense_norm.running_var"})
    refused(model, "do not fit")
    save_as(model, {**tensors, "G.extra": torch.zeros(1)})
    refused(model, "do not fit")
    save_as(model, {**tensors, "D.dense.bias": torch.zeros(1)})
    refused(model, "do not fit")
    save_as(model, {name: t.half() for name, t in tensors.items()})
    refused(model, "do not fit")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["G.dense.weight", "G.dense_norm.running_var"])
def test_weights_that_are_no_numbers_are_refused(G, model, name, value):
    tensors = checkpoint.named("G", G)
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[-1] = value
    save_as(model, tensors)
    refused(model, "not finite")


def test_unknown_words_in_the_card_are_refused(model):
    original = model.read_bytes()
    change_card(model, mood="good")
    refused(model, "card cannot be read")
    model.write_bytes(original)
    change_card(model, networks={**dataclasses.asdict(NETWORKS), "attention": True})
    refused(model, "attention")


def test_missing_words_in_the_card_are_refused(model):
    original = model.read_bytes()
    for field in ("format", "version", "networks", "hash", "step"):
        model.write_bytes(original)
        change_card(model, **{field: None})
        refused(model, "card cannot be read")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 5},
        {"dataset": "paintings"},
        {"dataset": {"pictures": "many"}},
        {"recipe": [1]},
        {"step": "many"},
        {"kimg": "much"},
        {"kimg": {}},
        {"about": ["words"]},
        {"figures": "good"},
        {"figures": {"swd": 5}},
        {"figures": {"swd": {"value": 1, "floor": 1}}},
        {"figures": {"swd": {"value": "low", "floor": 1, "n": 5}}},
        {"figures": {"swd": {"value": 1, "floor": 1, "n": 5, "more": 1}}},
    ],
    ids=str,
)
def test_words_of_the_wrong_kind_in_the_card_are_refused(model, changes):
    """The pages write them out as they are."""
    change_card(model, **changes)
    refused(model, "card")
    with pytest.raises(ModelError):
        read_card(model)


def test_networks_out_of_range_are_refused_before_they_are_built(model):
    changes = [{"width": 100_000}, {"z_dim": 10**9}, {"size": 4096}, {"d_dropout": 10**400}, {"d_dropout": 1e999}]
    original = model.read_bytes()
    for change in changes:
        model.write_bytes(original)
        change_card(model, networks={**dataclasses.asdict(NETWORKS), **change})
        refused(model, "cannot be used")


def test_a_newer_version_says_what_to_do(model):
    change_card(model, version=3, brand_new="field")
    refused(model, "has model version 3, and this ganart reads up to version 2. Update ganart")
    with pytest.raises(ModelError, match="Update ganart"):
        read_card(model)


def test_a_card_nested_without_end_is_refused(model):
    header, weights = split(model)
    header["__metadata__"]["ganart"] = "[" * 100_000
    join(model, header, weights)
    refused(model, "card cannot be read")


def test_a_header_over_the_cap_is_refused(model):
    header, weights = split(model)
    join(model, header, weights, padding=MAX_HEADER)
    with pytest.raises(ModelError, match="not a ganart model"):
        read_card(model)
    refused(model, "not a ganart model")


def test_a_header_that_claims_to_be_endless_is_not_read(model):
    for length in (2**40, 2**64 - 1):
        model.write_bytes(length.to_bytes(8, "little") + model.read_bytes()[8:])
        refused(model, "not a ganart model")
        with pytest.raises(ModelError, match="safetensors header"):
            read_card(model)


def test_a_file_larger_than_any_model_is_not_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(checkpoint.MAX_BYTES + 1)  # takes no room on the disk
    refused(path, "larger than 512 MB")


def test_no_file_runs_code(tmp_path):
    """A pickle by the name of a model is read as what it is not, and never opened."""
    path = tmp_path / "evil.safetensors"
    torch.save({"G.dense.weight": torch.zeros(3)}, path)
    refused(path, "not a ganart model")


# --- training states


def state(step: int) -> tuple[dict[str, torch.Tensor], dict]:
    torch.manual_seed(step)
    tensors = {
        "G.weight": torch.randn(3, 4),
        "steps": torch.tensor(step, dtype=torch.int64),
        "flags": torch.tensor([0, 255], dtype=torch.uint8),
        "half": torch.randn(5).bfloat16(),
        "nothing": torch.zeros(0, 3),
    }
    return tensors, {"step": step, "dtype": "float32", "best": 0.1 + 0.2}


def assert_state(path: Path, step: int) -> None:
    found, values = checkpoint.load_state(path)
    tensors, expected = state(step)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
    assert {key: values[key] for key in expected} == expected


@pytest.fixture
def saved(home) -> Path:
    """Two states saved one after the other, of step 1 and step 2."""
    path = home / "state.safetensors"
    for step in (1, 2):
        checkpoint.save_state(path, *state(step))
    return path


def test_a_state_comes_back_exactly(saved):
    assert_state(saved, 2)
    assert sorted(path.name for path in saved.parent.iterdir()) == ["state.safetensors", "state.safetensors.prev"]


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.99])
def test_a_damaged_state_gives_way_to_the_one_before(saved, keep):
    data = saved.read_bytes()
    saved.write_bytes(data[: keep if keep > 1 else int(len(data) * keep)])
    assert_state(saved, 1)


@pytest.mark.parametrize("data", [bytes(200), b"[]" * 50, (2).to_bytes(8, "little") + b"{}", b"\xff" * 100])
def test_a_state_that_is_none_gives_way_to_the_one_before(saved, data):
    saved.write_bytes(data)
    assert_state(saved, 1)


def test_a_missing_state_gives_way_to_the_one_before(saved):
    saved.unlink()
    assert_state(saved, 1)


def test_where_no_state_can_be_read_it_says_what_to_do(saved):
    for path in (saved, saved.with_name(saved.name + ".prev")):
        path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=re.escape("No readable state.safetensors") + " was found"):
        checkpoint.load_state(saved)


def test_a_state_of_a_newer_version_says_what_to_do(saved):
    """And does not quietly go on from the one before."""
    header, weights = split(saved)
    values = json.loads(header["__metadata__"]["ganart"])
    header["__metadata__"]["ganart"] = json.dumps({**values, "version": 2})
    join(saved, header, weights)
    with pytest.raises(ModelError, match=r"state version 2, and this ganart reads 1\. Update ganart"):
        checkpoint.load_state(saved)


def test_a_model_is_no_state(saved, model):
    saved.write_bytes(model.read_bytes())
    with pytest.raises(ModelError):
        checkpoint.load_state(saved)
