"""How a training goes on: from its state, after it diverged, or where memory is short."""

import dataclasses
from pathlib import Path

from ganart import checkpoint, launch
from ganart.config import TrainConfig
from ganart.errors import ModelError, RunError
from ganart.randomness import generator
from ganart.run import Run
from ganart.training import Training, build

MAX_ROLLBACKS = 3


def load_or_start(target: Run, settings: TrainConfig) -> tuple[Training, TrainConfig]:
    """The training as its saved state left it, or at step 0, and the settings that it goes on with."""
    if not target.state.exists() and not target.state.with_name(target.state.name + ".prev").exists():
        training = build(settings, {})
        if settings.initial:
            _start_from(target.initial, training)
        return training, settings
    target.initial.unlink(missing_ok=True)
    try:
        tensors, values = checkpoint.load_state(target.state)
    except checkpoint.DamagedError as error:
        if states := list(target.states()):
            raise ModelError(
                f"{error} States of before were kept, the newest of step {states[-1]}: go back to that one."
            ) from error
        raise ModelError(f"{error} So this run cannot go on; start a new one.") from error
    history = values.get("history", {})  # not in states from before there was one
    try:
        _check(values["choices"], history, values["step"])
        if not target.best.is_file():  # a branch has the history of its run, but not its best model
            history.pop("best", None)
        settings = after_rollbacks(settings, history.get("rollbacks", 0))
        training = build(settings, values["choices"], history)
        training.load(tensors, values["step"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RunError(f"The state of {target.id} does not fit its config.json. Start a new run.") from error
    return training, settings


def _start_from(path: Path, training: Training) -> None:
    """Take over the networks of a model. Raises ModelError where they do not fit or D is missing."""
    G, D, card = checkpoint.load_networks(path)
    if D is None or card.networks != training.G.config:
        raise ModelError(
            f"The model {card.name} cannot be trained on: it came without its D, or with other networks. Choose "
            "another model."
        )
    for network, weights in ((training.G, G), (training.D, D), (training.G_ema, G)):
        if network is not None:
            network.load_state_dict(weights.state_dict())


def _check(choices: dict, history: dict, step: int) -> None:
    """Raises TypeError for what no trainer writes: a state may come from elsewhere."""
    if not (type(step) is int and 0 <= step <= 2**53):
        raise TypeError(f"step is {step!r}")
    whole = {"threads": 1024, "pieces": 4096, "rollbacks": 1 + MAX_ROLLBACKS, "collapsed": 2**53}
    for values, known in (
        (choices, {"threads", "dtype", "pieces", "here", "plain"}),
        (history, {"rollbacks", "collapsed", "best"}),
    ):
        for name, value in values.items():
            if name not in known or (name in whole and not (type(value) is int and 0 < value <= whole[name])):
                raise TypeError(f"{name} is {value!r}")
    if choices.get("dtype", "float32") not in ("float32", "bfloat16"):
        raise TypeError(f"dtype is {choices['dtype']!r}")
    for name, kind in (("here", str), ("plain", bool)):
        if not isinstance(choices.get(name, kind()), kind):
            raise TypeError(f"{name} is {choices[name]!r}")
    best = history.get("best", {"distance": 0.0, "step": 0})
    numbers = best["distance"], best.get("error", 0.0)
    if not (all(isinstance(number, int | float) for number in numbers) and isinstance(best["step"], int)):
        raise TypeError(f"best is {best!r}")


def after_rollbacks(settings: TrainConfig, count: int) -> TrainConfig:
    """Half the learning rate and other noise for each time that a run was taken back."""
    if not count:
        return settings
    seed = int(generator(settings.seed, "rollback", count).integers(2**32))
    return dataclasses.replace(settings, lr=max(1e-7, settings.lr / 2**count), seed=seed)


def take_back(target: Run, step: int) -> str:
    """Mark the last good state as one to go on from otherwise -> the sentence for the artist.

    Raises RunError where there is none, or where it was taken back too often.
    """
    if not target.state.exists():
        raise RunError(
            f"The training diverged near step {step}, before anything was saved: its weights were no numbers from "
            "the start. Start a new run with another seed or a lower learning rate."
        )
    tensors, values = checkpoint.load_state(target.state)
    history = values.setdefault("history", {})
    count = history["rollbacks"] = history.get("rollbacks", 0) + 1
    if count > MAX_ROLLBACKS:
        raise RunError(
            f"The training diverged near step {step}, for the {count}th time, at an eighth of its learning rate. "
            "The last good state is kept. Start a new run with another seed or a smaller network."
        )
    checkpoint.save_state(target.state, tensors, values)
    return (
        f"The training diverged near step {step}. It was taken back to step {values['step']} and goes on with "
        f"{['half', 'a quarter', 'an eighth'][count - 1]} of its learning rate."
    )


def take_less(target: Run, settings: TrainConfig) -> str:
    """Halve what goes through the networks at a time -> the sentence for the artist. Raises MemoryError where
    there is nothing left to halve."""
    together = settings.networks.pack * max(1, settings.networks.d_stddev)
    most = settings.batch // together
    if not target.state.exists():
        raise MemoryError("there is no state to go on from")
    tensors, values = checkpoint.load_state(target.state)
    now = values["choices"].get("pieces", 1)
    pieces = next((count for count in range(2 * now, most + 1) if most % count == 0), None)  # whole groups
    if pieces is None:
        raise MemoryError("the smallest batch does not fit")
    values["choices"]["pieces"] = pieces
    checkpoint.save_state(target.state, tensors, values)
    return (
        f"The memory of the {launch.device_words(settings.device)} is too small for {settings.batch} pictures "
        f"at a time, so it takes {settings.batch // pieces} at a time: slower, and nearly the same result."
    )


def give_up_recording(target: Run) -> RunError:
    """Mark the state as one whose steps are not recorded -> the sentence for the artist, as an error: the process
    that was refused has to end."""
    tensors, values = checkpoint.load_state(target.state)
    values["choices"]["plain"] = True
    checkpoint.save_state(target.state, tensors, values)
    return RunError(
        "The graphics card would not record the steps of this training, which makes them fast. Nothing is lost: "
        "resume the run, and it goes on without, more slowly."
    )
