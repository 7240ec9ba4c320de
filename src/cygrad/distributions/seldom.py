"""Distributions that few programs use. Formulas: the documentation of ``torch.distributions``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad.autograd import no_grad
from cygrad.distributions import constraints
from cygrad.distributions.continuous import EULER, Cauchy, HalfNormal, open_uniform
from cygrad.distributions.discrete import Binary, Categorical, OneHotCategorical
from cygrad.distributions.distribution import Distribution, as_parameters, drawn
from cygrad.distributions.exp_family import ExponentialFamily
from cygrad.functions import expm1, gather, isclose, log1p, log_softmax, softmax, where
from cygrad.nn.functional import binary_cross_entropy_with_logits, logsigmoid, sigmoid
from cygrad.ops.special import digamma, i0e, i1e, lgamma
from cygrad.random import rand
from cygrad.sizes import Size
from cygrad.tensor import Tensor

__all__ = [
    "ContinuousBernoulli", "GeneralizedPareto", "HalfCauchy", "Kumaraswamy", "MixtureSameFamily",
    "OneHotCategoricalStraightThrough", "Pareto", "RelaxedBernoulli", "RelaxedOneHotCategorical", "VonMises", "Weibull",
]  # fmt: skip


class HalfCauchy(HalfNormal):
    """|x| for x from Cauchy(0, scale).

    Args:
        scale: of the Cauchy distribution, positive.
        validate_args: whether arguments are checked.
    """

    @property
    def _whole(self) -> Cauchy:
        return Cauchy(0.0, self.scale, False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._whole.rsample(sample_shape).abs()

    def log_prob(self, value: Any) -> Tensor:
        x = self._checked(value)
        return where(x >= 0, self._whole.log_prob(x) + math.log(2), -math.inf)

    def cdf(self, value: Any) -> Tensor:
        return 2 * self._whole.cdf(value) - 1

    def icdf(self, value: Any) -> Tensor:
        return self._whole.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self._whole.entropy() - math.log(2)

    @property
    def mean(self) -> Tensor:
        return self.scale.detach() * 0 + math.inf

    @property
    def variance(self) -> Tensor:
        return self._whole.variance


class Weibull(Distribution):
    """The density k/scale·(x/scale)ᵏ⁻¹·e^(−(x/scale)ᵏ), k = concentration.

    Args:
        scale, concentration: positive.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("scale", "concentration")
    support = constraints.positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, scale=scale, concentration=concentration)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = open_uniform(self.scale, self._extended_shape(sample_shape))
        return self.scale * (-u.log()) ** (1 / self.concentration)

    def log_prob(self, value: Any) -> Tensor:
        z = self._checked(value) / self.scale
        return (self.concentration / self.scale).log() + (self.concentration - 1) * z.log() - z**self.concentration

    def cdf(self, value: Any) -> Tensor:
        return -expm1(-((self._checked(value) / self.scale) ** self.concentration))

    def icdf(self, value: Any) -> Tensor:
        return self.scale * (-log1p(-value)) ** (1 / self.concentration)

    def entropy(self) -> Tensor:
        return EULER * (1 - 1 / self.concentration) + (self.scale / self.concentration).log() + 1

    @property
    def mean(self) -> Tensor:
        return self.scale * lgamma(1 + 1 / self.concentration).exp()

    @property
    def mode(self) -> Tensor:
        k = self.concentration
        return self.scale * ((k - 1) / k) ** (1 / k)

    @property
    def variance(self) -> Tensor:
        first, second = (lgamma(1 + n / self.concentration) for n in (1, 2))
        return self.scale.square() * (second.exp() - (2 * first).exp())


