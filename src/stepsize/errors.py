"""Every exception and warning that stepsize raises.

    StepsizeError
    ├── InvalidValue          (ValueError)    a number or a combination breaks a rule
    │   ├── EndlessSchedule                   the operation needs an end
    │   └── LimitExceeded                     an expression is larger than its text may be
    ├── InvalidType           (TypeError)     the wrong kind of thing was given
    ├── TextError             (ValueError)    a text is no schedule; points at the place
    ├── UnregisteredFunction  (ValueError)    a user's function has no name to be saved under
    ├── AttachmentError       (RuntimeError)  an optimizer cannot be driven as asked
    ├── CopyRefused           (TypeError)     the object is bound to a live optimizer: no copy
    ├── StateError            (ValueError)    a saved state does not fit
    ├── TrainingError         (RuntimeError)  a training cannot be stepped, evaluated or restored
    ├── TrainingStopped       (RuntimeError)  a controller ended a training whose loop the user owns
    ├── RunFileError          (ValueError)    a file holds no readable runs
    └── MissingExtra          (ImportError)   an optional package is not installed

    StepsizeWarning           (UserWarning)
    ├── ForeignWrite                          somebody else wrote a quantity that stepsize drives
    ├── ScheduleWarning                       a schedule is hardly what was meant for its run
    └── StateMismatch                         a saved state belongs to another configuration

A message holds, in this order: the call as typed, the rule, the value, the remedy.
"""

__all__ = [
    "AttachmentError",
    "CopyRefused",
    "EndlessSchedule",
    "ForeignWrite",
    "InvalidType",
    "InvalidValue",
    "LimitExceeded",
    "MissingExtra",
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


class StepsizeError(Exception):
    """The root: catch it to catch whatever stepsize raises on purpose."""


class InvalidValue(StepsizeError, ValueError):
    """A number, or a combination of arguments, breaks a rule."""


class EndlessSchedule(InvalidValue):
    """The operation needs an end, and the schedule has none."""


class LimitExceeded(InvalidValue):
    """The expression would be larger than its text form may be."""


class InvalidType(StepsizeError, TypeError):
    """The wrong kind of thing was given."""


class TextError(StepsizeError, ValueError):
    """A text is no schedule. The message points at the place."""


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


class MissingExtra(StepsizeError, ImportError):
    """An optional package is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'stepsize[{extra}]'"
        )


class StepsizeWarning(UserWarning):
    """The root of stepsize's warnings."""


class ForeignWrite(StepsizeWarning):
    """Somebody else wrote a quantity that stepsize drives."""


class ScheduleWarning(StepsizeWarning):
    """A schedule is hardly what was meant for the run that it was attached to."""


class StateMismatch(StepsizeWarning):
    """A saved state belongs to another configuration than the one it is loaded into."""
