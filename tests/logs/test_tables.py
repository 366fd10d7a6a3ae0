"""CSV, JSON and JSON lines: what people's loops and loggers write."""

import json
import os
from pathlib import Path

import pytest

from stepsize.errors import RunFileError
from stepsize.logs import LoggedRun, read_logs


def written(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> LoggedRun:
    [run] = read_logs(path)
    return run


def notes(run: LoggedRun) -> tuple[str, ...]:
    return tuple(map(str, run.notes))


def points(run: LoggedRun, name: str) -> list[tuple[float, float]]:
    curve = (dict(run.quantities) | dict(run.metrics))[name]
    return list(zip(curve.positions.tolist(), curve.values.tolist(), strict=True))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_is_read_with_its_rate_apart(tmp_path: Path, separator: str, mark: str) -> None:
    text = "step,lr,loss\n0,0.1,2.5\n10,0.2,1.5\n".replace(",", separator)
    run = read(written(tmp_path, mark + text))
    assert (run.form, run.name, notes(run)) == ("CSV", "log", ())
    assert points(run, "lr") == [(0, 0.1), (10, 0.2)]
    assert points(run, "loss") == [(0, 2.5), (10, 1.5)]
    assert list(run.quantities) == ["lr"]
    assert list(run.metrics) == ["loss"]


def same(path: Path) -> LoggedRun:
    """The run of the file, in which the rate and the loss are those of a plain table."""
    run = read(path)
    assert points(run, "lr") == [(0, 0.1), (10, 0.2)]
    assert points(run, "loss") == [(0, 2.5), (10, 1.5)]
    assert {*run.quantities, *run.metrics} == {"lr", "loss"}
    return run


def test_utf_16_is_read_by_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("step,lr,loss\n0,0.1,2.5\n10,0.2,1.5\n".encode("utf-16"))
    assert notes(same(path)) == ()


@pytest.mark.parametrize("header", ["step,lr,loss", "step,lr,loss,"])
def test_a_separator_after_each_row_is_no_cell(tmp_path: Path, header: str) -> None:
    assert same(written(tmp_path, f"{header}\n0,0.1,2.5,\n10,0.2,1.5,\n")).notes == ()


@pytest.mark.parametrize("above", ["# run 7, of today\nstep,lr,loss", "# of\n\n# step,lr,loss"])
def test_comments_may_stand_above_the_header_or_be_it(tmp_path: Path, above: str) -> None:
    run = same(written(tmp_path, f"{above}\n0,0.1,2.5\n10,0.2,1.5\n# done\n"))
    assert (notes(run), run.cut_short) == ((), False)


def test_decimal_commas_are_read_beside_semicolons_and_noted(tmp_path: Path) -> None:
    run = same(written(tmp_path, "step;lr;loss\n0;0,1;2,5\n10;2,0e-1;1,5\n"))
    assert notes(run) == ("Commas in numbers were read as decimal points.",)


@pytest.mark.parametrize("step", [7, 10**18])
def test_where_no_step_tells_rows_apart_they_are_numbered(tmp_path: Path, step: int) -> None:
    losses = ("3", "nan", "1")
    text = "step,lr,loss\n" + "".join(f"{step},0.1,{loss}\n" for loss in losses)
    run = read(written(tmp_path, text))
    assert run.metrics["loss"].positions.tolist() == [0, 1, 2]
    assert notes(run) == (
        "All steps that were logged are equal, or beyond 2^53: positions are the numbers of the "
        "rows, not 'step'.",
        "'loss': 1 of 3 values are not finite.",
    )


def test_steps_beyond_what_can_be_counted_are_noted(tmp_path: Path) -> None:
    run = read(written(tmp_path, f"step,loss\n0,3\n1,2\n{10**18},1\n"))
    assert notes(run) == ("1 point lies at positions beyond 2^53, where rules do not look.",)


def test_two_columns_of_one_name_are_noted(tmp_path: Path) -> None:
    run = read(written(tmp_path, "step,loss,loss\n0,3,4\n"))
    assert points(run, "loss") == [(0, 4)]
    assert notes(run) == ("Several columns are called 'loss': the last one counts.",)


def test_a_log_of_two_runs_is_noted(tmp_path: Path) -> None:
    rows = [f"{epoch},{0.1},{3 / (1 + epoch) + again}\n" for again in (0, 1) for epoch in range(50)]
    run = read(written(tmp_path, "epoch,lr,loss\n" + "".join(rows)))
    assert "Up to 50 positions come again with other values ('loss')" in notes(run)[0]
    assert "each to its own file" in notes(run)[0]


def test_lightnings_table_has_gaps_and_rates_in_rows_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "version_0").mkdir()
    written(
        tmp_path,
        "epoch,lr-AdamW,lr-AdamW-momentum,step,train_loss_step,val_loss\n"
        ",0.001,0.9,0,,\n0,,,49,2.5,\n0,,,99,,2.25\n",
        "version_0/metrics.csv",
    )
    run = read(tmp_path)
    assert points(run, "lr/AdamW") == [(0, 0.001)]
    assert points(run, "train_loss_step") == [(49, 2.5)]
    assert points(run, "val_loss") == [(99, 2.25)]
    assert points(run, "epoch") == [(49, 0), (99, 0)]
    assert "lr-AdamW-momentum" in run.metrics


