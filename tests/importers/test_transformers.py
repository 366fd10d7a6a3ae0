"""``from_transformers``: the formulas of transformers 5.23, copied from its ``optimization.py``.

That its own code gives the same is tested where it is installed, by ``make oracle``.
"""

import enum
from math import cos, pi, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Constant, InvalidType, InvalidValue
from stepsize.importers import from_transformers

RATE = 0.01


def published(name: str, t: int, warmup: int, total: int, **given: Any) -> float:
    """What transformers multiplies the base rate by at step t."""
    progress = (t - warmup) / max(1, total - warmup)
    waves = 2 * pi * given.get("num_cycles", 0.5)
    floor = given.get("min_lr_rate", given.get("min_lr", 0) / RATE)
    if name == "cosine_warmup_with_min_lr":
        if t < warmup:
            start = given.get("warmup_lr_rate")
            if start is None:
                return (t + 1) / max(1, warmup)
            return start + (1 - start) * t / max(1, warmup - 1)
        progress = (t - warmup + 1) / max(1, total - warmup)
        return max(0, 0.5 * (1 + cos(waves * progress)) * (1 - floor) + floor)
    if name == "constant":
        return 1
    if t < warmup:
        return t / warmup
    match name:
        case "constant_with_warmup":
            return 1
        case "linear":
            return max(0, (total - t) / max(1, total - warmup))
        case "cosine" | "cosine_with_min_lr":
            return max(0, 0.5 * (1 + cos(waves * progress)) * (1 - floor) + floor)
        case "cosine_with_restarts":
            cycle = given.get("num_cycles", 1) * progress % 1
            return 0 if progress >= 1 else max(0, 0.5 * (1 + cos(pi * cycle)))
        case "polynomial":
            end = given.get("lr_end", 1e-7)
            if t > total:
                return end / RATE
            return ((RATE - end) * (1 - progress) ** given.get("power", 1) + end) / RATE
        case "inverse_sqrt":
            scale = given.get("timescale") or warmup or 10_000
            return 1 / sqrt((t + scale - warmup) / scale)
    raise AssertionError(name)


def assert_as_published(name: str, warmup: int, total: int, beyond: int = 0, **given: Any) -> None:
    found = from_transformers(
        name, num_warmup_steps=warmup, num_training_steps=total, lr=RATE, **given
    )
    expected = [published(name, t, warmup, total, **given) for t in range(total + beyond)]
    ours = found.schedule.values(total + beyond)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)
    assert found.base == RATE


WARMUPS = st.integers(0, 30)
RESTS = st.integers(1, 200)
CYCLES = st.one_of(st.integers(1, 9), st.floats(0.1, 5))


@given(
    st.sampled_from(["linear", "constant", "constant_with_warmup", "inverse_sqrt"]),
    WARMUPS,
    st.integers(0, 200),
)
def test_lines_and_constants_are_as_published_also_past_the_end(
    name: str, warmup: int, rest: int
) -> None:
    assert_as_published(name, warmup, warmup + rest, beyond=50)


@given(WARMUPS, RESTS, CYCLES, st.floats(0, 1))
def test_cosines_are_as_published_up_to_the_end(
    warmup: int, rest: int, cycles: float, floor: float
) -> None:
    total = warmup + rest
    assert_as_published("cosine", warmup, total)
    assert_as_published("cosine", warmup, total, num_cycles=cycles)
    floors: list[dict[str, float]] = [{"min_lr_rate": floor}, {"min_lr": floor * RATE}]
    for given_floor in floors:
        name = "cosine_with_min_lr"
        assert_as_published(name, warmup, total, num_cycles=cycles, **given_floor)
        name = "cosine_warmup_with_min_lr"
        assert_as_published(name, warmup, total, **given_floor)
        assert_as_published(name, warmup, total, warmup_lr_rate=0.1, **given_floor)


@given(WARMUPS, st.integers(1, 40), st.integers(1, 9))
def test_hard_restarts_are_as_published_also_past_the_end(
    warmup: int, length: int, cycles: int
) -> None:
    total = warmup + length * cycles
    expected = [
        published("cosine_with_restarts", t, warmup, total, num_cycles=cycles)
        for t in range(total + 20)
    ]
    # Their position in a cycle is rounded: just before a restart or just after it is the same.
    settings: Any = {"num_warmup_steps": warmup, "num_training_steps": total}
    ours = from_transformers("cosine_with_restarts", num_cycles=cycles, **settings).schedule
    restarts = warmup + length * np.arange(cycles)
    assert ours(restarts.astype(float)).tolist() == [1.0] * cycles
    elsewhere = np.setdiff1d(np.arange(total + 20), restarts)
    np.testing.assert_allclose(
        ours.values(total + 20)[elsewhere], np.array(expected)[elsewhere], rtol=0, atol=1e-12
    )


def test_a_broken_number_of_restarts_is_cut_off_at_zero() -> None:
    assert_as_published("cosine_with_restarts", 10, 107, beyond=20, num_cycles=2.5)


@given(WARMUPS, RESTS, st.floats(0.3, 4), st.floats(0, 0.99))
def test_polynomials_are_as_published_also_past_the_end(
    warmup: int, rest: int, power: float, end: float
) -> None:
    assert_as_published("polynomial", warmup, warmup + rest, 20, power=power, lr_end=end * RATE)
    assert_as_published("polynomial", warmup, warmup + rest, 20)


