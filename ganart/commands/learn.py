"""Starting, resuming and stopping a training."""

import argparse
import dataclasses
import os
import sys

from ganart import config, dataset, detached, launch, presets, run, workspace
from ganart.commands.prepare import open_with_size, prepare_for, prepare_with_bar
from ganart.config import IntakeConfig
from ganart.errors import InputError, ModelError
from ganart.models import Model


def train_config(options: argparse.Namespace) -> tuple[config.TrainConfig, str]:
    """The settings of a run as asked for on the command line, and its name; prepares the dataset if needed."""
    from ganart import devices

    device = devices.pick(options.device)
    chosen_preset = None if options.preset is None else presets.preset(options.preset)
    if options.model is not None:
        if options.preset or options.width:
            raise InputError(
                "--from takes the networks and the recipe of its model. Leave out --preset and --width."
            )
        chosen_preset = presets.going_on_from(_trainable(options.model).card())
        if options.size not in (None, chosen_preset.networks.size):
            raise InputError(
                f"The model {options.model} paints {chosen_preset.networks.size} px pictures, but --size "
                f"{options.size} was given. Leave --size out."
            )
    usual = 64 if chosen_preset is None else chosen_preset.networks.size
    size = usual if options.size is None else options.size
    names = {store.name for store in dataset.list_datasets()}
    if options.source in names and not workspace.looks_like_path(options.source):
        store = open_with_size(options.source, options.size, ", or give the folder to prepare it anew")
    elif options.source == "mnist":
        store = prepare_with_bar("mnist", None if options.size is None else IntakeConfig(size=options.size), None)
    elif options.model is not None and chosen_preset is not None:
        store = prepare_for(options.source, chosen_preset.networks)
    else:
        store = prepare_with_bar(options.source, IntakeConfig(size=size), None)
    for warning in store.warnings():
        print(warning, file=sys.stderr)
    chosen = {key: getattr(options, key) for key in ("batch", "kimg") if getattr(options, key) is not None}
    form = store.settings.size, store.channels
    preset = chosen_preset or presets.preset(presets.usual(*form, device))
    settings = presets.for_dataset(preset, *form, options.width)
    if settings.initial and settings.networks != preset.networks:
        raise InputError(
            f"The model {options.model} paints {preset.networks.size} px pictures with {preset.networks.channels} "
            f"channels, but {store.name} has {form[0]} px ones with {form[1]}. Give the folder to prepare it anew."
        )
    settings = dataclasses.replace(
        settings,
        **chosen,
        dataset=store.name,
        dataset_hash=store.hash,
        seed=options.seed,
        device=device,
    )
    return settings, options.name or workspace.slug(store.name)


def train(options: argparse.Namespace) -> None:
    os.environ.update(detached.ENVIRONMENT)  # before torch is imported: its thread pool reads it once
    settings, name = train_config(options)
    from ganart import train  # noqa: F401  before there is a run, so that Ctrl-C meanwhile leaves nothing behind

    initial = None if options.model is None else _trainable(options.model).path
    _train_here(launch.create(settings, name, initial))


def _trainable(text: str) -> Model:
    """The model that is meant, where it came with its D; raises InputError or ModelError."""
    from ganart import card, models

    model = models.find_model(text)
    if not card.has_D(model.path):
        raise ModelError(
            f"The model {model.id} came without its D, so it cannot be trained on. Choose another one."
        )
    return model


def resume(options: argparse.Namespace) -> None:
    os.environ.update(detached.ENVIRONMENT)
    target = run.find_run(options.run)
    changes = {key: getattr(options, key) for key in ("kimg", "lr", "gamma", "augment", "device")}
    changes = {key: value for key, value in changes.items() if value is not None}
    if options.device is not None:
        from ganart import devices

        devices.pick(options.device)  # before there is a branch
    if options.pictures is not None:
        changes |= _other_pictures(options.pictures, target)
    if not changes and options.step is None and options.name is None and target.status().state == "paused":
        target.request("run")
        print(f"run {target.id} goes on")
        return
    if changes or options.step is not None or options.name is not None:
        launch.refuse_if_busy(changes.get("device", target.config().device))
        target = launch.branch(target, options.step, changes, options.name)
    launch.make_ready(target)
    _train_here(target)


def _other_pictures(source: str, target: run.Run) -> dict:
    """The dataset to go on with, prepared as that of the run was where it is not one yet."""
    before = target.config()
    networks = before.networks
    if source in {store.name for store in dataset.list_datasets()} and not workspace.looks_like_path(source):
        store = dataset.open_dataset(source)
    else:
        settings = dataset.find(before.dataset, before.dataset_hash).settings
        store = prepare_with_bar(source, dataclasses.replace(settings, channels=networks.channels), None)
    if (store.settings.size, store.channels) != (networks.size, networks.channels):
        raise InputError(
            f"{target.id} learns {networks.size} px pictures with {networks.channels} channels, and {store.name} "
            f"has {store.settings.size} px ones with {store.channels}. Prepare it with --size {networks.size}."
        )
    return {"dataset": store.name, "dataset_hash": store.hash}


def _train_here(target: run.Run) -> None:
    print(f"run {target.id}", flush=True)
    from ganart import train

    print(train.work(target))


def stop(options: argparse.Namespace) -> None:
    target = run.find_run(options.run)
    print(f"{target.id}: {launch.stop(target).state}")
