"""Numbers, lists and names as text: one form in sentences, tables and pictures.

The only place where a number becomes words. Sentences with fields are in ``stepsize.messages``.
"""

import difflib
import math
import unicodedata
from collections.abc import Iterable, Sequence

__all__ = [
    "closest",
    "count_text",
    "did_you_mean",
    "duration_text",
    "list_text",
    "number_text",
    "percent_text",
    "position_text",
    "shortened",
    "written_out",
]

_SHORTEST_CUT = 8
_SPACES = "Zs"


def number_text(value: float, digits: int = 4) -> str:
    """A rate, a multiple or a loss: few digits, and a short exponent.

    >>> number_text(0), number_text(3e-4), number_text(0.55), number_text(5726.4)
    ('0', '3e-4', '0.55', '5,726')
    """
    size = abs(value)
    if size == 0 or not math.isfinite(value):
        return f"{value + 0.0:g}"
    if 1e-3 <= size < 1e12:
        decimals = max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{value:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if decimals else text
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def position_text(position: float) -> str:
    """A number of steps, samples or tokens, short from ten million on.

    >>> position_text(9_500), position_text(12_500_000), position_text(15e12)
    ('9,500', '12.5M', '15T')
    """
    if abs(position) >= 1e7:
        for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
            if abs(position) >= unit:
                return f"{position / unit:,.6g}{name}"
    return f"{position:,.10g}"


def count_text(count: float, singular: str, plural: str | None = None) -> str:
    """A count with its noun.

    >>> count_text(1, "group"), count_text(3, "group"), count_text(1200, "entry", "entries")
    ('1 group', '3 groups', '1,200 entries')
    """
    noun = singular if count == 1 else plural or f"{singular}s"
    return f"{position_text(count)} {noun}"


def percent_text(part: float) -> str:
    """A part of 1 in percent: whole from 10 % on, with two digits below.

    >>> percent_text(0.234), percent_text(0.0234), percent_text(0.0), percent_text(1.0)
    ('23 %', '2.3 %', '0 %', '100 %')
    """
    percent = 100 * part
    return f"{percent:.0f} %" if abs(percent) >= 10 or percent == 0 else f"{percent:.2g} %"


def duration_text(seconds: float) -> str:
    """A duration in its two largest units.

    >>> duration_text(0.42), duration_text(75), duration_text(7_380), duration_text(200_000)
    ('0.4 s', '1 min 15 s', '2 h 3 min', '2 d 7 h')
    """
    if not math.isfinite(seconds):
        return "unknown"
    if abs(seconds) < 10:
        return f"{seconds:.1f} s"
    left = round(abs(seconds))
    sign = "-" if seconds < 0 else ""
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        whole, left = divmod(left, size)
        if whole or parts:
            parts.append(f"{whole} {unit}")
    return sign + " ".join(part for part in parts[:2] if not part.startswith("0 "))


def list_text(items: Iterable[str], last: str = "and") -> str:
    """A list as a sentence has it.

    >>> list_text(["a", "b", "c"]), list_text(["a", "b"], "or"), list_text(["a"]), list_text([])
    ('a, b and c', 'a or b', 'a', 'none')
    """
    each = list(items)
    if len(each) < 2:
        return each[0] if each else "none"
    return f"{', '.join(each[:-1])} {last} {each[-1]}"


def shortened(text: str, most: int) -> str:
    """``text`` in at most ``most`` characters: the middle is left out where it is longer.

    >>> shortened("Linear(100)", 20), shortened("Linear(1000) >> Hold(5)", 20)
    ('Linear(100)', 'Linear(1 ... Hold(5)')
    """
    if len(text) <= most:
        return text
    kept = max(most - 5, _SHORTEST_CUT)
    return f"{text[: kept - kept // 2].rstrip()} ... {text[len(text) - kept // 2 :].lstrip()}"


def written_out(text: str, keep: str = "") -> str:
    """``text`` as a terminal may show it: what could steer one is written as an escape.

    Control and formatting characters, line breaks, and halves of surrogate pairs are written out;
    letters and spaces of all scripts stay.

    Args:
        text: A text from outside, such as the name of a run.
        keep: Characters that stay all the same: a line break in a text of several lines.

    >>> written_out("run \\x1b[2J"), written_out("two\\nlines"), written_out("学习率")
    ('run \\\\x1b[2J', 'two\\\\nlines', '学习率')
    """
    if text.isprintable():
        return text
    return "".join(
        each
        if each.isprintable() or each in keep or unicodedata.category(each) == _SPACES
        else each.encode("unicode_escape").decode()
        for each in text
    )


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` may have been meant for, upper and lower case alike.

    >>> closest("Cosin", ["Linear", "Cosine"]), closest("xyz", ["Linear"])
    ('Cosine', None)
    """
    by_lower: dict[str, str] = {}
    for each in known:
        by_lower.setdefault(each.lower(), each)
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A remedy for a name that is not known: the one that may be meant, else all there are.

    >>> did_you_mean("val_los", ["loss", "val_loss"])
    "Did you mean 'val_loss'?"
    >>> did_you_mean("x", ["loss", "val_loss"])
    "There are: 'loss', 'val_loss'."
    """
    found = closest(name, known)
    if found is not None:
        return f"Did you mean {found!r}?"
    return f"There are: {', '.join(map(repr, known))}." if known else "There are none."