def test_the_newest_of_several_folders_counts(tmp_path: Path) -> None:
    for version, loss in ((0, 1), (1, 2)):
        (tmp_path / f"version_{version}").mkdir()
        path = written(tmp_path, f"step,loss\n0,{loss}\n", f"version_{version}/metrics.csv")
        os.utime(path, (version, version))
    assert points(read(tmp_path), "loss") == [(0, 2)]


def test_keras_table_counts_epochs_and_says_so(tmp_path: Path) -> None:
    run = read(written(tmp_path, "epoch,learning_rate,loss,val_loss\n0,0.1,3,4\n1,0.1,2,3\n"))
    assert points(run, "val_loss") == [(0, 4), (1, 3)]
    assert (run.counter, run.unit) == ("epoch", "epoch")


def test_rows_without_a_counter_are_numbered_and_a_note_says_so(tmp_path: Path) -> None:
    run = read(written(tmp_path, "loss\n3\n2\n"))
    assert points(run, "loss") == [(0, 3), (1, 2)]
    assert "numbers of the rows" in notes(run)[0]


def test_json_lines_may_nest_and_a_row_without_a_step_belongs_to_the_one_before(
    tmp_path: Path,
) -> None:
    rows = [
        {"step": 5, "train": {"loss": 2.0, "text": "x"}, "learning_rate": "1e-3"},
        {"val_loss": 1.5},
        {"step": 6, "train": {"loss": float("nan")}},
    ]
    run = read(written(tmp_path, "\n".join(map(json.dumps, rows)) + "\n", "log.jsonl"))
    assert (run.form, points(run, "train/loss")[0]) == ("JSON lines", (5, 2))
    assert points(run, "lr") == [(5, 0.001)]
    assert points(run, "val_loss") == [(5, 1.5)]
    assert notes(run) == ("'train/loss': 1 of 2 values are not finite.",)


def test_the_trainers_state_gives_rates_losses_and_the_planned_steps(tmp_path: Path) -> None:
    state = {
        "best_metric": None,
        "max_steps": 100,
        "log_history": [
            {"epoch": 0.5, "learning_rate": 5e-5, "loss": 2.5, "grad_norm": 1.0, "step": 10},
            {"epoch": 1.0, "eval_loss": 2.25, "eval_runtime": 3.0, "step": 20},
        ],
    }
    (tmp_path / "checkpoint-20").mkdir()
    written(tmp_path, json.dumps(state), "checkpoint-20/trainer_state.json")
    for place in (tmp_path, tmp_path / "checkpoint-20"):
        run = read(place)
        assert (run.form, run.steps) == ("trainer_state.json", 100)
        assert points(run, "lr") == [(10, 5e-5)]
        assert points(run, "eval_loss") == [(20, 2.25)]


def test_an_object_of_lists_and_a_list_of_objects_are_the_same_log(tmp_path: Path) -> None:
    lists = read(written(tmp_path, '{"loss": [3, 2], "val_loss": [4]}', "history.json"))
    objects = read(
        written(tmp_path, '[{"loss": 3, "val_loss": 4}, {"loss": 2}, 7]', "objects.json")
    )
    for run in (lists, objects):
        assert run.form == "JSON"
        assert points(run, "loss") == [(0, 3), (1, 2)]
        assert points(run, "val_loss") == [(0, 4)]


# ------------------------------------------------------------------ what is not whole


