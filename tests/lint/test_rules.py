"""Every rule sees its fault, spares what just has not got it, and names its numbers."""

import math

import pytest

from stepsize import Absolute, InvalidType, InvalidValue, parse
from stepsize.lint import RULES, USUAL_RATES, Example, PlanRule, review
from stepsize.rules import Finding


def findings(example: Example) -> tuple[Finding, ...]:
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
def test_a_rule_speaks_of_its_fault_alone(rule: PlanRule) -> None:
    [finding] = findings(rule.faulty)
    assert (finding.rule, finding.level, finding.source) == (rule.name, rule.level, rule.source)
    assert str(finding.evidence).endswith(".")
    assert str(finding.remedy)
    assert finding.numbers
    assert all(math.isfinite(number) for number in finding.numbers.values())
    assert 0 <= finding.start < finding.end


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_silent_where_its_fault_just_is_not(rule: PlanRule) -> None:
    assert rule.name not in [finding.rule for finding in findings(rule.sound)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_needs_the_length_is_not_said_without_it(rule: PlanRule) -> None:
    known = rule.faulty
    said = names(known.schedule, None, optimizer=known.optimizer, base=known.base)
    assert said == ([] if rule.needs_length else [rule.name])


def test_no_two_rules_have_one_name() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


# ------------------------------------------------------------------ the numbers that are found


def found(text: str, steps: int | None, rule: str, **known: object) -> Finding:
    given = review(parse(text), steps, **known)  # type: ignore[arg-type]
    [finding] = [each for each in given if each.rule == rule]
    return finding


def test_a_schedule_longer_than_the_run_is_told_where_it_ends() -> None:
    finding = found("Linear(12500)", 10_000, "outlasts_run", base=1e-3)
    assert finding.numbers["length"] == 12_500
    assert finding.numbers["end"] == pytest.approx(2e-4)
    assert "ends at 2e-4" in str(finding.evidence)
    assert (finding.start, finding.end) == (10_000, 12_500)


def test_wasted_updates_at_the_end_are_counted() -> None:
    finding = found("Cosine(9000)", 10_000, "zero_tail")
    assert finding.numbers == {"updates_at_zero": 1_000}
    assert (finding.start, finding.end) == (9_000, 10_000)
    assert "10 % of the run" in str(finding.evidence)


def test_updates_wasted_at_the_start_are_counted() -> None:
    finding = found("Hold(10, value=0) >> Linear(90)", 100, "first_update_at_zero")
    assert finding.numbers == {"updates_at_zero": 10}
    assert ".skip(10)" in str(finding.remedy)


def test_numbers_are_rates_once_the_base_is_known_and_multiples_before() -> None:
    assert found("Warmup(9)", 10, "never_decays").numbers["peak"] == 1
    assert found("Warmup(9)", 10, "never_decays", base=0.1).numbers["peak"] == 0.1
    assert "1 × base" in str(found("Warmup(9)", 10, "never_decays").evidence)


def test_the_values_of_an_absolute_schedule_are_its_rates() -> None:
    schedule = Absolute(parse("Linear(100, start=0.5)"))  # type: ignore[arg-type]
    [finding] = review(schedule, 100, optimizer="radam", base=3e-4)
    assert finding.rule == "peak_above"
    assert finding.numbers["peak"] == 0.5


# ------------------------------------------------------------------ one cause, one finding


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
    assert ".per_epoch" in str(found("Cosine(90)", 90_000, "zero_tail").remedy)
    assert ".per_epoch" not in str(found("Cosine(80000)", 90_000, "zero_tail").remedy)


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


@pytest.mark.parametrize("half", [1, 2, 5, 12])
def test_a_smooth_rise_of_a_few_steps_is_no_jump(half: int) -> None:
    wave = f"(Cosine({half}) >> Cosine({half}, start=0, end=1)).repeat()"
    assert "rises_again" in names(wave, 6 * half)
    assert "jump_up" not in names(wave, 6 * half)


def test_a_rise_by_stairs_is_no_jump_and_a_jump_before_a_smooth_rise_is_one() -> None:
    wave = "(Cosine(5) >> Cosine(5, start=0, end=1)).staircase(1).per_epoch(100).repeat()"
    assert "rises_again" in names(wave, 3_000)
    assert "jump_up" not in names(wave, 3_000)
    assert "jump_up" in names("Linear(100) >> Linear(100, start=0.4, end=1)", 200)


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
