"""Write docs/en/guard.md and its picture: ``make bench-guard``, about two minutes.

How early ``Guard`` notices that a training goes wrong, and how often it cries wolf, on the training
losses of published runs: as they are, with their noise amplified, and with a fault put into them.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks import faulty_logs
from benchmarks.faulty_logs import PublishedRun, Sample, training_runs
from benchmarks.published_curves import curves_folder
from stepsize import Observation
from stepsize.controllers import Guard
from stepsize.plot import plot_curves, save

__all__ = ["first_alarm", "main"]

Array: TypeAlias = NDArray[np.float64]
Rule: TypeAlias = Callable[[Array], int | None]
"""From the losses to the number of the first at which there is an alarm."""

_DOCS: Final = Path(__file__).parent.parent / "docs"

_NOISES: Final = (1, 3, 10)
_RISES: Final = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
_SPIKES: Final = (3.0, 5.0, 7.0, 10.0, 15.0, 25.0)
_MARGINS: Final = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5)
_SCORES: Final = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0)
_NEVER: Final = 1e9

_WANDERING_LOGS: Final = 20
_WANDERING_LENGTH: Final = 2_000
_WANDERING_RISES: Final = (2.5, 4.0, 6.0, 10.0)
_CORRELATIONS: Final = (0.0, 0.25, 0.5, 0.8)


def first_alarm(guard: Guard, losses: Iterable[float]) -> int | None:
    """The number of the first loss at which ``guard`` asks for a rewind."""
    state = guard.init()
    for number, loss in enumerate(losses):
        state, decisions = guard.observe(state, Observation({"loss": float(loss)}))
        if decisions:
            return number
    return None


# ------------------------------------------------------------------ rules, and what they are shown


def _unlearning(rise: float) -> Rule:
    guard = Guard(rise=rise, spike=_NEVER)
    return lambda losses: first_alarm(guard, losses)


def _spiking(spike: float, patience: int = Guard.spike_patience) -> Rule:
    guard = Guard(rise=_NEVER, spike=spike, spike_patience=patience)
    return lambda losses: first_alarm(guard, losses)


def _fixed_margin(margin: float) -> Rule:
    """As ``Guard`` does, but with a fixed part of the lowest loss instead of the log's noise."""

    def first(losses: Array) -> int | None:
        mean = weight = 0.0
        best, above = np.inf, 0
        for number, loss in enumerate(losses):
            mean, weight = 0.9 * mean + 0.1 * loss, 0.9 * weight + 0.1
            best = min(best, mean / weight)
            above = above + 1 if mean / weight > (1 + margin) * best else 0
            if above == Guard.patience:
                return number
        return None

    return first


def _is_false(sample: Sample, rule: Rule) -> bool:
    return rule(sample.losses) is not None


def _is_noticed(sample: Sample, rule: Rule) -> bool:
    alarm = rule(sample.losses)
    return alarm is not None and sample.onset is not None and alarm >= sample.onset


def _share(asked: Iterable[bool]) -> float:
    return float(np.mean(list(asked)))


@dataclass(frozen=True)
class _Operating:
    """What one threshold gives: the shares of false alarms by noise, and of noticed faults."""

    threshold: float
    false: Sequence[float]
    noticed: Sequence[float]


def _operating(
    rule: Callable[[float], Rule],
    thresholds: Sequence[float],
    healthy: Sequence[Sequence[Sample]],
    faulty: Sequence[Sequence[Sample]],
) -> list[_Operating]:
    points: list[_Operating] = []
    for threshold in thresholds:
        asked = rule(threshold)
        points.append(
            _Operating(
                threshold,
                [_share(_is_false(one, asked) for one in each) for each in healthy],
                [_share(_is_noticed(one, asked) for one in each) for each in faulty],
            )
        )
    return points


# ------------------------------------------------------------------ the page

