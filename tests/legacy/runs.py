"""The runs with checkpoints: how they were called, and what is seen when they go on."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepsize import Constant, Linear, Policy, Warmup
from stepsize.signals import Tick
from stepsize.training import Ring, run
from tests.legacy.plain import plain, plain_decision
from tests.legacy.plans import CONTROLLERS, early_stop, gradient_norm, guard, plateau
from tests.legacy.trainings import Descent, torch_adamw, torch_sgd

__all__ = ["RUNS", "CheckpointedRun"]


class Killed(BaseException):
    """Stands for the end of a process: nothing may catch it and go on."""


@dataclass(frozen=True)
class CheckpointedRun:
    """A run.

    Args:
        training: Builds it.
        policy: What drives it.
        killed: After how many ticks the first process ended; None if it was not killed.
        short: How many steps the first process was to take.
        steps: How many steps the second one is to take, altogether.
        given: Further arguments of ``run``.
    """

    training: Callable[[], Any]
    policy: Any
    killed: int | None = None
    short: int = 60
    steps: int = 60
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def begin(self, folder: Path) -> None:
        """The first process."""
        left = self.killed

        def count(tick: Tick) -> None:
            nonlocal left
            if left is not None:
                left -= 1
                if left < 0:
                    raise Killed

        with suppress(Killed):
            run(
                self.training(),
                self.policy,
                self.short,
                [count],
                checkpoints=folder,
                every=10,
                **self.given,
            )

    def go_on(self, folder: Path | None) -> dict[str, Any]:
        """The second process, and what was seen in it; without a folder it has to do all."""
        ticks: list[Tick] = []
        training = self.training()
        outcome = run(
            training,
            self.policy,
            self.steps,
            [ticks.append],
            checkpoints=folder,
            every=10,
            **self.given,
        )
        return {
            "ticks": [_plain_tick(each) for each in ticks],
            "weights": plain(_weights(training)),
            "steps": outcome.steps,
            "skipped": outcome.skipped,
            "metrics": plain(outcome.metrics),
            "is_stopped": outcome.stopped is not None,
            "decisions": [[at, plain_decision(each)] for at, each in outcome.decisions],
            "reasons": [str(each.reason) for _, each in outcome.decisions],
        }


def _plain_tick(tick: Tick) -> list[Any]:
    decisions = [plain_decision(each) for each in tick.decisions]
    return [*plain([tick.position, tick.quantities, tick.metrics]), decisions]


def _weights(training: Any) -> Any:
    if isinstance(training, Descent):
        return training.weights
    return {name: each.tolist() for name, each in training.model.state_dict().items()}


LINE = Linear(80)
GUARDED = Policy(LINE, [guard()])
STOPPED = Policy(Constant(), [early_stop()])
RING = Ring(every=10, keep=3)

RUNS: Mapping[str, CheckpointedRun] = {
    "plain": CheckpointedRun(Descent, LINE, killed=33, given={"evaluate_every": 7}),
    "guarded": CheckpointedRun(
        lambda: Descent(bad=[14, 31, 32, 50]), GUARDED, killed=48, given={"ring": RING}
    ),
    # From a rate that is too high the run goes back several times, and cuts.
    "cut": CheckpointedRun(
        lambda: Descent(rate=9.0, bad=[12]), GUARDED, killed=90, given={"ring": RING}
    ),
    "controlled": CheckpointedRun(
        lambda: Descent(bad=[25]),
        {
            "lr": Policy(Warmup(8) >> Constant(), [guard(), plateau(), gradient_norm()]),
            "weight_decay": Policy(Constant(), CONTROLLERS["nested"]()),
        },
        killed=45,
        given={"ring": RING, "evaluate_every": 2},
    ),
    "two_optimizers": CheckpointedRun(
        lambda: Descent(bad=[23], optimizers=2),
        [GUARDED, Policy(Constant(0.5), [plateau()])],
        killed=37,
        given={"ring": RING, "evaluate_every": 3},
    ),
    "ended": CheckpointedRun(
        Descent, Policy(LINE, [plateau()]), short=40, given={"evaluate_every": 10}
    ),
    "stopping": CheckpointedRun(Descent, STOPPED, short=40, steps=90, given={"evaluate_every": 1}),
    "stopped": CheckpointedRun(Descent, STOPPED, steps=90, given={"evaluate_every": 1}),
    "torch_guarded": CheckpointedRun(
        torch_sgd,
        Policy(Linear(64), [guard()]),
        killed=28,
        short=30,
        steps=30,
        given={"ring": Ring(every=8, keep=2)},
    ),
    "torch_adamw": CheckpointedRun(torch_adamw, Linear(64), killed=28, short=30, steps=30),
}
"""By name."""
