"""``replay``: what a controller would have done on a curve."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any

from stepsize.errors import InvalidType, InvalidValue
from stepsize.signals import Controller, Decision, Observation, Rewind, Scale, Stop

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

    Args:
        controller: Any controller; wrappers and one's own as well.
        curves: By metric, its numbers at the positions 0, 1, 2, ...; or a pair (positions,
            numbers), as ``read_runs(file)[0].metrics`` holds. Metrics that were measured at the
            same position are one observation.

    Raises:
        InvalidType: ``curves`` is no mapping, or a curve is no sequence of numbers.
        InvalidValue: A curve has not one position for each number.

    >>> from stepsize.controllers import Plateau, replay
    >>> plateau = Plateau(watches="val_loss", factor=0.5, patience=0)
    >>> seen = replay(plateau, {"val_loss": ([0, 100, 200], [1.0, 1.2, 0.9])})
    >>> seen.scale
    [1.0, 0.5, 0.5]
    >>> seen.decisions
    ((100.0, Scale(factor=0.5, reason='val_loss (best: 1) has not improved for 1 observation')),)
    """
    state = controller.init()
    positions: list[float] = []
    scales: list[float] = []
    decisions: list[tuple[float, Decision]] = []
    scale = 1.0
    for position, metrics in _observations(curves):
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


def _observations(curves: Mapping[str, Any]) -> Iterator[tuple[float, dict[str, float]]]:
    if not isinstance(curves, Mapping):
        raise InvalidType(
            f"replay(..., {type(curves).__name__}): curves must be a mapping from a metric's name "
            'to its numbers, but is none. Example: replay(controller, {"loss": [3.2, 2.9]}).'
        )
    points = [_points(name, curve) for name, curve in curves.items()]
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
        paired = len(curve) == 2 and all(hasattr(part, "__len__") for part in curve)
        positions, values = curve if paired else (range(len(curve)), curve)
        points = [(float(position), name) for position in positions]
        numbers = [float(value) for value in values]
    except (TypeError, ValueError) as error:
        raise InvalidType(
            f"{call}: a curve must be a sequence of numbers, or a pair (positions, numbers), but "
            f"is no such {type(curve).__name__} ({error}). Example: [3.2, 2.9]."
        ) from error
    if len(points) != len(numbers):
        raise InvalidValue(
            f"{call}: a curve must have one position for each number, but has {len(points)} "
            f"positions and {len(numbers)} numbers."
        )
    return [(*point, number) for point, number in zip(points, numbers, strict=True)]
