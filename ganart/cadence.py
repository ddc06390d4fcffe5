"""When things are due in a training: sheets, looks at its health, checkpoints. Imports no torch."""

import math
from dataclasses import dataclass

# Each a pair (least, share): due after every `least` pictures at first, then ever wider apart, by a share of what
# was seen, as there is less and less new to see.
SHEETS = (500, 1 / 25)


def figures(device: str, batch: int) -> tuple[float, float]:
    """Of the lines of figures: a graphics card waits while they are read. They thin out, so that weeks of a
    training are some thousand lines; the server of the pages has them all in memory."""
    return batch * (50 if device == "cuda" else 10), 1 / 500


def looks(device: str) -> tuple[float, float]:
    """Of the signs of health: a graphics card sees a thousand pictures in a blink."""
    return (5_000 if device == "cuda" else 1_000), 1 / 16


def checkpoints(device: str) -> tuple[float, float]:
    """Of the generators and states that are kept."""
    return (20_000 if device == "cuda" else 2_000), 1 / 8


@dataclass
class Cadence:
    """Something that is due again and again; `at` is the step at which it is due next."""

    batch: int
    rhythm: tuple[float, float]
    at: int = 0

    def due(self, step: int) -> bool:
        """Whether it is due at this step; each time is told once."""
        if step < self.at:
            return False
        least, share = self.rhythm
        while self.at <= step:
            self.at += max(1, math.ceil(max(least, self.at * self.batch * share) / self.batch))
        return True


def times(seen: float, rhythm: tuple[float, float]) -> float:
    """About how often something is due while `seen` pictures are seen."""
    least, share = rhythm
    even = least / share  # up to here the least counts
    return seen / least if seen <= even else even / least + math.log(seen / even) / math.log1p(share)
