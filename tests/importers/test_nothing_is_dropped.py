"""No key about the rate is dropped in silence, whatever the format; nothing negative is read."""

from collections.abc import Iterator
from typing import Any

import pytest

from stepsize import InvalidValue, StepsizeError
from stepsize.importers import from_config
from tests.importers.test_published_formulas import CASES, IDS, Case

# -1 leaves these lengths to other settings, a power may have any sign, and others are not read.
NEGATIVE_BY_CUSTOM = {
    *("max_steps", "num_iterations", "total_training_steps", "lr_period_updates", "power"),
    *("warmup_init_lr", "lr_warmup_steps", "max_train_steps"),
    *("micro_batch_size", "max_epochs", "iters", "max_iters"),
}
each_case = pytest.mark.parametrize("case", CASES, ids=IDS)


def with_changes(document: Any, change: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The document with one mapping or number changed, for each of them."""
    if isinstance(document, dict):
        changed = change(path, document)
        if changed is not None:
            yield path, changed
        for key, value in document.items():
            for where, inside in with_changes(value, change, f"{path}.{key}"):
                yield where, {**document, key: inside}
    elif isinstance(document, int | float) and not isinstance(document, bool):
        changed = change(path, document)
        if changed is not None:
            yield path, changed


def said_first(document: Any, case: Case) -> list[str]:
    """What a refusal says, or the notes that name keys about the rate."""
    try:
        found = from_config(document, **case.known)
    except StepsizeError as error:
        return [str(error)]
    first = "Not read, and possibly about the rate:"
    return [note for note in found.notes if note.startswith(first)]


@each_case
@pytest.mark.parametrize("key", ["lr_warmup_x", "cooldown_x", "annealing", "lr_sched", "min_lr_x"])
def test_a_key_about_the_rate_that_is_not_known_is_refused_or_named_first(
    case: Case, key: str
) -> None:
    def add(path: str, value: Any) -> Any:
        return {**value, key: 0.5} if isinstance(value, dict) else None

    for path, document in with_changes(case.document, add):
        assert any(key in each for each in said_first(document, case)), path


@each_case
def test_a_negative_rate_length_or_floor_is_refused(case: Case) -> None:
    def negate(path: str, value: Any) -> Any:
        return -value if isinstance(value, int | float) and value > 0 else None

    for path, document in with_changes(case.document, negate):
        if path.rpartition(".")[2] in NEGATIVE_BY_CUSTOM:
            continue
        with pytest.raises(StepsizeError):
            from_config(document, **case.known)


@each_case
def test_a_key_without_the_rate_in_its_name_changes_nothing_and_is_named(case: Case) -> None:
    found = from_config({**case.document, "seed_of_the_run": 17}, **case.known)
    assert found.schedule == from_config(case.document, **case.known).schedule
    assert "seed_of_the_run" in " ".join(found.notes)


def test_keys_about_the_rate_are_found_in_sections_that_are_not_read() -> None:
    arguments = {"lr_scheduler_type": "linear", "max_steps": 10, "model": {"head": {"lr_mult": 10}}}
    found = from_config(arguments)
    assert found.notes == ("Not read, and possibly about the rate: 'model.head.lr_mult'.",)


# ------------------------------------------------------------------ what is not read at all


@pytest.mark.parametrize(
    "document",
    [
        {"zero_optimization": {"stage": 2}, "train_batch_size": 16, "fp16": {"enabled": True}},
        {"zero_optimization": {"stage": 3}, "optimizer": {"type": "Adam", "params": {"lr": 1e-5}}},
        {"model_type": "llama", "hidden_size": 4096},
        {},
    ],
)
def test_a_file_that_holds_no_schedule_is_said_to_hold_none(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="holds no schedule"):
        from_config(document)


def test_a_relative_is_refused_with_the_nearest_format_named() -> None:
    relative = {
        "base_model": "m",
        "num_epochs": 3,
        "learning_rate": 1e-4,
        "adapter": "lora",
        "lr_warmup": "short",
    }
    with pytest.raises(InvalidValue, match="The nearest is axolotl: base_model"):
        from_config(relative)


def test_a_length_that_nobody_says_is_asked_for() -> None:
    document = {"base_model": "m", "micro_batch_size": 2, "learning_rate": 0.1, "num_epochs": 3}
    with pytest.raises(InvalidValue, match=r"Give steps_per_epoch \(num_epochs is 3\), or steps"):
        from_config(document)
    assert from_config(document, steps=1_000).schedule.length == 1_000
    assert from_config(document, steps_per_epoch=100).schedule.length == 300
