"""Calls that are compared take turns, in an order shuffled anew each round."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping

__all__ = ["in_turn"]


def in_turn(
    calls: Mapping[str, Callable[[], object]],
    clock: Callable[[], float],
    *,
    rounds: int,
    seconds: float = 0.0,
) -> tuple[dict[str, float], int]:
    """The median seconds of each call by `clock`, and of how many rounds; one before them warms up.

    rounds: the fewest; there are as many as make `seconds` of the first call. Which call finds
    memory as the last one left it would be the same in every round without the shuffling.
    """
    for call in calls.values():
        call()
    first, order, shuffled = next(iter(calls)), list(calls), random.Random(0)
    times: dict[str, list[float]] = {name: [] for name in calls}
    while len(times[first]) < rounds or sum(times[first]) < seconds:
        shuffled.shuffle(order)
        for name in order:
            began = clock()
            calls[name]()
            times[name].append(clock() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}, len(times[first])
