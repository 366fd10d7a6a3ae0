"""``read_configuration``: each kind of file is only parsed, bounded, and never run."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import InvalidValue, StepsizeError
from stepsize.errors import TextError
from stepsize.importers import read_configuration

TITAN = """
[training]
steps = 100
[optimizer]
lr = 8e-4
[lr_scheduler]
warmup_steps = 10
"""
MMENGINE = """
import os
_base_ = ["../runtime.py"]
max_epochs = 12
base_lr = 0.02 / 8
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", by_epoch=True, end=max_epochs, milestones=[8, max_epochs - 1]),
]
optim_wrapper = dict(optimizer=dict(type="SGD", lr=base_lr, momentum=0.9))
open("ran", "w").close()
"""
SCRIPT = """
import torch
from dataclasses import dataclass

@dataclass
class Hyperparameters:
    num_iterations: int = 100
    cooldown_frac: float = 0.4
    device = torch.device("cuda")

args = Hyperparameters()

def get_lr(step):
    raise SystemExit
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_toml_is_read(tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path, "job.toml", TITAN))
    assert (found.schedule.text, found.base) == (
        "Warmup(10).skip(1) >> Hold(1) >> Linear(90)",
        8e-4,
    )


def test_a_python_file_is_read_from_its_literals_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = read_configuration(written(tmp_path, "config.py", MMENGINE), steps_per_epoch=1_000)
    assert found.base == 0.0025
    assert "MultiStep({8: 0.1, 11: 0.1})" in found.schedule.text
    assert any("'_base_'" in note for note in found.notes)
    assert not (tmp_path / "ran").exists()


def test_the_attributes_of_a_scripts_settings_are_read(tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path, "train_gpt.py", SCRIPT))
    assert found.schedule.text == "Hold(60) >> Linear(40, end=0.1)"


def test_a_number_that_a_python_file_computes_is_named(tmp_path: Path) -> None:
    text = "learning_rate = 1e-3\nmax_iters = 100\nlr_decay_iters = max_iters * gpus()\n"
    with pytest.raises(InvalidValue, match=r"lr_decay_iters must be written out, .*gpus\(\)"):
        read_configuration(written(tmp_path, "config.py", text))


@pytest.mark.parametrize("branch", ["if fast:\n    {}", "for _ in range(2):\n    {}"])
def test_what_a_branch_assigns_is_not_known(tmp_path: Path, branch: str) -> None:
    text = "learning_rate = 1e-3\nlr_decay_iters = 100\n" + branch.format("lr_decay_iters = 50")
    with pytest.raises(InvalidValue, match="must be written out"):
        read_configuration(written(tmp_path, "config.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "1 + " * 40_000 + "1",
        "x = a" + ".a" * 60_000,
        "x = " + "not " * 40_000 + "1",
        "x = 9 ** 9 ** 9 ** 9",
        "x = [0] * 10 ** 12",
        "x = 'a' * 10 ** 12",
        "def f(:",
        "\x00",
    ],
    ids=range(10),
)
def test_a_python_file_that_would_hang_or_overflow_is_answered(tmp_path: Path, text: str) -> None:
    with pytest.raises(StepsizeError) as refused:
        read_configuration(written(tmp_path, "config.py", text))
    assert len(str(refused.value)) <= 600


