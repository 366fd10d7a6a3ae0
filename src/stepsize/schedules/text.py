"""The text form: ``parse`` reads what ``repr`` writes.

Nothing is evaluated and nothing is imported: the text is cut into tokens, and the tokens are read
from left to right by this grammar, which is Python's for the expressions that it covers. (Python's
own parser takes seconds for a long text, overflows on a deep one, and often points elsewhere than
at the mistake.)

    text      = schedule | "Absolute" "(" schedule ")"
    schedule  = sum (">>" sum)*
    sum       = product ("+" product)*
    product   = factor ("*" factor)*
    factor    = (number | name arguments | "(" schedule ")") ("." method arguments)*
    arguments = "(" ([name "="] value),* ")"
    value     = amount | string | "None" | "[" value,* "]" | "(" value,* ")" | "{" pair,* "}"
    pair      = amount ":" number
    amount    = number | duration
    duration  = a number and at once a unit: 10ep
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from stepsize.checks import number_ranges
from stepsize.errors import InvalidType, InvalidValue, TextError
from stepsize.schedules import (
    _cycles,
    _decays,
    _function,
    _noise,
    _recipes,
    _shapes,
    _warmups,
)
from stepsize.schedules._absolute import Absolute
from stepsize.schedules._horizon import NUMBER, UNIT, Horizon, read_duration
from stepsize.schedules.algebra import ALGEBRA_METHODS, Product, Schedule, Sum, then
from stepsize.schedules.expression import MAX_NESTING, MAX_NODES, MAX_TEXT
from stepsize.schedules.fields import FACTOR, VALUE
from stepsize.words import shortened

__all__ = ["known_names", "parse"]


_LONGEST_MESSAGE = 400


def known_names() -> Mapping[str, Callable[..., Schedule]]:
    """Every name that ``parse`` can call, with what it calls: schedule classes and recipes."""
    names: dict[str, Callable[..., Schedule]] = {}
    for module in (_shapes, _warmups, _decays, _cycles, _noise, _function, _recipes):
        for name in module.__all__:
            if name != "schedule_function":
                names[name] = getattr(module, name)
    return names


def parse(text: str, *, horizon: Horizon | None = None) -> Schedule | Absolute:
    """Read a schedule from its text form: ``parse(repr(s)) == s``.

    Where a call takes steps, the text may have durations: ``10ep``, ``500ba``, ``1e6sp``,
    ``1e9tok``, ``0.1dur``. A schedule holds numbers: they are counted in steps on reading.

    Args:
        text: An expression such as ``"Warmup(500) >> Cosine(9500, end=0.1)"``: at most 100,000
            characters, 1,000 nodes and 64 levels of nesting. It may be marked ``Absolute(...)``.
        horizon: What epochs, samples, tokens and the whole run are in steps.

    Returns:
        The schedule, or the marked one.

    Raises:
        TextError: The text is not a schedule, or the horizon lacks what a duration needs; the
            message points at the place.
        InvalidType: ``text`` is not a string, or ``horizon`` is not a Horizon.

    >>> from stepsize import Horizon, parse
    >>> parse("Warmup(500) >> Cosine(9_500, end=0.1)")
    Warmup(500) >> Cosine(9500, end=0.1)
    >>> parse("Warmup(1ep) >> Cosine(0.9dur)", horizon=Horizon(steps=5000, steps_per_epoch=500))
    Warmup(500) >> Cosine(4500)
    >>> parse("Cosine(-1)")
    Traceback (most recent call last):
        ...
    stepsize.errors.TextError: Cosine(-1): steps must be a finite number and at least 0...
    """
    if not isinstance(text, str):
        raise InvalidType(
            f"parse({text!r})", "a text is needed", f"this is a {type(text).__name__}"
        )
    if not (horizon is None or isinstance(horizon, Horizon)):
        raise InvalidType(
            f"parse(..., horizon={horizon!r})",
            "a Horizon is needed",
            f"this is a {type(horizon).__name__}",
            "Example: Horizon(steps=10_000, steps_per_epoch=500).",
            "horizon",
        )
    if len(text) > MAX_TEXT:
        raise TextError(
            f"parse({text[:40]!r}...)",
            f"a schedule's text has at most {MAX_TEXT:,} characters",
            f"this has {len(text):,}",
            "Is it the right file?",
        )
    if not text.strip():
        raise TextError(
            f"parse({text[:40]!r})",
            "there is nothing in this text",
            remedy="Example: 'Warmup(500) >> Cosine(9500)'.",
        )
    return _Reader(text, horizon).read()


def _fail(text: str, place: int, message: str, cause: BaseException | None = None) -> NoReturn:
    """Raise with the offending line, cut to what fits a terminal, and a caret under the place."""
    start = text.rfind("\n", 0, place) + 1
    line = text[start:].partition("\n")[0]
    left = max(0, place - start - 50)
    window = "".join(c if c.isprintable() else " " for c in line[left : left + 78])
    where = f"Line {text.count(chr(10), 0, place) + 1}" if "\n" in text.strip() else ""
    caret = " " * (place - start - left) + "^"
    # In place of a remedy the place in the text, which a shortened message must not lose.
    shown = f"\n    {window}\n    {caret}"
    raise TextError(where, shortened(message, _LONGEST_MESSAGE), remedy=shown) from cause


# ------------------------------------------------------------------ tokens

# A duration is a number whose unit matched, too: the name of the last group is the kind.
_TOKENS = re.compile(
    rf"""(?P<space>[ \t\r\n]+)
      | (?P<number>{NUMBER})(?P<duration>{UNIT})?
      | (?P<name>[^\W\d]\w*)
      | (?P<string>'[^'\\\r\n]*'|"[^"\\\r\n]*")
      | (?P<sign>>>|\*(?!\*)|[-+.,:=()\[\]{{}}])""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


