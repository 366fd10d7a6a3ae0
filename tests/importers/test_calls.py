"""``to_call``: other tools' calls for a schedule; torch's are made and driven here."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from stepsize import InvalidValue, Schedule, parse
from stepsize.importers import from_transformers, to_call

BASE = 0.2
SCHEDULES = [
    "Constant()",
    "Linear(40, start=1, end=0.1)",
    "Linear(40)",
    "Cosine(40)",
    "Cosine(40, end=0.1)",
    "Polynomial(40, 2)",
    "Exponential(0.97)",
    "Step(10, 0.5)",
    "MultiStep({10: 0.1, 25: 0.1})",
    "Warmup(5) >> Cosine(35, end=0.1)",
    "Warmup(5, start=0.1) >> Linear(35)",
    "Warmup(5) >> Hold(15) >> Linear(20)",
]


def driven(call: str, count: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {**vars(lr_scheduler), "optimizer": optimizer}
        scheduler: Any = eval(call, names)  # noqa: S307 - the call is what is proven
        rates: list[float] = []
        for _ in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return rates


@pytest.mark.parametrize("text", SCHEDULES)
def test_torchs_call_gives_the_rates_at_every_position(text: str) -> None:
    schedule = parse(text)
    assert isinstance(schedule, Schedule)
    count = 41 if math.isfinite(schedule.length) else 80
    rates = driven(to_call(schedule, "torch", base=BASE), count)
    assert rates == pytest.approx(BASE * schedule.values(count), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "name", "settings"),
    [
        ("Warmup(5) >> Cosine(35)", "cosine", {}),
        ("Warmup(5) >> Linear(35)", "linear", {}),
        ("Warmup(5) >> Cosine(35, end=0.1)", "cosine_with_min_lr", {"min_lr_rate": 0.1}),
    ],
)
def test_what_is_written_for_transformers_is_read_back(
    text: str, name: str, settings: dict[str, Any]
) -> None:
    schedule = parse(text)
    call = to_call(schedule, "transformers")
    assert call.startswith(f"get_scheduler({name!r}, optimizer, num_warmup_steps=5")
    again = from_transformers(name, num_warmup_steps=5, num_training_steps=40, **settings).schedule
    assert isinstance(again, Schedule)
    assert isinstance(schedule, Schedule)
    assert np.array_equal(again.values(60), schedule.values(60))


@pytest.mark.parametrize("tool", ["keras", "transformers"])
def test_a_schedule_that_a_tool_has_no_call_for_is_refused(tool: str) -> None:
    with pytest.raises(InvalidValue, match=f"{tool} must have a call"):
        to_call(parse("Warmup(5) >> Hold(15) >> Linear(20)"), tool)


def test_an_unknown_tool_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match=r"must be 'keras', 'optax', 'torch' or 'transformers'"):
        to_call(parse("Cosine(9)"), "jax")
