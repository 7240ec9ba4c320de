"""The gamma distribution and its relatives. Formulas: the documentation of ``torch.distributions``.

Samples have implicit gradients: M. Figurnov, S. Mohamed, A. Mnih (2018), "Implicit reparameterization gradients".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from cygrad.distributions import constraints
from cygrad.distributions.distribution import Distribution, as_parameters, drawn
from cygrad.distributions.exp_family import ExponentialFamily
from cygrad.functions import log1p, stack, where
from cygrad.ops.binary import xlogy
from cygrad.ops.special import digamma, gamma_sample, igamma, lgamma
from cygrad.random import randn
from cygrad.tensor import Tensor

__all__ = ["Beta", "Chi2", "Dirichlet", "FisherSnedecor", "Gamma", "InverseGamma", "StudentT"]


def standard_gamma(concentration: Tensor) -> Tensor:
    """A sample for each concentration, with gradients; at least the smallest normal number."""
    values = drawn("standard_gamma", concentration.shape, concentration)
    return gamma_sample(concentration, values.clamp(min=float(np.finfo(values.array.dtype).tiny)))


class Gamma(ExponentialFamily):
    """The density rateᵃ·xᵃ⁻¹·e^(−rate·x)/Γ(a), a = concentration.

    Args:
        concentration: a, positive.
        rate: positive.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: a parameter is not positive.

    >>> cg.distributions.Gamma(2.0, 4.0).mean
    tensor(0.5000)
    """

    has_rsample = True
    _parameter_names: ClassVar[tuple[str, ...]] = ("concentration", "rate")
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, concentration=concentration, rate=rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return standard_gamma(self.concentration.expand(self._extended_shape(sample_shape))) / self.rate

    def log_prob(self, value: Any) -> Tensor:
        a, rate, x = self.concentration, self.rate, self._checked(value)
        return xlogy(a, rate) + xlogy(a - 1, x) - rate * x - lgamma(a)

    def cdf(self, value: Any) -> Tensor:
        return igamma(self.concentration, self.rate * self._checked(value))

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1 - a) * digamma(a)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate.square()


class Chi2(Gamma):
    """The sum of df squares of standard normal numbers: Gamma(df/2, ½).

    Args:
        df: the degrees of freedom, positive.
        validate_args: whether arguments are checked.
    """

    _parameter_names = ("concentration", "rate")

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (given,) = as_parameters(df)
        super().__init__(0.5 * given, 0.5, validate_args)

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return self.concentration * 2


class InverseGamma(Distribution):
    """1/x for x from Gamma(concentration, rate).

    Args:
        concentration, rate: positive.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("concentration", "rate")
    support = constraints.positive

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, concentration=concentration, rate=rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.rate / standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Tensor:
        a, rate, x = self.concentration, self.rate, self._checked(value)
        return a * rate.log() - (a + 1) * x.log() - rate / x - lgamma(a)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + self.rate.log() + lgamma(a) - (1 + a) * digamma(a)

    @property
    def mean(self) -> Tensor:
        a = self.concentration
        return where(a > 1, self.rate / (a - 1), math.inf)

    @property
    def mode(self) -> Tensor:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        return where(a > 2, self.rate.square() / ((a - 1).square() * (a - 2)), math.inf)


