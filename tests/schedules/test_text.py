"""The text form: what is built is read back, and whatever else is read is refused with a caret."""

import math
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stepsize import (
    Absolute,
    Cosine,
    Function,
    Hold,
    Horizon,
    Linear,
    MultiStep,
    Schedule,
    Step,
    Table,
    Warmup,
    cyclic,
    one_cycle,
    parse,
    schedule_function,
    wsd,
)
from stepsize.errors import (
    InvalidType,
    InvalidValue,
    LimitExceeded,
    TextError,
    UnregisteredFunction,
)
from stepsize.schedules.algebra import ALGEBRA_METHODS
from stepsize.schedules.text import known_names
from stepsize.testing.schedules import any_schedule

EXAMPLES = settings().max_examples


# ------------------------------------------------------------------ there and back


@settings(max_examples=3 * EXAMPLES)
@given(any_schedule())
def test_what_is_built_is_read_back(schedule: Schedule) -> None:
    for text in (repr(schedule), schedule.text, f" (\n{schedule!r}\t)\r\n"):
        assert parse(text) == schedule
        assert repr(parse(text)) == repr(schedule)
        assert hash(parse(text)) == hash(schedule)
    assert parse(Absolute(schedule).text) == Absolute(schedule)


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Warmup(500) >> Cosine(9_500, end=0.1), "Warmup(500) >> Cosine(9500, end=0.1)"),
        ((Hold(2) >> Linear(3)) * 0.5 + 1, "(Hold(2) >> Linear(3)) * 0.5 + 1"),
        ((Hold(2) + 1) * Linear(3), "(Hold(2) + 1) * Linear(3)"),
        ((Hold(2) * 3).skip(1).over(10), "(Hold(2) * 3).skip(1).over(10)"),
        (2 * Hold(2) * Linear(3), "Hold(2) * Linear(3) * 2"),
        (Hold(2, -1) + -0.5, "Hold(2, value=-1) + -0.5"),
        (Linear(1).repeat(shrink=0.5), "Linear(1).repeat(shrink=0.5)"),
        (Linear(1).clip(high=2), "Linear(1).clip(high=2)"),
        (Linear(1).clip(0, 1e-300), "Linear(1).clip(0, 1e-300)"),
        (MultiStep({4: 0.1, 2: 0.5}), "MultiStep({2: 0.5, 4: 0.1})"),
        (Table(((1, 2), (3, 4.5))), "Table([[1, 2], [3, 4.5]])"),
        (wsd(100, 10, 20), "Warmup(11).skip(1) >> Hold(70) >> Linear(20)"),
        (Absolute(Step(3, 0.1)), "Absolute(Step(3, 0.1))"),
    ],
)
def test_the_text_is_what_one_would_type(schedule: Schedule | Absolute, text: str) -> None:
    assert repr(schedule) == schedule.text == text
    assert parse(text) == schedule


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("wsd(100, warmup=10, cooldown=20)", wsd(100, 10, 20)),
        ("one_cycle(1_000)", one_cycle(1_000)),
        ("cyclic(10, low=.25, shrink=5e-1)", cyclic(10, low=0.25, shrink=0.5)),
        ("2 * (Hold(1) + 1.) * 3", (Hold(1) + 1) * 2 * 3),
        ("((Hold((1))))", Hold(1)),
        ("Hold(\n  steps = 1,\n)\n  >> Linear(2,)", Hold(1) >> Linear(2)),
        ("Table([(1, 2), [3, - 4]])", Table([[1, 2], [3, -4]])),
        ("Linear(9).clip(None, .5).repeat(None)", Linear(9).clip(high=0.5).repeat()),
    ],
)
def test_other_spellings_are_read_too(text: str, schedule: Schedule) -> None:
    assert parse(text) == schedule


# ------------------------------------------------------------------ the place of a mistake

