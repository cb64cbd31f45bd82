"""What a trial tries: options drawn by optuna.

Trial 0 is the default configuration, so that a search shows what it gained. The draw of trial k
depends on the model, k, the search's seed and (TPE) the trials before k, so a search that was
stopped goes on with the options it would have had.

TPE: "Algorithms for Hyper-Parameter Optimization", Bergstra et al., 2011.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from benchbench.api import UsageError
from benchbench.api.seeding import derive_seed
from benchbench.tuning.space import Range, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["Sampler", "check_optuna", "propose"]

Sampler = Literal["random", "tpe"]


def check_optuna() -> None:
    """Raises UsageError where optuna is not installed."""
    from importlib.util import find_spec

    if find_spec("optuna") is None:
        raise UsageError("bench tune needs optuna: pip install 'benchbench[tune]'")


def propose(
    space: Space,
    past: Iterable[tuple[dict[str, Any], float | None]],
    *,
    sampler: Sampler,
    seed: int,
    model: str,
    trial: int,
    maximise: bool,
) -> dict[str, Any]:
    """The options of a trial; none for trial 0, the defaults.

    past: options and score of the finished trials, in order; None where a trial has no score.
    Only TPE looks at them.
    """
    if trial == 0:
        return {}
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    own = derive_seed(seed, "propose", model, trial) % 2**32
    kind = optuna.samplers.RandomSampler if sampler == "random" else optuna.samplers.TPESampler
    study = optuna.create_study(
        sampler=kind(seed=own), direction="maximize" if maximise else "minimize"
    )
    spans = {name: _distribution(span) for name, span in space.items()}
    for options, score in past if sampler == "tpe" else ():
        if options:  # the defaults need not lie in the space
            state = TrialState.FAIL if score is None else TrialState.COMPLETE
            study.add_trial(
                create_trial(params=options, distributions=spans, value=score, state=state)
            )
    return study.ask(spans).params


def _distribution(span: Range | tuple[Any, ...]) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if not isinstance(span, Range):
        return CategoricalDistribution(span)
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)