_INTRODUCTION: Final = """\
# The guard, checked on published runs

`Guard` asks for a rewind when a training goes wrong: at once when a number is not finite, after
three losses in a row that are far above the usual, and when the smoothed loss has been well above
its lowest for 20 logs. "Well above" follows the noise of the log itself, so one setting serves a
smooth log and a rough one.

Here it reads {count} published logs of training losses: {llama} of a 124M Llama (Schaipp et al.
2025, [arXiv 2501.18965](https://arxiv.org/abs/2501.18965)) and {others} of smaller Llamas (Luo et
al. 2025, [arXiv 2503.12811](https://arxiv.org/abs/2503.12811)). Cosine with a peak rate of 0.005
**diverged**: its loss climbs slowly, by two nats in all, and never comes back. The others are
healthy. `make bench-guard` regenerates this page; `STEPSIZE_CURVES` names the folder with the data.

At its default settings the guard flags the diverged run at step **{flagged:,}** of 50,000, and none
of the {healthy} healthy ones.
"""

_UNLEARNING: Final = """
## Un-learning: the threshold `rise`

How often there is an alarm in a healthy run, and how often a climb is noticed that was put into it:
from a random log on, by 0.3 to 3 nats, with a time constant of 5 to 50 logs. The same with 3 and 10
times the noise about the curve's moving median, in which the smaller climbs drown. Bold is the
default; it stays clear of the first false alarms by a factor, and pays for that with small climbs.
"""

_ROC: Final = """
All noises together, over the threshold of each rule: `Guard` with its margin in multiples of the
log's noise; the same rule with a fixed part of the lowest loss as its margin; and a robust z-score
of single losses, which sees spikes and misses what climbs slowly.

![Noticed climbs over false alarms](../images/guard_roc.png)

| | noticed with at most 1 % false alarms | at most 5 % |
| --- | ---: | ---: |
"""

_SPIKES_TEXT: Final = """
## Spikes: the threshold `spike`

The same for spikes of 3 to 10 losses, 0.5 to 3 nats high, three in a row being asked for: one odd
batch alone is no reason to go back. These logs would allow a lower threshold than the default. They
are means over 50 steps and more, though; the losses of single small batches have heavier tails.
"""

_WANDERING_TEXT: Final = """
## Where it cries wolf: noise that wanders

The noise is measured from one log to the next. Where neighbouring logs deviate alike, the smoothed
loss wanders further than that says. False alarms in {count} logs of {length:,} normal losses that
fall from 4 to 1, by how the noise of neighbours is correlated. In the median, the published logs
have a correlation of {published:.2f} about their moving median. Where yours is large, raise `rise`.

"""

_LIMITS: Final = """
## What this does not show

One diverged run is one; the other faults were put in by us. All logs are of language models, every
50 to 128 steps. A loss that is *meant* to rise, by a warm restart or a new task, looks like
un-learning: `When(predicate, Guard())` looks away there.
"""


def main() -> None:
    """Write the page."""
    folder = curves_folder()
    runs = training_runs(folder) if folder else []
    if not runs:
        sys.exit("benchmarks.guard: STEPSIZE_CURVES names no folder with the published curves.")
    diverged = [run for run in runs if run.diverged]
    sound = [run for run in runs if not run.diverged]
    alarms = [first_alarm(Guard(), run.losses) for run in sound]
    if len(diverged) != 1 or any(alarm is not None for alarm in alarms):
        sys.exit("benchmarks.guard: there is a false alarm, or not one diverged run; see the test.")
    (bad,) = diverged
    healthy = [faulty_logs.healthy(sound, noise) for noise in _NOISES]
    climbing = [list(faulty_logs.climbing(samples)) for samples in healthy]
    spiking = [list(faulty_logs.with_spike(samples)) for samples in healthy]
    rules: dict[str, tuple[Callable[[float], Rule], Sequence[float]]] = {
        "margin in multiples of the noise (Guard)": (_unlearning, _RISES),
        "margin a fixed part of the lowest loss": (_fixed_margin, _MARGINS),
        "z-score of single losses": (lambda score: _spiking(score, patience=1), _SCORES),
    }
    points = {
        name: _operating(rule, thresholds, healthy, climbing)
        for name, (rule, thresholds) in rules.items()
    }
    _draw(points)
    llama = sum("slimpajama" in run.name for run in runs)
    parts = [
        _INTRODUCTION.format(
            count=len(runs),
            llama=llama,
            others=len(runs) - llama,
            flagged=_flagged(Guard(), bad),
            healthy=len(sound),
        ),
        _UNLEARNING,
        _table(
            "rise",
            next(iter(points.values())),
            Guard.rise,
            {"diverged run": lambda rise: f"{_flagged(Guard(rise=rise, spike=_NEVER), bad):,}"},
        ),
        _ROC,
        *(
            f"| {name} | {_best(each, 0.01):.0%} | {_best(each, 0.05):.0%} |\n"
            for name, each in points.items()
        ),
        _SPIKES_TEXT,
        _table("spike", _operating(_spiking, _SPIKES, healthy, spiking), Guard.spike, {}),
        *_wandering_section(sound),
        _LIMITS,
    ]
    page = _DOCS / "en" / "guard.md"
    page.write_text("".join(parts), encoding="utf-8")
    print(f"wrote {page}")


