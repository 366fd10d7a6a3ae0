"""Schedules of verl, by its YAML: the actor's ``optim`` section, or that of its SFT trainer."""

from typing import Final

from stepsize.errors import InvalidValue
from stepsize.importers._format import Format
from stepsize.importers._imported import Imported
from stepsize.importers._run_facts import RunFacts
from stepsize.importers._section import NUMBER, PART, Section
from stepsize.schedules import Constant, Cosine, Schedule, Warmup

__all__ = ["VERL"]

_DECAYS: Final = ("linear", "cosine", "inverse_square_root")
_ACTOR: Final = "actor_rollout_ref.actor.optim"


def _recognises(document: Section) -> bool:
    if document.holds(_ACTOR):
        return True
    return document.holds("optim.warmup_steps_ratio") or document.holds(
        "optim.lr_warmup_steps_ratio"
    )


def _read(document: Section, facts: RunFacts) -> Imported:
    is_actor = document.holds(_ACTOR)
    optim = document.section(_ACTOR if is_actor else "optim")
    base = facts.required_rate(optim, "lr")
    if optim.choice("lr_decay_style", "constant", ("constant", *_DECAYS)) != "constant":
        raise InvalidValue(
            document.call,
            "verl's schedule must be that of its FSDP workers",
            "lr_decay_style asks for Megatron's",
            "Give these numbers as Megatron's arguments, or write the schedule as an expression.",
        )
    style = _style(optim, "constant" if is_actor else "cosine")
    trainer = document.section("trainer")
    steps = optim.number("total_training_steps", None, NUMBER)
    if steps is None or steps <= 0:
        steps = trainer.number("total_training_steps", None, NUMBER)
    total = facts.length(
        trainer,
        steps,
        trainer.number("total_epochs", None),
        ("total_training_steps", "total_epochs"),
    )
    warmup = _warmup(optim, total)
    optim.ignore("weight_decay", "betas", "clip_grad", "optimizer", "optimizer_impl")
    if style == "constant":
        schedule: Schedule = Warmup(warmup) >> Constant() if warmup else Constant()
        optim.ignore("min_lr_ratio", "num_cycles")
    else:
        schedule = _cosine(optim, total, warmup)
    notes: tuple[str, ...] = ()
    if document.holds("critic.optim"):
        notes = ("The critic has a schedule of its own, critic.optim, which is not read.",)
        document.section("critic").ignore("optim")
    return Imported(schedule, base, notes=(*notes, *document.rest()))


def _style(optim: Section, default: str) -> str:
    for key in ("lr_scheduler_type", "lr_scheduler", "warmup_style"):
        if optim.has(key):
            optim.ignore("lr_scheduler_type", "lr_scheduler", "warmup_style")
            return optim.choice(key, default, ("constant", "cosine"))
    return default


def _warmup(optim: Section, total: int) -> int:
    steps = optim.number("lr_warmup_steps", None, NUMBER)
    share = optim.number("lr_warmup_steps_ratio", None, PART)
    share = optim.number("warmup_steps_ratio", 0.0, PART) if share is None else share
    return int(share * total) if steps is None or steps < 0 else round(steps)


def _cosine(optim: Section, total: int, warmup: int) -> Schedule:
    floor = optim.number("min_lr_ratio", 0.0, PART)
    cycles = optim.number("num_cycles", 0.5)
    rest = max(0, total - warmup)
    rise = Warmup(warmup)
    if not rest:
        return rise >> Constant(floor)
    if cycles == 0.5:
        return rise >> Cosine(rest, end=floor)
    half = rest / (2 * cycles)
    wave = Cosine(half, end=floor) >> Cosine(half, start=floor, end=1)
    return rise >> wave.repeat().until(rest)


VERL = Format(
    "verl",
    "verl/utils/torch_functional.py, verl 0.5",
    (_ACTOR, "critic.optim", "trainer.total_epochs", "algorithm.adv_estimator", "data.train_files"),
    _recognises,
    _read,
)
