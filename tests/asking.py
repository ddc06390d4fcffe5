"""A training that is asked to pause or to stop at a step, by itself: so that no test depends on who is quicker."""

import sys
from collections.abc import Callable

from ganart import train


def asking(tick: Callable, step: int, request: str) -> Callable:
    """`Reporter.tick` that, when this step is done, asks the training to "pause" or "stop"."""

    def tick_and_ask(self, state: str = "running", *, now: bool = False) -> None:
        if state == "running" and self.training.step == step:
            self.run.request(request)
        tick(self, state, now=now)

    return tick_and_ask


if __name__ == "__main__":
    step, request = sys.argv[2:]
    train.Reporter.tick = asking(train.Reporter.tick, int(step), request)
    sys.exit(train.main())  # in the folder that is named first
