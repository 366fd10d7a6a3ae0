"""Discriminative rates: constant ratios between layers at every position."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from stepsize import InvalidType, InvalidValue, Schedule
from stepsize.testing.schedules import any_schedule
from stepsize.torch import attach, layerwise


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 1))


@pytest.mark.filterwarnings("ignore:.*ended at position")
@given(any_schedule(max_leaves=3), st.floats(0.1, 1))
def test_the_ratio_between_layers_is_the_same_at_every_step(
    schedule: Schedule, decay: float
) -> None:
    optimizer = torch.optim.SGD(layerwise(model(), lr=0.1, decay=decay))
    rate = attach(optimizer, schedule)
    for _ in range(5):
        first, second, last = rate.next
        assert second == pytest.approx(decay * last, rel=1e-12)
        assert first == pytest.approx(decay * second, rel=1e-12)
        optimizer.step()


def test_every_parameter_is_in_one_group_and_layers_without_any_are_passed_over() -> None:
    net = model()
    groups = layerwise(net, lr=0.1, decay=0.5)
    assert [group["lr"] for group in groups] == [0.025, 0.05, 0.1]
    assert [p for group in groups for p in group["params"]] == list(net.parameters())


def test_names_are_kept_and_tied_weights_stay_with_the_earlier_layer() -> None:
    net = model()
    head = [net[0].weight, *net[3].parameters()]
    groups = layerwise({"body": net[0], "head": head}, lr=0.1, decay=0.5)
    assert [group["name"] for group in groups] == ["body", "head"]
    assert groups[1]["params"] == list(net[3].parameters())


@pytest.mark.parametrize(
    ("layers", "lr", "decay", "kind", "message"),
    [
        (3, 0.1, 0.5, InvalidType, "a list from the input to the output"),
        ([3], 0.1, 0.5, InvalidType, "is a int"),
        ([], 0.1, 0.5, InvalidValue, "at least one layer"),
        (model(), 0, 0.5, InvalidValue, "lr must be"),
        (model(), 0.1, 1.5, InvalidValue, "decay must be"),
        ({"body": model(), "empty": nn.ReLU()}, 0.1, 0.5, InvalidValue, "'empty' has no parameter"),
    ],
)
def test_what_makes_no_groups_is_refused(
    layers: object, lr: float, decay: float, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        layerwise(layers, lr, decay)  # type: ignore[arg-type]