MISTAKES = """
Cosine(10) >> Bosine(10)
              ^ 'Bosine' is not a schedule or recipe. There are: Constant, Cosine,
cosine(10)
^ 'cosine' is not a schedule or recipe. Did you mean Cosine?
Hold(1) >> Cosine(-1)
           ^ Cosine(-1): steps must be a finite number and at least 0 .* but is -1
Hold(1) * Linear()
          ^ Linear(steps, start=1, end=0): missing a required argument: 'steps'
Linear(1, 2, 3, 4)
^ Linear(steps, start=1, end=0): too many positional arguments
Linear(1, stop=2)
^ Linear(steps, start=1, end=0): got an unexpected keyword argument 'stop'
Linear(1, steps=2)
^ Linear(steps, start=1, end=0): multiple values for argument 'steps'
Hold(steps=1, steps=2)
              ^ 'steps' is given twice
Hold(steps=1, 2)
              ^ An argument without a name cannot follow a named one
wsd(10, 20, 5)
^ wsd(10, warmup=20, cooldown=5, end=0): warmup (20) and cooldown (5) must fit into total
Hold(1).speed(2)
        ^ 'speed' is not a method of a schedule's text. There are: .over(),
Hold(1).__class__
        ^ '__class__' is not a method
Hold.__init__.__globals__
    ^ Hold needs its arguments: Hold(steps, value=1), but here is '.'
Hold(1).length
        ^ 'length' is not a method
Hold(1).skip
            ^ skip needs its arguments: skip(steps), but the text ends
Hold(1).skip(-1)
        ^ Hold(1).skip(-1): steps must be
Hold(5) >> Constant(1) >> Linear(3)
           ^ Constant() is endless, so nothing can follow it
Step(3, 0.1).over(10)
             ^ Step(3, 0.1).over(10): Step(3, 0.1) is endless
Hold(1).over(0)
        ^ total must be a finite number
Hold(1) >> 2
           ^ Only schedules follow each other with >>
2 * 3 * Hold(1)
^ Numbers are not calculated with here
5
^ A schedule is needed here, but 5 is a number
Hold(1) ** 2
        ^ '*' has no meaning
Hold(1) - 1
        ^ Only >>, * and + join schedules, but here is '-'
Hold(1) / 2
        ^ '/' has no meaning
-Hold(1)
 ^ A schedule or a number is needed here, but here is 'Hold'
Hold(--1)
      ^ A number is needed here, but here is '-'
Hold(1) Hold(2)
        ^ Only >>, * and + join schedules, but here is 'Hold'
Hold(1) >>
          ^ A schedule or a number is needed here, but the text ends
Hold(1
      ^ A comma or ')' is needed here, but the text ends
Hold(1))
       ^ Only >>, * and + join schedules, but here is ')'
Hold(1]
      ^ A comma or ')' is needed here, but here is ']'
Hold(,)
     ^ A number is needed here, but here is ','
Hold(1)(2)
       ^ Only >>, * and + join schedules
Hold[1]
    ^ Hold needs its arguments
Hold(Hold(1))
     ^ A number is needed here, but here is 'Hold'
Hold(True)
     ^ A number is needed here, but here is 'True'
Hold('1')
^ Hold('1'): steps must be a finite number
Hold(nan)
     ^ A number is needed here, but here is 'nan'
Hold(inf)
     ^ A number is needed here, but here is 'inf'
Hold(1e999)
     ^ A number must be finite
Hold(1__0)
     ^ '1__0' is not a number
Hold(1j)
     ^ 'j' is not a unit. A duration is a number directly followed by
Hold(0x10)
     ^ 'x10' is not a unit
Hold(10ep)
     ^ 10ep is a duration .* Pass parse(text, horizon=Horizon(steps_per_epoch=...)).
Hold(1) >> Cosine(.5dur) >> Hold(2tok)
                  ^ .5dur is a duration .* horizon=Horizon(steps=...)
Hold(10 ep)
        ^ A comma or ')' is needed here, but here is 'ep'
Hold(１)
     ^ '１' has no meaning
Ｈold(1)
^ 'Ｈold' is not a schedule
Hold(*[1])
     ^ A number is needed here, but here is '*'
Hold(**{1: 2})
     ^ '*' has no meaning
MultiStep({1: 2, 1.0: 3})
                 ^ 1.0 appears twice
MultiStep({1: 2, 3})
                  ^ A mapping is written {position: factor, ...}
MultiStep({})
^ MultiStep({}): factors must be a mapping
Table([])
^ Table([]): rows must be a list of [steps, value] pairs
Table([[1, 2, 3]])
^ Table([[1, 2, 3]]): rows must be
lambda: Hold(1)
^ 'lambda' is not a schedule
[Hold(1) for x in y]
^ A schedule or a number is needed here
Hold(1) if 1 else Hold(2)
        ^ Only >>, * and + join schedules
f'{Hold(1)}'
^ 'f' is not a schedule
Hold(b'1')
     ^ A number is needed here, but here is 'b'
'Hold(1)'
^ A schedule or a number is needed here
Hold(1); Hold(2)
       ^ ';' has no meaning
Hold(1) # comment
        ^ '#' has no meaning
(x := Hold(1))
 ^ 'x' is not a schedule
print(1)
^ 'print' is not a schedule
__import__('os').system('true')
^ '__import__' is not a schedule
Absolute(Hold(1)) * 2
                  ^ Absolute(...) marks a whole expression: nothing can follow
2 * Absolute(Hold(1))
    ^ Absolute(...) marks a whole expression: it must be outermost
Absolute(Absolute(Hold(1)))
         ^ Absolute(...) marks a whole expression: it must be outermost
Absolute(1)
         ^ A schedule is needed here, but 1 is a number
Absolute(Hold(1), 2)
                ^ Absolute(...) takes one schedule and nothing else
Function('nobody')
^ no function is registered under this name
"""


