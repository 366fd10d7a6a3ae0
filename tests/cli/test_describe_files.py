"""``stepsize describe FILE.json|FILE.yaml``: other tools' configurations, from untrusted files."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]

SCHEDULER = {
    "type": "WarmupDecayLR",
    "params": {
        "warmup_max_lr": 0.01,
        "warmup_num_steps": 10,
        "total_num_steps": 100,
        "warmup_type": "linear",
    },
}
# Each list repeats the one before ten times.
NESTED = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
BY_EPOCH = {"type": "CosineAnnealingLR", "end": 5}


def written(folder: Path, content: Any, name: str = "config.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def refusal(result: Result) -> str:
    assert result.exit_code == 2, result.stdout
    assert result.stdout == ""
    return " ".join(result.stderr.split())


def test_a_configuration_is_described_in_rates_with_its_notes(
    stepsize: Call, tmp_path: Path
) -> None:
    path = written(tmp_path, {"scheduler": SCHEDULER, "train_batch_size": 8})
    result = stepsize("describe", path)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        f"{path}: Hold(1, value=0) >> Warmup(10) >> Linear(90)",
        "The values are rates.",
        "The base rate is 0.01.",
        "Note: Not read: 'train_batch_size'.",
    ]
    assert "Peak     0.01 at step 11" in lines


def test_the_json_has_the_base_the_momentum_and_the_notes(stepsize: Call, tmp_path: Path) -> None:
    params = {"cycle_min_lr": 0.01, "cycle_max_lr": 0.1, "cycle_first_step_size": 10}
    path = written(tmp_path, {"type": "OneCycle", "params": params})
    [record] = json.loads(stepsize("describe", path, "--steps", 30, "--json").stdout)
    assert record["base"] == 0.1
    assert record["peak"] == 0.1
    assert record["momentum"].startswith("Absolute(Hold(1, value=0.8)")
    assert len(record["notes"]) == 1


def test_files_and_texts_are_described_in_their_order(stepsize: Call, tmp_path: Path) -> None:
    path = written(tmp_path, SCHEDULER)
    result = stepsize("describe", "Linear(3)", path, "Linear(3)", "Linear(3)", "--csv")
    names = [line.split(",")[0] for line in result.stdout.splitlines()]
    assert names == ["name", "Linear(3)", str(path), "Linear(3) (2)", "Linear(3) (3)"]


def test_a_base_on_the_command_line_stands_for_the_files(stepsize: Call, tmp_path: Path) -> None:
    path = written(tmp_path, SCHEDULER)
    [record] = json.loads(stepsize("describe", path, "--base", 0.5, "--json").stdout)
    assert record["peak"] == 0.5


def test_epochs_are_counted_with_the_option(stepsize: Call, tmp_path: Path) -> None:
    path = written(tmp_path, BY_EPOCH)
    assert "Give --steps-per-epoch" in refusal(stepsize("describe", path))
    result = stepsize("describe", path, "--steps-per-epoch", 20)
    assert "Length   80 steps" in result.stdout


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_yaml_is_read_with_its_numbers_that_look_like_text(
    stepsize: Call, tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("yaml")
    text = "sched: cosine\nepochs: 10\nwarmup_epochs: 0\nlr: 1e-3\nmin_lr: 1e-5\nmodel: vit\n"
    path = written(tmp_path, text, f"args{suffix}")
    result = stepsize("describe", path, "--steps-per-epoch", 1)
    assert result.exit_code == 0, result.stderr
    assert "Cosine(10, end=0.01)" in result.stdout


def test_without_pyyaml_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["yaml"] = None
from stepsize.cli.program import main
sys.argv = ["stepsize", "describe", "args.yaml"]
main()
"""
    written(tmp_path, "sched: cosine", "args.yaml")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "needs the package 'yaml'" in done.stderr
    assert "pip install 'stepsize[yaml]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be JSON"),
        ("", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ("9" * 5_000, "must be JSON"),
        ("3", "must be a mapping or a list of them, but is a int"),
        ("{}", "holds no schedule"),
        ('{"a": "' + "x" * 2_000_000 + '"}', "at most 2,000,000 bytes"),
        ('{"type": "LambdaLR", "lr_lambda": "lambda t: 1"}', "but is 'LambdaLR'"),
        ('{"sched": "plateau", "num_epochs": 9}', "which reacts to a metric"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_message(
    stepsize: Call, tmp_path: Path, content: str, message: str
) -> None:
    result = stepsize("describe", written(tmp_path, content), "--steps-per-epoch", 2)
    assert message in refusal(result)
    assert len(result.stderr) < 2_000


def test_a_file_that_is_not_there_is_named(stepsize: Call, tmp_path: Path) -> None:
    result = stepsize("describe", tmp_path / "absent.json")
    assert "absent.json: No such file or directory." in refusal(result)


def test_a_file_that_is_no_text_is_refused(stepsize: Call, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert "must be JSON" in refusal(stepsize("describe", path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "must be YAML"),
        ("!!python/object/apply:os.system ['true']", "must be YAML"),
        ("a0: &a0 [1, 2]\n" + NESTED, "at most 200,000 values"),
        ("[" * 60_000, "at most 64 levels deep"),
        ("- " * 60_000, "at most 64 levels deep"),
        ("&a {type: StepLR, step_size: 3, milestones: *a}", "at most 200,000 values"),
        ("&a [*a]", "at most 200,000 values"),
        ("sched: 2024-01-01", "sched must be one of"),
    ],
)
def test_yaml_that_is_no_plain_data_is_refused(
    stepsize: Call, tmp_path: Path, text: str, message: str
) -> None:
    pytest.importorskip("yaml")
    result = stepsize("describe", written(tmp_path, text, "a.yaml"), "--steps-per-epoch", 2)
    assert message in refusal(result)


ARGUMENTS = {"lr_scheduler_type": "linear", "max_steps": 100, "learning_rate": 0.01, "lr_foo": 1}


def test_plot_compare_and_check_read_what_describe_reads(stepsize: Call, tmp_path: Path) -> None:
    path = written(tmp_path, ARGUMENTS)
    [curve] = json.loads(stepsize("plot", path, "--json").stdout)["curves"]
    assert curve["schedule"] == "Linear(100)"
    assert curve["values"][0] == 0.01
    assert "Linear(100)" in stepsize("compare", path, "Cosine(100)", "--csv").stdout
    checked = stepsize("check", path, "--steps", 100, "--optimizer", "adamw")
    assert "no_warmup" in checked.stdout


@pytest.mark.parametrize("command", [["plot", "--csv"], ["check", "--steps", "100"]])
def test_what_may_concern_the_rate_and_was_not_read_is_said_beside_every_answer(
    stepsize: Call, tmp_path: Path, command: list[str]
) -> None:
    path = written(tmp_path, ARGUMENTS)
    result = stepsize(command[0], path, *command[1:])
    assert "Not read, and possibly about the rate: 'lr_foo'." in result.stderr


def test_another_tools_call_is_written_where_it_has_one(stepsize: Call, tmp_path: Path) -> None:
    path = written(tmp_path, ARGUMENTS)
    result = stepsize("describe", path, "--to", "keras")
    assert result.stdout.strip() == "PolynomialDecay(0.01, 100, 0.0)"
    refused = stepsize("describe", "wsd(100, 10, 20)", "--to", "keras")
    assert "keras must have a call" in refusal(refused)
