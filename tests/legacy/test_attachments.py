"""What an attachment, or a torch scheduler, of version 0.1.0 saved goes on as that version did."""

import copy
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from stepsize import StateMismatch, StepsizeWarning
from tests.legacy.acts import Loop, published
from tests.legacy.attachments import ATTACHMENTS, SCHEDULERS, scheduler
from tests.legacy.plain import plain

DATA = Path(__file__).parent / "data"

ORDERS = [
    ("attach", "load optimizers", "load rate"),
    ("attach", "load rate", "load optimizers"),
    ("load optimizers", "attach", "load rate"),
    ("attach", "load rate"),
]

ONLY_PROGRESS = ["single", "absolute", "long_text", "betas", "tensor_rate"]
"""Of which nothing but the position is needed: all else is in the optimizer's own state."""


def resumed(name: str, order: Sequence[str]) -> tuple[Loop, Any]:
    """A loop that goes on from the saved one, and what was saved."""
    saved = json.loads((DATA / "attachments" / f"{name}.json").read_text())
    states = torch.load(DATA / "attachments" / f"{name}.pt", weights_only=True)
    loop = Loop()
    ATTACHMENTS[name](loop)
    loop.consumed = saved["consumed"]
    for act in order:
        if act == "attach":
            loop.rate = loop.attach()
        elif act == "load rate":
            loop.rate.load_state_dict(saved["state"])
        else:
            for optimizer, state in zip(loop.optimizers, states, strict=True):
                optimizer.load_state_dict(copy.deepcopy(state))
    return loop, saved


def went_on(loop: Loop, saved: Any) -> Any:
    """What is seen after each act that followed."""
    with warnings.catch_warnings():
        # The copies to go back to are not in a state: a guard says so once, and only cuts.
        warnings.filterwarnings("ignore", r"rate\.observe\(.* decides to go back", StepsizeWarning)
        loop.carry_out(saved["again"])
        return loop.carry_out(saved["acts"])


# ``from_scheduler`` reads the optimizer that torch's scheduler was built on, before any loading.
PAIRS = {
    f"{name}: {', '.join(order)}": (name, order)
    for name in ATTACHMENTS
    for order in ORDERS
    if name != "not_grown_yet" and (name != "taken_over" or order[0] == "attach")
}


@pytest.mark.parametrize(("name", "order"), PAIRS.values(), ids=PAIRS)
def test_a_saved_attachment_goes_on_bit_for_bit_in_every_order(
    name: str, order: Sequence[str]
) -> None:
    loop, saved = resumed(name, order)
    assert went_on(loop, saved) == saved["expected"]


def test_groups_that_the_saved_run_had_added_go_on_when_they_are_added_again() -> None:
    loop, saved = resumed("not_grown_yet", ("attach", "load rate"))
    assert went_on(loop, saved) == saved["expected"]


@pytest.mark.parametrize("name", ONLY_PROGRESS)
def test_the_bases_in_a_saved_optimizer_are_found_without_the_state_of_the_rate(name: str) -> None:
    saved = json.loads((DATA / "attachments" / f"{name}.json").read_text())
    loop, _ = resumed(name, ("load optimizers", "attach"))
    for optimizer, state in zip(loop.optimizers, saved["state"]["optimizers"], strict=True):
        bases = state["quantities"]["lr"]["bases"]
        loop.rate.detach()
        assert [float(group["lr"]) for group in optimizer.param_groups] == [*bases.values()]


def test_another_setting_than_the_saved_one_is_still_noticed() -> None:
    loop, saved = resumed("with_plateau", ("attach",))
    progress = saved["state"]["optimizers"][0]["quantities"]["lr"]["tracks"][0]["progress"]
    [text] = progress["controllers"]
    progress["controllers"] = [text.replace("patience=1", "patience=7")]
    assert progress["controllers"] != [text]
    with pytest.warns(StateMismatch, match="those that differ start anew"):
        loop.rate.load_state_dict(saved["state"])


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_saved_torch_scheduler_goes_on_bit_for_bit(name: str) -> None:
    saved = json.loads((DATA / "schedulers.json").read_text())[name]
    optimizer, driven = scheduler(name)
    driven.load_state_dict(saved["state"])
    acts, expected = saved["acts"], saved["expected"]
    seen = plain(published(optimizer, driven, acts))
    if name == "updates":  # then its rates were written when they were published, now at the update
        seen, expected = (
            [rates for act, rates in zip(acts, each, strict=True) if act == "publish"]
            for each in (seen, expected)
        )
    assert seen == expected
