"""Tables in which a row is a run, or in which a column says of which run a row is."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from stepsize.columns import counter_column, name_words, vocabulary
from stepsize.errors import RunFileError

__all__ = ["refuse_table_of_runs", "runs_by_text"]

_IDENTITY: Final = vocabulary(
    "name run id experiment exp trial sweep model config job uuid hash method optimizer seed fold "
    "number variant algorithm label series"
)
_STATES: Final = vocabulary(
    "finished crashed failed running killed complete completed pruned terminated error done "
    "scheduled waiting success succeeded"
)
_DISTINCT: Final = 0.8
_FEWEST: Final = 2
_FEWEST_JUMPS: Final = 5
_MOST_TURNS: Final = 0.4

Numbers = Sequence[Mapping[str, float]]
Texts = Sequence[Mapping[str, str]]


def refuse_table_of_runs(numbers: Numbers, texts: Texts, call: str) -> None:
    """Refuse a table that has one line per run: it holds no curve.

    Raises:
        RunFileError: It is one.
    """
    if len(numbers) < _FEWEST or _counts_up(numbers):
        return
    if _has_states(texts) or _has_identities(numbers, texts) or _has_unordered_rates(numbers):
        raise RunFileError(
            call,
            "a log has one line per step or epoch of a run",
            f"each of the {len(numbers):,} lines of this table is a run of its own, so it holds "
            "no curve",
            "Export the history of one run instead, such as its loss over its steps. W&B: "
            "Api().run('ENTITY/PROJECT/ID').history().to_csv('run.csv').",
        )


def runs_by_text(numbers: Numbers, texts: Texts) -> dict[str, list[dict[str, float]]]:
    """The rows of each run, where a column of texts names the run and positions begin again."""
    if not _begins_again(numbers):
        return {}
    for column in dict.fromkeys(name for row in texts for name in row):
        values = [row.get(column, "") for row in texts]
        if not _IDENTITY.isdisjoint(name_words(column)) and 1 < len(set(values)) <= len(values) / 2:
            groups: dict[str, list[dict[str, float]]] = {}
            for row, value in zip(numbers, values, strict=True):
                groups.setdefault(value, []).append(dict(row))
            if not any(map(_begins_again, groups.values())):
                return groups
    return {}


def _begins_again(rows: Numbers) -> bool:
    counted = _counted(rows)
    return any(after < before for before, after in pairwise(counted))


def _counted(rows: Numbers) -> list[float]:
    counter = counter_column(dict.fromkeys(name for row in rows for name in row))
    return [row[counter] for row in rows if counter is not None and counter in row]


def _counts_up(rows: Numbers) -> bool:
    counted = _counted(rows)
    rises = sum(after > before for before, after in pairwise(counted))
    # Several lines may stand at one step; a counter may begin again.
    falls = sum(after < before for before, after in pairwise(counted))
    return rises > 0 and falls <= rises / 2


def _has_states(texts: Texts) -> bool:
    for column in dict.fromkeys(name for row in texts for name in row):
        if {"state", "status"} & set(name_words(column)):
            values = [name_words(row[column]) for row in texts if column in row]
            if values and all(value and value[-1] in _STATES for value in values):
                return True
    return False


def _has_identities(numbers: Numbers, texts: Texts) -> bool:
    for rows in (texts, numbers):
        for column in dict.fromkeys(name for row in rows for name in row):
            if not _IDENTITY.isdisjoint(name_words(column)) and counter_column([column]) is None:
                values = [row[column] for row in rows if column in row]
                distinct = len(set(values)) >= _DISTINCT * len(numbers)
                if distinct and len(values) == len(numbers) > _FEWEST:
                    return True
    return False


def _has_unordered_rates(numbers: Numbers) -> bool:
    """Whether no column counts, and rates go up and down as only those of many runs do."""
    for column in ("lr", "learning_rate", "params_lr", "learning rate"):
        rates = [row[column] for row in numbers if column in row]
        changes = [after - before for before, after in pairwise(rates) if after != before]
        turns = sum(first * second < 0 for first, second in pairwise(changes))
        if len(changes) >= _FEWEST_JUMPS and turns > _MOST_TURNS * len(rates):
            return True
    return False