def test_a_table_that_was_cut_short_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    run = read(written(tmp_path, "step,lr,loss\n0,1,2.5\n1,1,1.5\n2,0.1"))
    assert points(run, "loss") == [(0, 2.5), (1, 1.5)]
    assert notes(run) == ("Left out: line 4 is not whole. The file may have been cut short.",)
    assert run.cut_short


def test_a_last_line_with_all_its_cells_counts_and_a_note_says_what_may_lack(
    tmp_path: Path,
) -> None:
    run = read(written(tmp_path, "step,loss\n0,2.5\n1,1.5\n2,0.1"))
    assert points(run, "loss") == [(0, 2.5), (1, 1.5), (2, 0.1)]
    assert notes(run) == ("Line 4, the last, has no end: its last number may lack digits.",)
    assert not run.cut_short


def test_a_line_that_is_not_whole_amid_others_is_no_lost_end(tmp_path: Path) -> None:
    run = read(written(tmp_path, "step,loss\n0,2.5\n1\n2,0.5\n"))
    assert "line 3 is not whole" in notes(run)[0]
    assert not run.cut_short


@pytest.mark.parametrize("broken", ['p": 0, "loss": 3}', '{"step": 0, "lo', "a word"])
def test_json_lines_whose_first_line_is_broken_are_read_from_the_second(
    tmp_path: Path, broken: str
) -> None:
    run = read(written(tmp_path, broken + '\n{"step": 1, "loss": 2}\n{"step": 2, "loss": 1}\n'))
    assert (run.form, points(run, "loss")) == ("JSON lines", [(1, 2), (2, 1)])
    assert "line 1 is not whole" in notes(run)[0]
    assert not run.cut_short


def test_json_lines_that_were_cut_short_are_read_up_to_the_last_whole_one(tmp_path: Path) -> None:
    run = read(written(tmp_path, '{"step": 0, "loss": 2}\n{"step": 1, "lo', "log.jsonl"))
    assert points(run, "loss") == [(0, 2)]
    assert "line 2 is not whole" in notes(run)[0]


def test_values_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    run = read(written(tmp_path, "step,loss\n0,nan\n1,inf\n2,1\n3,text\n"))
    assert len(points(run, "loss")) == 3
    assert notes(run) == ("'loss': 2 of 3 values are not finite.",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("1,2\n3,4\n", "begins with a line of names"),
        ("a log\nof words\n", "log that stepsize knows"),
        ("step,loss\n", "nothing was logged"),
        ("step,loss", "nothing was logged"),
        ("[]", "nothing was logged"),
        ("{}", "nothing was logged"),
        ('{"log_history": []}', "nothing was logged"),
        ("[1, 2]", "no numbers"),
        ('[{"step": 0, "loss": 2}, {"st', "cut short.*Restore it from a copy"),
        ('{"log_history": [', "damaged or was cut short"),
        ("{not json}\n", "log that stepsize knows"),
        ("[" * 100_000, "nested too deeply"),
        ("step,loss\n" + '0,"' + "x" * 200_000, "log that stepsize knows"),
    ],
)
def test_what_is_no_log_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RunFileError, match=said) as caught:
        read_logs(path)
    assert str(caught.value).startswith(f"read_logs({str(path)!r}): ")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04\x80\xff" * 50)
    with pytest.raises(RunFileError, match="log that stepsize knows"):
        read_logs(tmp_path / "model.pt")


def test_a_checkpoint_that_was_cut_short_is_taken_from_the_one_before(tmp_path: Path) -> None:
    path = written(tmp_path, '{"log_history": [{"step": 1', "trainer_state.json")
    with pytest.raises(RunFileError, match="checkpoint before this one"):
        read_logs(path)


def test_text_in_another_encoding_is_refused_with_the_command_that_turns_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("step,loss,Qualität\n0,2.5,1\n".encode("latin-1"))
    with pytest.raises(RunFileError, match=r"0xe4.*Latin-1.*iconv -f LATIN1 -t UTF-8"):
        read_logs(path)


def test_a_path_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="No such file"):
        read_logs(tmp_path / "nothing")
    with pytest.raises(RunFileError, match="holds no log that stepsize knows"):
        read_logs(tmp_path)


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with path.open("wb") as file:
        file.write(b"step,loss\n")
        file.truncate(2**30 + 1)  # sparse: it takes no room
    with pytest.raises(RunFileError, match="may have"):
        read_logs(path)
