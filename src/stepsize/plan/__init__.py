"""Planning a run: numbers for its rate and its schedule, each with reason, source and interval."""

from stepsize.plan._bound import Bound, bound
from stepsize.plan._extension import Extension, extension
from stepsize.plan._plan import RunPlan, default_plan, plan_run
from stepsize.plan._priors import adamw_timescale, step_law, step_law_batch
from stepsize.plan._ranking import Ranked, Ranking, rank
from stepsize.plan._rules import batch_rule, width_rule
from stepsize.plan._transfer import transfer
from stepsize.renames import renamed

__all__ = [
    "Bound",
    "Extension",
    "Ranked",
    "Ranking",
    "RunPlan",
    "adamw_timescale",
    "batch_rule",
    "bound",
    "default_plan",
    "extension",
    "plan_run",
    "rank",
    "step_law",
    "step_law_batch",
    "transfer",
    "width_rule",
]


def __getattr__(name: str) -> object:
    raise renamed(__name__, name, {"Plan": "stepsize.plan.RunPlan"})
