"""The texts under which earlier versions saved controllers' memories."""

import re
from typing import Final

__all__ = ["current_text"]

_QUOTED: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_RENAMED: Final = (
    (r"\bwatches=", "metric="),
    (r"\bAfter\(steps=", "After(start="),
    (r"\bExperienced\(", "Primed("),
)


def current_text(saved: str) -> str:
    """A controller's saved text with the names that its settings have today.

    >>> current_text("After(steps=500, controller=Plateau(watches='watches=loss'))")
    "After(start=500, controller=Plateau(metric='watches=loss'))"
    """
    renamed = list(_RENAMED)
    if re.search(r"\bExperienced\(", saved):
        renamed.append((r", name=", ", metric="))
    names = "|".join(f"({old})" for old, _ in renamed)

    def replace(found: re.Match[str]) -> str:
        return renamed[found.lastindex - 1][1] if found.lastindex else found[0]

    return re.sub(f"{_QUOTED}|{names}", replace, saved)
