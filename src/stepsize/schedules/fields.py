"""The ranges of a schedule's numbers, said once: they drive the checks, the tests and the tools."""

from typing import Annotated, Final, TypeAlias

from stepsize.checks import LARGEST, MOST_STEPS, Number, Range

__all__ = [
    "FACTOR",
    "LENGTH",
    "PERIOD",
    "SHORTEST",
    "VALUE",
    "AnyNumber",
    "Factor",
    "Length",
    "Period",
]

SHORTEST: Final = 1e-9
"""The shortest stretch of positions that may recur: how often it did stays a finite number."""

LENGTH: Final = Range(
    minimum=0, maximum=MOST_STEPS, remedy="It counts optimizer steps; 0 drops the phase."
)
PERIOD: Final = Range(minimum=SHORTEST, maximum=MOST_STEPS, remedy="It counts optimizer steps.")
FACTOR: Final = Range(minimum=0, maximum=LARGEST, remedy="0.1 divides by ten, 1 changes nothing.")
VALUE: Final = Range(
    minimum=-LARGEST,
    maximum=LARGEST,
    remedy="Values are multiples of the base rate; 1 is the base rate itself.",
)

Length: TypeAlias = Annotated[Number, LENGTH]
Period: TypeAlias = Annotated[Number, PERIOD]
Factor: TypeAlias = Annotated[Number, FACTOR]
AnyNumber: TypeAlias = Annotated[Number, VALUE]
