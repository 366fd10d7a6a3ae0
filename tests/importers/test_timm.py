"""``from_timm``: timm's published formulas, from both spellings of its settings."""

import math
from typing import Any

import numpy as np
import pytest

from stepsize import InvalidType, InvalidValue, Schedule, parse
from stepsize.importers import from_timm

BASE = 0.1


def read(updates_per_epoch: int = 1, **config: Any) -> Schedule:
    found = from_timm(config, base=BASE, updates_per_epoch=updates_per_epoch)
    assert isinstance(found.schedule, Schedule)
    return found.schedule


def test_without_a_prefix_the_warmup_covers_the_beginning_of_the_cosine() -> None:
    schedule = read(num_epochs=10, warmup_epochs=3, warmup_lr=0.01, min_lr=0.001)
    expected = [0.01 + 0.09 * t / 3 for t in range(3)]
    expected += [0.001 + 0.0495 * (1 + math.cos(math.pi * t / 10)) for t in range(3, 11)]
    assert BASE * schedule.values(11) == pytest.approx(expected, rel=1e-13)


def test_with_a_prefix_the_cosine_follows_the_warmup() -> None:
    schedule = read(num_epochs=10, warmup_epochs=3, warmup_lr=0.01, warmup_prefix=True)
    assert schedule == parse("Linear(3, start=0.1, end=1) >> Cosine(10)")


def test_rates_change_between_epochs_only_unless_updates_are_counted() -> None:
    by_epoch = read(7, num_epochs=4)
    assert by_epoch.values(21).tolist() == read(num_epochs=4).values(3).repeat(7).tolist()
    assert read(7, num_epochs=4, step_on_epochs=False) == parse("Cosine(28)")
    assert read(7, epochs=4, warmup_epochs=0, sched_on_updates=True) == parse("Cosine(28)")


def test_the_peaks_of_cycles_shrink_and_the_floor_does_not() -> None:
    schedule = read(num_epochs=4, cycle_limit=2, cycle_decay=0.5, min_lr=0.01)
    expected = [
        0.01 + 0.5 * (BASE * 0.5**cycle - 0.01) * (1 + math.cos(math.pi * t / 4))
        for cycle in range(2)
        for t in range(4)
    ]
    assert BASE * schedule.values(10) == pytest.approx([*expected, 0.01, 0.01], rel=1e-13)


def test_the_warmup_of_tanh_ends_on_its_curve_and_the_first_epoch_has_the_base_itself() -> None:
    def tanh(t: float) -> float:
        return 0.5 * (1 - math.tanh(-7 * (1 - t / 10) + 3 * t / 10))

    warm = read(sched="tanh", num_epochs=10, warmup_epochs=4, warmup_lr=0)
    expected = [tanh(4) * t / 4 for t in range(4)] + [tanh(t) for t in range(4, 10)] + [0]
    assert warm.values(11) == pytest.approx(expected, rel=1e-13)
    cold = read(sched="tanh", num_epochs=10)
    assert cold.values(10) == pytest.approx([1, *map(tanh, range(1, 10))], rel=1e-13)


def test_drops_of_milestones_come_one_epoch_early_as_in_timm() -> None:
    schedule = read(sched="multistep", decay_milestones=[3, 5, 5], decay_rate=0.5)
    assert schedule.values(6).tolist() == [1, 1, 0.5, 0.5, 0.125, 0.125]


def test_the_power_of_the_polynomial_is_the_decay_rate() -> None:
    assert read(sched="poly", num_epochs=9, decay_rate=2, k_decay=1.5) == parse(
        "Polynomial(9, 2, k=1.5)"
    )


@pytest.mark.parametrize(
    ("shape", "weight"),
    [
        ("linear", lambda u: 1 - u),
        ("1-sqrt", lambda u: 1 - np.sqrt(u)),
        ("power", lambda u: 1 - np.sqrt(u)),
        ("cosine", lambda u: 0.5 * (1 + np.cos(np.pi * u))),
        ("exp", lambda u: (0.1**u - 0.1) / 0.9),
    ],
)
def test_the_stable_schedule_decays_at_the_end(shape: str, weight: Any) -> None:
    schedule = read(
        sched="wsd", num_epochs=20, warmup_epochs=4, decay_epochs=0.5, decay_fn=shape, min_lr=0.02
    )
    u = np.clip((np.arange(4, 24) - 12) / 8, 0, 1)
    assert BASE * schedule.values(24)[4:] == pytest.approx(0.02 + 0.08 * weight(u), rel=1e-13)


def test_the_plateau_of_rsqrt_decays_too_and_never_below_the_floor() -> None:
    schedule = read(sched="rsqrt", num_epochs=40, decay_epochs=10, stable_timescale=1, min_lr=0.02)
    t = np.arange(45)
    plateau = np.maximum(BASE / np.sqrt(1 + t), 0.02)
    expected = 0.02 + (plateau - 0.02) * np.clip((40 - t) / 10, 0, 1)
    assert BASE * schedule.values(45) == pytest.approx(expected, rel=1e-13)


def test_each_spelling_has_its_own_defaults() -> None:
    assert read(sched="step") == parse("Step(90, 0.1)")
    assert read(sched="step", epochs=300, warmup_epochs=0) == parse("Step(30, 0.1)")
    assert read(sched="cosine", num_epochs=300).length == 300
    script = from_timm(
        {"sched": "cosine", "lr": 0.1, "sched_on_updates": True}, updates_per_epoch=1
    )
    assert script.schedule == parse("Linear(5, start=0.0001, end=1) >> Cosine(100).skip(5)")
    assert script.base == 0.1


def test_the_scripts_other_arguments_are_named_and_those_of_the_factory_refused() -> None:
    found = from_timm({"epochs": 9, "model": "vit", "lr": 0.1, "lr_foo": 1}, updates_per_epoch=1)
    assert found.notes == (
        "Not read, and possibly about the rate: 'lr_foo'.",
        "Not read: 'model'.",
    )
    with pytest.raises(InvalidValue, match="'model' is not"):
        from_timm({"num_epochs": 9, "model": "vit"}, updates_per_epoch=1)


def test_noise_is_said_to_be_left_out_with_what_to_write() -> None:
    found = from_timm({"num_epochs": 9, "noise": [0.4, 0.9]}, updates_per_epoch=1)
    assert "schedule * Noise(0.5, seed=42)" in found.notes[0]
    assert found.schedule == parse("Cosine(9)")


def test_a_plateau_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(InvalidValue, match=r"reacts to a metric. Use Policy\("):
        read(sched="plateau")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InvalidValue, match="Give steps_per_epoch,"):
        from_timm({"sched": "cosine"})
    with pytest.raises(InvalidValue, match="min_lr is a rate"):
        from_timm({"sched": "cosine", "min_lr": 1e-5}, updates_per_epoch=1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidValue, match="Shorten decay_epochs"):
        read(sched="wsd", num_epochs=10, decay_epochs=20)
    with pytest.raises(InvalidValue, match="sched must be one of"):
        read(sched="cosin")
    with pytest.raises(InvalidType, match="num_epochs must be a number"):
        read(num_epochs="ten")
