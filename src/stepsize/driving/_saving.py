"""The one saved form of progress: a text, so that nothing can flatten it or take it apart.

    {"version": 2,
     "optimizers": [{"position": 120,
                     "starts": {"1": 40},                      groups with a clock of their own
                     "quantities": {"lr": {"bases": {"0": 0.1, "1": 0.2},
                                           "by_hand": {"0": 0.05},
                                           "tracks": [{"rule": 0, "start": 0,
                                                       "schedule": "Cosine(1000)",
                                                       "progress": Policy.save(state)}]}}}]}

Bases and schedules are there to be compared: what the code says holds. Version 1 was the same as
nested dictionaries.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from stepsize.driving._driver import Driver
from stepsize.driving._policy_state import PolicyState
from stepsize.driving._progress import Progress, TrackId
from stepsize.driving._quantities import Key, name_of
from stepsize.errors import StateError, StepsizeError
from stepsize.messages import Message
from stepsize.schedules import Absolute, Schedule, parse

__all__ = ["Driven", "Loaded", "is_text_of", "load", "save"]

_VERSIONS: Final = (1, 2)


class Driven(NamedTuple):
    """What is driven, what has happened, and the position of the next step."""

    driver: Driver
    progress: Progress
    position: float


class Loaded(NamedTuple):
    """What was loaded for each driver, and where the saved configuration was another.

    Args:
        progress: What has happened.
        position: The position of the next step.
        differences: Where the saved configuration was another than the code's.
        bases: Where the saved bases were others.
    """

    progress: Progress
    position: float
    differences: Sequence[Message] = ()
    bases: Sequence[Message] = ()


def save(driven: Sequence[Driven]) -> str:
    """The progress of each driver, as one text.

    Raises:
        StateError: A controller's memory is not plain data.
        UnregisteredFunction: A schedule has no text form.
    """
    body = {"version": _VERSIONS[-1], "optimizers": [_saved(*each) for each in driven]}
    return json.dumps(body)


def load(drivers: Sequence[Driver], saved: str | Mapping[str, Any]) -> Sequence[Loaded]:
    """What ``save`` gave, for the drivers of the same quantities and groups.

    Args:
        drivers: As many as were saved.
        saved: The text; or the dictionary of version 1.

    Raises:
        StateError: It is not such a state.
    """
    call = "loading a state"
    try:
        body: Mapping[str, Any] = json.loads(saved) if isinstance(saved, str) else saved
        if body["version"] not in _VERSIONS:
            raise StateError(
                call,
                f"this stepsize reads the versions {_VERSIONS[0]} to {_VERSIONS[-1]}",
                f"the state has version {body['version']!r}",
                "Load it with the stepsize that wrote it.",
            )
        optimizers: Sequence[Any] = body["optimizers"]
        if len(optimizers) != len(drivers):
            raise StateError(
                call,
                "as many optimizers are attached as when it was saved",
                f"there were {len(optimizers)}, and now {len(drivers)}",
            )
        return [_Reading(each).read(saved) for each, saved in zip(drivers, optimizers, strict=True)]
    except StateError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StateError(
            call,
            "a state is the text that was saved",
            f"reading it fails with {error!r}",
            "Pass what state_dict() gave.",
        ) from error


# ------------------------------------------------------------------ writing


def _saved(driver: Driver, progress: Progress, position: float) -> dict[str, Any]:
    states = driver.states(progress)
    return {
        "position": position,
        "starts": _by_text(progress.starts),
        "quantities": {
            name_of(key): {
                "bases": {str(index): base for index, (_, base) in followed.items()},
                "by_hand": _by_text(progress.bases.get(key, {})),
                "tracks": [
                    {
                        "rule": track.rule,
                        "start": track.start,
                        "schedule": driver.policy(track).text,
                        "progress": _saved_state(driver, track, state),
                    }
                    for track, state in states.items()
                    if track.key == key
                ],
            }
            for key, followed in driver.followed.items()
        },
    }


def _saved_state(driver: Driver, track: TrackId, state: PolicyState) -> dict[str, Any]:
    for memory in state.memories:
        _require_plain(memory)
    return driver.policy(track).save(state)


def _require_plain(memory: object) -> None:
    try:
        back = json.loads(json.dumps(memory))
    except (TypeError, ValueError, RecursionError) as error:
        back = error
    # By their texts: NaN is not equal to itself.
    if repr(back) != repr(memory):
        raise StateError(
            "saving a controller's memory",
            "it is plain data: numbers, strings, lists and dictionaries with string keys",
            f"is {memory!r}",
            "Keep no tuples, arrays or objects in it.",
        )


def _by_text(values: Mapping[int, float]) -> dict[str, float]:
    return {str(index): value for index, value in values.items()}


# ------------------------------------------------------------------ reading


class _Reading:
    """Reads what was saved of one driver, and notes where the code differs."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._differences: list[Message] = []
        self._other_bases: list[Message] = []
        self._states: dict[TrackId, PolicyState] = {}
        self._bases: dict[Key, Mapping[int, float]] = {}

    def read(self, saved: Mapping[str, Any]) -> Loaded:
        position, starts = _number(saved["position"]), _by_group(saved["starts"])
        if not all(0 <= start <= position < 2**53 for start in (0, *starts.values())):
            raise ValueError(f"positions {position!r} and {starts!r}")
        quantities: Mapping[str, Any] = saved["quantities"]
        keys = {name_of(key): key for key in self._driver.rules}
        for name in quantities:
            if name not in keys:
                self._note(Message("{name:name}: saved as driven, now not", name=name))
        for name, key in keys.items():
            if name in quantities:
                self._read_quantity(key, quantities[name])
            else:
                self._note(Message("{name:name}: now driven, in the saved run not", name=name))
        known = len(self._driver.names)
        awaited = frozenset(index for index in starts if index >= known)
        progress = Progress(self._states, starts, self._bases, awaited)
        return Loaded(progress, position, self._differences, self._other_bases)

    def _note(self, difference: Message) -> None:
        self._differences.append(difference)

    def _read_quantity(self, key: Key, saved: Mapping[str, Any]) -> None:
        by_hand = _by_group(saved["by_hand"])
        if by_hand:
            self._bases[key] = by_hand
        bases = _by_group(saved["bases"])
        for index, (_, base) in self._driver.followed[key].items():
            if bases.get(index, base) != base:
                self._other_bases.append(
                    Message(
                        "base of {name:name} in group {group:name}: saved {saved:rate}, now "
                        "{now:rate}",
                        name=name_of(key),
                        group=self._driver.names[index],
                        saved=bases[index],
                        now=base,
                    )
                )
        for track in saved["tracks"]:
            self._read_track(key, track)

    def _read_track(self, key: Key, saved: Mapping[str, Any]) -> None:
        name, text = name_of(key), saved["schedule"]
        if saved["rule"] not in range(len(self._driver.rules[key])):
            self._note(
                Message(
                    "{name:name}: saved with a schedule {text:code}, which is not there now",
                    name=name,
                    text=text,
                )
            )
            return
        track = TrackId(key, saved["rule"], _number(saved["start"]))
        policy = self._driver.policy(track)
        if not is_text_of(text, policy.schedule):
            self._note(
                Message(
                    "{name:name}: saved with {saved:code}, now {now:code}",
                    name=name,
                    saved=text,
                    now=repr(policy.schedule),
                )
            )
        self._states[track], differences = policy.load(saved["progress"])
        for each in differences:
            self._note(Message("{name:name}: {what:message}", name=name, what=each))


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
