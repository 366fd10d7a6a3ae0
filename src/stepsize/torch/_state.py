"""An attachment's state: progress only, as numbers, strings, lists and dictionaries.

    {"version": 1,
     "optimizers": [{"position": 120,
                     "starts": {"1": 40},                      groups with a clock of their own
                     "quantities": {"lr": {"bases": {"0": 0.1, "1": 0.2},
                                           "by_hand": {"0": 0.05},
                                           "tracks": [{"rule": 0, "start": 0,
                                                       "schedule": "Cosine(1000)",
                                                       "progress": Policy.save(state)}]}}}]}

Bases and schedules are there to be compared: what the code says holds.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stepsize.errors import StateError, StateMismatch, StepsizeError
from stepsize.policy import PolicyState
from stepsize.schedules import Absolute, Schedule, parse
from stepsize.torch._engine import Engine
from stepsize.torch._groups import Key, label
from stepsize.torch._roster import TrackId

__all__ = ["is_text_of", "load", "save"]

_VERSION = 1


def save(engines: Sequence[Engine]) -> dict[str, Any]:
    """The progress of all engines.

    Raises:
        UnregisteredFunction: A schedule has no text form.
    """
    return {"version": _VERSION, "optimizers": [_save_one(engine) for engine in engines]}


def _save_one(engine: Engine) -> dict[str, Any]:
    engine.up_to_date()
    roster = engine.roster
    return {
        "position": engine.position,
        "starts": _numbered(roster.starts),
        "quantities": {
            label(key): {
                "bases": {str(slot.index): slot.given for slot in slots},
                "by_hand": _numbered(roster.by_hand[key]),
                "tracks": [
                    {
                        "rule": identity.rule,
                        "start": identity.start,
                        "schedule": roster.rules[key][identity.rule].policy.text,
                        "progress": roster.rules[key][identity.rule].policy.save(state),
                    }
                    for identity, state in roster.states().items()
                    if identity.key == key
                ],
            }
            for key, slots in roster.slots.items()
        },
    }


def _numbered(values: Mapping[int, float]) -> dict[str, float]:
    return {str(index): value for index, value in values.items()}


class _Progress(NamedTuple):
    position: float
    starts: dict[int, float]
    by_hand: dict[Key, dict[int, float]]
    states: dict[TrackId, PolicyState]


def load(engines: Sequence[Engine], state: Mapping[str, Any]) -> None:
    """Go on from saved progress. Nothing is changed if the state cannot be read.

    Raises:
        StateError: It is no state of such an attachment.

    Warns:
        StateMismatch: The code has another configuration, which holds.
    """
    differences: list[str] = []
    try:
        if state["version"] != _VERSION:
            raise StateError(
                f"rate.load_state_dict(...): the state has version {state['version']!r}, and this "
                f"stepsize reads version {_VERSION}. Load it with the stepsize that wrote it."
            )
        saved = state["optimizers"]
        if len(saved) != len(engines):
            raise StateError(
                f"rate.load_state_dict(...): the state is that of {len(saved)} optimizer(s), but "
                f"this attachment drives {len(engines)}. Attach to as many as when it was saved."
            )
        read = [
            _read_one(engine, each, differences)
            for engine, each in zip(engines, saved, strict=True)
        ]
    except StateError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"rate.load_state_dict(...): this is no state of an attachment ({error!r}). "
            "Pass what rate.state_dict() gave."
        ) from error
    for engine, progress in zip(engines, read, strict=True):
        engine.restore(*progress)
    if differences:
        warnings.warn(
            "rate.load_state_dict(...): the state belongs to another configuration; the position "
            "is taken from it, and what the code says holds.\n  "
            + "\n  ".join(dict.fromkeys(differences))
            + "\nTo lengthen a run without a jump, load with the schedule that it was saved with, "
            "then call rate.extend(total).",
            StateMismatch,
            stacklevel=3,
        )


def _read_one(engine: Engine, saved: Mapping[str, Any], differences: list[str]) -> _Progress:
    engine.up_to_date()
    keys = {label(key): key for key in engine.roster.rules}
    quantities: Mapping[str, Any] = saved["quantities"]
    differences.extend(
        f"{name}: saved as driven, now not" for name in quantities if name not in keys
    )
    differences.extend(
        f"{name}: now driven, in the saved run not" for name in keys if name not in quantities
    )
    by_hand: dict[Key, dict[int, float]] = {}
    states: dict[TrackId, PolicyState] = {}
    for name, quantity in quantities.items():
        if name not in keys:
            continue
        key = keys[name]
        by_hand[key] = _by_group(quantity["by_hand"])
        bases = _by_group(quantity["bases"])
        differences.extend(
            f"base of {name} in group {slot.index}: saved {bases[slot.index]!r}, now {slot.given!r}"
            for slot in engine.roster.slots[key]
            if bases.get(slot.index, slot.given) != slot.given
        )
        for track in quantity["tracks"]:
            _read_track(engine, key, track, states, differences)
    position, starts = _number(saved["position"]), _by_group(saved["starts"])
    if not all(0 <= start <= position < 2**53 for start in (0, *starts.values())):
        raise ValueError(f"positions {position!r} and {starts!r}")
    return _Progress(position, starts, by_hand, states)


def _read_track(
    engine: Engine,
    key: Key,
    saved: Mapping[str, Any],
    states: dict[TrackId, PolicyState],
    differences: list[str],
) -> None:
    name, text = label(key), saved["schedule"]
    rules = engine.roster.rules[key]
    if saved["rule"] not in range(len(rules)):
        differences.append(f"{name}: a schedule {text}, which is not there now")
        return
    identity = TrackId(key, saved["rule"], _number(saved["start"]))
    policy = rules[identity.rule].policy
    if not is_text_of(text, policy.schedule):
        differences.append(f"{name}: saved with {text}, now {policy.schedule!r}")
    states[identity], other = policy.load(saved["progress"])
    differences.extend(f"{name}: {each}" for each in other)


def _by_group(saved: Mapping[str, Any]) -> dict[int, float]:
    return {int(index): _number(value) for index, value in saved.items()}


def _number(value: Any) -> float:
    return value if isinstance(value, int) else float(value)


def is_text_of(text: str, schedule: Schedule | Absolute) -> bool:
    """Whether ``text`` was saved for this schedule: ``a * b`` is ``b * a``."""
    # Not .text: a function without a name can be driven, though not saved.
    if text == repr(schedule):
        return True
    try:
        return parse(text) == schedule
    except StepsizeError:
        return False
