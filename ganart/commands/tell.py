"""What there is, how good it is, and how long something would take."""

import argparse
import dataclasses
import json
import sys

from ganart import config, dataset, doctor, presets, run, workspace
from ganart import disk as disks
from ganart import forecast as forecasts
from ganart.commands.prepare import bar, open_with_size, prepare_for
from ganart.errors import GanartError, InputError


def list_all(options: argparse.Namespace) -> None:
    from ganart import exported, models

    runs: list[dict] = []
    listed: list[dict] = []
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
    stores: list[dict] = [
        {"name": s.name, "pictures": s.count, "size": s.settings.size, "channels": s.channels}
        for s in dataset.list_datasets()
    ]
    files: list[dict] = [{"name": path.name, "bytes": facts.st_size} for path, facts in exported.list_exports()]
    if options.json:
        print(json.dumps({"runs": runs, "models": listed, "datasets": stores, "exports": files}))
        return
    for line in runs:
        print(f"run    {line['id']:32} {line['state']:10} {line['kimg']:.1f} kimg")
    colours = {3: "colour", 1: "grey"}
    for line in listed:
        print(f"model  {line['name']:32} {line['size']} px {colours[line['channels']]}")
    for line in stores:
        form = f"{line['size']} px {colours[line['channels']]}"
        print(f"dataset {line['name']:31} {form}, {line['pictures']:,} pictures")
    for line in files:
        print(f"export {line['name']:32} {disks.words(line['bytes'])}")
    if not runs:
        print("No runs yet. Start one with: python -m ganart train FOLDER")


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
    from ganart import models, pack, recipes

    path = workspace.given_path(thing)
    if path.suffix.lower() == pack.SUFFIX:
        raise InputError(f"“{path.name}” is a packed run. `unpack` it, then ask about the run.")
    if path.suffix.lower() in recipes.SUFFIXES:
        if not path.is_file():
            raise InputError(f"There is no file at “{thing}”. Check the path.")
        recipe = recipes.read(path)
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
        "figures": card.figures,
        "about": card.about,
    }


def evaluate(options: argparse.Namespace) -> None:
    from ganart import evaluation, jobs, models

    model = models.find_model(options.model)
    card = model.card()
    if options.dataset in {store.name for store in dataset.list_datasets()}:
        store = dataset.open_dataset(options.dataset)
    else:
        store = prepare_for(options.dataset, card.networks)
    evaluation.check(card.networks, store)
    job = jobs.begin(evaluation.request(model, card, store))
    try:
        with bar("measuring", "part") as progress:
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


def forecast(options: argparse.Namespace) -> None:
    from ganart import devices

    device = devices.pick(options.device)
    chosen = None if options.preset is None else presets.preset(options.preset).networks
    form = (options.size or (chosen.size if chosen else 64)), (chosen.channels if chosen else 3)
    if options.dataset is not None:
        store = open_with_size(options.dataset, options.size)
        form = store.settings.size, store.channels
    preset = presets.preset(options.preset or presets.usual(*form, device))
    settings = dataclasses.replace(presets.for_dataset(preset, *form, options.width), device=device)
    found = forecasts.ask(settings)
    if options.json:
        values = dataclasses.asdict(found)
        budgets = {name.lower(): round(found.kimg(seconds), 1) for name, seconds in forecasts.BUDGETS.items()}
        print(json.dumps({**values, "verdict": found.verdict(), "kimg": budgets}))
        return
    print(found.sentence())
    for name, seconds in forecasts.BUDGETS.items():
        print(f"  {name:10} {forecasts.duration(seconds):>12}   {found.kimg(seconds):.0f} thousand pictures")


def disk(options: argparse.Namespace) -> None:
    used = disks.usage()
    if options.json:
        print(json.dumps(used))
        return
    for kind, count in used.items():
        print(f"{kind:10} {disks.words(count):>8}")
