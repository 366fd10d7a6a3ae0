"""What was done to optimizers, schedulers and policies, as plain lists, carried out once more."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from stepsize import Policy, PolicyState, Rewind, Stop, TrainingStopped
from stepsize.signals import Decision, Observation
from tests.legacy.plain import plain, plain_decision

__all__ = ["Loop", "observed", "published"]


class Loop:
    """A loop around attached optimizers.

    Attributes:
        optimizers: What is stepped.
        attach: Attaches to them, when its turn has come.
        keys: The driven quantities.
        consumed: What a clock reads.
        rate: What ``attach`` gave.
    """

    def __init__(self) -> None:
        self.optimizers: list[torch.optim.Optimizer] = []
        self.attach: Callable[[], Any] = lambda: None
        self.keys: Sequence[Any] = ("lr",)
        self.consumed = 0
        self.rate: Any = None

    def carry_out(self, acts: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """Carry out each act; returns what was seen after each."""
        return [self._seen(self._one(*act)) for act in acts]

    def _seen(self, decisions: Sequence[Decision] | None) -> dict[str, Any]:
        seen: dict[str, Any] = {
            "next": [self.rate.of(key).next for key in self.keys],
            "written": [
                [float(group["lr"]) for group in optimizer.param_groups]
                for optimizer in self.optimizers
            ],
        }
        if decisions is None:
            seen["stopped"] = True
        elif decisions:
            seen["decisions"] = [plain_decision(each) for each in decisions]
        return plain(seen)

    def _one(self, act: str, *given: Any) -> Sequence[Decision] | None:
        """What was decided; None if the training was stopped."""
        if act == "observe":
            try:
                return self.rate.observe(**_numbers(given[0]))
            except TrainingStopped:
                return None
        if act == "step":
            self._step()
        elif act == "consume":
            self.consumed += given[0]
        elif act == "add_group":
            self.optimizers[0].add_param_group({"params": [torch.zeros(1)], **given[0]})
        elif act == "start_clock":
            self.rate.start_clock(given[0])
        else:
            key, *arguments = given
            getattr(self.rate.of(key), act)(*arguments)
        return ()

    def _step(self) -> None:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.ones_like(parameter)
            optimizer.step()


def published(
    optimizer: torch.optim.Optimizer, scheduler: Any, acts: Sequence[str]
) -> list[list[float]]:
    """The rates after each update of the optimizer, and after each step of the scheduler."""
    seen: list[list[float]] = []
    for act in acts:
        (optimizer if act == "update" else scheduler).step()
        seen.append([float(group["lr"]) for group in optimizer.param_groups])
    return seen


def observed(
    policy: Policy, state: PolicyState, position: int, metrics: Sequence[Mapping[str, Any]]
) -> tuple[PolicyState, list[list[Any]]]:
    """The state after each position's metrics, and each position's factor and decisions."""
    seen: list[list[Any]] = []
    for at, each in enumerate(metrics, position):
        factor = policy.factor(state, at)
        state, decisions = policy.observe(state, Observation(_numbers(each), position=at))
        seen.append([plain(factor), [plain_decision(decision) for decision in decisions]])
        for decision in decisions:
            if isinstance(decision, Rewind):
                state = policy.rewind(state, state, decision, at=at, seen=at)
        if any(isinstance(decision, Stop) for decision in decisions):
            break
    return state, seen


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
