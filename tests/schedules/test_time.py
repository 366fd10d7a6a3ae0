"""A run's own units in optimizer steps, and how many of them a run takes."""

import math
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from stepsize import Cosine, Horizon, InvalidType, InvalidValue, Warmup, parse, total_steps

COUNTS = st.integers(1, 2**20)
HORIZONS = st.builds(
    Horizon,
    steps=COUNTS,
    steps_per_epoch=COUNTS | st.integers(1, 4_000).map(lambda quarters: quarters / 4),
    tokens_per_step=COUNTS,
    samples_per_step=COUNTS,
)
DECIMALS = st.decimals(0, 1_000, places=3, allow_nan=False)


# ------------------------------------------------------------------ durations


@given(HORIZONS, DECIMALS)
def test_a_duration_is_the_exact_product_or_quotient_rounded_once(
    horizon: Any, number: Any
) -> None:
    exact = {
        "ep": Fraction(number) * Fraction(horizon.steps_per_epoch),
        "ba": Fraction(number),
        "sp": Fraction(number) / Fraction(horizon.samples_per_step),
        "tok": Fraction(number) / Fraction(horizon.tokens_per_step),
        "dur": Fraction(number) * Fraction(horizon.steps),
    }
    for unit, wanted in exact.items():
        steps = horizon.steps_in(f"{number:f}{unit}")
        assert steps == float(wanted)
        assert isinstance(steps, int) == (wanted.denominator == 1)


@given(st.integers(0, 2**53))
def test_a_whole_number_of_steps_is_kept_to_the_last_digit(steps: int) -> None:
    assert Horizon().steps_in(f"{steps}ba") == steps
    assert Horizon(steps=max(steps, 1)).steps_in("1dur") == max(steps, 1)


@pytest.mark.parametrize(
    ("duration", "horizon", "steps"),
    [
        ("0.07dur", Horizon(steps=100), 7),  # 0.07 * 100 is 7.000000000000001
        ("10ep", Horizon(steps_per_epoch=0.1), 1),
        ("1e9tok", Horizon(tokens_per_step=4096), 244140.625),
        ("1e6sp", Horizon(samples_per_step=3), 1e6 / 3),
        ("1e-400ep", Horizon(steps_per_epoch=500), 0),
        ("1e-999999999tok", Horizon(tokens_per_step=500), 0),
    ],
)
def test_what_is_whole_is_whole_and_what_is_not_is_the_nearest_double(
    duration: str, horizon: Horizon, steps: float
) -> None:
    assert horizon.steps_in(duration) == steps
    assert type(horizon.steps_in(duration)) is type(steps)


@given(HORIZONS, st.integers(1, 2_000))
def test_a_text_in_epochs_is_the_schedule_in_steps(horizon: Any, epochs: int) -> None:
    read = parse(f"Warmup(1ep) >> Cosine({epochs}ep)", horizon=horizon)
    spe = horizon.steps_per_epoch
    assert read == Warmup(spe) >> Cosine(epochs * spe)


@pytest.mark.parametrize(
    ("duration", "field"),
    [
        ("1ep", "steps_per_epoch"),
        ("1sp", "samples_per_step"),
        ("1tok", "tokens_per_step"),
        ("1dur", "steps"),
    ],
)
def test_the_field_that_a_unit_lacks_is_named_and_no_other_one_stands_in(
    duration: str, field: str
) -> None:
    numbers = dict.fromkeys(["steps", "steps_per_epoch", "tokens_per_step", "samples_per_step"], 8)
    assert Horizon(**numbers).steps_in(duration) in (8, 0.125)
    del numbers[field]
    with pytest.raises(InvalidValue, match=rf"need {field}, but Horizon\(.*Give Horizon\({field}="):
        Horizon(**numbers).steps_in(duration)


@pytest.mark.parametrize(
    "duration",
    ["", "10", "ep", "10 ep", " 10ep", "-1ep", "10ep\n", "1sec", "1EP", "1__0ep", "1e9ep9"],
)
def test_what_is_no_duration_is_refused(duration: str) -> None:
    with pytest.raises(InvalidValue, match=r"is not a (duration|unit|number)"):
        Horizon(steps_per_epoch=5).steps_in(duration)


def test_a_duration_is_a_text() -> None:
    not_a_text: Any = 10
    with pytest.raises(InvalidType, match="a duration is a text such as '10ep'"):
        Horizon().steps_in(not_a_text)


