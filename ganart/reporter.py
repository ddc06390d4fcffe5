"""What a trainer says of itself while it works, and what it is asked to do."""

import threading
import time

from ganart.config import TrainConfig
from ganart.run import Run, Status
from ganart.training import Training


class Reporter:
    """Keeps status.json fresh, once a second, and knows what was asked for: control.json or a signal."""

    def __init__(
        self,
        target: Run,
        settings: TrainConfig,
        ended: threading.Event,
        note: str = "",
        at_collapse: str = "stop",
    ) -> None:
        self.run, self.settings = target, settings
        self.at_collapse = at_collapse  # what a collapse asks for
        self.ended = ended  # set by Ctrl-C and by the system's request to end
        self.note = note  # what the artist should know of this run
        self.alarm = ""  # and what is urgent
        self.last_write = 0.0
        self.speed = 0.0  # pictures a second, smoothed
        self.control, self.control_seen = "run", (-1, -1)

    def follow(self, training: Training) -> None:
        """Report on this training from here on."""
        self.training = training
        self.last_step, self.last_time = training.step, time.monotonic()

    def requested(self) -> str:
        """ "run", "pause" or "stop"; reads the file only when it has changed."""
        if self.ended.is_set():
            return "stop"
        try:
            facts = (self.run.folder / "control.json").stat()
        except OSError:
            return self.control
        seen = (facts.st_mtime_ns, facts.st_ino)  # a replaced file is another one even within a clock's tick
        if seen != self.control_seen and (request := self.run.requested()):
            self.control, self.control_seen = request, seen
        return self.control

    def tick(self, state: str = "running", *, now: bool = False) -> None:
        """Write the status if a second has passed, or `now`."""
        clock = time.monotonic()
        if not now and clock - self.last_write < 1.0:
            return
        self._measure(clock, state)
        batch, left = self.settings.batch, self.settings.total_steps - self.training.step
        self.run.write_status(
            Status(
                state=state,
                step=self.training.step,
                kimg=self.training.step * batch / 1000,
                total_kimg=self.settings.total_steps * batch / 1000,
                images_per_second=round(self.speed, 2),
                eta_seconds=round(left * batch / self.speed) if self.speed and state == "running" else None,
                device=self.settings.device,
                dtype=self.training.choices.get("dtype", ""),
                note=self.alarm or self.note,
            )
        )
        self.last_write = clock

    def _measure(self, clock: float, state: str) -> None:
        steps, seconds = self.training.step - self.last_step, clock - self.last_time
        if state != "running":
            self.last_step, self.last_time = self.training.step, clock  # a pause is not slow training
        elif steps and seconds >= 0.9:
            speed = steps * self.settings.batch / seconds
            self.speed = speed if not self.speed else 0.8 * self.speed + 0.2 * speed
            self.last_step, self.last_time = self.training.step, clock
