"""Search spaces: which values each parameter may have, as Optuna's distributions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from cygrad.train.search.needed import optuna

__all__ = ["describe", "grid_of", "parse_space"]

KEYS = ("min", "max", "log", "step")
MOST_POINTS = 1_000_000  # of a grid


def parse_space(space: Mapping[str, Any]) -> dict[str, Any]:
    """Parse a search space.

    Args:
        space: by the name of a parameter, a list of choices (None, truth values, numbers, strings), a range
            ``{"min": 1e-4, "max": 0.1, "log": True}`` or ``{"min": 0.0, "max": 0.5, "step": 0.1}``, both ends included
            and of integers if they are integers, or a distribution of Optuna.

    Returns:
        Optuna's distributions, by name.

    Raises:
        ImportError: without Optuna.
        ValueError: if there is no parameter, or a description is not valid; the message names the parameter.

    Example:
        >>> from cygrad.train.search.space import parse_space
        >>> parse_space({"width": {"min": 16, "max": 256, "log": True}})
        {'width': IntDistribution(high=256, log=True, low=16, step=1)}
    """
    if not isinstance(space, Mapping) or not space:
        raise ValueError(f"sweep: the search space must name at least one parameter, got {space!r}")
    return {name: distribution(name, values) for name, values in space.items()}


def distribution(name: str, values: Any) -> Any:
    """The distribution of one parameter."""
    kinds = optuna().distributions
    if isinstance(values, kinds.BaseDistribution):
        return values
    if isinstance(values, (list, tuple)):
        if not values or not all(value is None or isinstance(value, (bool, int, float, str)) for value in values):
            raise ValueError(f"sweep: the choices of {name} must be numbers, strings or truth values, got {values!r}")
        if len(set(map(repr, values))) < len(values):
            raise ValueError(f"sweep: the choices of {name} must differ, got {values!r}")
        return kinds.CategoricalDistribution(values)
    if not isinstance(values, Mapping) or not {"min", "max"} <= values.keys() <= set(KEYS):
        wanted = "a list of choices, or a range with min, max, log, step"
        raise ValueError(f"sweep: {name} must be {wanted}, got {values!r}")
    low, high, log, step = values["min"], values["max"], values.get("log", False), values.get("step")
    if not isinstance(log, bool):
        raise ValueError(f"sweep: log of {name} must be true or false, got {log!r}")
    numbers = [number for number in (low, high, step) if number is not None]
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        raise ValueError(f"sweep: min, max and step of {name} must be finite numbers, got {values!r}")
    if not low <= high:
        raise ValueError(f"sweep: min of {name} must be at most max, got {low} and {high}")
    if log and (low <= 0 or step is not None):
        raise ValueError(f"sweep: a range of {name} with log must be above 0 and have no step, got {values!r}")
    if step is not None and not step > 0:
        raise ValueError(f"sweep: step of {name} must be above 0, got {step}")
    if all(isinstance(number, int) for number in numbers):
        return kinds.IntDistribution(low, high, log=log, step=step or 1)
    return kinds.FloatDistribution(low, high, log=log, step=step)


def describe(distributions: Mapping[str, Any]) -> dict[str, str]:
    """The distributions as texts, which are equal for equal ones."""
    return {name: optuna().distributions.distribution_to_json(one) for name, one in sorted(distributions.items())}


def grid_of(distributions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All points of a space of choices, integers and ranges with a step, the last parameter changing first.

    Raises:
        ValueError: if a range has no step, or there are more than a million points.
    """
    values = {name: values_of(name, one) for name, one in distributions.items()}
    if (count := math.prod(map(len, values.values()))) > MOST_POINTS:
        raise ValueError(f"sweep: the grid has {count:,} points, more than {MOST_POINTS:,}")
    return [dict(zip(values, point)) for point in itertools.product(*values.values())]


def values_of(name: str, one: Any) -> Any:
    """All values of a parameter."""
    kinds = optuna().distributions
    if isinstance(one, kinds.CategoricalDistribution):
        return one.choices
    if one.log or one.step is None:
        raise ValueError(f"sweep: a grid needs choices or a step for {name}")
    if isinstance(one, kinds.IntDistribution):
        return range(one.low, one.high + 1, one.step)
    steps = math.floor((one.high - one.low) / one.step + 1e-9)
    return [min(one.low + number * one.step, one.high) for number in range(steps + 1)]
