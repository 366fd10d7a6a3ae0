"""``replay``: what a controller would have done on a curve."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from heapq import merge
from typing import Any

from stepsize.controllers._guard import Guard
from stepsize.controllers._settings import check_controller
from stepsize.errors import InvalidType, InvalidValue, StepsizeWarning
from stepsize.signals import Controller, Decision, Observation, Rewind, Scale, Stop
from stepsize.words import list_text

__all__ = ["Replay", "replay"]


@dataclass(frozen=True)
class Replay:
    """What a controller would have done.

    Args:
        positions: Where something was observed, in order.
        scale: After each observation, the product of all factors decided so far.
        decisions: Each with its position.
    """

    positions: Sequence[float]
    scale: Sequence[float]
    decisions: Sequence[tuple[float, Decision]]


def replay(controller: Controller, curves: Mapping[str, Any]) -> Replay:
    """Show a recorded or published curve to a controller: its decisions, and the resulting scale.

    The curve stays what it was: it does not answer to the decisions. So the first decision is what
    would have happened, and what follows is what the controller would say to the run as it went. A
    ``Stop`` ends the replay; a ``Rewind`` multiplies the scale by its factor and does not go back.

    A controller whose metric is not among the curves decides nothing, and a ``StepsizeWarning``
    says so.

    Args:
        controller: Any controller; wrappers and one's own as well.
        curves: By metric, its numbers at the positions 0, 1, 2, ...; or a pair (positions,
            numbers), as ``read_runs(file)[0].metrics`` holds. Metrics that were measured at the
            same position are one observation. Positions may go back, as they do in the record of a
            run that was rewound.

    Raises:
        InvalidType: An argument is of the wrong kind, or a curve is not a sequence of numbers.
        InvalidValue: A curve does not have one finite position for each number.

    >>> from stepsize.controllers import Plateau, replay
    >>> plateau = Plateau(metric="val_loss", factor=0.5, patience=0)
    >>> seen = replay(plateau, {"val_loss": ([0, 100, 200], [1.0, 1.2, 0.9])})
    >>> seen.scale
    [1.0, 0.5, 0.5]
    >>> for position, decision in seen.decisions:
    ...     print(position, decision.factor, decision.reason)
    100.0 0.5 val_loss (best: 1) has not improved for 1 observation
    """
    check_controller(f"replay({_typed(controller)}, ...)", controller)
    observations = _observations(curves)
    _warn_of_nothing_watched(controller, curves)
    state = controller.init()
    positions: list[float] = []
    scales: list[float] = []
    decisions: list[tuple[float, Decision]] = []
    scale = 1.0
    for position, metrics in observations:
        state, decided = controller.observe(state, Observation(metrics, position=position))
        for decision in decided:
            decisions.append((position, decision))
            if isinstance(decision, Scale | Rewind):
                scale *= decision.factor
        positions.append(position)
        scales.append(scale)
        if any(isinstance(decision, Stop) for decision in decided):
            break
    return Replay(positions, scales, tuple(decisions))


def _typed(controller: object) -> str:
    return controller.__name__ if isinstance(controller, type) else repr(controller)


def _warn_of_nothing_watched(controller: Any, curves: Mapping[str, Any]) -> None:
    watching = controller
    while hasattr(watching, "controller"):
        watching = watching.controller
    watched = getattr(watching, "metric", None)
    if not isinstance(watched, str):  # a user's own, which does not say
        return
    names = [watched, *watching.finite] if isinstance(watching, Guard) else [watched]
    if not curves or any(name in curves for name in names):
        return
    warnings.warn(
        f"replay({controller!r}, ...): the controller decides nothing, because its metric is "
        f"{list_text(map(repr, names), 'or')} and the curves are {list_text(map(repr, curves))}. "
        "Give the curve the name of the metric.",
        StepsizeWarning,
        stacklevel=3,
    )


def _observations(curves: Mapping[str, Any]) -> Iterator[tuple[float, dict[str, float]]]:
    if not isinstance(curves, Mapping):
        raise InvalidType(
            "replay(controller, curves)",
            "{curves} must be a mapping from a metric's name to its numbers",
            f"is a {type(curves).__name__}",
            'Example: replay(controller, {"loss": [3.2, 2.9]}).',
            "curves",
        )
    return _together([_points(name, curve) for name, curve in curves.items()])


def _together(
    points: Sequence[Sequence[tuple[float, str, float]]],
) -> Iterator[tuple[float, dict[str, float]]]:
    together: dict[str, float] = {}
    now = 0.0
    # Merged and not sorted: after a rewind a recorded curve comes to the same positions again.
    for position, name, value in merge(*points, key=lambda point: point[0]):
        if together and (position != now or name in together):
            yield now, together
            together = {}
        now = position
        together[name] = value
    if together:
        yield now, together


def _points(name: str, curve: Any) -> list[tuple[float, str, float]]:
    call = f"replay(..., {{{name!r}: ...}})"
    try:
        paired = len(curve) == 2 and all(_is_array(part) for part in curve)
        pair = curve if paired else (range(len(curve)), curve)
        positions, numbers = (_floats(part) for part in pair)
    except (TypeError, ValueError) as error:
        raise InvalidType(
            call,
            "a curve must be a sequence of numbers, or a pair (positions, numbers)",
            f"this {type(curve).__name__} is not: {error}",
            "Example: [3.2, 2.9].",
        ) from error
    if len(positions) != len(numbers):
        raise InvalidValue(
            call,
            "a curve must have one position for each number",
            f"it has {len(positions)} positions and {len(numbers)} numbers",
        )
    odd = next((position for position in positions if not math.isfinite(position)), None)
    if odd is not None:
        raise InvalidValue(
            call,
            "positions must be finite numbers",
            f"one is {odd}",
            "Leave out what has no position.",
        )
    return [(position, name, number) for position, number in zip(positions, numbers, strict=True)]


def _is_array(part: Any) -> bool:
    return hasattr(part, "__len__") and not isinstance(part, str)


def _floats(part: Any) -> list[float]:
    kind = type(part).__name__
    # These can be iterated as well, but their characters, keys and members are not a curve.
    if isinstance(part, str | bytes | Mapping | Set):
        raise TypeError(f"a {kind} is not a sequence of numbers")
    return [float(number) for number in part]
