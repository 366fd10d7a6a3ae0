"""Logs that mislead: each kind of mistake that rules made about other people's logs."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.diagnose import shaped
from stepsize.diagnose import Diagnosis, diagnosis

AT = np.arange(400.0)
FALLING = 3 / np.sqrt(1 + AT) + 0.5 * (1 - AT / 400)
DECAYING = np.linspace(0.1, 1e-4, 400)


def examined(
    rates: dict[str, np.ndarray] | np.ndarray | None = None,
    at: np.ndarray = AT,
    unit: str = "step",
    steps: float | None = None,
    **metrics: object,
) -> Diagnosis:
    named = rates if isinstance(rates, dict) else {} if rates is None else {"lr": rates}
    curves = {
        name: each if isinstance(each, tuple) else (at[: len(each)], each)  # type: ignore[arg-type]
        for name, each in metrics.items()
    }
    quantities = {name: (at[: len(each)], each) for name, each in named.items()}
    run = SimpleNamespace(quantities=quantities, metrics=curves, unit=unit, counter=unit)
    if steps:
        run.steps = steps
    return diagnosis(run)


def rules(found: Diagnosis) -> list[str]:
    return [each.rule for each in found.findings]


def test_the_first_line_says_what_was_taken_for_what() -> None:
    rates = {"lr/bias": np.where(AT < 40, 1.0, DECAYING), "lr/weights": DECAYING}
    told = str(examined(rates, **{"train/loss": FALLING, "val/loss": FALLING}).taken.told)
    assert told.startswith("Training loss: 'train/loss'. Validation loss: 'val/loss'. Rate: ")
    assert told.endswith("Positions: 'step', in steps.")
    assert "of 2 groups" in told


def test_without_a_loss_nothing_is_clean() -> None:
    found = examined(DECAYING, score=FALLING)
    assert not found.is_clean
    assert "--loss NAME: 'score'" in str(found.summary)
    assert examined(DECAYING, loss=FALLING).is_clean


def test_a_policy_is_only_asked_whether_its_loss_is_finite() -> None:
    noise = 1e-3 * np.random.default_rng(0).standard_normal(400)
    policy = np.where(AT < 10, -0.1, noise)
    reward = AT / 400
    assert rules(examined(np.full(400, 1e-5), loss=policy, reward=reward)) == []
    lost = np.where(AT < 300, policy, np.nan)
    assert rules(examined(DECAYING, loss=lost, reward=reward)) == ["diverged"]


def test_a_loss_that_is_lowest_at_its_end_has_not_diverged() -> None:
    loss = np.interp(AT, [0, 200, 360, 399], [0.4, 1.8, 1.2, 0.3])
    assert "diverged" not in rules(examined(DECAYING, loss=loss))


def test_a_log_that_begins_late_is_not_measured_from_its_first_point() -> None:
    late = AT * 50 + 40_000
    noise = 0.03 * np.random.default_rng(0).standard_normal(400)
    for loss in (3 - 0.1 * AT / 400, 3 - 0.02 * AT / 400):
        assert rules(examined(DECAYING, at=late, loss=loss + noise)) == []


def test_a_rate_that_was_logged_for_the_warmup_only_is_not_zero_afterwards() -> None:
    found = examined((AT[:40] + 1) / 40, loss=FALLING)
    assert rules(found) == []
    assert "known up to step 39, 9.8 % of the run" in str(found.taken.told)


def test_a_fast_start_and_an_edge_between_epochs_are_not_a_low_rate() -> None:
    noise = 0.03 * np.random.default_rng(0).standard_normal(400)
    loss = 0.45 + 2.5 * np.exp(-AT / 2) - 0.15 * (AT > 250) + noise
    assert rules(examined(DECAYING, loss=loss)) == []


def test_the_second_of_some_evaluations_can_be_the_lowest() -> None:
    at = np.arange(14.0) * 400
    held = np.array([3.7, 1.1, *np.linspace(1.2, 2.5, 12)])
    [finding] = examined(loss=(at, np.exp(-at / 1_000)), val_loss=(at, held)).findings
    assert (finding.rule, finding.start) == ("overfitting", 400)
    assert ".over(401)" in str(finding.remedy)


def test_an_overfitting_from_the_first_evaluation_on_plans_no_run_of_a_step() -> None:
    at = np.arange(20.0)
    held, loss = 1 + at / 10, np.exp(-at)
    [finding] = examined(at=at, unit="epoch", loss=loss, val_loss=held).findings
    assert finding.rule == "overfitting"
    assert ".over(" not in str(finding.remedy)


@pytest.mark.parametrize("count", [4, 5, 8, 11])
def test_few_evaluations_that_rise_are_possibly_overfitting(count: int) -> None:
    held = (np.linspace(100, 399, count), np.linspace(0.3, 0.4, count))
    [finding] = examined(DECAYING, loss=0.3 * np.exp(-AT / 50), eval_loss=held).findings
    assert (finding.rule, finding.level) == ("overfitting", "possible")
    assert rules(examined(loss=FALLING, eval_loss=(AT[:3], np.array([1.0, 2, 3])))) == []


def test_training_and_validation_loss_that_rise_together_are_a_divergence() -> None:
    at = AT[::8]
    risen = FALLING[::8] + np.maximum(at - 200, 0) / 40
    found = examined(
        loss=FALLING, **{"train/loss": (at, risen), "validation/loss": (at, risen + 0.1)}
    )
    assert rules(found) == ["diverged"]


def test_evaluations_that_are_not_finite_are_a_divergence_of_a_finite_batch_loss() -> None:
    held = np.where(np.arange(20) < 5, 1.0, np.nan)
    [finding] = examined(loss=FALLING, val_loss=(AT[::20], held)).findings
    assert (finding.rule, finding.level, finding.start) == ("diverged", "certain", 100)


def test_values_that_were_not_logged_are_gaps() -> None:
    loss = np.where(AT % 5 == 0, FALLING, np.nan)
    held = np.where(AT % 50 == 0, FALLING, np.nan)
    assert rules(examined(DECAYING, loss=loss, val_loss=held)) == []


def test_advice_is_in_the_logs_own_unit() -> None:
    at = np.arange(51.0)
    loss = 1 + np.exp(-at / 20)
    [finding] = examined(np.full(51, 1e-4), at=at, unit="epoch", loss=loss).findings
    assert (finding.rule, finding.level) == ("never_decayed", "possible")
    assert "10 epochs, Linear(10).per_epoch(n)" in str(finding.remedy)
    assert "step" not in str(finding.remedy)


def test_advice_is_in_proportion() -> None:
    noise = 0.02 * np.random.default_rng(1).standard_normal(15)
    held = (np.arange(15.0), 0.27 - 0.003 * np.arange(15) + noise)
    for finding in examined(loss=FALLING, eval_loss=held).findings:
        assert finding.rule == "noisy_evaluation"
        assert "Evaluate on 10 times" in str(finding.remedy)
        assert "average over 4 evaluations" in str(finding.remedy)


def test_a_run_that_goes_on_is_not_told_to_decay_now() -> None:
    run = SimpleNamespace(
        quantities={"lr": (AT, np.linspace(0.1, 0.05, 400))},
        metrics={"loss": (AT, FALLING)},
        steps=800,
        unfinished=True,
    )
    [finding] = diagnosis(run).findings
    assert (finding.rule, finding.level) == ("ended_before_cooldown", "possible")
    assert "may have gone on" in str(finding.evidence)
    assert "decay to 0 now" not in str(finding.remedy)


def test_a_rate_of_1_by_design_is_said_to_be_an_exception() -> None:
    rates = np.minimum((AT + 1) / 40, 1)
    [finding] = examined(rates, loss=FALLING).findings
    assert (finding.rule, finding.level) == ("never_decayed", "possible")
    assert "by design" in str(finding.evidence)


def test_the_optimizer_is_not_told_about_another_ones_settings() -> None:
    loss = FALLING.copy()
    loss[200:206] += 2
    said = {
        name: str(examined({f"lr/{name}": DECAYING}, loss=loss).findings[0].remedy)
        for name in ("AdamW", "SGD")
    }
    assert "β₂" in said["AdamW"]
    assert "β₂" not in said["SGD"]


def test_single_odd_batches_are_neither_spikes_nor_a_short_warmup() -> None:
    random = np.random.default_rng(0)
    loss = FALLING + 0.05 * random.standard_normal(400)
    loss[[12, 90, 200, 310]] += 0.5
    assert rules(examined(DECAYING, loss=loss)) == []


def test_a_warmup_that_fills_most_of_the_run_is_said() -> None:
    rates = np.interp(AT, [0, 320, 399], [0, 0.1, 0])
    found = examined(rates[1:], at=AT[1:], steps=400, loss=FALLING[1:])
    assert ("warmup_too_long", "likely") in [(each.rule, each.level) for each in found.findings]


def test_a_decay_without_an_end_did_not_end_too_early() -> None:
    for rates in (np.minimum(1, np.sqrt(40 / (AT + 1))), 0.99**AT * 0.1 + 0):
        assert "ended_before_cooldown" not in rules(examined(rates, loss=FALLING))


def test_logs_as_people_have_them_are_mostly_right() -> None:
    judged = list(shaped(4, 40_000))
    healthy = [each for each, _ in judged if not each.faults]
    faulty = [each for each, _ in judged if each.faults]
    assert sum(bool(each.said) for each in healthy) <= 0.1 * len(healthy)
    assert sum(bool(each.said & each.faults) for each in faulty) >= 0.9 * len(faulty)
    assert "certain" not in [level for _, levels in judged for level in levels]
