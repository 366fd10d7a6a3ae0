"""A column's name as the words it is made of."""

import re
from functools import lru_cache
from typing import Final

__all__ = ["name_words", "vocabulary"]

# Longer ones first: a part of one may be another.
_TRANSLATED: Final = (
    *(("学习率", "learning rate"), ("学習率", "learning rate"), ("학습률", "learning rate")),
    *(("训练", "train"), ("訓練", "train"), ("学習", "train"), ("학습", "train")),
    *(("验证", "val"), ("驗證", "val"), ("検証", "val"), ("검증", "val"), ("测试", "test")),
    *(("损失", "loss"), ("損失", "loss"), ("손실", "loss"), ("平均", "mean"), ("总", "total")),
    *(("轮次", "epoch"), ("轮数", "epoch"), ("轮", "epoch"), ("周期", "epoch"), ("世代", "epoch")),
    *(("步数", "step"), ("步", "step"), ("迭代次数", "iter"), ("迭代", "iter")),
)
_FUSED: Final = re.compile(
    r"(?P<first>train|training|tr|val|valid|validation|test|eval|dev|avg|total)"
    r"(?P<second>loss|nll|cost|ppl|err|error|lr|epoch|step|iter)"
)
_FUSED_AFTER: Final = re.compile(r"(?P<first>loss|lr)(?P<second>train|val|valid|test|eval)")
_WHOLE: Final = {
    "crossentropy": ("cross", "entropy"),
    "learningrate": ("learning", "rate"),
    "lrate": ("learning", "rate"),
    "lrs": ("lr",),
    "losses": ("loss",),
    "logloss": ("loss",),
    "bpb": ("bits", "per", "byte"),
    "bpc": ("bits", "per", "character"),
    "globalstep": ("global", "step"),
}
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def vocabulary(text: str) -> frozenset[str]:
    """The words of a text, which are listed there between spaces."""
    return frozenset(text.split())


@lru_cache(maxsize=4096)
def name_words(name: str) -> tuple[str, ...]:
    """The words of a name in small letters, without marks between them.

    >>> name_words("metrics/eval/LanguageCrossEntropy"), name_words("lr-AdamW/pg1")
    (('metrics', 'eval', 'language', 'cross', 'entropy'), ('lr', 'adam', 'w', 'pg', '1'))
    >>> name_words("训练损失"), name_words("valloss")
    (('train', 'loss'), ('val', 'loss'))
    """
    for other, english in _TRANSLATED:
        name = name.replace(other, f" {english} ")
    found: list[str] = []
    for word in _WORD.findall(name):
        small = word.lower()
        fused = _FUSED.fullmatch(small) or _FUSED_AFTER.fullmatch(small)
        if small in _WHOLE:
            found += _WHOLE[small]
        elif fused:
            found += [fused["first"], fused["second"]]
        else:
            found.append(small)
    return tuple(found)
