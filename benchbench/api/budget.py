"""The budget of a training: an amount of one unit, the same for every model that is compared.

Units: `s` (seconds of device time), `flop` (floating-point operations, counted), `img` (training
examples handed out) and `step` (batches handed out). Only seconds and FLOPs make a comparison
compute-equal; tables say so.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

from benchbench.api.errors import UsageError, nearest

__all__ = ["UNITS", "Budget", "Unit"]

Unit = Literal["s", "flop", "img", "step"]
UNITS: tuple[str, ...] = get_args(Unit)

_FACTORS: dict[str, tuple[float, Unit]] = {
    "s": (1.0, "s"),
    "min": (60.0, "s"),
    "h": (3600.0, "s"),
    "flop": (1.0, "flop"),
    "gflop": (1e9, "flop"),
    "tflop": (1e12, "flop"),
    "pflop": (1e15, "flop"),
    "img": (1.0, "img"),
    "kimg": (1e3, "img"),
    "step": (1.0, "step"),
    "kstep": (1e3, "step"),
}
_PATTERN = re.compile(r"\s*([0-9.eE+-]*[0-9.])\s*([A-Za-z]+)\s*")
_ALLOWED = "60s, 2min, 2e12flop, 3tflop, 200kimg or 5000step"
# Beyond these a budget is a slip of the keyboard: a year, a zettaflop ×1000, 1e12 images or steps.
_CEILING: dict[Unit, float] = {"s": 3.2e7, "flop": 1e24, "img": 1e12, "step": 1e12}


@dataclass(frozen=True)
class Budget:
    """`amount` of `unit`, with a ceiling in seconds beside a FLOP budget.

    amount: > 0 and finite, in `unit`.
    ceiling_seconds: elementwise work is not counted as FLOPs, so a FLOP budget may carry a
        limit in seconds of device time as well; a training that meets it is marked in its row.
    """

    amount: float
    unit: Unit
    ceiling_seconds: float | None = None

    @classmethod
    def parse(cls, text: str, ceiling_seconds: float | None = None) -> Budget:
        """Read `60s`, `2e12flop`, `200kimg` or `5000step`.

        Raises UsageError with the nearest valid unit.

        >>> Budget.parse("2e12flop").amount
        2000000000000.0
        >>> Budget.parse("200kimg")
        Budget(amount=200000.0, unit='img', ceiling_seconds=None)
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise UsageError(f"budget {text!r} is not a number with a unit; write {_ALLOWED}")
        number, unit = match.group(1), match.group(2).lower()
        unit = unit if unit in _FACTORS else unit.removesuffix("s")
        if unit not in _FACTORS:
            begins = [known for known in _FACTORS if unit.startswith(known)]  # sec, minute, hours
            close = max(begins, key=len) if begins else nearest(unit, _FACTORS)
            guess = f"; did you mean {close!r}?" if close else ";"
            raise UsageError(
                f"unknown budget unit {match.group(2)!r} in {text!r}{guess} "
                f"Allowed: {', '.join(_FACTORS)}, as in {_ALLOWED}"
            )
        try:
            value = float(number)
        except ValueError:
            raise UsageError(f"budget {text!r} has no readable number; write {_ALLOWED}") from None
        factor, base = _FACTORS[unit]
        amount = value * factor
        if not math.isfinite(amount) or not 0 < amount <= _CEILING[base]:
            raise UsageError(
                f"budget {text!r} is out of range; allowed: more than 0 and at most "
                f"{_CEILING[base]:g} {base}"
            )
        if base in ("img", "step") and amount < 1:
            raise UsageError(f"budget {text!r} is less than one {base}; give at least 1{base}")
        return cls(amount=amount, unit=base, ceiling_seconds=ceiling_seconds)

    @property
    def compute_equal(self) -> bool:
        """Whether equal budgets of this unit mean equal compute."""
        return self.unit in ("s", "flop")

    def __str__(self) -> str:
        """The shortest text that parses to this amount.

        >>> str(Budget.parse("200kimg")), str(Budget.parse("1.5tflop"))
        ('200000img', '1.5e12flop')
        """
        short = f"{self.amount:g}"
        number = short if float(short) == self.amount else repr(self.amount)
        return f"{number.replace('e+', 'e')}{self.unit}"
