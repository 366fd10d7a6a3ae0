"""Every rule sees its fault, spares what just has not got it, and names its numbers."""

import math

import pytest

from stepsize import Absolute, InvalidType, InvalidValue, parse
from stepsize.lint import RULES, USUAL_RATES, Example, Remark, Rule, review


def remarks(example: Example) -> tuple[Remark, ...]:
    return review(
        parse(example.schedule),
        example.steps,
        steps_per_epoch=example.steps_per_epoch,
        optimizer=example.optimizer,
        base=example.base,
    )


def names(text: str, steps: int | None, **known: object) -> list[str]:
    return [each.rule for each in review(parse(text), steps, **known)]  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_speaks_of_its_fault_alone(rule: Rule) -> None:
    [remark] = remarks(rule.faulty)
    assert (remark.rule, remark.severity, remark.source) == (rule.name, rule.severity, rule.source)
    assert remark.finding.endswith(".")
    assert remark.remedy
    assert remark.numbers
    assert all(math.isfinite(number) for number in remark.numbers.values())
    assert 0 <= remark.start < remark.end


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_silent_where_its_fault_just_is_not(rule: Rule) -> None:
    assert rule.name not in [remark.rule for remark in remarks(rule.sound)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_needs_the_length_is_not_said_without_it(rule: Rule) -> None:
    known = rule.faulty
    said = names(known.schedule, None, optimizer=known.optimizer, base=known.base)
    assert said == ([] if rule.needs_length else [rule.name])


def test_no_two_rules_have_one_name() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


# ------------------------------------------------------------------ the numbers that are found


def found(text: str, steps: int | None, rule: str, **known: object) -> Remark:
    given = review(parse(text), steps, **known)  # type: ignore[arg-type]
    [remark] = [each for each in given if each.rule == rule]
    return remark


def test_a_schedule_longer_than_the_run_is_told_where_it_ends() -> None:
    remark = found("Linear(12500)", 10_000, "outlasts_run", base=1e-3)
    assert remark.numbers["length"] == 12_500
    assert remark.numbers["end"] == pytest.approx(2e-4)
    assert "ends at 2e-4" in remark.finding
    assert (remark.start, remark.end) == (10_000, 12_500)


def test_wasted_updates_at_the_end_are_counted() -> None:
    remark = found("Cosine(9000)", 10_000, "zero_tail")
    assert remark.numbers == {"updates_at_zero": 1_000}
    assert (remark.start, remark.end) == (9_000, 10_000)
    assert "10 % of the run" in remark.finding


def test_updates_wasted_at_the_start_are_counted() -> None:
    remark = found("Hold(10, value=0) >> Linear(90)", 100, "first_update_at_zero")
    assert remark.numbers == {"updates_at_zero": 10}
    assert ".skip(10)" in remark.remedy


def test_numbers_are_rates_once_the_base_is_known_and_multiples_before() -> None:
    assert found("Warmup(9)", 10, "never_decays").numbers["peak"] == 1
    assert found("Warmup(9)", 10, "never_decays", base=0.1).numbers["peak"] == 0.1
    assert "1 × base" in found("Warmup(9)", 10, "never_decays").finding


def test_the_values_of_an_absolute_schedule_are_its_rates() -> None:
    schedule = Absolute(parse("Linear(100, start=0.5)"))  # type: ignore[arg-type]
    [remark] = review(schedule, 100, optimizer="radam", base=3e-4)
    assert remark.rule == "peak_above"
    assert remark.numbers["peak"] == 0.5


# ------------------------------------------------------------------ one cause, one remark


@pytest.mark.parametrize(
    ("text", "per_epoch"),
    [
        ("Cosine(90)", 1_000),
        ("Warmup(6).skip(1) >> Cosine(85)", 1_000),
        ("Step(30, 0.1)", 1_000),
        ("MultiStep({30: 0.1, 60: 0.1, 80: 0.1})", 1_000),
        ("Exponential(0.9)", 1_000),
        ("Cosine(10).repeat(stretch=2)", 1_000),
        ("(Cosine(90) >> Cosine(90, start=0, end=1)).repeat()", 1_000),
    ],
)
def test_a_curve_in_epochs_is_recognised_and_in_steps_it_is_well(
    text: str, per_epoch: float
) -> None:
    assert names(text, 90_000, steps_per_epoch=per_epoch) == ["curve_in_epochs"]
    stretched = f"({text}).per_epoch({per_epoch})"
    assert "curve_in_epochs" not in names(stretched, 90_000, steps_per_epoch=per_epoch)


def test_a_short_warmup_is_not_taken_for_epochs() -> None:
    assert names("Warmup(6).skip(1) >> Constant()", 900, steps_per_epoch=10) == ["never_decays"]


def test_a_schedule_over_after_a_moment_may_count_epochs_even_if_nobody_says_so() -> None:
    assert ".per_epoch" in found("Cosine(90)", 90_000, "zero_tail").remedy
    assert ".per_epoch" not in found("Cosine(80000)", 90_000, "zero_tail").remedy


def test_the_remedies_that_are_written_out_work() -> None:
    assert names("Linear(12500).over(10000)", 10_000) == []
    assert names("Cosine(7900, end=0.1).over(10000)", 10_000) == []
    assert names("Cosine(7900, end=0.1) >> Hold(2100, value=0.1)", 10_000) == []
    assert names("Warmup(1001).skip(1) >> Cosine(9000)", 10_000, optimizer="adamw") == []


@pytest.mark.parametrize(
    "text",
    [
        "Cosine(1000).repeat()",
        "(Warmup(101).skip(1) >> Cosine(900)).repeat()",
        "Cosine(1000).repeat(shrink=0.8)",
        "cyclic(500)",
        "cyclic(500, shrink=0.5)",
        "wsd(5000, 100, 500).repeat()",
    ],
)
def test_restarts_and_cycles_on_purpose_are_no_rise_by_accident(text: str) -> None:
    assert names(text, 10_000) == []


@pytest.mark.parametrize("warmup", ["", "Warmup(501).skip(1) >> "])
def test_a_cosine_beyond_its_half_is_found_with_and_without_a_warmup(warmup: str) -> None:
    wave = f"{warmup}(Cosine(2000) >> Cosine(2000, start=0, end=1)).repeat()"
    assert "rises_again" in names(wave, 6_000)
    assert names(wave, None) == ["rises_again"]
    assert "rises_again" not in names(wave, 2_000)


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.3])
def test_seeded_noise_is_no_jump(spread: float) -> None:
    assert names(f"warmup_cosine(10000, 500) * Noise({spread})", 10_000) == []