class Dirichlet(ExponentialFamily):
    """The density Π xᵢ^(aᵢ − 1)·Γ(Σaᵢ)/Π Γ(aᵢ) of vectors with the sum 1.

    Args:
        concentration: a, positive, of shape (…, n).
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("concentration",)
    support = constraints.simplex

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ValueError("Dirichlet: concentration must have at least one dimension")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)
        self._require("concentration", concentration > 0, "positive")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        x = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        return x / x.sum(-1, keepdim=True)

    def log_prob(self, value: Any) -> Tensor:
        a = self.concentration
        return xlogy(a - 1, self._checked(value)).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self) -> Tensor:
        a, n = self.concentration, self.event_shape[0]
        total = a.sum(-1)
        return lgamma(a).sum(-1) - lgamma(total) - (n - total) * digamma(total) - ((a - 1) * digamma(a)).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        from cygrad.nn.functional import one_hot

        less = (self.concentration - 1).clamp(min=0)
        mode = less / less.sum(-1, keepdim=True)
        below = (self.concentration < 1).all(-1, keepdim=True)
        corner = one_hot(mode.nan_to_num().argmax(-1), self.event_shape[0]).to(mode.dtype)
        return where(below.expand(mode.shape), corner, mode)

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        total = a.sum(-1, keepdim=True)
        return a * (total - a) / (total.square() * (total + 1))


class Beta(ExponentialFamily):
    """The density x^(a − 1)·(1 − x)^(b − 1)·Γ(a + b)/(Γ(a)·Γ(b)) on [0, 1].

    Args:
        concentration1, concentration0: a and b, positive.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("concentration1", "concentration0")
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, concentration1=concentration1, concentration0=concentration0)

    @property
    def _dirichlet(self) -> Dirichlet:
        return Dirichlet(stack([self.concentration1, self.concentration0], -1), False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Any) -> Tensor:
        a, b, x = self.concentration1, self.concentration0, self._checked(value)
        return xlogy(a - 1, x) + xlogy(b - 1, 1 - x) + lgamma(a + b) - lgamma(a) - lgamma(b)

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        return self._dirichlet.variance[..., 0]


class StudentT(Distribution):
    """loc + scale·z/√(x/df) for standard normal z and x from Chi2(df).

    Args:
        df: the degrees of freedom, positive.
        loc: the location.
        scale: positive.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("df", "loc", "scale")
    support = constraints.real

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self._take(validate_args, df=df, loc=loc, scale=scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        x = standard_gamma((0.5 * self.df).expand(shape)) * 2
        return self.loc + self.scale * randn(shape, dtype=self.df.dtype) * (x / self.df).rsqrt()

    def _log_norm(self) -> Tensor:
        return lgamma(0.5 * self.df) - lgamma(0.5 * (self.df + 1)) + 0.5 * (self.df * math.pi).log() + self.scale.log()

    def log_prob(self, value: Any) -> Tensor:
        z = (self._checked(value) - self.loc) / self.scale
        return -0.5 * (self.df + 1) * log1p(z.square() / self.df) - self._log_norm()

    def entropy(self) -> Tensor:
        half = 0.5 * (self.df + 1)
        return half * (digamma(half) - digamma(0.5 * self.df)) + self._log_norm()

    @property
    def mean(self) -> Tensor:
        return where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        df = self.df
        finite = self.scale.square() * df / (df - 2)
        return where(df > 2, finite, where(df > 1, df * 0 + math.inf, math.nan))


class FisherSnedecor(Distribution):
    """(x/df1)/(y/df2) for x from Chi2(df1) and y from Chi2(df2).

    Args:
        df1, df2: the degrees of freedom, positive.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("df1", "df2")
    support = constraints.positive

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, df1=df1, df2=df2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        x, y = (standard_gamma((0.5 * df).expand(shape)) / df for df in (self.df1, self.df2))
        return x / y

    def log_prob(self, value: Any) -> Tensor:
        x, ratio = self._checked(value), self.df1 / self.df2
        a, b = 0.5 * self.df1, 0.5 * self.df2
        return lgamma(a + b) - lgamma(a) - lgamma(b) + a * ratio.log() + (a - 1) * x.log() - (a + b) * log1p(ratio * x)

    @property
    def mean(self) -> Tensor:
        return where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan)

    @property
    def mode(self) -> Tensor:
        mode = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return where(self.df1 > 2, mode, math.nan)

    @property
    def variance(self) -> Tensor:
        a, b = self.df1, self.df2
        variance = 2 * b.square() * (a + b - 2) / (a * (b - 2).square() * (b - 4))
        return where(b > 4, variance, math.nan)
