"""What settings check themselves with. Imports no torch."""

import dataclasses

from ganart.errors import InputError


def need(condition: bool, sentence: str) -> None:
    """Raises InputError with the sentence where the condition does not hold."""
    if not condition:
        raise InputError(sentence)


def whole(value: object, low: int, high: int) -> bool:
    """Whether it is a whole number in the range."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def number(value: object, low: float, high: float) -> bool:
    """Whether it is a number in the range; nan and the infinities lie in none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def told(value: object) -> str:
    """A value as it is told in a sentence: its beginning, where a file holds thousands of letters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises InputError where the setting of this name is none of the choices."""
    need(value in choices, f"{name} is {told(value)}. It must be {' or '.join(f'“{c}”' for c in choices)}.")


def checked_keys(cls: type, values: object) -> dict:
    """JSON values for a dataclass, as they are; raises InputError where they are no object or hold other keys."""
    if not isinstance(values, dict):
        raise InputError(f"A {cls.__name__} is a JSON object, but {type(values).__name__} was found.")
    known = {f.name for f in dataclasses.fields(cls)}
    if unknown := sorted(map(str, set(values) - known)):
        raise InputError(
            f"Unknown settings: {', '.join(unknown)[:80]}. The file is of a newer ganart, or was changed by hand."
        )
    return values
