"""Forecasts of the test set by the network and by its baselines, and how far they are from what came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cygrad._attributes import cached_property
from cygrad._typing import Array
from cygrad.report.findings import Estimate
from cygrad.report.intervals import Scores, bootstrap
from cygrad.train.conformal import COVERAGE

__all__ = ["HeldForecasts"]


@dataclass(frozen=True)
class HeldForecasts:
    """The windows of the test set, of which each is forecast by several models.

    Args:
        actual: what came, (windows, horizon), in the target's unit.
        forecasts: by the name of the model, (windows, horizon); the network's are the first.
        widths: half the width of the network's prediction interval for each step ahead; empty if there is none.
        seed: of the bootstrap.
    """

    actual: Array
    forecasts: dict[str, Array]
    widths: Sequence[float] = ()
    seed: int = 0

    def __len__(self) -> int:
        return len(self.actual)

    @property
    def network(self) -> Array:
        """The forecasts of the network."""
        return next(iter(self.forecasts.values()))

    @property
    def block(self) -> int:
        """The windows of a block of the bootstrap: windows that follow each other share rows to forecast, and their
        errors are alike. Twice the horizon, or the cube root of their number if that is more."""
        return min(max(2 * self.actual.shape[1], round(len(self) ** (1 / 3))), len(self))

    @cached_property
    def scored(self) -> tuple[dict[str, dict[str, Estimate]], dict[str, list[Scores]]]:
        """By model, the mean absolute and the root mean squared error with their intervals, and those of each draw."""
        scorers = {name: error_scorer(found - self.actual) for name, found in self.forecasts.items()}
        return bootstrap(scorers, len(self), self.seed, block=self.block)

    @cached_property
    def coverage(self) -> Estimate:
        """The share of the actual values that lie in the prediction intervals."""
        if not len(self.widths):
            return None, None, None
        inside = (np.abs(self.network - self.actual) <= np.asarray(self.widths)).mean(1)
        scores, _ = bootstrap(
            {"": lambda rows: {"": float(inside[rows].mean())}}, len(self), self.seed, block=self.block
        )
        return scores[""][""]

    def shown(self) -> str:
        """A table of the errors, at most 80 characters wide."""
        lines = [f"{'test set':20} {'MAE':>11} {'RMSE':>11}   95 % interval of MAE"]
        for name, scores in self.scored[0].items():
            value, low, high = scores["mae"]
            between = "" if low is None or high is None else f"{low:.4g} to {high:.4g}"
            lines.append(f"{name:20} {value:11.5g} {scores['rmse'][0]:11.5g}   {between}".rstrip())
        share = self.coverage[0]
        if share is not None:
            wanted = f"{100 * COVERAGE:.0f} % prediction intervals"
            lines.append(f"{wanted} hold {100 * share:.1f} % of the test values")
        return "\n".join(lines)


def error_scorer(errors: Array) -> Callable[[Array], Scores]:
    """The errors of the windows with given indices, of all (windows, horizon)."""
    absolute, squared = np.abs(errors).mean(1), (errors**2).mean(1)
    return lambda rows: {"mae": float(absolute[rows].mean()), "rmse": float(squared[rows].mean() ** 0.5)}
