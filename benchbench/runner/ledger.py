"""The ledger of a training: what each phase was allowed and what it has spent, in every unit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from benchbench.api.budget import Budget, Unit
from benchbench.api.errors import PluginError

__all__ = ["BLOCK", "BLOCK_EVERY", "PROBE", "Ledger", "Phase", "Spend"]

BLOCK = 64
"""Consecutive steps at the start of a stretch whose FLOPs are counted one by one."""
BLOCK_EVERY = 4096
"""Steps of a stretch; after its block each is charged the block's mean."""
PROBE = 16
"""Steps of a block that are counted in any case; where each costs what it did in the block before,
the rest of the block is charged as it was there."""

_ROUNDING = 1e-9


@dataclass
class Spend:
    """An amount in every unit: seconds of device time, FLOPs, training examples, batches."""

    s: float = 0.0
    flop: float = 0.0
    img: int = 0
    step: int = 0

    def of(self, unit: Unit) -> float:
        """The amount in this unit."""
        return float(getattr(self, unit))

    def add(self, other: Spend) -> None:
        """Add another amount in place."""
        self.s += other.s
        self.flop += other.flop
        self.img += other.img
        self.step += other.step


@dataclass
class Phase:
    """One phase of `fit`.

    before: code between the previous phase and this one, charged to this one.
    block: FLOPs of each step of a block, as last counted.
    changed: whether a step of this block costs something else than in the block before.
    mean_flop: FLOPs a step in the last complete block.
    """

    name: str
    share: float
    allowance: float
    ceiling: float | None
    spend: Spend = field(default_factory=Spend)
    before: Spend | None = None
    block: list[int] = field(default_factory=lambda: [0] * BLOCK)
    changed: bool = True
    mean_flop: float = 0.0
    closed: bool = False
    ceiling_reached: bool = False

    def counting(self) -> bool:
        """Whether the FLOPs of the coming step are counted."""
        place = self.spend.step % BLOCK_EVERY
        return place < PROBE or (place < BLOCK and self.changed)

    def charge_step(self, images: int, flop: int | None) -> None:
        """Charge one step; `flop` is its count, None where it is not counted."""
        place = self.spend.step % BLOCK_EVERY
        self.spend.step += 1
        self.spend.img += images
        if place >= BLOCK:
            self.spend.flop += self.mean_flop
            return
        if flop is not None:
            self.changed |= flop != self.block[place]
            self.block[place] = flop
        self.spend.flop += self.block[place]
        if place == BLOCK - 1:
            self.mean_flop = sum(self.block) / BLOCK
            self.changed = False

    def fraction(self, unit: Unit) -> float:
        """The part of the allowance that is spent, in [0, 1]."""
        if self.allowance <= 0:
            return 1.0
        return min(1.0, self.spend.of(unit) / self.allowance)

    def spent(self, unit: Unit) -> bool:
        """Whether the phase must end; notes when the ceiling in seconds is why."""
        if self.spend.of(unit) >= self.allowance * (1 - _ROUNDING):
            return True
        self.ceiling_reached = self.ceiling is not None and self.spend.s >= self.ceiling
        return self.ceiling_reached


class Ledger:
    """All phases of a training under one budget."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.phases: list[Phase] = []
        self.after = Spend()

    def open(self, name: str, share: float) -> Phase:
        """The phase of this name: a new one with its allowance, or the one a checkpoint holds.

        An allowance is share × budget, less what the phase before overran: a phase ends at the
        first step that reaches its allowance, and so passes it by less than one step.
        """
        for phase in self.phases:
            if phase.name == name:
                return phase
        shares = sum(p.share for p in self.phases) + share
        if not 0 < share <= 1 or shares > 1 + 1e-6:
            raise PluginError(
                f"phase {name!r} asks for a share of {share:g}: each share must lie in (0, 1] and "
                f"all of them sum to at most 1 (the sum would be {shares:g})"
            )
        unit, last = self.budget.unit, self.phases[-1] if self.phases else None
        overrun = max(0.0, last.spend.of(unit) - last.allowance) if last else 0.0
        ceiling = self.budget.ceiling_seconds
        phase = Phase(
            name,
            share,
            allowance=share * self.budget.amount - overrun,
            ceiling=None if ceiling is None else share * ceiling,
        )
        self.phases.append(phase)
        return phase

    @property
    def total(self) -> Spend:
        """Everything spent so far."""
        total = Spend()
        for phase in self.phases:
            total.add(phase.spend)
        total.add(self.after)
        return total

    @property
    def fraction(self) -> float:
        """The part of the whole budget that is spent, in [0, 1]."""
        return min(1.0, self.total.of(self.budget.unit) / self.budget.amount)

    @property
    def ceiling_reached(self) -> bool:
        """Whether a phase ended by its ceiling in seconds and not by its budget."""
        return any(phase.ceiling_reached for phase in self.phases)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `restore` reads it back."""
        return {"phases": [asdict(p) for p in self.phases], "after": asdict(self.after)}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over the phases of a checkpoint; `after` is measured anew.

        What another version of the bench kept beside them is left out.
        """
        known = {f.name for f in fields(Phase)}
        self.phases = [
            Phase(
                **{name: value for name, value in p.items() if name in known}
                | {
                    "spend": Spend(**p["spend"]),
                    "before": None if p["before"] is None else Spend(**p["before"]),
                }
            )
            for p in saved["phases"]
        ]