def mistakes() -> list[Any]:
    lines = MISTAKES.strip().split("\n")
    return [
        pytest.param(text, note.index("^"), note.partition("^ ")[2], id=text)
        for text, note in zip(lines[::2], lines[1::2], strict=True)
    ]


@pytest.mark.parametrize(("text", "column", "message"), mistakes())
def test_a_mistake_is_pointed_at(text: str, column: int, message: str) -> None:
    with pytest.raises(TextError) as refused:
        parse(text)
    said, line, caret = str(refused.value).rsplit("\n", 2)
    assert line == f"    {text}"
    assert caret == f"    {' ' * column}^"
    for part in message.split(" .* "):
        assert part in said


def test_in_a_text_of_several_lines_the_line_is_named_and_shown() -> None:
    with pytest.raises(TextError) as refused:
        parse("Hold(1)\r\n  >> Linear(2)\r\n  >> Bad(3)\r\n")
    assert str(refused.value).startswith("Line 3: 'Bad' is not a schedule")
    assert str(refused.value).split("\n")[1:] == ["      >> Bad(3) ", "         ^"]


def test_of_a_long_line_the_part_around_the_mistake_is_shown() -> None:
    text = " >> ".join(["Hold(1)"] * 100)
    with pytest.raises(TextError) as refused:
        parse(text + " >> ?" + text)
    _, line, caret = str(refused.value).split("\n")
    assert len(line) < 90
    assert line[caret.index("^")] == "?"


