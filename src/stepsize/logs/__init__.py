"""Logs: the curves that other tools wrote, read into the same arrays as our own run files.

```python
from stepsize.logs import read_logs

[run] = read_logs("outputs/checkpoint-500/trainer_state.json")
run.metrics["loss"], run.quantities["lr"], run.notes
```

_detect     which form a file or folder has       _logged   a run that was read
_text       encodings                             _csv, _json, _printed   text of one form each
_rows       rows made runs: what counts, and which rows and columns belong to which run
_restarts   counters that begin again             _tables_of_runs   rows that are runs
_tensorboard, _wandb, _mlflow   one tool each

Which column is the loss, the rate or the counter is decided in ``stepsize.columns``. Nothing is
unpickled and nothing is evaluated: a foreign file may mislead, never execute.
"""

from stepsize.logs._detect import read_logs
from stepsize.logs._logged import LoggedRun

__all__ = ["LoggedRun", "read_logs"]
