"""Damage done to files at random: what the tests of hostile files throw at the program."""

import random
from collections.abc import Callable

NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1_000_000, 65_537]


def _place(data: bytearray, rng: random.Random) -> int:
    """Somewhere in the file; every fourth time near its beginning, where the headers are."""
    return rng.randrange(min(len(data), 256) if rng.random() < 0.25 else len(data))


def flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def scribble(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    length = min(rng.randint(1, 64), len(data) - start)
    data[start : start + length] = rng.randbytes(length)


def number(data: bytearray, rng: random.Random) -> None:
    start, size = _place(data, rng), rng.choice([1, 2, 4])
    value = rng.choice(NUMBERS) % 256**size
    data[start : start + size] = value.to_bytes(size, rng.choice(["big", "little"]))


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def drop(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    del data[start : start + rng.randint(1, 200)]


def insert(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    data[start:start] = rng.randbytes(rng.randint(1, 200))


def repeat(data: bytearray, rng: random.Random) -> None:
    start, to = _place(data, rng), _place(data, rng)
    data[to:to] = data[start : start + rng.randint(1, 2000)]


def fill(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    length = min(rng.randint(1, 500), len(data) - start)
    data[start : start + length] = bytes([rng.choice([0, 255])]) * length


KINDS: list[Callable[[bytearray, random.Random], None]] = [
    flip,
    scribble,
    number,
    cut,
    drop,
    insert,
    repeat,
    fill,
]


def mutant(data: bytes, rng: random.Random) -> bytes:
    """A damaged copy, by one kind of damage to three."""
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 3])):
        if damaged:
            rng.choice(KINDS)(damaged, rng)
    return bytes(damaged)


# --- JSON

ODD = [
    None,
    True,
    -1,
    0,
    1.5,
    2**31,
    2**63,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "x" * 10_000,
    "../../etc/passwd",
    "\ud800",
    "<script>alert(1)</script>",
    [],
    {},
    [[[[[]]]]],
    {"a": {"b": [1]}},
    list(range(1000)),
]


def odd(values: object, rng: random.Random) -> object:
    """A copy of a JSON value in which one thing somewhere is missing, is another or is there in addition."""
    if not isinstance(values, dict | list) or not values or rng.random() < 0.15:
        return rng.choice(ODD)
    copy = values.copy()
    key = rng.choice(list(copy)) if isinstance(copy, dict) else rng.randrange(len(copy))
    chance = rng.random()
    if chance < 0.15:
        del copy[key]
    elif chance < 0.25 and isinstance(copy, dict):
        copy[rng.choice(["extra", "__class__", "version", ""])] = rng.choice(ODD)
    else:
        copy[key] = odd(copy[key], rng)
    return copy


def share(times: list[float], part: float) -> float:
    """The value under which this part of the times lie."""
    return sorted(times)[min(len(times) - 1, int(part * len(times)))]
