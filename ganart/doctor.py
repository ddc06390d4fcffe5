"""What is wrong with a training, and what to do about it, in plain words. Figures in, findings out, and no torch
imported.

The signs are those of `vitals`; the thresholds were set between what healthy runs and runs broken on purpose show
(`python -m benchmarks.doctor`).
"""

import itertools
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from ganart import dataset
from ganart.config import TrainConfig
from ganart.errors import DatasetError
from ganart.run import Run

LOOKS = 3  # a sign has to hold at so many looks in a row
GRACE_KIMG = 10.0  # before that much was seen, every G paints nearly the same picture
LATE_KIMG = 60.0  # when that much was seen, no healthy one does
ALIKE, LATE_ALIKE = 0.6, 0.4  # diversity below which pictures are alike: after they were not; whatever was before
TWINS = 0.5  # duplicates above which they are, however much they differ
SURE = 0.6  # share of its widest gap between real and painted below which a critic has become less sure
DEAD = 0.03  # sensitivity of a G that does not heed its input
CHANCE = {"bce": 1.386, "hinge": 2.0, "rpgan": 0.693}  # D's loss where it cannot tell real from fake
LEVELS = ("green", "yellow", "red")
NEEDED = {"step", "kimg", "telling", "diversity", "duplicates", "sensitivity"}  # of a look that says something


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    kind: collapse, dead, memorising, ahead or diverging. level: "yellow" or "red". since: the step at which it
    began. sentence: what it is. remedy: what will help. changes: settings of a branch that does it; empty where
    no setting helps.
    """

    kind: str
    level: str
    since: int
    sentence: str
    remedy: str
    changes: dict = field(default_factory=dict)


def light(findings: list[Finding]) -> str:
    """The traffic light: "red", "yellow" or "green"."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="green")


def examine(figures: list[dict], vitals: list[dict], settings: TrainConfig, pictures: int) -> list[Finding]:
    """What a run's figures and signs say now, the worst first.

    figures, vitals: lines of metrics.jsonl and vitals.jsonl, oldest first, as `Run` gives them. pictures: how many
    it trains on.
    """
    vitals = [line for line in vitals if line.keys() >= NEEDED]
    found = [
        _diverging(figures, settings),
        _dead(vitals, settings),
        _collapse(vitals, settings),
        _memorising(vitals, settings, pictures),
    ]
    if not any(found):
        found.append(_ahead(vitals, settings))
    return sorted(filter(None, found), key=lambda finding: (-LEVELS.index(finding.level), finding.since))


def examine_run(run: Run) -> list[Finding]:
    """`examine` of what lies in a run's folder. Raises RunError where its config cannot be read."""
    settings = run.config()
    try:
        pictures = dataset.find(settings.dataset, settings.dataset_hash).training
    except DatasetError:
        pictures = 0  # the pictures are gone, the figures are not
    return examine(run.metrics(), run.vitals(), settings, pictures)


def _since(lines: list[dict], ill: Callable[[dict], bool], least: int = LOOKS) -> int | None:
    """The step since which `ill(line)` holds at every line to the last, at `least` lines or more; else None."""
    since, count = None, 0
    for line in reversed(lines):
        if not ill(line):
            break
        since, count = line["step"], count + 1
    return since if count >= least else None


def _mature(vitals: list[dict]) -> list[dict]:
    return [line for line in vitals if line["kimg"] >= GRACE_KIMG]


def _diverging(figures: list[dict], settings: TrainConfig) -> Finding | None:
    """D's loss far above that of guessing, by the median of the last lines: an update overshoots the next."""

    def wild(lines: list[dict]) -> bool:
        return len(lines) >= 5 and (
            statistics.median(line.get("loss_D", 0.0) for line in lines) > 2.5 * CHANCE[settings.loss]
            or statistics.median(abs(line.get("loss_G", 0.0)) for line in lines) > 50
        )

    if not wild(figures[-10:]):
        return None
    start = max(0, len(figures) - 10)
    while wild(figures[max(0, start - 10) : start]):
        start = max(0, start - 10)
    return Finding(
        "diverging",
        "red",
        figures[start]["step"],
        "The learning rate is too high: critic and painter overshoot at every step instead of learning.",
        "A quarter of the learning rate, from the last healthy state.",
        {"lr": settings.lr / 4},
    )


