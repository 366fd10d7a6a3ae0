"""stepsize: one tool for the whole life of a learning rate.

The open core: schedules, recipes, ``parse``, ``Policy`` and the errors. No framework is imported;
``stepsize.torch``, ``stepsize.training``, ``stepsize.find`` and ``stepsize.record`` are imported by
name.
"""

from stepsize import errors, schedules, signals
from stepsize.driving import Policy, PolicyState, Rewound
from stepsize.errors import *
from stepsize.schedules import *
from stepsize.signals import *

__version__ = "0.1.0"

# Without this list, a star import would also take the rooms: ``torch`` would be ``stepsize.torch``.
__all__ = ["__version__"]
__all__ += errors.__all__
__all__ += ["Policy", "PolicyState", "Rewound"]
__all__ += schedules.__all__
# Only what users write; drivers import the rest by name.
__all__ += signals.__all__
