"""warmup_scheduler: GradualWarmupScheduler"""

from oracle.drivers import from_optimizer
from oracle.table import Pair, Peer

PEER = Peer("GW", "warmup-scheduler", package="warmup_scheduler")


def rates(call: str, count: int, base: float) -> list[float]:
    from torch.optim import lr_scheduler
    from warmup_scheduler import GradualWarmupScheduler

    names = {**vars(lr_scheduler), "GradualWarmupScheduler": GradualWarmupScheduler}
    return from_optimizer(call, names, count, base)


PAIRS = (
    Pair(
        71,
        "GradualWarmupScheduler(optimizer, multiplier=1, total_epoch={w})",
        "Warmup({w})",
        ({"w": 10}, {"w": 1}, {"w": 37}),
    ),
    Pair(
        71,
        "GradualWarmupScheduler(optimizer, multiplier=1, total_epoch={w}, "
        "after_scheduler=StepLR(optimizer, step_size={k}, gamma={g}))",
        "Warmup({w}) >> Hold(1) >> Step({k}, {g})",
        ({"w": 10, "k": 4, "g": 0.5, "b": 1.0}, {"w": 1, "k": 7, "g": 0.1, "b": 3e-4}),
        difference="The schedule starts one step after the peak, so the peak is there twice.",
        base="b",
        count="w + 50",
    ),
    Pair(
        71,
        "GradualWarmupScheduler(optimizer, multiplier=1, total_epoch={w}, "
        "after_scheduler=CosineAnnealingLR(optimizer, T_max={n}))",
        "Warmup({w}) >> Hold(1) >> Cosine({n})",
        ({"w": 10, "n": 30, "b": 1.0}, {"w": 3, "n": 100, "b": 3e-4}),
        difference="The schedule starts one step after the peak.",
        base="b",
        count="w + n",
        fault="It asks the cosine for its rate before its first step, which answers above the "
        "peak, and everything after is too high by as much.",
        agrees_until="w + 1",
    ),
    Pair(
        83,
        "GradualWarmupScheduler(optimizer, multiplier={m}, total_epoch={w})",
        "Linear({w}, start=1, end={m})",
        ({"w": 10, "m": 8.0}, {"w": 1, "m": 2}, {"w": 37, "m": 1.5}),
        difference="The rate of the optimizer is the start, not the peak.",
    ),
    Pair(
        83,
        "GradualWarmupScheduler(optimizer, multiplier={m}, total_epoch={w}, "
        "after_scheduler=StepLR(optimizer, step_size={k}, gamma={g}))",
        "(Linear({w}, start={1 / m}, end=1) >> Hold(1) >> Step({k}, {g})) * {m}",
        ({"w": 10, "m": 8.0, "k": 4, "g": 0.5}, {"w": 37, "m": 1.5, "k": 7, "g": 0.1}),
        difference="The schedule starts one step after the peak, so the peak is there twice.",
        count="w + 50",
    ),
)
