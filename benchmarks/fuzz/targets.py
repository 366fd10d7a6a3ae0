"""What reads from outside, the valid inputs that are damaged, and what must hold."""

import hashlib
import json
import os
import tempfile
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from click.testing import CliRunner

from benchmarks.fuzz.campaign import Broken, Target
from benchmarks.fuzz.mutations import (
    mutated_bytes,
    mutated_value,
    random_bytes,
    with_other_numbers,
)
from stepsize import Policy, parse
from stepsize.cli import program
from stepsize.controllers import Guard, Plateau
from stepsize.errors import StepsizeError
from stepsize.importers import read_configuration
from stepsize.logs import read_logs
from stepsize.record import Recorder, Run, read_runs
from stepsize.schedules import Absolute, Horizon, Schedule
from stepsize.signals import Scale, Tick
from stepsize.testing.training import Bowl
from stepsize.training import Ring, run

__all__ = ["TARGETS"]

# ------------------------------------------------------------------ parse

SCHEDULES = (
    b"Warmup(500) >> Cosine(9500, end=0.1)",
    b"wsd(10000, warmup=500, cooldown=2000)",
    b"(Linear(100) * 0.5 + Hold(20)).clip(0.1, 1.0).over(300)",
    b"Absolute(Linear(2000, 3e-4, 1e-5).repeat(stretch=2, shrink=0.6).until(10000))",
    b"Step(30, 0.1) * Constant(2.0)",
    b"Table([0, 10, 20], [1.0, 0.5, 0.1])",
    b"Warmup(5ep) >> Cosine(0.9dur)",
)
HORIZON = Horizon(steps=10_000, steps_per_epoch=100, samples_per_step=64, tokens_per_step=4096)


def bytes_of(*valid: bytes) -> Callable[[Random], bytes]:
    """Half of the inputs are mutations of valid ones, the others noise."""

    def make(random: Random) -> bytes:
        if random.random() < 0.5:
            return random_bytes(random)
        if random.random() < 0.5:
            return with_other_numbers(random, random.choice(valid))
        return mutated_bytes(random, random.choice(valid), valid)

    return make


def read_text(content: bytes, _: Path) -> None:
    require_round_trip(parse(content.decode("utf-8", "replace"), horizon=HORIZON))


def require_round_trip(found: Schedule | Absolute) -> None:
    if parse(repr(found)) != found:
        raise Broken("wrong round trips", repr(found))


# ------------------------------------------------------------------ configurations

CONFIGURATIONS = (
    (
        ".json",
        b'{"learning_rate": 3e-4, "lr_scheduler_type": "cosine", "warmup_steps": 10, '
        b'"max_steps": 100, "per_device_train_batch_size": 8}',
    ),
    (
        ".json",
        b'{"scheduler": {"type": "WarmupDecayLR", "params": {"warmup_num_steps": 10, '
        b'"total_num_steps": 100, "warmup_max_lr": 0.001}}}',
    ),
    (
        ".json",
        b'{"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, '
        b'"decay_steps": 100}}',
    ),
    (".yaml", b"sched: cosine\nlr: 0.1\nepochs: 10\nwarmup_epochs: 2\nwarmup_lr: 1e-5\n"),
    (".yaml", b"learning_rate: 2e-4\nlr_scheduler: cosine\nwarmup_steps: 10\nmax_steps: 100\n"),
    (
        ".toml",
        b"[training]\nsteps = 100\n[optimizer]\nlr = 8e-4\n[lr_scheduler]\nwarmup_steps = 10\n",
    ),
    (
        ".py",
        b"max_epochs = 12\nbase_lr = 0.02 / 8\nparam_scheduler = [\n    dict(type='LinearLR', "
        b"start_factor=0.001, by_epoch=False, begin=0, end=500),\n    dict(type='MultiStepLR', "
        b"by_epoch=True, end=max_epochs, milestones=[8, 11])]\n"
        b"optim_wrapper = dict(optimizer=dict(type='SGD', lr=base_lr, momentum=0.9))\n",
    ),
)


