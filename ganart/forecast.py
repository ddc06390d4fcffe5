"""What a training will cost on this computer, measured before it starts: pictures a second, memory, disk, and what
fits into a coffee, a lunch or a night.

Measured in a process of its own that runs as the trainer would (`trial`). Imports no torch.
"""

import dataclasses
import hashlib
import json
import subprocess
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ganart import cadence, config, detached, launch, workspace
from ganart.config import TrainConfig
from ganart.errors import RunError
from ganart.files import read_json, write_json

MEASURING = ".measuring-"  # the beginning of the name of a folder that is measured in
BUDGETS = {"Coffee": 15 * 60, "Lunch": 60 * 60, "Overnight": 8 * 3600}  # seconds
SHAPES_KIMG, LOOK_KIMG = 40.0, 150.0  # at 64 px: seen until first shapes show, until it is a good look
PATIENCE = 3 * 3600, 16 * 3600  # seconds to a good look: up to the first "yes", up to the second "with patience"
FORECAST_VERSION = 1
MEMORY_SECONDS = 300.0  # that short memory is believed
KEPT_SECONDS = 7 * 86400.0  # that any forecast is: it may have been measured beside other work
FREE = (  # settings that cost no time
    *("preset", "dataset", "dataset_hash", "kimg", "seed", "parent", "initial", "save_seconds"),
    *("lr", "lr_end", "beta1", "beta2", "flip"),
)
MOST_SECONDS = 120.0  # that measuring may take


class TooLargeError(RunError):
    """A training that does not fit into the memory."""


@dataclass(frozen=True)
class Forecast:
    """What was measured for one kind of training on this computer.

    images_per_second: of the steps alone. sheet_seconds, look_seconds, keep_seconds: for what comes between
    them. memory, memory_free: bytes that a step needs and that the device has. disk: bytes that a whole run
    keeps at most. All but the speed are 0 where that alone says "no".
    """

    device: str
    size: int
    batch: int
    images_per_second: float
    sheet_seconds: float = 0.0
    look_seconds: float = 0.0
    keep_seconds: float = 0.0
    memory: int = 0
    memory_free: int = 0
    disk: int = 0
    version: int = FORECAST_VERSION

    @property
    def fits(self) -> bool:
        """Whether the memory is enough, with a tenth to spare."""
        return self.memory <= 0.9 * self.memory_free

    def seconds(self, kimg: float, start: float = 0.0) -> float:
        """How long a training takes until it has seen `kimg` thousand pictures, from `start` on."""
        between = 0.0
        for rhythm, cost in (
            (cadence.SHEETS, self.sheet_seconds),
            (cadence.looks(self.device), self.look_seconds),
            (cadence.checkpoints(self.device), self.keep_seconds),
        ):
            between += cost * (cadence.times(1000 * kimg, rhythm) - cadence.times(1000 * start, rhythm))
        return 1000 * (kimg - start) / self.images_per_second + between

    def kimg(self, seconds: float) -> float:
        """How much a training sees in that time, in thousands of pictures."""
        low, high = 0.0, seconds * self.images_per_second / 1000
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.seconds(middle) < seconds else (low, middle)
        return low

    def milestones(self) -> tuple[float, float]:
        """Seconds until first shapes show and until it is a good look; larger pictures take more looking at."""
        harder = max(1.0, self.size / 64) ** 0.5
        return self.seconds(SHAPES_KIMG * harder), self.seconds(LOOK_KIMG * harder)

    def sentence(self) -> str:
        """The verdict in plain words."""
        device = launch.device_words(self.device)
        if not self.fits:
            need, free = self.memory / 1e9, self.memory_free / 1e9
            return (
                f"{self.size} px on this {device}: no. A step needs {need:.1f} GB of memory, and {free:.1f} GB "
                "are free. Choose smaller pictures or a smaller network."
            )
        shapes, look = map(duration, self.milestones())
        if self.verdict() == "no":
            return (
                f"{self.size} px on this {device}: no. A good look would take {look}. Choose smaller pictures, a "
                "smaller network, or a computer with a graphics card."
            )
        word = "yes" if self.verdict() == "yes" else "with patience"
        return f"{self.size} px on this {device}: {word}. First shapes after {shapes}, a good look after {look}."

    def verdict(self) -> str:
        """ "yes", "patience" or "no"."""
        _, look = self.milestones()
        if not self.fits or look > PATIENCE[1]:
            return "no"
        return "yes" if look <= PATIENCE[0] else "patience"


def duration(seconds: float) -> str:
    """ "about 12 min", the way one says it."""
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"about {seconds / 3600:.1f} h".replace(".0 h", " h")
    return f"about {seconds / 86400:.0f} days"


# --- asking for it


def path_for(settings: TrainConfig) -> Path:
    """Where the forecast for such a training is kept."""
    values = [config.to_dict(_as_measured(settings)), FORECAST_VERSION, metadata.version("torch")]
    key = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:24]
    return workspace.folder("forecasts") / f"{key}.json"


def _as_measured(settings: TrainConfig) -> TrainConfig:
    """The settings with those left out that a step takes no longer for."""
    return dataclasses.replace(settings, **{name: getattr(TrainConfig, name) for name in FREE})


def known(settings: TrainConfig) -> Forecast | None:
    """The forecast where it was measured before; raises RunError with the sentence of one that failed,
    TooLargeError where that was for want of memory."""
    path = path_for(settings)
    values = read_json(path)
    if values is None or values.get("version") != FORECAST_VERSION:
        return None
    try:
        found = None if "error" in values else Forecast(**values)
    except TypeError:
        return None  # of other fields: it was damaged
    age = time.time() - path.stat().st_mtime
    if age > KEPT_SECONDS or (age > MEMORY_SECONDS and (found is None or not found.fits)):
        return None  # there may be another card by now; or more memory
    if found is None:
        raise (TooLargeError if values.get("memory") else RunError)(str(values["error"]))
    return found


def under_way(settings: TrainConfig) -> bool:
    """Whether it is being measured now."""
    try:
        age = time.time() - path_for(settings).with_suffix(".request").stat().st_mtime
    except OSError:
        return False
    return abs(age) < MOST_SECONDS  # of the future: the wall clock was put back


def begin(settings: TrainConfig) -> subprocess.Popen:
    """Start to measure; `known` tells the result in some seconds. Raises BusyError where the device trains."""
    launch.refuse_if_busy(settings.device)
    path = path_for(settings)
    request = path.with_suffix(".request")
    write_json(request, config.to_dict(_as_measured(settings)))
    return detached.start("ganart.trial", request)


def ask(settings: TrainConfig) -> Forecast:
    """Measure now, unless that was done before, and wait for it. Raises BusyError or RunError."""
    if (found := known(settings)) is not None:
        return found
    while under_way(settings):  # for a page or another command
        time.sleep(0.2)
    if (found := known(settings)) is not None:
        return found
    begin(settings).wait()
    if (found := known(settings)) is None:
        raise RunError("The forecast could not be measured. Start the training and look at its speed.")
    return found