def _dead(vitals: list[dict], settings: TrainConfig) -> Finding | None:
    since = _since(_mature(vitals), lambda line: line["sensitivity"] < DEAD)
    if since is None:
        return None
    return Finding(
        "dead",
        "red",
        since,
        "The painter has died: it paints the same picture whatever it is given, and learns nothing from it.",
        "Half the learning rate, from the last healthy state.",
        {"lr": settings.lr / 2},
    )


def _collapse(vitals: list[dict], settings: TrainConfig) -> Finding | None:
    """Pictures that are much more alike than they have been; or still alike after long, as few are at first."""
    widest = max((line["diversity"] for line in vitals), default=0.0)
    after = next((line["step"] for line in vitals if line["diversity"] == widest), 0)

    def ill(line: dict) -> bool:
        if line["sensitivity"] < DEAD:
            return False
        if line["kimg"] >= LATE_KIMG and (line["diversity"] < LATE_ALIKE or line["duplicates"] > TWINS):
            return True
        return line["step"] > after and line["diversity"] < ALIKE * min(1.0, widest)

    since = _since(_mature(vitals), ill)
    if since is None:
        return None
    share, twins = vitals[-1]["diversity"], vitals[-1]["duplicates"]
    alike = share < ALIKE or twins <= TWINS
    told = f"they differ {share:.0%} as much as yours do" if alike else f"{twins:.0%} have a twin or nearly so"
    return Finding(
        "collapse",
        "red",
        since,
        f"The painter has collapsed to a few pictures: {told}.",
        "Half the learning rate, from the last healthy state.",
        {"lr": settings.lr / 2},
    )


def _memorising(vitals: list[dict], settings: TrainConfig, pictures: int) -> Finding | None:
    widest = itertools.accumulate((line.get("gap", 0.0) for line in vitals), max)
    sure = {line["step"]: line.get("gap", 0.0) > SURE * most for line, most in zip(vitals, widest, strict=True)}

    def ill(line: dict) -> bool:
        if "overfitting" in line:
            return line["overfitting"] > 0.7 and line["telling"] > 0.9
        # Nothing is held out: always right, and as sure of it as ever. Every critic is so at first; in a healthy
        # run its logits come together once the painter has left the noise.
        return line["telling"] > 0.98 and sure[line["step"]]

    blind = bool(vitals) and "overfitting" not in vitals[-1]
    since = _since(_mature(vitals), ill, 2 * LOOKS if blind else LOOKS)
    if since is None:
        return None
    few = f"{pictures:,} " if pictures else ""
    sentence = f"The critic is memorising your {few}pictures instead of learning what they have in common"
    stronger = {"off": "steered", "steered": "full"}.get(settings.augment)
    if stronger is None:
        return Finding(
            "memorising",
            "yellow",
            since,
            f"{sentence}, in spite of full augmentation.",
            "More pictures would help most. What was learned so far is kept: the best model may lie behind you.",
        )
    return Finding(
        "memorising",
        "red" if settings.augment == "off" else "yellow",
        since,
        f"{sentence}.",
        "Stronger augmentation will help: the critic then never sees the same picture twice.",
        {"augment": stronger},
    )


def _ahead(vitals: list[dict], settings: TrainConfig) -> Finding | None:
    since = _since(_mature(vitals), lambda line: line["telling"] > 0.995, 2 * LOOKS)
    if since is None:
        return None
    return Finding(
        "ahead",
        "yellow",
        since,
        "The critic is far ahead: it tells every painted picture from yours, and the painter learns little.",
        "It often recovers by itself. If it does not, half the learning rate helps.",
        {"lr": settings.lr / 2},
    )
