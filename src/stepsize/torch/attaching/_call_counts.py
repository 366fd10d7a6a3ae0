"""Whether the calls of ``scheduler.step()`` fit what a ``Scheduler`` counts."""

from typing import Any, Final, Literal

from torch.optim import Optimizer

from stepsize.driving import Policy
from stepsize.errors import InvalidValue, StepsizeWarning
from stepsize.messages import Message
from stepsize.schedules import Absolute
from stepsize.schedules.expression import Expression
from stepsize.torch.attaching._driven_optimizer import DrivenOptimizer, update_ran

__all__ = ["CallCounts"]

_CALLS_WITHOUT_UPDATE: Final = 100
"""After so many calls without an update of the optimizer that is mentioned."""


class CallCounts:
    """Compares calls with updates. Contradictions raise once.

    Args:
        call: The call as typed.
        driven: The optimizer.
        counts: What was asked for; None: updates, unless the calls speak against it.
    """

    def __init__(
        self, call: str, driven: DrivenOptimizer, counts: Literal["calls", "updates"] | None
    ) -> None:
        self._call = call
        self._driven = driven
        self._counts = counts
        self._hook: Any = None
        self._is_silent = False
        self.begin_anew()

    def begin(self, optimizer: Optimizer) -> None:
        """Count the optimizer's updates."""
        self._hook = optimizer.register_step_post_hook(self._count_update)

    def begin_anew(self) -> None:
        """Forget what was counted."""
        self._calls = 0
        self._updates = 0
        self._updates_at_call = 0
        self._calls_since_update = 0

    def end(self) -> None:
        """Count no more."""
        if self._hook is not None:
            self._hook.remove()

    def _count_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if update_ran(optimizer):
            self._updates += 1

    def step(self) -> None:
        """A call of ``scheduler.step()``.

        Raises:
            InvalidValue: Once: it contradicts what is counted.
        """
        self._calls += 1
        updates = self._updates - self._updates_at_call
        self._updates_at_call = self._updates
        if self._counts == "calls":
            self._compare_calls(updates)
        elif self._counts is None:
            self._compare_updates(updates)
        if self._updates == 0 and self._calls == _CALLS_WITHOUT_UPDATE:
            self._warn_of_no_update()

    def _compare_updates(self, updates: int) -> None:
        if self._calls != 2 or updates < 2 or self._is_silent or self._has_durations():
            return
        self._is_silent = True
        policies = self._driven.groups.driver.policies
        schedule = repr(policies[0].schedule)
        raise InvalidValue(
            self._call,
            "the numbers of the plan count optimizer updates",
            f"there were {updates} updates between two calls of step(), as if they counted epochs",
            f"If they do, write Scheduler(optimizer, {schedule}.per_epoch({updates})) or "
            "counts='calls'; if they count updates, counts='updates'.",
            "counts",
        )

    def _has_durations(self) -> bool:
        return any(_counts_epochs(policy) for policy in self._driven.groups.driver.policies)

    def _compare_calls(self, updates: int) -> None:
        before = self._calls_since_update
        self._calls_since_update = 1 if updates else before + 1
        if not updates or self._is_silent:
            return
        # Two calls after two updates are late, and not too many.
        if before > 1 and 0 < self._updates - updates < self._calls - 1:
            self._is_silent = True
            raise InvalidValue(
                self._call,
                "counting calls, step() is called at most once between two updates",
                f"there were {before} calls between two updates",
                "To count updates, however often step() is called, leave counts out.",
                "counts",
            )
        if before and self._updates == updates:
            self._driven.notices.warn(
                "calls",
                Message(
                    "scheduler.step() was called {calls:count|time|times} before the first "
                    "optimizer.step(), so that the first rates were not used. Call it after the "
                    "optimizer. This is said once.",
                    calls=before,
                ),
                StepsizeWarning,
                stacklevel=4,
            )

    def _warn_of_no_update(self) -> None:
        self._driven.notices.warn(
            "no update",
            Message(
                "scheduler.step() was called {calls:count|time|times}, and this {kind:name} has "
                "not taken a step. Build the Scheduler with the optimizer that steps. This is "
                "said once.",
                calls=self._calls,
                kind=self._driven.kind,
            ),
            StepsizeWarning,
            stacklevel=4,
        )


def _counts_epochs(policy: Policy) -> bool:
    schedule = policy.schedule
    return _holds_per_epoch(schedule.schedule if isinstance(schedule, Absolute) else schedule)


def _holds_per_epoch(node: Expression) -> bool:
    children = node._children()  # pyright: ignore[reportPrivateUsage]
    return getattr(node, "_method", "") == "per_epoch" or any(map(_holds_per_epoch, children))
