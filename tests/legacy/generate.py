"""Writes the files in ``data/``: what version 0.1.0 of November 2026 saved, and how it went on.

Run it only at the commit that added it, with that commit's code, from the root of the repository:

    PYTHONPATH=src python -m tests.legacy.generate

Later code must read these files, so it must not write them: the tests would then compare the code
with itself. A new format gets a new folder beside ``data/``.
"""

import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from stepsize import Policy, StepsizeWarning, TrainingStopped
from stepsize.record import Recorder, read_runs
from stepsize.signals import Rewind, Scale, Stop, Tick
from stepsize.training import run
from tests.legacy.acts import Loop, observed, published
from tests.legacy.attachments import ATTACHMENTS, CURVE, SCHEDULERS, scheduler
from tests.legacy.plain import plain, plain_run
from tests.legacy.plans import CONTROLLERS, plateau
from tests.legacy.runs import GUARDED, RUNS
from tests.legacy.trainings import Descent

DATA = Path(__file__).parent / "data"

Act = Sequence[Any]


def main() -> None:
    """Write all files anew."""
    if "watches='val_loss'" not in repr(plateau()):
        sys.exit("generate: this code is newer than the data; read the first lines of this file.")
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir()
    # Git must not change the ends of lines: the checkpoints have checksums.
    (DATA / ".gitattributes").write_text("* -text\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StepsizeWarning)
        for name in ATTACHMENTS:
            _write_attachment(name)
        _write("schedulers", {name: _scheduler(name) for name in SCHEDULERS})
        _write("policies", {name: _policy(name) for name in CONTROLLERS})
        for name in RUNS:
            _write_checkpoints(name)
        _write_run_files()


def _write(name: str, content: Any) -> None:
    path = DATA / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")


def _seen(first: int, count: int) -> list[dict[str, float]]:
    """Metrics of so many observations: losses that fall, stay, and fall again; spikes and NaN."""
    chance = random.Random(20_261_129)
    found: list[dict[str, float]] = []
    for at in range(first + count):
        loss = 4 * math.exp(-at / 6) + 0.75 + 0.0625 * chance.gauss(0, 1)
        loss = 0.75 * math.exp((60 - at) / 8) if at > 60 else loss
        norm = abs(1 + 0.25 * chance.gauss(0, 1)) * (6 if at % 17 == 16 else 1)
        seen = {"loss": loss * (40 if at in (56, 57, 58) else 1), "grad_norm": norm, "norm": norm}
        if at in (29, 68):
            seen["loss"] = math.nan
        seen["train_loss"] = seen["loss"]
        if at % 2:
            seen["val_loss"] = 2 * math.exp(-at / 9) + 1 + 0.03125 * chance.gauss(0, 1)
        if at % 3 == 0:
            seen["score"] = math.nan if at == 36 else 1 - math.exp(-at / 9) + chance.random() / 32
        found.append({name: round(value, 4) for name, value in seen.items()})
    return found[first:]


# ------------------------------------------------------------------ attachments

STEP: Act = ["step"]
STEPS: Sequence[Act] = [STEP] * 12


def _observed(first: int, count: int) -> list[Act]:
    return [act for seen in _seen(first, count) for act in (STEP, ["observe", seen])]


def _consumed(count: int) -> list[Act]:
    return [act for number in range(count) for act in (["consume", 100 + number], STEP)]


GROWTH: Sequence[Act] = [
    ["add_group", {"name": "later", "lr": 0.2}],
    ["start_clock", "later"],
    ["add_group", {"name": "last", "lr": 0.05}],
]

ACTS: Mapping[str, tuple[Sequence[Act], Sequence[Act]]] = {
    "named_groups": (_observed(0, 40), _observed(40, 12)),
    "scaled": ([*STEPS, ["scale", "lr", 0.3], *STEPS[:3]], STEPS),
    "based": (
        [*STEPS, ["set_base", "lr", 0.7], STEP, ["set_base", "lr", {"head": 0.35}], STEP],
        STEPS,
    ),
    "stretched": ([*STEPS, ["extend", "lr", 500, "stretch"], STEP], STEPS),
    "held": ([*STEPS, ["extend", "lr", 500, "hold"], STEP], STEPS),
    "restretched": ([*STEPS, ["extend", "lr", 500, "restretch"], STEP], STEPS),
    "restretched_with_a_rise": ([*STEPS, ["extend", "lr", 500, "restretch", True], STEP], STEPS),
    "cooled_down": ([*STEPS, ["start_cooldown", "lr", 20, "1-sqrt"], STEP], STEPS),
    "cooled_down_and_extended": (
        [*STEPS, ["start_cooldown", "lr", 20, "cosine"], STEP],
        [*STEPS, ["extend", "lr", 80, "stretch"], *STEPS],
    ),
    "everything_by_hand": (
        [
            *STEPS,
            ["scale", "lr", 0.5],
            STEP,
            ["set_base", "lr", 0.9],
            ["extend", "lr", 450, "hold"],
            STEP,
            ["start_cooldown", "lr", 30, "linear"],
            ["scale", "lr", 0.75],
            STEP,
        ],
        [*STEPS, ["scale", "lr", 2.0], ["set_base", "lr", {"body": 0.25}], *STEPS],
    ),
    "growing": (
        [*STEPS, *GROWTH[:2], STEP, ["scale", "lr", 0.5], STEP, GROWTH[2], *STEPS[:4]],
        [*STEPS, ["start_clock", "last"], *STEPS[:4], ["set_base", "lr", {"later": 0.3}], STEP],
    ),
    "two_quantities": (
        [*_observed(0, 40), ["scale", "momentum", 0.5], ["set_base", "weight_decay", 0.02]],
        [*_observed(40, 12), ["scale", "weight_decay", 0.5], *STEPS],
    ),
    "two_optimizers": (_observed(0, 40), [*_observed(40, 12), ["scale", "lr", 0.5], STEP]),
    "clock": (
        [*_consumed(20), ["observe", {"val_loss": 1.0}], ["observe", {"val_loss": 1.0}]],
        [*_consumed(5), ["observe", {"val_loss": 1.0}], ["observe", {"val_loss": 2.0}], STEP],
    ),
    "rewound": (_observed(0, 40), [*_observed(40, 10), *STEPS, *STEPS]),
    "only_cut": (_observed(0, 40), [*_observed(40, 30), *STEPS, *STEPS]),
}


def _acts(name: str) -> tuple[Sequence[Act], Sequence[Act]]:
    if name.startswith("with_"):
        return _observed(0, 44), _observed(44, 30)
    return ACTS.get(name, (STEPS, STEPS))


def _write_attachment(name: str) -> None:
    """The state before, and what was seen after each of the acts that followed."""
    # What is built once with all groups, and once before any is added, was saved by one loop.
    grows = name in ("growing", "not_grown_yet")
    before, after = _acts("growing" if grows else name)
    loop = Loop()
    ATTACHMENTS["not_grown_yet" if grows else name](loop)
    loop.rate = loop.attach()
    loop.carry_out(before)
    content = {"state": loop.rate.state_dict(), "consumed": loop.consumed}
    text = json.dumps(content)  # now: what comes after must not be in it
    (DATA / "attachments").mkdir(exist_ok=True)
    optimizers = [each.state_dict() for each in loop.optimizers]
    torch.save(optimizers, DATA / "attachments" / f"{name}.pt")
    content = {
        **json.loads(text),
        "again": GROWTH if name == "not_grown_yet" else [],
        "acts": plain(after),
        "expected": loop.carry_out(after),
    }
    _write(f"attachments/{name}", content)


# ------------------------------------------------------------------ schedulers and policies


def _scheduler(name: str) -> Mapping[str, Any]:
    optimizer, driven = scheduler(name)
    acts = ["update", "publish", "update", "publish", "update", "update", "publish", "publish"] * 2
    published(optimizer, driven, acts)
    state = json.loads(json.dumps(driven.state_dict()))
    return {"state": state, "acts": acts, "expected": published(optimizer, driven, acts)}


def _policy(name: str) -> Mapping[str, Any]:
    policy, position = Policy(CURVE, CONTROLLERS[name]()), 44
    state, _ = observed(policy, policy.init(), 0, _seen(0, position))
    state = policy.scale(state, position, 0.75)
    state = policy.extend(state, position, 500, "hold")
    state = policy.start_cooldown(state, position, 60, "cosine")
    metrics = _seen(position, 30)
    return {
        "position": position,
        "saved": json.loads(json.dumps(policy.save(state))),
        "state": json.loads(json.dumps(state.to_dict())),
        "metrics": plain(metrics),
        "expected": observed(policy, state, position, metrics)[1],
    }


# ------------------------------------------------------------------ checkpoints


def _write_checkpoints(name: str) -> None:
    each, folder = RUNS[name], DATA / "checkpoints" / name
    each.begin(folder)
    # One checkpoint: Git does not keep the times of files, which tell the newest.
    newest = max(folder.glob("*.json"))
    for path in folder.glob("*.json"):
        if path != newest:
            path.unlink()
    text = newest.read_text()
    for path in (folder / "snapshots").iterdir():
        if path.stem not in text:
            path.unlink()
    with tempfile.TemporaryDirectory() as copy:
        resumed = each.go_on(shutil.copytree(folder, copy, dirs_exist_ok=True))
    whole = each.go_on(None)
    assert [whole[key] for key in whole if key != "ticks"] == [
        resumed[key] for key in whole if key != "ticks"
    ], f"{name}: the saved run did not go on as it would have without an interruption"
    _write(f"checkpoints/{name}", resumed)


# ------------------------------------------------------------------ run files


def _write_run_files() -> None:
    folder = DATA / "run_files"
    folder.mkdir()
    several = folder / "several.runs"
    _record_by_hand(several)
    _record_ends(several)
    with Recorder(several, "guarded", {"schedule": GUARDED.text}) as recorder:
        run(Descent(bad=[14, 31]), GUARDED, 45, [recorder], evaluate_every=9)
    _in_a_process(_DIES.format(path=str(several), end="pass"))
    killed = folder / "killed.runs"
    _in_a_process(_DIES.format(path=str(killed), end="recorder.flush(); os._exit(0)"))
    Path(f"{killed}-shm").unlink()
    for path in (several, killed):
        with tempfile.TemporaryDirectory() as copy:
            for part in folder.glob(f"{path.name}*"):
                shutil.copy(part, copy)
            recorded = [plain_run(each) for each in read_runs(Path(copy, path.name))]
        _write(f"run_files/{path.stem}", recorded)


def _record_by_hand(path: Path) -> None:
    """Everything that a tick can hold, and positions that come again after a rewind."""
    config = {"schedule": CURVE.text, "lr": 0.1, "seeds": [1, 2], "note": "λ → 0", "none": None}
    recorder = Recorder(path, "baseline ü", config)
    for step in (*range(30), *range(20, 40)):
        rates = {"lr/body": 0.1 / (1 + step), "lr/head": 0.4 / (1 + step), "momentum": 0.9}
        metrics = {"loss": 1 / 3 + 1 / (1 + step), "grad_norm": 2.0**-step}
        if step % 5 == 0:
            metrics["val_loss"] = {10: math.nan, 15: math.inf, 25: -math.inf}.get(step, 0.1 * step)
        if step == 7:
            metrics["momentum"] = 0.25  # a metric may have the name of a quantity
        decisions = {
            12: (Scale(0.5, "val_loss (best: 1) has not improved for 2 observations"),),
            29: (Rewind(0.25, "loss is nan", since=2, warmup=5, limit=3), Scale(2.0, "→ again")),
            39: (Stop("val_loss has not improved"),),
        }.get(step, ())
        recorder(Tick(step, rates, metrics, decisions))
    recorder(Tick(39.5, {}, {"test_loss": 5e-324}))
    recorder.finish("finished", {"test_loss": 0.5, "best": math.nan})


def _record_ends(path: Path) -> None:
    for name, error in {
        "stopped": TrainingStopped("enough"),
        "failed": RuntimeError("out of memory"),
        "interrupted": KeyboardInterrupt(),
    }.items():
        try:
            with Recorder(path, name) as recorder:
                recorder(Tick(0, {"lr": 0.1}, {"loss": 2.0}))
                raise error
        except (TrainingStopped, RuntimeError, KeyboardInterrupt):
            pass
    Recorder(path, "empty").finish("given up")


_DIES = """
import os
from stepsize.record import Recorder
from stepsize.signals import Scale, Tick
recorder = Recorder({path!r}, "died", {{"lr": 0.1}})
for step in range(40):
    if step in (15, 30):
        recorder.flush()
    decisions = (Scale(0.5, "so far"),) if step == 20 else ()
    recorder(Tick(step, {{"lr": 0.1 / (1 + step)}}, {{"loss": 1 / (3 + step)}}, decisions))
{end}
"""


def _in_a_process(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ)


if __name__ == "__main__":
    main()
