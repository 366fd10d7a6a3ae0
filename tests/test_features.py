"""The page of features: each line does what it says."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import nn

import stepsize
from oracle.features import FEATURES, Feature
from oracle.page import FEATURES_PAGE, features_page
from stepsize import controllers, importers, lint, plan
from stepsize import torch as stepsize_torch

mpl.use("agg")


class MyController:
    def init(self) -> None:
        return None

    def observe(self, state: None, observation: Any) -> tuple[None, list[Any]]:
        return state, []


def names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for room in (stepsize, controllers, importers, lint, plan, stepsize_torch):
        public = getattr(room, "__all__", None) or vars(room)
        found |= {name: getattr(room, name) for name in public if not name.startswith("_")}
    schedule = stepsize.Cosine(100)
    tensor = torch.tensor(0.1)
    groups = [
        {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.1, "name": "body"},
        {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.01, "name": "head"},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=1e-4)
    followed = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    rate = stepsize_torch.attach(followed, schedule)
    replaced = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    return {
        **found,
        "MyController": MyController,
        "capturable": torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=tensor),
        "followed": followed,
        "model": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)),
        "np": np,
        "optimizer": optimizer,
        "other": stepsize.Linear(200),
        "pytest": pytest,
        "rate": rate,
        "schedule": schedule,
        "scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(replaced, 100),
        "second": torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0),
        "state": rate.state_dict(),
        "subprocess": subprocess,
        "tensor": tensor,
        "tokens": 12_000,
    }


def test_every_feature_of_the_census_is_there_or_left_out_with_a_reason() -> None:
    assert [feature.number for feature in FEATURES] == [*range(1, 53)]
    assert all(bool(feature.code) != bool(feature.left_out) for feature in FEATURES)


@pytest.mark.parametrize("feature", [f for f in FEATURES if f.code], ids=lambda f: str(f.number))
def test_the_line_does_it(feature: Feature, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    scope = names()
    exec(feature.code, scope)
    assert eval(feature.proof, scope), feature.code


def test_the_page_of_features_is_up_to_date() -> None:
    text = FEATURES_PAGE.read_text(encoding="utf-8")
    assert text == features_page(), "write it anew: make curves"
