"""Kullback–Leibler divergences KL(p‖q) = Σ p·log(p/q). As ``torch.distributions.kl``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cygrad.distributions.continuous import Exponential, Laplace, Normal, Uniform
from cygrad.distributions.discrete import Bernoulli, Categorical
from cygrad.distributions.distribution import Distribution, Independent, sum_last
from cygrad.distributions.multivariate import MultivariateNormal, solve_lower
from cygrad.distributions.transforms import LogNormal
from cygrad.functions import where
from cygrad.nn.functional import softplus
from cygrad.tensor import Tensor

__all__ = ["kl_divergence", "register_kl"]

Rule = Callable[[Any, Any], Tensor]
RULES: dict[tuple[type, type], Rule] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Rule], Rule]:
    """Decorator: the divergence of two kinds of distributions.

    Args:
        type_p, type_q: the classes; subclasses count too, the closest ones first.
    """

    def register(rule: Rule) -> Rule:
        RULES[type_p, type_q] = rule
        return rule

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return KL(p‖q) for each of the batch.

    Args:
        p, q: distributions.

    Raises:
        NotImplementedError: no formula is known for these classes.

    >>> d = cg.distributions
    >>> d.kl_divergence(d.Normal(0.0, 1.0), d.Normal(1.0, 1.0))
    tensor(0.5000)
    """
    for first in type(p).__mro__:
        for second in type(q).__mro__:
            if (first, second) in RULES:
                return RULES[first, second](p, q)
    raise NotImplementedError(f"kl_divergence: no formula for {type(p).__name__} and {type(q).__name__}")


@register_kl(Normal, Normal)
def _(p: Normal, q: Normal) -> Tensor:
    ratio, shift = (p.scale / q.scale).square(), ((p.loc - q.loc) / q.scale).square()
    return 0.5 * (ratio + shift - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
def _(p: LogNormal, q: LogNormal) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _(p: Laplace, q: Laplace) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Exponential, Exponential)
def _(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Uniform, Uniform)
def _(p: Uniform, q: Uniform) -> Tensor:
    inside = (q.low <= p.low).logical_and(q.high >= p.high)
    return where(inside, ((q.high - q.low) / (p.high - p.low)).log(), math.inf)


@register_kl(Bernoulli, Bernoulli)
def _(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    return one + (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))


@register_kl(Categorical, Categorical)
def _(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = where((q.probs == 0).expand(terms.shape), math.inf, terms)
    return where((p.probs == 0).expand(terms.shape), 0.0, terms).sum(-1)


@register_kl(MultivariateNormal, MultivariateNormal)
def _(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    trace = solve_lower(q.scale_tril, p.scale_tril).square().sum((-2, -1))
    shift = solve_lower(q.scale_tril, (q.loc - p.loc).unsqueeze(-1)).square().sum((-2, -1))
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace + shift - p.event_shape[0])


@register_kl(Independent, Independent)
def _(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: the two differ in reinterpreted_batch_ndims")
    return sum_last(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)
