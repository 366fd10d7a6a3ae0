"""What several ranks saw, as one."""

from collections.abc import Sequence

import torch.distributed as distributed

from stepsize.errors import TrainingError
from stepsize.signals import Observation

__all__ = ["mean_of_ranks"]


def mean_of_ranks(observation: Observation) -> Observation:
    """The mean of each metric over the ranks that measured it: the same on every rank.

    For ``run(..., agree=mean_of_ranks)``, or before ``rate.observe`` in a loop of your own: then
    the controllers of all ranks see the same and decide alike. A NaN on one rank is a NaN for all;
    a step counts if every rank took it. Every rank of the default process group must call it.

    Args:
        observation: What this rank saw.

    Returns:
        What all ranks saw.

    Raises:
        TrainingError: The default process group was not initialised.

    >>> from stepsize import Observation
    >>> from stepsize.torch import mean_of_ranks
    >>> mean_of_ranks(Observation({"loss": 0.5}))              # doctest: +SKIP
    Observation(metrics={'loss': 0.75}, stepped=True, position=None)
    """
    if not distributed.is_available() or not distributed.is_initialized():
        raise TrainingError(
            "mean_of_ranks(observation)",
            "it needs the process group in which the ranks train",
            "there is none",
            "Call torch.distributed.init_process_group() first, or leave agree out.",
        )
    seen: list[Observation | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(seen, observation)  # pyright: ignore[reportUnknownMemberType]: torch's own types
    return _mean([each for each in seen if each is not None])


def _mean(seen: Sequence[Observation]) -> Observation:
    names = dict.fromkeys(name for each in seen for name in each.metrics)
    metrics: dict[str, float] = {}
    for name in names:
        values = [each.metrics[name] for each in seen if name in each.metrics]
        metrics[name] = sum(values) / len(values)
    return Observation(metrics, all(each.stepped for each in seen), seen[0].position)
