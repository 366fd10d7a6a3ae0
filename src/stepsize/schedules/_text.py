"""The text form: ``parse`` reads what ``repr`` writes, by walking the syntax tree.

Nothing is evaluated and nothing is imported. Names are those of the classes and recipes; numbers
are finite literals; the operators and methods are the algebra's.
"""

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from stepsize.errors import InvalidType, InvalidValue, LimitExceeded, TextError
from stepsize.schedules import _algebra, _cycles, _function, _recipes, _shapes
from stepsize.schedules._absolute import Absolute
from stepsize.schedules._algebra import ALGEBRA_METHODS, Product, Schedule, Sum, then
from stepsize.schedules._expression import MAX_NESTING, MAX_NODES, MAX_TEXT

__all__ = ["known_names", "parse"]

_FOUND_AT_BUILD = (InvalidValue, InvalidType, TypeError)


def known_names() -> Mapping[str, Callable[..., Schedule]]:
    """Every name that ``parse`` can call, with what it calls: schedule classes and recipes."""
    names: dict[str, Callable[..., Schedule]] = {}
    for module in (_shapes, _cycles, _function, _recipes):
        for name in module.__all__:
            if name != "schedule_function":
                names[name] = getattr(module, name)
    return names


def parse(text: str) -> Schedule | Absolute:
    """Read a schedule from its text form: ``parse(repr(s)) == s``.

    Args:
        text: An expression such as ``"Warmup(500) >> Cosine(9500, end=0.1)"``: at most 100,000
            characters, 1,000 nodes and 64 levels of nesting. It may be marked ``Absolute(...)``.

    Returns:
        The schedule, or the marked one.

    Raises:
        TextError: The text is no schedule; the message points at the place.
        InvalidType: ``text`` is no string.

    >>> from stepsize import parse
    >>> parse("Warmup(500) >> Cosine(9_500, end=0.1)")
    Warmup(500) >> Cosine(9500, end=0.1)
    >>> parse("Cosine(-1)")
    Traceback (most recent call last):
        ...
    stepsize.errors.TextError: Cosine(-1): steps must be a finite number and at least 0...
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidType(
            f"parse({text!r}): a text is needed, but this is a {type(text).__name__}."
        )
    _check_limits(text)
    # Brackets let a text span lines; they move the first line's columns by one.
    try:
        tree = ast.parse(f"({text}\n)", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", 1) or 1
        offset = (getattr(error, "offset", 1) or 1) - (2 if line == 1 else 1)
        _fail(text, "this is no expression", line, offset, cause=error)
    return _Reader(text).read(tree.body)


# ------------------------------------------------------------------ before the parser

_TOKENS = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
      | (?P<name>[^\W\d]\w*)
      | (?P<string>'[^'\\\n]*'|"[^"\\\n]*")
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<operator>>>|\*(?!\*)|\+)
      | (?P<minus>-(?=[\d.]))
      | (?P<dot>\.)
      | (?P<rest>[,:=])""",
    re.VERBOSE,
)


def _check_limits(text: str) -> None:
    """Refuse what Python's parser would choke on before it sees it."""
    if len(text) > MAX_TEXT:
        raise TextError(
            f"parse({text[:40]!r}...): a schedule's text has at most {MAX_TEXT:,} characters, but "
            f"this has {len(text):,}. Is it the right file?"
        )
    if not text.strip():
        raise TextError(
            f"parse({text!r}): there is nothing in this text. Example: 'Warmup(500) >> Cosine(9500)'."
        )
    position = depth = nodes = 0
    while position < len(text):
        token = _TOKENS.match(text, position)
        if token is None:
            _fail_at(text, position, f"{text[position]!r} has no meaning in a schedule")
        kind = token.lastgroup
        if kind == "open":
            depth += 1
            nodes += text[position] == "("
        elif kind == "close":
            depth -= 1
        elif kind == "operator":
            nodes += 1
        if depth > MAX_NESTING:
            _fail_at(text, position, f"brackets nest more than {MAX_NESTING} levels deep here")
        if depth < 0:
            _fail_at(text, position, "this bracket closes nothing")
        # A node is written with at most one call bracket, one bracket around it and one operator.
        if nodes > 3 * MAX_NODES:
            _fail_at(
                text, position, f"an expression has at most {MAX_NODES:,} nodes; too many here"
            )
        position = token.end()
    if depth > 0:
        _fail_at(text, len(text) - 1, "a bracket is never closed")


def _fail_at(text: str, position: int, message: str) -> NoReturn:
    line = text.count("\n", 0, position) + 1
    _fail(text, message, line, position - (text.rfind("\n", 0, position) + 1))


def _fail(
    text: str, message: str, line: int, column: int, cause: BaseException | None = None
) -> NoReturn:
    """Raise with the offending line, cut to what fits a terminal, and a caret under the place."""
    lines = text.splitlines() or [""]
    line = min(max(line, 1), len(lines))
    shown, column = lines[line - 1].expandtabs(1), max(column, 0)
    left = max(0, column - 50)
    window = shown[left : left + 78]
    place = f" (line {line})" if len(lines) > 1 else ""
    raise TextError(f"{message}{place}\n    {window}\n    {' ' * (column - left)}^") from cause


# ------------------------------------------------------------------ the syntax tree

