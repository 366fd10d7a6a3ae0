"""Which column counts, and what it counts."""

from collections.abc import Iterable
from typing import Final

from stepsize.columns._words import name_words

__all__ = ["UNITS", "counter_column", "unit_of"]

UNITS: Final = ("step", "epoch", "sample", "token", "environment step", "row")
"""What positions can count. A row is one of the log's own: it has no counter."""

# Of several counters the first counts; of Lightning's and W&B's two, theirs is the optimizer's.
_NAMED: Final = (
    *(("trainer", "global", "step"), ("global", "step"), ("train", "global", "step")),
    *(("optimizer", "step"), ("optimizer", "steps"), ("step",), ("train", "step")),
    *(("iteration",), ("iter",), ("steps",), ("iterations",), ("iters",), ("global", "steps")),
    *(("num", "updates"), ("train", "num", "updates"), ("update",), ("updates",), ("n", "iter")),
    *(("current", "step"), ("train", "steps"), ("training", "step"), ("total", "steps")),
    *(("train", "iter"), ("itr",), ("it",), ("global", "iter"), ("global", "iteration")),
    *(("total", "step"), ("current", "iter"), ("cur", "iter"), ("batches",), ("batch",)),
)
_EPOCHS: Final = (
    *(("epoch",), ("epochs",), ("train", "epoch"), ("current", "epoch"), ("ep",)),
    *(("trainer", "epoch"), ("cur", "epoch"), ("epoch", "number"), ("epoch", "num")),
)
_OTHERS: Final = {
    "sample": (
        *(("samples",), ("consumed", "samples"), ("num", "samples"), ("samples", "seen")),
        *(("train", "samples"), ("examples",), ("images",), ("examples", "seen")),
    ),
    "token": (
        *(("tokens",), ("consumed", "tokens"), ("num", "tokens"), ("tokens", "seen")),
        *(("total", "tokens"), ("train", "tokens"), ("throughput", "total", "tokens")),
    ),
    "environment step": (
        *(("time", "total", "timesteps"), ("total", "timesteps"), ("timesteps",)),
        *(("env", "step"), ("env", "steps"), ("frames",)),
    ),
}


def counter_column(names: Iterable[str], *, usable: Iterable[str] | None = None) -> str | None:
    """The column that counts positions: optimizer steps if one does, else epochs, samples, tokens.

    Args:
        names: All columns.
        usable: Those whose values can be positions; all of them if not given.

    >>> counter_column(["epoch", "loss", "Step"]), counter_column(["loss"])
    ('Step', None)
    """
    allowed = None if usable is None else set(usable)
    by_words: dict[tuple[str, ...], str] = {}
    for name in names:
        if allowed is None or name in allowed:
            by_words.setdefault(_bare(name), name)
    others = [each for group in _OTHERS.values() for each in group]
    return next((by_words[each] for each in (*_NAMED, *_EPOCHS, *others) if each in by_words), None)


def unit_of(counter: str | None) -> str:
    """What a counter counts: one of ``UNITS``.

    >>> unit_of("train_num_updates"), unit_of("epoch"), unit_of("consumed_tokens"), unit_of(None)
    ('step', 'epoch', 'token', 'row')
    """
    if counter is None:
        return "row"
    bare = _bare(counter)
    if bare in _EPOCHS:
        return "epoch"
    return next((unit for unit, group in _OTHERS.items() if bare in group), "step")


def _bare(name: str) -> tuple[str, ...]:
    """Without what only says where a logger put it."""
    of = name_words(name)
    while of and of[0] in {"charts", "metrics", "progress", "perf"} and len(of) > 1:
        of = of[1:]
    return of
