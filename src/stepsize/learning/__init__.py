"""One judgement of whether a loss is being learnt from, for all that speak about a run.

_judge      ``Judge``: one value after the other, in bounded memory; ``judged``: a whole curve
_signs      from what it remembers to a verdict: each sign of trouble, and the course without any
_averages   moving averages over several horizons, and what their rise above their lowest means
_noise      the noise of a loss, from the differences of neighbours
_history    the whole curve in at most 32 means, and the trend of its second half
_verdict    ``Verdict``: what is the case, since when, and in words
"""

from stepsize.learning._judge import *
from stepsize.learning._verdict import *