_OPERATORS: Mapping[type[ast.operator], str] = {ast.RShift: ">>", ast.Mult: "*", ast.Add: "+"}


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._known = known_names()

    def read(self, root: ast.expr) -> Schedule | Absolute:
        if _called_name(root) == "Absolute":
            call = cast(ast.Call, root)
            if len(call.args) != 1 or call.keywords:
                self._fail(call, "Absolute(...) takes one schedule and nothing else")
            return Absolute(self._schedule(call.args[0]))
        return self._schedule(root)

    def _schedule(self, node: ast.expr) -> Schedule:
        value = self._operand(node)
        if not isinstance(value, Schedule):
            self._fail(node, f"a schedule is needed here, but {value!r} is a number", _HOLD)
        return value

    def _operand(self, node: ast.expr) -> Schedule | float:
        if isinstance(node, ast.BinOp):
            return self._operation(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Name):
            self._unknown(node, node.id)
        return self._number(node)

    def _operation(self, node: ast.BinOp) -> Schedule:
        kind = type(node.op)
        if kind not in _OPERATORS:
            self._fail(node, "only >>, * and + join schedules")
        operands: list[ast.expr] = []
        left: ast.expr = node
        # A long chain leans to the left: walk it, so that its length costs no recursion.
        while isinstance(left, ast.BinOp) and type(left.op) is kind:
            operands.append(left.right)
            left = left.left
        operands.append(left)
        operands.reverse()
        values = [self._operand(each) for each in operands]
        schedules = [value for value in values if isinstance(value, Schedule)]
        if kind is ast.RShift and len(schedules) < len(values):
            number = next(e for e, v in zip(operands, values, strict=True) if v not in schedules)
            self._fail(number, "only schedules follow each other with >>", _HOLD)
        if not isinstance(values[0], Schedule) and not isinstance(values[1], Schedule):
            self._fail(node, "numbers are not calculated with: write the result")
        if kind is ast.RShift:
            return self._build(node, then, schedules)
        return self._build(node, Product if kind is ast.Mult else Sum, tuple(values))

    def _call(self, node: ast.Call) -> Schedule:
        target = node.func
        if isinstance(target, ast.Name):
            if target.id == "Absolute":
                self._fail(node, "Absolute(...) marks a whole expression: it must be outermost")
            if target.id not in self._known:
                self._unknown(target, target.id)
            make = self._known[target.id]
            texts = make is _function.Function
        elif isinstance(target, ast.Attribute):
            if target.attr not in ALGEBRA_METHODS:
                self._fail(
                    target,
                    f".{target.attr} is no method of a schedule's text",
                    f"There are: {', '.join(f'.{name}()' for name in ALGEBRA_METHODS)}.",
                )
            make = getattr(self._schedule(target.value), target.attr)
            texts = False
        else:
            self._fail(node, "only names of schedules and recipes can be called")
        if any(keyword.arg is None for keyword in node.keywords):
            self._fail(node, "** has no meaning in a schedule")
        arguments = [self._argument(each, texts) for each in node.args]
        keywords = {str(k.arg): self._argument(k.value, texts) for k in node.keywords}
        return self._build(node, make, *arguments, **keywords)

    def _build(self, node: ast.expr, make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return make(*args, **kwargs)
        except LimitExceeded as error:
            raise TextError(str(error)) from error
        except _FOUND_AT_BUILD as error:
            self._fail(node, _without_internals(str(error)), cause=error)

    def _argument(self, node: ast.expr, text_allowed: bool) -> Any:
        if isinstance(node, ast.List | ast.Tuple):
            return [self._argument(each, False) for each in node.elts]
        if isinstance(node, ast.Dict):
            if any(key is None for key in node.keys):
                self._fail(node, "** has no meaning in a schedule")
            keys = [self._number(cast(ast.expr, key)) for key in node.keys]
            if len(set(keys)) < len(keys):
                self._fail(node, "a position appears twice in this mapping")
            return dict(zip(keys, map(self._number, node.values), strict=True))
        if isinstance(node, ast.Constant) and node.value is None:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and text_allowed:
            return node.value
        return self._number(node)

    def _number(self, node: ast.expr) -> float:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        literal = cast(ast.UnaryOp, node).operand if negative else node
        if not isinstance(literal, ast.Constant):
            self._fail(node, "a number is needed here")
        value: object = literal.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fail(node, f"a number is needed here, but this is {value!r}")
        if not math.isfinite(value):
            self._fail(node, "a number must be finite, but this one is infinite")
        return -value if negative else value

    def _unknown(self, node: ast.expr, name: str) -> NoReturn:
        close = [known for known in self._known if known.lower() == name.lower()]
        remedy = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(self._known)}."
        self._fail(node, f"{name!r} is no schedule or recipe", remedy)

    def _fail(
        self, node: ast.expr, message: str, remedy: str = "", cause: BaseException | None = None
    ) -> NoReturn:
        # ast counts columns in UTF-8 bytes.
        line_text = (self._text.splitlines() or [""])[node.lineno - 1]
        in_bytes = node.col_offset - (1 if node.lineno == 1 else 0)
        column = len(line_text.encode()[: max(in_bytes, 0)].decode(errors="ignore"))
        _fail(self._text, f"{message}. {remedy}".rstrip(". ") + ".", node.lineno, column, cause)


_HOLD = "For a constant value write Hold(steps, value), or Constant(value) as the last phase."


def _called_name(node: ast.expr) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def _without_internals(message: str) -> str:
    # Python's own TypeError for a wrong arity says "Cosine.__init__() takes ..., but ... given",
    # counting the instance itself.
    return message.replace(".__init__()", "()")
