"""``autopilot`` is what ``stepsize run`` does: the same weights, the same record, the same page."""

import math
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stepsize import Absolute, Hold, InvalidType, InvalidValue, Linear
from stepsize.automatic import Preparation, autopilot
from stepsize.record import Run, read_runs
from stepsize.signals import Observation, Tick
from stepsize.testing.training import Bowl
from stepsize.training import Factors

FILE = """
from stepsize.testing.training import Bowl

class Shown(Bowl):
    def evaluate(self):
        weights = {f"x{index}": float(x) for index, x in enumerate(self._x)}
        return {**super().evaluate(), **weights}

def training():
    return Shown(rate=0.2, noise=0.05)
"""


class Shown(Bowl):
    """A bowl whose weights are among what it measures."""

    def evaluate(self) -> Mapping[str, float]:
        weights = {f"x{index}": float(x) for index, x in enumerate(self._x)}
        return {**super().evaluate(), **weights}


def said_without_times(page: Path) -> str:
    text = re.sub(r"in [\d.]+ s\.", "in T s.", page.read_text(encoding="utf-8"))
    text = re.sub(r"<dt>seconds</dt><dd>[\d.]+", "<dt>seconds</dt><dd>T", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "NOW", text)


def recorded(run: Run) -> dict[str, Any]:
    curves = {name: (run[name].positions.tolist(), run[name].values.tolist()) for name in run.names}
    summary = {name: value for name, value in run.summary.items() if name != "seconds"}
    decisions = [(each.position, each.kind, each.reason) for each in run.decisions]
    return {
        "name": run.name,
        "config": run.config,
        "status": run.status,
        "curves": curves,
        "summary": summary,
        "decisions": decisions,
    }


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ([], {}),
        (["--level", "fast", "--evaluate-every", "70"], {"level": "fast", "evaluate_every": 70}),
        (["--rate", "0.3", "--guard"], {"rate": 0.3, "guard": True}),
        (["--schedule", "Linear(400)"], {"schedule": Linear(400)}),
    ],
    ids=["search", "fast", "rate", "schedule"],
)
def test_the_command_and_the_function_give_the_same_weights_record_and_page(
    tmp_path: Path, options: list[str], arguments: dict[str, Any]
) -> None:
    (tmp_path / "shown.py").write_text(FILE)
    command = [sys.executable, "-m", "stepsize.cli", "run", "shown.py", "--steps", "400", *options]
    outputs = ["--record", "command.db", "--report", "command.html"]
    subprocess.run([*command, *outputs], cwd=tmp_path, check=True, capture_output=True)
    done = autopilot(
        Shown(rate=0.2, noise=0.05),
        400,
        name="shown",
        settings={"file": "shown.py"},
        record=tmp_path / "function.db",
        report=tmp_path / "function.html",
        **arguments,
    )
    (by_command,), (by_function,) = (
        read_runs(tmp_path / name) for name in ("command.db", "function.db")
    )
    assert recorded(by_function) == recorded(by_command)
    assert {"x0", "x1", "x2"} <= set(by_command.summary)
    assert done.outcome.metrics["x0"] == by_command.summary["x0"]
    pages = [said_without_times(tmp_path / f"{name}.html") for name in ("command", "function")]
    assert pages[0] == pages[1]


def test_sinks_get_every_step_of_the_run_the_searchs_too() -> None:
    ticks: list[Tick] = []
    done = autopilot(Bowl(noise=0.05), 400, sinks=[ticks.append])
    positions = [tick.position for tick in ticks if tick.quantities]
    assert positions == list(range(400))
    assert done.preparation.advice is not None
    assert done.outcome.steps == 400


def test_the_plan_is_told_before_training_goes_on() -> None:
    told: list[Preparation] = []
    autopilot(Bowl(noise=0.05), 400, on_plan=lambda plan, _: told.append(plan))
    (plan,) = told
    assert "linearly to zero at step 400" in str(plan.plan)


def test_a_training_that_fails_midway_is_told_with_what_there_is() -> None:
    class Failing(Bowl):
        taken = 0

        def step(self, factors: Factors) -> Observation:
            self.taken += 1
            if self.taken == 20:
                raise OSError("the disk is gone")
            return super().step(factors)

    done = autopilot(Failing(), 50, schedule=Hold(50))
    assert done.status == "failed"
    assert "the disk is gone" in str(done)
    assert done.outcome.steps == 19


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, InvalidValue, "steps must be"),
        ({"steps": 2.5}, InvalidValue, "steps must be"),
        ({"rate": "fast"}, InvalidValue, "rate must be 'auto' or 'keep'"),
        ({"rate": -1.0}, InvalidValue, "rate must be"),
        ({"rate": math.nan}, InvalidValue, "rate must be"),
        ({"level": "best"}, InvalidValue, "level must be"),
        ({"schedule": "Linear(3)"}, InvalidType, "schedule must be a schedule"),
        ({"schedule": Absolute(Hold(400)), "rate": 0.1}, InvalidValue, "Leave out rate"),
        ({"level": "fast", "rate": 0.1}, InvalidValue, "level is about the search"),
        ({"steps": 100, "metric": "val_loss"}, InvalidValue, "metric is about trials"),
    ],
)
def test_a_mistake_is_refused_before_any_step(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    training = Bowl(noise=0.1)
    with pytest.raises(error, match=message):
        autopilot(training, **({"steps": 400} | arguments))
    assert training.step({"lr": [1.0]}) == Bowl(noise=0.1).step({"lr": [1.0]})