def _cut(text: str) -> list[_Token]:
    """The tokens of ``text``, refused where it is larger than any expression may be."""
    tokens: list[_Token] = []
    place = depth = nodes = 0
    while place < len(text):
        found = _TOKENS.match(text, place)
        if found is None:
            _fail(text, place, f"{text[place]!r} has no meaning in a schedule.")
        token = _Token(str(found.lastgroup), found[0], place)
        if token.text in ("(", "[", "{"):
            depth += 1
        elif token.text in (")", "]", "}"):
            depth -= 1
        if depth > MAX_NESTING:
            _fail(text, place, f"Brackets nest more than {MAX_NESTING} levels deep here.")
        # A node is written with at most one bracket of its own, one around it and one operator.
        nodes += token.text in ("(", ">>", "*", "+")
        if nodes > 3 * MAX_NODES:
            _fail(text, place, f"An expression has at most {MAX_NODES:,} nodes; here are too many.")
        if token.kind != "space":
            tokens.append(token)
        place = found.end()
    tokens.append(_Token("end", "", len(text.rstrip())))
    return tokens


# ------------------------------------------------------------------ the grammar

_OPERATORS = (">>", "+", "*")
_JOINED = "Only >>, * and + join schedules"
_HOLD = "For a constant value write Hold(steps, value), or Constant(value) as the last phase."


