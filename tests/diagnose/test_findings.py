"""What a finding says, and what must not change it."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.synthetic_runs import FAULTS, SyntheticRun, expected_loss, run_with
from stepsize import Tick
from stepsize.diagnose import RULES, Curve, findings
from stepsize.errors import InvalidType, InvalidValue
from stepsize.record import Recorder, read_runs
from stepsize.rules import Finding

AT = np.arange(400.0)
# Steadily, and by the decay of the rate.
FALLING = 3 / np.sqrt(1 + AT) + 0.5 * (1 - AT / 400)


def run(
    rates: np.ndarray | dict[str, np.ndarray] | None = None,
    loss: np.ndarray | None = None,
    at: np.ndarray = AT,
    **metrics: np.ndarray,
) -> SimpleNamespace:
    if rates is None:
        rates = np.linspace(0.1, 0, len(at))
    named = rates if isinstance(rates, dict) else {"lr": rates}
    measured = ({} if loss is None else {"loss": loss}) | metrics
    return SimpleNamespace(
        quantities={name: (at, each) for name, each in named.items()},
        metrics={name: (at, each) for name, each in measured.items()},
    )


def names(given: object, **chosen: object) -> list[str]:
    return [each.rule for each in findings(given, **chosen)]  # type: ignore[arg-type]


def only(given: object, **chosen: object) -> Finding:
    [finding] = findings(given, **chosen)  # type: ignore[arg-type]
    return finding


# ------------------------------------------------------------------ what they say


def test_a_finding_has_evidence_a_stretch_a_change_and_a_source() -> None:
    for fault in FAULTS:
        for finding in findings(run_with(fault, np.random.default_rng([1, FAULTS.index(fault)]))):
            assert str(finding.evidence).endswith((".", ")"))
            assert any(each.isdigit() for each in str(finding.evidence))
            assert str(finding.remedy).endswith(".")
            assert finding.source
            assert finding.level in {"certain", "likely", "possible"}
            assert finding.start <= finding.end
            assert finding.numbers
            assert all(isinstance(each, int | float) for each in finding.numbers.values())
            assert str(finding).startswith(f"{finding.rule} ({finding.level}): ")


def test_a_loss_that_is_no_number_any_more_has_diverged_since_then() -> None:
    finding = only(run(np.full(400, 0.3), np.where(AT < 150, FALLING, np.nan)))
    assert (finding.rule, finding.level) == ("diverged", "certain")
    assert (finding.start, finding.end) == (150, 399)
    assert finding.numbers == {"points": 250, "of": 400}
    assert "0.03 instead of 0.3" in str(finding.remedy)


def test_a_spike_is_named_with_its_place_and_the_gradient_there() -> None:
    random = np.random.default_rng(0)
    loss = FALLING + 0.01 * random.standard_normal(400)
    loss[200:203] += [2, 1, 0.5]
    norm = np.ones(400)
    norm[200] = 50
    finding = only(run(loss=loss, grad_norm=norm))
    assert (finding.rule, finding.level) == ("spikes", "certain")
    assert (finding.start, finding.numbers["largest_at"]) == (200, 200)
    assert "norm is 50 there and 1 in the median" in str(finding.evidence)


def test_a_single_loss_that_is_no_number_is_told() -> None:
    loss = FALLING.copy()
    loss[100] = np.inf
    finding = only(run(loss=loss))
    assert (finding.rule, finding.start, finding.end) == ("spikes", 100, 100)


def test_a_first_update_at_rate_0_is_told_with_its_remedy() -> None:
    finding = only(run(np.append(np.arange(0, 1, 0.1), np.linspace(1, 0, 390))))
    assert (finding.rule, finding.start, finding.end) == ("first_update_wasted", 0, 0)
    assert "Warmup(n + 1).skip(1)" in str(finding.remedy)


def test_a_decay_that_ended_at_half_the_run_asks_for_the_number_of_processes() -> None:
    finding = only(run(np.append(np.linspace(0.1, 0, 200), np.zeros(200)), FALLING))
    assert finding.rule == "decay_ended_early"
    assert ".over(400)" in str(finding.remedy)
    assert "2 processes" in str(finding.remedy)


def test_a_decay_to_zero_after_the_loss_stood_still_is_no_early_end() -> None:
    loss = np.where(AT < 50, FALLING, FALLING[50])
    said = names(run(np.append(np.linspace(0.1, 0, 200), np.zeros(200)), loss))
    assert "decay_ended_early" not in said


def test_a_run_shorter_than_its_plan_is_certain() -> None:
    given = run(np.linspace(0.1, 0.05, 400), FALLING)
    finding = only(given, steps=800)
    assert (finding.rule, finding.level) == ("ended_before_cooldown", "certain")
    assert finding.numbers == {"ended_at": 0.05, "missing": 400}
    assert "400 of 800 steps are missing" in str(finding.evidence)


def test_the_plan_that_a_log_knows_counts_and_an_argument_goes_before_it() -> None:
    given = run(np.linspace(0.1, 0.05, 400), FALLING)
    given.steps = 800
    assert names(given) == ["ended_before_cooldown"]
    assert "certain" not in [each.level for each in findings(given, steps=400)]


@pytest.mark.parametrize("said", [-1, 0, float("nan"), float("inf"), "many", None])
def test_a_plan_in_a_log_that_cannot_be_is_no_plan(said: object) -> None:
    given = run(np.linspace(0.1, 0.05, 400), FALLING)
    given.steps = said
    assert "certain" not in [each.level for each in findings(given)]


def test_a_schedule_in_epochs_is_told_with_the_steps_per_epoch() -> None:
    rates = np.append(np.linspace(0.1, 0, 10), np.zeros(390))
    finding = only(run(rates, FALLING), steps_per_epoch=40)
    assert finding.rule == "wrong_unit"
    assert ".per_epoch(40)" in str(finding.remedy)
    assert "10 epochs" in str(finding.evidence)


def test_restarts_and_cycles_that_are_meant_are_no_wrong_unit() -> None:
    restarts = np.tile((1 + np.cos(np.pi * np.arange(100) / 100)) / 2, 4)
    triangles = np.abs((AT % 100) - 50) / 50
    assert "wrong_unit" not in names(run(restarts))
    assert "wrong_unit" not in names(run(np.roll(triangles, 50)))


def test_a_group_whose_updates_are_tiny_is_named() -> None:
    at = {"update_ratio/head": np.full(400, 1e-3), "update_ratio/body": np.full(400, 1e-7)}
    finding = only(run(**at))
    assert finding.rule == "group_barely_moving"
    assert "'body'" in str(finding.evidence)
    assert "0.1 instead" not in str(finding.evidence)


def test_a_group_at_rate_0_beside_others_is_named() -> None:
    finding = only(run({"lr/head": np.linspace(0.1, 0, 400), "lr/body": np.zeros(400)}))
    assert (finding.rule, finding.level) == ("group_barely_moving", "possible")
    assert "'lr/body'" in str(finding.evidence)


def test_overfitting_names_the_step_of_the_best_checkpoint() -> None:
    held = np.maximum(1 - AT / 200, AT / 400 - 0.5) + 1
    finding = only(run(loss=FALLING, val_loss=held))
    assert finding.rule == "overfitting"
    assert abs(finding.start - 200) <= 10


def test_the_cause_stands_instead_of_what_follows_from_it() -> None:
    for rule in RULES:
        assert rule.name not in rule.instead_of
        assert set(rule.instead_of) < set(FAULTS)
    loss = np.where(AT < 150, FALLING, np.nan)
    assert names(run(np.full(400, 0.3), loss)) == ["diverged"]


# ------------------------------------------------------------------ what must not change them


def _changed(
    given: SyntheticRun, rate: float = 1, scale: float = 1, shift: float = 0
) -> SimpleNamespace:
    def moved(name: str, curve: Curve) -> Curve:
        return (curve[0], scale * curve[1] + shift) if "loss" in name else curve

    return SimpleNamespace(
        quantities={name: (at, rate * each) for name, (at, each) in given.quantities.items()},
        metrics={name: moved(name, curve) for name, curve in given.metrics.items()},
        steps=given.steps,
    )


# The level of a guess is that of a loss in its own unit.
@pytest.mark.parametrize("fault", [each for each in FAULTS if each != "never_learnt"])
def test_units_do_not_matter_and_a_negative_loss_is_as_good_as_a_positive_one(fault: str) -> None:
    given = run_with(fault, np.random.default_rng([3, FAULTS.index(fault)]))
    said = names(given)
    assert names(_changed(given, rate=2.0**-40)) == said
    assert names(_changed(given, scale=2.0**20)) == said
    assert names(_changed(given, shift=-64.0)) == said


def test_positions_that_come_again_after_a_rewind_count_once() -> None:
    at = np.concatenate([AT[:300], AT[200:]])
    loss = FALLING[at.astype(int)]
    loss[250:300] = np.nan
    assert names(run(np.linspace(0.1, 0, 400)[at.astype(int)], loss, at)) == []


def test_a_run_of_a_run_file_is_read_as_it_is(tmp_path: object) -> None:
    path = f"{tmp_path}/runs.db"
    with Recorder(path, "run") as recorder:
        for step, loss in enumerate(np.where(AT < 150, FALLING, np.inf)):
            recorder(Tick(step, {"lr": 0.1}, {"loss": float(loss)}))
    [recorded] = read_runs(path)
    assert names(recorded) == ["diverged"]


# ------------------------------------------------------------------ what is refused


def test_another_metric_can_be_named() -> None:
    given = run(score=np.where(AT < 150, FALLING, np.nan))
    assert names(given) == []
    assert names(given, loss="score") == ["diverged"]


@pytest.mark.parametrize("role", ["loss", "validation"])
def test_a_metric_that_is_not_there_is_refused_with_those_that_are(role: str) -> None:
    with pytest.raises(InvalidValue, match=f"{role}='nothing'.*There are: 'loss'"):
        findings(run(loss=FALLING), **{role: "nothing"})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["steps", "steps_per_epoch"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_a_number_that_counts_steps_is_above_0(name: str, value: float) -> None:
    with pytest.raises(InvalidValue, match="above 0"):
        findings(run(), **{name: value})  # type: ignore[arg-type]


def test_what_has_no_curves_is_refused_with_what_reads_a_file() -> None:
    with pytest.raises(InvalidType, match="read_logs"):
        findings("runs.db")  # type: ignore[arg-type]


# ------------------------------------------------------------------ what looks like a low rate


def noisy(loss: np.ndarray, noise: float = 0.01) -> np.ndarray:
    return loss + noise * np.random.default_rng(0).standard_normal(len(loss))


def test_a_loss_that_falls_in_a_straight_line_asks_for_a_higher_rate() -> None:
    spent = np.cumsum(np.linspace(0.1, 0, 400)) / 20
    finding = only(run(loss=noisy(3 - spent)))
    assert (finding.rule, finding.level) == ("rate_too_low", "likely")
    assert "Try a peak of 0.3 and 1 instead of 0.1" in str(finding.remedy)


def test_a_loss_that_reached_0_does_not_ask_for_a_higher_rate() -> None:
    assert names(run(loss=np.abs(noisy(3 * np.exp(-AT / 20), 1e-3)))) == []


def test_a_loss_that_rose_before_it_fell_does_not_ask_for_a_higher_rate() -> None:
    loss = np.interp(AT, [0, 20, 150, 399], [2.3, 0.9, 1.9, 1.1])
    assert "rate_too_low" not in names(run(loss=noisy(loss)))


def test_a_loss_that_never_came_below_its_beginning_has_diverged() -> None:
    loss = np.interp(AT, [0, 3, 100, 399], [2.3, 50, 2.6, 2.31])
    finding = only(run(loss=noisy(loss)))
    assert finding.rule == "diverged"
    assert "0.01 instead of 0.1" in str(finding.remedy)


# ------------------------------------------------------------------ what is meant


def trained(rates: np.ndarray, noise: float = 0.02) -> SimpleNamespace:
    return run(rates, noisy(expected_loss(rates), noise), np.arange(float(len(rates))))


def test_a_level_that_a_step_schedule_holds_is_no_early_end() -> None:
    for cuts in (2, 3):
        edges = np.linspace(500, 1000, cuts, endpoint=False)
        rates = 0.1 ** np.searchsorted(edges, np.arange(1000), side="right")
        assert names(trained(rates)) == []


def test_an_exponential_decay_to_a_hundredth_is_no_early_end() -> None:
    assert names(trained(0.01 ** (np.arange(1000) / 1000), 0.001)) == []


@pytest.mark.parametrize("floor", [0.0, 1e-4, 0.01])
def test_a_smooth_decay_that_reached_its_floor_early_is_told(floor: float) -> None:
    rates = 0.3 * np.maximum(1 - np.arange(1000) / 500, floor)
    assert "decay_ended_early" in names(trained(rates))


def restarting(steps: int, period: int) -> np.ndarray:
    return 0.5 * (1 + np.cos(np.pi * (np.arange(steps) % period) / period))


@pytest.mark.parametrize(("ended", "period"), [(450, 400), (600, 400), (810, 200), (830, 200)])
def test_a_warm_restart_that_ends_within_a_cycle_has_not_diverged(ended: int, period: int) -> None:
    for noise in (0.001, 0.02):
        assert "diverged" not in names(trained(restarting(ended, period), noise))


def test_a_loss_lost_after_a_restart_and_in_a_warmup_has_diverged() -> None:
    given = trained(restarting(900, 400), 0.001)
    loss = given.metrics["loss"][1]
    loss[810:] += (np.linspace(0, 1, 90) ** 0.5) * (loss[0] - loss[809])
    assert "diverged" in names(given)
    warmup = trained(0.3 * np.minimum(np.arange(1000) / 800, 1), 0.001)
    warmup.metrics["loss"][1][700:] += np.linspace(0, 1, 300)
    assert "diverged" in names(warmup)


def test_of_a_log_that_was_cut_short_an_early_end_is_only_possible() -> None:
    given = run(np.linspace(0.1, 0.05, 400), FALLING)
    constant = run(np.full(400, 0.1), FALLING)
    constant.steps = 400
    for each, name in ((given, "ended_before_cooldown"), (constant, "never_decayed")):
        [whole] = [found for found in findings(each) if found.rule == name]
        each.cut_short = True
        [cut] = [found for found in findings(each) if found.rule == name]
        assert (whole.level, cut.level) == ("likely", "possible")
        assert "The run may have gone on" in str(cut.evidence)


def test_values_too_large_to_count_with_give_no_numbers_that_are_none() -> None:
    for size in (1e160, 1e300, 1e307, 3e307):
        loss = size * (3 * np.exp(-AT / 20) + np.sin(AT / 2))
        for finding in findings(run(np.full(400, 0.1), loss)):
            assert np.isfinite(list(finding.numbers.values())).all()
            assert not {"inf", "nan"} & set(str(finding.evidence).split())
