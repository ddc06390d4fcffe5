"""A model as one file to give away, and a training that starts from one."""

import dataclasses

import numpy as np
import pytest
import torch

from ganart import (
    card,
    checkpoint,
    config,
    latent,
    launch,
    models,
    presets,
    recovery,
    render,
    share,
    train,
    workspace,
)
from ganart.errors import InputError, ModelError
from ganart.models import Model


@pytest.fixture
def finished(settings, home):
    """A short run that is done."""
    made = launch.create(dataclasses.replace(settings, kimg=0.08), "tiny")
    assert train.work(made) == "done"
    return made


def weights(network) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_the_file_is_half_as_large_and_paints_the_same(finished, tmp_path):
    source = models.find_model("tiny")
    path = tmp_path / "given.safetensors"
    path.write_bytes(share.model_file(source, about="Colours.", figures={"swd": {"value": 1, "floor": 1, "n": 8}}))
    assert path.stat().st_size < 0.75 * source.path.stat().st_size  # small networks have large headers
    (before, _), (after, told) = (checkpoint.load_generator(some) for some in (source.path, path))
    z = latent.sample_z(list(range(8)), before.config.z_dim)
    apart = np.abs(render.pictures(before, z).astype(int) - render.pictures(after, z))
    assert apart.max() <= 3 and apart.mean() < 0.2
    assert (told.about, told.figures["swd"]["n"], told.name) == ("Colours.", 8, "tiny")
    assert card.has_D(path)


def test_what_was_taken_in_is_a_model_like_any_other(finished, tmp_path):
    path = tmp_path / "given-away.safetensors"
    path.write_bytes(share.model_file(models.find_model("tiny"), name="given"))
    assert checkpoint.take_in(path) == "given-away"
    assert models.find_model("given-away").card().name == "given"
    again = share.model_file(models.find_model("given-away"))
    assert again == path.read_bytes(), "given away again it is the same"


def test_statistics_stay_exact(finished, tmp_path):
    path = tmp_path / "given.safetensors"
    path.write_bytes(share.model_file(models.find_model("tiny")))
    before, _ = checkpoint.load_tensors(finished.model)
    after, _ = checkpoint.load_tensors(path)
    statistics = [name for name in before if "running_" in name]
    assert statistics and all(torch.equal(before[name], after[name]) for name in statistics)


def test_a_half_precision_statistic_is_refused(finished, tmp_path):
    import safetensors.torch

    path = tmp_path / "given.safetensors"
    path.write_bytes(share.model_file(models.find_model("tiny")))
    told = checkpoint.load_tensors(path)[1]
    tensors = safetensors.torch.load(path.read_bytes())
    name = next(name for name in tensors if "running_mean" in name)
    tensors[name] = tensors[name].half()
    told = dataclasses.replace(told, hash=checkpoint.tensors_hash(tensors))
    path.write_bytes(safetensors.torch.save(tensors, metadata={"ganart": told.to_json()}))
    with pytest.raises(ModelError, match="do not fit"):
        checkpoint.load_tensors(path)


# --- starting from one


def test_a_training_starts_from_the_networks_of_a_model(finished, settings):
    model = models.find_model("tiny")
    recipe = presets.going_on_from(model.card())
    assert recipe.initial == "tiny" and recipe.parent == "" and recipe.networks == settings.networks
    recipe = dataclasses.replace(
        recipe, kimg=0.08, dataset=settings.dataset, dataset_hash=settings.dataset_hash, seed=5
    )
    made = launch.create(recipe, "next", model.path)
    training, _ = recovery.load_or_start(made, recipe)
    G, D, _ = checkpoint.load_networks(model.path)
    for network, source in ((training.G, G), (training.D, D), (training.G_ema, G)):
        assert torch.equal(weights(network), weights(source))
        assert all(parameter.requires_grad for parameter in training.G.parameters())
    assert train.work(made) == "done"
    assert not torch.equal(weights(checkpoint.load_generator(made.model)[0]), weights(G))
    assert made.config().initial == "tiny"


def test_it_goes_on_bit_for_bit_without_the_model(finished, settings):
    """Once there is a state, the file it started from is not needed any more."""
    model = models.find_model("tiny")
    recipe = dataclasses.replace(
        presets.going_on_from(model.card()),
        kimg=0.16,
        dataset=settings.dataset,
        dataset_hash=settings.dataset_hash,
        dtype="float32",
        save_seconds=0.0,
    )
    whole = launch.create(recipe, "whole", model.path)
    assert train.work(whole) == "done"
    halves = launch.create(dataclasses.replace(recipe, kimg=0.08), "halves", model.path)
    assert train.work(halves) == "done"
    on = launch.branch(halves, None, {"kimg": 0.16})
    assert not on.initial.exists()
    launch.make_ready(on)
    assert train.work(on) == "done"
    one, other = (weights(checkpoint.load_generator(some.model)[0]) for some in (whole, on))
    assert torch.equal(one, other)


def test_a_model_without_its_D_or_with_other_networks_is_refused(finished, settings, tmp_path):
    G, _, told = checkpoint.load_networks(finished.model)
    words = {f.name: getattr(told, f.name) for f in dataclasses.fields(told) if f.name not in ("hash", "version")}
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(checkpoint.model_bytes(G, None, **words))
    assert not card.has_D(alone)
    recipe = dataclasses.replace(settings, initial="tiny")
    run = launch.create(recipe, "alone", alone)
    with pytest.raises(ModelError, match="came without its D"):
        recovery.load_or_start(run, recipe)
    wider = dataclasses.replace(recipe, networks=dataclasses.replace(recipe.networks, width=8))
    run.write_status(dataclasses.replace(run.written_status(), state="stopped"))
    run = launch.create(wider, "wider", finished.model)
    with pytest.raises(ModelError, match="cannot be trained on"):
        recovery.load_or_start(run, wider)


def test_a_card_whose_recipe_names_other_networks_is_refused(finished):
    told = Model("tiny", finished.model).card()
    other = dataclasses.replace(told.networks, width=32)
    with pytest.raises(InputError, match="two kinds of networks"):
        presets.going_on_from(dataclasses.replace(told, networks=other))
    with pytest.raises(InputError):
        presets.going_on_from(dataclasses.replace(told, recipe={"networks": config.to_dict(other), "lr": "fast"}))


def test_the_name_of_a_model_that_comes_with_the_program_is_taken(make_painter, home, tmp_path, monkeypatch):
    made = make_painter("mine")
    (tmp_path / "pretrained").mkdir()
    monkeypatch.setattr(workspace, "pretrained_folder", lambda: tmp_path / "pretrained")
    path = tmp_path / "dawn.safetensors"
    path.write_bytes(made.path.read_bytes())
    (tmp_path / "pretrained" / "dawn.safetensors").write_bytes(path.read_bytes())
    assert checkpoint.take_in(path) == "dawn" and not (home / "models" / "dawn.safetensors").exists(), "it is here"
    path.write_bytes(make_painter("other", seed=1).path.read_bytes())
    with pytest.raises(InputError, match="“dawn” is taken"):
        checkpoint.take_in(path)
