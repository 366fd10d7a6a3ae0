"""What several rules advise: rates as numbers, and the way back to a checkpoint."""

from stepsize.diagnose._view import RunView
from stepsize.messages import Message

__all__ = ["in_two_digits", "lowered", "restarted"]


def in_two_digits(rate: float) -> float:
    """A rate in an advice: it is not known better."""
    return float(f"{rate:.2g}")


def lowered(run: RunView, position: float) -> Message:
    """A tenth of the rate that was in use at a position."""
    rate = run.rate_at(position)
    if run.is_multiple:
        return Message("a tenth of the base rate")
    if rate is None or rate <= 0:
        return Message("a tenth of the rate")
    return Message(
        "{lower:rate} instead of {rate:rate}",
        lower=in_two_digits(rate / 10),
        rate=in_two_digits(rate),
    )


def restarted(run: RunView, position: float) -> Message:
    """Go back before a position, and go on at a lower rate."""
    if position - run.first <= max(0.02 * run.length, 1):
        return Message(
            "Start again at {rate:message}, with a warmup; if it recurs, at a hundredth. First "
            "look for non-finite values in the data, and at the initialisation.",
            rate=lowered(run, position),
        )
    return Message(
        "Go back to a checkpoint before {at:message} and continue at {rate:message}, after a short "
        "warmup; if it recurs, at a hundredth. First look for non-finite values in the batches "
        "there.",
        at=run.at(position),
        rate=lowered(run, position),
    )