def test_a_tag_of_the_files_own_names_its_mapping(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    text = (
        "epoch: 10\nLearningRate:\n  base_lr: 0.01\n  schedulers:\n"
        "  - !CosineDecay\n    max_epochs: 10\n  - !LinearWarmup\n    steps: 20\n"
        "    start_factor: 0.\n"
    )
    found = read_configuration(written(tmp_path, "ppdet.yml", text), steps_per_epoch=10)
    assert found.schedule.text == "Linear(20, start=0, end=1) >> Cosine(80)"


def test_what_wandb_puts_around_each_value_is_taken_off(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    text = (
        "wandb_version: 1\n_wandb:\n  desc: null\n  value: {cli_version: 0.16.0}\n"
        "lr_scheduler_type:\n  desc: null\n  value: linear\n"
        "max_steps:\n  desc: null\n  value: 100\nlearning_rate:\n  value: 3e-5\n"
    )
    found = read_configuration(written(tmp_path, "config.yaml", text))
    assert (found.schedule.text, found.base) == ("Linear(100)", 3e-5)


def test_merged_mappings_and_anchors_are_read(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    text = (
        "common: &common {learning_rate: 1e-3, warmup_steps: 10}\n"
        "<<: *common\nlr_scheduler_type: linear\nmax_steps: 100\nwarmup_steps: 20\n"
    )
    found = read_configuration(written(tmp_path, "args.yaml", text))
    assert (found.schedule.text, found.base) == ("Warmup(20) >> Linear(80)", 1e-3)


def test_a_cosine_over_the_whole_run_is_read_as_one_fall(tmp_path: Path) -> None:
    kind = "torch.optim.lr_scheduler.CosineAnnealingLR"
    document = {
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
        "lr_scheduler": {"class_path": kind, "init_args": {"T_max": 10}},
        "trainer": {"max_epochs": 10},
    }
    path = written(tmp_path, "light.json", json.dumps(document))
    found = read_configuration(path, steps_per_epoch=7)
    assert found.schedule.text == "Cosine(10).per_epoch(7).staircase(7)"


AUTO = {
    "scheduler": {
        "type": "WarmupDecayLR",
        "params": {
            "warmup_min_lr": "auto",
            "warmup_max_lr": "auto",
            "warmup_num_steps": "auto",
            "total_num_steps": "auto",
        },
    },
    "zero_optimization": {"stage": 2},
}


def test_auto_is_filled_in_from_the_training_arguments_beside_it(tmp_path: Path) -> None:
    arguments = {"learning_rate": 2e-5, "lr_scheduler_type": "linear", "max_steps": 200}
    written(tmp_path, "training_args.json", json.dumps(arguments | {"warmup_ratio": 0.1}))
    found = read_configuration(written(tmp_path, "ds_config.json", json.dumps(AUTO)))
    assert found.base == 2e-5
    assert found.schedule.text == "Hold(1, value=0) >> LogWarmup(19).until(20) >> Linear(180)"
    assert any("training_args.json" in note for note in found.notes)


def test_auto_that_nothing_fills_in_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="'auto', which the Trainer fills in"):
        read_configuration(written(tmp_path, "ds_config.json", json.dumps(AUTO)))


def test_an_error_begins_with_the_path_and_not_with_a_dump(tmp_path: Path) -> None:
    path = written(tmp_path, "args.json", json.dumps({"lr_scheduler_type": "linear", "x": "y" * 9}))
    with pytest.raises(InvalidValue) as refused:
        read_configuration(path)
    assert str(refused.value).startswith(f"{path}: ")


@given(st.text(max_size=200), st.sampled_from(["a.json", "a.yaml", "a.toml", "a.py"]))
def test_any_text_is_read_or_refused_in_one_short_message(text: str, name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises(StepsizeError) as refused:
            read_configuration(path)
    assert len(str(refused.value)) <= 600
    assert refused.type is not RecursionError


def test_yaml_that_calls_python_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    with pytest.raises(TextError, match="asks for Python objects"):
        read_configuration(written(tmp_path, "a.yaml", "!!python/object/apply:os.getcwd []"))
    solver = "SOLVER: {BASE_LR: 0.1, MAX_ITER: !!python/object/apply:eval ['100']}"
    with pytest.raises(InvalidValue, match=r"MAX_ITER must be written out, .*apply:eval"):
        read_configuration(written(tmp_path, "b.yaml", solver))


def test_references_inside_a_file_are_followed_and_computed_ones_named(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    text = (
        "variables: {length: 100ba, warm: 10ba}\nmax_duration: ${variables.length}\n"
        "optimizer: {lr: 0.1}\nscheduler: {name: linear_decay_with_warmup, "
        "t_warmup: '${variables.warm}'}\n"
    )
    found = read_configuration(written(tmp_path, "mpt.yaml", text))
    assert found.schedule.text == "Warmup(10) >> Linear(90)"
    computed = text.replace("lr: 0.1", "lr: '${oc.env:RATE}'")
    with pytest.raises(InvalidValue, match=r"optimizer.lr must be written out, .*oc.env:RATE"):
        read_configuration(written(tmp_path, "env.yaml", computed))
