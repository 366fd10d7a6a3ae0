"""Whoever writes an old name is told the new one."""

from dataclasses import dataclass

import pytest

from stepsize.errors import InvalidType, Renamed
from stepsize.renames import renamed, renamed_arguments


@renamed_arguments(watches="metric")
@dataclass(frozen=True)
class Rule:
    metric: str


def test_an_old_argument_is_refused_with_the_new_name() -> None:
    with pytest.raises(InvalidType, match=r"'watches' is now 'metric'. Write Rule\(metric='loss'"):
        Rule(watches="loss")  # type: ignore[call-arg]
    assert Rule(metric="loss") == Rule("loss")


def test_an_old_name_of_a_module_is_refused_with_the_new_one() -> None:
    assert isinstance(renamed("stepsize.x", "Old", {"Old": "New"}), Renamed)
    assert isinstance(renamed("stepsize.x", "Other", {"Old": "New"}), AttributeError)
