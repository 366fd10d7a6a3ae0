"""An error has fields, and one message made of them."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepsize
from stepsize import errors
from stepsize.errors import InvalidValue, MissingExtra, StepsizeError

PACKAGE = Path(stepsize.__file__).parent
CLASSES = {
    name
    for name in errors.__all__
    if issubclass(getattr(errors, name), StepsizeError)
    and name not in {"MissingExtra", "StepsizeError"}
}


def test_the_message_is_call_rule_value_remedy() -> None:
    error = InvalidValue("f(low=0)", "{low} must be above 0", "is 0", "Raise {low=}.", "low")
    assert str(error) == "f(low=0): low must be above 0, but is 0. Raise low=."
    assert error.told("stepsize find", {"low": "--low"}) == (
        "stepsize find: --low must be above 0, but is 0. Raise --low."
    )


def test_what_a_user_typed_is_never_rewritten() -> None:
    error = InvalidValue("f('{low}')", "{low} must be above 0", "is '{low=}'", argument="low")
    assert error.told(options={"low": "--low"}) == (
        "f('{low}'): --low must be above 0, but is '{low=}'."
    )


@given(st.text(max_size=5_000), st.text(max_size=5_000), st.text(max_size=100))
def test_no_message_is_longer_than_600_characters(call: str, value: str, remedy: str) -> None:
    assert len(str(InvalidValue(call, "it must hold", value, remedy))) <= 600


@pytest.mark.parametrize(
    "error",
    [
        InvalidValue("f()", "{a} must hold", "is 1", "Do.", "a"),
        MissingExtra("Drawing", "matplotlib", "plot"),
    ],
)
def test_an_error_crosses_processes(error: StepsizeError) -> None:
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), copied.call, copied.argument) == (
        type(error),
        str(error),
        error.call,
        error.argument,
    )


def raised() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in CLASSES:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_error_says_its_rule_apart_from_the_call() -> None:
    calls = list(raised())
    assert calls
    whole = [place for place, node in calls if len(node.args) + len(node.keywords) < 2]
    assert whole == []
