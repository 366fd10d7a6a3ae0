"""Whoever comes with another tool's feedback rule is told which controller it is."""

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

from stepsize import InvalidType, InvalidValue
from stepsize.controllers import Plateau, replay
from stepsize.importers import from_mmengine, from_timm, from_transformers
from stepsize.torch import from_scheduler


@settings(max_examples=50)
@given(
    arguments=st.fixed_dictionaries(
        {
            "mode": st.sampled_from(["min", "max"]),
            "factor": st.floats(0.1, 0.9),
            "patience": st.integers(0, 3),
            "threshold": st.floats(0, 0.3),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.floats(0, 0.05),
        }
    ),
    curve=st.lists(st.floats(0.125, 8, width=32), max_size=40),
)
def test_the_refusal_of_torchs_plateau_writes_out_its_twin(
    arguments: dict[str, Any], curve: list[float]
) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = ReduceLROnPlateau(optimizer, eps=0, **arguments)
    with pytest.raises(InvalidType) as refusal:
        from_scheduler(scheduler)
    written = re.search(r"\[(Plateau\(.*?\))\]", str(refusal.value))
    assert written
    twin = eval(written[1], {"Plateau": Plateau})  # noqa: S307  # its text is ours
    for value, scale in zip(curve, replay(twin, {"val_loss": curve}).scale, strict=True):
        scheduler.step(value)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * scale, rel=1e-9)


@pytest.mark.parametrize(
    ("read", "controller"),
    [
        (lambda: from_transformers("reduce_lr_on_plateau"), "Plateau"),
        (lambda: from_transformers("greedy"), "Greedy"),
        (
            lambda: from_timm({"sched": "plateau", "num_epochs": 9}, base=0.1, updates_per_epoch=1),
            "Plateau",
        ),
        (
            lambda: from_mmengine({"type": "ReduceOnPlateauLR"}, base=0.1),
            "Plateau",
        ),
    ],
    ids=["transformers-plateau", "transformers-greedy", "timm", "mmengine"],
)
def test_an_importer_names_the_controller(read: Any, controller: str) -> None:
    with pytest.raises(InvalidValue, match=r"stepsize\.controllers") as refusal:
        read()
    assert controller in str(refusal.value)
