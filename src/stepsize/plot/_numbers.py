"""Numbers as text, the same in pictures, tables and sentences."""

import math

__all__ = ["number_text", "position_text"]


def number_text(value: float, digits: int = 4) -> str:
    """A rate, a multiple or a loss as one writes it: few digits, and a short exponent.

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
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def position_text(position: float) -> str:
    """A number of steps or tokens, short from ten million on.

    >>> position_text(9_500), position_text(12_500_000), position_text(15e12)
    ('9,500', '12.5M', '15T')
    """
    if abs(position) >= 1e7:
        for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
            if abs(position) >= unit:
                return f"{position / unit:,.6g}{name}"
    return f"{position:,.10g}"
