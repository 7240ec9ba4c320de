"""The sets of values that parameters and samples may have. As ``torch.distributions.constraints``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad import functions
from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.tensor import Tensor

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than",
    "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval", "is_dependent",
    "less_than", "lower_cholesky", "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer",
    "one_hot", "positive", "positive_definite",
    "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square", "stack", "symmetric",
    "unit_interval",
]  # fmt: skip


class Constraint:
    """A set of values. A subclass defines ``check`` instead of passing a test.

    Args:
        text: what the values are.
        test: a function of a tensor: which values lie in the set.
        is_discrete: whether there are countably many.
        event_dim: the number of dimensions of a value.
        lower_bound, upper_bound: of intervals, None where there is none.
    """

    def __init__(
        self,
        text: str = "a value",
        test: Callable[[Any], Any] | None = None,
        is_discrete: bool = False,
        event_dim: int = 0,
        lower_bound: Any = None,
        upper_bound: Any = None,
    ) -> None:
        self.text, self.test = text, test
        self.is_discrete, self.event_dim = is_discrete, event_dim
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Tensor) -> Tensor:
        """Return for each value whether it lies in the set."""
        if self.test is None:
            raise NotImplementedError(f"{type(self).__name__}: check is not defined")
        result: Tensor = self.test(value)
        return result

    def __repr__(self) -> str:
        return f"Constraint({self.text})"


def integers(x: Tensor, inside: Tensor) -> Tensor:
    """Which elements are integers, and inside of a range."""
    return (x - x.floor() == 0).logical_and(inside) if x.is_floating_point() else inside


def shown(bound: Any) -> str:
    """A bound in a message: a number, or the shape of a tensor, whose elements a recorded step can't read."""
    return f"the bound of shape {tuple(bound.shape)}" if isinstance(bound, Tensor) else str(bound)


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """The numbers from a lower to an upper bound."""
    inside = lambda x: (x >= lower_bound).logical_and(x <= upper_bound)  # noqa: E731
    text = f"from {shown(lower_bound)} to {shown(upper_bound)}"
    return Constraint(text, inside, lower_bound=lower_bound, upper_bound=upper_bound)


def half_open_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """The numbers from a lower bound to below an upper one."""
    inside = lambda x: (x >= lower_bound).logical_and(x < upper_bound)  # noqa: E731
    text = f"from {shown(lower_bound)} to below {shown(upper_bound)}"
    return Constraint(text, inside, lower_bound=lower_bound, upper_bound=upper_bound)


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """The integers from a lower to an upper bound."""
    inside = lambda x: integers(x, (x >= lower_bound).logical_and(x <= upper_bound))  # noqa: E731
    return Constraint(f"integers from {shown(lower_bound)} to {shown(upper_bound)}", inside, is_discrete=True)


def greater_than(lower_bound: Any) -> Constraint:
    """The numbers above a bound."""
    return Constraint(f"above {shown(lower_bound)}", lambda x: x > lower_bound, lower_bound=lower_bound)


def greater_than_eq(lower_bound: Any) -> Constraint:
    """The numbers of at least a bound."""
    return Constraint(f"at least {shown(lower_bound)}", lambda x: x >= lower_bound, lower_bound=lower_bound)


def less_than(upper_bound: Any) -> Constraint:
    """The numbers below a bound."""
    return Constraint(f"below {shown(upper_bound)}", lambda x: x < upper_bound, upper_bound=upper_bound)


def independent(base_constraint: Constraint, reinterpreted_batch_ndims: int) -> Constraint:
    """The tensors all of whose elements, along the last dimensions, lie in a set."""
    base, dims = base_constraint, reinterpreted_batch_ndims

    def inside(x: Tensor) -> Tensor:
        if x.ndim < base.event_dim + dims:
            raise ValueError(f"independent: expected at least {base.event_dim + dims} dimensions, got shape {x.shape}")
        result = base.check(x)
        return result.reshape((*result.shape[: result.ndim - dims], -1)).all(-1)

    return Constraint(base.text, inside, base.is_discrete, base.event_dim + dims) if dims else base