def test_control_characters_do_not_reach_the_terminal() -> None:
    with pytest.raises(TextError) as refused:
        parse("Hold(1) \x1b[2J\u202e\x00")
    assert str(refused.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("text", ["", " ", "\n\t\r\n"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(TextError, match="nothing in this text"):
        parse(text)


@pytest.mark.parametrize("text", [None, 3, b"Hold(1)", Hold(1), ["Hold(1)"]], ids=repr)
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(InvalidType, match="a text is needed"):
        parse(text)


# ------------------------------------------------------------------ durations

HORIZON = Horizon(steps=10_000, steps_per_epoch=500, tokens_per_step=4096, samples_per_step=64)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("Warmup(500ba) >> Cosine(9ep, end=0.1)", Warmup(500) >> Cosine(4500, end=0.1)),
        ("wsd(1dur, warmup=.01dur, cooldown=2e-1dur)", wsd(10_000, 100, 2_000)),
        ("2 * Hold((3ep)) + 1", Hold(1500) * 2 + 1),
        ("MultiStep({1_0ep: 0.1, 15ep: 0.1})", MultiStep({5_000: 0.1, 7_500: 0.1})),
        ("Table([[1e6sp, 1], (4_096_000tok, 2)])", Table([[15_625, 1], [1_000, 2]])),
        ("Linear(1ep).over(1dur).skip(.5ep)", Linear(500).over(10_000).skip(250)),
        ("Absolute(Step(every=30ep, factor=0.1))", Absolute(Step(15_000, 0.1))),
    ],
)
def test_a_duration_may_stand_where_steps_are_counted(
    text: str, schedule: Schedule | Absolute
) -> None:
    read = parse(text, horizon=HORIZON)
    assert read == schedule
    assert read.text == schedule.text
    assert parse(read.text) == schedule


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("Hold(1) >> Hold(2sec)", "2sec", "'sec' is not a unit"),
        ("Hold(2EP)", "2EP", "'EP' is not a unit"),
        ("Hold(1__0ep)", "1__0ep", "'1__0' is not a number"),
        ("Hold(1, value=1ep)", "1ep", "1ep is a duration, and this is a value"),
        ("Step(1ep, 0.1dur)", "0.1dur", "0.1dur is a duration, and this is a value"),
        ("Hold(1) * 2ep", "2ep", "A schedule or a number is needed here"),
        ("MultiStep({1ep: 2ep})", "2ep", "A number is needed here"),
        ("Hold(-1ep)", "1ep", "A number is needed here"),
        ("Hold('1ep')", "'1ep'", "A duration stands without quotes: 1ep."),
        ("Hold(1, 2, 3ep)", "Hold", "too many positional arguments"),
        ("MultiStep({1ep: 1, 500: 1})", "500", "500 appears twice"),
        ("Hold(9e15dur)", "9e15dur", "at most 2^53 optimizer steps"),
    ],
)
def test_a_duration_elsewhere_or_of_another_form_is_pointed_at(
    text: str, place: str, message: str
) -> None:
    with pytest.raises(TextError) as refused:
        parse(text, horizon=HORIZON)
    said, line, caret = str(refused.value).rsplit("\n", 2)
    assert message in said
    assert line[caret.index("^") :].startswith(place)


def test_a_duration_that_the_horizon_cannot_count_names_what_is_missing() -> None:
    with pytest.raises(TextError) as refused:
        parse("Warmup(500ba) >> Cosine(9ep) >> Hold(1tok)", horizon=Horizon(steps=10_000))
    said, line, caret = str(refused.value).rsplit("\n", 2)
    assert "epochs need steps_per_epoch, but Horizon(steps=10000) has none" in said
    assert "Give Horizon(steps_per_epoch=...)" in said
    assert line[caret.index("^") :].startswith("9ep")


@pytest.mark.parametrize("horizon", [500, {"steps": 500}, Horizon], ids=str)
def test_what_is_no_horizon_is_refused(horizon: Any) -> None:
    with pytest.raises(InvalidType, match="a Horizon is needed"):
        parse("Hold(1)", horizon=horizon)


# ------------------------------------------------------------------ limits

TOO_LARGE = {
    "10 MB": "Hold(1) >> " * 1_000_000,
    "10 MB of one number": "9" * 10_000_000,
    "10,000 brackets": "(" * 10_000,
    "10,000 closed brackets": "(" * 10_000 + "Hold(1)" + ")" * 10_000,
    "10,000 lists": "Table(" + "[" * 10_000,
    "a chain of 9,000": " >> ".join(["Hold(1)"] * 9_000),
    "a sum of 20,000 numbers": "Hold(1)" + " + 1" * 20_000,
    "a chain of 10,000 methods": "Hold(1)" + ".skip(1)" * 10_000,
    "65 methods": "Hold(1)" + ".skip(1)" * 65,
    "90,000 minuses": "Hold(" + "-" * 90_000 + "1)",
    "90,000 attributes": "Hold(1)" + ".a" * 45_000,
    "a number of 5,000 digits": f"Hold({'9' * 5_000})",
    "a number of 400 digits": f"Hold({'9' * 400})",
    "a number of 5,000 zeros": f"Hold({'0' * 5_000}1)",
    "90,000 digits of epochs": f"Hold({'1_' * 45_000}ep)",
    "a unit of 90,000 letters": f"Hold(1{'e' * 90_000})",
    "90,000 dots": "." * 90_000,
    "90,000 nots": "not " * 22_500 + "1",
    "90,000 lambdas": "lambda:" * 12_000 + "1",
    "90,000 ifs": "1 if 1 else " * 7_500 + "1",
    "90,000 strings": "'a'" * 30_000,
    "an f-string of brackets": "f'" + "{" * 90_000 + "'",
    "90,000 commas": "Hold(" + "1," * 45_000 + ")",
    "90,000 keywords": "Hold(" + "a=1," * 22_000 + ")",
    "90,000 mappings": "MultiStep({" + "1:1," * 22_000 + "})",
    "90,000 spaces": " " * 90_000 + "?",
    "90,000 unclosed quotes": "'" * 89_999,
    "90,000 unclosed texts": "Function('" * 9_000,
    "90,000 underscores": "_" * 90_000,
}


