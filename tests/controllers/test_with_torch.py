"""Controllers on a torch optimizer: on any schedule, and through a checkpoint."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stepsize import Constant, Cosine, Policy, Schedule, Warmup
from stepsize.controllers import After, Greedy, NewBob, Plateau, Within, replay
from stepsize.torch import Attachment, attach

RULES = (
    Plateau(metric="val_loss", factor=0.5, patience=1, cooldown=1),
    Within(0.3, 1, NewBob(metric="val_accuracy")),
    Greedy(metric="val_loss", high=2, factor=0.8, patience=0),
)
LOSSES = [1.0, 0.8, 0.8, 0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.6]
MEASURED = {"val_loss": LOSSES, "val_accuracy": [1 - loss / 2 for loss in LOSSES]}


def attached(schedule: Schedule) -> tuple[torch.optim.Optimizer, Attachment]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    return optimizer, attach(optimizer, Policy(schedule, RULES))


def train(optimizer: Any, rate: Attachment, epochs: range) -> list[float]:
    """One step per epoch; returns the rate after each evaluation."""
    seen: list[float] = []
    for epoch in epochs:
        optimizer.step()
        rate.observe(**{name: values[epoch] for name, values in MEASURED.items()})
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


@pytest.mark.parametrize(
    "schedule",
    [Constant(), Warmup(4) >> Constant(), Cosine(12, end=0.1), (Warmup(2) >> Cosine(3)).repeat()],
    ids=repr,
)
def test_a_rate_is_the_schedule_times_what_the_controllers_said(schedule: Schedule) -> None:
    rates = train(*attached(schedule), range(len(LOSSES)))
    scales = [replay(rule, MEASURED).scale for rule in RULES]
    for epoch, rate in enumerate(rates):
        product = scales[0][epoch] * scales[1][epoch] * scales[2][epoch]
        assert rate == pytest.approx(0.1 * schedule(epoch + 1) * product)


def test_a_plateau_rule_after_the_warmup_does_not_see_the_warmup() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    plateau = Plateau(metric="val_loss", factor=0.5, patience=0)
    rate = attach(optimizer, Policy(Warmup(4) >> Constant(), [After(4, plateau)]))
    rates: list[float] = []
    for _ in range(8):
        optimizer.step()
        rate.observe(val_loss=1.0)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.05, 0.025, 0.0125])


@pytest.mark.parametrize("saved_at", range(0, len(LOSSES), 3))
def test_a_resumed_run_decides_as_the_uninterrupted_one(tmp_path: Path, saved_at: int) -> None:
    schedule = Warmup(4) >> Cosine(9)
    whole = train(*attached(schedule), range(len(LOSSES)))
    optimizer, rate = attached(schedule)
    train(optimizer, rate, range(saved_at))
    checkpoint = tmp_path / "checkpoint.pt"
    torch.save({"optimizer": optimizer.state_dict(), "rate": rate.state_dict()}, checkpoint)

    optimizer, rate = attached(schedule)
    saved = torch.load(checkpoint, weights_only=True)
    optimizer.load_state_dict(saved["optimizer"])
    rate.load_state_dict(saved["rate"])
    assert train(optimizer, rate, range(saved_at, len(LOSSES))) == whole[saved_at:]
