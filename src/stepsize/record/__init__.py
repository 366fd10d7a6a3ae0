"""One SQLite file of runs: a recorder that a training can afford, and a reader of arrays.

```python
from stepsize.record import Recorder, read_runs

with Recorder("runs.db", name="baseline") as recorder:
    attach(optimizer, policy, sinks=[recorder])
    ...
run = read_runs("runs.db")[-1]
plot(*run["loss"])
```
"""

from stepsize.record._reader import *
from stepsize.record._recorder import *
