"""Which column of a log is what: the loss, the rates, the position. Decided by words of the names.

```python
from stepsize.columns import loss_columns, rate_columns

loss_columns({"train/loss": curve, "val/loss": other}).training    # ("train/loss",)
```

_words    a name as words of the field      _positions   counters and their units
_losses   training and validation loss      _rates       rates, their groups, and mere settings
"""

from stepsize.columns._losses import Losses, loss_columns
from stepsize.columns._positions import UNITS, counter_column, unit_of
from stepsize.columns._rates import Rates, rate_columns, schedule_column
from stepsize.columns._words import name_words, vocabulary

__all__ = [
    "UNITS",
    "Losses",
    "Rates",
    "counter_column",
    "loss_columns",
    "name_words",
    "rate_columns",
    "schedule_column",
    "unit_of",
    "vocabulary",
]
