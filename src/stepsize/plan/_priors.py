"""Rates to start from before anything is measured: laws over model and data size."""

from typing import Final

from stepsize.checks import Range, checked_number
from stepsize.estimates import Estimate
from stepsize.messages import Message

__all__ = ["adamw_timescale", "step_law", "step_law_batch"]

_COUNT = Range(above=0, maximum=1e30, remedy="Write it out, as 124e6 for 124 million.")
_DECAY = Range(above=0, maximum=1e30, remedy="AdamW's usual weight decay is 0.1 or 0.01.")

# Both laws were fitted on language models of one family each. On the published 124M model they
# are off by factors of 2.4 and 0.8 (docs/en/plan.md).
_STEP_LAW_DOUBT: Final = 3.0
_TIMESCALE_DOUBT: Final = 2.0

_STEP_LAW = "Li et al. 2025, Step Law (arXiv 2503.04715)"


def step_law(parameters: float, tokens: float) -> Estimate:
    """The peak rate for pretraining a language model with AdamW: 1.79 · N^-0.713 · D^0.307.

    Args:
        parameters: N, without the embeddings, > 0.
        tokens: D, over the whole run, > 0.

    Returns:
        The peak rate, at the batch size of :func:`step_law_batch`.

    Raises:
        InvalidType: An argument is not a number.
        InvalidValue: A number is not above 0.

    >>> round(step_law(parameters=1e9, tokens=100e9).value, 5)
    0.00163

    Source: Li et al. 2025 (arXiv 2503.04715), 3,700 models of 60M to 1B parameters, cosine decay to
    1e-5.
    """
    call = f"step_law({parameters!r}, {tokens!r})"
    n = checked_number(call, "parameters", parameters, _COUNT)
    d = checked_number(call, "tokens", tokens, _COUNT)
    return _around(
        1.79 * n**-0.713 * d**0.307,
        _STEP_LAW_DOUBT,
        Message(
            "1.79 · {parameters:number 3}^-0.713 · {tokens:number 3}^0.307: a prior for "
            "pretraining a language model with AdamW at the law's own batch size; on the published "
            "124M model it is 2.4 times too high",
            parameters=n,
            tokens=d,
        ),
        _STEP_LAW,
    )


def step_law_batch(tokens: float) -> Estimate:
    """The batch size for pretraining a language model with AdamW: 0.58 · D^0.571 tokens.

    Args:
        tokens: D, over the whole run, > 0.

    Returns:
        Tokens per batch.

    Raises:
        InvalidType: It is not a number.
        InvalidValue: It is not above 0.

    >>> round(step_law_batch(tokens=100e9).value, -4)
    1110000.0

    Source: Li et al. 2025 (arXiv 2503.04715).
    """
    d = checked_number(f"step_law_batch({tokens!r})", "tokens", tokens, _COUNT)
    return _around(
        0.58 * d**0.571,
        _STEP_LAW_DOUBT,
        Message(
            "0.58 · {tokens:number 3}^0.571 tokens: a prior for pretraining a language model with "
            "AdamW; the optimum is wide",
            tokens=d,
        ),
        _STEP_LAW,
    )


def adamw_timescale(weight_decay: float, steps: float, tokens_per_parameter: float) -> Estimate:
    """The peak rate that gives AdamW's weights the right memory: 1 / (λ · T · τ).

    AdamW's weights are a moving average of its updates over 1 / (rate · λ) steps, which is the
    fraction τ = 1 / (rate · λ · T) of the run. The best fraction follows the tokens per parameter:
    τ = 1.084 · (D/N)^-0.527.

    Args:
        weight_decay: λ, decoupled, > 0.
        steps: T, > 0.
        tokens_per_parameter: D/N, > 0.

    Returns:
        The peak rate.

    Raises:
        InvalidType: An argument is not a number.
        InvalidValue: A number is not above 0.

    >>> round(adamw_timescale(0.1, steps=50_000, tokens_per_parameter=41).value, 5)
    0.00131

    Source: Wang & Aitchison 2024 (arXiv 2405.13698) for the timescale; Bergsma et al. 2025, "Power
    Lines" (arXiv 2505.13738), for its law.
    """
    call = f"adamw_timescale({weight_decay!r}, {steps!r}, {tokens_per_parameter!r})"
    decay = checked_number(call, "weight_decay", weight_decay, _DECAY)
    count = checked_number(call, "steps", steps, _COUNT)
    data = checked_number(call, "tokens_per_parameter", tokens_per_parameter, _COUNT)
    timescale = 1.084 * data**-0.527
    return _around(
        1 / (decay * count * timescale),
        _TIMESCALE_DOUBT,
        Message(
            "1 / ({decay:number} · {steps:number} · {timescale:number 3}): the weights then "
            "average over 1.084 · {data:number 3}^-0.527 of the run; a prior for pretraining a "
            "language model with AdamW",
            decay=decay,
            steps=count,
            timescale=timescale,
            data=data,
        ),
        "Wang & Aitchison 2024 (arXiv 2405.13698); Bergsma et al. 2025 (arXiv 2505.13738)",
    )


def _around(value: float, doubt: float, reason: Message, source: str) -> Estimate:
    return Estimate(value, value / doubt, value * doubt, reason, source)
