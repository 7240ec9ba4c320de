"""Distributions of classes and counts. Formulas: the documentation of ``torch.distributions``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from cygrad.distributions import constraints
from cygrad.distributions.distribution import Distribution, as_parameters
from cygrad.distributions.exp_family import ExponentialFamily
from cygrad.functions import gather, log_softmax, softmax, where
from cygrad.nn.functional import binary_cross_entropy_with_logits, one_hot, sigmoid
from cygrad.random import bernoulli, multinomial, rand
from cygrad.sizes import Size
from cygrad.tensor import Tensor

__all__ = ["Bernoulli", "Categorical", "Geometric", "OneHotCategorical"]


def one_of(name: str, probs: Any, logits: Any) -> Any:
    """The one that is given."""
    if (probs is None) == (logits is None):
        raise ValueError(f"{name}: either probs or logits must be given, and not both")
    return logits if probs is None else probs


class Categorical(Distribution):
    """The classes 0, …, n − 1.

    Args:
        probs: the probabilities along the last dimension, n of them; they are divided by their sum.
        logits: or their logarithms, up to a constant.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: not exactly one of the two is given, or a probability is negative or NaN.

    >>> cg.distributions.Categorical(probs=cg.tensor([0.25, 0.75])).log_prob(cg.tensor(1))
    tensor(-0.2877)
    """

    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (given,) = as_parameters(one_of("Categorical", probs, logits))
        if not given.ndim:
            raise ValueError("Categorical: the parameter must have at least one dimension, of the classes")
        super().__init__(given.shape[:-1], (), validate_args)
        self._from_probs = logits is None
        if self._from_probs:
            self._require("probs", (given >= 0).logical_and(given < np.inf), "numbers of at least 0")
            self.probs = given / given.sum(-1, keepdim=True)
        else:
            self._require("logits", given == given, "numbers")
            self.logits = log_softmax(given, -1)
        self._num_events = given.shape[-1]

    @property
    def support(self) -> Any:
        """The class indices."""
        return constraints.integer_interval(0, self._num_events - 1)

    @cached_property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        tiny = np.finfo(self.probs.array.dtype).eps
        return self.probs.clamp(tiny, 1 - tiny).log()

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return softmax(self.logits, -1)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of the parameter."""
        return self._given.shape

    @property
    def _given(self) -> Tensor:
        return self.probs if self._from_probs else self.logits

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        given = self._given.expand((*batch_shape, self._num_events))
        return type(self)(given) if self._from_probs else type(self)(logits=given)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        count = int(np.prod(sample_shape, dtype=np.int64))
        rows = self.probs.detach().reshape((-1, self._num_events))
        draws = multinomial(rows, max(count, 1), True)[:, :count]
        return draws.t().reshape((*sample_shape, *self.batch_shape))

    def log_prob(self, value: Any) -> Tensor:
        return self._log_prob_of(self._checked(value if isinstance(value, Tensor) else Tensor(np.asarray(value))))

    def _log_prob_of(self, index: Tensor) -> Tensor:
        """The logarithms of the probabilities of classes."""
        shape = np.broadcast_shapes(index.shape, self.batch_shape)
        logits = self.logits.expand((*shape, self._num_events))
        return gather(logits, -1, index.long().expand(shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        floor = float(np.finfo(self.logits.array.dtype).min)
        return -(self.logits.clamp(min=floor) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = Tensor(np.arange(self._num_events).reshape((-1, *[1] * len(self.batch_shape))))
        return values.expand((self._num_events, *self.batch_shape)) if expand else values

    @property
    def mean(self) -> Tensor:
        return self.probs.detach().sum(-1) * np.nan

    @property
    def variance(self) -> Tensor:
        return self.mean

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'probs' if self._from_probs else 'logits'}: {tuple(self._given.shape)})"


class OneHotCategorical(Categorical):
    """As :class:`Categorical`, with rows that have a single 1 as values."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args)
        self._event_shape = Size((self._num_events,))

    @property
    def support(self) -> Any:
        """The rows with a single 1."""
        return constraints.one_hot

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return one_hot(super().sample(sample_shape), self._num_events).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Tensor:
        return self._log_prob_of(self._checked(value).argmax(-1))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._num_events
        values = Tensor(np.eye(n, dtype=self.probs.array.dtype).reshape((n, *[1] * len(self.batch_shape), n)))
        return values.expand((n, *self.batch_shape, n)) if expand else values

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        return one_hot(self.probs.argmax(-1), self._num_events).to(self.probs.dtype)


class Binary(Distribution):
    """A distribution with one probability, given as such or as log p/(1 − p).

    Args:
        probs: the probabilities.
        logits: or log p/(1 − p).
        validate_args: whether arguments are checked.

    Raises:
        ValueError: not exactly one of the two is given, or a probability lies outside [0, 1].
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (given,) = as_parameters(one_of(type(self).__name__, probs, logits))
        super().__init__(given.shape, (), validate_args)
        self._from_probs = logits is None
        if self._from_probs:
            self._require("probs", (given >= 0).logical_and(given <= 1), "in [0, 1]")
            self.probs = given
        else:
            self._require("logits", given == given, "numbers")
            self.logits = given

    @cached_property
    def logits(self) -> Tensor:
        """log p/(1 − p)"""
        tiny = np.finfo(self.probs.array.dtype).eps
        p = self.probs.clamp(tiny, 1 - tiny)
        return p.log() - (-p).log1p()

    @cached_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return sigmoid(self.logits)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        if self._from_probs:
            return type(self)(self.probs.expand(tuple(batch_shape)))
        return type(self)(logits=self.logits.expand(tuple(batch_shape)))

    def __repr__(self) -> str:
        name, given = ("probs", self.probs) if self._from_probs else ("logits", self.logits)
        return f"{type(self).__name__}({name}: {given.item() if given.numel() == 1 else tuple(given.shape)})"


class Bernoulli(Binary, ExponentialFamily):
    """1 with probability p, else 0.

    >>> cg.distributions.Bernoulli(0.25).mean
    tensor(0.2500)
    """

    has_enumerate_support = True

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return bernoulli(self.probs.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Tensor:
        logits, target = as_parameters(self.logits, value)
        self._require("value", (target == 0).logical_or(target == 1), "0 or 1")
        return -binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = Tensor(np.arange(2, dtype=self.probs.array.dtype).reshape((2, *[1] * len(self.batch_shape))))
        return values.expand((2, *self.batch_shape)) if expand else values

    support: Any = constraints.boolean
    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        return where(self.probs == 0.5, np.nan, (self.probs >= 0.5).to(self.probs.dtype))


class Geometric(Binary):
    """The number of failures before the first success: (1 − p)ᵏ·p."""

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        p = self.probs.detach()
        u = rand(self._extended_shape(sample_shape), dtype=p.dtype) + 2.0**-25
        return (u.log() / (-p).log1p()).floor()

    def log_prob(self, value: Any) -> Tensor:
        value, p = as_parameters(self._checked(value), self.probs)
        return where((p == 1).logical_and(value == 0), 0.0, value * (-p).log1p()) + p.log()

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs

    support: Any = constraints.nonnegative_integer
    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return self.probs.detach() * 0

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs
