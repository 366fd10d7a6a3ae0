"""Every exception and warning that stepsize raises.

    StepsizeError
    ├── InvalidValue          (ValueError)    a number or a combination breaks a rule
    │   ├── EndlessSchedule                   the operation needs an end
    │   └── LimitExceeded                     an expression is larger than its text may be
    ├── InvalidType           (TypeError)     the wrong kind of thing was given
    ├── TextError             (ValueError)    a text is not a schedule; points at the place
    ├── UnregisteredFunction  (ValueError)    a user's function has no name to be saved under
    ├── AttachmentError       (RuntimeError)  an optimizer cannot be driven as asked
    ├── CopyRefused           (TypeError)     the object is bound to a live optimizer: no copy
    ├── StateError            (ValueError)    a saved state does not fit
    ├── TrainingError         (RuntimeError)  a training cannot be stepped, evaluated or restored
    ├── TrainingStopped       (RuntimeError)  a controller ended a training whose loop the user owns
    ├── RunFileError          (ValueError)    a file holds no readable runs
    ├── Renamed               (ImportError)   a name of an earlier version; names the new one
    └── MissingExtra          (ImportError)   an optional package is not installed

    StepsizeWarning           (UserWarning)
    ├── ForeignWrite                          other code wrote a quantity that stepsize drives
    ├── ScheduleWarning                       a schedule is probably not what was meant for its run
    └── StateMismatch                         a saved state belongs to another configuration

An error has fields, and one message made of them: the call as typed, the rule, the value, the
remedy.
"""

import re
from collections.abc import Mapping
from typing import Final

from stepsize.words import shortened

__all__ = [
    "AttachmentError",
    "CopyRefused",
    "EndlessSchedule",
    "ForeignWrite",
    "InvalidType",
    "InvalidValue",
    "LimitExceeded",
    "MissingExtra",
    "Renamed",
    "RunFileError",
    "ScheduleWarning",
    "StateError",
    "StateMismatch",
    "StepsizeError",
    "StepsizeWarning",
    "TextError",
    "TrainingError",
    "TrainingStopped",
    "UnregisteredFunction",
]

_LONGEST: Final = 600
_LONGEST_CALL: Final = 120
_LONGEST_VALUE: Final = 200


class StepsizeError(Exception):
    """The root: catch it to catch whatever stepsize raises on purpose.

    Args:
        call: The call as typed, or what was being done: ``Linear(-1)``, ``reading 'runs.db'``.
        rule: What must hold: a clause. An argument's name stands in braces, ``{low}`` or
            ``{low=}``, so that the command line can write its option in its place.
        value: What was found instead: a clause that follows "but", such as "is -1".
        remedy: What to do: a sentence. Arguments' names stand in braces here too.
        argument: The argument that it is about, if it is about one.

    >>> print(InvalidValue("Linear(-1)", "{steps} must be at least 0", "is -1", "0 drops it."))
    Linear(-1): steps must be at least 0, but is -1. 0 drops it.
    """

    def __init__(
        self, call: str = "", rule: str = "", value: str = "", remedy: str = "", argument: str = ""
    ) -> None:
        super().__init__(call, rule, value, remedy, argument)
        self.call, self.rule, self.value = call, rule, value
        self.remedy, self.argument = remedy, argument

    def __str__(self) -> str:
        return self.told()

    def told(self, call: str | None = None, options: Mapping[str, str] | None = None) -> str:
        """The message, with another call or other spellings of the arguments.

        Args:
            call: What stands instead of the call as typed.
            options: How arguments are written instead, such as ``{"low": "--low"}``.

        >>> InvalidValue("f(low=0)", "{low} must be above 0", "is 0").told("f", {"low": "--low"})
        'f: --low must be above 0, but is 0.'
        """
        given = shortened(self.call if call is None else call, _LONGEST_CALL)
        if not self.rule:  # a text that was made elsewhere
            return self.call
        rule = _spelled(self.rule, options or {})
        found = f", but {shortened(self.value, _LONGEST_VALUE)}" if self.value else ""
        clause = f"{given}: {rule}{found}" if given else f"{rule}{found}"
        stop = "" if clause.endswith((".", "!", "?")) else "."
        remedy = _spelled(self.remedy, options or {})
        gap = "" if remedy.startswith("\n") else " "
        return shortened(f"{clause}{stop}{gap}{remedy}".rstrip(), _LONGEST)


def _spelled(text: str, options: Mapping[str, str]) -> str:
    def spelling(found: re.Match[str]) -> str:
        return options.get(found[1], f"{found[1]}{found[2]}")

    return re.sub(r"\{(\w+)(=?)\}", spelling, text)


class InvalidValue(StepsizeError, ValueError):
    """A number, or a combination of arguments, breaks a rule."""


class EndlessSchedule(InvalidValue):
    """The operation needs an end, and the schedule has none."""


class LimitExceeded(InvalidValue):
    """The expression would be larger than its text form may be."""


class InvalidType(StepsizeError, TypeError):
    """The wrong kind of thing was given."""


class TextError(StepsizeError, ValueError):
    """A text is not a schedule. The message points at the place."""


class UnregisteredFunction(StepsizeError, ValueError):
    """A user's function has no name under which it could be saved."""


class AttachmentError(StepsizeError, RuntimeError):
    """An optimizer cannot be driven as asked."""


class CopyRefused(StepsizeError, TypeError):
    """The object is bound to a live optimizer and has no meaningful copy."""


class StateError(StepsizeError, ValueError):
    """A saved state does not fit what it is loaded into."""


class TrainingError(StepsizeError, RuntimeError):
    """A training cannot be stepped, evaluated or restored as asked."""


class TrainingStopped(StepsizeError, RuntimeError):
    """A controller ended a training whose loop the user owns."""


class RunFileError(StepsizeError, ValueError):
    """A file holds no readable runs."""


class Renamed(StepsizeError, ImportError):
    """A name of an earlier version was asked for."""


class MissingExtra(StepsizeError, ImportError):
    """An optional package is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            feature,
            f"it needs the package {package!r}",
            "it is not installed",
            f"Install it with: pip install 'stepsize[{extra}]'",
        )
        self._made_from = feature, package, extra

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), self._made_from


class StepsizeWarning(UserWarning):
    """The root of stepsize's warnings."""


class ForeignWrite(StepsizeWarning):
    """Other code wrote a quantity that stepsize drives."""


class ScheduleWarning(StepsizeWarning):
    """A schedule is probably not what was meant for the run that it was attached to."""


class StateMismatch(StepsizeWarning):
    """A saved state belongs to another configuration than the one it is loaded into."""
