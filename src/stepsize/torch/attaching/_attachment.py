"""The handle that ``attach`` gives: what is driven, what is done by hand, what is saved."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Literal, NoReturn

from torch import Tensor

from stepsize.checks import checked_choice
from stepsize.driving import (
    Driver,
    GroupPlaces,
    How,
    Key,
    Progress,
    Selector,
    load,
    name_of,
    save,
)
from stepsize.errors import (
    AttachmentError,
    CopyRefused,
    InvalidType,
    InvalidValue,
    StateError,
    TrainingStopped,
)
from stepsize.schedules import Schedule
from stepsize.signals import Decision, Observation, Rewind, Stop, Tick
from stepsize.torch.attaching._driven_optimizer import DrivenOptimizer
from stepsize.torch.attaching._notices import is_misspelt, metrics_looked_at
from stepsize.torch.attaching._resuming import warn_of_differences
from stepsize.torch.attaching._rewinds import Place, Rewinds

__all__ = ["Attachment", "Quantity"]

_STATE = "stepsize"


class Quantity:
    """One driven quantity: its values, and what can be done to it by hand during a run.

    What is done by hand holds from the next step on. It is progress: the state keeps it.
    """

    def __init__(self, driven: Sequence[DrivenOptimizer], key: Key) -> None:
        self._driven = driven
        self._key = key

    @property
    def current(self) -> list[float] | None:
        """The values that the last executed step used, one per group; None before it.

        Of several optimizers, one that has not stepped yet shows what it will use.
        """
        used = [each.current(self._key) for each in self._driven]
        if all(values is None for values in used):
            return None
        pairs = zip(self._driven, used, strict=True)
        return _flat(each.next(self._key) if values is None else values for each, values in pairs)

    @property
    def next(self) -> list[float]:
        """The values that the next step will use, one per group."""
        return _flat(each.next(self._key) for each in self._driven)

    def scale(self, factor: float) -> None:
        """Multiply the values of all groups from now on.

        Args:
            factor: A finite number, >= 0.

        Raises:
            InvalidValue: It is out of range.
        """
        self._change(lambda driver, done, at: driver.scale(done, self._key, at, factor))

    def set_base(self, value: float | Mapping[Selector, float]) -> None:
        """Set what the schedule's values are multiples of. (``scale`` keeps the groups' ratios.)

        Args:
            value: The base of every group; or a dictionary from group (index, name or predicate)
                to its base.

        Raises:
            InvalidValue: A group does not exist, is not driven, or follows an ``Absolute``
                schedule, which has no base.
        """
        call = f"rate.set_base({value!r})"
        groups = [each.look() for each in self._driven]
        followed = [each.groups.driver.followed[self._key] for each in self._driven]
        given: list[dict[int, float]] = [{} for _ in groups]
        if isinstance(value, Mapping):
            places = GroupPlaces(groups)
            for selector, base in value.items():
                for number, index in places.select(call, selector):
                    given[number][index] = base
        else:
            given = [dict.fromkeys(own, value) for own in followed]
        changed = [
            each.groups.driver.set_bases(call, each.groups.progress, self._key, bases)
            for each, bases in zip(self._driven, given, strict=True)
        ]
        for each, progress in zip(self._driven, changed, strict=True):
            each.follow(progress)

    def extend(self, total: float, how: How = "stretch", allow_rise: bool = False) -> None:
        """Lengthen the run to ``total`` steps without a jump up.

        Args:
            total: The new length of the whole, in optimizer steps (units of the clock).
            how: "stretch": what is left of the curve is stretched over what is left of the run;
                "hold": the present value is held, then what is left runs as planned;
                "restretch": the whole curve is stretched over the whole run, cut at the present
                value.
            allow_rise: With "restretch", do not cut: the value may jump up.

        Raises:
            InvalidValue: ``total`` is not beyond the present length, or the schedule is endless.
        """
        self._change(
            lambda driver, done, at: driver.extend(done, self._key, at, total, how, allow_rise)
        )

    def start_cooldown(self, steps: float, shape: str | Schedule = "linear") -> None:
        """Fall from the present values to zero within ``steps`` steps, from now on.

        Args:
            steps: Length of the cooldown, > 0, in optimizer steps (units of the clock).
            shape: "linear", "cosine", "1-sqrt", or a schedule that falls from 1.

        Raises:
            InvalidValue: ``steps`` or ``shape`` is out of range.
        """
        self._change(
            lambda driver, done, at: driver.start_cooldown(done, self._key, at, steps, shape)
        )

    def _change(self, act: Callable[[Driver, Progress, float], Progress]) -> None:
        """Act on every optimizer, or, if one refuses, on none."""
        for each in self._driven:
            each.look()
        changed = [
            act(each.groups.driver, each.groups.progress, each.position) for each in self._driven
        ]
        for each, progress in zip(self._driven, changed, strict=True):
            each.follow(progress)


class Attachment(Quantity):
    """What ``attach`` gives: the rate (or, if it is not driven, the first quantity) and the whole.

    ``current``, ``next``, ``scale``, ``set_base``, ``extend`` and ``start_cooldown`` are about the
    rate; ``of("weight_decay")`` offers them for another driven quantity. ``print`` shows a line per
    group.
    """

    def __init__(self, driven: Sequence[DrivenOptimizer], key: Key, rewinds: Rewinds) -> None:
        super().__init__(driven, key)
        self._rewinds = rewinds
        policies = [policy for each in driven for policy in each.groups.driver.policies]
        controlled = [each for each in policies if each.controllers]
        self._wanted = metrics_looked_at(controlled) if controlled else None
        self._observed_at: float | None = None

    def of(self, quantity: Key) -> Quantity:
        """Another driven quantity.

        Raises:
            InvalidValue: It is not driven.
        """
        known = self._driven[0].groups.driver.rules
        if quantity not in known:
            raise InvalidValue(
                f"rate.of({quantity!r})",
                "the quantity must be driven",
                f"driven are: {', '.join(map(repr, known))}",
                "Name it in attach(...).",
            )
        return Quantity(self._driven, quantity)

    @property
    def position(self) -> float:
        """The position of the next step: executed steps so far, or the clock's reading.

        Raises:
            AttachmentError: Several optimizers are driven: see ``positions``.
        """
        if len(self._driven) > 1:
            raise AttachmentError(
                "rate.position",
                "one optimizer is driven",
                f"there are {len(self._driven)}, and each counts its own steps",
                "Use rate.positions.",
            )
        return self._driven[0].position

    @property
    def positions(self) -> list[float]:
        """Each optimizer's position."""
        return [each.position for each in self._driven]

    def step(self) -> None:
        """Advance by one executed step, for an object without step hooks.

        Also to be called after each replay of a captured CUDA graph, which runs no hooks.

        Raises:
            AttachmentError: The optimizer has hooks, and its steps are counted already.
        """
        for each in self._driven:
            if each.counts_by_itself:
                raise AttachmentError(
                    "rate.step()",
                    "steps are counted once",
                    f"those of a {each.kind} are counted through its hooks already",
                    "Leave this call out.",
                )
        for each in self._driven:
            each.after_step(each.optimizer)

    def observe(self, **metrics: float | Tensor | None) -> Sequence[Decision]:
        """Tell the controllers what was measured; what they decide holds from the next step on.

        A ``Rewind`` puts an earlier snapshot back, if ``attach`` was given ``snapshot=`` and
        ``restore=``: then go on with the next batch, and use nothing that was computed before.
        Otherwise it only cuts the rate.

        Args:
            **metrics: Numbers by name: ``val_loss=0.31``. None is left out.

        Returns:
            What was decided and done.

        Raises:
            InvalidType: A metric is not a number, or a snapshot cannot be copied.
            TrainingStopped: A controller ends the training.

        Warns:
            StepsizeWarning: Once: there is nothing to go back to.
        """
        seen = {name: _metric(name, value) for name, value in metrics.items() if value is not None}
        if not seen:
            return ()
        self._notice_names(list(seen))
        decided = [
            (Place(number, each.track), each.decision)
            for number, driven in enumerate(self._driven)
            for each in driven.observe(Observation(seen))
        ]
        rewinds: dict[Place, Rewind] = {}
        for place, decision in decided:
            if isinstance(decision, Rewind):
                rewinds.setdefault(place, decision)
        done: list[Decision] = [each for _, each in decided if not isinstance(each, Rewind)]
        if rewinds:
            done.extend(self._rewinds.go_back(self._driven, rewinds))
        else:
            self._rewinds.keep(self._driven)
        # Policies that are alike, of several quantities or optimizers, decide alike.
        decisions = tuple(dict.fromkeys(done))
        first = self._driven[0]
        tick = Tick(first.used_position, metrics=seen, decisions=decisions)
        for sink in first.sinks:
            sink(tick)
        stops = [str(decision.reason) for decision in decisions if isinstance(decision, Stop)]
        if stops:
            raise TrainingStopped(
                "rate.observe(...)",
                f"a controller ends the training at position {first.position:g}: "
                f"{'; '.join(stops)}",
                remedy="Leave the loop.",
            )
        return decisions

    def _notice_names(self, seen: Sequence[str]) -> None:
        first, wanted = self._driven[0], self._wanted
        before = first.begun_at if self._observed_at is None else self._observed_at
        steps, self._observed_at = first.position - before, first.position
        if wanted is None or any(name in wanted for name in seen):
            return
        # A loss that is told at every step may be there for the record alone.
        if steps > 1 or any(is_misspelt(name, wanted) for name in seen):
            first.notices.not_looked_at(seen, wanted)

    def start_clock(self, group: Selector) -> None:
        """Let groups count positions of their own from now on: their schedule starts anew.

        For a group that is added later and shall have its own warmup. All its driven quantities
        change to the new clock, without what was done by hand to the old.

        Args:
            group: Index, name or predicate.

        Raises:
            InvalidValue: There is no such group.
        """
        places = GroupPlaces([each.look() for each in self._driven])
        for number, index in places.select(f"rate.start_clock({group!r})", group):
            each = self._driven[number]
            driver, progress = each.groups.driver, each.groups.progress
            each.follow(driver.start_clock(progress, index, each.position))

    def detach(self, leave: Literal["base", "rate"] = "base") -> None:
        """Stop driving. The optimizer is as if it had never been attached.

        Args:
            leave: What the groups hold afterwards: their "base", or the "rate" that the next step
                would have used. A new attachment takes this as its base.

        Raises:
            InvalidValue: ``leave`` is something else.
        """
        checked_choice(f"rate.detach(leave={leave!r})", "leave", leave, ("base", "rate"))
        for each in self._driven:
            each.detach(leave)

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """The progress, as one text: a snapshot.

        Raises:
            StateError: A controller's memory is not plain data.
            UnregisteredFunction: A schedule holds a function that could not be found again.
        """
        return {_STATE: save([each.standing for each in self._driven])}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from saved progress; the rates are right at once.

        Before or after the optimizer's state is loaded, or without it. What the code says about
        schedules and bases holds.

        Raises:
            StateError: It is not a state of such an attachment; nothing has changed.

        Warns:
            StateMismatch: The state was saved with another schedule or base, or with other
                controllers, which start anew.
        """
        call = "rate.load_state_dict(...)"
        try:
            saved = state.get(_STATE, state)
            drivers = [each.standing.driver for each in self._driven]
            loaded = load(drivers, saved)
        except (AttributeError, StateError) as error:
            cause = error if isinstance(error, StateError) else None
            raise StateError(
                call,
                "a state is what rate.state_dict() gave" if cause is None else cause.rule,
                f"is a {type(state).__name__}" if cause is None else cause.value,
                "Pass what rate.state_dict() gave." if cause is None else cause.remedy,
            ) from error
        for each, found in zip(self._driven, loaded, strict=True):
            each.restore(found.progress, found.position)
        differences = [each for found in loaded for each in (*found.bases, *found.differences)]
        notices = [each.notices for each in self._driven]
        warn_of_differences(call, differences, notices, stacklevel=2)

    # ---------------------------------------------------------------- as text

    def __str__(self) -> str:
        lines: list[str] = []
        for each in self._driven:
            how = "" if each.hooked else ", driven by rate.step()"
            lines.append(f"{each.kind} at position {each.position:g}{how}")
            lines.extend(f"  {line}" for line in each.describe())
        return "\n".join(lines)

    def __repr__(self) -> str:
        quantities = ", ".join(map(name_of, self._driven[0].groups.driver.rules))
        kinds = ", ".join(each.kind for each in self._driven)
        return f"<Attachment of {quantities} to {kinds}>"

    def __reduce__(self) -> NoReturn:
        raise CopyRefused(
            f"copy or pickle of {self!r}",
            "what is bound to a live optimizer has no copy",
            remedy="Save rate.state_dict(), or attach the schedule to the copied optimizer: "
            "schedules can be copied.",
        )


def _flat(lists: Iterable[Sequence[float]]) -> list[float]:
    return [value for each in lists for value in each]


def _metric(name: str, value: Any) -> float:
    try:
        return float(value.detach() if isinstance(value, Tensor) else value)
    except OverflowError:  # an int beyond the floats, which torch and NumPy would call infinite
        return inf if value > 0 else -inf
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidType(
            f"rate.observe({name}={value!r})",
            "a metric is one number",
            f"is a {type(value).__name__}",
            "Average it first.",
            name,
        ) from error
