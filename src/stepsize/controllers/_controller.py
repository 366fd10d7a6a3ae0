"""What a controller is, for those who wrap, replay or drive one."""

from collections.abc import Sequence
from typing import Any, Protocol

from stepsize.signals import Decision, Observation

__all__ = ["Controller"]


class Controller(Protocol):
    """A feedback rule as a pure state machine. Its memory is plain data: numbers, strings, lists.

    One that may decide ``Rewind`` says so by an attribute ``rewinds = True``, and a wrapper passes
    it on: only then does ``run`` keep snapshots to go back to.
    """

    def init(self) -> Any:
        """The memory before the first observation."""
        ...

    def observe(self, state: Any, observation: Observation, /) -> tuple[Any, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        ...
