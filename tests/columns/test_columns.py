"""Which column is what: the names that loggers and loops give."""

import numpy as np
import pytest

from stepsize.columns import (
    counter_column,
    loss_columns,
    name_words,
    rate_columns,
    schedule_column,
    unit_of,
)

Curve = tuple[np.ndarray, np.ndarray]


def curve(points: int = 50, last: float = 1.0) -> Curve:
    return np.arange(float(points)), np.linspace(3, last, points)


def curves(*names: str) -> dict[str, Curve]:
    return {name: curve() for name in names}


# By tool: training loss, validation loss, rate; None where it logs none.
NAMES = [
    ("loss", "eval_loss", "learning_rate"),
    ("train_loss_step", "val_loss", "lr-AdamW/pg1"),
    ("train/loss_epoch", "val_loss", "lr-AdamW"),
    ("train/epoch_loss", "validation/epoch_loss", "train/epoch_learning_rate"),
    ("loss/train/total", "metrics/eval/LanguageCrossEntropy", "lr-DecoupledAdamW/group0"),
    ("loss_metrics/global_avg_loss", None, "lr"),
    ("lm loss", "lm loss validation", "learning-rate"),
    ("train/lm_loss", "validation/lm_loss", "train/learning_rate"),
    ("train/CrossEntropyLoss", "eval/c4/CrossEntropyLoss", "optim/learning_rate_group0"),
    ("train/loss", "val/bpb", "train/lrm"),
    ("train_loss", "valid_loss", "train_lr"),
    ("main/loss", "validation/main/loss", None),
    ("total_loss", "validation_loss", "lr"),
    ("Train/Samples/train_loss", None, "Train/Samples/lr"),
    ("loss/current", None, "lr/unet"),
    ("train_loss", "test_loss", "train_lr"),
    ("Loss/total_loss", None, "learning_rate"),
    ("Train Loss", "Val Loss", "Learning Rate"),
    ("training_loss", "avg_val_loss", "current_lr"),
    ("avg_train_loss", "loss/valid", "last_lr"),
    ("loss_train", "loss_val", "LR"),
    ("Loss/train", "Loss/test", "opt/lr"),
    ("train_nll", "dev_nll", None),
    ("cross_entropy", None, None),
    ("train_cost", "valid_cost", None),
    ("trainLoss", "valLoss", "learningRate"),
    ("训练损失", "验证损失", "学习率"),
]


@pytest.mark.parametrize(("training", "validation", "rate"), NAMES)
def test_the_names_of_the_usual_tools_are_known(
    training: str, validation: str | None, rate: str | None
) -> None:
    named = curves(*(name for name in (training, validation, rate, "accuracy", "time") if name))
    rates = rate_columns(named)
    assert list(rates.names) == ([rate] if rate else [])
    losses = loss_columns({name: named[name] for name in named if name not in rates.names})
    assert losses.training == (training,)
    assert losses.validation == ((validation,) if validation else ())


@pytest.mark.parametrize(
    "name",
    [
        *("loss_scale", "best_val_loss", "train/loss__MIN", "loss_weight", "loss_fn", "loss_time"),
        *("accuracy", "grad_norm", "lm loss vs samples", "val/perplexity_delta", "train_loss_std"),
    ],
)
def test_what_tells_something_about_a_loss_is_not_the_loss(name: str) -> None:
    assert loss_columns(curves(name)).training == ()


def test_of_several_losses_the_one_with_the_most_points_counts_and_averages_come_last() -> None:
    named = {"train_loss": curve(1), "loss": curve(50)}
    assert loss_columns(named).training == ("loss",)
    assert loss_columns(curves("loss/average", "loss/current")).training == ("loss/current",)
    assert loss_columns(curves("loss_cls", "total_loss", "loss_box")).training == ("total_loss",)