class Pareto(Distribution):
    """The density alpha·scaleᵃ/x^(alpha + 1) above scale.

    Args:
        scale, alpha: positive.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("scale", "alpha")

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, scale=scale, alpha=alpha)

    @property
    def support(self) -> Any:
        """The numbers of at least scale."""
        return constraints.greater_than_eq(self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.scale * open_uniform(self.scale, self._extended_shape(sample_shape)) ** (-1 / self.alpha)

    def log_prob(self, value: Any) -> Tensor:
        x = self._checked(value)
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * x.log()

    def cdf(self, value: Any) -> Tensor:
        return 1 - (self.scale / self._checked(value)) ** self.alpha

    def icdf(self, value: Any) -> Tensor:
        return self.scale * (1 - value) ** (-1 / self.alpha)

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + 1 + 1 / self.alpha

    @property
    def mean(self) -> Tensor:
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        a = self.alpha.clamp(min=2)
        return self.scale.square() * a / ((a - 1).square() * (a - 2))


class GeneralizedPareto(Distribution):
    """The distribution of what exceeds a threshold: with z = (x − loc)/scale, P(X > x) = (1 + concentration·z) to the
    power of −1/concentration, and e^(−z) where concentration = 0.

    Args:
        loc: the threshold.
        scale: positive.
        concentration: how heavy the tail is; where it is negative, values end at loc − scale/concentration.
        validate_args: whether arguments are checked.

    J. Pickands (1975), "Statistical inference using extreme order statistics".
    """

    has_rsample = True
    _parameter_names = ("loc", "scale", "concentration")

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = as_parameters(loc, scale, concentration)
        super().__init__(self.loc.shape, (), validate_args)
        self._require("loc", self.loc == self.loc, "a number")
        self._require("scale", self.scale > 0, "positive")
        self._require("concentration", self.concentration == self.concentration, "a number")

    @property
    def support(self) -> Any:
        """The numbers from loc to the end of the tail."""
        end = self.loc - self.scale / self._c
        return constraints.interval(self.loc.detach(), where(self.concentration < 0, end, math.inf).detach())

    @property
    def _exponential(self) -> Tensor:
        """Where the concentration counts as 0."""
        return isclose(self.concentration, self.concentration.new_zeros(()))

    @property
    def _c(self) -> Tensor:
        """The concentration, 1 where it counts as 0."""
        return where(self._exponential, 1.0, self.concentration)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_survival_function(self, value: Any) -> Tensor:
        """Return the logarithm of the probability of more than a value."""
        z = (self._checked(value) - self.loc) / self.scale
        return where(self._exponential, -z, -log1p(self._c * z) / self._c)

    def log_prob(self, value: Any) -> Tensor:
        z = (self._checked(value) - self.loc) / self.scale
        power = 1 / self._c + 1
        inner = where(power == 0, power * z.new_ones(z.shape), power * log1p(self._c * z))
        return -self.scale.log() - where(self._exponential, z, inner)

    def log_cdf(self, value: Any) -> Tensor:
        """Return the logarithm of :meth:`cdf`."""
        return log1p(-self.log_survival_function(value).exp())

    def cdf(self, value: Any) -> Tensor:
        return -expm1(self.log_survival_function(value))

    def icdf(self, value: Any) -> Tensor:
        log_survival = log1p(-value)
        tail = expm1(-self._c * log_survival) / self._c
        return self.loc + self.scale * where(self._exponential, -log_survival, tail)

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1

    @property
    def mean(self) -> Tensor:
        c = self.concentration
        return where(c < 1, self.loc + self.scale / (1 - where(c < 1, c, 0.5)), math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        c = where(self.concentration < 0.5, self.concentration, 0.25)
        value = self.scale.square() / ((1 - c).square() * (1 - 2 * c))
        return where(self.concentration < 0.5, value, math.nan)


class Kumaraswamy(Distribution):
    """(1 − (1 − u)^(1/b))^(1/a) for a uniform u; its density is a·b·xᵃ⁻¹·(1 − xᵃ)ᵇ⁻¹ on [0, 1].

    Args:
        concentration1, concentration0: a and b, positive.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    _parameter_names = ("concentration1", "concentration0")
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, concentration1=concentration1, concentration0=concentration0)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = open_uniform(self.concentration1, self._extended_shape(sample_shape))
        return (1 - u ** (1 / self.concentration0)) ** (1 / self.concentration1)

    def log_prob(self, value: Any) -> Tensor:
        a, b, x = self.concentration1, self.concentration0, self._checked(value)
        return a.log() + b.log() + (a - 1) * x.log() + (b - 1) * log1p(-(x**a))

    def icdf(self, value: Any) -> Tensor:
        return (1 - (1 - value) ** (1 / self.concentration0)) ** (1 / self.concentration1)

    def cdf(self, value: Any) -> Tensor:
        return 1 - (1 - self._checked(value) ** self.concentration1) ** self.concentration0

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return (1 - 1 / b) + (1 - 1 / a) * (digamma(b + 1) + EULER) - a.log() - b.log()

    def _moment(self, n: int) -> Tensor:
        b, c = self.concentration0, 1 + n / self.concentration1
        return b * (lgamma(c) + lgamma(b) - lgamma(c + b)).exp()

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        mode = ((a - 1) / (a * b - 1)) ** (1 / a)
        return where((a < 1).logical_or(b < 1), math.nan, mode)

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self._moment(1).square()


