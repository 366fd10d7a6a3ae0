"""The attachments and schedulers whose states were saved, built anew."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from stepsize import (
    Absolute,
    Constant,
    Cosine,
    Exponential,
    Hold,
    Linear,
    Policy,
    Step,
    Warmup,
    wsd,
)
from stepsize.torch import Scheduler, attach, from_scheduler
from stepsize.training import Ring
from tests.legacy.acts import Loop
from tests.legacy.plans import CONTROLLERS, early_stop, greedy, guard, plateau

__all__ = ["ATTACHMENTS", "SCHEDULERS", "scheduler"]

CURVE = Warmup(5) >> Cosine(400)


def sgd(*groups: Mapping[str, Any], **options: Any) -> torch.optim.SGD:
    given = [{"params": [torch.zeros(1)], **group} for group in groups or ({},)]
    return torch.optim.SGD(given, **{"lr": 0.1, **options})


def drive(loop: Loop, *optimizers: torch.optim.Optimizer, **given: Any) -> None:
    """Let the loop attach to the optimizers, as ``attach(optimizer, **given)``."""
    one = optimizers[0] if len(optimizers) == 1 else list(optimizers)
    loop.optimizers = list(optimizers)
    loop.keys = [key for key in given if key in ("lr", "momentum", "weight_decay")]
    loop.keys = [*loop.keys, *given.get("also", {})]
    loop.attach = lambda: attach(one, **given)


def single(loop: Loop) -> None:
    drive(loop, sgd(), lr=CURVE)


def absolute(loop: Loop) -> None:
    drive(loop, sgd({}, {"lr": 0.3}), lr=Absolute(Linear(60, 0.5, 0.25)))


def long_text(loop: Loop) -> None:
    schedule = (Linear(4, start=0.25, end=1) >> Hold(6) >> Exponential(30, 0.5)).clip(
        low=0.125
    ) * wsd(90, warmup=3, cooldown=20) + Cosine(7).repeat(stretch=2, shrink=0.5).until(80) * 0.25
    drive(loop, sgd(), lr=schedule)


def named_groups(loop: Loop) -> None:
    groups = {"name": "body", "lr": 0.1}, {"name": "head", "lr": 0.4}, {"name": "frozen", "lr": 1.0}
    followed = {"body": CURVE, "head": Policy(Step(3, 0.5), [plateau()])}
    drive(loop, sgd(*groups), lr=followed)


def two_groups(loop: Loop) -> None:
    drive(loop, sgd({"name": "body"}, {"name": "head", "lr": 0.4}), lr=CURVE)


def growing(loop: Loop) -> None:
    groups = [{"name": "body"}, {"name": "later", "lr": 0.2}, {"name": "last", "lr": 0.05}]
    drive(loop, sgd(*groups), lr=Linear(50) * 1, momentum=Absolute(Linear(40, 0.5, 0.75)))


def not_grown_yet(loop: Loop) -> None:
    drive(loop, sgd({"name": "body"}), lr=Linear(50) * 1, momentum=Absolute(Linear(40, 0.5, 0.75)))


def two_quantities(loop: Loop) -> None:
    drive(
        loop,
        sgd({"name": "body"}, {"name": "head", "lr": 0.4}, momentum=0.9, weight_decay=0.01),
        lr=Policy(CURVE, [plateau(), greedy()]),
        momentum=Absolute(Linear(40, 0.5, 0.75)),
        weight_decay=Policy(Constant(), [greedy()]),
    )


def betas(loop: Loop) -> None:
    optimizer = torch.optim.AdamW([torch.zeros(1)], lr=3e-4)
    drive(loop, optimizer, lr=CURVE, also={("betas", 0): Absolute(Linear(40, 0.85, 0.95))})


def tensor_rate(loop: Loop) -> None:
    groups = [{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)]}]
    optimizer = torch.optim.Adam(groups, lr=torch.tensor(0.25), foreach=False)
    drive(loop, optimizer, lr=Linear(32))


def two_optimizers(loop: Loop) -> None:
    adam = torch.optim.Adam([torch.zeros(2)], lr=1e-3)
    drive(loop, sgd({"name": "body"}), adam, lr=Policy(CURVE, [plateau(), early_stop()]))


def clock(loop: Loop) -> None:
    drive(loop, sgd(), lr=Policy(Linear(10_000), [plateau()]), clock=lambda: loop.consumed)


def rewound(loop: Loop) -> None:
    optimizer = sgd(weight_decay=0.01)
    drive(
        loop,
        optimizer,
        lr=Policy(Linear(200), [guard(), plateau()]),
        weight_decay=Constant(),
        snapshot=optimizer.state_dict,
        restore=optimizer.load_state_dict,
        ring=Ring(every=3, keep=3),
    )


def only_cut(loop: Loop) -> None:
    drive(loop, sgd(), lr=Policy(Linear(200), [guard()]))


def taken_over(loop: Loop) -> None:
    optimizer = sgd(momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=80)
    loop.optimizers, loop.keys = [optimizer], ["lr", "momentum"]
    loop.attach = lambda: from_scheduler(theirs).attach()


def controlled(name: str) -> Callable[[Loop], None]:
    return lambda loop: drive(loop, sgd(), lr=Policy(CURVE, CONTROLLERS[name]()))


ATTACHMENTS: Mapping[str, Callable[[Loop], None]] = {
    "single": single,
    "absolute": absolute,
    "long_text": long_text,
    "named_groups": named_groups,
    "scaled": two_groups,
    "based": two_groups,
    "stretched": two_groups,
    "held": two_groups,
    "restretched": two_groups,
    "restretched_with_a_rise": two_groups,
    "cooled_down": two_groups,
    "cooled_down_and_extended": two_groups,
    "everything_by_hand": two_groups,
    "growing": growing,
    "not_grown_yet": not_grown_yet,
    "two_quantities": two_quantities,
    "betas": betas,
    "tensor_rate": tensor_rate,
    "two_optimizers": two_optimizers,
    "clock": clock,
    "rewound": rewound,
    "only_cut": only_cut,
    "taken_over": taken_over,
    **{f"with_{name}": controlled(name) for name in CONTROLLERS if name != "none"},
}
"""By name, what prepares a loop: its optimizers as the code builds them, and how it attaches."""


def by_calls(optimizer: torch.optim.Optimizer, plan: Any) -> Scheduler:
    return Scheduler(optimizer, plan, counts="calls")


def in_sequence(optimizer: torch.optim.Optimizer) -> Any:
    warmup, rest = by_calls(optimizer, Linear(6, 0.25, 1)), by_calls(optimizer, Cosine(30))
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, rest], milestones=[6])


SCHEDULERS: Mapping[str, Callable[[torch.optim.Optimizer], Any]] = {
    "calls": lambda optimizer: by_calls(optimizer, CURVE),
    "updates": lambda optimizer: Scheduler(optimizer, CURVE, counts="updates"),
    "absolute": lambda optimizer: by_calls(optimizer, Absolute(Linear(60, 0.5, 0.25))),
    "in_sequence": in_sequence,
}
"""By name, a torch scheduler on an optimizer."""


def scheduler(name: str) -> tuple[torch.optim.Optimizer, Any]:
    """An optimizer and the scheduler of this name on it."""
    optimizer = sgd({}, {"lr": 0.4})
    return optimizer, SCHEDULERS[name](optimizer)
