"""Which transform maps unconstrained numbers to the values of a constraint. As
``torch.distributions.constraint_registry``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cygrad.distributions import constraints
from cygrad.distributions.constraints import Constraint
from cygrad.distributions.transforms import AffineTransform, ComposeTransform, ExpTransform, SigmoidTransform, Transform
from cygrad.distributions.vector_transforms import (
    CorrCholeskyTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SoftmaxTransform,
    StickBreakingTransform,
)  # fmt: skip

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory = Callable[[Constraint], Transform]


class ConstraintRegistry:
    """A function from constraints to transforms.

    Args:
        factories: for constraints without bounds, a function of the constraint that returns the transform.

    >>> d = cg.distributions
    >>> d.biject_to(d.constraints.greater_than(2.0))(cg.tensor([0.0]))
    tensor([3.])
    """

    def __init__(self, factories: dict[Constraint, Factory]) -> None:
        self.factories = factories

    def register(self, constraint: Constraint, factory: Factory | None = None) -> Any:
        """Add or replace the transform of a constraint; without `factory`, as a decorator of it.

        Args:
            constraint: the constraint.
            factory: a function of the constraint that returns the transform.
        """
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        self.factories[constraint] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        """Return the transform of a constraint; raise NotImplementedError where there is none."""
        if constraint in self.factories:
            return self.factories[constraint](constraint)
        low, high = constraint.lower_bound, constraint.upper_bound
        if constraint.is_discrete or (low is None and high is None):
            raise NotImplementedError(f"no transform reaches the values of {constraint!r}")
        if low is None:
            return ComposeTransform([ExpTransform(), AffineTransform(high, -1)])
        if high is None:
            return ComposeTransform([ExpTransform(), AffineTransform(low, 1)])
        return ComposeTransform([SigmoidTransform(), AffineTransform(low, high - low)])


SHARED: dict[Constraint, Factory] = {
    constraints.real: lambda _: ComposeTransform([]),
    constraints.real_vector: lambda _: ComposeTransform([]),
    constraints.positive: lambda _: ExpTransform(),
    constraints.nonnegative: lambda _: ExpTransform(),
    constraints.unit_interval: lambda _: SigmoidTransform(),
    constraints.lower_cholesky: lambda _: LowerCholeskyTransform(),
    constraints.corr_cholesky: lambda _: CorrCholeskyTransform(),
    constraints.positive_definite: lambda _: PositiveDefiniteTransform(),
}
biject_to = ConstraintRegistry({**SHARED, constraints.simplex: lambda _: StickBreakingTransform()})
transform_to = ConstraintRegistry({**SHARED, constraints.simplex: lambda _: SoftmaxTransform()})