def make_configuration(random: Random) -> tuple[str, bytes]:
    suffix, valid = random.choice(CONFIGURATIONS)
    if random.random() < 0.25:
        return suffix, random_bytes(random)
    if suffix == ".json" and random.random() < 0.6:
        return suffix, json.dumps(mutated_value(random, json.loads(valid))).encode()
    return suffix, mutated_bytes(random, valid, [content for _, content in CONFIGURATIONS])


def read_configuration_file(made: tuple[str, bytes], folder: Path) -> None:
    suffix, content = made
    path = folder / f"config{suffix}"
    path.write_bytes(content)
    found = read_configuration(path, base=0.1, steps=1_000, steps_per_epoch=100)
    require_round_trip(found.schedule)


# ------------------------------------------------------------------ logs

LOGS = (
    b"step,lr,loss\n" + b"".join(b"%d,0.1,%d.5\n" % (i, 9 - i) for i in range(9)),
    b"".join(b'{"step": %d, "train/loss": 0.%d, "lr": 0.1}\n' % (i, 9 - i) for i in range(9)),
    b'{"log_history": [{"step": 1, "loss": 2.0, "learning_rate": 0.1}, {"step": 2, "loss": 1.0}], '
    b'"max_steps": 10, "global_step": 2}',
    b"".join(b"iter %d: loss %d.4, time 12.3ms\n" % (i, 9 - i) for i in range(9)),
    b"".join(b"epoch %d loss %d.2 lr 0.1\n" % (i, 9 - i) for i in range(9)),
    b'{"step": [1, 2, 3], "loss": [3.0, 2.0, NaN]}',
)


def read_log(content: bytes, folder: Path) -> None:
    path = folder / "log"
    path.write_bytes(content)
    for found in read_logs(path):
        _ = found.quantities, found.metrics, found.notes


# ------------------------------------------------------------------ run files


def recorded(folder: str) -> bytes:
    path = Path(folder) / "runs.db"
    with Recorder(path, "first", {"lr": 0.1}, plan="Linear(40)") as recorder:
        for step in range(40):
            decided = (Scale(0.5, "flat"),) if step == 20 else ()
            recorder(Tick(step, {"lr": 0.1}, {"loss": 1.0 / (1 + step)}, decided))
    with Recorder(path, "first", resume=True) as recorder:
        recorder(Tick(35, {"lr": 0.1}, {"loss": 0.5}))
    return path.read_bytes()


@cache
def run_file() -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory() as folder:
        content = recorded(folder)
        return content, content_of(Path(folder) / "runs.db")


def content_of(path: Path) -> str:
    return repr([_all_of(each) for each in read_runs(path)]).replace(str(path), "PATH")


def _all_of(found: Run) -> Any:
    curves = {**found.quantities, **found.metrics}
    read = {name: (each.positions.tolist(), each.values.tolist()) for name, each in curves.items()}
    overview = np.stack(found.overview("loss", 3)).tolist()
    return found, found.config, found.summary, read, found.decisions, overview


def make_run_file(random: Random) -> bytes:
    content = bytearray(run_file()[0])
    if random.random() < 0.5:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        return bytes(content)
    if random.random() < 0.1:
        return random_bytes(random)
    at = random.randrange(len(content))
    noise = random.randbytes(random.choice((1, 2, 8, 64)))
    content[at : at + len(noise)] = noise
    return bytes(content[: random.randrange(len(content))] if random.random() < 0.1 else content)


def read_run_file(content: bytes, folder: Path) -> None:
    path = folder / "runs.db"
    path.write_bytes(content)
    if content_of(path) != run_file()[1]:
        raise Broken("wrong round trips", "the numbers are others")


# ------------------------------------------------------------------ checkpoints


class PackedBowl(Bowl):
    """A training whose snapshots are JSON."""

    def pack(self, snapshot: Any) -> bytes:
        coordinates, state = snapshot
        return json.dumps([coordinates.tolist(), state]).encode()

    def unpack(self, packed: bytes) -> Any:
        coordinates, state = json.loads(packed)
        return np.array(coordinates), state


POLICY = Policy(parse("Linear(60)"), [Guard(), Plateau(metric="loss", patience=3)])


