"""Whether a score tells samples with known faults from real data, on the side it declares.

Controls (`benchbench.metrics.controls`) on the kit's own data: a first test, in seconds. On your
own data `bench run --controls` repeats it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from benchbench.api import CONTROL_DRAWS, NotAvailable, ScoreSpec
from benchbench.testing.metric_cases import MetricCase
from benchbench.testing.metric_subject import MetricSubject
from benchbench.testing.outcomes import NotApplicable, ensure

__all__ = ["catches", "direction"]

PLAIN = ("noise", "collapsed")
"""Controls that a score must tell from real data, one at least, to have a better side."""
Draws = dict[str, list[float]]


def direction(subject: MetricSubject) -> None:
    """a score with a better side finds real data better than noise, or than one example repeated"""
    directed = [score for score in _scores(subject) if score.direction != "none"]
    if not directed:
        raise NotApplicable("no score has a better side")
    for case in _cases(subject):
        real, *faulty = (_draws(subject, case, control) for control in ("real", *PLAIN))
        for score in directed:
            if score.name not in real:
                continue
            good = fmean(real[score.name])
            bad = [fmean(found[score.name]) for found in faulty if score.name in found]
            sign = 1 if score.direction == "max" else -1
            ensure(
                not bad or any(sign * good > sign * value for value in bad),
                f"{case.kind}: {score.name} says {score.direction!r} is better, but is {good:.4g} "
                f"for held-out real data and {' and '.join(f'{v:.4g}' for v in bad)} for "
                f"{' and '.join(PLAIN)}",
            )


def catches(subject: MetricSubject) -> None:
    """each control it says it catches scores worse than real data, every draw than every draw"""
    scores = [score for score in _scores(subject) if score.catches]
    if not scores:
        raise NotApplicable("no score says that it catches a control")
    for case in _cases(subject):
        real = _draws(subject, case, "real")
        for control in dict.fromkeys(c for score in scores for c in score.catches):
            drawn = _draws(subject, case, control)
            for score in scores:
                there = score.name in real and score.name in drawn
                if control in score.catches and there:
                    _told(score, case, control, real[score.name], drawn[score.name])


def _told(
    score: ScoreSpec, case: MetricCase, control: str, real: Sequence[float], drawn: Sequence[float]
) -> None:
    above, below = min(drawn) > max(real), max(drawn) < min(real)
    told = {"min": above, "max": below, "none": above or below}[score.direction]
    ensure(
        told,
        f"{case.kind}: {score.name} does not tell {control!r} ({min(drawn):.4g} to "
        f"{max(drawn):.4g} in {CONTROL_DRAWS} draws) from held-out real data ({min(real):.4g} to "
        f"{max(real):.4g}), which it declares to catch",
    )


def _scores(subject: MetricSubject) -> tuple[ScoreSpec, ...]:
    if not subject.spec.of_samples:
        raise NotApplicable("the metric does not measure samples alone")
    return subject.spec.scores


def _cases(subject: MetricSubject) -> list[MetricCase]:
    return [found.case for found in subject.real()]


def _draws(subject: MetricSubject, case: MetricCase, control: str) -> Draws:
    """The value of each draw by score; empty where the control or the metric has none."""
    values: Draws = defaultdict(list)
    try:
        for found in subject.draws(case, control, CONTROL_DRAWS):
            for (name, _), value in found.values().items():
                values[name].append(value)
    except NotAvailable:
        return {}
    return dict(values)
