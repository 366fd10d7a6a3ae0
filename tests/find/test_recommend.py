"""``recommend``: a rate that works, a run that can be continued, a bounded cost, no trace."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stepsize import InvalidValue, TrainingError, parse
from stepsize.find import recommend
from stepsize.find.levels import LEVELS
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
from stepsize.torch import TorchTraining
from stepsize.training import Factors, Training, run
from stepsize.words import number_text


def losses_of(training: Training, steps: int = 12) -> list[float]:
    return [
        training.step({"lr": [1.0] * len(training.groups)}).metrics["loss"] for _ in range(steps)
    ]


def test_the_rest_after_the_head_start_ends_where_the_whole_run_ends_bit_for_bit(
    build: Callable[[], Training],
) -> None:
    training, whole = build(), build()
    advice = recommend(training, steps=600)
    start = advice.resume(training)
    assert 120 <= start == advice.head_start.steps <= 144
    resumed = run(training, advice.schedule, 600, start=start)
    straight = run(whole, advice.schedule, 600)
    assert resumed.metrics == straight.metrics


def test_a_training_in_any_framework_is_left_bit_for_bit_as_it_was(
    build: Callable[[], Training],
) -> None:
    training, untouched = build(), build()
    before = training.evaluate()["val_loss"]
    advice = recommend(training, steps=400)
    assert training.evaluate()["val_loss"] == before
    assert losses_of(training) == losses_of(untouched)
    assert advice.plan.peak == advice.rate


@pytest.mark.parametrize("base", [1e-4, 0.02, 5.0])
def test_the_recommended_run_does_well_whatever_the_optimizers_own_rate(base: float) -> None:
    curvature = [1.0, 0.1, 0.01]
    advice = recommend(Bowl(base, curvature, noise=0.2), steps=2_000)
    ended = run(Bowl(base, curvature, noise=0.2), advice.schedule, 2_000).metrics["val_loss"]
    grid = [
        run(Bowl(rate, curvature, noise=0.2), advice.plan.schedule, 2_000).metrics["val_loss"]
        for rate in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    ]
    assert ended < sorted(grid)[3]


@pytest.mark.parametrize("level", ["fast", "default", "thorough"])
@pytest.mark.parametrize("steps", [400, 517, 3_000])
def test_no_level_takes_more_steps_than_it_states(level: Any, steps: int) -> None:
    seen: list[float] = []
    advice = recommend(
        Bowl(noise=0.1), steps, level, sinks=[lambda tick: seen.append(tick.position)]
    )
    assert seen == list(range(advice.spent))
    assert advice.spent <= LEVELS[level].most_steps(steps)
    if steps >= 1_000:
        assert advice.cost <= LEVELS[level].cost


def test_the_run_can_be_written_down_and_ends_at_zero() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    assert parse(repr(advice.schedule)) == advice.schedule
    assert advice.schedule(500) == 0


def test_what_it_saw_is_said() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    text = repr(advice)
    for part in (
        "sweep:",
        "trials: the first 40 steps",
        "second look:",
        "other rules:",
        "cost:",
        "left out",
    ):
        assert part in text
    assert "no derivatives()" in str(advice.left_out["curvature"])


def test_the_verdict_is_one_line_with_the_rate_its_interval_and_why() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    assert "\n" not in str(advice)
    assert str(advice).startswith(f"{number_text(advice.rate.value, 3)} (")
    assert "was the best of" in str(advice)
    assert advice.rate.low < advice.rate.value < advice.rate.high
    assert repr(advice).startswith(str(advice))


def test_a_best_rate_with_none_worse_beyond_is_said_first() -> None:
    class Greedy(Bowl):
        """The higher the rate, the better, whatever the rate."""

        total = 0.0

        def step(self, factors: Factors) -> Observation:
            self.total += factors["lr"][0]
            return Observation({"loss": super().step(factors).metrics["loss"] / 10 + 1})

        def evaluate(self) -> dict[str, float]:
            return {"val_loss": 1 / (1 + self.total)}

        def snapshot(self) -> Any:
            return self.total, super().snapshot()

        def restore(self, snapshot: Any) -> None:
            self.total, inner = snapshot
            super().restore(inner)

    advice = recommend(Greedy(curvature=[1e-9], noise=0.1), steps=1_000)
    assert not advice.is_bracketed
    assert str(advice).startswith("Not bracketed, the best rate may lie beyond: ")


def test_cheaper_rules_run_where_they_are_half_a_percent_of_the_run(
    torch_training: TorchTraining,
) -> None:
    advice = recommend(torch_training, steps=4_000, level="fast")
    assert {"relative change", "distance", "curvature"} == set(advice.hints)
    assert not advice.left_out
    assert "relative change says" in advice.agreement


@pytest.mark.parametrize("level", ["fast", "default", "thorough"])
def test_every_level_compares_rates(level: Any) -> None:
    advice = recommend(Bowl(noise=0.1), steps=1_000, level=level)
    assert len([each for each in advice.trials if each.ended is None]) >= 2
    assert min(2, LEVELS[level].forks) <= len(advice.forks) <= LEVELS[level].forks


def test_the_kept_beginning_is_that_of_a_trial_not_above_the_best() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    best = min(advice.trials, key=lambda each: each.loss)
    driven = advice.schedule(advice.trial_steps - 1) * 0.1
    (kept,) = (each for each in advice.trials if each.rate == pytest.approx(driven))
    assert kept.rate <= best.rate
    losses = advice.head_start.losses[: advice.trial_steps]
    assert losses.tolist() == kept.losses[: advice.trial_steps].tolist()


def test_the_head_start_follows_the_fork_that_was_kept() -> None:
    advice = recommend(Bowl(noise=0.1), steps=1_000)
    driven = advice.schedule(199) * 0.1
    (kept,) = (each for each in advice.forks if each.rate == pytest.approx(driven))
    assert advice.head_start.losses[150:200].tolist() == kept.losses[:50].tolist()
    assert advice.rate.value >= kept.rate


def test_a_rate_in_the_optimizer_that_is_far_too_low_is_left_behind() -> None:
    advice = recommend(Bowl(rate=1e-8, curvature=[1.0, 0.3]), steps=1_000, level="thorough")
    assert advice.rate.value > 1e-5


def test_what_goes_wrong_is_named_and_leaves_the_training_as_it_was(
    fault: tuple[Callable[[Training], Training], str],
) -> None:
    make, message = fault
    inner = Bowl(noise=0.1)
    with pytest.raises(TrainingError, match=message):
        recommend(make(inner), steps=400)
    assert losses_of(inner) == losses_of(Bowl(noise=0.1))


def test_a_training_that_only_gets_worse_gets_no_recommendation() -> None:
    class Backwards(Bowl):
        def evaluate(self) -> dict[str, float]:
            return {"val_loss": -super().evaluate()["val_loss"]}

    with pytest.raises(TrainingError, match="where some rate helps"):
        recommend(Backwards(noise=0.1), steps=400)


def test_trials_that_all_diverge_are_named() -> None:
    class BreaksInCooldowns(Bowl):
        rates = (0.0, 0.0)

        def step(self, factors: Factors) -> Observation:
            before, last = self.rates
            now = factors["lr"][0]
            self.rates = last, now
            observation = super().step(factors)
            return Observation({"loss": math.inf}) if before > last > now else observation

    with pytest.raises(
        TrainingError, match=r"must not diverge at its beginning, but it did at each"
    ):
        recommend(BreaksInCooldowns(noise=0.1), steps=600)


def test_bad_arguments_are_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidValue, match="at least 200"):
        recommend(Bowl(), steps=100)
    with pytest.raises(InvalidValue, match="level must be 'fast', 'default' or 'thorough'"):
        recommend(Bowl(), steps=400, level="best")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="one of them must be above 0"):
        recommend(Bowl(rate=0.0), steps=400)


def test_the_head_start_goes_into_its_own_training_only() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    other = Bowl(noise=0.1)
    with pytest.raises(TrainingError, match="the training that recommend was given"):
        advice.resume(other)
    assert losses_of(other) == losses_of(Bowl(noise=0.1))


def test_rates_are_compared_also_where_only_training_losses_are_known() -> None:
    class Blind(Bowl):
        def evaluate(self) -> dict[str, float]:
            return {}

    advice = recommend(Blind(noise=0.1), steps=np.int64(1_000))
    assert "the training loss" in str(advice.judged_by)
    assert 0.05 < advice.rate.value < 2


def test_what_evaluate_measures_is_named_where_the_training_loss_does_not_improve() -> None:
    class OnlyEnergy(Bowl):
        taken = 0

        def step(self, factors: Factors) -> Observation:
            super().step(factors)
            self.taken += 1
            return Observation({"loss": 1.0 + 1e-3 * self.taken})

        def evaluate(self) -> dict[str, float]:
            return {"energy": super().evaluate()["val_loss"]}

    with pytest.raises(TrainingError, match=r"evaluate\(\) measures 'energy'.* with metric="):
        recommend(OnlyEnergy(noise=0.1), steps=400)


class Mortal(Bowl):
    """Rates above 0.1 damage it; once it is dead, its loss stands a little above the first one."""

    def __init__(self) -> None:
        super().__init__(rate=0.01, curvature=(2.0, 1.5, 1.0))
        self._damage = 0.0

    def step(self, factors: Factors) -> Observation:
        self._damage += max(0.0, 0.01 * factors["lr"][0] - 0.1)
        return super().step(factors)

    def snapshot(self) -> Any:
        return super().snapshot(), self._damage

    def restore(self, snapshot: Any) -> None:
        inner, self._damage = snapshot
        super().restore(inner)

    def _loss(self) -> float:
        return 1.003 * 0.75 if self._damage > 2 else super()._loss()


def test_a_start_that_kills_at_once_is_not_taken_for_one_that_hardly_moves() -> None:
    advice = recommend(Mortal(), steps=600)
    assert advice.rate.value <= 0.15
    assert run(Mortal(), advice.schedule, 600).metrics["val_loss"] < 1e-3
