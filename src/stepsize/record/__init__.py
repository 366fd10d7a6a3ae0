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

from stepsize.record._extremes import Overview
from stepsize.record._fingerprint import Fingerprint
from stepsize.record._reader import Run, read_runs
from stepsize.record._recorded import RecordedDecision, Segment, Series
from stepsize.record._recorder import Recorder

__all__ = [
    "Fingerprint",
    "Overview",
    "RecordedDecision",
    "Recorder",
    "Run",
    "Segment",
    "Series",
    "read_runs",
]