def resume(folder: Path, steps: int) -> None:
    run(PackedBowl(noise=0.1), POLICY, steps, checkpoints=folder, every=10, ring=Ring(10, 2))


@cache
def checkpoint() -> tuple[str, bytes, Mapping[str, bytes]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        resume(folder, 20)
        latest = max(folder.glob("checkpoint-*.json"))
        blobs = {each.name: each.read_bytes() for each in (folder / "snapshots").iterdir()}
        return latest.name, latest.read_bytes(), blobs


def make_checkpoint(random: Random) -> bytes:
    _, content, _ = checkpoint()
    if random.random() < 0.3:
        return mutated_bytes(random, content, [content])
    body = json.loads(content.partition(b"\n")[2])
    body = mutated_value(random, body)
    if isinstance(body, dict) and random.random() < 0.5:
        driven = json.loads(json.loads(content.partition(b"\n")[2])["driven"])
        body["driven"] = json.dumps(mutated_value(random, driven))
    text = json.dumps(body).encode()
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


def read_checkpoint(content: bytes, folder: Path) -> None:
    name, _, blobs = checkpoint()
    place = folder / "checkpoints"
    (place / "snapshots").mkdir(parents=True, exist_ok=True)
    for each in place.glob("checkpoint-*"):
        each.unlink()
    for blob, stored in blobs.items():
        if not (place / "snapshots" / blob).exists():
            (place / "snapshots" / blob).write_bytes(stored)
    (place / name).write_bytes(content)
    resume(place, 21)


# ------------------------------------------------------------------ terminal output

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
COMMANDS: Sequence[Sequence[str]] = (
    ["runs", "names.db"],
    ["diagnose", "names.db"],
    ["diagnose", "log.csv"],
    ["describe", "schedules.txt"],
    ["plot", "schedules.txt"],
    ["compare", "schedules.txt"],
    ["check", "schedules.txt", "--steps", "20"],
    ["describe", "NAME"],
    ["runs", "NAME"],
    ["NAME"],
)


def make_name(random: Random) -> tuple[Sequence[str], str]:
    text = "".join(
        chr(random.randrange(0xA0)) if random.random() < 0.5 else chr(random.randrange(0x110000))
        for _ in range(random.randrange(1, 12))
    )
    if random.random() < 0.5:
        text = f"run{text[:3]}\x1b]0;{text[3:]}\x07"
    command = random.choice(COMMANDS)
    return [text.replace("\0", "") or "x" if each == "NAME" else each for each in command], text


def print_name(made: tuple[Sequence[str], str], folder: Path) -> None:
    arguments, name = made
    os.chdir(folder)
    (folder / "names.db").unlink(missing_ok=True)
    encoded = name.encode("utf-8", "replace")
    if "names.db" in arguments:
        with Recorder("names.db", name) as recorder:
            recorder(Tick(0, {f"lr/{name}": 0.1}, {name: 1.0, "loss": 1.0}))
    if "log.csv" in arguments:
        (folder / "log.csv").write_bytes(b'step,lr,loss,"%b"\n' % encoded + b"1,0.1,2,3\n" * 20)
    if "schedules.txt" in arguments:
        (folder / "schedules.txt").write_bytes(b"%b = Cosine(10)\nb = Hold(10)\n" % encoded)
    result = CliRunner().invoke(program, list(arguments))
    if isinstance(result.exception, Exception):
        raise result.exception
    for text in (result.stdout, result.stderr):
        if any(unicodedata.category(each) in STEERING and each != "\n" for each in text):
            raise Broken("raw escapes", ascii(text))
    if result.exit_code == 2:
        raise StepsizeError("refused")


TARGETS: Mapping[str, Target] = {
    each.name: each
    for each in (
        Target("parse", bytes_of(*SCHEDULES), read_text),
        Target("importers", make_configuration, read_configuration_file),
        Target("logs", bytes_of(*LOGS), read_log),
        Target("run files", make_run_file, read_run_file),
        Target("checkpoints", make_checkpoint, read_checkpoint),
        Target("terminal", make_name, print_name),
    )
}
