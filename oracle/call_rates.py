"""The rates of calls of a peer, by its own code.

    python -m oracle.call_rates optax < calls.json     # a JSON list of [call, count, base]

One process per peer: what is put in place of one peer's heavy parts would mislead others.
"""

import importlib
import json
import subprocess
import sys
from typing import Any

__all__ = ["rates_of_calls"]


def rates_of_calls(peer: str, calls: list[tuple[str, int, float]]) -> list[list[float]]:
    """The rates of each call, from a process of the peer's own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "oracle.call_rates", peer],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("[[") :])


def main() -> None:
    module: Any = importlib.import_module(f"oracle.peers.{sys.argv[1]}")
    json.dump([module.rates(*each) for each in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
