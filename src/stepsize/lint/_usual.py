"""The usual peak rates of optimizers: from the lowest to the highest in well-known work."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from stepsize.errors import InvalidValue
from stepsize.words import list_text

__all__ = ["USUAL_RATES", "UsualRates", "usual_rates"]


class UsualRates(NamedTuple):
    """The peak rates that published work gave an optimizer.

    Args:
        lowest: The lowest of them, and who used it.
        highest: The highest of them, and who used it.
        warms_up: Whether its first updates are as large as all others while its estimate of the
            second moment still rests on a few gradients, so that a warmup is advised.
    """

    lowest: tuple[float, str]
    highest: tuple[float, str]
    warms_up: bool = False


_MOMENTUM = UsualRates(
    (1e-4, "fine-tuning of ImageNet models, Kornblith et al. 2019 (arXiv 1805.08974)"),
    (3.2, "ResNet-50 at batch 8192, Goyal et al. 2017 (arXiv 1706.02677)"),
)
_ADAM = UsualRates(
    (5e-7, "preference tuning of a 7B model, Tunstall et al. 2023 (arXiv 2310.16944)"),
    (1e-2, "hash encodings, Müller et al. 2022 (arXiv 2201.05989)"),
    warms_up=True,
)
_PARAMETER_FREE = UsualRates(
    (1.0, "the authors: it multiplies the estimate, leave it at 1 (arXiv 2306.06101)"),
    (1.0, "the authors: it multiplies the estimate, leave it at 1 (arXiv 2306.06101)"),
)

USUAL_RATES: Final[Mapping[str, UsualRates]] = {
    "sgd": UsualRates(
        _MOMENTUM.lowest,
        (30.0, "AWD-LSTM with clipped gradients, Merity et al. 2017 (arXiv 1708.02182)"),
    ),
    "sgd-momentum": _MOMENTUM,
    "adam": _ADAM,
    "adamw": _ADAM,
    "nadam": _ADAM,
    "adamax": _ADAM,
    # Its update has the rectification that a warmup stands in for.
    "radam": _ADAM._replace(warms_up=False),
    "rmsprop": UsualRates(
        (5e-5, "Wasserstein GAN, Arjovsky et al. 2017 (arXiv 1701.07875)"),
        (0.256, "EfficientNetV2 at batch 4096, Tan & Le 2021 (arXiv 2104.00298)"),
    ),
    "lion": UsualRates(
        (5e-8, "Adam's lowest / 10: Lion takes 3 to 10 times less (arXiv 2302.06675)"),
        (3.3e-3, "Adam's highest / 3: Lion takes 3 to 10 times less (arXiv 2302.06675)"),
    ),
    "adafactor": UsualRates(
        (5e-7, "Adam's lowest: without parameter scaling it takes Adam's rates"),
        (1e-2, "T5 and PaLM, Raffel et al. 2020 (arXiv 1910.10683)"),
    ),
    "muon": UsualRates(
        (2e-4, "Kimi K2, scaled to Adam's rates, 2025 (arXiv 2507.20534)"),
        (0.05, "the NanoGPT speed runs, Jordan et al. 2024"),
    ),
    "prodigy": _PARAMETER_FREE,
    "dadaptadam": _PARAMETER_FREE,
    "dadaptsgd": _PARAMETER_FREE,
}
"""The usual peak rates by the optimizer's name, in lower case.

Where momentum μ is not damped, a rate counts 1 / (1 - μ) times: hence the two rows of SGD.
"""


def usual_rates(call: str, optimizer: str) -> UsualRates:
    """The row of an optimizer.

    Raises:
        InvalidValue: The table has none of this name.
    """
    known = USUAL_RATES.get(optimizer.lower())
    if known is None:
        raise InvalidValue(
            call,
            f"{{optimizer}} must be {list_text(map(repr, USUAL_RATES), 'or')}",
            f"is {optimizer!r}",
            "For another one leave it out.",
            "optimizer",
        )
    return known
