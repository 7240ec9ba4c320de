"""Kullback–Leibler divergences KL(p‖q) = Σ p·log(p/q). As ``torch.distributions.kl``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad.distributions.continuous import (
    EULER,
    Cauchy,
    Exponential,
    Gumbel,
    HalfNormal,
    Laplace,
    Normal,
    Uniform,
)
from cygrad.distributions.counts import Binomial, Poisson
from cygrad.distributions.discrete import Bernoulli, Categorical, Geometric
from cygrad.distributions.distribution import Distribution, Independent, sum_last
from cygrad.distributions.gamma import Beta, Dirichlet, Gamma
from cygrad.distributions.matrices import LowRankMultivariateNormal, Wishart
from cygrad.distributions.multivariate import MultivariateNormal, solve_lower
from cygrad.distributions.seldom import Pareto
from cygrad.distributions.transforms import LogNormal
from cygrad.functions import log1p, mvlgamma, where
from cygrad.nn.functional import softplus
from cygrad.ops.special import digamma, lgamma
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


@register_kl(Gamma, Gamma)
def _(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    scaled = b * (p.rate / q.rate).log() + lgamma(b) - lgamma(a)
    return scaled + (a - b) * digamma(a) + (q.rate - p.rate) * (a / p.rate)


@register_kl(Dirichlet, Dirichlet)
def _(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norm = lgamma(total) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
    return norm + ((a - b) * (digamma(a) - digamma(total).unsqueeze(-1))).sum(-1)


@register_kl(Beta, Beta)
def _(p: Beta, q: Beta) -> Tensor:
    return kl_divergence(p._dirichlet, q._dirichlet)


@register_kl(Poisson, Poisson)
def _(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Binomial, Binomial)
def _(p: Binomial, q: Binomial) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("kl_divergence: the first Binomial has fewer trials than the second")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + log1p(-p.probs) - log1p(-q.probs))
    return where(p.total_count > q.total_count, math.inf, kl)


@register_kl(Geometric, Geometric)
def _(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _(p: HalfNormal, q: HalfNormal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    return 0.5 * (ratio - 1 - ratio.log())


@register_kl(Cauchy, Cauchy)
def _(p: Cauchy, q: Cauchy) -> Tensor:
    distance = (p.scale + q.scale).square() + (p.loc - q.loc).square()
    return distance.log() - (4 * p.scale * q.scale).log()


@register_kl(Gumbel, Gumbel)
def _(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, shift = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return -ratio.log() - shift + ratio * EULER + (shift + lgamma(1 + ratio)).exp() - (1 + EULER)


@register_kl(Pareto, Pareto)
def _(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, math.inf, kl)


@register_kl(Exponential, Gamma)
def _(p: Exponential, q: Gamma) -> Tensor:
    ratio, a = q.rate / p.rate, q.concentration
    return -a * ratio.log() + ratio + lgamma(a) + a * EULER - (1 + EULER)


@register_kl(Gamma, Exponential)
def _(p: Gamma, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Beta, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Uniform, Normal)
def _(p: Distribution, q: Normal) -> Tensor:
    """−H(p) − E log q, where E (x − μ)² = Var x + (E x − μ)²"""
    square = (p.variance + (p.mean - q.loc).square()) / q.scale.square()
    return -p.entropy() + q.scale.log() + 0.5 * (math.log(2 * math.pi) + square)


@register_kl(Beta, Exponential)
@register_kl(Uniform, Exponential)
def _(p: Distribution, q: Exponential) -> Tensor:
    """−H(p) − E log q, where both are positive"""
    kl = -p.entropy() - q.rate.log() + q.rate * p.mean
    return where(p.low < 0, math.inf, kl) if isinstance(p, Uniform) else kl


@register_kl(Beta, Gamma)
def _(p: Beta, q: Gamma) -> Tensor:
    total = p.concentration1 + p.concentration0
    mean_log = digamma(p.concentration1) - digamma(total)
    a, rate = q.concentration, q.rate
    return -p.entropy() + lgamma(a) - a * rate.log() - (a - 1) * mean_log + rate * p.concentration1 / total


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _(p: Any, q: Any) -> Tensor:
    first, second = [MultivariateNormal(d.loc, scale_tril=d.scale_tril, validate_args=False) for d in (p, q)]
    return kl_divergence(first, second)


@register_kl(Wishart, Wishart)
def _(p: Wishart, q: Wishart) -> Tensor:
    """−H(p) − E log q, where E X = df·Σ and E log det X = Σᵢ ψ((df − i)/2) + n·log 2 + log det Σ"""
    n = p.event_shape[0]
    steps = Tensor(np.arange(n).astype(p.df.dtype) / 2)
    log_det = digamma(p.df.unsqueeze(-1) / 2 - steps).sum(-1) + n * math.log(2) + 2 * p._half_log_det()
    trace = p.df * solve_lower(q.scale_tril, p.scale_tril).square().sum((-2, -1))
    norm = q.df * (n * math.log(2) / 2 + q._half_log_det()) + mvlgamma(q.df / 2, n)
    return -p.entropy() - (q.df - n - 1) / 2 * log_det + trace / 2 + norm


# Where p has values outside of q's support
for kinds in (
    (Exponential, Uniform), (Exponential, Beta), (Gamma, Uniform), (Gamma, Beta), (Normal, Exponential),
    (Normal, Gamma), (Normal, Uniform), (Normal, Beta), (Laplace, Exponential),
    (Laplace, Gamma), (Laplace, Uniform), (Laplace, Beta),
    (Gumbel, Exponential), (Gumbel, Gamma), (Gumbel, Uniform), (Gumbel, Beta), (Poisson, Bernoulli),
    (Poisson, Binomial),
):  # fmt: skip
    register_kl(*kinds)(lambda p, q: p.mean * 0 + math.inf)
