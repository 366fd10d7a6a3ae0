"""``stepsize diagnose``: the findings for people and for scripts, and what it returns."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from stepsize.cli.following import follow
from stepsize.logs import read_logs

Call = Callable[..., Result]


def log(path: Path, diverged: bool = False, loss: str = "loss", planned: int = 100) -> Path:
    rows = [f"step,lr,{loss}"]
    for step in range(100):
        value = "nan" if diverged and step >= 60 else 3 / (1 + step) ** 0.5 - step / 200
        rows.append(f"{step},{0.1 * (1 - step / planned)},{value}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_finding_is_shown_with_evidence_change_and_source(stepsize: Call, tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv", diverged=True)
    result = stepsize("diagnose", path)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0] == f"{path} (CSV)"
    assert lines[1] == (
        "Training loss: 'loss'. Validation loss: none found. Rate: 'lr'. Positions: 'step', in "
        "steps."
    )
    assert lines[2] == "Note: 'loss': 40 of 100 values are not finite."
    assert lines[4] == "diverged (certain), step 60 to 99"
    assert lines[5].startswith("  The training loss is nan from step 60 to the end")
    assert "0.004 instead of 0.04" in lines[6]
    assert lines[7].startswith("  Source: ")
    assert len(lines) == 8


def test_a_run_without_a_finding_returns_0(stepsize: Call, tmp_path: Path) -> None:
    result = stepsize("diagnose", log(tmp_path / "log.csv"))
    assert (result.exit_code, result.stdout.splitlines()[2:]) == (0, ["Nothing was found."])


def test_the_json_has_all_of_it(stepsize: Call, tmp_path: Path) -> None:
    paths = [log(tmp_path / "bad.csv", diverged=True), log(tmp_path / "good.csv")]
    result = stepsize("diagnose", *paths, "--json")
    bad, good = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [each["file"] for each in (bad, good)] == [str(path) for path in paths]
    assert (good["run"], good["form"], good["notes"], good["findings"]) == ("good", "CSV", [], [])
    [finding] = bad["findings"]
    assert finding.keys() == {
        *("rule", "level", "evidence", "remedy", "source", "start", "end", "numbers", "messages")
    }
    assert (finding["rule"], finding["start"], finding["end"]) == ("diverged", 60, 99)
    assert finding["numbers"] == {"points": 40, "of": 100}


def test_the_csv_has_a_row_per_finding(stepsize: Call, tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv", diverged=True)
    [row] = csv.DictReader(io.StringIO(stepsize("diagnose", path, "--csv").stdout))
    assert (row["file"], row["run"], row["rule"]) == (str(path), "log", "diverged")
    assert (row["level"], row["start"], row["end"]) == ("certain", "60.0", "99.0")


def test_what_cannot_be_read_is_told_and_the_others_are_shown(
    stepsize: Call, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.csv"
    result = stepsize("diagnose", nothing, log(tmp_path / "log.csv"))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(nothing) in result.stderr
    assert "Nothing was found." in result.stdout


def test_options_name_the_loss_the_plan_and_what_to_ignore(stepsize: Call, tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv", diverged=True, loss="score")
    unknown = stepsize("diagnose", path)
    assert unknown.exit_code == 2
    assert "Name it with --loss NAME: 'score'." in unknown.stdout
    assert stepsize("diagnose", path, "--loss", "score").exit_code == 1
    ignored = stepsize("diagnose", path, "--loss", "score", "--ignore", "diverged")
    assert (ignored.exit_code, ignored.stdout.splitlines()[-1]) == (0, "Nothing was found.")
    planned = stepsize("diagnose", log(tmp_path / "short.csv", planned=200), "--steps", 200)
    assert "100 of 200 steps are missing" in planned.stdout


def test_a_metric_that_is_not_there_is_refused(stepsize: Call, tmp_path: Path) -> None:
    result = stepsize("diagnose", log(tmp_path / "log.csv"), "--loss", "nll")
    assert result.exit_code == 2
    assert "There are: 'loss'" in result.stderr


@pytest.mark.parametrize("option", ["--steps", "--steps-per-epoch"])
def test_a_count_of_steps_is_above_0(stepsize: Call, tmp_path: Path, option: str) -> None:
    assert stepsize("diagnose", log(tmp_path / "log.csv"), option, 0).exit_code == 2


EVIL = "\x1b]0;title\x07\x1b[2J[red]\u202ex[/red]"


def test_what_a_log_says_cannot_steer_the_terminal(stepsize: Call, tmp_path: Path) -> None:
    rows = [f'{{"step": {step}, "lr": 0.1, ' for step in range(50)]
    ratio = json.dumps(f"update_ratio/{EVIL}", ensure_ascii=False)[1:-1]
    noise = json.dumps(EVIL, ensure_ascii=False)[1:-1]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(f'{row}"{ratio}": 1e-9, "{noise}": NaN}}' for row in rows) + "\n")
    result = stepsize("diagnose", path, FORCE_COLOR="1")
    assert result.exit_code == 1
    assert "[red]" in result.stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(result.output)


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_what_scripts_read_cannot_steer_it_either(
    stepsize: Call, tmp_path: Path, option: str
) -> None:
    name = EVIL.replace("/", "") + "\x7f\x9b2J\n"
    path = log(tmp_path / f"{name}.csv", diverged=True)
    result = stepsize("diagnose", path, option)
    assert result.exit_code == 1
    assert all(each.isprintable() or each == "\n" for each in result.stdout)
    if option == "--json":
        assert json.loads(result.stdout)[0]["run"] == name
    else:
        [row] = csv.DictReader(io.StringIO(result.stdout))
        assert row["run"] == name.encode("unicode_escape").decode()


def test_a_path_that_is_shown_cannot_steer_it_either(stepsize: Call, tmp_path: Path) -> None:
    result = stepsize("diagnose", tmp_path / f"{EVIL.replace('/', '')}.csv")
    assert result.exit_code == 2
    assert "\x1b" not in result.output


def test_a_program_in_a_log_is_not_run(stepsize: Call, tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    for name in ("log.csv", "run.wandb", "events.out.tfevents.1", "trainer_state.json"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil()))
        assert stepsize("diagnose", tmp_path / name).exit_code == 2
    assert not (tmp_path / "ran").exists()


def test_what_holds_no_loss_is_not_called_clean(stepsize: Call, tmp_path: Path) -> None:
    rows = [f"{step},{0.1 * (1 - step / 100)},{step % 7}" for step in range(100)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["step,lr,throughput", *rows]) + "\n")
    result = stepsize("diagnose", path)
    assert result.exit_code == 2
    assert "No loss was examined" in result.stdout
    assert "--loss NAME: 'throughput'" in result.stdout
    [record] = json.loads(stepsize("diagnose", path, "--json").stdout)
    assert (record["clean"], record["columns"]["training_loss"]) == (False, [])
    assert record["columns"]["candidates"] == ["throughput"]


def test_one_finding_on_several_runs_of_a_file_is_one_paragraph(
    stepsize: Call, tmp_path: Path
) -> None:
    names = ["a", "b", "c"]
    header = ",".join(["Step", *(f"{name} - train/loss" for name in names)])
    rows = [
        ",".join([f"{step}", *("nan" if name != "c" and step > 60 else f"{3 / (1 + step)}"
                               for name in names)])
        for step in range(100)
    ]  # fmt: skip
    path = tmp_path / "panel.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    result = stepsize("diagnose", path)
    assert result.exit_code == 1
    assert result.stdout.count("diverged (certain), in 2 of 3 runs: 'a' and 'b'") == 1
    assert result.stdout.count("Start again at") + result.stdout.count("Go back to") == 1
    assert "'c': Nothing was found" in result.stdout


def test_a_log_that_grows_is_looked_at_again_until_it_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    whole = log(tmp_path / "whole.csv", diverged=True).read_text().splitlines(keepends=True)
    written = iter([*(whole[:end] for end in (1, 41, 81, 81)), None])

    def more(seconds: float) -> None:
        lines = next(written)
        if lines is None:
            raise KeyboardInterrupt
        path.write_text("".join(lines))

    looked: list[int] = []

    def look() -> None:
        looked.append(len(read_logs(path)[0].metrics["loss"].values))

    follow(str(path), look, more)
    assert looked == [40, 80, 80]
    assert capsys.readouterr().err.count("Waiting: ") == 2


def test_following_tells_a_finding_when_it_appears_and_once(
    stepsize: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log(tmp_path / "log.csv", diverged=True)
    lines = path.read_text().splitlines(keepends=True)
    ends = iter([60, 70, 90])
    path.write_text("".join(lines[:50]))

    def more(seconds: float) -> None:
        end = next(ends, None)
        if end is None:
            raise KeyboardInterrupt
        path.write_text("".join(lines[:end]))

    monkeypatch.setattr("stepsize.cli.diagnose.follow", lambda file, look: follow(file, look, more))
    result = stepsize("diagnose", path, "--follow")
    assert result.exit_code == 1
    assert result.stdout.index("Nothing was found") < result.stdout.index("diverged (certain)")
    assert result.stdout.count("diverged (certain)") == 1


def test_following_shows_one_file_as_text(stepsize: Call, tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv")
    assert stepsize("diagnose", path, "--follow", "--json").exit_code == 2
    assert stepsize("diagnose", path, path, "--follow").exit_code == 2
