"""Our controllers decide as the peers' own code does, and where a peer is wrong it is shown."""

import functools
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from stepsize.controllers import After, Greedy, NewBob, Plateau, replay

METRIC = {"metric": "m"}
LOWER = {**METRIC, "mode": "min"}
HIGHER = {**METRIC, "mode": "max"}
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """A feedback rule of a peer, and ours that is to do the same."""

    peer: str
    arguments: dict[str, Any]
    ours: Any
    base: float = 1.0


@dataclass(frozen=True)
class Fault:
    """A metric on which the peer is wrong: what it does, and what ours does."""

    what: str
    case: Case
    curve: Sequence[float]
    theirs: Sequence[float]
    scale: Sequence[float]


def plateaus(peer: str, **more: float) -> list[Case]:
    """The rules of torch, and of those who call torch's."""
    return [
        Case(peer, {"mode": "min", **theirs, **more}, Plateau(**LOWER, **ours))
        for theirs, ours in (
            ({"patience": 2}, {"patience": 2}),
            ({"factor": 0.5, "patience": 0}, {"factor": 0.5, "patience": 0}),
            (
                {"factor": 0.7, "patience": 1, "cooldown": 2},
                {"factor": 0.7, "patience": 1, "cooldown": 2},
            ),
            (
                {"factor": 0.5, "patience": 1, "threshold": 0.25},
                {"factor": 0.5, "patience": 1, "threshold": 0.25},
            ),
            (
                {"factor": 0.5, "patience": 1, "threshold": 0.125, "threshold_mode": "abs"},
                {
                    "factor": 0.5,
                    "patience": 1,
                    "threshold": 0.125,
                    "threshold_mode": "absolute",
                },
            ),
            (
                {"factor": 0.5, "patience": 0, "cooldown": 1, "min_lr": 0.07},
                {"factor": 0.5, "patience": 0, "cooldown": 1, "floor": 0.07},
            ),
        )
    ] + [
        Case(
            peer,
            {"mode": "max", "factor": 0.6, "patience": 1, "threshold": 0.1, **more},
            Plateau(**HIGHER, factor=0.6, patience=1, threshold=0.1),
        )
    ]


