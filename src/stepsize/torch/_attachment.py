"""The handle that ``attach`` gives: what is driven, what is done by hand, what is saved."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, Literal, NoReturn

from torch import Tensor

from stepsize.checks import Range, checked_number
from stepsize.errors import AttachmentError, CopyRefused, InvalidType, InvalidValue, TrainingStopped
from stepsize.policy import How, PolicyState
from stepsize.schedules import Schedule
from stepsize.signals import Decision, Observation, Rewind, Stop, Tick
from stepsize.torch import _state
from stepsize.torch._engine import Engine
from stepsize.torch._groups import Key, Selector, describe_group, label, select_numbered
from stepsize.torch._rescue import Decided, Rescue
from stepsize.torch._track import Track

__all__ = ["Attachment", "Quantity"]

_FACTOR = Range(minimum=0, remedy="0.5 halves, 1 changes nothing.")
_BASE = Range(remedy="A base is what the schedule's values are multiples of, for example 3e-4.")
_TOTAL = Range(above=0, remedy="It is the new length of the whole run.")
_STEPS = Range(above=0, remedy="It is the length of the cooldown.")


class Quantity:
    """One driven quantity: its values, and what can be done to it by hand during a run.

    What is done by hand holds from the next step on. It is progress: the state keeps it.
    """

    def __init__(self, engines: Sequence[Engine], key: Key) -> None:
        self._engines = engines
        self._key = key

    @property
    def current(self) -> list[float] | None:
        """The values that the last executed step used, one per group; None before it.

        Of several optimizers, one that has not stepped yet shows what it will use.
        """
        used = [engine.current(self._key) for engine in self._engines]
        if all(values is None for values in used):
            return None
        engines = zip(self._engines, used, strict=True)
        return _flat(engine.next(self._key) if each is None else each for engine, each in engines)

    @property
    def next(self) -> list[float]:
        """The values that the next step will use, one per group."""
        return _flat(engine.next(self._key) for engine in self._engines)

    def scale(self, factor: float) -> None:
        """Multiply the values of all groups from now on.

        Args:
            factor: A finite number, >= 0.

        Raises:
            InvalidValue: It is out of range.
        """
        factor = checked_number(f"rate.scale({factor!r})", "factor", factor, _FACTOR)
        self._change(lambda track, at: track.policy.scale(track.state, at, factor))

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
        groups = [engine.look() for engine in self._engines]
        driven = {
            (number, slot.index): track
            for number, engine in enumerate(self._engines)
            for track in self._tracks(engine)
            for slot in track.slots
        }
        bases: dict[tuple[int, int], float] = {}
        given = value.items() if isinstance(value, Mapping) else [(None, value)]
        for selector, each in given:
            base = checked_number(call, "a base", each, _BASE)
            places = driven if selector is None else select_numbered(call, selector, groups)
            bases.update(dict.fromkeys(places, base))
        for number, index in bases:
            track = driven.get((number, index))
            if track is None or track.policy.absolute:
                why = "is not driven" if track is None else "follows an Absolute schedule"
                raise InvalidValue(
                    f"{call}: a base belongs to a group that follows multiples of it, but "
                    f"{label(self._key)} of group {describe_group(index, groups[number][index])} "
                    f"{why}. To change absolute values use rate.scale(factor)."
                )
        for (number, index), base in bases.items():
            self._engines[number].roster.by_hand[self._key][index] = base
        for engine in self._engines:
            engine.roster.arrange()
            engine.write()

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
        total = checked_number(f"rate.extend({total!r})", "total", total, _TOTAL)
        self._change(
            lambda track, at: track.policy.extend(
                track.state, at, total - track.start, how, allow_rise
            )
        )

    def start_cooldown(self, steps: float, shape: str | Schedule = "linear") -> None:
        """Fall from the present values to zero within ``steps`` steps, from now on.

        Args:
            steps: Length of the cooldown, > 0, in optimizer steps (units of the clock).
            shape: "linear", "cosine", "1-sqrt", or a schedule that falls from 1.

        Raises:
            InvalidValue: ``steps`` or ``shape`` is out of range.
        """
        steps = checked_number(f"rate.start_cooldown({steps!r})", "steps", steps, _STEPS)
        self._change(lambda track, at: track.policy.start_cooldown(track.state, at, steps, shape))

    def _change(self, act: Callable[[Track, float], PolicyState]) -> None:
        """Act on every track, or, if one refuses, on none."""
        for engine in self._engines:
            engine.look()
        changed = [
            (track, act(track, engine.position - track.start))
            for engine in self._engines
            for track in self._tracks(engine)
        ]
        for track, state in changed:
            track.change(state)
        for engine in self._engines:
            engine.write()

    def _tracks(self, engine: Engine) -> Iterator[Track]:
        return (track for track in engine.roster.tracks if track.key == self._key)


class Attachment(Quantity):
    """What ``attach`` gives: the rate (or, if it is not driven, the first quantity) and the whole.

    ``current``, ``next``, ``scale``, ``set_base``, ``extend`` and ``start_cooldown`` are about the
    rate; ``of("weight_decay")`` offers them for another driven quantity. ``print`` shows a line per
    group.
    """

    def __init__(self, engines: Sequence[Engine], key: Key, rescue: Rescue) -> None:
        super().__init__(engines, key)
        self._rescue = rescue

    def of(self, quantity: Key) -> Quantity:
        """Another driven quantity.

        Raises:
            InvalidValue: It is not driven.
        """
        known = self._engines[0].roster.rules
        if quantity not in known:
            raise InvalidValue(
                f"rate.of({quantity!r}): it must be driven, and driven are: "
                f"{', '.join(map(repr, known))}. Name it in attach(...)."
            )
        return Quantity(self._engines, quantity)

    @property
    def position(self) -> float:
        """The position of the next step: executed steps so far, or the clock's reading.

        Raises:
            AttachmentError: Several optimizers are driven: see ``positions``.
        """
        if len(self._engines) > 1:
            raise AttachmentError(
                f"rate.position: {len(self._engines)} optimizers are driven, and each counts its "
                "own steps. Use rate.positions."
            )
        return self._engines[0].position

    @property
    def positions(self) -> list[float]:
        """Each optimizer's position."""
        return [engine.position for engine in self._engines]

    def step(self) -> None:
        """Advance by one executed step, for an object without step hooks.

        Also to be called after each replay of a captured CUDA graph, which runs no hooks.

        Raises:
            AttachmentError: The optimizer has hooks, and its steps are counted already.
        """
        for engine in self._engines:
            if engine.counts_by_itself:
                raise AttachmentError(
                    f"rate.step(): the steps of a {engine.kind} are counted through its hooks, and "
                    "this call would count them twice. Leave it out."
                )
        for engine in self._engines:
            engine.after_step(engine.optimizer)

    def observe(self, **metrics: float | Tensor | None) -> Sequence[Decision]:
        """Tell the controllers what was measured; what they decide holds from the next step on.

        A ``Rewind`` puts an earlier snapshot back, if ``attach`` was given ``snapshot=`` and
        ``restore=``: then go on with the next batch, and use nothing that was computed before.
        Otherwise it only cuts the rate.

        Args:
            **metrics: Numbers by name: ``val_loss=0.31``. None is no observation.

        Returns:
            What was decided and done.

        Raises:
            InvalidType: A metric is no number, or a snapshot cannot be copied.
            TrainingStopped: A controller ends the training.

        Warns:
            StepsizeWarning: Once: there is nothing to go back to.
        """
        seen = {name: _metric(name, value) for name, value in metrics.items() if value is not None}
        if not seen:
            return ()
        observation = Observation(seen)
        decided = [
            Decided(number, track, decision)
            for number, engine in enumerate(self._engines)
            for track, decision in engine.observe(observation)
        ]
        done: list[Decision] = [
            each.decision for each in decided if not isinstance(each.decision, Rewind)
        ]
        if len(done) < len(decided):
            done.extend(self._rescue.go_back(self._engines, decided))
        else:
            self._rescue.keep(self._engines)
        # Policies that are alike, of several quantities or optimizers, decide alike.
        decisions = tuple(dict.fromkeys(done))
        first = self._engines[0]
        used = first.position if first.last_position is None else first.last_position
        tick = Tick(used, metrics=seen, decisions=decisions)
        for sink in first.sinks:
            sink(tick)
        stops = [str(decision.reason) for decision in decisions if isinstance(decision, Stop)]
        if stops:
            raise TrainingStopped(
                f"rate.observe(...): a controller ends the training at position "
                f"{first.position:g}: {'; '.join(stops)}. Leave the loop."
            )
        return decisions

    def start_clock(self, group: Selector) -> None:
        """Let groups count positions of their own from now on: their schedule starts anew.

        For a group that is added later and shall have its own warmup. All its driven quantities
        change to the new clock, without what was done by hand to the old.

        Args:
            group: Index, name or predicate.

        Raises:
            InvalidValue: There is no such group.
        """
        groups = [engine.look() for engine in self._engines]
        for number, index in select_numbered(f"rate.start_clock({group!r})", group, groups):
            self._engines[number].start_clock(index)

    def detach(self, leave: Literal["base", "rate"] = "base") -> None:
        """Stop driving. The optimizer is as if it had never been attached.

        Args:
            leave: What the groups hold afterwards: their "base", or the "rate" that the next step
                would have used. A new attachment takes this as its base.

        Raises:
            InvalidValue: ``leave`` is something else.
        """
        if leave not in ("base", "rate"):
            raise InvalidValue(
                f"rate.detach(leave={leave!r}): leave must be 'base' or 'rate', but is {leave!r}."
            )
        for engine in self._engines:
            engine.detach(leave)

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """The progress: numbers, strings, lists and dictionaries, a snapshot.

        Raises:
            UnregisteredFunction: A schedule holds a function that could not be found again.
        """
        return _state.save(self._engines)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from saved progress; the rates are right at once.

        Before or after the optimizer's state is loaded, or without it. What the code says about
        schedules and bases holds.

        Raises:
            StateError: It is no state of such an attachment; nothing has changed.

        Warns:
            StateMismatch: The state was saved with another schedule or base, or with other
                controllers, which start anew.
        """
        _state.load(self._engines, state)

    # ---------------------------------------------------------------- as text

    def __str__(self) -> str:
        lines: list[str] = []
        for engine in self._engines:
            how = "" if engine.hooked else ", driven by rate.step()"
            lines.append(f"{engine.kind} at position {engine.position:g}{how}")
            lines.extend(f"  {line}" for line in engine.describe())
        return "\n".join(lines)

    def __repr__(self) -> str:
        quantities = ", ".join(map(label, self._engines[0].roster.rules))
        kinds = ", ".join(engine.kind for engine in self._engines)
        return f"<Attachment of {quantities} to {kinds}>"

    def __reduce__(self) -> NoReturn:
        raise CopyRefused(
            f"copy or pickle of {self!r}: it is bound to a live optimizer. Save rate.state_dict(), "
            "or attach the schedule to the copied optimizer: schedules can be copied."
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
            f"rate.observe({name}={value!r}): a metric is one number. Average it first."
        ) from error
