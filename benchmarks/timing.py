"""Medians of interleaved repeats: every contender meets the same moments of a noisy machine."""

import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["medians"]


def medians(
    contenders: Mapping[str, Callable[[], object]], calls: int, repeats: int = 15
) -> dict[str, float]:
    """Seconds per call of each contender: the median over ``repeats`` rounds of ``calls`` calls."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, call in contenders.items():
            began = time.perf_counter()
            for _ in range(calls):
                call()
            seconds[name].append((time.perf_counter() - began) / calls)
    return {name: statistics.median(each) for name, each in seconds.items()}
