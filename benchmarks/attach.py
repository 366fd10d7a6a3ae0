"""What driving an optimizer costs per step, beside torch's schedulers and the bare loop."""

import gc
import math
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.timing import medians
from stepsize import Cosine
from stepsize.torch import attach

__all__ = ["rows"]

STEPS = 10_000_000
AIMS = {1: "≤ 0.5", 1000: "≤ 0.1"}


def rows() -> list[tuple[str, float, str, str]]:
    """Return (name, value, unit, aim)."""
    torch.set_num_threads(1)
    table: list[tuple[str, float, str, str]] = []
    with warnings.catch_warnings():
        # No scheduler here sees a step of its optimizer.
        warnings.simplefilter("ignore")
        for groups in (1, 10, 100, 1000):
            cost = medians(_contenders(groups), calls=max(10, 5_000 // groups), repeats=41)
            named = f"{groups} group{'s' * (groups > 1)}"
            table += [
                (f"{name}, {named}", each * 1e6, "µs per step", "") for name, each in cost.items()
            ]
            table.append(
                (
                    f"attach / CosineAnnealingLR, {named}",
                    cost["attach"] / cost["CosineAnnealingLR"],
                    "×",
                    AIMS.get(groups, ""),
                )
            )
            table.append(
                (
                    f"attach / bare loop, {named}",
                    cost["attach"] / cost["one cosine, then base · k per group"],
                    "×",
                    "≤ 1.5" if groups == 1000 else "",
                )
            )
        table.append(_around_a_step())
        table.append(_attaching())
    return table


def _around_a_step() -> tuple[str, float, str, str]:
    """The same ratio in a whole loop, where torch's own dispatch of the hooks is paid, too."""
    alone, driven, followed = _optimizer(1), _optimizer(1), _optimizer(1)
    attach(driven, Cosine(STEPS))
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(followed, STEPS)

    def step_both() -> None:
        followed.step()
        scheduler.step()

    loops = {"alone": alone.step, "attach": driven.step, "CosineAnnealingLR": step_both}
    cost = medians(loops, calls=5_000, repeats=41)
    ratio = (cost["attach"] - cost["alone"]) / (cost["CosineAnnealingLR"] - cost["alone"])
    return "attach / CosineAnnealingLR, 1 group, around optimizer.step()", ratio, "×", ""


def _attaching() -> tuple[str, float, str, str]:
    """What attaching a schedule per group costs ten times as many groups."""
    seconds = {1_000: math.inf, 10_000: math.inf}
    for groups in (*seconds, *seconds, *seconds):
        optimizer = _optimizer(1)
        # Adding groups one by one compares each with all, in torch.
        optimizer.param_groups *= groups
        optimizer.param_groups[:] = [dict(group) for group in optimizer.param_groups]
        plan: dict[Any, Any] = {index: Cosine(1_000 + index) for index in range(groups)}
        gc.disable()  # as timeit does: one collection looks at all that torch has loaded
        begun = time.process_time()
        attach(optimizer, plan)
        seconds[groups] = min(seconds[groups], time.process_time() - begun)
        gc.enable()
    ratio = seconds[10_000] / seconds[1_000]
    return "attach, a schedule per group, 10,000 groups / 1,000 groups", ratio, "×", "≤ 12"


def _optimizer(groups: int) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        [{"params": [torch.zeros(1)], "lr": 0.1 * (1 + i / groups)} for i in range(groups)]
    )


def _contenders(groups: int) -> Mapping[str, Callable[[], object]]:
    """What is called at each step, without the step itself."""
    schedulers = torch.optim.lr_scheduler
    lambda_lr = schedulers.LambdaLR(
        _optimizer(groups), lambda step: (1 + math.cos(math.pi * step / STEPS)) / 2
    )
    pair = _optimizer(groups)
    sequential = schedulers.SequentialLR(
        pair,
        [schedulers.LinearLR(pair, 0.1, 1, 1), schedulers.CosineAnnealingLR(pair, STEPS)],
        milestones=[1],
    )
    return {
        "attach": _attached(_optimizer(groups)),
        "CosineAnnealingLR": schedulers.CosineAnnealingLR(_optimizer(groups), STEPS).step,
        "LambdaLR": lambda_lr.step,
        "SequentialLR": sequential.step,
        "one cosine, then base · k per group": _bare_loop(_optimizer(groups)),
    }


def _attached(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    attach(optimizer, Cosine(STEPS))
    (before,) = optimizer._optimizer_step_pre_hooks.values()
    (after,) = optimizer._optimizer_step_post_hooks.values()
    nothing: dict[str, object] = {}

    def hooks() -> None:
        before(optimizer, (), nothing)
        after(optimizer, (), nothing)

    return hooks


def _bare_loop(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    bases = [group["lr"] for group in optimizer.param_groups]
    position = 0

    def loop() -> None:
        nonlocal position
        position += 1
        factor = (1 + math.cos(math.pi * position / STEPS)) / 2
        for group, base in zip(optimizer.param_groups, bases, strict=True):
            group["lr"] = base * factor

    return loop
