"""The exam itself: it tries everything that parse knows, and it notices what is broken."""

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import find, settings

from stepsize import Cosine, Hold, Phase, Schedule, Warmup
from stepsize.schedules.algebra import (
    Clipped,
    Product,
    Repeated,
    Skipped,
    Staircase,
    Stretched,
    Sum,
    Then,
    Until,
)
from stepsize.schedules.expression import expression
from stepsize.schedules.text import known_names
from stepsize.testing.schedules import Library, any_schedule, check_schedule, schedules_named

SCHEDULE = Warmup(5) >> Cosine(20, end=0.1)
UNSHRUNK = settings(phases=[hypothesis.Phase.generate], max_examples=10_000)


@pytest.mark.parametrize("name", known_names())
def test_every_class_and_recipe_is_tried(name: str) -> None:
    check_schedule(find(schedules_named(name), lambda _: True, settings=UNSHRUNK))


@pytest.mark.parametrize(
    "kind", [Then, Product, Sum, Stretched, Skipped, Until, Repeated, Clipped, Staircase]
)
def test_every_operator_and_method_is_tried(kind: type[Schedule]) -> None:
    found = find(any_schedule(), lambda schedule: isinstance(schedule, kind), settings=UNSHRUNK)
    check_schedule(found)


@expression
class Restless(Hold):
    def _at(self, t: Any, ops: Any) -> Any:
        return t


@expression
class Nowhere(Hold):
    def _at(self, t: Any, ops: Any) -> Any:
        return ops.where(t < 3, 1.0, float("inf"))


class Open(Hold):
    __setattr__ = object.__setattr__


@expression
class Forgetful(Hold):
    def __reduce__(self) -> Any:
        return Hold, (self.steps,)


@expression
class Gapped(Hold):
    def _phases(self, horizon: float) -> Any:
        for name, start, end in (Hold(2) >> Hold(3))._phases(horizon):
            yield Phase(name, start, end - 1)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Restless(10), "past the end the last value holds"),
        (Nowhere(10), "gave inf"),
        (Open(10), "immutable"),
        (Forgetful(10, value=2), "came back as"),
        (Gapped(10), "phases leave a gap"),
    ],
)
def test_the_exam_notices_a_schedule_that_breaks_a_promise(broken: Schedule, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_schedule(broken)


def shifted(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(t + t.dtype.type(0.001))


def rounded(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(t.astype(np.float32)).astype(t.dtype)


def widened(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(t.astype(np.float64))


def flat(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(t)[None]


def right(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return schedule(t)


def no_slope(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    return np.full_like(t, np.nan)


@pytest.mark.parametrize(
    ("library", "promise"),
    [
        (Library("a shifted one", shifted), "should be"),
        (Library("a rounded one", rounded), "should be"),
        (Library("a widened one", widened), "float32 became float64"),
        (Library("a reshaped one", flat), "shape"),
        (Library("one without slopes", right, no_slope), "slope"),
    ],
)
def test_the_exam_notices_a_library_that_disagrees(library: Library, promise: str) -> None:
    check_schedule(SCHEDULE, [Library("right", right)])
    with pytest.raises(AssertionError, match=f"in {library.name}.*{promise}"):
        check_schedule(SCHEDULE, [library])
