"""What was seen, as JSON keeps it, to be compared with what was seen before."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stepsize.record import Run
from stepsize.signals import Decision

__all__ = ["plain", "plain_decision", "plain_run"]


def plain(value: Any) -> Any:
    """The value as JSON keeps it; numbers that are not finite as words, to be equal to themselves.

    >>> plain({"loss": (0.5, float("nan"))})
    {'loss': [0.5, 'nan']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, Sequence):
        return [plain(each) for each in value]
    number = float(value)
    return number if math.isfinite(number) else repr(number)


def plain_decision(decision: Decision) -> dict[str, Any]:
    """Everything but the reason, whose words may change."""
    names = ("factor", "since", "warmup", "limit")
    found = {name: getattr(decision, name) for name in names if hasattr(decision, name)}
    return {"kind": type(decision).__name__, **plain(found)}


def plain_run(run: Run) -> dict[str, Any]:
    """Everything that a run file says of a run, bit for bit."""
    times = {"started": run.started, "written": run.written, "ended": run.ended}
    return {
        "id": run.id,
        "name": run.name,
        "config": plain(run.config),
        **{name: time and time.isoformat() for name, time in times.items()},
        "status": run.status,
        "summary": plain(run.summary),
        "names": list(run.names),
        "quantities": _curves(run.quantities),
        "metrics": _curves(run.metrics),
        "decisions": [
            [plain(each.position), each.kind, plain(each.factor), str(each.reason)]
            for each in run.decisions
        ],
    }


def _curves(curves: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [plain(series.positions.tolist()), plain(series.values.tolist())]
        for name, series in curves.items()
    }
