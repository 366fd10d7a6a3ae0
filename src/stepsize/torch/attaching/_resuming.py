"""Progress inside the optimizer's own state: saving and loading the optimizer resumes exactly."""

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from stepsize.driving import Driven, Driver, Loaded, load, name_of, reasons_of, save
from stepsize.errors import StateError, StateMismatch, StepsizeError
from stepsize.messages import Message
from stepsize.torch.attaching._notices import Notices
from stepsize.torch.attaching._saved_bases import save_progress, take_progress
from stepsize.torch.attaching.groups import Group
from stepsize.words import position_text

__all__ = ["Resuming", "warn_of_differences"]


class Resuming:
    """Saves the progress with the optimizer, and takes it from a state that is loaded.

    Args:
        wanted: Whether it is taken: None unless the plan has ended there.
    """

    def __init__(self, wanted: bool | None) -> None:
        self._wanted = wanted
        self._suspended = False

    @contextmanager
    def suspended(self) -> Generator[None]:
        """Inside, a loaded state brings no progress: a rewind does not take the position back."""
        self._suspended = True
        try:
            yield
        finally:
            self._suspended = False

    def save(self, driven: Driven, saved: Group, notices: Notices) -> None:
        """Write the progress into the first group of an optimizer's state dictionary."""
        try:
            save_progress(saved, _names(driven.driver), save([driven]))
        except StepsizeError as error:
            # An optimizer can be saved whatever follows it: what cannot is said in print(rate).
            notices.note(
                Message(
                    "The progress is not in the optimizer's state, because {error:text}",
                    error=str(error),
                )
            )

    def take(self, call: str, driver: Driver, group: Group, notices: Notices) -> Loaded | None:
        """The progress that the optimizer's state has brought into its first group, if it has.

        Raises:
            StateError: It cannot be read, or the plan has ended there.
        """
        text = take_progress(group, _names(driver))
        if text is None or self._suspended or self._wanted is False:
            return None
        [loaded] = load([driver], text)
        if self._wanted is None and _has_ended(driver, loaded):
            save_progress(group, _names(driver), text)  # for another try
            raise StateError(
                call,
                "a run is resumed before its plan has ended",
                f"the optimizer's state was saved at position {position_text(loaded.position)}, "
                "where the rate is 0",
                "For a new run with these weights write attach(..., resume=False); to train "
                "longer, attach(..., resume=True) and then rate.extend(total).",
            )
        notices.note(
            Message(
                "Resumed at position {position:position}, from the optimizer's state.",
                position=loaded.position,
            )
        )
        for base in loaded.bases:  # which base holds was said when it was found
            notices.note(base)
        warn_of_differences(call, loaded.differences, [notices], 5)
        return loaded

    def mention(self, notices: Notices, steps: int) -> None:
        """Say that the optimizer has stepped before, unless a new run was asked for."""
        if self._wanted is not False:
            notices.stepped_before(steps)


def _names(driver: Driver) -> Sequence[str]:
    return [name_of(key) for key in driver.rules]


def _has_ended(driver: Driver, loaded: Loaded) -> bool:
    tracks = [each for each in driver.tracks(loaded.progress) if each.id.key == "lr"]
    return bool(tracks) and all(
        track.end_of_fall <= loaded.position and track.factor(loaded.position) == 0
        for track in tracks
    )


def warn_of_differences(
    call: str, differences: Sequence[Message], notices: Sequence[Notices], stacklevel: int
) -> None:
    """Warn that a state belongs to another configuration, and note it."""
    if not differences:
        return
    for each in notices:
        for difference in differences:
            each.note(Message("Another configuration was saved: {what:message}.", what=difference))
    message = Message(
        "{call:code}: the state belongs to another configuration; the position is taken from it, "
        "and what the code says holds. {differences:message}. To lengthen a run without a jump, "
        "load with the schedule that it was saved with, then call rate.extend(total).",
        call=call,
        differences=reasons_of(differences),
    )
    warnings.warn(str(message), StateMismatch, stacklevel=stacklevel + 1)
