"""Which columns are the training and the validation loss."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepsize.columns._words import name_words, vocabulary

__all__ = ["Losses", "loss_columns"]

Curve: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]

_LOSS: Final = frozenset({"loss", "nll", "cost", "xent", "criterion", "bce"})
# What can stand in for a loss where none is logged: lower is better, in another unit.
_LIKE_A_LOSS: Final = frozenset({"mse", "rmse", "mae", "ppl", "perplexity", "error", "err"})
_TRAINING: Final = frozenset({"train", "training", "trn", "tr"})
_VALIDATION: Final = ("val", "valid", "validation", "eval", "evaluation", "dev", "heldout", "test")
_EVALUATION: Final = frozenset({*_VALIDATION, "testing", "holdout", "cv"})

_NEUTRAL: Final = vocabulary(
    "lm avg average averaged mean total global smooth smoothed running current cur last step steps "
    "iter iteration iterations epoch batch mini minibatch main metric metrics sum all overall "
    "combined full per token tokens sample samples model log logs scalar scalars stats charts "
    "language cross entropy bits byte character ce interval micro ema nats rank value history "
    "performance monitor summary data progress w raw local"
)
_AVERAGED: Final = vocabulary("avg average averaged smooth smoothed running ema")
# A column that tells something about a loss, and is not one.
_ABOUT: Final = vocabulary(
    "scale scaler scaling weight weights coef coeff coefficient lambda ratio best min minimum max "
    "maximum std var variance lr time count num delta diff change improvement spike spikes "
    "threshold patience grad gradient norm acc accuracy fn function type name vs percent lowest "
    "highest eta"
)
_POLICY: Final = vocabulary(
    "policy pg actor critic vf qf q ppo surrogate advantage advantages baseline kl reward"
)
_ADVERSARIAL: Final = vocabulary("gen generator disc discriminator adv adversarial gan fake real")
_RIVALS: Final = frozenset({"g", "d"})
_PARTS: Final = vocabulary(
    "box bbox cls class classification classifier obj objectness dfl seg mask rpn reg regression "
    "loc localization l1 l2 iou giou ciou dice kpt keypoint pose kobj centerness ce aux angle dn "
    "semantic heatmap hm wh off offset ctc att attention mel duration pitch depth normal"
)
_REWARD: Final = frozenset({"reward", "rewards", "rew"})
_PREFERENCE: Final = vocabulary("chosen rejected margin margins accuracy accuracies")


@dataclass(frozen=True)
class Losses:
    """The columns that are losses, by the part that they play.

    Args:
        training: The training loss. Several: the parts whose sum it is.
        validation: The loss on other data. Several: the parts whose sum it is.
        evaluated: The loss on training data at the evaluations, beside the loss of each batch.
        without_progress: Losses of a policy, or of networks that play against each other: they
            need not fall while the training succeeds.
        candidates: Columns that may be a loss, where none was taken for the training loss.
    """

    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    evaluated: str | None = None
    without_progress: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Column:
    """A column that is a loss by its name."""

    name: str
    words: tuple[str, ...]
    curve: Curve = field(compare=False)

    @property
    def points(self) -> int:
        return len(self.curve[0])

    @property
    def is_evaluated(self) -> bool:
        return not _EVALUATION.isdisjoint(self.words)

    @property
    def specific(self) -> frozenset[str]:
        """The words that make it one loss among others, or the name of a data set."""
        known = _LOSS | _LIKE_A_LOSS | _TRAINING | _EVALUATION | _NEUTRAL
        return frozenset(word for word in self.words if word not in known and not word.isdigit())

    @property
    def is_part(self) -> bool:
        return not self.specific.isdisjoint(_PARTS)

    @property
    def rank(self) -> tuple[object, ...]:
        """Of columns with as many points, the lowest counts."""
        kinds = [kind for kind in _VALIDATION if kind in self.words]
        return (
            not _is_loss(self.words),
            _VALIDATION.index(kinds[0]) if kinds else 0,
            not _AVERAGED.isdisjoint(self.words),
            "total" not in self.words,
            "nll" in self.words,
            len(self.words),
        )


def loss_columns(curves: Mapping[str, Curve]) -> Losses:
    """Which columns are the losses, by their names; of several the one with the most points.

    Args:
        curves: Positions and values by name, without the rates.

    >>> import numpy as np
    >>> curve = np.arange(9.0), np.ones(9)
    >>> loss_columns({"loss_scale": curve, "train/loss": curve, "val/loss": curve})
    Losses(training=('train/loss',), validation=('val/loss',), evaluated=None, ...)
    """
    found = [
        _Column(name, name_words(name), curve) for name, curve in curves.items() if _is_any(name)
    ]
    without = [each for each in found if _says_no_progress(each, curves)]
    known = [each for each in found if each not in without]
    evaluated = [each for each in known if each.is_evaluated]
    trained = [each for each in known if not each.is_evaluated]
    validation = _chosen(evaluated, sets=True)
    training = _chosen(trained)
    return Losses(
        training=tuple(each.name for each in training),
        validation=tuple(each.name for each in validation),
        evaluated=_evaluated_beside(training, validation, trained),
        without_progress=tuple(each.name for each in without if not each.is_evaluated),
        candidates=() if training else _candidates(trained, curves),
    )


def _is_loss(of: Iterable[str]) -> bool:
    known = set(of)
    return bool(known & _LOSS) or {"cross", "entropy"} <= known or {"bits", "per"} <= known


def _is_any(name: str) -> bool:
    of = name_words(name)
    known = set(of)
    like_one = not known.isdisjoint(_LIKE_A_LOSS)
    if not (_is_loss(of) or like_one) or not known.isdisjoint(_ABOUT):
        return False
    # "lm loss ppl" is another form of "lm loss".
    return not (_is_loss(of) and not known.isdisjoint({"ppl", "perplexity"}))


def _says_no_progress(column: _Column, curves: Mapping[str, Curve]) -> bool:
    own = set(column.words)
    if not own.isdisjoint(_POLICY | _ADVERSARIAL):
        return True
    if not own.isdisjoint(_RIVALS):  # "G loss" and "D loss", but not "loss 3d"
        others = {word for name in curves if _is_any(name) for word in name_words(name)}
        return others >= _RIVALS
    if "entropy" in own and "cross" not in own:
        return True
    return not column.is_evaluated and any(map(_is_of_a_policy, curves))


def _is_of_a_policy(name: str) -> bool:
    known = set(name_words(name))
    if "loss" in known and not known.isdisjoint({"policy", "pg", "actor", "critic"}):
        return True
    if {"explained", "variance"} <= known or {"approx", "kl"} <= known:
        return True
    return not known.isdisjoint(_REWARD) and known.isdisjoint(_PREFERENCE)


def _chosen(columns: list[_Column], *, sets: bool = False) -> list[_Column]:
    """One whole loss, or its parts; with ``sets``, other words may name a data set."""
    whole = [each for each in columns if not each.specific]
    if whole:
        return [_best(whole)]
    proper = [each for each in columns if _is_loss(each.words)]
    parts = [each for each in proper if each.is_part]
    if len(parts) > 1 and len(parts) == len(proper):
        return _alike(parts)
    if len(proper) == 1 or (proper and sets):
        return [_best(proper)]
    return []


def _best(columns: list[_Column]) -> _Column:
    most = max(each.points for each in columns)
    dense = [each for each in columns if 2 * each.points >= most]
    return min(dense, key=lambda each: each.rank)


def _alike(parts: list[_Column]) -> list[_Column]:
    """Those that were logged together with the first: what can be summed."""
    at = parts[0].curve[0]
    return [each for each in parts if np.array_equal(each.curve[0], at)]


def _evaluated_beside(
    training: list[_Column], validation: list[_Column], trained: list[_Column]
) -> str | None:
    if len(training) != 1 or not validation:
        return None
    at = validation[0].curve[0]
    for each in sorted(trained, key=lambda column: column.rank):
        if (
            each is not training[0]
            and not each.specific
            and not _TRAINING.isdisjoint(each.words)
            and each.points * 2 <= training[0].points
            and np.isin(at, each.curve[0]).mean() > 0.5
        ):
            return each.name
    return None


def _candidates(trained: list[_Column], curves: Mapping[str, Curve]) -> tuple[str, ...]:
    """Losses first; else every column that is not known to be something else."""
    if trained or any(map(_is_of_a_policy, curves)):
        return tuple(each.name for each in trained if _POLICY.isdisjoint(each.words))
    known = {"epoch", "step", "time", "lr", "norm", "accuracy", "acc", "memory", "runtime", "speed"}
    return tuple(
        name
        for name, (positions, _) in curves.items()
        if len(positions) > 1 and known.isdisjoint(name_words(name))
    )
