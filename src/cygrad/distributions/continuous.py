"""Distributions of real numbers. Formulas: the documentation of ``torch.distributions``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from cygrad.distributions import constraints
from cygrad.distributions.distribution import Distribution, as_parameters
from cygrad.distributions.exp_family import ExponentialFamily
from cygrad.functions import erf, erfinv, expm1, log1p, where
from cygrad.random import rand, randn
from cygrad.tensor import Tensor

__all__ = ["Cauchy", "Exponential", "Gumbel", "HalfNormal", "Laplace", "Normal", "Uniform"]


def open_uniform(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Uniform samples between 0 and 1, both excluded."""
    tiny = 2.0**-25 if like.dtype.itemsize == 4 else 2.0**-54
    return rand(shape, dtype=like.dtype) + tiny


class LocationScale(Distribution):
    """loc + scale·z with a standard z. Subclasses define its samples, log density, and so on.

    Args:
        loc: the location.
        scale: the scale, positive.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: scale is not positive, or loc is NaN.
    """

    support: Any = constraints.real
    has_rsample = True
    _parameter_names: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = as_parameters(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._require("loc", self.loc == self.loc, "a number")
        self._require("scale", self.scale > 0, "positive")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc + self.scale * self._standard(self._extended_shape(sample_shape))

    def log_prob(self, value: Any) -> Tensor:
        return self._log_density((self._checked(value) - self.loc) / self.scale) - self.scale.log()

    def cdf(self, value: Any) -> Tensor:
        return self._cdf((self._checked(value) - self.loc) / self.scale)

    def icdf(self, value: Any) -> Tensor:
        return self.loc + self.scale * self._icdf(value)

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    def _standard(self, shape: Sequence[int]) -> Tensor:
        raise NotImplementedError

    def _log_density(self, z: Any) -> Tensor:
        raise NotImplementedError

    def _cdf(self, z: Any) -> Tensor:
        raise NotImplementedError

    def _icdf(self, p: Any) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: icdf is not defined")


class Normal(LocationScale, ExponentialFamily):
    """N(loc, scale²).

    >>> cg.distributions.Normal(0.0, 1.0).log_prob(cg.tensor(0.0))
    tensor(-0.9189)
    """

    def _standard(self, shape: Sequence[int]) -> Tensor:
        return randn(shape, dtype=self.loc.dtype)

    def _log_density(self, z: Any) -> Tensor:
        return z * z * -0.5 - 0.5 * math.log(2 * math.pi)

    def _cdf(self, z: Any) -> Tensor:
        return 0.5 * (1 + erf(z * (1 / math.sqrt(2))))

    def _icdf(self, p: Any) -> Tensor:
        return math.sqrt(2) * erfinv(2 * p - 1)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale

    @property
    def stddev(self) -> Tensor:
        return self.scale


class Laplace(LocationScale):
    """The density e^(−|x − loc|/scale)/(2·scale)."""

    def _standard(self, shape: Sequence[int]) -> Tensor:
        u = open_uniform(self.loc, shape) - 0.5
        return -u.sign() * log1p(u.abs() * -2)

    def _log_density(self, z: Any) -> Tensor:
        return -z.abs() - math.log(2)

    def _cdf(self, z: Any) -> Tensor:
        return 0.5 - 0.5 * z.sign() * expm1(-z.abs())

    def _icdf(self, p: Any) -> Tensor:
        u = p - 0.5
        return -u.sign() * log1p(u.abs() * -2)

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale * self.scale


class Cauchy(LocationScale):
    """The density 1/(π·scale·(1 + ((x − loc)/scale)²))."""

    def _standard(self, shape: Sequence[int]) -> Tensor:
        return self._icdf(open_uniform(self.loc, shape))

    def _log_density(self, z: Any) -> Tensor:
        return -math.log(math.pi) - log1p(z * z)

    def _cdf(self, z: Any) -> Tensor:
        return z.atan() / math.pi + 0.5

    def _icdf(self, p: Any) -> Tensor:
        return (math.pi * (p - 0.5)).tan()

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()

    @property
    def mean(self) -> Tensor:
        return self.loc.detach() * math.nan

    @property
    def variance(self) -> Tensor:
        return self.loc.detach() * 0 + math.inf


class Gumbel(LocationScale):
    """The distribution of the largest of many; its density is e^(−z − e^(−z))/scale with z = (x − loc)/scale."""

    def _standard(self, shape: Sequence[int]) -> Tensor:
        return self._icdf(open_uniform(self.loc, shape))

    def _log_density(self, z: Any) -> Tensor:
        return -z - (-z).exp()

    def _cdf(self, z: Any) -> Tensor:
        return (-(-z).exp()).exp()

    def _icdf(self, p: Any) -> Tensor:
        return -(-p.log()).log()

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + EULER)

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * EULER

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale * (math.pi**2 / 6)


EULER = 0.57721566490153286


class HalfNormal(LocationScale):
    """|x| for x from N(0, scale²).

    Args:
        scale: of the normal distribution, positive.
        validate_args: whether arguments are checked.
    """

    support: Any = constraints.nonnegative
    _parameter_names: ClassVar[tuple[str, ...]] = ("scale",)

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.0, scale, validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return (self.scale * randn(self._extended_shape(sample_shape), dtype=self.scale.dtype)).abs()

    def log_prob(self, value: Any) -> Tensor:
        z = self._checked(value) / self.scale
        density = z * z * -0.5 - 0.5 * math.log(math.pi / 2) - self.scale.log()
        return where(z >= 0, density, -math.inf)

    def icdf(self, value: Any) -> Tensor:
        return self.scale * math.sqrt(2) * erfinv(value)

    def cdf(self, value: Any) -> Tensor:
        return erf(self._checked(value) / self.scale * (1 / math.sqrt(2)))

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(math.pi / 2) + self.scale.log()

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        return self.scale.detach() * 0

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale * (1 - 2 / math.pi)


class Uniform(Distribution):
    """Uniform on [low, high).

    Args:
        low: the lower bound.
        high: the upper bound, above low.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: low is not below high.
    """

    has_rsample = True
    _parameter_names = ("low", "high")

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = as_parameters(low, high)
        super().__init__(self.low.shape, (), validate_args)
        self._require("low", self.low < self.high, "below high")

    @property
    def arg_constraints(self) -> dict[str, Any]:  # type: ignore[override]
        """The constraints of low and high, each of which the other bounds."""
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @property
    def support(self) -> Any:
        """The numbers from low to high."""
        return constraints.interval(self.low, self.high)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        inside = (value >= self.low).logical_and(value < self.high)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def cdf(self, value: Any) -> Tensor:
        return ((self._checked(value) - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Any) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        return self.high * math.nan

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low).square() / 12


class Exponential(ExponentialFamily):
    """The density rate·e^(−rate·x) for x ≥ 0.

    Args:
        rate: 1 over the mean, positive.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: rate is not positive.
    """

    support: Any = constraints.nonnegative
    has_rsample = True
    _parameter_names = ("rate",)

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = as_parameters(rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._require("rate", self.rate > 0, "positive")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return -open_uniform(self.rate, self._extended_shape(sample_shape)).log() / self.rate

    def log_prob(self, value: Any) -> Tensor:
        return self.rate.log() - self.rate * self._checked(value)

    def cdf(self, value: Any) -> Tensor:
        return 1 - (-self.rate * self._checked(value)).exp()

    def icdf(self, value: Any) -> Tensor:
        return -log1p(-value) / self.rate

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()

    @property
    def mean(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        return self.rate.detach() * 0

    @property
    def stddev(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        return self.rate.pow(-2)
