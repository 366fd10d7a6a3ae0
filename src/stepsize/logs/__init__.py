"""Logs: the curves that other tools wrote, read into the same arrays as our own run files.

```python
from stepsize.logs import read_logs

[run] = read_logs("outputs/checkpoint-500/trainer_state.json")
run.metrics["loss"], run.quantities["lr"], run.notes
```

_detect       which form a file or folder has        _logged   a run that was read
_table        CSV, JSON and JSON lines               _rates    which names are rates
_tensorboard, _wandb, _mlflow   one form each

Nothing is unpickled and nothing is evaluated: a foreign file may mislead, never execute.
"""

from stepsize.logs._detect import *
from stepsize.logs._logged import *