@pytest.mark.parametrize("text", TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_is_refused_and_not_by_crashing(text: str) -> None:
    with pytest.raises(TextError) as refused:
        parse(text)
    assert len(str(refused.value)) < 120_000


def deep(levels: int) -> Schedule:
    schedule: Schedule = Hold(1)
    for level in range(levels - 1):
        schedule = schedule + Hold(1) if level % 2 else schedule * Hold(1)
    return schedule


def wrapped(levels: int) -> Schedule:
    schedule: Schedule = Hold(1)
    for _ in range(levels - 1):
        schedule = schedule.skip(1)
    return schedule


def joined(count: int, join: Callable[[Schedule, Any], Schedule], operand: Any) -> Schedule:
    schedule: Schedule = Linear(1)
    for _ in range(count - 1):
        schedule = join(schedule, operand)
    return schedule


def of_characters(count: int) -> Schedule:
    rows, rest = divmod(count - len("Table([[1, 1]])"), len("[1, 1], "))
    return Table([[1, 1]] * rows + [[1, 10**rest]])


LARGEST: dict[str, tuple[Callable[[int], Schedule], int]] = {
    "64 levels of sums in products": (deep, 64),
    "64 levels of methods": (wrapped, 64),
    "1,000 nodes of a sequence": (lambda n: joined(n - 1, Schedule.__rshift__, Hold(1)), 1_000),
    "1,000 nodes of a sum": (lambda n: joined(n - 1, Schedule.__add__, Hold(1)), 1_000),
    "1,000 nodes of numbers": (lambda n: joined(n - 1, Schedule.__add__, 1), 1_000),
    "100,000 characters": (of_characters, 100_000),
}


@pytest.mark.parametrize(("build", "size"), LARGEST.values(), ids=LARGEST)
def test_what_may_be_built_may_be_read_and_the_next_larger_may_not_be_built(
    build: Callable[[int], Schedule], size: int
) -> None:
    largest = build(size)
    assert parse(largest.text) == largest
    with pytest.raises(LimitExceeded, match="an expression has at most"):
        build(size + 1)


def test_the_mark_absolute_counts_too() -> None:
    longest = Absolute(of_characters(100_000 - len("Absolute()")))
    assert len(longest.text) == 100_000
    assert parse(longest.text) == longest
    with pytest.raises(LimitExceeded, match="100,000 characters"):
        Absolute(of_characters(100_001 - len("Absolute()")))


# ------------------------------------------------------------------ fuzzing

WORDS = (
    "Hold Linear Step Table MultiStep Function Absolute wsd cyclic over skip until repeat clip "
    "staircase steps end None True inf nan lambda f b __class__"
)
SIGNS = "( ) [ ] { } , . : = >> * + - ** >>> / @ # ' \" \\ \\x00 \x00 \r \n \t 'x'"
DIGITS = "1 0 0.5 1e9 1e999 .5 1_000 1__0 99999999999999999999 ² １ Ｈ é"
DURATIONS = "1ep .5dur 1e-999999999tok 9e99ba"
FRAGMENTS = st.sampled_from(f"{WORDS} {SIGNS} {DIGITS} {DURATIONS}".split(" "))


def read(text: str) -> None:
    """Only a TextError may come out, or something that is read back."""
    with suppress(TextError):
        result = parse(text, horizon=HORIZON)
        assert parse(result.text) == result


@settings(max_examples=5 * EXAMPLES)
@given(st.text())
@example("\ud800")
@example("Hold(1)\u2028>>")
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)


@settings(max_examples=10 * EXAMPLES)
@given(st.lists(FRAGMENTS).map("".join) | st.lists(FRAGMENTS).map(" ".join))
def test_any_sequence_of_fragments_is_read_or_refused(text: str) -> None:
    read(text)


