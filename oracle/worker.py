"""One peer's rates, computed by its own code in a process of its own.

    python -m oracle.worker torch      # a JSON object: "pair/case" -> list of rates

Some peers can be imported only without their package's ``__init__``, which would mislead others.
"""

import importlib
import json
import sys

from oracle.table import evaluate, filled, schedule_of

__all__ = ["count_of"]


def count_of(pair, case) -> int:
    """How many positions are compared."""
    if pair.count:
        return int(evaluate(pair.count, case, 0))
    length = schedule_of(pair.ours, case).length
    return 300 if length == float("inf") else int(2 * length) + 3


def main() -> None:
    name = sys.argv[1]
    module = importlib.import_module(f"oracle.peers.{name}")
    rates = {}
    for number, pair in enumerate(module.PAIRS):
        for index, case in enumerate(pair.cases):
            count = count_of(pair, case)
            if pair.formula:
                values = [evaluate(pair.formula, case, t) for t in range(count)]
            else:
                base = evaluate(pair.base, case, 0)
                values = module.rates(filled(pair.call, case), count, base)
            rates[f"{number}/{index}"] = values
    json.dump(rates, sys.stdout)


if __name__ == "__main__":
    main()