def test_a_run_without_any_rate_is_said_once() -> None:
    assert names("Constant(0)", 100) == ["zero_tail"]
    assert names("Constant(-1)", 100) == ["negative_rate"]


def test_runs_too_long_to_look_at_every_step_are_judged_alike() -> None:
    assert names("wsd(1e9, warmup=1e6, cooldown=2e8)", 10**9) == []
    assert names("Cosine(9e8)", 10**9) == ["zero_tail"]
    assert names("Linear(1.2e9)", 10**9) == ["outlasts_run"]


# ------------------------------------------------------------------ the table of rates


@pytest.mark.parametrize("name", USUAL_RATES)
def test_usual_rates_lie_within_their_bounds(name: str) -> None:
    (low, _), (high, _) = USUAL_RATES[name].lowest, USUAL_RATES[name].highest
    for base in (low, high, math.sqrt(low * high)):
        assert names("linear_to_zero(1000, 50)", 1_000, optimizer=name, base=base) == []
    assert names("linear_to_zero(1000, 50)", 1_000, optimizer=name, base=6 * high) == ["peak_above"]
    assert names("linear_to_zero(1000, 50)", 1_000, optimizer=name, base=low / 6) == ["peak_below"]


def test_an_optimizer_is_known_in_any_case_and_an_unknown_one_is_named() -> None:
    assert names("Cosine(100)", 100, optimizer="AdamW") == ["no_warmup"]
    with pytest.raises(InvalidValue, match=r"optimizer='adagrab'.*'adamw'.*leave it out"):
        names("Cosine(100)", 100, optimizer="adagrab")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"steps": 0}, InvalidValue),
        ({"steps": 2.5}, InvalidValue),
        ({"steps": "9"}, InvalidType),
        ({"steps": 9, "steps_per_epoch": 0}, InvalidValue),
        ({"steps": 9, "base": 0}, InvalidValue),
        ({"steps": 9, "base": math.inf}, InvalidValue),
    ],
)
def test_a_number_out_of_range_is_named(
    arguments: dict[str, object], error: type[Exception]
) -> None:
    named = list(arguments)[-1]
    with pytest.raises(error, match=f"review.*{named}={arguments[named]!r}"):
        review(parse("Cosine(9)"), **arguments)  # type: ignore[arg-type]


def test_a_text_is_told_to_go_through_parse() -> None:
    with pytest.raises(InvalidType, match=r"parse\(text\)"):
        review("Cosine(9)", 9)  # type: ignore[arg-type]
