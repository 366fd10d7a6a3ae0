"""fvcore.common.param_scheduler: functions of the progress through the run"""

from oracle.table import Pair, Peer

PEER = Peer("FV", "fvcore", package="fvcore")


def rates(call: str, count: int, base: float) -> list[float]:
    from fvcore.common import param_scheduler

    # They know no length: the caller divides the step t by it.
    value_at = eval(f"lambda t: {call}", vars(param_scheduler))
    return [float(value_at(t)) for t in range(count)]


FRACTION = "It takes the fraction of the run, t/n, and says nothing past 1."
RATES = FRACTION + " All values are rates."

PAIRS = (
    Pair(
        1,
        "ConstantParamScheduler({b})(t / {n})",
        "Constant()",
        ({"b": 1.0, "n": 10}, {"b": 3e-4, "n": 37}),
        difference="It takes the fraction of the run, t/n, and raises at 1.",
        base="b",
        count="n",
    ),
    Pair(
        3,
        "LinearParamScheduler({b}, {e})(t / {n})",
        "Linear({n}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 10}, {"b": 3e-4, "e": 1e-5, "n": 37}),
        difference=RATES,
        base="b",
        count="n + 1",
    ),
    Pair(
        4,
        "PolynomialDecayParamScheduler({b}, {p})(t / {n})",
        "Polynomial({n}, {p})",
        ({"b": 1.0, "p": 2, "n": 10}, {"b": 3e-4, "p": 0.9, "n": 37}),
        difference=FRACTION,
        base="b",
        count="n + 1",
    ),
    Pair(
        9,
        "CosineParamScheduler({b}, {e})(t / {n})",
        "Cosine({n}, end={e / b})",
        ({"b": 1.0, "e": 0.0, "n": 10}, {"b": 3e-4, "e": 1e-5, "n": 37}),
        difference=RATES,
        base="b",
        count="n + 1",
    ),
    Pair(
        16,
        "ExponentialParamScheduler({b}, {g})(t / {n})",
        "Exponential({g}, {n})",
        ({"b": 1.0, "g": 0.02, "n": 10}, {"b": 3e-4, "g": 0.5, "n": 37}),
        difference="decay is the factor over the whole run. " + FRACTION,
        base="b",
        count="2 * n",
    ),
    Pair(
        30,
        "StepWithFixedGammaParamScheduler({b}, num_decays={k}, gamma={g}, num_updates={n})"
        "(t / {n})",
        "Step({n / (k + 1)}, {g})",
        ({"b": 1.0, "k": 3, "g": 0.1, "n": 120}, {"b": 3e-4, "k": 2, "g": 0.5, "n": 37}),
        difference="num_decays drops, evenly over the run. " + FRACTION,
        base="b",
        count="n",
    ),
    Pair(
        32,
        "MultiStepParamScheduler({list(v)}, milestones={[p, q, n]})(t / {n})",
        "Table({[[p, v[0]], [q - p, v[1]], [n - q, v[2]]]})",
        (
            {"v": (0.1, 0.01, 0.001), "p": 30, "q": 80, "n": 120},
            {"v": (1.0, 0.5, 0.7), "p": 1, "q": 2, "n": 37},
        ),
        difference="Boundaries at positions, the last one the length; ours are lengths.",
        count="n + 1",
    ),
    Pair(
        32,
        "MultiStepParamScheduler({list(v)}, num_updates={n})(t / {n})",
        "Table({[[ceil(n / 3), v[0]], [ceil(n / 3), v[1]], [n - 2 * ceil(n / 3), v[2]]]})",
        ({"v": (0.1, 0.01, 0.001), "n": 120}, {"v": (1.0, 0.5, 0.7), "n": 37}),
        difference="Without milestones: equal parts, rounded up.",
        count="n + 1",
    ),
    Pair(
        32,
        "StepParamScheduler(num_updates={n}, values={list(v)})(t / {n})",
        "Table({[[n / 3, v[0]], [n / 3, v[1]], [n / 3, v[2]]]})",
        ({"v": (0.1, 0.01, 0.001), "n": 120}, {"v": (1.0, 0.5, 0.7), "n": 37}),
        difference="Equal parts of the run, which need not be whole; it raises at 1.",
        count="n",
    ),
    Pair(
        71,
        "CompositeParamScheduler([LinearParamScheduler({s}, {b}), CosineParamScheduler({b}, {e})], "
        "lengths={[w / n, 1 - w / n]}, interval_scaling=['rescaled', 'rescaled'])(t / {n})",
        "Warmup({w}, start={s / b}) >> Cosine({n - w}, end={e / b})",
        (
            {"b": 1.0, "s": 0.001, "e": 0.0, "w": 10, "n": 100},
            {"b": 3e-4, "s": 1e-6, "e": 1e-5, "w": 7, "n": 37},
        ),
        difference="The lengths are fractions of the run.",
        base="b",
        count="n + 1",
    ),
    Pair(
        71,
        "CompositeParamScheduler([LinearParamScheduler({s}, {b}), CosineParamScheduler({b}, {e})], "
        "lengths={[w / n, 1 - w / n]}, interval_scaling=['rescaled', 'fixed'])(t / {n})",
        "Warmup({w}, start={s / b}) >> Cosine({n}, end={e / b}).skip({w})",
        ({"b": 1.0, "s": 0.001, "e": 0.0, "w": 10, "n": 100},),
        difference="'fixed' shows the child the whole run's progress, as skip does.",
        base="b",
        count="n + 1",
    ),
)
