"""An axis: its range, its ticks, and where a value lies on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Scale", "scale_of"]

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


class Scale(NamedTuple):
    """A range of values, with the distance of its ticks."""

    least: float
    most: float
    step: float

    def share(self, value: float) -> float:
        """Where a value lies, from 0 at the least to 1 at the most."""
        return (value - self.least) / (self.most - self.least)

    @property
    def ticks(self) -> list[float]:
        """The multiples of the step within the range."""
        first, last = math.ceil(self.least / self.step - 1e-9), math.floor(self.most / self.step + 1e-9)
        return [number * self.step for number in range(first, last + 1)]

    def label(self, tick: float) -> str:
        """The text of a tick, with the digits that tell it from its neighbors."""
        if tick == 0:
            return "0"
        largest = max(abs(self.least), abs(self.most))
        if largest >= 1e5 or self.step < 1e-4:
            digits = max(0, math.floor(math.log10(abs(tick))) - math.floor(math.log10(self.step)))
            mantissa, exponent = f"{tick:.{digits + 1}e}".split("e")
            return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}".replace("-", "−")
        decimals = max(0, -math.floor(math.log10(self.step) + 1e-9))
        text = f"{tick:.{decimals + 1}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def scale_of(values: Iterable[float], ticks: int, whole: bool = False) -> Scale:
    """The scale that shows all values, with about `ticks` ticks at round numbers.

    Args:
        values: those that are not finite are left out.
        ticks: the largest number of intervals between ticks.
        whole: whether ticks are integers.

    Example:
        >>> from cygrad.charts.scale import scale_of
        >>> scale = scale_of([0.12, 0.48], ticks=4)
        >>> [scale.label(tick) for tick in scale.ticks]
        ['0.2', '0.3', '0.4']
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    least, most = min(finite), max(finite)
    if not most - least > 1e-12 * max(abs(least), abs(most)):
        margin = abs(least) / 2 or 0.5
        least, most = (least - 0.5, most + 0.5) if whole else (least - margin, most + margin)
    width = max(most / 2 - least / 2, 1e-300)  # of half the range, because that of all may overflow
    rough = 2 * width / ticks if width < 1e300 else width
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in STEPS if factor * power >= rough * (1 - 1e-9))
    return Scale(least, most, max(1.0, math.ceil(step)) if whole else step)
