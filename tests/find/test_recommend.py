"""``recommend``: a rate that works, a run that can be continued, a bounded cost, no trace."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from stepsize import InvalidValue, TrainingError, parse
from stepsize.find import recommend
from stepsize.signals import Observation
from stepsize.testing.training import Bowl
from stepsize.torch import TorchTraining
from stepsize.training import Factors, Training, run


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
    assert start == advice.head_start.steps == 54
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


@pytest.mark.parametrize(("level", "most"), [("fast", 1.1), ("default", 1.3), ("thorough", 2.1)])
@pytest.mark.parametrize("steps", [400, 517, 3_000])
def test_no_level_takes_more_steps_than_it_states(level: str, most: float, steps: int) -> None:
    seen: list[tuple[int, int]] = []
    advice = recommend(
        Bowl(noise=0.1), steps, level, progress=lambda done, of: seen.append((done, of))
    )
    assert advice.cost <= most
    assert len(seen) == advice.spent
    assert seen[-1][0] <= seen[-1][1]


def test_the_run_can_be_written_down_and_ends_at_zero() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    assert parse(repr(advice.schedule)) == advice.schedule
    assert advice.schedule(500) == 0


def test_what_it_saw_is_said() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    text = repr(advice)
    for part in (
        "opening:",
        "trials: the first 45 steps",
        "others: opening sweep says",
        "cost:",
        "left out",
    ):
        assert part in text
    assert "no derivatives()" in advice.left_out["curvature"]


def test_cheaper_rules_run_where_they_are_half_a_percent_of_the_run(
    torch_training: TorchTraining,
) -> None:
    advice = recommend(torch_training, steps=4_000, level="fast")
    assert {"opening sweep", "relative change", "distance", "curvature"} == set(advice.hints)
    assert not advice.left_out
    assert "relative change says" in advice.agreement


def test_level_fast_takes_the_first_rate_at_which_the_run_learns() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500, level="fast")
    assert [each.rate for each in advice.trials] == [advice.rate.value]
    assert advice.head_start.steps == 20


def test_the_kept_beginning_is_that_of_the_best_trial() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    best = min(advice.trials, key=lambda each: each.loss)
    assert len(advice.trials) > 1
    assert advice.schedule(44) == pytest.approx(best.rate / 0.1)
    assert advice.head_start.losses.tolist() == best.losses[:45].tolist()


def test_rates_at_which_the_loss_stands_still_are_left_behind_in_great_steps() -> None:
    """The sweep ends at 10,000 times the optimizer's own rate, which is still far too low."""
    advice = recommend(Bowl(rate=1e-8, curvature=[1.0, 0.3]), steps=1_000, level="thorough")
    rates = [each.rate for each in advice.trials]
    assert rates[1] == pytest.approx(rates[0] * 10 ** (4 / 3))
    assert advice.rate.value > 1_000 * rates[0]


def test_a_loss_that_stands_still_at_first_is_no_reason_to_refuse_at_level_fast() -> None:
    class Late(Bowl):
        """Nothing is to be seen in its first 30 steps, as on the plateau that some models leave."""

        taken = 0

        def step(self, factors: Factors) -> Observation:
            self.taken += 1
            return super().step(factors)

        def evaluate(self) -> dict[str, float]:
            return {"val_loss": 1.0 + 1e-3 * self.taken}

    assert recommend(Late(noise=0.1), steps=400, level="fast").rate.value > 0


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

    with pytest.raises(TrainingError, match=r"must not diverge at its beginning, but did at each"):
        recommend(BreaksInCooldowns(noise=0.1), steps=600)


def test_bad_arguments_are_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidValue, match="at least 200"):
        recommend(Bowl(), steps=100)
    with pytest.raises(InvalidValue, match="level must be one of"):
        recommend(Bowl(), steps=400, level="best")  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="must be above 0"):
        recommend(Bowl(rate=0.0), steps=400)


def test_the_head_start_goes_into_its_own_training_only() -> None:
    advice = recommend(Bowl(noise=0.1), steps=500)
    other = Bowl(noise=0.1)
    with pytest.raises(TrainingError, match="the training that recommend was given"):
        advice.resume(other)
    assert losses_of(other) == losses_of(Bowl(noise=0.1))


@pytest.mark.parametrize("measured", [{"val_loss": 1.0}, {}])
def test_level_fast_says_that_the_first_rate_helps(measured: dict[str, float]) -> None:
    class Judged(Bowl):
        def evaluate(self) -> dict[str, float]:
            return {name: super(Judged, self).evaluate()[name] for name in measured}

    advice = recommend(Judged(noise=0.1), steps=np.int64(500), level="fast")
    assert len(advice.trials) == 1
    assert advice.rate.reason.startswith("the first rate that was tried helps")


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
