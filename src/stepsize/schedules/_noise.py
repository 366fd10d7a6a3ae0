"""Seeded noise on a rate, as a pure function of the position."""

import random
from functools import cached_property
from typing import Annotated, Any

from stepsize.checks import Number, Range
from stepsize.schedules._bases import Endless
from stepsize.schedules.backend import Operations
from stepsize.schedules.expression import expression
from stepsize.schedules.fields import Period

__all__ = ["Noise"]

# A prime p for which x -> x³ (mod p) is a permutation, and whose squares a double holds exactly:
# every array library then draws the same numbers, on every device.
_PRIME = 2**26 - 5
_ROUNDS = 6


@expression
class Noise(Endless):
    """Seeded noise around 1: uniform in [1 - spread, 1 + spread]. Endless.

    Multiply a schedule by it; ``Hold(300) >> Noise(0.1)`` begins at step 300. The value depends on
    the position and the seed alone, so a resumed run sees the same noise.

    Args:
        spread: The largest deviation, 0 .. 1, as a part of the rate.
        seed: Which noise: a number, 0 .. 2^53.
        every: Steps that share one draw, > 0.

    >>> from stepsize import Cosine, Noise
    >>> Noise(0.1, seed=7).values(4).round(4)
    array([1.004 , 0.9476, 0.9803, 1.0198])
    >>> noisy = Cosine(1_000) * Noise(0.1, seed=7, every=10)

    Source: the idea is that of timm's ``noise_range_t``; the draws are a keyed permutation by
    additions and cubes modulo a prime (Albrecht et al. 2016, "MiMC").
    """

    spread: Annotated[Number, Range(minimum=0, maximum=1, remedy="0.1 is ten per cent.")]
    seed: Annotated[Number, Range(minimum=0, maximum=2**53, remedy="Any number will do.")] = 0
    every: Period = 1

    @cached_property
    def _keys(self) -> tuple[float, ...]:
        keys = random.Random(self.seed)
        return tuple(float(keys.randrange(_PRIME)) for _ in range(_ROUNDS))

    def _at(self, t: Any, ops: Operations) -> Any:
        block = ops.floor((t - ops.remainder(t, self.every)) / self.every + 0.5)
        drawn = ops.remainder(block, _PRIME)
        for key in self._keys:
            shifted = ops.remainder(drawn + key, _PRIME)
            drawn = ops.remainder(ops.remainder(shifted * shifted, _PRIME) * shifted, _PRIME)
        return 1.0 + self.spread * (2.0 * drawn / (_PRIME - 1) - 1.0)