def _flagged(guard: Guard, run: PublishedRun) -> int:
    alarm = first_alarm(guard, run.losses)
    return 0 if alarm is None else int(run.steps[alarm])


def _table(
    name: str,
    points: Sequence[_Operating],
    default: float,
    more: dict[str, Callable[[float], str]],
) -> str:
    head = [
        f"`{name}`",
        *(f"false alarms, noise × {noise}" for noise in _NOISES),
        *(f"noticed, noise × {noise}" for noise in _NOISES),
        *more,
    ]
    lines = ["", f"| {' | '.join(head)} |", f"|{' ---: |' * len(head)}"]
    for point in points:
        number = f"{point.threshold:g}"
        cells = [
            f"**{number}**" if point.threshold == default else number,
            *(f"{share:.1%}" for share in point.false),
            *(f"{share:.0%}" for share in point.noticed),
            *(shown(point.threshold) for shown in more.values()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _best(points: Sequence[_Operating], most_false: float) -> float:
    """The most that is noticed where no more than ``most_false`` of the alarms are false."""
    allowed = [
        float(np.mean(point.noticed)) for point in points if np.mean(point.false) <= most_false
    ]
    return max(allowed, default=0.0)


def _wandering_section(runs: Sequence[PublishedRun]) -> Iterator[str]:
    residuals = [run.losses - faulty_logs.noisier(run.losses, 0) for run in runs]
    # A curve that falls at every log is its own moving median and shows no noise.
    published = [np.corrcoef(each[1:], each[:-1])[0, 1] for each in residuals if each.any()]
    yield _WANDERING_TEXT.format(
        count=_WANDERING_LOGS, length=_WANDERING_LENGTH, published=np.median(published)
    )
    yield f"| correlation | {' | '.join(f'`rise={rise:g}`' for rise in _WANDERING_RISES)} |\n"
    yield f"|{' ---: |' * (1 + len(_WANDERING_RISES))}\n"
    for correlation in _CORRELATIONS:
        logs = [faulty_logs.wandering(seed, correlation) for seed in range(_WANDERING_LOGS)]
        shares = [
            _share(_is_false(Sample(losses), _unlearning(rise)) for losses in logs)
            for rise in _WANDERING_RISES
        ]
        yield f"| {correlation:g} | {' | '.join(f'{share:.0%}' for share in shares)} |\n"


def _draw(points: dict[str, list[_Operating]]) -> None:
    shares = np.linspace(0, 0.5, 501)
    axes = plot_curves(
        {
            name: np.array([100 * _best(each, share) for share in shares])
            for name, each in points.items()
        },
        positions=100 * shares,
        xlabel="healthy runs with an alarm, %",
        ylabel="climbs noticed, %",
        title="a slow climb of the loss, noticed by three rules over their thresholds",
    )
    folder = _DOCS / "images"
    folder.mkdir(parents=True, exist_ok=True)
    save(axes, folder / "guard_roc.png")


if __name__ == "__main__":
    main()
