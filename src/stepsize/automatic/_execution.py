"""The run itself: what was prepared is driven, under guard if wanted."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.automatic._preparation import Preparation
from stepsize.controllers import Guard, Primed
from stepsize.driving import Policy, named_by_group
from stepsize.errors import StepsizeError, TrainingError
from stepsize.find import Recommendation
from stepsize.report.finished import Status
from stepsize.report.history import History
from stepsize.schedules import Absolute, Schedule
from stepsize.signals import Controller, Sink, Tick
from stepsize.training import Outcome, Training, run

__all__: list[str] = []


@dataclass(frozen=True)
class Execution:
    """How a run ended.

    Args:
        outcome: What came out.
        status: How it ended.
        failure: What the training raised; empty if it raised nothing.
    """

    outcome: Outcome
    status: Status
    failure: str = ""


def is_guarded(training: Training, schedule: Schedule | Absolute | None) -> bool:
    """Whether to watch over the training where the user has not said."""
    return schedule is None and len({group.optimizer for group in training.groups}) == 1


def execute(
    training: Training,
    prepared: Preparation,
    steps: int,
    *,
    guarded: bool,
    sinks: Sequence[Sink],
    history: History,
    evaluate_every: int | None = None,
) -> Execution:
    """Drive the training to its end, or as far as it goes.

    Args:
        training: As ``prepare`` left it.
        prepared: What drives it.
        steps: Length of the run.
        guarded: Whether to go back and lower the rate when the training goes wrong.
        sinks: Each is told of every step, those of the search first.
        history: The sink among them that says how far the run came.
        evaluate_every: Steps between evaluations.

    Raises:
        StepsizeError: The run cannot be begun.
    """
    advice, start = prepared.advice, 0
    guard: Controller = Guard()
    if advice is not None:
        start = advice.resume(training)
        guard = Primed(guard, advice.head_start.losses.tolist())
        _tell_head_start(training, advice, sinks)
    policy = Policy(prepared.schedule, [guard] if guarded else [])
    try:
        try:
            outcome = run(
                training, policy, steps, sinks, start=start, evaluate_every=evaluate_every
            )
        except KeyboardInterrupt:
            # Ctrl-C ends the run, not its summary: what there is gets evaluated and shown.
            return Execution(Outcome(_reached(history), metrics=training.evaluate()), "interrupted")
    except TrainingError as error:
        if not history.positions:
            raise
        return Execution(Outcome(_reached(history)), "failed", f"{type(error).__name__}: {error}")
    except StepsizeError:
        raise
    except Exception as error:
        # stepsize raises nothing else on purpose: it is the user's step() or evaluate().
        return Execution(Outcome(_reached(history)), "failed", described(error))
    return Execution(outcome, "stopped" if outcome.stopped else "finished")


def _reached(history: History) -> int:
    return int(history.positions[-1]) + 1 if history.positions else 0


def _tell_head_start(training: Training, advice: Recommendation, sinks: Sequence[Sink]) -> None:
    """Tell the sinks of what the search did as if it were done now."""
    names = [group.name for group in training.groups]
    factors = advice.schedule.values(advice.head_start.steps).tolist()
    for position, loss in enumerate(advice.head_start.losses.tolist()):
        rates = [group.base * factors[position] for group in training.groups]
        tick = Tick(position, named_by_group("lr", names, rates), {"loss": loss})
        for sink in sinks:
            sink(tick)


def described(error: Exception) -> str:
    """Type, text and place of what user code raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    line = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename})" if trace else ""
    return f"{type(error).__name__}: {error}{line}"