@pytest.mark.parametrize("duration", ["1e300ba", "9e15dur", "1e17tok"])
def test_a_duration_longer_than_any_run_is_refused(duration: str) -> None:
    with pytest.raises(InvalidValue, match=r"at most 2\^53"):
        Horizon(steps=10, tokens_per_step=1).steps_in(duration)


# ------------------------------------------------------------------ the horizon


@pytest.mark.parametrize(
    "name", ["steps", "steps_per_epoch", "tokens_per_step", "samples_per_step"]
)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, InvalidValue),
        (-5, InvalidValue),
        (math.inf, InvalidValue),
        (math.nan, InvalidValue),
        (2**54, InvalidValue),
        (True, InvalidType),
        ("500", InvalidType),
        ([500], InvalidType),
    ],
    ids=repr,
)
def test_a_number_of_a_horizon_is_above_zero(name: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=rf"Horizon\({name}=.*\): {name} must be a finite number"):
        Horizon(**{name: value})


def test_a_horizon_is_a_value() -> None:
    horizon = Horizon(steps=1e4, steps_per_epoch=torch.tensor(500).item())
    assert horizon == Horizon(steps=10_000, steps_per_epoch=500)
    assert len({horizon, Horizon(steps=10_000, steps_per_epoch=500)}) == 1
    assert repr(horizon) == "Horizon(steps=10000, steps_per_epoch=500)"
    with pytest.raises(AttributeError):
        horizon.steps = 5  # pyright: ignore[reportAttributeAccessIssue]


# ------------------------------------------------------------------ how many steps a run takes

SIZES = {
    "dataset_len": st.integers(1, 200),
    "batch": st.integers(1, 12),
    "accumulate": st.integers(1, 5),
    "epochs": st.integers(1, 3),
    "world": st.integers(1, 4),
    "drop_last": st.booleans(),
}


def counted_steps(
    dataset_len: int, batch: int, accumulate: int, epochs: int, world: int, drop_last: bool
) -> int:
    """A loop over torch's own loader of the last rank that also steps at the end of an epoch."""
    data = TensorDataset(torch.zeros(dataset_len))
    sampler: Any = DistributedSampler(data, world, world - 1, drop_last=drop_last)
    loader = DataLoader(data, batch, sampler=sampler, drop_last=drop_last)
    steps = 0
    for _ in range(epochs):
        for number, _ in enumerate(loader, start=1):
            steps += number % accumulate == 0 or number == len(loader)
    return steps


@given(st.fixed_dictionaries(SIZES))
def test_as_many_steps_are_predicted_as_a_loop_over_torchs_loaders_takes(sizes: Any) -> None:
    counted = counted_steps(**sizes)
    if counted == 0:
        with pytest.raises(InvalidValue, match="with drop_last a step needs a whole batch"):
            total_steps(**sizes)
    else:
        assert total_steps(**sizes) == counted


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        # What transformers 5.23's Trainer and lightning 2.6's took (max_steps, global_step), one
        # rank: 17 samples in batches of 2 are 9 batches, or 8 without the last.
        ({"dataset_len": 17, "batch": 2, "accumulate": 4, "epochs": 2}, 6),
        ({"dataset_len": 17, "batch": 2, "accumulate": 4, "epochs": 2, "drop_last": True}, 4),
        ({"dataset_len": 17, "batch": 5, "accumulate": 3, "epochs": 1}, 2),
        ({"dataset_len": 17, "batch": 5, "accumulate": 3, "epochs": 1, "drop_last": True}, 1),
        # ResNet's 90 epochs of ImageNet: 5,005 steps each at batch 256.
        ({"dataset_len": 1_281_167, "batch": 32, "epochs": 90, "world": 8}, 450_450),
    ],
)
def test_trainers_count_likewise(arguments: Any, steps: int) -> None:
    assert total_steps(**arguments) == steps


@pytest.mark.parametrize("name", ["dataset_len", "batch", "accumulate", "epochs", "world"])
@pytest.mark.parametrize("value", [0, -1, 1.5, math.nan, "8", None, True], ids=repr)
def test_a_count_is_whole_and_at_least_one(name: str, value: Any) -> None:
    arguments: dict[str, Any] = {"dataset_len": 10, "batch": 2, name: value}
    with pytest.raises((InvalidValue, InvalidType), match=rf"^total_steps\(.*\): {name} must be"):
        total_steps(**arguments)
