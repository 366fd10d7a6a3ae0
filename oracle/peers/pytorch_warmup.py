"""pytorch_warmup"""

from oracle.table import Pair, Peer

PEER = Peer("PW", "pytorch_warmup", package="pytorch-warmup")


def rates(call: str, count: int, base: float) -> list[float]:
    import pytorch_warmup
    import torch
    from torch.optim.lr_scheduler import StepLR

    parameters = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = torch.optim.AdamW(parameters, lr=base)
    value = eval(
        call,
        {
            **vars(pytorch_warmup),
            "AdamW": torch.optim.AdamW,
            "StepLR": StepLR,
            "optimizer": optimizer,
            "parameters": parameters,
        },
    )
    scheduler, warmup = value if isinstance(value, tuple) else (None, value)
    seen: list[float] = []
    for _ in range(count):
        seen.append(float(warmup.optimizer.param_groups[0]["lr"]))
        warmup.optimizer.step()
        with warmup.dampening():
            if scheduler is not None:
                scheduler.step()
    return seen


FROM_ONE = "Its steps count from 1, so the first value is that of our position 1."

PAIRS = (
    Pair(
        72,
        "LinearWarmup(optimizer, warmup_period={w})",
        "Warmup({w}).skip(1)",
        ({"w": 10}, {"w": 1}, {"w": 137}),
        difference="The first value is 1/w, and the peak is at w - 1.",
    ),
    Pair(
        72,
        "(StepLR(optimizer, step_size={k}, gamma={g}), LinearWarmup(optimizer, warmup_period={w}))",
        "Warmup({w}).skip(1) * Step({k}, {g})",
        ({"w": 10, "k": 4, "g": 0.5, "b": 3e-4}, {"w": 3, "k": 20, "g": 0.1, "b": 1.0}),
        difference="dampening() around the scheduler is our product: the schedule runs during the "
        "warmup.",
        base="b",
        count="100",
    ),
    Pair(
        79,
        "ExponentialWarmup(optimizer, warmup_period={w})",
        "Exponential({exp(-1)}, {w}).skip(1) * -1 + 1",
        ({"w": 10}, {"w": 1}, {"w": 137}),
        difference=FROM_ONE,
    ),
    Pair(
        80,
        "UntunedLinearWarmup(AdamW(parameters, lr={b}, betas=(0.9, {beta2})))",
        "Warmup({int(2 / (1 - beta2))}).skip(1)",
        ({"beta2": 0.999, "b": 1.0}, {"beta2": 0.95, "b": 3e-4}, {"beta2": 0.98, "b": 1.0}),
        difference="w = int(2 / (1 - beta2)), which the rounding makes 1999 for 0.999.",
        base="b",
        count="int(2 / (1 - beta2)) + 20",
    ),
    Pair(
        81,
        "UntunedExponentialWarmup(AdamW(parameters, lr={b}, betas=(0.9, {beta2})))",
        "Exponential({exp(-1)}, {int(1 / (1 - beta2))}).skip(1) * -1 + 1",
        ({"beta2": 0.999, "b": 1.0}, {"beta2": 0.95, "b": 3e-4}),
        difference="w = int(1 / (1 - beta2)), which the rounding makes 999 for 0.999. " + FROM_ONE,
        base="b",
    ),
    Pair(
        82,
        "RAdamWarmup(AdamW(parameters, lr={b}, betas=(0.9, {beta2})))",
        "RectifiedWarmup({beta2}).skip({offset - 1})",
        (
            {"beta2": 0.999, "offset": 5, "b": 1.0},
            {"beta2": 0.95, "offset": 5, "b": 3e-4},
            {"beta2": 0.7, "offset": 6, "b": 1.0},
        ),
        difference="It begins where the rectification is first above 0.",
        base="b",
        count="500",
    ),
)