def test_parts_are_summed_only_where_all_are_known_parts_and_there_is_no_whole() -> None:
    parts = ("train/box_loss", "train/cls_loss", "train/dfl_loss")
    assert loss_columns(curves(*parts)).training == parts
    assert loss_columns(curves(*parts, "train/loss")).training == ("train/loss",)
    unknown = loss_columns(curves("loss_sgd", "loss_adam"))
    assert (unknown.training, unknown.candidates) == ((), ("loss_sgd", "loss_adam"))


def test_the_loss_at_evaluations_is_told_from_that_of_the_batches() -> None:
    named = {"loss": curve(50), "train/loss": curve(5), "val/loss": curve(5)}
    found = loss_columns(named)
    assert (found.training, found.evaluated) == (("loss",), "train/loss")


@pytest.mark.parametrize(
    "names",
    [
        ("loss", "reward", "kl"),
        ("train/loss", "rollout/ep_rew_mean"),
        ("loss/policy_avg", "objective/rlhf_reward"),
        ("policy_loss", "value_loss"),
        ("g_loss", "d_loss"),
    ],
)
def test_losses_of_a_policy_or_of_rivals_are_no_progress(names: tuple[str, ...]) -> None:
    found = loss_columns(curves(*names))
    assert found.training == ()
    assert names[0] in found.without_progress


def test_rewards_of_preferences_leave_the_loss_what_it_is() -> None:
    names = ("loss", "rewards/chosen", "rewards/rejected", "rewards/margins")
    assert loss_columns(curves(*names)).training == ("loss",)
    assert loss_columns(curves("loss_3d")).without_progress == ()


@pytest.mark.parametrize(
    "name",
    ["lr_decay_iters", "lr_patience", "lr-AdamW/pg1-momentum", "warmup_lr_steps", "lr_scheduler"],
)
def test_settings_of_a_rate_are_not_rates(name: str) -> None:
    assert rate_columns(curves(name)).names == {}


def test_a_rate_that_never_changes_beside_one_that_does_is_a_setting() -> None:
    constant = np.arange(50.0), np.full(50, 3e-4)
    found = rate_columns({"lr": curve(), "learning_rate": constant, "base_lr": constant})
    assert (found.names, found.settings) == ({"lr": "lr"}, ("learning_rate", "base_lr"))
    assert rate_columns({"learning_rate": constant}).names == {"learning_rate": "lr"}


def test_the_schedule_is_the_highest_rate_unless_that_only_comes_down_from_above() -> None:
    at = np.arange(100.0)
    rising = np.minimum(at / 10, 1 - at / 100)
    falling = np.where(at < 10, 10 - at, rising)
    assert schedule_column({"lr/0": (at, falling), "lr/1": (at, rising)}) == "lr/1"
    assert schedule_column({"lr/0": (at, 10 * rising), "lr/1": (at, rising)}) == "lr/0"
    assert schedule_column({}) is None


@pytest.mark.parametrize(
    ("names", "counter", "unit"),
    [
        (["epoch", "step"], "step", "step"),
        (["_step", "trainer/global_step"], "trainer/global_step", "step"),
        (["train_num_updates"], "train_num_updates", "step"),
        (["Epoch", "loss"], "Epoch", "epoch"),
        (["time/total_timesteps"], "time/total_timesteps", "environment step"),
        (["consumed_samples"], "consumed_samples", "sample"),
        (["tokens_seen"], "tokens_seen", "token"),
        (["轮次"], "轮次", "epoch"),
        (["loss", "time"], None, "row"),
    ],
)
def test_a_counter_has_its_unit(names: list[str], counter: str | None, unit: str) -> None:
    assert counter_column(names) == counter
    assert unit_of(counter) == unit


@pytest.mark.parametrize("name", ["", "___", "损", "😀", "a" * 10_000, "\x1b[2J", "1/2"])
def test_any_text_has_words(name: str) -> None:
    assert all(word == word.lower() for word in name_words(name))
