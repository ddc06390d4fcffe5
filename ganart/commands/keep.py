"""Other names, deletion, and whole runs and models as files."""

import argparse
import sys
from collections.abc import Callable

from ganart import disk, housekeeping, run, workspace
from ganart import pack as packs
from ganart import unpack as unpacking
from ganart.errors import InputError

KINDS = ("run", "dataset", "model", "export")


def rename(options: argparse.Namespace) -> None:
    if options.kind == "run":
        print(housekeeping.rename_run(run.find_run(options.name), options.new).id)
    elif options.kind == "dataset":
        print(housekeeping.rename_dataset(options.name, options.new).name)
    elif options.kind == "model":
        print(housekeeping.rename_model(options.name, options.new).stem)
    else:
        print(housekeeping.rename_export(options.name, options.new).name)


def delete(options: argparse.Namespace) -> None:
    thing = run.find_run(options.name) if options.kind == "run" else options.name
    doors: dict[str, tuple[Callable[..., str], Callable[..., None]]] = {
        "run": (housekeeping.describe_run, housekeeping.delete_run),
        "dataset": (housekeeping.describe_dataset, housekeeping.delete_dataset),
        "model": (housekeeping.describe_model, housekeeping.delete_model),
        "export": (housekeeping.describe_export, housekeeping.delete_export),
    }
    describe, remove = doors[options.kind]
    sentence = describe(thing)
    if not options.yes:
        if not sys.stdin.isatty():
            raise InputError(f"{sentence} Nothing was deleted: add --yes to delete without a question.")
        print(sentence)
        try:
            answer = input("Delete it? [y/N] ")
        except EOFError:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.")
            return
    remove(thing)
    print(f"Deleted. {sentence}")


def pack(options: argparse.Namespace) -> None:
    path = packs.pack(run.find_run(options.run), options.out, pictures=not options.without_pictures)
    print(f"{path} ({disk.words(path.stat().st_size)})")


def unpack(options: argparse.Namespace) -> None:
    path = workspace.given_path(options.file)
    if path.suffix == ".safetensors":
        from ganart import checkpoint

        print(f"model {checkpoint.take_in(path)}")
    else:
        print(f"run {unpacking.unpack(path).id}")


def export(options: argparse.Namespace) -> None:
    from ganart import evaluation, export, models, share

    path = export.check_suffix(options.out, ".safetensors")
    model = models.find_model(options.model)
    export.write(path, share.model_file(model, figures=evaluation.best_known(model)))
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def take_in(options: argparse.Namespace) -> None:
    from ganart import checkpoint

    print(f"taken in as {checkpoint.take_in(options.file)}")
