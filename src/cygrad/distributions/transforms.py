"""Bijections, and the distributions that they make of others. As ``torch.distributions.transforms``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

from cygrad.autograd import no_grad
from cygrad.distributions import constraints
from cygrad.distributions.continuous import Normal
from cygrad.distributions.distribution import Distribution, sum_last
from cygrad.nn.functional import logsigmoid, sigmoid, softplus
from cygrad.tensor import Tensor

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "ComposeTransform",
    "ExpTransform",
    "LogNormal",
    "PowerTransform",
    "SigmoidTransform",
    "SoftplusTransform",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "identity_transform",
]


class Transform:
    """A bijection y = f(x); subclasses define f, its inverse and log |f′|.

    Args:
        cache_size: 1 to remember the latest x and y, so that the inverse of y is x itself.
    """

    bijective = True
    event_dim: int = 0
    domain: Any = constraints.real  # a constraint: the values of x
    codomain: Any = constraints.real  # and those of y

    @property
    def sign(self) -> Any:
        """1 where f rises, −1 where it falls."""
        return 1

    def __init__(self, cache_size: int = 0) -> None:
        self._cache_size = cache_size
        self._latest: tuple[Any, Any] = (None, None)
        self._inv: Transform | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """f(x)"""
        if self._cache_size and self._latest[0] is x:
            return self._latest[1]
        y = self._call(x)
        self._latest = (x, y) if self._cache_size else (None, None)
        return y

    @property
    def inv(self) -> Transform:
        """The inverse f⁻¹, whose inverse is f."""
        if self._inv is None:
            self._inv = InverseTransform(self)
        return self._inv

    def _inv_call(self, y: Tensor) -> Tensor:
        """f⁻¹(y)"""
        if self._cache_size and self._latest[1] is y:
            return self._latest[0]
        return self._inverse(y)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """Return the transform with another ``cache_size``."""
        if self._cache_size == cache_size:
            return self
        copy = object.__new__(type(self))
        vars(copy).update(vars(self))
        copy._cache_size, copy._latest, copy._inv = cache_size, (None, None), None
        return copy

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |f′(x)|, for y = f(x)"""
        raise NotImplementedError(f"{type(self).__name__}: log_abs_det_jacobian is not defined")

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of y for that of x."""
        return tuple(shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of x for that of y."""
        return tuple(shape)

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: _call is not defined")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: _inverse is not defined")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class InverseTransform(Transform):
    """The inverse of a transform."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self._inv = transform
        self.domain, self.codomain = transform.codomain, transform.domain
        self.bijective, self.event_dim = transform.bijective, transform.codomain.event_dim

    @property
    def sign(self) -> Any:
        return self.inv.sign

    def __call__(self, x: Tensor) -> Tensor:
        return self.inv._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self.inv(y)

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self.inv.with_cache(cache_size).inv

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self.inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.inv.inverse_shape(shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.inv.forward_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inv!r})"


def first_values(pairs: Sequence[tuple[Any, Any]]) -> Any:
    """The values that transforms, each with its (domain, codomain), take one after the other."""
    if not pairs:
        return constraints.real
    event_dim = pairs[-1][1].event_dim
    for domain, codomain in reversed(pairs):
        event_dim = max(event_dim + domain.event_dim - codomain.event_dim, domain.event_dim)
    first = pairs[0][0]
    return constraints.independent(first, event_dim - first.event_dim)


class AffineTransform(Transform):
    """y = loc + scale·x

    Args:
        loc, scale: numbers or tensors.
        event_dim: how many of the last dimensions are one event.
        cache_size: as in :class:`Transform`.
    """

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self.event_dim = loc, scale, event_dim
        self.domain = self.codomain = constraints.independent(constraints.real, event_dim)

    @property
    def sign(self) -> Any:
        return self.scale.sign() if isinstance(self.scale, Tensor) else math.copysign(1, self.scale)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        size = self.scale.abs().log() if isinstance(self.scale, Tensor) else math.log(abs(self.scale))
        return sum_last(x * 0 + size, self.event_dim)


class ExpTransform(Transform):
    """y = eˣ"""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class PowerTransform(Transform):
    """y = x to the power of an exponent, for positive x.

    Args:
        exponent: a number or a tensor.
        cache_size: as in :class:`Transform`.
    """

    domain = constraints.positive
    codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent

    @property
    def sign(self) -> Any:
        return self.exponent.sign() if isinstance(self.exponent, Tensor) else math.copysign(1, self.exponent)

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.exponent * y / x).abs().log()


class SigmoidTransform(Transform):
    """y = 1/(1 + e⁻ˣ)"""

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return sigmoid(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return logsigmoid(x) + logsigmoid(-x)


class TanhTransform(Transform):
    """y = tanh x; log |f′| is computed from x, which is exact where y rounds to ±1."""

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class SoftplusTransform(Transform):
    """y = log(1 + eˣ)"""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -softplus(-x)


class AbsTransform(Transform):
    """y = |x|, which forgets the sign; the inverse is y."""

    codomain = constraints.positive

    bijective = False

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class ComposeTransform(Transform):
    """Transforms, one after the other.

    Args:
        parts: the transforms.
        cache_size: as in :class:`Transform`.
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)
        self.event_dim = max([part.event_dim for part in self.parts], default=0)

    @property
    def sign(self) -> Any:
        return math.prod([part.sign for part in self.parts])

    @property
    def domain(self) -> Any:
        """The values of x."""
        return first_values([(part.domain, part.codomain) for part in self.parts])

    @property
    def codomain(self) -> Any:
        """The values of y."""
        return first_values([(part.codomain, part.domain) for part in reversed(self.parts)])

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return tuple(shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return tuple(shape)

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        total: Any = 0.0 if self.parts else x.new_zeros(x.shape)
        for part in self.parts:
            y = part(x)
            total = total + sum_last(part.log_abs_det_jacobian(x, y), self.event_dim - part.event_dim)
            x = y
        return total


identity_transform = ComposeTransform([])


class TransformedDistribution(Distribution):
    """The distribution of f(x) for x from another one.

    Args:
        base_distribution: of x.
        transforms: f, a transform or a list that is applied in order.
        validate_args: whether arguments are checked.
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.base_dist = base_distribution
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        event = max([len(base_distribution.event_shape), *[t.event_dim for t in self.transforms]])
        shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        cut = len(shape) - event
        for transform in self.transforms:
            shape = transform.forward_shape(shape)
        super().__init__(shape[:cut], shape[cut:], validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether samples have gradients."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        """The values of samples."""
        if not self.transforms:
            return self.base_dist.support
        codomain = self.transforms[-1].codomain
        return constraints.independent(codomain, max(len(self.event_shape) - codomain.event_dim, 0))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Any) -> Tensor:
        event, y = len(self.event_shape), self._checked(value)
        total: Any = 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            total = total - sum_last(transform.log_abs_det_jacobian(x, y), event - transform.event_dim)
            y = x
        return total + sum_last(self.base_dist.log_prob(y), event - len(self.base_dist.event_shape))

    def cdf(self, value: Any) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Any) -> Tensor:
        return self._forward(self.base_dist.icdf(self._turned(value)))

    def _turned(self, p: Any) -> Tensor:
        """A probability p, and 1 − p where the transforms fall."""
        sign = math.prod([transform.sign for transform in self.transforms])
        return p if isinstance(sign, int) else sign * (p - 0.5) + 0.5

    def __repr__(self) -> str:
        return f"TransformedDistribution({self.base_dist!r}, {self.transforms!r})"


class LogNormal(TransformedDistribution):
    """eˣ for x from N(loc, scale²).

    Args:
        loc, scale: of the normal distribution.
        validate_args: whether arguments are checked.
    """

    _parameter_names: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        normal = Normal(loc, scale, validate_args)
        super().__init__(normal, ExpTransform(), validate_args)
        self.loc, self.scale = normal.loc, normal.scale

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> LogNormal:
        return LogNormal(self.loc.expand(tuple(batch_shape)), self.scale.expand(tuple(batch_shape)))

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale.square() / 2).exp()

    @property
    def mode(self) -> Tensor:
        return (self.loc - self.scale.square()).exp()

    @property
    def variance(self) -> Tensor:
        return self.scale.square().expm1() * (2 * self.loc + self.scale.square()).exp()

    __repr__ = Distribution.__repr__


def __getattr__(name: str) -> Any:
    """Find the transforms of vectors and matrices, which PyTorch has in this module too."""
    vectors = import_module("cygrad.distributions.vector_transforms")
    if name in vectors.__all__:
        return getattr(vectors, name)
    raise AttributeError(f"module 'cygrad.distributions.transforms' has no attribute {name!r}")
