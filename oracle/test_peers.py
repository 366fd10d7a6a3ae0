"""Each peer's own code, run and compared with ours at every position."""

import functools
import importlib
import json
import pkgutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from oracle import peers
from oracle.table import evaluate, schedule_of

MODULES = [module.name for module in pkgutil.iter_modules(peers.__path__)]


@functools.cache
def worker(peer: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "oracle.worker", peer]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@functools.cache
def rates_of(peer: str) -> dict[str, list[float]]:
    done = worker(peer)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("{") :])


def pairs() -> list[Any]:
    params: list[Any] = []
    for peer in MODULES:
        module = importlib.import_module(f"oracle.peers.{peer}")
        for number, pair in enumerate(module.PAIRS):
            for index, case in enumerate(pair.cases):
                key = f"{number}/{index}"
                identity = f"{peer}-row{pair.row}-{key}"
                # One process per peer answers for all its pairs: one worker asks.
                group = pytest.mark.xdist_group(peer)
                params.append(
                    pytest.param(peer, module.PEER, pair, case, key, id=identity, marks=group)
                )
    return params


@pytest.mark.parametrize(("name", "peer", "pair", "case", "key"), pairs())
def test_our_expression_gives_the_peers_rates(name, peer, pair, case, key) -> None:
    theirs = np.array(rates_of(name)[key])
    ours = evaluate(pair.base, case, 0) * schedule_of(pair.ours, case).values(len(theirs))
    wrong = np.abs(ours - theirs) > peer.tolerance * np.max(np.abs(ours))
    wrong |= ~np.isfinite(theirs)
    if pair.fault:
        # Where the peer is wrong it stays proven that it is: a repaired peer shows up here.
        first = int(evaluate(pair.agrees_until, case, 0))
        assert wrong[first:].any(), f"the fault is gone: {pair.fault}"
        wrong[first:] = False
    at = np.flatnonzero(wrong)
    assert not at.size, (
        f"at {at[:5]} ours is {ours[at[:5]]}, theirs {theirs[at[:5]]}, of {len(theirs)}"
    )
