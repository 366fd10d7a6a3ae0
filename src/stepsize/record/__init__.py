"""One SQLite file of runs: a recorder that a training can afford, and a reader of arrays.

_recorder   the sink               _gathered, _writer, _sealing, _rows   from ticks to rows
_reader     runs as arrays         _stored, _curves, _verified   from rows to arrays, or refused
_resuming   going on with a run    _schema, _format, _damage   tables; opening; what is wrong
_extremes   curves at several resolutions

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
