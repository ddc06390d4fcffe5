"""What each command of the command line does; `cli` says how they are called. Results go to stdout."""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator

from ganart import config, dataset, doctor, launch, presets, run, workspace
from ganart.config import IntakeConfig
from ganart.dataset import Dataset
from ganart.errors import GanartError, InputError, ModelError
from ganart.intake import Progress
from ganart.models import Model


def _background(text: str) -> tuple[int, int, int]:
    digits = text.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError
        return tuple(bytes.fromhex(digits))
    except ValueError as error:
        raise InputError(f"“{text}” is not a colour. Write six hexadecimal digits, such as ffffff.") from error


@contextlib.contextmanager
def _bar(description: str, unit: str) -> Iterator[Progress]:
    """A bar in the terminal -> the `progress(done, total)` that moves it."""
    from tqdm import tqdm

    with tqdm(desc=description, unit=unit, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _prepare_with_bar(source: str, settings: IntakeConfig | None, name: str | None) -> Dataset:
    with _bar("looking at the files", "file") as progress:
        return dataset.prepare(source, settings, name, progress)


def prepare(options: argparse.Namespace) -> None:
    if options.source == "mnist":
        settings = None if options.size is None else IntakeConfig(size=options.size)
    else:
        background = _background(options.background)
        settings = IntakeConfig(64 if options.size is None else options.size, options.crop, background)
    store = _prepare_with_bar(options.source, settings, options.name)
    if options.json:
        skipped = store.skipped
        print(
            json.dumps({"name": store.name, "kept": store.count, "skipped": skipped, "held_out": store.held_out})
        )
        return
    print(f"{store.name}: {store.count} pictures of {store.settings.size} px, {store.held_out} of them held out")
    for entry in store.skipped:
        print(f"  left out  {entry['file']}: {entry['reason']}")
    for warning in store.warnings():
        print(warning)


# --- training


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
    size = options.size or (64 if chosen_preset is None else chosen_preset.networks.size)
    names = {store.name for store in dataset.list_datasets()}
    if options.source in names and not workspace.looks_like_path(options.source):
        store = dataset.open_dataset(options.source)
        if options.size is not None and options.size != store.settings.size:
            raise InputError(
                f"The dataset {store.name} has {store.settings.size} px pictures, but --size {options.size} was "
                "given. Leave --size out, or give the folder to prepare it anew."
            )
    elif options.source == "mnist":
        store = _prepare_with_bar("mnist", None if options.size is None else IntakeConfig(size=options.size), None)
    else:
        store = _prepare_with_bar(options.source, IntakeConfig(size=size), None)
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
    os.environ.update(launch.TRAINER_ENVIRONMENT)  # before torch is imported: its thread pool reads it once
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
    os.environ.update(launch.TRAINER_ENVIRONMENT)
    target = run.find_run(options.run)
    changes = {key: getattr(options, key) for key in ("kimg", "lr", "gamma", "augment", "device")}
    changes = {key: value for key, value in changes.items() if value is not None}
    if options.device is not None:
        from ganart import devices

        devices.pick(options.device)  # before there is a branch
    if options.pictures is not None:
        changes |= _other_pictures(options.pictures, target)
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
        store = _prepare_with_bar(source, dataclasses.replace(settings, channels=networks.channels), None)
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


def list_all(options: argparse.Namespace) -> None:
    from ganart import models

    runs, listed = [], []
    for item in run.list_runs():
        status = item.status()
        runs.append({"id": item.id, "state": status.state, "step": status.step, "kimg": status.kimg})
    for model in models.list_models():
        try:
            card = model.card()
        except GanartError as error:
            print(f"ganart: {error}", file=sys.stderr)
            continue
        networks = card.networks
        listed.append({"name": model.id, "hash": card.hash, "size": networks.size, "channels": networks.channels})
    if options.json:
        print(json.dumps({"runs": runs, "models": listed}))
        return
    for item in runs:
        print(f"run    {item['id']:32} {item['state']:10} {item['kimg']:.1f} kimg")
    for item in listed:
        colours = "colour" if item["channels"] == 3 else "grey"
        print(f"model  {item['name']:32} {item['size']} px {colours}")
    if not runs:
        print("No runs yet. Start one with: python -m ganart train FOLDER")


# --- pictures and films


def _scale(asked: int | None, usual: int) -> int:
    scale = usual if asked is None else asked
    if not 1 <= scale <= 32:
        raise InputError(f"A scale of {scale} was asked for. Choose 1 to 32.")
    return scale


def sample(options: argparse.Namespace) -> None:
    from ganart import checkpoint, export, images, latent, models, render

    path = export.check_suffix(options.out, ".png")
    scale, seeds = _scale(options.scale, 1), latent.parse_seeds(options.seeds)
    if not 1 <= options.columns <= 100:
        raise InputError(f"{options.columns} columns were asked for. Choose 1 to 100.")
    G, card = checkpoint.load_generator(models.find_model(options.model).path)
    export.check_memory(1, G.config.size * scale * len(seeds), G.config.size * scale)
    sheet = render.sheet(G, latent.sample_z(seeds, G.config.z_dim), min(options.columns, len(seeds)))
    about = export.recipe(card.hash, kind="sheet", seeds=seeds, columns=options.columns, scale=scale)
    export.write(path, export.png_bytes(images.enlarge(sheet, scale), about))
    print(path)


def animate(options: argparse.Namespace) -> None:
    from ganart import checkpoint, export, film, images, latent, models

    path = export.check_suffix(options.out, ".gif")
    if not options.grid and not options.seeds:
        raise InputError("Say what to show: --seeds 3,14,15 for a walk, or --grid 6x6 for a grid of loops.")
    seeds = latent.parse_seeds(options.seeds) if options.seeds else []
    G, card = checkpoint.load_generator(models.find_model(options.model).path)
    size = G.config.size
    with _bar("drawing", "picture") as progress:
        if options.grid:
            rows, columns = film.grid_shape(options.grid)
            scale = _scale(options.scale, images.best_scale(size * max(rows, columns, 1)))
            seeds = seeds or list(range(rows * columns))
            data = film.grid(G, card.hash, rows, columns, seeds, options.seconds, options.fps, scale, progress)
        else:
            scale = _scale(options.scale, images.best_scale(size))
            data = film.walk(G, card.hash, seeds, options.seconds, options.fps, scale, progress)
    export.write(path, data)
    print(f"{path} ({len(data) / 1e6:.1f} MB)")


def timelapse(options: argparse.Namespace) -> None:
    from ganart import export, film, images, models

    path = export.check_suffix(options.out, ".gif")
    model = models.find_model(options.run)
    if (sheet := model.sheet()) is None:
        raise InputError(f"{model.id} came without training sheets. Give a run instead.")
    side = max(images.read_png(sheet).shape[:2])
    scale = _scale(options.scale, images.best_scale(side))
    data = film.growth(model, options.seconds, options.fps, scale)
    export.write(path, data)
    print(f"{path} ({len(data) / 1e6:.1f} MB)")


def evaluate(options: argparse.Namespace) -> None:
    from ganart import evaluation, jobs, models

    model = models.find_model(options.model)
    card = model.card()
    if options.dataset in {store.name for store in dataset.list_datasets()}:
        store = dataset.open_dataset(options.dataset)
    else:
        settings = evaluation.intake(card)
        store = _prepare_with_bar(options.dataset, settings, None)
        if store.channels != card.networks.channels:  # grey pictures for a model of coloured ones
            settings = dataclasses.replace(settings, channels=card.networks.channels)
            store = _prepare_with_bar(options.dataset, settings, None)
    evaluation.check(card.networks, store)
    job = jobs.begin(evaluation.request(model, card, store))
    try:
        with _bar("measuring", "part") as progress:
            result = jobs.wait(job, progress)
    except KeyboardInterrupt:
        jobs.cancel(job)
        raise
    figures = evaluation.figures(result["figures"])
    if options.json:
        print(json.dumps({name: vars(figure) for name, figure in figures.items()}))
        return
    print(f"{model.id} against {store.name}, {next(iter(figures.values())).n} pictures on each side")
    print(f"{'':33} {'value':>8} {'floor':>8}")
    for name, figure in figures.items():
        metric = evaluation.METRICS[name]
        value, floor = (f"{number:8.{metric.digits}f}" for number in (figure.value, figure.floor))
        print(f"{metric.name:33} {value} {floor}  {metric.meaning}")
    print("The floor is what real pictures reach in the place of painted ones.")
    print(f"The painted pictures that come closest to your own: {job.folder / 'pairs.png'}")


def info(options: argparse.Namespace) -> None:
    answer = _describe(options.thing)
    if options.json:
        print(json.dumps(answer))
        return
    for key, value in answer.items():
        if isinstance(value, dict):
            print(f"{key}:")
            for inner, of in value.items():
                print(f"  {inner}: {of if isinstance(of, str) else json.dumps(of)}")
        else:
            print(f"{key}: {value}")


def _describe(thing: str) -> dict:
    """{kind, …} of a model, a run or an exported file."""
    from ganart import export, models

    path = workspace.given_path(thing)
    if path.suffix.lower() in (".gif", ".png"):
        if not path.is_file():
            raise InputError(f"There is no file at “{thing}”. Check the path.")
        recipe = export.read_recipe(path)
        if recipe is None:
            raise InputError(
                f"“{path.name}” carries no recipe: it was not made by ganart, or was saved anew since."
            )
        return {"kind": "export", "recipe": recipe}
    matching = [item for item in run.list_runs() if thing in (item.id, item.name)]
    if matching or (workspace.looks_like_path(thing) and (path / "config.json").is_file()):
        target = run.find_run(thing)
        status = dataclasses.asdict(target.status())
        found = doctor.examine_run(target)
        return {
            "kind": "run",
            "id": target.id,
            "status": status,
            "health": {finding.kind: f"{finding.sentence} {finding.remedy}" for finding in found},
            "states": list(target.states()),
            "config": config.to_dict(target.config()),
        }
    model = models.find_model(thing)
    card = model.card()
    return {
        "kind": "model",
        "name": card.name,
        "hash": card.hash,
        "kimg": card.kimg,
        "dataset": card.dataset,
        "config": card.recipe,
    }
