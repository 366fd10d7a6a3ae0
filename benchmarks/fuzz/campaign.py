"""The inputs of one target: each is made from a number, so that a failure can be shown again."""

import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from stepsize.errors import StepsizeError

__all__ = ["Broken", "Report", "Target", "attempt", "run_campaign"]

HANG_SECONDS = 0.5
LONGEST_SECONDS = 10
MOST_EXAMPLES = 5


class Broken(Exception):
    """A promise was broken: a wrong round trip, or a raw escape."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(kind, what)
        self.kind = kind


class _TooLong(BaseException):
    """An input is given up."""


@dataclass(frozen=True)
class Target:
    """Something that reads from outside.

    Args:
        name: What it is called.
        make: An input from chance; half of them are mutations of valid ones.
        read: Reads it, in a folder of its own. It may refuse with a ``StepsizeError``.
    """

    name: str
    make: Callable[[Random], Any]
    read: Callable[[Any, Path], None]


@dataclass
class Report:
    """What became of a target's inputs."""

    target: str
    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    broken: Counter[str] = field(default_factory=Counter[str])
    examples: list[str] = field(default_factory=list[str])

    def add(self, other: "Report") -> None:
        """Take what another process found."""
        self.inputs += other.inputs
        self.accepted += other.accepted
        self.seconds += other.seconds
        self.broken.update(other.broken)
        self.examples = [*self.examples, *other.examples][:MOST_EXAMPLES]


def run_campaign(target: Target, numbers: Sequence[int], seed: int) -> Report:
    """Try the inputs of these numbers."""
    report = Report(target.name)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in numbers:
            _count(report, target, number, seed, Path(folder))
    report.seconds = time.perf_counter() - began
    return report


def _count(report: Report, target: Target, number: int, seed: int, folder: Path) -> None:
    report.inputs += 1
    began = time.process_time()
    kind = what = ""
    try:
        with _limited():
            report.accepted += attempt(target, number, seed, folder)
    except _TooLong:
        kind = "hangs"
    except Broken as error:
        kind, what = error.kind, error.args[1]
    except Exception:
        kind, what = "foreign errors", traceback.format_exc(limit=-4)
    if not kind and time.process_time() - began > HANG_SECONDS:
        kind, what = "hangs", f"{time.process_time() - began:.2f} s"
    if kind:
        report.broken[kind] += 1
        if len(report.examples) < MOST_EXAMPLES:
            report.examples.append(f"{target.name} --only {number} --seed {seed}: {kind} {what}")


def attempt(target: Target, number: int, seed: int, folder: Path) -> bool:
    """Whether the input of this number is accepted, and not refused.

    Raises:
        Exception: A promise was broken.
    """
    made = target.make(Random(f"{seed} {target.name} {number}"))
    try:
        target.read(made, folder)
    except StepsizeError as error:
        if len(str(error)) > 700:
            raise Broken("long messages", str(error)) from error
        return False
    return True


@contextmanager
def _limited() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
