"""W&B's offline runs: written here in the documented format, and by wandb where it is installed."""

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

from stepsize.errors import RunFileError
from stepsize.logs import LoggedRun, read_logs

BLOCK = 32_768


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def history(values: dict[str, object]) -> bytes:
    items = [
        field(1, field(1, name.encode()) + field(16, json.dumps(value).encode()))
        for name, value in values.items()
    ]
    step = varint(2 << 3 | 0) + varint(7)
    return field(2, b"".join(items)) + step


def started(name: str) -> bytes:
    return field(17, field(8, name.encode()))


def framed(records: Iterable[bytes]) -> bytes:
    """Records in LevelDB's log format: blocks of 32 KiB, frames that do not cross their borders."""
    log = bytearray(b":W&B" + b"\xe1\xbe" + b"\x00")
    for record in records:
        rest, first = record, True
        while True:
            room = BLOCK - len(log) % BLOCK
            if room < 7:
                log += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (2 if first else 3) if rest else (1 if first else 4)
            checksum = zlib.crc32(bytes([kind]) + part)
            log += struct.pack("<IHB", checksum, len(part), kind) + part
            first = False
            if not rest:
                break
    return bytes(log)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "run-abc.wandb"
    path.write_bytes(content)
    return path


def read(path: Path) -> LoggedRun:
    [run] = read_logs(path)
    return run


STEPS = 3_000
LOG = framed(
    [
        started("my [run]"),
        *(
            history({"_step": step, "_runtime": 1.5, "train/loss": 1 / (1 + step), "lr": 0.5})
            for step in range(STEPS)
        ),
        history({"_step": STEPS, "loss": float("nan"), "note": "text", "table": {"a": 1}}),
    ]
)


def test_a_run_is_read_across_the_borders_of_blocks(tmp_path: Path) -> None:
    assert len(LOG) > 4 * BLOCK
    (tmp_path / "offline-run-1").mkdir()
    written(tmp_path / "offline-run-1", LOG)
    run = read(tmp_path)
    assert (run.form, run.name) == ("W&B", "my [run]")
    assert list(run.metrics) == ["train/loss", "loss"]
    assert run.metrics["train/loss"].positions.tolist() == list(range(STEPS))
    assert run.metrics["train/loss"].values[1] == 1 / 2
    assert run.quantities["lr"].values.tolist() == [0.5] * STEPS
    assert tuple(map(str, run.notes)) == ("'loss': 1 of 1 values are not finite.",)


def test_a_value_larger_than_a_block_is_put_together(tmp_path: Path) -> None:
    long = "x" * (3 * BLOCK)
    run = read(written(tmp_path, framed([history({"_step": 1, "text": long, "loss": 2.0})])))
    assert run.metrics["loss"].values.tolist() == [2]


@pytest.mark.parametrize("cut", [len(LOG) - 3, len(LOG) // 2, 3 * BLOCK, 3 * BLOCK - 3])
def test_a_file_that_was_cut_short_is_read_up_to_there(tmp_path: Path, cut: int) -> None:
    run = read(written(tmp_path, LOG[:cut]))
    assert len(run.metrics["train/loss"].values) > cut / len(LOG) * STEPS - 50
    assert cut % BLOCK == 0 or "cut short or damaged" in str(run.notes[0])


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    damaged = bytearray(LOG)
    damaged[len(LOG) // 2] ^= 1
    run = read(written(tmp_path, bytes(damaged)))
    assert len(run.metrics["train/loss"].values) < 0.6 * STEPS
    assert "damaged" in str(run.notes[0])


@pytest.mark.parametrize(
    "records",
    [[], [started("run")], [b"\xff" * 12], [b"\x0f"], [field(2, b"\x0a\xff\x01")], [b"\x0a\x80"]],
)
def test_a_file_without_a_readable_history_is_refused(tmp_path: Path, records: list[bytes]) -> None:
    with pytest.raises(RunFileError, match="holds no history"):
        read_logs(written(tmp_path, framed(records)))


@pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")
def test_what_wandb_writes_is_read(tmp_path: Path) -> None:
    code = """
import wandb
run = wandb.init(project="project", name="real", dir=".", settings=wandb.Settings(silent=True))
for step in range(500):
    run.log({"train/loss": 1 / (1 + step), "lr": 0.5, "nested": {"value": step}})
run.finish()
"""
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"WANDB_MODE": "offline"},
        capture_output=True,
    )
    run = read(tmp_path / "wandb")
    assert run.name == "real"
    assert run.metrics["train/loss"].values.tolist() == [1 / (1 + step) for step in range(500)]
    assert run.metrics["nested/value"].positions.tolist() == list(range(500))
    assert run.quantities["lr"].values.tolist() == [0.5] * 500
