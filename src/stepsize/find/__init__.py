"""Finding the rate: measurements on a training that leave it exactly as it was."""

from stepsize.find._curvature import (
    Curvature,
    Derivatives,
    Differentiable,
    NoiseScale,
    largest_curvature,
    noise_scale,
)
from stepsize.find._gradients import gradient_heuristics
from stepsize.find._grid_search import Search, grid_search, random_search
from stepsize.find._race import Race, race
from stepsize.find._range_test import RangeTest, Suggestion, range_test
from stepsize.find._recommend import recommend
from stepsize.find._recommendation import HeadStart, RateSweep, Recommendation
from stepsize.find._trials import Trial

__all__ = [
    "Curvature",
    "Derivatives",
    "Differentiable",
    "HeadStart",
    "NoiseScale",
    "Race",
    "RangeTest",
    "RateSweep",
    "Recommendation",
    "Search",
    "Suggestion",
    "Trial",
    "gradient_heuristics",
    "grid_search",
    "largest_curvature",
    "noise_scale",
    "race",
    "random_search",
    "range_test",
    "recommend",
]
