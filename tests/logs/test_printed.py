"""What trainings print, line by line."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from stepsize.errors import RunFileError
from stepsize.logs import LoggedRun, read_logs


def read(folder: Path, lines: Iterable[str], end: str = "\n") -> LoggedRun:
    path = folder / "train.log"
    path.write_text("".join(line + end for line in lines), encoding="utf-8")
    [run] = read_logs(path)
    return run


def points(run: LoggedRun, name: str) -> list[tuple[float, float]]:
    curve = (dict(run.quantities) | dict(run.metrics))[name]
    return list(zip(curve.positions.tolist(), curve.values.tolist(), strict=True))


LOSSES = [3.0, 2.5, 2.25, 2.125]


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        ("epoch {n} loss {l:.4f}", "epoch"),
        ("Epoch {n}: loss={l:.4f}", "epoch"),
        ("epoch={n}, loss={l:.4f}", "epoch"),
        ("[Epoch {n}] loss: {l:.4f} acc: 81.2%", "epoch"),
        ("After epoch {n} the loss is {l:.4f}", "epoch"),
        ("step {n} | loss {l:.4f} | 812.3 ms", "step"),
        ("iter {n}: loss {l:.4f}, time 812.30ms, mfu 3.2%", "step"),
        ("step:{n}/1000 loss:{l:.4f} step_avg:20.1ms", "step"),
        ("2026-01-02 03:04:05,678 - INFO - step {n}, loss: {l:.4f}", "step"),
        ("step {n} loss tensor({l:.4f}, device='cuda:0')", "step"),
        ("{{'step': {n}, 'loss': {l:.4f}}}", "step"),
        ("第 {n} 轮: 损失 {l:.4f}", "epoch"),
        ("\x1b[32mstep {n}\x1b[0m loss {l:.4f}", "step"),
    ],
)
def test_a_name_and_a_number_are_a_point(tmp_path: Path, line: str, unit: str) -> None:
    run = read(tmp_path, (line.format(n=n, l=loss) for n, loss in enumerate(LOSSES)))
    assert (run.form, run.unit) == ("printed", unit)
    assert run.training_loss is not None
    assert run.training_loss.positions.tolist() == [0, 1, 2, 3]
    assert run.training_loss.values.tolist() == LOSSES


def test_lines_of_two_counters_are_one_run(tmp_path: Path) -> None:
    lines = [
        "number of parameters: 123.59M",
        "step 0: train loss 11.0, val loss 11.5",
        *(f"iter {n}: loss {loss}, lr 3.0e-04" for n, loss in enumerate(LOSSES)),
        "step 4: train loss 2.0, val loss 2.5",
    ]
    run = read(tmp_path, lines)
    assert points(run, "loss") == list(enumerate(LOSSES))
    assert points(run, "val loss") == [(0, 11.5), (4, 2.5)]
    assert points(run, "lr") == [(n, 3e-4) for n in range(4)]


def test_a_total_is_the_plan(tmp_path: Path) -> None:
    lines = (f"step {n:4d}/19560 | loss {loss} | lr 1e-5 | 400 ms" for n, loss in enumerate(LOSSES))
    assert read(tmp_path, lines).steps == 19_560


@pytest.mark.parametrize(
    "line",
    [
        "Epoch [{e}/2], Step [{s}/200], Loss: {l}",
        "Epoch [{e}][{s}/200]\tlr: 1.0e-03, loss_cls: 0.5, loss: {l}",
        "Train: [{e}/2][{s}/200]\teta 0:10:00 lr 0.001\tloss {l} (2.0)",
        "[{e}, {s:5d}] loss: {l}",
    ],
)
def test_a_counter_that_begins_again_goes_on(tmp_path: Path, line: str) -> None:
    where = [(epoch, step) for epoch in (1, 2) for step in (100, 200)]
    lines = [line.format(e=e, s=s, l=loss) for (e, s), loss in zip(where, LOSSES, strict=True)]
    run = read(tmp_path, lines)
    assert run.training_loss is not None
    assert run.training_loss.positions.tolist() == [100, 200, 300, 400]
    assert run.training_loss.values.tolist() == LOSSES
    assert "begins again with each epoch" in str(run.notes[0])


def test_headings_and_progress_bars_give_the_position(tmp_path: Path) -> None:
    lines = [
        f"Epoch {n}/4\n20/100 [==>.....] - loss: 9.0\r100/100 [=====] - 3s 30ms/step - "
        f"loss: {loss} - val_loss: {loss + 1}"
        for n, loss in enumerate(LOSSES, start=1)
    ]
    run = read(tmp_path, lines)
    assert points(run, "val_loss") == [(100 * n, LOSSES[n - 1] + 1) for n in range(1, 5)]


def test_an_evaluation_is_told_by_the_words_before_it(tmp_path: Path) -> None:
    lines = [
        line
        for n, loss in enumerate(LOSSES)
        for line in (f"Epoch {n}", f"train Loss: {loss} Acc: 0.5", f"Test set: Average loss: {n}")
    ]
    run = read(tmp_path, lines)
    assert points(run, "train Loss") == list(enumerate(LOSSES))
    assert points(run, "Test/Average loss") == [(n, n) for n in range(4)]


def test_a_loss_that_is_nan_is_read_and_words_are_not(tmp_path: Path) -> None:
    lines = [f"step {n} loss nan lr 1e-3 number of nan iterations: 0" for n in range(4)]
    run = read(tmp_path, lines)
    assert set(run.metrics) <= {"loss", "iterations"}
    assert str(run.notes[0]) == "'loss': 4 of 4 values are not finite."


def test_a_long_line_takes_no_time_for_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("x" * 1_000_000 + "\n" + "a.b-" * 250_000 + "\n")
    with pytest.raises(RunFileError):
        read_logs(path)
