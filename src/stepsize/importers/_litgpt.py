"""Schedules of LitGPT, by the ``train`` section of its YAML: a warmup, then a cosine."""

from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts, as_multiple
from stepsize.importers._section import FLOOR, LENGTH, POSITIVE, Section
from stepsize.schedules import Cosine, Warmup

__all__ = ["LITGPT"]


def _recognises(document: Section) -> bool:
    return document.holds("train.lr_warmup_steps") or (
        document.holds("train.micro_batch_size") and document.holds("optimizer.class_path")
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    train, optimizer = document.section("train"), document.section("optimizer")
    base = facts.required_rate(optimizer.section("init_args"), "lr")
    optimizer.ignore("class_path")
    optimizer.section("init_args").ignore("weight_decay", "betas", "fused")
    warmup = train.count("lr_warmup_steps", 100, LENGTH)
    floor = as_multiple(train.number("min_lr", 0.0, FLOOR), base)
    notes: tuple[str, ...] = ()
    if floor and not _is_pretraining(document):
        notes = ("LitGPT's finetuning ignores train.min_lr: its cosine falls to 0.",)
        floor = 0
    epochs = train.number("epochs", None)
    steps = _steps(train)
    if epochs is not None and steps is not None and facts.steps_per_epoch is not None:
        steps = min(steps, epochs * facts.steps_per_epoch)
    total = facts.length(train, steps, epochs, ("max_steps", "epochs"))
    train.ignore("save_interval", "log_interval", "global_batch_size", "micro_batch_size")
    train.ignore("max_seq_length", "max_norm", "tie_embeddings", "max_time")
    schedule = Warmup(warmup) >> Cosine(max(0, total - warmup), end=floor)
    return Imported(schedule, base, notes=(*notes, *document.rest()))


def _is_pretraining(document: Section) -> bool:
    return document.has("model_name") or document.holds("train.max_tokens")


def _steps(train: Section) -> float | None:
    """The run's length, in steps or from its tokens."""
    steps = train.number("max_steps", None, POSITIVE)
    tokens = train.number("max_tokens", None, POSITIVE)
    batch = train.number("global_batch_size", None, POSITIVE)
    length = train.number("max_seq_length", None, POSITIVE)
    if steps is None and tokens is not None and batch is not None and length is not None:
        return tokens / (batch * length)
    return steps


LITGPT = Format(
    "LitGPT",
    "litgpt/pretrain.py and litgpt/finetune/, LitGPT 0.5",
    ("train.lr_warmup_steps", "train.micro_batch_size", "optimizer.init_args.lr", "precision"),
    _recognises,
    _read,
)
