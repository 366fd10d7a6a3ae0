"""stepsize for torch: attach a schedule to an optimizer, or hand a training to ``run``."""

from importlib.util import find_spec

from stepsize.errors import MissingExtra

if find_spec("torch") is None:
    raise MissingExtra("stepsize.torch", "torch", "torch")

from stepsize.torch._attach import *
from stepsize.torch._attachment import *
from stepsize.torch._claims import attached_quantities as attached_quantities
from stepsize.torch._import import *
from stepsize.torch._layers import *
from stepsize.torch._ranks import *
from stepsize.torch._scheduler import *
from stepsize.torch._training import *
