"""``GradientNorm``: regulate the rate by the norm of the batch's gradient."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from stepsize.checks import Range
from stepsize.controllers._metric import Memory
from stepsize.controllers._settings import Configured, check_count, check_name, check_number
from stepsize.messages import Message
from stepsize.renames import renamed_arguments
from stepsize.signals import Decision, Observation, Scale

__all__ = ["GradientNorm"]


@renamed_arguments(watches="metric")
@dataclass(frozen=True, kw_only=True, repr=False)
class GradientNorm(Configured):
    """Hold the rate down while the batch's gradient is unusually large, as ZClip clips gradients.

    With mean μ and deviation σ of the norms so far, running averages, a norm ``g`` with
    ``(g - μ) / σ > threshold`` may count for no more than ``μ + (threshold * σ)² / (g - μ)``: the
    further out it is, the less. The rate is multiplied by ``limit / g`` for that one observation,
    which for SGD without momentum is what clipping the gradient to ``limit`` does. The averages
    take the limited norm, so that an outlier does not raise its own bar.

    In a loop of your own, observe the norm between ``backward()`` and ``optimizer.step()``, and the
    answer holds for that very step; or scale the gradients by :meth:`clip`, which with momentum or
    Adam is the thing to do. Under ``run`` the norm of a step is known after it, and the answer
    holds for the next.

    Args:
        metric: The name of the gradient norm before clipping.
        threshold: How many deviations above the mean are usual, > 0. None: any number is.
        ceiling: The largest norm that counts in full, > 0, whatever is usual. None: no ceiling.
        memory: How much of the averages one observation leaves, >= 0 and < 1.
        warmup: From how many observations the averages start; until then only ``ceiling`` holds.

    Raises:
        InvalidType: A setting is of the wrong kind.
        InvalidValue: A setting is out of range.

    Source: ZClip, Kumar et al. 2025, arXiv 2504.02507; its constants are the defaults.

    >>> from stepsize.controllers import GradientNorm, replay
    >>> regulated = replay(GradientNorm(warmup=4), {"grad_norm": [1, 3, 1, 3, 2, 12, 2]})
    >>> [round(scale, 3) for scale in regulated.scale]
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.217, 1.0]
    """

    metric: str = "grad_norm"
    threshold: float | None = 2.5
    ceiling: float | None = None
    memory: float = 0.97
    warmup: int = 25

    def __post_init__(self) -> None:
        check_name(self, "metric")
        if self.threshold is not None:
            check_number(
                self, "threshold", Range(above=0, remedy="It counts deviations above the mean.")
            )
        if self.ceiling is not None:
            check_number(self, "ceiling", Range(above=0, remedy="It is a gradient norm."))
        check_number(
            self, "memory", Range(minimum=0, below=1, remedy="0.97 remembers some 30 observations.")
        )
        check_count(self, "warmup", Range(minimum=1, remedy="It counts observations."))

    def init(self) -> Memory:
        """The memory before the first observation."""
        return {"seen": 0, "mean": 0.0, "variance": 0.0, "scale": 1.0}

    def observe(
        self, state: Memory, observation: Observation, /
    ) -> tuple[Memory, Sequence[Decision]]:
        """The memory after ``observation``, and what to do."""
        norm = observation.metrics.get(self.metric)
        if norm is None or not math.isfinite(norm):
            return state, ()
        after, wanted = self.clip(state, float(norm))
        if wanted == state["scale"]:
            return after, ()
        if wanted < 1:
            reason = Message(
                "{metric:name} is {norm:number 3}, and counts as {counted:number 3}",
                metric=self.metric,
                norm=norm,
                counted=wanted * norm,
            )
        else:
            reason = Message(
                "{metric:name} is {norm:number 3}, as usual", metric=self.metric, norm=norm
            )
        return {**after, "scale": wanted}, (Scale(wanted / state["scale"], reason),)

    def clip(self, state: Memory, norm: float) -> tuple[Memory, float]:
        """The memory after a gradient of ``norm``, and what to multiply that gradient by.

        A norm that is 0 or not finite tells nothing of what is usual and is left as it is.

        Args:
            state: The memory: ``init()``, or what the last call returned.
            norm: The gradient's norm.

        >>> clipping = GradientNorm(threshold=None, ceiling=2)
        >>> clipping.clip(clipping.init(), 8.0)[1]
        0.25
        """
        if not (math.isfinite(norm) and norm > 0):
            return state, 1.0
        usual = self._limited(state, norm)
        allowed = usual if self.ceiling is None else min(usual, self.ceiling)
        # Never 0: a factor of 0 could not be taken back.
        return self._after(state, usual), max(allowed / norm, sys.float_info.min)

    def _limited(self, state: Memory, norm: float) -> float:
        if self.threshold is None or state["seen"] < self.warmup:
            return norm
        excess = norm - state["mean"]
        variance = self.threshold**2 * state["variance"]
        # Without a division by the deviation, which may be 0.
        outlying = excess > 0 and excess * excess > variance
        return state["mean"] + variance / excess if outlying else norm

    def _after(self, state: Memory, norm: float) -> Memory:
        seen, before, variance = state["seen"], state["mean"], state["variance"]
        if seen < self.warmup:  # all weigh the same
            seen += 1
            mean = before + (norm - before) / seen
            variance += ((norm - before) * (norm - mean) - variance) / seen
        else:
            mean = self.memory * before + (1 - self.memory) * norm
            variance = self.memory * variance + (1 - self.memory) * (norm - mean) * (norm - mean)
        return {**state, "seen": seen, "mean": mean, "variance": variance}
