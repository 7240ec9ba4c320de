"""The sets of values that parameters and samples may have. As ``torch.distributions.constraints``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad.tensor import Tensor

__all__ = [
    "Constraint", "boolean", "corr_cholesky", "greater_than", "greater_than_eq", "half_open_interval",
    "integer_interval", "interval", "less_than", "lower_cholesky", "nonnegative", "nonnegative_integer", "one_hot",
    "positive", "positive_definite", "positive_integer", "real", "real_vector", "simplex", "unit_interval",
]  # fmt: skip


class Constraint:
    """A set of values.

    Args:
        text: what the values are.
        test: a function of a tensor: which values lie in the set.
        is_discrete: whether there are countably many.
        event_dim: the number of dimensions of a value.
        lower_bound, upper_bound: of intervals, None where there is none.
    """

    def __init__(
        self,
        text: str,
        test: Callable[[Any], Any],
        is_discrete: bool = False,
        event_dim: int = 0,
        lower_bound: Any = None,
        upper_bound: Any = None,
    ) -> None:
        self.text, self.test, self.is_discrete, self.event_dim = text, test, is_discrete, event_dim
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Tensor) -> Tensor:
        """Return for each value whether it lies in the set."""
        result: Tensor = self.test(value)
        return result

    def __repr__(self) -> str:
        return f"Constraint({self.text})"


def whole(x: Tensor) -> Tensor:
    return x == x.floor() if x.is_floating_point() else x == x


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """The numbers from a lower to an upper bound."""
    inside = lambda x: (x >= lower_bound).logical_and(x <= upper_bound)  # noqa: E731
    return Constraint(f"from {lower_bound} to {upper_bound}", inside, lower_bound=lower_bound, upper_bound=upper_bound)


def half_open_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """The numbers from a lower bound to below an upper one."""
    inside = lambda x: (x >= lower_bound).logical_and(x < upper_bound)  # noqa: E731
    return Constraint(
        f"from {lower_bound} to below {upper_bound}", inside, lower_bound=lower_bound, upper_bound=upper_bound
    )


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """The integers from a lower to an upper bound."""
    inside = lambda x: whole(x).logical_and(x >= lower_bound).logical_and(x <= upper_bound)  # noqa: E731
    return Constraint(f"integers from {lower_bound} to {upper_bound}", inside, is_discrete=True)


def greater_than(lower_bound: Any) -> Constraint:
    """The numbers above a bound."""
    return Constraint(f"above {lower_bound}", lambda x: x > lower_bound, lower_bound=lower_bound)


def greater_than_eq(lower_bound: Any) -> Constraint:
    """The numbers of at least a bound."""
    return Constraint(f"at least {lower_bound}", lambda x: x >= lower_bound, lower_bound=lower_bound)


def less_than(upper_bound: Any) -> Constraint:
    """The numbers below a bound."""
    return Constraint(f"below {upper_bound}", lambda x: x < upper_bound, upper_bound=upper_bound)


def is_positive_definite(x: Tensor) -> Tensor:
    symmetric = np.isclose(x.array, np.swapaxes(x.array, -1, -2), atol=1e-6).all((-1, -2))
    return Tensor(np.asarray(symmetric & (np.linalg.eigvalsh(x.array) > 0).all(-1)))


real = Constraint("a number", lambda x: x == x)
positive = Constraint("positive", lambda x: x > 0)
nonnegative = Constraint("at least 0", lambda x: x >= 0)
unit_interval = interval(0.0, 1.0)
boolean = Constraint("0 or 1", lambda x: (x == 0).logical_or(x == 1), is_discrete=True)
nonnegative_integer = Constraint("an integer of at least 0", lambda x: whole(x).logical_and(x >= 0), is_discrete=True)
positive_integer = Constraint("an integer of at least 1", lambda x: whole(x).logical_and(x >= 1), is_discrete=True)
real_vector = Constraint("numbers", lambda x: (x == x).all(-1), event_dim=1)
simplex = Constraint(
    "at least 0, with the sum 1",
    lambda x: (x >= 0).all(-1).logical_and((x.sum(-1) - 1).abs() < 1e-6),
    event_dim=1,
)
one_hot = Constraint(
    "a row with a single 1",
    lambda x: (x == 0).logical_or(x == 1).all(-1).logical_and(x.sum(-1) == 1),
    is_discrete=True,
    event_dim=1,
)
lower_cholesky = Constraint(
    "lower triangular with a positive diagonal",
    lambda x: (x.tril() == x).all(-1).all(-1).logical_and((x.diagonal(0, -2, -1) > 0).all(-1)),
    event_dim=2,
)
corr_cholesky = Constraint(
    "lower triangular with a positive diagonal and rows of length 1",
    lambda x: lower_cholesky.check(x).logical_and((x.norm(dim=-1) - 1).abs().amax(-1) < 1e-4),
    event_dim=2,
)
positive_definite = Constraint("symmetric and positive definite", is_positive_definite, event_dim=2)