class VonMises(Distribution):
    """The density e^(concentration·cos(x − loc))/(2π·I₀(concentration)) of angles.

    Args:
        loc: an angle in radians.
        concentration: positive.
        validate_args: whether arguments are checked.
    """

    _parameter_names = ("loc", "concentration")
    support = constraints.real

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, loc=loc, concentration=concentration)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return drawn("vonmises", shape, self.loc, self.concentration)

    def log_prob(self, value: Any) -> Tensor:
        k = self.concentration
        return k * ((self._checked(value) - self.loc).cos() - 1) - math.log(2 * math.pi) - i0e(k).log()

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return 1 - i1e(self.concentration) / i0e(self.concentration)


class ContinuousBernoulli(Binary, ExponentialFamily):
    """The density C(p)·pˣ·(1 − p)^(1 − x) on [0, 1].

    G. Loaiza-Ganem, J. Cunningham (2019), "The continuous Bernoulli: fixing a pervasive error in variational
    autoencoders".

    Args:
        probs: p, in (0, 1).
        logits: or log p/(1 − p).
        lims: between these, formulas with a singularity at p = ½ are replaced by their Taylor polynomials.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    support = constraints.unit_interval

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(probs, logits, validate_args)
        self._lims = lims

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Whether p is near ½, p − ½ there, and elsewhere p and log (1 − p)/p."""
        tiny = np.finfo(self.probs.array.dtype).eps
        p = self.probs.clamp(tiny, 1 - tiny)
        near = (p > self._lims[0]).logical_and(p <= self._lims[1])
        cut = where(near, self._lims[0], p)
        return near, where(near, p - 0.5, 0.0), cut, log1p(-cut) - cut.log()

    def _log_norm(self) -> Tensor:
        near, x, p, odds = self._parts()
        exact = odds.abs().log() - log1p(-2 * p.minimum(1 - p))
        return where(near, math.log(2) + (4 / 3 + 104 / 45 * x.square()) * x.square(), exact)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(open_uniform(self.probs, self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Tensor:
        logits, x = as_parameters(self.logits, self._checked(value))
        return self._log_norm() - binary_cross_entropy_with_logits(logits, x, reduction="none")

    def cdf(self, value: Any) -> Tensor:
        near, _, p, _ = self._parts()
        exact = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        inside = where(near, value + 0 * p, exact)
        return where(value + 0 * p <= 0, 0.0, where(value + 0 * p >= 1, 1.0, inside))

    def icdf(self, value: Any) -> Tensor:
        near, _, p, odds = self._parts()
        return where(near, value + 0 * p, (log1p(-p) - log1p(-p + value * (2 * p - 1))) / odds)

    def entropy(self) -> Tensor:
        zero, one = log1p(-self.probs), self.probs.log()
        return self.mean * (zero - one) - self._log_norm() - zero

    @property
    def mean(self) -> Tensor:
        near, x, p, odds = self._parts()
        return where(near, 0.5 + (1 / 3 + 16 / 45 * x.square()) * x, p / (2 * p - 1) + 1 / odds)

    @property
    def variance(self) -> Tensor:
        near, x, p, odds = self._parts()
        s = x.square()
        exact = p * (p - 1) / (1 - 2 * p).square() + 1 / odds.square()
        return where(near, 1 / 12 - (1 / 15 - 128 / 945 * s) * s, exact)

    sample = Distribution.sample


class RelaxedBernoulli(Binary):
    """sigmoid((logits + log u − log(1 − u))/temperature) for a uniform u: nearly 0 or 1, with gradients.

    C. Maddison, A. Mnih, Y. Teh (2017), "The concrete distribution".

    Args:
        temperature: positive; the lower, the nearer to 0 or 1.
        probs, logits: as in :class:`Bernoulli`.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    support = constraints.unit_interval

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self.temperature = temperature

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> RelaxedBernoulli:
        return RelaxedBernoulli(self.temperature, logits=self.logits.expand(tuple(batch_shape)))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = open_uniform(self.logits, self._extended_shape(sample_shape))
        return sigmoid((self.logits + u.log() - log1p(-u)) / self.temperature)

    sample = Distribution.sample

    def log_prob(self, value: Any) -> Tensor:
        y = self._checked(value)
        x = y.log() - log1p(-y)
        difference = self.logits - x * self.temperature
        log = self.temperature.log() if isinstance(self.temperature, Tensor) else math.log(self.temperature)
        return log + difference + 2 * logsigmoid(-difference) - logsigmoid(x) - logsigmoid(-x)

    mean = variance = mode = Distribution.mean


class RelaxedOneHotCategorical(Categorical):
    """softmax((logits + Gumbel noise)/temperature): nearly one-hot, with gradients; see :class:`RelaxedBernoulli`.

    Args:
        temperature: positive; the lower, the nearer to one-hot.
        probs, logits: as in :class:`Categorical`.
        validate_args: whether arguments are checked.
    """

    has_rsample = True
    has_enumerate_support = False
    support = constraints.simplex

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self.temperature, self._event_shape = temperature, Size((self._num_events,))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> RelaxedOneHotCategorical:
        logits = self.logits.expand((*batch_shape, self._num_events))
        return RelaxedOneHotCategorical(self.temperature, logits=logits)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = open_uniform(self.logits, self._extended_shape(sample_shape))
        return softmax((self.logits - (-u.log()).log()) / self.temperature, -1)

    sample = Distribution.sample

    def log_prob(self, value: Any) -> Tensor:
        x, n = self._checked(value).log(), self._num_events
        score = log_softmax(self.logits - x * self.temperature, -1).sum(-1) - x.sum(-1)
        log = self.temperature.log() if isinstance(self.temperature, Tensor) else math.log(self.temperature)
        return score + math.lgamma(n) + (n - 1) * log

    mean = variance = mode = Distribution.mean
    entropy = Distribution.entropy


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """As :class:`OneHotCategorical`; samples pass gradients on to the probabilities.

    Y. Bengio, N. Léonard, A. Courville (2013), "Estimating or propagating gradients through stochastic neurons".
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            drawn = self.sample(sample_shape)
        return drawn + (self.probs - self.probs.detach())


class MixtureSameFamily(Distribution):
    """A mixture of distributions of one family.

    Args:
        mixture_distribution: a :class:`Categorical`, the weights.
        component_distribution: a distribution whose last batch dimension has one for each weight.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: their shapes do not fit.
    """

    _checks_support = False
    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        mixture, component = mixture_distribution, component_distribution
        if not isinstance(mixture, Categorical) or not isinstance(component, Distribution):
            raise ValueError("MixtureSameFamily: expected a Categorical and a Distribution")
        if component.batch_shape[-1:] != (mixture._num_events,):
            raise ValueError(f"MixtureSameFamily: {mixture._num_events} weights, components {component.batch_shape}")
        self.mixture_distribution, self.component_distribution = mixture, component
        super().__init__(component.batch_shape[:-1], component.event_shape, validate_args)

    @property
    def support(self) -> Any:
        """The support of the components."""
        return self.component_distribution.support

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> MixtureSameFamily:
        shape = tuple(batch_shape)
        n = self.mixture_distribution._num_events
        return MixtureSameFamily(
            self.mixture_distribution.expand(shape), self.component_distribution.expand((*shape, n))
        )

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            samples = self.component_distribution.sample(sample_shape)
            events = len(self.event_shape)
            shape = self._extended_shape(sample_shape)
            choice = self.mixture_distribution.expand(self.batch_shape).sample(sample_shape)
            index = choice.reshape((*choice.shape, *[1] * (events + 1)))
            axis = samples.ndim - events - 1
            return gather(samples, axis, index.expand((*shape[: len(shape) - events], 1, *self.event_shape))).squeeze(
                axis
            )

    def log_prob(self, value: Any) -> Tensor:
        log = self.component_distribution.log_prob(self._checked(value).unsqueeze(-1 - len(self.event_shape)))
        return (log + log_softmax(self.mixture_distribution.logits, -1)).logsumexp(-1)

    def cdf(self, value: Any) -> Tensor:
        return (self.component_distribution.cdf(self._checked(value).unsqueeze(-1)) * self._weights(0)).sum(-1)

    def _weights(self, events: int) -> Tensor:
        probs = self.mixture_distribution.probs
        return probs.reshape((*probs.shape, *[1] * events))

    @property
    def mean(self) -> Tensor:
        events = len(self.event_shape)
        return (self._weights(events) * self.component_distribution.mean).sum(-1 - events)

    @property
    def variance(self) -> Tensor:
        events = len(self.event_shape)
        component = self.component_distribution
        spread = component.variance + (component.mean - self.mean.unsqueeze(-1 - events)).square()
        return (self._weights(events) * spread).sum(-1 - events)

    def __repr__(self) -> str:
        return f"MixtureSameFamily({self.mixture_distribution!r}, {self.component_distribution!r})"
