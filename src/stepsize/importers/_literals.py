"""Python files as data: literals are read from the syntax tree, and nothing is run."""

import ast
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from stepsize.errors import TextError

__all__ = ["Computed", "read_literals"]

_LARGEST_NUMBER: Final = 1e30
_LARGEST_EXPONENT: Final = 64
_DEEPEST: Final = 80

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
}


class Computed(str):
    """A value that the file computes: its source, in place of what it would be."""

    __slots__ = ()


def read_literals(call: str, text: str) -> dict[str, Any]:
    """The names that a Python file assigns, with their values where these are written out.

    Numbers, texts, lists, dictionaries, ``dict(...)`` calls, arithmetic on numbers and names that
    were assigned before are read; of a class its attributes. Everything else is ``Computed``.

    Args:
        call: What is being read, for the messages.
        text: The file.

    Raises:
        TextError: It is not Python.

    >>> read_literals("example", "epochs = 12\\noptimizer = dict(lr=0.02 / 8, steps=epochs * 10)")
    {'epochs': 12, 'optimizer': {'lr': 0.0025, 'steps': 120}}
    """
    _check_nesting(call, text)
    try:
        tree = ast.parse(text)
        values: dict[str, Any] = {}
        _read_body(tree.body, values)
        return values
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TextError(
            call,
            "it must be Python",
            " ".join(str(error).split())[:150],
            "Correct the file, or write the schedule as an expression.",
        ) from error


def _check_nesting(call: str, text: str) -> None:
    # Python's own parser takes long for a deep text, or overflows.
    depth = 0
    for character in text:
        if character in "([{":
            depth += 1
            if depth > _DEEPEST:
                raise TextError(call, f"brackets nest at most {_DEEPEST} levels deep")
        elif character in ")]}":
            depth = max(0, depth - 1)


def _read_body(body: list[ast.stmt], values: dict[str, Any]) -> None:
    for statement in body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                _assign(targets, value, values)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values[name] = _value(value, values)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                values[name] = _calculated(op, values.get(name), _value(value, values), statement)
            case ast.ClassDef(name=name, body=inside):
                attributes = dict(values)
                _read_body(inside, attributes)
                values[name] = {
                    key: each
                    for key, each in attributes.items()
                    if key not in values or values[key] is not each
                }
            case ast.If() | ast.For() | ast.While() | ast.With() | ast.Try():
                # Which of the branches runs is not known here.
                for inner in ast.walk(statement):
                    if isinstance(inner, ast.Assign):
                        for target in inner.targets:
                            if isinstance(target, ast.Name):
                                values[target.id] = Computed(_source(inner.value))
            case _:
                pass


def _assign(targets: list[ast.expr], value: ast.expr, values: dict[str, Any]) -> None:
    given = _value(value, values)
    for target in targets:
        match target:
            case ast.Name(id=name):
                values[name] = given
            case ast.Tuple(elts=names) if isinstance(given, list):
                for each, part in zip(names, cast(list[Any], given), strict=False):
                    if isinstance(each, ast.Name):
                        values[each.id] = part
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as key)):
                inside = values.get(name)
                if isinstance(inside, dict):
                    values[name] = {**cast(dict[str, Any], inside), key: given}
            case _:
                pass


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_value(item, known) for item in items]
        case ast.Dict(keys=keys, values=values):
            return _mapping(zip(keys, values, strict=True), node, known)
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            pairs = [
                (None if each.arg is None else ast.Constant(each.arg), each.value)
                for each in keywords
            ]
            return _mapping(pairs, node, known)
        case ast.Call(func=ast.Name(id="int" | "float" | "round" as kind), args=[argument]):
            inside = _value(argument, known)
            if isinstance(inside, int | float):
                return {"int": int, "float": float, "round": round}[kind](inside)
            return Computed(_source(node))
        case ast.Name(id=name):
            return known.get(name, Computed(name))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inside = _value(operand, known)
            return -inside if isinstance(inside, int | float) else Computed(_source(node))
        case ast.BinOp(left=left, op=op, right=right):
            return _calculated(op, _value(left, known), _value(right, known), node)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            inside = known.get(name)
            attributes = cast(dict[str, Any], inside) if isinstance(inside, dict) else {}
            return attributes.get(attribute, Computed(_source(node)))
        case _:
            return Computed(_source(node))


def _mapping(pairs: Any, node: ast.expr, known: Mapping[str, Any]) -> Any:
    found: dict[str, Any] = {}
    for key, value in pairs:
        given = _value(value, known)
        if key is None:  # **other
            if not isinstance(given, dict):
                return Computed(_source(node))
            found |= cast(dict[str, Any], given)
        else:
            found[str(_value(key, known))] = given
    return found


def _calculated(op: ast.operator, left: Any, right: Any, node: ast.AST) -> Any:
    numbers = all(
        isinstance(each, int | float) and abs(each) <= _LARGEST_NUMBER for each in (left, right)
    )
    if not numbers:
        return Computed(_source(node))
    try:
        if isinstance(op, ast.Pow):
            return left**right if abs(right) <= _LARGEST_EXPONENT else Computed(_source(node))
        return _OPERATORS[type(op)](left, right)
    except (KeyError, ArithmeticError):
        return Computed(_source(node))


def _source(node: ast.AST) -> str:
    try:
        return ast.unparse(node)[:200]
    except RecursionError:
        return "..."
