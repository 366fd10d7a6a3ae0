"""What a policy of version 0.1.0 saved goes on as that version did, memory by memory."""

import json
from pathlib import Path
from typing import Any

import pytest

from stepsize import Policy, PolicyState
from tests.legacy.acts import observed
from tests.legacy.attachments import CURVE
from tests.legacy.plans import CONTROLLERS

SAVED = json.loads((Path(__file__).parent / "data" / "policies.json").read_text())


def test_every_controller_was_saved() -> None:
    assert SAVED.keys() == CONTROLLERS.keys()


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_saved_policy_fits_its_controllers_and_goes_on_bit_for_bit(name: str) -> None:
    policy, saved = Policy(CURVE, CONTROLLERS[name]()), SAVED[name]
    state, differences = policy.load(saved["saved"])
    assert not differences
    assert went_on(policy, state, saved) == saved["expected"]


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_saved_state_goes_on_bit_for_bit(name: str) -> None:
    policy, saved = Policy(CURVE, CONTROLLERS[name]()), SAVED[name]
    state = PolicyState.from_dict(saved["state"])
    assert went_on(policy, state, saved) == saved["expected"]


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_loaded_policy_is_saved_and_loaded_again_without_a_difference(name: str) -> None:
    policy = Policy(CURVE, CONTROLLERS[name]())
    state, _ = policy.load(SAVED[name]["saved"])
    assert policy.load(json.loads(json.dumps(policy.save(state)))) == (state, ())


def went_on(policy: Policy, state: PolicyState, saved: Any) -> Any:
    return observed(policy, state, saved["position"], saved["metrics"])[1]