TORCH = {"factor": 0.5, "patience": 0}
TIMM_NAMES = {
    "factor": "decay_rate",
    "patience": "patience_t",
    "cooldown": "cooldown_t",
    "min_lr": "lr_min",
}
CASES = [
    # Without eps=0 a change of less than 1e-8 is not made: see the fault below.
    *plateaus("torch", eps=0.0),
    # ignite takes a floor only for one group by its number: see the fault below.
    *(case for case in plateaus("ignite", eps=0.0) if "min_lr" not in case.arguments),
    Case(
        "ignite",
        {**TORCH, "min_lr": 0.07, "param_group_index": 0},
        Plateau(**LOWER, factor=0.5, patience=0, floor=0.07),
    ),
    *(
        Case(
            "timm",
            {TIMM_NAMES.get(name, name): value for name, value in case.arguments.items()}
            | {"lr_min": 1e-6},
            replace(case.ours, floor=1e-6),
        )
        for case in plateaus("torch")
        if "threshold_mode" not in case.arguments and "min_lr" not in case.arguments
    ),
    *(
        Case(
            "keras",
            {"mode": mode, "factor": 0.5, "patience": patience, **theirs},
            Plateau(
                metric="m",
                mode=mode,
                factor=0.5,
                patience=max(patience, 1) - 1,
                threshold_mode="absolute",
                **ours,
            ),
            base=0.5,
        )
        for mode in ("min", "max")
        for patience in (0, 1, 3)
        for theirs, ours in (
            ({}, {"threshold": 1e-4}),
            ({"min_delta": 0.125}, {"threshold": 0.125}),
            ({"cooldown": 1}, {"threshold": 1e-4}),
            ({"cooldown": 3, "min_delta": 0}, {"threshold": 0, "cooldown": 2}),
            ({"min_lr": 0.03, "min_delta": 0}, {"threshold": 0, "floor": 0.06}),
        )
    ),
    *(
        Case(
            "optax",
            {"factor": 0.5, "patience": patience, **theirs},
            Plateau(**LOWER, factor=0.5, patience=patience - 1, **ours),
        )
        for patience in (1, 3)
        for theirs, ours in (
            ({}, {}),
            ({"rtol": 0.25, "cooldown": 2}, {"threshold": 0.25, "cooldown": 2}),
            (
                {"rtol": 0.0, "atol": 0.125},
                {"threshold": 0.125, "threshold_mode": "absolute"},
            ),
            ({"min_scale": 0.07}, {"floor": 0.07}),
        )
    ),
    *(
        Case(
            "speechbrain",
            {"patience": patience, "dont_halve_until_epoch": epochs, "lr_min": 0.07},
            After(
                epochs - 1,
                Plateau(**LOWER, factor=0.5, patience=patience, threshold=0, floor=0.07),
            ),
        )
        for patience in (0, 2)
        for epochs in (1, 10)
    ),
    *(
        Case("new_bob", theirs, NewBob(**LOWER, **ours), base=0.3)
        for theirs, ours in (
            ({}, {}),
            (
                {"annealing_factor": 0.8, "improvement_threshold": 0.1, "patient": 2},
                {"factor": 0.8, "threshold": 0.1, "patience": 2},
            ),
            ({"improvement_threshold": -0.1}, {"threshold": -0.1}),
        )
    ),
    *(
        Case(
            "transformers",
            {"mode": mode, "factor": 0.8, "min_lr": 0.01, "max_lr": 4.0, **theirs},
            Greedy(metric="m", mode=mode, factor=0.8, high=4.0, **{"low": 0.01, **ours}),
        )
        for mode in ("min", "max")
        for theirs, ours in (
            (
                {"patience": 0, "threshold": 0.01},
                {"patience": 0, "threshold": 0.01, "threshold_mode": "absolute"},
            ),
            (
                {"patience": 1, "threshold": 0.1, "threshold_mode": "rel", "cooldown": 2},
                {"patience": 1, "threshold": 0.1, "cooldown": 2},
            ),
            (
                {"patience": 0, "threshold_mode": "rel", "warmup": 3, "cooldown": 1},
                {"patience": 0, "pause": 3, "cooldown": 1},
            ),
            (
                {"patience": 0, "threshold_mode": "rel", "reset_start": 3, "min_lr": 0.2},
                {"patience": 0, "restart": 3, "low": 0.2},
            ),
            (
                {"patience": 1, "threshold": 0.01, "threshold_mode": "rel", "smooth": True}
                | {"window_size": 4, "cooldown": 1, "reset_start": 2, "min_lr": 0.5},
                {"patience": 1, "threshold": 0.01, "smoothing": 4, "cooldown": 1}
                | {"restart": 2, "low": 0.5},
            ),
        )
    ),
]

WORSE_AND_NEGATIVE = (-1.0, -0.95, -0.9, -0.85, -0.8)
HALVING = (1.0, 0.5, 0.25, 0.125, 0.0625)
OURS = Plateau(**LOWER, factor=0.5, patience=0)
FAULTS = [
    *(
        Fault(
            "a negative metric that gets worse is taken for one that gets better",
            Case(peer, arguments, OURS),
            WORSE_AND_NEGATIVE,
            [1.0] * 5,
            HALVING,
        )
        for peer, arguments in (
            ("torch", {**TORCH, "threshold": 0.1}),
            ("ignite", {**TORCH, "threshold": 0.1}),
            ("optax", {"factor": 0.5, "patience": 1, "rtol": 0.1}),
        )
    ),
    Fault(
        "a flat negative metric is progress",
        Case("torch", TORCH, OURS),
        [-1.0] * 4,
        [1.0] * 4,
        HALVING[:4],
    ),
    Fault(
        "a negative metric that gets worse raises the rate",
        Case(
            "transformers",
            {"factor": 0.5, "patience": 0, "max_lr": 64, "min_lr": 1e-3}
            | {"threshold": 0.1, "threshold_mode": "rel"},
            Greedy(**LOWER, factor=0.5, patience=0, high=64, low=1e-3, threshold=0.1),
        ),
        WORSE_AND_NEGATIVE,
        [2.0, 4.0, 8.0, 16.0, 32.0],
        [2.0, 1.0, 0.5, 0.25, 0.125],
    ),
    Fault(
        "a negative metric that improves is cut, and one that gets worse is not",
        Case("new_bob", {}, NewBob(**LOWER)),
        [-1.0, -2.0, -1.0],
        [1.0, 0.5, 0.5],
        [1.0, 1.0, 0.5],
    ),
    Fault(
        "a first step away from 0 is no improvement, however large",
        Case("new_bob", {}, NewBob(**LOWER)),
        [0.0, -5.0],
        [1.0, 0.5],
        [1.0, 1.0],
    ),
    *(
        Fault(
            "NaN cuts the rate without a word",
            Case(peer, arguments, OURS),
            [1.0, NAN, NAN],
            [1.0, 0.5, 0.25],
            [1.0, 1.0, 1.0],
        )
        for peer, arguments in (
            ("torch", TORCH),
            ("keras", {"factor": 0.5, "patience": 1, "mode": "min"}),
            ("optax", {"factor": 0.5, "patience": 1}),
        )
    ),
    Fault(
        "a value equal to the best is an improvement, so what stands still is never cut",
        Case("speechbrain", {"patience": 0, "dont_halve_until_epoch": 0}, OURS),
        [1.0, 1.0, 1.0],
        [1.0, 1.0, 1.0],
        HALVING[:3],
    ),
    Fault(
        "a rate near 1e-8 is never cut",
        Case("torch", TORCH, OURS, base=1.5e-8),
        [1.0, 1.0, 1.0],
        [1.5e-8, 1.5e-8, 1.5e-8],
        HALVING[:3],
    ),
    Fault(
        "a floor for all groups is dropped without a word",
        Case(
            "ignite",
            {**TORCH, "min_lr": 0.5},
            Plateau(**LOWER, factor=0.5, patience=0, floor=0.5),
        ),
        [1.0, 1.0, 1.0],
        [1.0, 0.5, 0.25],
        [1.0, 0.5, 0.5],
    ),
]


