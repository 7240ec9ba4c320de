"""Distributions of counts. Formulas: the documentation of ``torch.distributions``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad.distributions import constraints
from cygrad.distributions.discrete import Binary, Categorical
from cygrad.distributions.distribution import Distribution, as_parameters, drawn
from cygrad.distributions.exp_family import ExponentialFamily
from cygrad.functions import where
from cygrad.nn.functional import logsigmoid
from cygrad.ops.binary import xlogy
from cygrad.ops.special import lgamma
from cygrad.tensor import Tensor

__all__ = ["Binomial", "Multinomial", "NegativeBinomial", "Poisson"]


class Poisson(ExponentialFamily):
    """rateᵏ·e^(−rate)/k!

    Args:
        rate: the mean, at least 0.
        validate_args: whether arguments are checked.
    """

    _parameter_names = ("rate",)
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = as_parameters(rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._require("rate", self.rate >= 0, "at least 0")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return drawn("poisson", self._extended_shape(sample_shape), self.rate)

    def log_prob(self, value: Any) -> Tensor:
        k = self._checked(value)
        return xlogy(k, self.rate) - self.rate - lgamma(k + 1)

    @property
    def mean(self) -> Tensor:
        return self.rate

    variance = mean

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()


class Trials(Binary):
    """A distribution of many trials with one probability.

    Args:
        total_count: a number, or a tensor of numbers.
        probs: the probability of a success.
        logits: or log p/(1 − p).
        validate_args: whether arguments are checked.
    """

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        (given,) = as_parameters(next((v for v in (probs, logits) if v is not None), 0.5))
        n = total_count.to(given.dtype) if isinstance(total_count, Tensor) else given.new_tensor(total_count)
        self.total_count, given = as_parameters(n, given)
        super().__init__(given if probs is not None else None, given if logits is not None else None, validate_args)
        self._require("total_count", self.total_count >= 0, "at least 0")

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        shape = tuple(batch_shape)
        name = "probs" if self._from_probs else "logits"
        return type(self)(self.total_count.expand(shape), **{name: getattr(self, name).expand(shape)})


class Binomial(Trials):
    """The number of successes in total_count trials.

    >>> cg.distributions.Binomial(10, 0.25).mean
    tensor(2.5000)
    """

    has_enumerate_support = True

    @property
    def support(self) -> Any:
        """The counts 0, …, total_count."""
        return constraints.integer_interval(0, self.total_count)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        n, p = self.total_count, self.probs.detach()
        return drawn("binomial", self._extended_shape(sample_shape), n, p)

    def log_prob(self, value: Any) -> Tensor:
        k, n = self._checked(value), self.total_count
        return k * self.logits + n * logsigmoid(-self.logits) + lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

    def entropy(self) -> Tensor:
        counts = self.enumerate_support(False)
        log = self.log_prob(counts)
        return -(log.exp() * log).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = int(self.total_count.max().item())
        if bool((self.total_count != n).any()):
            raise NotImplementedError("Binomial: the support can't be enumerated for different values of total_count")
        values = Tensor(np.arange(n + 1, dtype=self.probs.array.dtype).reshape((-1, *[1] * len(self.batch_shape))))
        return values.expand((n + 1, *self.batch_shape)) if expand else values

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.mean * (1 - self.probs)


class NegativeBinomial(Trials):
    """The number of successes before total_count failures."""

    support = constraints.nonnegative_integer

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        rate = drawn("standard_gamma", shape, self.total_count) * self.logits.detach().exp()
        return drawn("poisson", shape, rate)

    def log_prob(self, value: Any) -> Tensor:
        k, n = self._checked(value), self.total_count
        log = n * logsigmoid(-self.logits) + k * logsigmoid(self.logits)
        ways = lgamma(n + k) - lgamma(k + 1) - lgamma(n)
        return log + where(n + k == 0, 0.0, ways)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.mean * (1 + self.logits.exp())


class Multinomial(Distribution):
    """How often each of n classes occurs in total_count draws.

    Args:
        total_count: an integer.
        probs: the probabilities along the last dimension; they are divided by their sum.
        logits: or their logarithms, up to a constant.
        validate_args: whether arguments are checked.
    """

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("Multinomial: total_count must be one integer")
        self.total_count, self._categorical = total_count, Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, (self._categorical._num_events,), validate_args)

    @property
    def support(self) -> Any:
        """The counts that sum to at most the number of trials."""
        return constraints.multinomial(self.total_count)

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._categorical.logits

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Multinomial:
        given = self._categorical.expand(batch_shape)
        name = "probs" if given._from_probs else "logits"
        return Multinomial(self.total_count, **{name: getattr(given, name)})

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        draws = self._categorical.sample((self.total_count, *sample_shape))
        classes = Tensor(np.arange(self.event_shape[0]))
        return (draws.unsqueeze(-1) == classes).sum(0).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Tensor:
        k = self._checked(value)
        logits = where((k == 0).logical_and(self.logits == -np.inf), 0.0, self.logits)
        return lgamma(k.sum(-1) + 1) - lgamma(k + 1).sum(-1) + (logits * k).sum(-1)

    def entropy(self) -> Tensor:
        n = self.total_count
        binomial = Binomial(n, self.probs, validate_args=False)
        counts = binomial.enumerate_support(False)[1:]
        repeated = (binomial.log_prob(counts).exp() * lgamma(counts + 1)).sum((0, -1))
        return n * self._categorical.entropy() - lgamma(counts.new_tensor(n + 1.0)) + repeated

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def __repr__(self) -> str:
        return f"Multinomial(total_count: {self.total_count}, {self._categorical!r})"
