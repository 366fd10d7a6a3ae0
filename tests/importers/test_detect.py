"""``from_config``: which tool a document belongs to; and what no document may do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsize import Absolute, InvalidType, InvalidValue, Schedule, StepsizeError
from stepsize.importers import FORMATS, Imported, from_config

KERAS = {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 9}}
DEEPSPEED = {"type": "WarmupLR", "params": {"warmup_max_lr": 0.1, "warmup_num_steps": 9}}
TIMM = {"sched": "cosine", "num_epochs": 9, "updates_per_epoch": 1}
MMENGINE = {"type": "StepLR", "step_size": 3, "by_epoch": False}
MEGATRON = {"lr": 0.1, "lr-decay-style": "linear", "train-iters": 9}
TRANSFORMERS = {"lr_scheduler_type": "linear", "max_steps": 9, "warmup_steps": 3}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (KERAS, "Cosine(9)"),
        (
            {
                "module": "keras.optimizers",
                "class_name": "Adam",
                "config": {"learning_rate": KERAS},
            },
            "Cosine(9)",
        ),
        (DEEPSPEED, "Hold(1, value=0) >> LogWarmup(8).until(9)"),
        ({"scheduler": DEEPSPEED}, "Hold(1, value=0) >> LogWarmup(8).until(9)"),
        (TIMM, "Cosine(9)"),
        (MMENGINE, "Step(3, 0.1)"),
        ([MMENGINE], "Step(3, 0.1)"),
        ({"param_scheduler": [MMENGINE]}, "Step(3, 0.1)"),
        (MEGATRON, "Linear(9)"),
        ({"--lr": 0.1, "--lr-decay-iters": 9}, "Linear(9)"),
        (
            {"optimizer": {"lr": 1}, "scheduler": {"lr_decay_iters": 9, "lr_warmup_iters": 0}},
            "Linear(9)",
        ),
        (TRANSFORMERS, "Warmup(3) >> Linear(6)"),
    ],
)
def test_each_tools_documents_are_recognised(document: Any, text: str) -> None:
    found = from_config(document)
    assert found.schedule.text == text


def test_a_document_of_no_tool_is_refused_with_the_names_of_those_that_are_read() -> None:
    with pytest.raises(InvalidValue) as refused:
        from_config({"warmup": 10, "seed": 1})
    names = [each.name for each in FORMATS]
    assert f"Read are {', '.join(names)}." in str(refused.value)


@pytest.mark.parametrize("document", ["CosineDecay", 3, None, {1: 2}])
def test_what_is_no_mapping_from_names_is_refused(document: Any) -> None:
    with pytest.raises((InvalidType, InvalidValue)):
        from_config(document)


def test_a_given_base_stands_for_the_one_in_the_document() -> None:
    assert from_config(KERAS).base == 0.1
    assert from_config(KERAS, base=0.2).base == 0.2
    floor = from_config({**TIMM, "min_lr": 0.01, "lr": 1.0}, base=0.1)
    assert (floor.base, floor.schedule(9)) == (0.1, pytest.approx(0.1))


def test_a_base_that_is_no_rate_is_refused() -> None:
    with pytest.raises(InvalidValue, match="base must be"):
        from_config(KERAS, base=-1)


def test_rates_stay_rates_whatever_base_is_given() -> None:
    config = {"boundaries": [3], "values": [0.1, 0.01]}
    found = from_config({"class_name": "PiecewiseConstantDecay", "config": config}, base=3)
    assert isinstance(found.schedule, Absolute)
    assert found.base is None


class TestTrainingArguments:
    def test_the_length_follows_from_the_epochs(self) -> None:
        document = {"lr_scheduler_type": "linear", "num_train_epochs": 2.5, "learning_rate": 1e-4}
        found = from_config(document, steps_per_epoch=101)
        assert found.schedule.text == "Linear(253)"  # as the Trainer: rounded up
        assert found.base == 1e-4

    def test_without_steps_per_epoch_the_missing_number_is_named(self) -> None:
        with pytest.raises(InvalidValue, match="steps_per_epoch"):
            from_config({"lr_scheduler_type": "linear", "num_train_epochs": 3})

    @pytest.mark.parametrize("share", [{"warmup_ratio": 0.101}, {"warmup_steps": 0.101}])
    def test_a_warmup_ratio_is_rounded_up_as_the_trainer_does(self, share: Any) -> None:
        found = from_config({"lr_scheduler_type": "linear", "max_steps": 100, **share})
        assert found.schedule.text == "Warmup(11) >> Linear(89)"

    def test_steps_of_warmup_come_before_a_ratio(self) -> None:
        document = {**TRANSFORMERS, "warmup_ratio": 0.9}
        assert from_config(document).schedule.text == "Warmup(3) >> Linear(6)"

    def test_the_schedulers_own_settings_are_passed_on(self) -> None:
        document = {
            "lr_scheduler_type": "cosine_with_min_lr",
            "max_steps": 100,
            "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
        }
        assert from_config(document).schedule.text == "Cosine(100, end=0.1)"

    def test_what_is_about_other_things_is_named_and_not_read(self) -> None:
        found = from_config({**TRANSFORMERS, "bf16": True, "seed": 1, "report_to": None})
        assert "Not read: 'bf16', 'seed'." in found.notes


NAMES = sorted(
    {
        *KERAS,
        *KERAS["config"],
        *DEEPSPEED["params"],
        *TIMM,
        *MMENGINE,
        *MEGATRON,
        *TRANSFORMERS,
        "cycle_limit",
        "cycle_mul",
        "warmup_epochs",
        "end",
        "begin",
        "eta_min",
        "learning_rate",
        "lr_scheduler_kwargs",
        "min_lr",
        "optimizer",
        "params",
        "param_scheduler",
        "periods",
        "scheduler",
        "values",
    }
)
WORDS = [
    *("cosine", "linear", "poly", "wsd", "tanh", "CosineDecay", "PiecewiseConstantDecay"),
    *("CosineDecayRestarts", "PolynomialDecay", "StepLR", "CosineAnnealingLR", "OneCycleLR"),
    *("CosineRestartLR", "WarmupCosineLR", "OneCycle", "LRRangeTest", "WSD", "auto", "1e-4", ""),
]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 10**20)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=8)
    ),
    max_leaves=20,
)


def mutated(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    inner = next((key for key in ("config", "params") if key in document), None)
    if inner is None:
        return document | changes
    return document | {inner: document[inner] | changes}


def assert_answered(document: Any) -> None:
    refusal = ""
    try:
        found = from_config(document, steps_per_epoch=10)
    except StepsizeError as error:
        refusal = str(error)
    else:
        assert isinstance(found, Imported)
        assert isinstance(found.schedule, Schedule | Absolute)
    assert len(refusal) < 2_000


@given(DOCUMENTS)
def test_any_document_is_read_or_refused_in_one_short_message(document: Any) -> None:
    assert_answered(document)


@given(
    st.sampled_from([KERAS, DEEPSPEED, TIMM, MMENGINE, MEGATRON, TRANSFORMERS]),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
)
def test_any_change_of_a_document_is_read_or_refused(
    document: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert_answered(mutated(document, changes))
