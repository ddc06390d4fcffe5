"""Does the doctor see what is wrong, and nothing else? `python -m benchmarks.doctor OUT FOLDER [FOLDER]`.

Runs broken on purpose have to be flagged, each with its illness: mode collapse, a critic that learns 60 pictures
by heart, a dead painter, a learning rate that diverges. Healthy runs of every folder and seed must raise no alarm.
Everything is written into OUT; what is there already is read again instead of trained.
"""

import argparse
import dataclasses
import os
import threading
from dataclasses import dataclass
from pathlib import Path

WIDTH, SIZE = 16, 32


@dataclass(frozen=True)
class Case:
    """A run: what the doctor must find (none of its kinds where healthy), how many pictures, and its settings."""

    name: str
    finds: tuple[str, ...]
    pictures: int | None
    changes: dict
    sabotage: str = ""


BCE = {"loss": "bce", "gamma": 0.0, "beta1": 0.5, "beta2": 0.999, "augment": "off", "lr": 2e-4}
BROKEN = [
    Case("collapse", ("collapse",), None, {}, "collapse"),
    Case("memorising", ("memorising",), 60, BCE),
    Case("dead", ("dead",), None, {}, "dead"),
    Case("diverging", ("diverging",), None, {"lr": 0.05}),
]
SABOTAGED_AT = 12.0  # kimg
FEW = 100  # pictures, of which none is held out


def sabotage(training, kind: str) -> None:
    """Break a training that goes well. "collapse": D learns no more, and G finds the one picture that this D likes
    best. "dead": no unit of G's last hidden layer is ever active again."""
    import torch

    if kind == "collapse":
        training.opt_D.param_groups[0]["lr"] = 0.0
        return
    with torch.no_grad():
        for G in (training.G, training.G_ema):
            norm = G.layers[-4]
            norm.weight.zero_()
            norm.bias.fill_(-1.0)


def store_of(folder: Path, count: int | None):
    from ganart import dataset
    from ganart.config import IntakeConfig

    if count is None:
        return dataset.prepare(folder, IntakeConfig(size=SIZE))
    few = Path(os.environ["GANART_HOME"]) / f"{count}-of-{folder.name}"
    if not few.is_dir():
        few.mkdir(parents=True)
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
        for index, path in enumerate(files[:: len(files) // count][:count]):
            (few / f"{index:03}{path.suffix}").write_bytes(path.read_bytes())
    return dataset.prepare(few, IntakeConfig(size=SIZE))


def train(case: Case, folder: Path, seed: int, kimg: float):
    """The finished run of a case, trained now where it is not there yet, and the size of its training set."""
    from ganart import config, graph, launch, presets, run
    from ganart import train as trainer

    store = store_of(folder, case.pictures)
    settings = presets.for_dataset(presets.preset("sketch"), store.settings.size, store.channels, WIDTH)
    networks = settings.networks
    if case.changes.get("loss") == "bce":
        networks = dataclasses.replace(networks, d_norm="batch", d_stddev=0)
    settings = dataclasses.replace(
        settings,
        networks=networks,
        dataset=store.name,
        dataset_hash=store.hash,
        device="cpu",
        kimg=kimg,
        seed=seed,
        **case.changes,
    )
    name = f"{case.name}-{store.name}-{seed}"[:40]
    there = [item for item in run.list_runs() if item.name == name]
    if (
        there
        and there[0].status().state in ("done", "failed")
        and config.to_dict(there[0].config()) == (config.to_dict(settings))
    ):
        return there[0], store.training
    target = launch.create(settings, name)
    plain, broken = graph.stepper, []

    def stepper(training, settings, dtype):
        step = plain(training, settings, dtype)

        def sabotaged(batch):
            if case.sabotage and not broken and training.step * settings.batch >= 1000 * SABOTAGED_AT:
                sabotage(training, case.sabotage)
                broken.append(training.step)
            return step(batch)

        return sabotaged

    graph.stepper = stepper
    halted = trainer._halt_if_collapsed
    trainer._halt_if_collapsed = lambda *_: None  # to see how the signs go on
    try:
        trainer.train(target, threading.Event())
    except Exception as error:
        print(f"  {name}: {error}")
    finally:
        graph.stepper, trainer._halt_if_collapsed = plain, halted
    return target, store.training


def first_flags(target, pictures: int) -> dict[str, float]:
    """{kind: thousand pictures seen when the doctor first said so}, going through the run look by look."""
    from ganart import doctor

    settings, figures, vitals = target.config(), target.metrics(), target.vitals()
    found: dict[str, float] = {}
    for index, look in enumerate(vitals):
        until = [line for line in figures if line["step"] <= look["step"]]
        for finding in doctor.examine(until, vitals[: index + 1], settings, pictures):
            found.setdefault(f"{finding.kind} ({finding.level})", look["kimg"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--kimg", type=float, default=40.0)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["GANART_HOME"] = str(options.out)
    from ganart import detached

    os.environ.update(detached.ENVIRONMENT)
    print("| run | must find | found, at thousand pictures seen | |\n|---|---|---|---|")
    for case in BROKEN:
        target, pictures = train(case, options.folders[0], 0, options.kimg)
        found = first_flags(target, pictures)
        right = any(kind.split()[0] in case.finds for kind in found)
        report(case.name, " or ".join(case.finds), found, right)
    for folder in options.folders:
        for seed in range(options.seeds):
            for count in (None, FEW):
                target, pictures = train(Case("healthy", (), count, {}), folder, seed, options.kimg)
                found = first_flags(target, pictures)
                whole = bool(target.vitals()) and target.vitals()[-1]["kimg"] >= 0.9 * options.kimg
                name = f"healthy, {folder.name}{f', {count} pictures' if count else ''}, seed {seed}"
                report(name, "nothing", found, whole and not found)


def report(name: str, wanted: str, found: dict[str, float], right: bool) -> None:
    told = ", ".join(f"{kind} at {kimg:.1f}" for kind, kimg in found.items()) or "nothing"
    print(f"| {name} | {wanted} | {told} | {'right' if right else 'WRONG'} |", flush=True)


if __name__ == "__main__":
    main()