@settings(max_examples=5 * EXAMPLES)
@given(any_schedule(), st.data())
def test_any_damage_to_a_text_is_read_or_refused(schedule: Schedule, data: st.DataObject) -> None:
    text = repr(schedule)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 5, len(text))))
    read(text[:start] + data.draw(FRAGMENTS | st.text(max_size=2)) + text[end:])


@pytest.mark.parametrize(
    "arguments", ["", "1", "0", "-1", "1e300", "None", "'x'", "[1]", "{1: 1}", "1, 1", "1, 1, 1"]
)
def test_any_arguments_to_any_name_are_read_or_refused(arguments: str) -> None:
    for name in known_names():
        read(f"{name}({arguments})")
        for value in ("None", "-1", "'x'", "[1]", "1e300"):
            read(f"{name}({arguments}, end={value})")
            read(f"{name}({arguments}, low={value})")
            read(f"{name}({arguments}, steps={value})")
    for method in ALGEBRA_METHODS:
        read(f"Linear(3).{method}({arguments})")


# ------------------------------------------------------------------ functions


def test_a_registered_function_is_saved_under_its_name() -> None:
    @schedule_function("test-text.halved")
    def halved(t: Any) -> Any:
        return t / 2

    for schedule in (Function(halved), Function(halved, steps=5), Function("test-text.halved")):
        assert "'test-text.halved'" in schedule.text
        assert parse(schedule.text) == schedule
        assert parse((schedule * 2).text)(4) == 4
        assert parse(schedule.text).text == schedule.text


@pytest.mark.parametrize(
    "schedule",
    [
        Function(math.cos),
        Function(lambda t: t),
        Hold(3) >> Function(math.cos),
        Function(math.cos, 5).over(9) * 3,
    ],
    ids=["builtin", "lambda", "after", "inside"],
)
def test_an_unregistered_function_is_not_saved_and_the_remedy_is_named(schedule: Schedule) -> None:
    for whole in (schedule, Absolute(schedule)):
        with pytest.raises(UnregisteredFunction, match=r"@stepsize\.schedule_function"):
            _ = whole.text


def test_a_name_given_after_a_schedule_was_built_does_not_change_its_text() -> None:
    def late(t: Any) -> Any:
        return t

    before = Function(late)
    schedule_function("test-text.late")(late)
    with pytest.raises(UnregisteredFunction):
        _ = before.text
    assert Function(late).text == "Function('test-text.late')"


def test_a_name_belongs_to_one_function() -> None:
    def first(t: Any) -> Any:
        return t

    def second(t: Any) -> Any:
        return t

    class Scaled:
        def __call__(self, t: Any) -> Any:
            return t

    schedule_function("test-text.taken")(first)
    assert schedule_function("test-text.taken")(first) is first
    with pytest.raises(InvalidValue, match=r"belongs to .*first already"):
        schedule_function("test-text.taken")(second)
    schedule_function("test-text.object")(Scaled())
    with pytest.raises(InvalidValue, match="belongs to"):
        schedule_function("test-text.object")(Scaled())


@pytest.mark.parametrize("name", ["", "1st", "a b", "a'b", "a(b)", "é" * 101, "a\n", None, 3])
def test_a_malformed_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidValue, match="a name has letters"):
        schedule_function(name)


def test_parse_imports_nothing() -> None:
    code = """
import sys, stepsize
stepsize.parse("Warmup(5) >> Cosine(10).repeat(2)")
before = set(sys.modules)
for text in ("Function('json.tool')", "Function('antigravity.x')", "this.that", "import this"):
    try:
        stepsize.parse(text)
    except stepsize.TextError:
        continue
    raise SystemExit("not refused")
assert set(sys.modules) == before, set(sys.modules) - before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "text",
    [
        "(Hold(3) >> Linear(steps=2, end=-.5)) * 0.1 + 2",
        "MultiStep({1: 0.5, 2: 0.1}).clip(low=0.2, high=1).skip(3)",
        "Absolute(Table([[1, 2], (3, 4)]).over(9).repeat(None, 2))",
    ],
)
def test_a_text_that_breaks_off_anywhere_is_refused_or_whole(text: str) -> None:
    assert parse(text)
    refused = 0
    for end in range(len(text)):
        try:
            parse(text[:end])
        except TextError:
            refused += 1
    assert refused > len(text) / 2
