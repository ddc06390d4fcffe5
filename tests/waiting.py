"""Waiting for what other processes do, and pages, in tests."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator

STILL = """([visit, hold]) => {
  const runs = document.querySelector('[data-testid=stApp]')?.dataset.testScriptState !== 'notRunning'
    || document.querySelector('[data-stale=true]')
    || ![...document.images].every(image => image.complete)
    || ![...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].every(each => each.shadowRoot)
    || document.getAnimations().some(
      each => each.playState === 'running' && each.effect.getTiming().iterations <= 9);
  if (runs || window.still?.visit !== visit) window.still = {visit, since: performance.now()};
  return !runs && performance.now() - window.still.since >= hold;
}"""
VISITS = itertools.count()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until it holds; fails where it does not come to pass in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@contextlib.contextmanager
def file_chooser(page) -> Iterator[object]:
    """For the chooser that opens meanwhile; it is in `.value`. The page answers first: a busy browser takes a key
    or a click before the wish to be told of choosers, and the chooser then opens where no test sees it."""
    with page.expect_file_chooser() as chooser:
        page.evaluate("null")
        yield chooser


def until_still(page, hold: float = 0.0) -> None:
    """Until a page of the app has run, its pictures are there and nothing fades; and until it has stayed so for
    `hold` seconds, since what a click sets going does not begin in the same moment."""
    page.wait_for_function(STILL, arg=[next(VISITS), 1000 * hold])
