"""Pictures of named arrays, drawn with matplotlib. What the arrays mean is the caller's business.

points   curves of many points, made fit for a picture      range_tests, trials   what theirs show

Nothing here touches pyplot or matplotlib's settings: a picture is a ``Figure`` of its own, and
drawing one in a library, a notebook or a server changes nothing else. matplotlib is imported when
a picture is drawn, and not before.
"""

from stepsize.plot._curves import plot_curves
from stepsize.plot._files import check_path, save
from stepsize.plot._run import plot_run
from stepsize.plot.range_tests import plot_range_tests
from stepsize.plot.trials import plot_trials
from stepsize.renames import renamed

__all__ = [
    "check_path",
    "plot_curves",
    "plot_range_tests",
    "plot_run",
    "plot_trials",
    "save",
]

_RENAMED = {
    "Array": "stepsize.plot.points.Array",
    "Curve": "stepsize.plot.points.Curve",
    "RangeCurve": "stepsize.plot.range_tests.RangeCurve",
    "TrialCurves": "stepsize.plot.trials.TrialCurves",
    "before_divergence": "stepsize.statistics.before_divergence",
    "plot_range_test": "stepsize.plot.range_tests.plot_range_test",
    "smoothed": "stepsize.plot.points.smoothed",
    "thinned": "stepsize.plot.points.thinned",
}


def __getattr__(name: str) -> object:
    raise renamed(__name__, name, _RENAMED)
