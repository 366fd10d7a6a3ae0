"""``from_megatron``: the formulas of Megatron's OptimizerParamScheduler."""

import math
from typing import Any

import numpy as np
import pytest

from stepsize import InvalidValue, Schedule, parse
from stepsize.importers import Imported, from_megatron

RUN = {"lr": 0.1, "min_lr": 0.01, "lr_decay_iters": 20}


def rates(found: Imported, count: int) -> np.ndarray[Any, Any]:
    assert isinstance(found.schedule, Schedule)
    assert found.base is not None
    return found.base * found.schedule.values(count)


def test_the_decays_length_includes_the_warmup() -> None:
    found = from_megatron(
        {**RUN, "lr_decay_style": "cosine", "lr_warmup_iters": 5, "lr_warmup_init": 0.001}
    )
    warmup = [0.001 + 0.099 * t / 5 for t in range(5)]
    decay = [0.01 + 0.045 * (1 + math.cos(math.pi * min(1, t / 15))) for t in range(20)]
    assert rates(found, 25) == pytest.approx([*warmup, *decay], rel=1e-13)


def test_the_inverse_square_root_drops_to_the_floor_after_its_length() -> None:
    found = from_megatron(
        {**RUN, "min_lr": 0.06, "lr_decay_style": "inverse-square-root", "lr_warmup_iters": 8}
    )
    expected = [max(0.06, 0.1 * math.sqrt(8 / t)) for t in range(8, 21)] + [0.06] * 4
    assert rates(found, 25)[8:] == pytest.approx(expected, rel=1e-13)
    assert rates(
        from_megatron({**RUN, "lr_decay_style": "inverse-square-root", "lr_warmup_iters": 8}), 25
    )[20:22] == pytest.approx([0.1 * math.sqrt(8 / 20), 0.01])


def test_an_inverse_square_root_without_warmup_counts_samples() -> None:
    arguments = {**RUN, "lr_decay_style": "inverse-square-root", "min_lr": 0}
    found = from_megatron({**arguments, "global_batch_size": 4})
    expected = [0.1] + [0.1 / math.sqrt(4 * t) for t in range(1, 21)] + [0]
    assert rates(found, 22) == pytest.approx(expected, rel=1e-13)
    with pytest.raises(InvalidValue, match="global_batch_size"):
        from_megatron(arguments)


@pytest.mark.parametrize(
    ("style", "weight"),
    [
        (None, lambda u: 2 * 0.5**u - 1),
        ("exponential", lambda u: 2 * 0.5**u - 1),
        ("linear", lambda u: 1 - u),
        ("cosine", lambda u: 0.5 * (1 + np.cos(np.pi * u))),
        ("minus_sqrt", lambda u: 1 - np.sqrt(u)),
    ],
)
def test_the_cooldowns_of_wsd(style: str | None, weight: Any) -> None:
    found = from_megatron(
        {
            **RUN,
            "lr_decay_style": "WSD",
            "lr_warmup_iters": 4,
            "lr_wsd_decay_iters": 8,
            "lr_wsd_decay_style": style,
        }
    )
    u = np.clip((np.arange(4, 24) - 12) / 8, 0, 1)
    assert rates(found, 24)[4:] == pytest.approx(0.01 + 0.09 * weight(u), rel=1e-13)


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr": 1, "train_iters": 20, "lr_warmup_fraction": 0.25},
        {"--lr": "1e0", "--lr-decay-iters": 20, "--lr-warmup-iters": 5},
        {"lr": 1, "train-iters": 99, "lr-decay-iters": 20, "lr-warmup-iters": 5},
        {"lr": 1, "train_samples": 80, "lr_warmup_samples": 20, "global_batch_size": 4},
        {
            "optimizer": {"lr": 1},
            "scheduler": {"lr_warmup_iters": 5},
            "train": {"train_iters": 20},
        },
    ],
)
def test_all_spellings_say_the_same(arguments: dict[str, Any]) -> None:
    found = from_megatron(arguments)
    assert found.schedule == parse("Linear(5, start=0, end=1) >> Linear(15)")
    assert found.base == 1


def test_a_constant_rate_stays_after_the_warmup() -> None:
    found = from_megatron({**RUN, "lr_decay_style": "constant", "lr_warmup_iters": 2})
    assert rates(found, 30)[[1, 2, 29]] == pytest.approx([0.05, 0.1, 0.1])


def test_a_ramp_of_the_weight_decay_is_written_out_in_a_note() -> None:
    ramp = {"start_weight_decay": 0.01, "end_weight_decay": 0.1}
    found = from_megatron({**RUN, **ramp, "weight_decay_incr_style": "cosine"})
    assert "weight_decay=Absolute(Cosine(steps, 0.01, 0.1))" in found.notes[0]


def test_other_arguments_are_named_those_about_the_rate_first() -> None:
    found = from_megatron({**RUN, "decoupled_lr": 1e-4, "adam_beta1": 0.9, "seq_length": 2048})
    assert found.notes == (
        "Not read, and possibly about the rate: 'decoupled_lr'.",
        "Not read: 'adam_beta1', 'seq_length'.",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": None}, "'lr' is needed"),
        ({"lr_decay_iters": None}, "'train_iters' is needed"),
        ({"lr_warmup_iters": 20}, "the warmup must be shorter"),
        ({"lr_warmup_iters": 2, "lr_warmup_fraction": 0.1}, "given once"),
        ({"lr_decay_style": "poly"}, "lr_decay_style must be one of"),
        ({"lr_decay_style": "WSD"}, "'lr_wsd_decay_iters' is needed"),
        ({"lr_decay_style": "WSD", "lr_wsd_decay_iters": 21}, "must fit between"),
        ({"train_samples": 80}, "'global_batch_size' is needed"),
        ({"train_samples": 80, "rampup_batch_size": [1, 1, 1]}, "clock that counts samples"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        from_megatron({**RUN, **changes})
