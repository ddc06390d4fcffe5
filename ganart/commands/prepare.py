"""Files -> a dataset."""

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator

from ganart import dataset
from ganart.config import IntakeConfig, NetworkConfig
from ganart.dataset import Dataset
from ganart.decoders import Progress
from ganart.errors import InputError


def _background(text: str) -> tuple[int, int, int]:
    digits = text.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError
        red, green, blue = bytes.fromhex(digits)
        return red, green, blue
    except ValueError as error:
        raise InputError(f"“{text}” is not a colour. Write six hexadecimal digits, such as ffffff.") from error


@contextlib.contextmanager
def bar(description: str, unit: str) -> Iterator[Progress]:
    """A bar in the terminal -> the `progress(done, total)` that moves it."""
    from tqdm import tqdm

    with tqdm(desc=description, unit=unit, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def prepare_with_bar(source: str, settings: IntakeConfig | None, name: str | None) -> Dataset:
    with bar("looking at the files", "file") as progress:
        return dataset.prepare(source, settings, name, progress)


def open_with_size(name: str, size: int | None, otherwise: str = "") -> Dataset:
    """A prepared dataset; raises InputError where another size was asked for. otherwise: what else can be done."""
    store = dataset.open_dataset(name)
    if size not in (None, store.settings.size):
        raise InputError(
            f"The dataset {store.name} has {store.settings.size} px pictures, but --size {size} was given. Leave "
            f"--size out{otherwise}."
        )
    return store


def prepare_for(source: str, networks: NetworkConfig) -> Dataset:
    """A source as pictures of the form that these networks paint."""
    settings = IntakeConfig(size=networks.size, channels=1 if networks.channels == 1 else 0)
    store = prepare_with_bar(source, settings, None)
    if store.channels != networks.channels:  # grey pictures for networks that paint in colour
        store = prepare_with_bar(source, dataclasses.replace(settings, channels=networks.channels), None)
    return store


def refuse_unused(options: argparse.Namespace, unused: set[str], where: str) -> None:
    """Raises InputError where one of these options was given, which mean nothing there."""
    if found := sorted(options.given & unused):
        raise InputError(
            f"{', '.join(found)} would change nothing {where}. Leave {'them' if found[1:] else 'it'} out."
        )


def prepare(options: argparse.Namespace) -> None:
    if options.source == "mnist":
        refuse_unused(options, {"--crop", "--background"}, "with the digits, which fill their squares")
        given = options.size is not None or options.crops != 1
        settings = IntakeConfig(size=options.size or 28, crops=options.crops) if given else None
    else:
        background = _background(options.background)
        size = 64 if options.size is None else options.size
        settings = IntakeConfig(size, options.crop, background, crops=options.crops)
    store = prepare_with_bar(options.source, settings, options.name)
    if options.json:
        answer = {"name": store.name, "kept": store.pictures, "skipped": store.skipped, "held_out": store.held_out}
        print(json.dumps(answer | ({"crops": store.count} if options.crops > 1 else {})))
        return
    kept = f"{store.pictures} pictures" + (f", in {store.count} crops" if options.crops > 1 else "")
    print(f"{store.name}: {kept} of {store.settings.size} px, {store.held_out} of them held out")
    for entry in store.skipped:
        print(f"  left out  {entry['file']}: {entry['reason']}")
    for warning in store.warnings():
        print(warning)