def test_the_inverse_root_takes_a_time_scale_of_its_own() -> None:
    assert_as_published("inverse_sqrt", 10, 100, timescale=35)
    assert_as_published("inverse_sqrt", 0, 100)


def published_wsd(t: int, warmup: int, stable: int, decay: int, **given: Any) -> float:
    floor = given["min_lr_ratio"]
    if t < warmup:
        u = t / warmup
        rise = {"linear": u, "cosine": 0.5 * (1 - cos(pi * u)), "1-sqrt": 1 - sqrt(1 - u)}
        return rise[given["warmup_type"]] * (1 - floor) + floor
    if t < warmup + stable:
        return 1
    if t >= warmup + stable + decay:
        return floor
    u = (t - warmup - stable) / decay
    wave = 0.5 * (1 + cos(2 * pi * given["num_cycles"] * u))
    fall = {"linear": 1 - u, "cosine": wave, "1-sqrt": 1 - sqrt(u)}
    return fall[given["decay_type"]] * (1 - floor) + floor


@given(
    *[st.integers(0, 30)] * 3,
    *[st.sampled_from(["linear", "cosine", "1-sqrt"])] * 2,
    st.floats(0, 1),
    st.one_of(st.just(0.5), st.floats(0.1, 3)),
)
def test_warmup_stable_decay_is_as_published_also_past_the_end(
    warmup: int, stable: int, decay: int, rise: str, fall: str, floor: float, cycles: float
) -> None:
    shape = {
        "warmup_type": rise,
        "decay_type": fall,
        "min_lr_ratio": floor,
        "num_cycles": cycles,
    }
    lengths = {"num_warmup_steps": warmup, "num_decay_steps": decay}
    total = warmup + stable + decay
    expected = [published_wsd(t, warmup, stable, decay, **shape) for t in range(total + 20)]
    for rest in ({"num_stable_steps": stable}, {"num_training_steps": total}):
        found = from_transformers("warmup_stable_decay", **lengths, **rest, **shape)
        values = found.schedule.values(total + 20)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


# ------------------------------------------------------------------ conventions and refusals


def test_past_the_end_a_cosine_holds_where_transformers_rises_again_and_says_so() -> None:
    found = from_transformers("cosine", num_warmup_steps=0, num_training_steps=10)
    assert found.schedule(15) == 0
    assert published("cosine", 15, 0, 10) == pytest.approx(0.5)
    assert found.notes == (
        "Past num_training_steps the rate of transformers rises again; here the last value holds.",
    )


def test_the_name_may_be_the_enumerations_own_member() -> None:
    class SchedulerType(enum.Enum):
        CONSTANT = "constant"

    assert from_transformers(SchedulerType.CONSTANT).schedule == Constant()  # type: ignore[arg-type]


def test_a_warmup_that_transformers_ignores_is_noted() -> None:
    assert "no effect" in from_transformers("constant", num_warmup_steps=10).notes[0]
    assert from_transformers("constant", num_warmup_steps=0, num_training_steps=9).notes == ()


@pytest.mark.parametrize("name", ["reduce_lr_on_plateau", "greedy"])
def test_a_feedback_rule_is_no_schedule_and_what_to_write_is_said(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"follows a metric.*rate\.observe\(val_loss"):
        from_transformers(name)


RUN = {"num_warmup_steps": 10, "num_training_steps": 100}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("cosin", RUN, "the name must be one of linear, cosine"),
        ("linear", {"num_warmup_steps": 10}, "'num_training_steps' is needed"),
        ("linear", {"num_training_steps": 10}, "'num_warmup_steps' is needed"),
        ("linear", {**RUN, "num_cycles": 2}, "'num_cycles' is not"),
        ("linear", {**RUN, "num_warmup_steps": -1}, "num_warmup_steps must be"),
        ("polynomial", RUN, "lr_end is a rate, and the schedule a multiple"),
        ("polynomial", {**RUN, "lr": 0.1, "lr_end": 0.1}, "lr_end must be below lr"),
        ("cosine_with_min_lr", RUN, "one of them, but neither is given"),
        ("cosine_with_min_lr", {**RUN, "min_lr": 1e-5}, "add the optimizer's rate"),
        (
            "cosine_with_min_lr",
            {**RUN, "min_lr": 1e-5, "min_lr_rate": 0.1, "lr": 0.1},
            "one of them, but both are given",
        ),
        ("warmup_stable_decay", RUN, "'num_decay_steps' is needed"),
        ("warmup_stable_decay", {**RUN, "num_decay_steps": 95}, "must fit into"),
        (
            "warmup_stable_decay",
            {**RUN, "num_decay_steps": 9, "decay_type": "steep"},
            "decay_type must be one of linear, cosine, 1-sqrt",
        ),
    ],
)
def test_what_transformers_would_not_take_is_refused_with_the_call_as_typed(
    name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        from_transformers(name, **settings)
    assert str(refusal.value).startswith(f"from_transformers({name!r}")
    assert message in str(refusal.value)


def test_a_setting_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidType, match="num_warmup_steps must be a number"):
        from_transformers("linear", num_warmup_steps="ten", num_training_steps=100)