def of_parts(
    parts: Sequence[Constraint], cut: Callable[[Tensor], Sequence[Tensor]], join: Callable[..., Any], dim: int
) -> Constraint:
    """The tensors whose parts along a dimension each lie in a set of their own."""

    def inside(x: Tensor) -> Tensor:
        results = [part.check(piece) for part, piece in zip(parts, cut(x))]
        return join(results, dim)

    text = ", ".join([part.text for part in parts])
    event_dim = max([part.event_dim for part in parts], default=0)
    return Constraint(text, inside, any(part.is_discrete for part in parts), event_dim)


def cat(cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None) -> Constraint:
    """The tensors whose consecutive parts along a dimension each lie in a set of their own.

    Args:
        cseq: the sets.
        dim: the dimension.
        lengths: the size of each part, 1 by default.
    """
    sizes = [1] * len(cseq) if lengths is None else list(lengths)
    return of_parts(cseq, lambda x: x.split(sizes, dim), functions.cat, dim)


def stack(cseq: Sequence[Constraint], dim: int = 0) -> Constraint:
    """The tensors whose slices along a dimension each lie in a set of their own.

    Args:
        cseq: the sets.
        dim: the dimension.
    """
    whole = of_parts(cseq, lambda x: x.unbind(dim), functions.stack, dim)
    whole.event_dim += dim + whole.event_dim < 0  # the slices lie in the event
    return whole


def is_dependent(constraint: Any) -> bool:
    """Return whether a constraint is that of a class, which only an instance knows: a property."""
    return isinstance(constraint, property) or constraint is dependent


class dependent_property(property):
    """A property whose value is a constraint. As ``torch.distributions.constraints.dependent_property``.

    Args:
        fn: the function.
        is_discrete, event_dim: of the constraint.
    """

    def __init__(
        self, fn: Callable[[Any], Any] | None = None, *, is_discrete: bool = False, event_dim: int = 0
    ) -> None:
        super().__init__(fn)
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, fn: Callable[[Any], Any]) -> dependent_property:
        """Return the property of a function, as a decorator with options."""
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


def multinomial(upper_bound: int) -> Constraint:
    """The counts that sum to at most a bound."""

    def inside(x: Tensor) -> Tensor:
        return (x >= 0).all(-1).logical_and(x.sum(-1) <= upper_bound)

    return Constraint(f"counts with a sum of at most {shown(upper_bound)}", inside, True, 1, upper_bound=upper_bound)


def is_symmetric(x: Tensor) -> Tensor:
    return functions.isclose(x, x.transpose(-1, -2), atol=1e-6).all(-1).all(-1)


def is_positive_semidefinite(x: Tensor) -> Tensor:
    return Tensor(recording.produced(positive_semidefinite_array, x.array))


def positive_semidefinite_array(x: Array) -> Array:
    symmetric = np.isclose(x, np.swapaxes(x, -1, -2), atol=1e-6).all((-1, -2))
    return np.asarray(symmetric & (np.linalg.eigvalsh(x) >= 0).all(-1))


def is_positive_definite(x: Tensor) -> Tensor:
    return Tensor(recording.produced(positive_definite_array, x.array))


def positive_definite_array(x: Array) -> Array:
    symmetric = np.isclose(x, np.swapaxes(x, -1, -2), atol=1e-6).all((-1, -2))
    return np.asarray(symmetric & (np.linalg.eigvalsh(x) > 0).all(-1))


real = Constraint("a number", lambda x: x == x)
positive = Constraint("positive", lambda x: x > 0)
nonnegative = Constraint("at least 0", lambda x: x >= 0)
unit_interval = interval(0.0, 1.0)
boolean = Constraint("0 or 1", lambda x: (x == 0).logical_or(x == 1), is_discrete=True)
nonnegative_integer = Constraint("an integer of at least 0", lambda x: integers(x, x >= 0), is_discrete=True)
positive_integer = Constraint("an integer of at least 1", lambda x: integers(x, x >= 1), is_discrete=True)
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
positive_semidefinite = Constraint("symmetric and positive semidefinite", is_positive_semidefinite, event_dim=2)
lower_triangular = Constraint("lower triangular", lambda x: (x.tril() == x).all(-1).all(-1), event_dim=2)
symmetric = Constraint("symmetric", is_symmetric, event_dim=2)
square = Constraint(
    "square", lambda x: Tensor(np.full(x.shape[:-2], x.shape[-2] == x.shape[-1])), event_dim=2
)
dependent = Constraint("what the distribution's parameters decide")
