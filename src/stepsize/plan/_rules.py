"""What a change of batch size or of width does to a tuned rate."""

from stepsize.checks import Range, checked_number
from stepsize.estimates import Estimate, checked_estimate
from stepsize.messages import Message
from stepsize.plan._optimizers import kind_of

__all__ = ["batch_rule", "width_rule"]

_SIZE = Range(above=0, maximum=1e18, remedy="Only the ratio of the two counts.")


def batch_rule(rate: float | Estimate, optimizer: str, *, from_: float, to: float) -> Estimate:
    """The rate for another batch size: linear for SGD, the square root for Adam and its like.

    Args:
        rate: The rate that was tuned at the batch size ``from_``, > 0.
        optimizer: Its name, such as ``"SGD"`` or ``"AdamW"``.
        from_: The batch size at which it was tuned, in samples or tokens, > 0.
        to: The new batch size, in the same unit, > 0.

    Returns:
        The new rate.

    Raises:
        InvalidType: An argument is not a number.
        InvalidValue: A number is not above 0, or the optimizer is not known.

    >>> batch_rule(0.1, "SGD", from_=256, to=1024).value
    0.4
    >>> print(batch_rule(3e-4, "AdamW", from_=256, to=1024))    # doctest: +ELLIPSIS
    6e-4 (3e-4 to 0.0012): 3e-4 (as given) × (1,024/256)^0.5, ...

    Source: Goyal et al. 2017 (arXiv 1706.02677) for SGD; Malladi et al. 2022 (arXiv 2205.10287) for
    Adam; Li et al. 2024 (arXiv 2405.14578) for where it ends.
    """
    call = f"batch_rule({rate!r}, {optimizer!r}, from_={from_!r}, to={to!r})"
    tuned = checked_estimate(call, rate)
    ratio = checked_number(call, "to", to, _SIZE) / checked_number(call, "from_", from_, _SIZE)
    if kind_of(call, optimizer).normalized:
        return _power(
            tuned,
            (to, from_, ratio),
            exponent=0.5,
            between=(0, 1),
            why=Message(
                "the square root keeps the noise of a normalized update; the best rate was also "
                "seen to rise linearly, to stay, and to fall past the critical batch size"
            ),
            source="Malladi et al. 2022 (arXiv 2205.10287); Li et al. 2024 (arXiv 2405.14578)",
        )
    return _power(
        tuned,
        (to, from_, ratio),
        exponent=1,
        between=(0.5, 1),
        why=Message(
            "fewer steps, each as many times longer, with a warmup; near and past the critical "
            "batch size less, down to the square root"
        ),
        source="Goyal et al. 2017 (arXiv 1706.02677)",
    )


def width_rule(rate: float | Estimate, optimizer: str, *, from_: float, to: float) -> Estimate:
    """The rate of hidden matrices at another width: 1/n for Adam and its like, the same for SGD.

    This is µP's rule: it holds with µP's initial values and output multiplier, and for hidden
    matrices only. Embeddings, biases and gains keep their rate under Adam.

    Args:
        rate: The rate that was tuned at the width ``from_``, > 0.
        optimizer: Its name, such as ``"SGD"`` or ``"AdamW"``.
        from_: Inputs per hidden unit of the model on which it was tuned, > 0.
        to: Inputs per hidden unit of the new model, > 0.

    Returns:
        The new rate of the hidden matrices.

    Raises:
        InvalidType: An argument is not a number.
        InvalidValue: A number is not above 0, or the optimizer is not known.

    >>> width_rule(2e-3, "AdamW", from_=256, to=1024).value
    0.0005

    Source: Yang et al. 2022, "Tensor Programs V" (arXiv 2203.03466), table 3; Everett et al. 2024
    (arXiv 2407.05872) for the exponents of other assumptions.
    """
    call = f"width_rule({rate!r}, {optimizer!r}, from_={from_!r}, to={to!r})"
    tuned = checked_estimate(call, rate)
    ratio = checked_number(call, "to", to, _SIZE) / checked_number(call, "from_", from_, _SIZE)
    if kind_of(call, optimizer).normalized:
        return _power(
            tuned,
            (to, from_, ratio),
            exponent=-1,
            between=(-1, -0.5),
            why=Message(
                "for hidden matrices, with µP's initial values; between 1/n, where updates and "
                "activations are aligned, and 1/√n, where they are not"
            ),
            source="Yang et al. 2022 (arXiv 2203.03466); Everett et al. 2024 (arXiv 2407.05872)",
        )
    return _power(
        tuned,
        (to, from_, ratio),
        exponent=0,
        between=(-1, 0),
        why=Message("for hidden matrices, with µP's initial values; without them down to 1/n"),
        source="Yang et al. 2022 (arXiv 2203.03466), table 3",
    )


def _power(
    tuned: Estimate,
    sizes: tuple[float, float, float],
    *,
    exponent: float,
    between: tuple[float, float],
    why: Message,
    source: str,
) -> Estimate:
    to, from_, ratio = sizes
    low, high = sorted(ratio**each for each in between)
    return tuned.times(
        ratio**exponent,
        low,
        high,
        Message(
            "{rate:rate} ({tuned:message}) × ({to:number}/{before:number})^{exponent:number}, "
            "{why:message}",
            rate=tuned.value,
            tuned=tuned.reason,
            to=to,
            before=from_,
            exponent=exponent,
            why=why,
        ),
        source,
    )
