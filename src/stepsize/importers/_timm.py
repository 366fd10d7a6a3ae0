"""Schedules of timm, by the keywords of its factory or the arguments of its training script."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from stepsize.checks import Number, Range, checked_number, checked_whole_number
from stepsize.errors import InvalidValue
from stepsize.importers._epochs import held_through_epochs
from stepsize.importers._imported import Imported
from stepsize.importers._section import (
    COUNT,
    FLOOR,
    LENGTH,
    POSITIVE,
    RATE,
    Section,
    call_text,
    multiple,
)
from stepsize.schedules import (
    Constant,
    Cosine,
    Exponential,
    Hold,
    InverseSqrt,
    Linear,
    MultiStep,
    Polynomial,
    Power,
    Schedule,
    Step,
    Tanh,
)
from stepsize.schedules.fields import FACTOR

__all__ = ["from_timm"]


# The factory's keyword -> the training script's argument, where they differ.
_SCRIPT_NAMES: Final = {
    "num_epochs": "epochs",
    "noise": "lr_noise",
    "noise_pct": "lr_noise_pct",
    "noise_std": "lr_noise_std",
    "noise_seed": "seed",
    "cycle_mul": "lr_cycle_mul",
    "cycle_decay": "lr_cycle_decay",
    "cycle_limit": "lr_cycle_limit",
    "k_decay": "lr_k_decay",
    "decay_fn": "lr_decay_fn",
    "stable_timescale": "lr_stable_timescale",
    "step_on_epochs": "sched_on_updates",  # its opposite
    "plateau_mode": "eval_metric",
}
_DEFAULTS: Final[Mapping[str, Any]] = {
    "num_epochs": 300,
    "decay_epochs": None,
    "decay_milestones": [90, 180, 270],
    "decay_rate": 0.1,
    "min_lr": 0.0,
    "warmup_lr": 1e-5,
    "warmup_epochs": 0,
    "cycle_mul": 1.0,
    "cycle_decay": 0.1,
    "cycle_limit": 1,
    "k_decay": 1.0,
    "stable_timescale": None,
}
_SCRIPT_DEFAULTS: Final[Mapping[str, Any]] = {
    **_DEFAULTS,
    "num_epochs": 100,
    "decay_epochs": 30,
    "decay_milestones": [30, 60],
    "warmup_epochs": 5,
}
# Of no effect on a curve: how long to train on at the floor, and what a plateau is.
_ABOUT_OTHER_THINGS: Final = ("cooldown_epochs", "patience_epochs", "plateau_mode")


def from_timm(
    config: Mapping[str, Any], *, base: float | None = None, updates_per_epoch: float | None = None
) -> Imported:
    """The schedule that timm's ``create_scheduler_v2`` or ``create_scheduler`` would build.

    Both spellings are read: the factory's keywords (``num_epochs``, ``cycle_mul``, ...) and the
    arguments of the training script (``epochs``, ``lr_cycle_mul``, ..., its saved ``args.yaml``),
    each with its own defaults. timm's rates change between epochs only, unless ``step_on_epochs``
    is off or ``sched_on_updates`` is on.

    Args:
        config: The settings by name.
        base: The rate of the optimizer's groups; the setting ``lr`` if not given.
        updates_per_epoch: Optimizer steps per epoch; 1 leaves all positions in epochs.

    Returns:
        The schedule in optimizer steps, as multiples of the base.

    Raises:
        InvalidType: ``config`` is not a mapping, or a value has the wrong type.
        InvalidValue: A key is unknown (among the factory's), missing or out of range; the
            scheduler is unknown, or reacts to a metric.

    >>> from stepsize.importers import from_timm
    >>> config = {"sched": "cosine", "num_epochs": 90, "warmup_epochs": 5, "min_lr": 1e-4}
    >>> from_timm(config, base=0.1, updates_per_epoch=1).schedule
    Linear(5, start=0.0001, end=1) >> Cosine(90, end=0.001).skip(5)

    Source: ``timm/scheduler/scheduler_factory.py``, timm 1.0.
    """
    settings = _Settings(call_text("from_timm"), config, base, updates_per_epoch)
    kind = settings.section.choice("sched", "cosine", [*_BODIES, "constant", "none", "plateau"])
    if kind == "plateau":
        raise InvalidValue(
            settings.section.call,
            "a schedule depends on the position alone",
            "sched is 'plateau', which reacts to a metric",
            "Use Policy(schedule, [controller]) with stepsize.controllers.Plateau("
            "metric=eval_metric, mode=..., factor=decay_rate, patience=patience_epochs).",
        )
    schedule = Constant() if kind == "none" else _schedule(kind, settings)
    if kind != "none" and settings.by_epoch:
        schedule = held_through_epochs(schedule, settings.updates_per_epoch)
    return Imported(schedule, settings.base, notes=settings.notes())


class _Settings:
    """The settings under the factory's names, whichever spelling they have."""

    def __init__(
        self, call: str, config: object, base: float | None, updates_per_epoch: float | None
    ) -> None:
        self.section = section = Section(call, config)
        self._script = any(section.has(name) for name in _SCRIPT_NAMES.values())
        self._defaults = _SCRIPT_DEFAULTS if self._script else _DEFAULTS
        named = section.number("lr", None, RATE)
        self.base = named if base is None else checked_number(call, "base", base, RATE)
        named = section.count("updates_per_epoch", None)
        if updates_per_epoch is None and named is None:
            raise section.lacks(
                "updates_per_epoch",
                "Give {steps_per_epoch}, the optimizer steps per epoch; 1 counts in epochs.",
            )
        self.updates_per_epoch = named or checked_whole_number(
            call, "updates_per_epoch", updates_per_epoch, COUNT
        )
        switch = section.flag(self.key("step_on_epochs"), not self._script)
        self.by_epoch = switch is not self._script
        # The scheduler's own position counts epochs or updates; the settings count epochs.
        self.unit = 1 if self.by_epoch else self.updates_per_epoch

    def key(self, name: str) -> str:
        return _SCRIPT_NAMES.get(name, name) if self._script else name

    def number(self, name: str, allowed: Range = FLOOR) -> Number:
        default: float = self._defaults[name]
        return self.section.number(self.key(name), default, allowed)

    def optional(self, name: str, allowed: Range) -> Number | None:
        return self.section.number(self.key(name), self._defaults[name], allowed)

    def length(self, name: str, allowed: Range = LENGTH) -> Number:
        return self.number(name, allowed) * self.unit

    def as_multiple(self, name: str) -> float:
        """A rate as a multiple of the base."""
        rate = self.number(name)
        if not rate:
            return 0
        if self.base is None:
            raise self.section.lacks("lr", f"Or give base=...: {name} is a rate, {rate!r}.")
        return multiple(rate, self.base)

    def milestones(self) -> list[Number]:
        key = self.key("decay_milestones")
        given = self.section.numbers(key, LENGTH) if self.section.has(key) else None
        return [each * self.unit for each in given or self._defaults[key]]

    def notes(self) -> tuple[str, ...]:
        section = self.section
        notes: list[str] = []
        if self.section.has(self.key("noise")):
            notes.append(
                "timm's noise is not in the schedule: its values come from torch's generator. "
                "Noise of a similar size: schedule * Noise(0.5, seed=42)."
            )
        for name in (*_SCRIPT_NAMES, *self._defaults, *_ABOUT_OTHER_THINGS, "warmup_prefix"):
            section.get(self.key(name))
        if self._script:
            return (*notes, *section.rest())
        section.finish()
        return tuple(notes)


def _schedule(kind: str, settings: _Settings) -> Schedule:
    """In timm's own positions."""
    warmup = settings.length("warmup_epochs")
    body = Constant() if kind == "constant" else _BODIES[kind](settings)
    if not warmup:
        # timm asks the scheduler from the second position on: the first one has the base rate.
        return body if body(0) == 1 else Hold(1) >> body.skip(1)
    prefix = settings.section.flag("warmup_prefix", False)
    rest = body if prefix or kind in _AFTER_WARMUP else body.skip(warmup)
    top = rest(0) if kind == "tanh" and not prefix else 1
    if rest.length == 0:
        rest = Constant(rest(0))
    return Linear(warmup, settings.as_multiple("warmup_lr"), top) >> rest


def _cycles(settings: _Settings, curve: Callable[[float, float], Schedule]) -> Schedule:
    """The curve from the base to the floor, repeated: its peaks shrink and the floor does not."""
    floor = settings.as_multiple("min_lr")
    times = settings.section.count(settings.key("cycle_limit"), 1)
    stretch, shrink = settings.number("cycle_mul"), settings.number("cycle_decay", FACTOR)
    if times == 1:
        return curve(1, floor)
    if shrink == 1 or floor == 0:
        return curve(1, floor).repeat(times, stretch, shrink)
    return curve(1, 0).repeat(times, stretch, shrink) + curve(0, floor).repeat(times, stretch)


def _cosine(settings: _Settings) -> Schedule:
    steps = settings.length("num_epochs", POSITIVE)
    k = settings.number("k_decay")
    return _cycles(settings, lambda start, end: Cosine(steps, start, end, k=k))


def _polynomial(settings: _Settings) -> Schedule:
    steps = settings.length("num_epochs", POSITIVE)
    power, k = settings.number("decay_rate"), settings.number("k_decay")
    return _cycles(settings, lambda start, end: Polynomial(steps, power, start, end, k=k))


def _tanh(settings: _Settings) -> Schedule:
    steps = settings.length("num_epochs", POSITIVE)
    cycles = _cycles(settings, lambda start, end: Tanh(steps, -7, 3, start, end))
    return cycles >> Constant(settings.as_multiple("min_lr"))


def _step(settings: _Settings) -> Schedule:
    every = settings.optional("decay_epochs", POSITIVE)
    return Step((90 if every is None else every) * settings.unit, settings.number("decay_rate"))


def _multi_step(settings: _Settings) -> Schedule:
    rate = settings.number("decay_rate", FACTOR)
    drops = Counter(settings.milestones())
    # timm's milestones lie one position before the drop's number.
    return MultiStep({at: rate**times for at, times in drops.items()}).skip(1)


def _stable_decay(settings: _Settings) -> Schedule:
    """The part after the warmup, which timm counts from its end."""
    call, warmup = settings.section.call, settings.length("warmup_epochs")
    inverse_sqrt = settings.section.get("sched") == "rsqrt"
    total = settings.length("num_epochs", POSITIVE)
    if not settings.section.flag("warmup_prefix", False):
        total -= warmup
    part = settings.optional("decay_epochs", POSITIVE)
    part = 0.2 if part is None else part
    decay = round(part * total if part < 1 else part * settings.unit)
    if not 0 < decay <= total:
        raise InvalidValue(
            call,
            "the decay must fit into what follows the warmup",
            f"lasts {decay:,} of {total:,}",
            "Shorten decay_epochs.",
        )
    floor = settings.as_multiple("min_lr")
    shape = settings.section.choice(
        settings.key("decay_fn"), "linear" if inverse_sqrt else "1-sqrt", list(_DECAYS)
    )
    if not inverse_sqrt:
        return Hold(total - decay) >> _DECAYS[shape](decay, floor)
    scale = settings.optional("stable_timescale", POSITIVE)
    scale = warmup if scale is None else scale * settings.unit
    if not scale:
        raise settings.section.lacks(settings.key("stable_timescale"), "It has no warmup to be.")
    weight = Hold(total - decay) >> _DECAYS[shape](decay, 0)
    if not floor:
        return InverseSqrt(scale) * weight
    return (InverseSqrt(scale).clip(low=floor) + -floor) * weight + floor


def _normalised_exponential(steps: float, end: float) -> Schedule:
    """From 1 to ``end`` as (r^u - r) / (1 - r) falls, r = 0.1."""
    ratio = 0.1
    slope = (1 - end) / (1 - ratio)
    return Exponential(ratio, every=steps).until(steps) * slope + (1 - slope)


_DECAYS: Final[Mapping[str, Callable[[float, float], Schedule]]] = {
    "linear": lambda steps, end: Linear(steps, end=end),
    "1-sqrt": lambda steps, end: Power(steps, 0.5, end=end),
    "cosine": lambda steps, end: Cosine(steps, end=end),
    "power": lambda steps, end: Power(steps, 0.5, end=end),
    "exp": _normalised_exponential,
}
_BODIES: Final[Mapping[str, Callable[[_Settings], Schedule]]] = {
    "cosine": _cosine,
    "tanh": _tanh,
    "step": _step,
    "multistep": _multi_step,
    "poly": _polynomial,
    "wsd": _stable_decay,
    "rsqrt": _stable_decay,
}
_AFTER_WARMUP: Final = ("wsd", "rsqrt")
