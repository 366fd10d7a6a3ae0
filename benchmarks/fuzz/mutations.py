"""Valid inputs, damaged: bit by bit, piece by piece, or with parts of others put in."""

import re
from collections.abc import Sequence
from random import Random
from typing import Any

__all__ = ["mutated_bytes", "mutated_value", "random_bytes", "with_other_numbers"]

NUMBER = re.compile(rb"\d+(\.\d+)?(e-?\d+)?")
NUMBERS = (b"0", b"1", b"2", b"-1", b"0.5", b"1e-9", b"1e9", b"7ep", b"0.3dur", b"9007199254740993")

PIECES = (
    *(
        b"\0",
        b"\x1b[2J",
        b"\r\n",
        b"\xff\xfe",
        b"\xe2\x80\xae",
        b"NaN",
        b"1e999",
        b"-1",
        b"9" * 400,
    ),
    *(b"(" * 70, b"[" * 70, b"{", b"}", b'"', b"'", b":", b",", b">>", b"*", b"&a *a", b"!!python"),
    *(b"null", b"true", b"inf", b"-0.0", b"0.1dur", b"10ep", b"__import__", b"\\ud800", b"#", b"="),
)
VALUES: Sequence[Any] = (
    *(None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**400, -1e-300, "", "x", "\x1b[2J"),
    *([], {}, [[]], {"a": {}}, "1e999", "Cosine(10)", [1, 2, 3], "auto", 2**53, 0.5),
)


def random_bytes(random: Random) -> bytes:
    """Pieces and noise."""
    return b"".join(
        random.choice(PIECES) if random.random() < 0.7 else random.randbytes(random.randrange(8))
        for _ in range(random.randrange(1, 30))
    )


def mutated_bytes(random: Random, valid: bytes, others: Sequence[bytes]) -> bytes:
    """``valid`` after one to four changes."""
    content = bytearray(valid)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        _change(random, content, others)
    return bytes(content)


def _change(random: Random, content: bytearray, others: Sequence[bytes]) -> None:
    at = random.randrange(len(content) + 1)
    end = min(len(content), at + random.choice((1, 1, 4, 16, 200)))
    match random.randrange(6):
        case 0 if content:
            content[at % len(content)] ^= 1 << random.randrange(8)
        case 1:
            content[at:at] = random.choice(PIECES)
        case 2:
            del content[at:end]
        case 3:
            content[at:at] = content[at:end]
        case 4:
            other = random.choice(others)
            start = random.randrange(len(other) + 1)
            content[at:end] = other[start : start + random.randrange(1, 200)]
        case _:
            content[at:end] = random.choice(PIECES)


def with_other_numbers(random: Random, valid: bytes) -> bytes:
    """``valid`` with one or two of its numbers exchanged."""
    places = list(NUMBER.finditer(valid))
    content = valid
    for place in sorted(random.sample(places, min(len(places), random.choice((1, 2)))), key=_end):
        content = content.replace(place[0], random.choice(NUMBERS), 1)
    return content


def _end(place: re.Match[bytes]) -> int:
    return -place.end()


def mutated_value(random: Random, value: Any) -> Any:
    """Plain data with one of its parts exchanged, left out, or put elsewhere."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        changed = dict(value)
        key = random.choice(list(changed))
        if random.random() < 0.1:
            del changed[key]
        elif random.random() < 0.1:
            changed[random.choice(("x", "", "version", "lr"))] = changed[key]
        else:
            changed[key] = mutated_value(random, changed[key])
        return changed
    if isinstance(value, list) and value and random.random() < 0.85:
        changed = list(value)
        place = random.randrange(len(changed))
        if random.random() < 0.15:
            del changed[place]
        else:
            changed[place] = mutated_value(random, changed[place])
        return changed
    if isinstance(value, int | float) and random.random() < 0.3:
        return random.choice((value + 1, -value, value * 1e6, str(value), [value]))
    return random.choice(VALUES)
