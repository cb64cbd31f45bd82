"""What a metric declares: options, scores, and which data and models it asks."""

from __future__ import annotations

import json
import math
import re
from typing import get_args

from benchbench.api import Bound, Direction, Score
from benchbench.testing.checks.declared import check_options
from benchbench.testing.metric_subject import MetricSubject
from benchbench.testing.outcomes import Breach, NotApplicable, ensure

__all__ = ["compute", "config_options", "detail", "features", "names", "needs", "scores", "values"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def config_options(subject: MetricSubject) -> None:
    """every option has a valid default that survives JSON, and a description"""
    check_options(subject.spec.config, "config")


def scores(subject: MetricSubject) -> None:
    """each score is declared with a name, a unit, a direction and a summary"""
    spec = subject.spec
    ensure(bool(spec.scores), "the spec declares no score")
    ensure(bool(spec.kinds), "the spec serves no data kind")
    names = [score.name for score in spec.scores]
    ensure(len(set(names)) == len(names), f"a score is declared twice: {', '.join(names)}")
    for score in spec.scores:
        ensure(
            bool(_NAME.fullmatch(score.name)),
            f"score {score.name!r}: a name is lower case letters, digits and _",
        )
        ensure(
            score.direction in get_args(Direction),
            f"score {score.name!r}: direction is {score.direction!r}; allowed: max, min, none",
        )
        ensure(bool(score.unit), f"score {score.name!r} has no unit; a pure number has '1'")
        ensure(bool(score.summary), f"score {score.name!r} has no summary")
        ensure(
            spec.of_samples or not score.catches,
            f"score {score.name!r} catches {', '.join(score.catches)}, but controls are samples "
            "alone, which this metric does not measure",
        )


def compute(subject: MetricSubject) -> None:
    """compute(evaluation, config) returns scores, or says in a line why there are none"""
    subject.measured()


def needs(subject: MetricSubject) -> None:
    """what works on samples alone (`needs`) has values of given samples and of a model's alike"""
    subject.measured()
    if subject.spec.needs == "model":
        return
    for case in subject.cases:
        real, model = subject.row(case, "real"), subject.row(case, "model")
        if subject.spec.scope == "variant" and isinstance(real, str) != isinstance(model, str):
            one, other = ("a model", "samples") if isinstance(real, str) else ("samples", "a model")
            reason = real if isinstance(real, str) else model
            raise Breach(
                f"{case.kind}: needs='samples', and there are scores of {one}, but none of {other}"
                f"{' alone' if other == 'samples' else ''}: {reason}"
            )


def names(subject: MetricSubject) -> None:
    """scores have declared names, each at most once under a condition, and a known bound"""
    declared = {score.name for score in subject.spec.scores}
    emitted = set()
    for found in subject.measured():
        keys = [(s.metric, s.condition) for s in found.scores]
        emitted |= {s.metric for s in found.scores}
        strange = {s.metric for s in found.scores} - declared
        ensure(
            not strange,
            f"{found.where}: score {', '.join(sorted(strange))} is not declared; declared: "
            f"{', '.join(sorted(declared))}",
        )
        ensure(
            len(set(keys)) == len(keys),
            f"{found.where}: two scores have one name and one condition; tell them apart by "
            "`condition`",
        )
        for score in found.scores:
            ensure(
                score.bound in get_args(Bound),
                f"{found.where}: bound of {score.metric} is {score.bound!r}; allowed: "
                f"{', '.join(get_args(Bound))}",
            )
    # Which scores a model has may follow from its capabilities; samples have them all.
    silent = declared - emitted if subject.spec.of_samples else set()
    ensure(not silent, f"{', '.join(sorted(silent))} is declared and never computed")


def values(subject: MetricSubject) -> None:
    """a score that is done is a finite number within its interval, any other has a reason"""
    for found in subject.measured():
        for s in found.scores:
            where = f"{found.where}: {s.metric}"
            if s.status == "done":
                _number(where, s)
            else:
                ensure(
                    s.status == "skipped" and bool(s.reason) and s.value is None,
                    f"{where} has status {s.status!r}, value {s.value!r}, reason {s.reason!r}; "
                    "without a value a score is `skipped`, with its reason",
                )


def _number(where: str, score: Score) -> None:
    value, low, high = score.value, score.ci_low, score.ci_high
    ensure(
        isinstance(value, int | float) and math.isfinite(value),
        f"{where} is {value!r}, not a finite number",
    )
    assert value is not None
    good = score.n is None or (isinstance(score.n, int) and score.n >= 1)
    ensure(good, f"{where} has n = {score.n!r}")
    ensure((low is None) == (high is None), f"{where} has one end of an interval only")
    if low is not None and high is not None:
        ensure(
            low <= value <= high,
            f"{where} is {value:.6g}, outside its interval [{low:.6g}, {high:.6g}]",
        )


def detail(subject: MetricSubject) -> None:
    """the detail of each score is JSON"""
    for found in subject.measured():
        for score in found.scores:
            try:
                json.dumps(score.detail, allow_nan=False, sort_keys=True)
            except (TypeError, ValueError) as error:
                message = f"{found.where}: the detail of {score.metric} is not JSON: {error}"
                raise Breach(message) from None


def features(subject: MetricSubject) -> None:
    """a metric that asks for features declares it, so that a run has an extractor for it"""
    asked = any(found.evaluation.asked_features for found in subject.measured())
    ensure(
        subject.spec.features or not asked,
        "compute asks for features, but the spec says features=False: `--extractor` would not "
        "reach it",
    )
    if not asked:
        raise NotApplicable("compute asks for no features")