def curves() -> list[list[float]]:
    """Positive sequences of all kinds, no value twice.

    Their binary fractions are short, so that with absolute margins no rounding decides.
    """
    random = np.random.default_rng(5)
    found: list[np.ndarray] = []
    for length in (1, 7, 60):
        steps = np.arange(length)
        for noise in (0.0, 0.1, 1.0):
            drawn = noise * random.standard_normal((3, length))
            found.append(4 * 0.95**steps + drawn[0] + 1)
            found.append(2 + np.maximum(0, 20 - steps) / 10 + drawn[1])
            found.append(5 - 2 * 0.9**steps + drawn[2])
        found.append(random.uniform(0.1, 4, length))
        found.append(random.integers(1, 5, length).astype(float))
    return [
        list(np.maximum(np.round(curve * 64), 1) / 64 + np.arange(len(curve)) / 2**20)
        for curve in found
    ]


CURVES = curves()


@functools.cache
def answers_of(peer: str) -> list[list[float]]:
    """What the peer does in all its cases, then in all its faults."""
    asked = [
        {"curve": curve, "base": case.base, **case.arguments}
        for case in CASES
        if case.peer == peer
        for curve in CURVES
    ] + [
        {"curve": list(fault.curve), "base": fault.case.base, **fault.case.arguments}
        for fault in FAULTS
        if fault.case.peer == peer
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "oracle.controller_rates", peer],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("[[") :])


def parameters() -> list[Any]:
    counted: dict[str, int] = {}
    found: list[Any] = []
    for case in CASES:
        number = counted[case.peer] = counted.get(case.peer, -1) + 1
        group = pytest.mark.xdist_group(f"controller-{case.peer}")
        found.append(pytest.param(case, number, id=f"{case.peer}-{number}", marks=group))
    return found


@pytest.mark.parametrize(("case", "number"), parameters())
def test_a_positive_metric_gives_the_peers_rates(case: Case, number: int) -> None:
    answers = answers_of(case.peer)[number * len(CURVES) : (number + 1) * len(CURVES)]
    cuts = 0
    for curve, theirs in zip(CURVES, answers, strict=True):
        ours = case.base * np.array(replay(case.ours, {"m": curve}).scale)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        cuts += len(set(theirs)) - 1
    assert cuts > len(CURVES) / 4, "the curves show nothing of this rule"


def fault_parameters() -> list[Any]:
    return [
        pytest.param(
            fault,
            id=f"{fault.case.peer}-{fault.what}",
            marks=pytest.mark.xdist_group(f"controller-{fault.case.peer}"),
        )
        for fault in FAULTS
    ]


@pytest.mark.filterwarnings("ignore:.*was passed over")
@pytest.mark.parametrize("fault", fault_parameters())
def test_where_a_peer_is_wrong_it_stays_proven_that_it_is(fault: Fault) -> None:
    peer = fault.case.peer
    own = [each for each in FAULTS if each.case.peer == peer]
    theirs = answers_of(peer)[-len(own) :][own.index(fault)]
    assert theirs == pytest.approx(list(fault.theirs)), "the peer does otherwise now"
    assert replay(fault.case.ours, {"m": fault.curve}).scale == pytest.approx(list(fault.scale))
