"""Bad input: one message with the call as typed, the rule, the value and the remedy."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from stepsize import (
    Absolute,
    Constant,
    Cosine,
    ExpHyperbolic,
    Exponential,
    Function,
    Hold,
    Hyperbolic,
    InversePower,
    InverseSqrt,
    Linear,
    LogWarmup,
    MultiStep,
    Noise,
    Polynomial,
    Power,
    RectifiedWarmup,
    Rex,
    Schedule,
    Step,
    Table,
    Tanh,
    Triangular,
    Warmup,
    cyclic,
    linear_to_zero,
    noam,
    one_cycle,
    warmup_cosine,
    wsd,
)
from stepsize.checks import number_ranges
from stepsize.errors import EndlessSchedule, InvalidType, InvalidValue, StepsizeError
from stepsize.schedules.text import known_names
from stepsize.words import shortened

LINE = Linear(10)

# For each number that can be given: how to give it, and how the call is typed.
Give = Callable[[Any], Schedule]
NUMBERS: Mapping[str, Give] = {
    "Constant value": Constant,
    "Hold steps": Hold,
    "Hold value": lambda x: Hold(3, value=x),
    "Linear steps": Linear,
    "Linear start": lambda x: Linear(3, start=x),
    "Linear end": lambda x: Linear(3, end=x),
    "Cosine steps": Cosine,
    "Cosine start": lambda x: Cosine(3, start=x),
    "Cosine end": lambda x: Cosine(3, end=x),
    "Polynomial steps": lambda x: Polynomial(x, 2),
    "Polynomial power": lambda x: Polynomial(3, x),
    "Polynomial start": lambda x: Polynomial(3, 2, start=x),
    "Polynomial end": lambda x: Polynomial(3, 2, end=x),
    "Power steps": lambda x: Power(x, 2),
    "Power power": lambda x: Power(3, x),
    "Power start": lambda x: Power(3, 2, start=x),
    "Power end": lambda x: Power(3, 2, end=x),
    "Cosine power": lambda x: Cosine(3, power=x),
    "Cosine k": lambda x: Cosine(3, k=x),
    "Polynomial k": lambda x: Polynomial(3, 2, k=x),
    "InversePower steps": lambda x: InversePower(x, 1),
    "InversePower power": lambda x: InversePower(3, x),
    "Tanh steps": Tanh,
    "Tanh lower": lambda x: Tanh(3, lower=x),
    "Tanh upper": lambda x: Tanh(3, upper=x),
    "Tanh start": lambda x: Tanh(3, start=x),
    "Tanh end": lambda x: Tanh(3, end=x),
    "Rex steps": Rex,
    "Rex d": lambda x: Rex(3, d=x),
    "Rex start": lambda x: Rex(3, start=x),
    "Rex end": lambda x: Rex(3, end=x),
    "Hyperbolic steps": lambda x: Hyperbolic(x, 9),
    "Hyperbolic bound": lambda x: Hyperbolic(0, x),
    "Hyperbolic start": lambda x: Hyperbolic(3, 9, start=x),
    "Hyperbolic end": lambda x: Hyperbolic(3, 9, end=x),
    "ExpHyperbolic steps": lambda x: ExpHyperbolic(x, 9),
    "ExpHyperbolic bound": lambda x: ExpHyperbolic(0, x),
    "ExpHyperbolic start": lambda x: ExpHyperbolic(3, 9, start=x),
    "ExpHyperbolic end": lambda x: ExpHyperbolic(3, 9, end=x),
    "LogWarmup steps": LogWarmup,
    "LogWarmup start": lambda x: LogWarmup(3, start=x),
    "RectifiedWarmup beta2": RectifiedWarmup,
    "Noise spread": Noise,
    "Noise seed": lambda x: Noise(0.1, seed=x),
    "Noise every": lambda x: Noise(0.1, every=x),
    "noam model_size": lambda x: noam(x, 9),
    "noam warmup": lambda x: noam(9, x),
    "noam scale": lambda x: noam(9, 9, scale=x),
    "per_epoch steps": LINE.per_epoch,
    "Warmup steps": Warmup,
    "Warmup start": lambda x: Warmup(3, start=x),
    "Step every": lambda x: Step(x, 0.1),
    "Step factor": lambda x: Step(3, x),
    "Exponential factor": Exponential,
    "Exponential every": lambda x: Exponential(0.9, every=x),
    "InverseSqrt steps": InverseSqrt,
    "Triangular up": Triangular,
    "Triangular down": lambda x: Triangular(3, down=x),
    "Triangular low": lambda x: Triangular(3, low=x),
    "Triangular high": lambda x: Triangular(3, high=x),
    "Function steps": lambda x: Function(math.cos, steps=x),
    "MultiStep each position": lambda x: MultiStep({x: 0.1}),
    "MultiStep each factor": lambda x: MultiStep({3: x}),
    "Table steps": lambda x: Table([[3, 1], [x, 1]]),
    "Table value": lambda x: Table([[3, 1], [3, x]]),
    "over total": LINE.over,
    "skip steps": LINE.skip,
    "until steps": LINE.until,
    "repeat times": LINE.repeat,
    "repeat stretch": lambda x: LINE.repeat(stretch=x),
    "repeat shrink": lambda x: LINE.repeat(shrink=x),
    "clip low": lambda x: LINE.clip(low=x, high=9),
    "clip high": lambda x: LINE.clip(low=-9, high=x),
    "staircase every": LINE.staircase,
    "warmup_cosine total": warmup_cosine,
    "warmup_cosine warmup": lambda x: warmup_cosine(9, warmup=x),
    "warmup_cosine end": lambda x: warmup_cosine(9, end=x),
    "warmup_cosine num_cycles": lambda x: warmup_cosine(9, num_cycles=x),
    "wsd total": lambda x: wsd(x, 0, 0),
    "wsd warmup": lambda x: wsd(9, x, 0),
    "wsd cooldown": lambda x: wsd(9, 0, x),
    "wsd end": lambda x: wsd(9, 0, 0, end=x),
    "linear_to_zero total": linear_to_zero,
    "linear_to_zero warmup": lambda x: linear_to_zero(9, warmup=x),
    "one_cycle total": one_cycle,
    "one_cycle rise": lambda x: one_cycle(9, rise=x),
    "one_cycle start": lambda x: one_cycle(9, start=x),
    "one_cycle end": lambda x: one_cycle(9, end=x),
    "cyclic up": cyclic,
    "cyclic down": lambda x: cyclic(3, down=x),
    "cyclic low": lambda x: cyclic(3, low=x),
    "cyclic high": lambda x: cyclic(3, high=x),
    "cyclic shrink": lambda x: cyclic(3, shrink=x),
    "cyclic factor": lambda x: cyclic(3, factor=x),
}
MAY_BE_MISSING = {
    "Triangular down",
    "cyclic down",
    "Function steps",
    "repeat times",
    "clip low",
    "clip high",
}
MAY_BE_NEGATIVE = {"value", "start", "end", "low", "high", "lower", "upper", "scale"}
MAY_NOT_BE_ZERO = {
    "Polynomial power",
    "Power power",
    "Cosine power",
    "Cosine k",
    "Polynomial k",
    "InversePower steps",
    "InversePower power",
    "Hyperbolic bound",
    "ExpHyperbolic bound",
    "ExpHyperbolic start",
    "ExpHyperbolic end",
    "RectifiedWarmup beta2",
    "Noise every",
    "noam model_size",
    "noam warmup",
    "per_epoch steps",
    "Step every",
    "Exponential factor",
    "Exponential every",
    "InverseSqrt steps",
    "MultiStep each position",
    "over total",
    "repeat times",
    "repeat stretch",
    "staircase every",
    "warmup_cosine total",
    "warmup_cosine num_cycles",
    "wsd total",
    "linear_to_zero total",
    "one_cycle total",
    "cyclic up",
    "cyclic factor",
}

MUST_BE_BELOW_ONE = {"Rex d", "RectifiedWarmup beta2"}

numbers = pytest.mark.parametrize("number", NUMBERS)


def test_every_number_of_every_class_and_recipe_is_tried() -> None:
    for name, make in known_names().items():
        tried = {number.partition(" ")[2] for number in NUMBERS if number.startswith(f"{name} ")}
        if isinstance(make, type):
            ranges = number_ranges(make)
            assert tried >= {each.name for each in fields(make) if each.name in ranges}
        else:
            assert tried == set(inspect.signature(make).parameters)


def assert_refused(number: str, value: Any, kind: type[StepsizeError]) -> None:
    call, _, name = number.partition(" ")
    with pytest.raises(kind) as refused:
        NUMBERS[number](value)
    message = str(refused.value)
    assert f"{call}(" in message.partition(": ")[0]
    assert f"{name} " in message
    assert "must be" in message
    assert shortened(f"is {value!r}", 200) in message
    assert message.rstrip().endswith(".")


@numbers
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 10**400, -(10**400), 1e31], ids=str
)
def test_a_number_that_is_not_finite_or_far_too_large_is_refused(number: str, value: float) -> None:
    assert_refused(number, value, InvalidValue)


@numbers
@pytest.mark.parametrize("value", [True, False, "3", "", b"3", 3j, [3], (3,), object], ids=repr)
def test_what_is_no_number_is_refused(number: str, value: Any) -> None:
    if number == "MultiStep each position" and value == [3]:
        return  # Python itself refuses it as a key.
    assert_refused(number, value, InvalidType)


@pytest.mark.parametrize("number", sorted(NUMBERS.keys() - MAY_BE_MISSING))
def test_a_missing_number_is_refused(number: str) -> None:
    assert_refused(number, None, InvalidType)


@pytest.mark.parametrize(
    "number", [each for each in NUMBERS if each.split()[-1] not in MAY_BE_NEGATIVE]
)
@pytest.mark.parametrize("value", [-1, -1e-9, np.float32(-2)])
def test_a_negative_number_is_refused_where_it_has_no_meaning(number: str, value: float) -> None:
    call, _, name = number.partition(" ")
    with pytest.raises(InvalidValue, match=f"{call}.*{name}.* must be .*, but is"):
        NUMBERS[number](value)


@pytest.mark.parametrize("number", sorted(MAY_NOT_BE_ZERO))
def test_zero_is_refused_where_it_has_no_meaning(number: str) -> None:
    with pytest.raises(InvalidValue, match=r"must .* 0"):
        NUMBERS[number](0)


@pytest.mark.parametrize("number", sorted(NUMBERS.keys() - MAY_NOT_BE_ZERO))
def test_zero_is_taken_where_it_has_a_meaning(number: str) -> None:
    assert isinstance(NUMBERS[number](0), Schedule)


@numbers
def test_numbers_of_other_libraries_are_taken_as_numbers(number: str) -> None:
    ones = (1, 1.0, np.float32(1), np.int64(1), np.array(1.0))
    quarters = (0.75, np.float32(0.75), np.array(0.75))
    plain, *others = quarters if number in MUST_BE_BELOW_ONE else ones
    one = NUMBERS[number](plain)
    for value in others:
        if number == "MultiStep each position" and isinstance(value, np.ndarray):
            continue  # Python itself refuses it as a key.
        assert NUMBERS[number](value) == one
        assert repr(NUMBERS[number](value)) == repr(one)


# ------------------------------------------------------------------ operators


@pytest.mark.parametrize("operand", ["2", None, [2], np.array([1, 2]), {}, Hold], ids=repr)
def test_only_schedules_and_numbers_are_multiplied_and_added(operand: Any) -> None:
    for join in (lambda: LINE * operand, lambda: LINE + operand):
        with pytest.raises(InvalidType, match="must be a schedule or a number"):
            join()


@pytest.mark.parametrize(
    "number", [math.nan, math.inf, 10**400, -1e31], ids=["nan", "inf", "10**400", "-1e31"]
)
def test_only_finite_numbers_are_multiplied_and_added(number: float) -> None:
    for join in (lambda: LINE * number, lambda: number + LINE):
        with pytest.raises(InvalidValue, match="must be a finite number"):
            join()


def test_a_truth_is_no_number() -> None:
    with pytest.raises(InvalidType, match="must be a finite number"):
        LINE * True


@pytest.mark.parametrize("other", [3, None, "Hold(1)", Absolute(LINE)], ids=repr)
def test_only_schedules_follow_each_other(other: Any) -> None:
    for join in (lambda: LINE >> other, lambda: other >> LINE):
        with pytest.raises(InvalidType, match=r"must be a schedule, .* Hold\(steps, value\)"):
            join()


# ------------------------------------------------------------------ ends


@pytest.mark.parametrize(
    "endless", [Constant(), Step(3, 0.1), LINE.repeat(), LINE * Constant(), Function(math.cos)]
)
def test_what_needs_an_end_refuses_the_endless_and_names_the_remedy(endless: Schedule) -> None:
    needs: list[tuple[Callable[[], Schedule], str]] = [
        (lambda: endless >> LINE, f"{endless!r} >> Linear(10)"),
        (lambda: LINE >> endless >> Hold(1) >> LINE, f"{endless!r} >> Hold(1)"),
        (lambda: endless.over(10), ".over(10)"),
        (lambda: endless.repeat(3), ".repeat(3)"),
    ]
    for build, call in needs:
        with pytest.raises(EndlessSchedule) as refused:
            build()
        message = str(refused.value)
        assert call in message.partition(": ")[0]
        assert "is endless" in message
        assert ".until(steps)" in message


def test_what_stretches_refuses_a_schedule_without_length() -> None:
    for build in (
        lambda: Hold(0).over(10),
        lambda: Hold(0).repeat(3),
        lambda: LINE.skip(10).over(3),
    ):
        with pytest.raises(InvalidValue, match="has length 0"):
            build()


def test_parts_that_do_not_fit_into_the_total_are_named() -> None:
    with pytest.raises(InvalidValue, match=r"wsd\(10, .*warmup \(7\) and cooldown \(5\) must fit"):
        wsd(10, 7, 5)
    with pytest.raises(InvalidValue, match=r"linear_to_zero\(10, .*warmup \(11\) must fit"):
        linear_to_zero(10, 11)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: LINE.repeat(1.5),
            "times must be a whole number and at least 1, but is 1.5",
        ),
        (lambda: LINE.repeat(stretch=0.5), "cycles that grow shorter need times="),
        (lambda: LINE.repeat(stretch=1 + 1e-9), "at most 65,536 cycles may differ in length"),
        (lambda: LINE.repeat(10**16), "times must be .* Leave it out to repeat for ever"),
        (lambda: LINE.repeat(10**15), "must last at most 2**53 steps .* Leave times out"),
        (lambda: LINE.repeat(2_000, stretch=2), "must last at most 2**53 steps"),
        (lambda: LINE.repeat(2_000, stretch=0.5), "the last cycle must last at least 1e-9"),
        (LINE.clip, "give low=, high= or both"),
        (lambda: LINE.clip(2, 1), "low must not exceed high, but 2 > 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_that_do_not_go_together_are_refused(build: Give, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        build()  # type: ignore[call-arg]
    for part in message.split(" .* "):
        assert part in str(refused.value)
    assert "Linear(10)." in str(refused.value)


# ------------------------------------------------------------------ lists, mappings, functions


@pytest.mark.parametrize(
    "rows",
    [None, 3, "ab", [], [1, 2], [[1]], [[1, 2], [3]], [[1, 2, 3]], {1: 2}, ["ab"], [None]],
    ids=repr,
)
def test_a_table_takes_pairs_only(rows: Any) -> None:
    with pytest.raises(InvalidType, match=r"Table\(.*list of \[steps, value\] pairs.*Example"):
        Table(rows)


@pytest.mark.parametrize("factors", [None, 3, {}, [(1, 2)], "ab"], ids=repr)
def test_a_multi_step_takes_a_mapping_only(factors: Any) -> None:
    with pytest.raises(InvalidType, match=r"MultiStep\(.*mapping \{position: factor\}.*Example"):
        MultiStep(factors)


@pytest.mark.parametrize("function", [None, 3, [math.cos]], ids=repr)
def test_a_function_must_be_callable(function: Any) -> None:
    with pytest.raises(InvalidType, match="function must be callable"):
        Function(function)


def test_the_name_of_no_function_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidValue, match=r"no function is registered.*@schedule_function"):
        Function("test-errors.nobody")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_function_that_gives_no_finite_value_is_named_with_the_position(value: float) -> None:
    with pytest.raises(InvalidValue, match=r"value at position 3 is (nan|inf)"):
        Function(lambda t: value)(3)


@pytest.mark.parametrize("marked", [None, 3, "Hold(1)", Absolute(LINE)], ids=repr)
def test_absolute_marks_a_schedule_only(marked: Any) -> None:
    with pytest.raises(InvalidType, match="marks one whole schedule"):
        Absolute(marked)


# ------------------------------------------------------------------ positions and counts


@pytest.mark.parametrize("t", [math.nan, math.inf, -math.inf])
def test_a_position_must_be_finite(t: float) -> None:
    with pytest.raises(InvalidValue, match="position must be finite"):
        LINE(t)


@pytest.mark.parametrize("n", [-1, 1.5, math.nan, math.inf])
def test_a_count_of_values_is_a_whole_number(n: float) -> None:
    with pytest.raises(InvalidValue, match=r"schedule\.values\(.*n must be"):
        LINE.values(n)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [None, "3", True, [3]], ids=repr)
def test_a_count_of_values_is_a_number(n: Any) -> None:
    with pytest.raises(InvalidType, match="n must be"):
        LINE.values(n)


def test_each_error_is_also_the_builtin_one_that_one_would_catch() -> None:
    with pytest.raises(ValueError, match="steps must be"):
        Hold(-1)
    with pytest.raises(TypeError, match="steps must be"):
        Hold("3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="endless"):
        Constant() >> LINE
