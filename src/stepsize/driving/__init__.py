"""What drives a plan, without any framework: pure values and functions from one to the next.

Policy, PolicyState    one plan, and what has happened to it
Driver, Progress       which quantities of which groups follow which policies, and what happened
decide_rewind          what is done when a training goes wrong
save, load             the one saved form of progress
"""

from stepsize.driving._acts import How
from stepsize.driving._driver import Driver, Followed
from stepsize.driving._policy import Policy
from stepsize.driving._policy_state import PolicyState
from stepsize.driving._progress import Decided, Progress, Track, TrackId
from stepsize.driving._quantities import (
    Group,
    GroupPlaces,
    Key,
    Selector,
    describe_group,
    name_of,
    named_by_group,
    tick_name,
)
from stepsize.driving._rewinding import (
    Cause,
    GoBack,
    Trouble,
    Try,
    decide_rewind,
    reasons_of,
    rewound,
    trouble_of,
)
from stepsize.driving._rewound import Answer, Rewound
from stepsize.driving._rules import (
    Plan,
    Plans,
    Rule,
    checked_policy,
    numbered_rules,
    selected_plans,
)
from stepsize.driving._saving import Driven, Loaded, is_text_of, load, save

__all__ = [
    "Answer",
    "Cause",
    "Decided",
    "Driven",
    "Driver",
    "Followed",
    "GoBack",
    "Group",
    "GroupPlaces",
    "How",
    "Key",
    "Loaded",
    "Plan",
    "Plans",
    "Policy",
    "PolicyState",
    "Progress",
    "Rewound",
    "Rule",
    "Selector",
    "Track",
    "TrackId",
    "Trouble",
    "Try",
    "checked_policy",
    "decide_rewind",
    "describe_group",
    "is_text_of",
    "load",
    "name_of",
    "named_by_group",
    "numbered_rules",
    "reasons_of",
    "rewound",
    "save",
    "selected_plans",
    "tick_name",
    "trouble_of",
]
