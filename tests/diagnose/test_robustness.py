"""No curve breaks a rule: not too short, too long, constant, huge, or full of what is none."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsize.diagnose import RULES, Curve, findings

# Reals of every size, and now and then something that is none.
values = st.one_of(
    st.floats(),
    st.floats(-10, 10),
    st.sampled_from([0.0, 1.0, 1e-300, 1e300, float("nan"), float("inf")]),
)


@st.composite
def curves(draw: st.DrawFn, most: int = 120) -> Curve:
    kind = draw(st.sampled_from(["drawn", "constant", "line", "random"]))
    count = draw(st.integers(0, most))
    drawn = st.lists(values, min_size=1, max_size=12)
    positions = np.arange(float(count))
    if draw(st.booleans()):
        positions = np.resize(draw(drawn), count)
    match kind:
        case "drawn":
            points = np.resize(draw(drawn), count)
        case "constant":
            points = np.full(count, draw(values))
        case "line":
            points = np.linspace(draw(st.floats(-1e9, 1e9)), draw(st.floats(-1e9, 1e9)), count)
        case _:
            points = np.random.default_rng(draw(st.integers(0, 9))).standard_normal(count)
    return positions.astype(np.float64), points.astype(np.float64)


runs = st.builds(
    lambda quantities, metrics: SimpleNamespace(quantities=quantities, metrics=metrics),
    st.dictionaries(st.sampled_from(["lr", "lr/body", "lr/head", "momentum"]), curves()),
    st.dictionaries(
        st.sampled_from(
            ["loss", "val_loss", "grad_norm", "epoch", "update_ratio/body", "update_ratio/head"]
        ),
        curves(),
    ),
)


@settings(max_examples=200)
@given(runs, st.none() | st.integers(1, 1_000), st.none() | st.floats(0.1, 100))
def test_any_curves_give_findings_or_none(
    run: SimpleNamespace, steps: int | None, steps_per_epoch: float | None
) -> None:
    for finding in findings(run, steps=steps, steps_per_epoch=steps_per_epoch):
        assert finding.rule in [rule.name for rule in RULES]
        assert np.isfinite([finding.start, finding.end, *finding.numbers.values()]).all()


@settings(max_examples=50)
@given(st.integers(0, 99), st.floats(1e-3, 1e3), st.floats(1e-3, 1), st.integers(400, 3_000))
def test_a_good_run_at_any_scale_has_no_finding(
    seed: int, scale: float, peak: float, steps: int
) -> None:
    at = np.arange(float(steps))
    random = np.random.default_rng(seed)
    rates = peak * np.minimum((at + 1) / (0.05 * steps), (steps - at) / (0.95 * steps))
    # A power law of the summed rate, less what the decay takes away.
    spent = np.cumsum(rates) / rates.sum()
    clean = 1 + 2 * (0.02 + spent) ** -0.5 + 2 * rates / peak
    clean[at < 0.05 * steps] = clean[int(0.05 * steps)]
    run = SimpleNamespace(
        quantities={"lr": (at, rates)},
        metrics={"loss": (at, scale * (clean + 0.05 * random.standard_normal(steps)))},
    )
    assert [finding.rule for finding in findings(run, steps=steps)] == []


def test_a_million_points_are_no_trouble() -> None:
    at = np.arange(1e6)
    noise = 0.1 * np.random.default_rng(0).standard_normal(1_000_000)
    loss = 3 / (1 + at / 1_000) + noise
    loss[900_000:] = np.nan
    run = SimpleNamespace(quantities={"lr": (at, 1 - at / 1e6)}, metrics={"loss": (at, loss)})
    [finding] = findings(run)
    assert (finding.rule, finding.start) == ("diverged", 900_000)


def test_a_log_without_curves_has_no_finding() -> None:
    assert findings(SimpleNamespace(quantities={}, metrics={})) == ()
