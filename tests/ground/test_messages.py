"""A message is a value that becomes text in one place."""

import ast
import io
import json
import math
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract
from hypothesis import given
from hypothesis import strategies as st

import stepsize
from stepsize.errors import InvalidType, InvalidValue
from stepsize.messages import Message, render

PACKAGE = Path(stepsize.__file__).parent

numbers = st.floats(allow_nan=False) | st.integers(-(10**15), 10**15)
texts = st.text(max_size=20)


@st.composite
def messages(draw: st.DrawFn, depth: int = 1) -> Message:
    values: dict[str, object] = {
        "rate": draw(numbers),
        "count": draw(st.integers(0, 10**9)),
        "name": draw(texts),
        "names": draw(st.lists(texts, max_size=3)),
    }
    template = "{rate:rate} {count:count|group|groups} {name:name} {names:names}"
    if depth:
        values["inner"] = draw(messages(depth=depth - 1))
        template += " {inner:message}"
    return Message(template, **values)


@given(messages())
def test_a_message_survives_json_and_pickling(message: Message) -> None:
    assert Message.from_dict(json.loads(json.dumps(message.to_dict()))) == message
    copied = pickle.loads(pickle.dumps(message))
    assert (copied, hash(copied), str(copied)) == (message, hash(message), str(message))


def test_a_field_is_written_by_its_kind() -> None:
    message = Message(
        "{rate:rate}; {loss:number 2}; {at:position}; {n:count|step|steps}; {part:percent}; "
        "{left:duration}; {metric:name}; {groups:names or}",
        rate=0.0003,
        loss=1.23456,
        at=12_500_000,
        n=1,
        part=0.234,
        left=7_380,
        metric="val_loss",
        groups=["body", "head", "bias"],
    )
    assert str(message) == (
        "3e-4; 1.2; 12.5M; 1 step; 23 %; 2 h 3 min; val_loss; body, head or bias"
    )


def test_another_language_changes_the_words_and_keeps_the_fields() -> None:
    inner = Message("{n:count|batch|batches}", n=3)
    message = Message("Skipped {what:message} at {rate:rate}.", what=inner, rate=0.1)
    chinese = {
        "Skipped {what:message} at {rate:rate}.": "在学习率 {rate:rate} 处跳过 {what:message}。",
        "{n:count|batch|batches}": "{n:count|个批次|个批次}",
    }
    assert render(message, lambda template: chinese[template]) == "在学习率 0.1 处跳过 3 个批次。"


@pytest.mark.parametrize(
    ("template", "fields", "error"),
    [
        ("{a}", {"a": 1}, InvalidValue),
        ("{a:colour}", {"a": 1}, InvalidValue),
        ("{a:rate", {"a": 1}, InvalidValue),
        ("{0:rate}", {}, InvalidValue),
        ("{a:rate}", {}, InvalidValue),
        ("nothing", {"a": 1}, InvalidValue),
        ("{a:rate}", {"a": "3e-4"}, InvalidType),
        ("{a:count}", {"a": True}, InvalidType),
        ("{a:name}", {"a": 1}, InvalidType),
        ("{a:names}", {"a": "one"}, InvalidType),
        ("{a:message}", {"a": 1.0}, InvalidType),
    ],
)
def test_a_message_that_could_not_be_rendered_cannot_be_built(
    template: str, fields: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Message(template, **fields)


def test_numbers_that_are_not_finite_are_written_too() -> None:
    assert str(Message("{a:number} {b:rate}", a=math.nan, b=math.inf)) == "nan inf"


# ------------------------------------------------------------------ in the source


def calls_of_message() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Message":
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def templates() -> set[str]:
    return {
        node.args[0].value
        for _, node in calls_of_message()
        if node.args and isinstance(node.args[0], ast.Constant)
    }


def test_every_template_is_a_plain_literal() -> None:
    calls = dict(calls_of_message())
    assert calls
    assert [
        place
        for place, node in calls.items()
        if len(node.args) != 1 or not isinstance(node.args[0], ast.Constant)
    ] == []


def test_every_template_fits_the_fields_of_its_call() -> None:
    for place, node in calls_of_message():
        if any(each.arg is None for each in node.keywords):
            continue  # fields that are given as a dictionary are checked when it runs
        template = node.args[0].value  # type: ignore[attr-defined]
        places = {name for _, name, _, _ in _parsed(template) if name}
        assert places == {each.arg for each in node.keywords}, place


def _parsed(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    from string import Formatter

    return list(Formatter().parse(template))


def test_babel_extracts_every_template_by_the_name_of_the_class() -> None:
    extracted = {
        found[1]
        for path in PACKAGE.rglob("*.py")
        for found in extract("python", io.BytesIO(path.read_bytes()), keywords={"Message": None})
    }
    assert templates() <= extracted