class _Reader:
    def __init__(self, text: str, horizon: Horizon | None) -> None:
        self._text = text
        self._horizon = horizon
        self._tokens = _cut(text)
        self._index = 0
        self._known = known_names()

    def read(self) -> Schedule | Absolute:
        marked = [token.text for token in self._tokens[:2]] == ["Absolute", "("]
        if not marked:
            return self._end(self._schedule())
        self._index = 2
        schedule = self._schedule()
        self._expect(")", "Absolute(...) takes one schedule and nothing else")
        mark = self._build(self._tokens[0].place, Absolute, schedule)
        return self._end(mark, "Absolute(...) marks a whole expression: nothing can follow")

    def _end(self, result: Any, message: str = _JOINED) -> Any:
        if self._now.kind != "end":
            self._refuse(message)
        return result

    def _schedule(self) -> Schedule:
        place = self._now.place
        value = self._joined(0)
        if not isinstance(value, Schedule):
            self._fail(place, f"A schedule is needed here, but {value!r} is a number. {_HOLD}")
        return value

    def _joined(self, level: int) -> Schedule | float:
        """Operands joined by the operator of ``level`` and of the levels above, which bind more."""
        if level == len(_OPERATORS):
            return self._factor()
        places = [self._now.place]
        values = [self._joined(level + 1)]
        while self._take(_OPERATORS[level]):
            places.append(self._now.place)
            values.append(self._joined(level + 1))
        if len(values) == 1:
            return values[0]
        return self._join(_OPERATORS[level], places, values)

    def _join(self, operator: str, places: list[int], values: list[Schedule | float]) -> Schedule:
        if operator == ">>":
            parts: list[Schedule] = []
            for place, value in zip(places, values, strict=True):
                if not isinstance(value, Schedule):
                    self._fail(place, f"Only schedules follow each other with >>. {_HOLD}")
                parts.append(value)
            endless = (p for p, part in zip(places, parts[:-1], strict=False) if _is_endless(part))
            return self._build(next(endless, places[0]), then, parts)
        if not isinstance(values[0], Schedule) and not isinstance(values[1], Schedule):
            self._fail(places[0], "Numbers are not calculated with here: write the result.")
        return self._build(places[0], Product if operator == "*" else Sum, tuple(values))

    def _factor(self) -> Schedule | float:
        token = self._now
        value: Schedule | float
        if self._take("("):
            value = self._joined(0)
            self._expect(")", _JOINED)
        elif token.kind == "name":
            value = self._call()
        else:
            value = self._number("A schedule or a number")
        while self._now.text == ".":
            if not isinstance(value, Schedule):
                self._fail(token.place, f"A schedule is needed here, but {value!r} is a number.")
            self._index += 1
            value = self._method(value)
        return value

    def _call(self) -> Schedule:
        name = self._next()
        if name.text == "Absolute":
            self._fail(name.place, "Absolute(...) marks a whole expression: it must be outermost.")
        if name.text not in self._known:
            close = [known for known in self._known if known.lower() == name.text.lower()]
            known = f"There are: {', '.join(self._known)}."
            remedy = f"Did you mean {close[0]}?" if close else known
            self._fail(name.place, f"{name.text!r} is not a schedule or recipe. {remedy}")
        return self._called(name, self._known[name.text])

    def _method(self, schedule: Schedule) -> Schedule:
        name = self._next()
        if name.text not in ALGEBRA_METHODS:
            known = ", ".join(f".{method}()" for method in ALGEBRA_METHODS)
            self._fail(
                name.place,
                f"{name.text!r} is not a method of a schedule's text. There are: {known}.",
            )
        return self._called(name, getattr(schedule, name.text))

    def _called(self, name: _Token, make: Callable[..., Schedule]) -> Schedule:
        self._expect("(", f"{name.text} needs its arguments: {_usage(make)}")
        arguments: list[Any] = []
        named: dict[str, Any] = {}
        while not self._take(")"):
            token = self._now
            if token.kind == "name" and self._tokens[self._index + 1].text == "=":
                if token.text in named:
                    self._fail(token.place, f"{token.text!r} is given twice.")
                self._index += 2
                named[token.text] = self._argument(make, token.text)
            elif named:
                self._fail(token.place, "An argument without a name cannot follow a named one.")
            else:
                arguments.append(self._argument(make, len(arguments)))
            self._comma(")")
        return self._build(name.place, make, *arguments, **named)

    def _argument(self, make: Callable[..., Schedule], parameter: int | str) -> Any:
        token = self._now
        if token.kind == "duration" and _is_value(make, parameter):
            self._fail(token.place, f"{token.text} is a duration, and this is a value: no unit.")
        return self._value()

    # -------------------------------------------------------------- values

    def _value(self) -> Any:
        token = self._now
        if self._take("["):
            return self._values("]")
        if self._take("("):
            values = self._values(")")
            grouped = len(values) == 1 and self._tokens[self._index - 2].text != ","
            return values[0] if grouped else values
        if self._take("{"):
            return self._mapping()
        if self._take("None"):
            return None
        if token.kind == "string":
            return self._string()
        return self._amount()

    def _string(self) -> str:
        token = self._next()
        content = token.text[1:-1]
        found = _TOKENS.fullmatch(content)
        if found is not None and found.lastgroup == "duration":
            self._fail(token.place, f"A duration stands without quotes: {content[:40]}.")
        return content

    def _values(self, close: str) -> list[Any]:
        values: list[Any] = []
        while not self._take(close):
            values.append(self._value())
            self._comma(close)
        return values

    def _mapping(self) -> dict[float, float]:
        mapping: dict[float, float] = {}
        while not self._take("}"):
            place = self._now.place
            key = self._amount()
            if key in mapping:
                self._fail(place, f"{key!r} appears twice in this mapping.")
            self._expect(":", "A mapping is written {position: factor, ...}")
            mapping[key] = self._number("A number")
            self._comma("}")
        return mapping

    def _amount(self) -> float:
        return self._duration() if self._now.kind == "duration" else self._number("A number")

    def _duration(self) -> float:
        token = self._next()
        if self._horizon is None:
            unit = self._build(token.place, read_duration, token.text).unit
            self._fail(
                token.place,
                f"{token.text} is a duration, and a schedule holds numbers of optimizer steps. "
                f"Pass parse(text, horizon=Horizon({unit.field or 'steps'}=...)).",
            )
        return self._build(token.place, self._horizon.steps_in, token.text)

    def _number(self, needed: str) -> float:
        place = self._now.place
        negative = self._take("-")
        if self._now.kind != "number":
            self._refuse(f"{needed} is needed here")
        literal = self._next().text
        try:
            number = float(literal)
            if math.isfinite(number) and literal.replace("_", "").isdigit():
                number = int(literal)
        except ValueError:  # 1__0, or thousands of zeros before an integer
            self._fail(place, f"{literal[:40]!r} is not a number.")
        if math.isinf(number):
            self._fail(place, "A number must be finite, but this one is too large.")
        return -number if negative else number

    # -------------------------------------------------------------- tokens and failures

    @property
    def _now(self) -> _Token:
        return self._tokens[self._index]

    def _next(self) -> _Token:
        self._index += 1
        return self._tokens[self._index - 1]

    def _take(self, text: str) -> bool:
        found = self._now.text == text
        self._index += found
        return found

    def _expect(self, text: str, message: str) -> None:
        if not self._take(text):
            self._refuse(message)

    def _comma(self, close: str) -> None:
        if not self._take(",") and self._now.text != close:
            self._refuse(f"A comma or {close!r} is needed here")

    def _refuse(self, message: str) -> NoReturn:
        token = self._now
        found = "the text ends" if token.kind == "end" else f"here is {token.text[:40]!r}"
        self._fail(token.place, f"{message}, but {found}.")

    def _fail(self, place: int, message: str, cause: BaseException | None = None) -> NoReturn:
        _fail(self._text, place, message, cause)

    def _build(self, place: int, make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return make(*args, **kwargs)
        except (InvalidValue, InvalidType) as error:
            self._fail(place, str(error), error)
        except TypeError as error:
            # Python's own words count the instance as an argument: ask the signature instead.
            try:
                inspect.signature(make).bind(*args, **kwargs)
            except TypeError as arity:
                self._fail(place, f"{_usage(make)}: {arity}.", error)
            raise


def _is_endless(schedule: Schedule) -> bool:
    return math.isinf(schedule.length)


def _is_value(make: Callable[..., Schedule], parameter: int | str) -> bool:
    """Whether this parameter of a schedule takes values, and so no lengths and positions."""
    if not isinstance(make, type):
        return False
    if isinstance(parameter, int):
        parameter = "".join([*inspect.signature(make).parameters][parameter : parameter + 1])
    return number_ranges(make).get(parameter) in (VALUE, FACTOR)


def _usage(make: Callable[..., Any]) -> str:
    """The call as one would type it: ``Cosine(steps, start=1, end=0)``."""
    parameters = inspect.signature(make).parameters.values()
    shown = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    return f"{make.__name__}({', '.join(shown)})"
