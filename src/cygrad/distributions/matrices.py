"""Distributions over matrices, and over vectors with structure. Formulas: the documentation of
``torch.distributions``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad.distributions import constraints
from cygrad.distributions.arguments import COVARIANCE
from cygrad.distributions.continuous import Normal
from cygrad.distributions.distribution import Distribution, as_parameters
from cygrad.distributions.gamma import Beta, Chi2
from cygrad.distributions.multivariate import Factored, cholesky, eye_like, factor_of, solve_lower
from cygrad.distributions.transforms import TransformedDistribution
from cygrad.distributions.vector_transforms import StickBreakingTransform
from cygrad.functions import mvlgamma
from cygrad.ops.special import digamma, lgamma
from cygrad.random import randn
from cygrad.tensor import Tensor

__all__ = ["LKJCholesky", "LogisticNormal", "LowRankMultivariateNormal", "Wishart"]


class LowRankMultivariateNormal(Distribution):
    """N(loc, W·Wᵀ + diag D): n elements with k common factors, in O(n·k²) by Woodbury's identity.

    Args:
        loc: the mean (…, n).
        cov_factor: W (…, n, k).
        cov_diag: D (…, n), positive.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: shapes do not fit, or an element of D is not positive.
    """

    support: Any = constraints.real_vector
    has_rsample = True
    _parameter_names = ("loc", "cov_factor", "cov_diag")

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        n = loc.shape[-1]
        if cov_factor.ndim < 2 or cov_factor.shape[-2] != n or cov_diag.shape[-1] != n:
            raise ValueError(
                f"LowRankMultivariateNormal: loc has {n} elements, but cov_factor is {tuple(cov_factor.shape)} and "
                f"cov_diag {tuple(cov_diag.shape)}"
            )
        batch = np.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        super().__init__(batch, (n,), validate_args)
        self.loc, self.cov_diag = loc.expand((*batch, n)), cov_diag.expand((*batch, n))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        self._require("cov_diag", cov_diag > 0, "positive")

    def _capacitance(self) -> Tensor:
        """L with L·Lᵀ = I + Wᵀ·D⁻¹·W"""
        w = self.cov_factor
        inner = w.mT @ (w / self.cov_diag.unsqueeze(-1))
        return cholesky(inner + eye_like(inner))

    def _log_det(self, lower: Tensor) -> Tensor:
        return 2 * lower.diagonal(0, -2, -1).log().sum(-1) + self.cov_diag.log().sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape, w = self._extended_shape(sample_shape), self.cov_factor
        common = randn((*shape[:-1], w.shape[-1]), dtype=w.dtype)
        own = randn(shape, dtype=w.dtype)
        return self.loc + (w @ common.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * own

    def log_prob(self, value: Any) -> Tensor:
        difference, lower = self._checked(value) - self.loc, self._capacitance()
        scaled = difference / self.cov_diag
        inner = solve_lower(lower, self.cov_factor.mT @ scaled.unsqueeze(-1)).squeeze(-1)
        distance = (difference * scaled).sum(-1) - inner.square().sum(-1)
        return -0.5 * (self.event_shape[0] * math.log(2 * math.pi) + self._log_det(lower) + distance)

    def entropy(self) -> Tensor:
        return 0.5 * (self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._log_det(self._capacitance()))

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return self.cov_factor.square().sum(-1) + self.cov_diag

    @property
    def covariance_matrix(self) -> Tensor:
        """W·Wᵀ + diag D"""
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangular L with L·Lᵀ = W·Wᵀ + diag D."""
        return cholesky(self.covariance_matrix)

    @property
    def precision_matrix(self) -> Tensor:
        """(W·Wᵀ + diag D)⁻¹"""
        scaled = self.cov_factor / self.cov_diag.unsqueeze(-1)
        inner = solve_lower(self._capacitance(), scaled.mT)
        return self.cov_diag.reciprocal().diag_embed() - inner.mT @ inner


class LogisticNormal(TransformedDistribution):
    """n + 1 probabilities that StickBreakingTransform makes of x from N(loc, scale²).

    Args:
        loc, scale: of the normal distribution, along the last dimension n of them.
        validate_args: whether arguments are checked.
    """

    _parameter_names = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        normal = Normal(loc, scale, validate_args)
        if not normal.batch_shape:
            raise ValueError("LogisticNormal: the parameters must have at least one dimension")
        super().__init__(normal, StickBreakingTransform(), validate_args)
        self.loc, self.scale = normal.loc, normal.scale

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> LogisticNormal:
        shape = (*batch_shape, self.loc.shape[-1])
        return LogisticNormal(self.loc.expand(shape), self.scale.expand(shape))

    __repr__ = Distribution.__repr__


class Wishart(Factored):
    """Σᵢ xᵢ·xᵢᵀ over df vectors x from N(0, Σ): a distribution of positive definite matrices.

    Args:
        df: the degrees of freedom (…), above n − 1.
        covariance_matrix: Σ (…, n, n), positive definite; or
        precision_matrix: Σ⁻¹; or
        scale_tril: the lower triangular L with Σ = L·Lᵀ.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: not exactly one of the three is given, the matrix is not positive definite, or df too small.
    """

    support: Any = constraints.positive_definite
    has_rsample = True
    _parameter_names = ("df", "scale_tril")

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        scale_tril = factor_of("Wishart", covariance_matrix, precision_matrix, scale_tril)
        (df,) = as_parameters(df)
        n = scale_tril.shape[-1]
        batch = np.broadcast_shapes(df.shape, scale_tril.shape[:-2])
        super().__init__(batch, (n, n), validate_args)
        self.df, self.scale_tril = df.to(scale_tril.dtype).expand(batch), scale_tril.expand((*batch, n, n))
        self._require("df", df > n - 1, f"above {n - 1}")

    @property
    def arg_constraints(self) -> dict[str, Any]:  # type: ignore[override]
        """The constraints of the parameters; that of df depends on the size of the matrices."""
        return {**COVARIANCE, "df": constraints.greater_than(self.event_shape[0] - 1)}

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        # Bartlett's decomposition: χ² with df − i degrees of freedom on the diagonal, N(0, 1) below it
        n, dtype = self.event_shape[0], self.scale_tril.dtype
        degrees = self.df.unsqueeze(-1) - Tensor(np.arange(n).astype(dtype))
        diagonal = Chi2(degrees).rsample(sample_shape).sqrt().diag_embed()
        factor = self.scale_tril @ (diagonal + randn(self._extended_shape(sample_shape), dtype=dtype).tril(-1))
        return factor @ factor.mT

    def log_prob(self, value: Any) -> Tensor:
        n, half = self.event_shape[0], self.df / 2
        own = cholesky(self._checked(value))
        log_det = own.diagonal(0, -2, -1).log().sum(-1)
        trace = solve_lower(self.scale_tril, own).square().sum((-2, -1))
        norm = self.df * (n * math.log(2) / 2 + self._half_log_det()) + mvlgamma(half, n)
        return (self.df - n - 1) * log_det - trace / 2 - norm

    def entropy(self) -> Tensor:
        n, half = self.event_shape[0], self.df / 2
        steps = Tensor(np.arange(n).astype(half.dtype) / 2)
        slope = digamma(half.unsqueeze(-1) - steps).sum(-1)
        scale = (n + 1) * (n * math.log(2) / 2 + self._half_log_det())
        return scale + mvlgamma(half, n) - (self.df - n - 1) / 2 * slope + self.df * n / 2

    @property
    def mean(self) -> Tensor:
        return self.df.unsqueeze(-1).unsqueeze(-1) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.event_shape[0] - 1
        return factor.masked_fill(factor <= 0, math.nan).unsqueeze(-1).unsqueeze(-1) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        sigma = self.covariance_matrix
        diagonal = sigma.diagonal(0, -2, -1)
        squares = sigma.square() + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self.df.unsqueeze(-1).unsqueeze(-1) * squares


class LKJCholesky(Distribution):
    """Cholesky factors of correlation matrices, with density ∝ det(L·Lᵀ)^(η − 1) over the matrices.

    D. Lewandowski, D. Kurowicka, H. Joe (2009), "Generating random correlation matrices based on vines and extended
    onion method".

    Args:
        dim: the size of the matrices, at least 2.
        concentration: η (…), positive: 1 makes all correlation matrices equally likely, more favors the identity.
        validate_args: whether arguments are checked.

    Raises:
        ValueError: dim is below 2, or the concentration is not positive.
    """

    support: Any = constraints.corr_cholesky
    _parameter_names = ("concentration",)

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"LKJCholesky: dim must be at least 2, got {dim}")
        (self.concentration,) = as_parameters(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)
        self.dim = dim
        self._require("concentration", self.concentration > 0, "positive")

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        # Row i has squared length y from a beta distribution below the diagonal, in a direction that is uniform
        dtype = self.concentration.dtype
        order = Tensor(np.maximum(np.arange(self.dim) - 1, 0).astype(dtype))
        share = Beta(order + 0.5, self.concentration.detach().unsqueeze(-1) + 0.5 * (self.dim - 2) - 0.5 * order)
        length = share.sample(sample_shape).sqrt().unsqueeze(-1)
        direction = randn(self._extended_shape(sample_shape), dtype=dtype).tril(-1)
        tiny = float(np.finfo(dtype).tiny)
        part = length * direction / direction.norm(dim=-1, keepdim=True).clamp(min=tiny)
        return part + (1 - part.square().sum(-1)).clamp(min=tiny).sqrt().diag_embed()

    def log_prob(self, value: Any) -> Tensor:
        dtype, rest = self.concentration.dtype, self.dim - 1
        order = 2 * (self.concentration - 1).unsqueeze(-1) + Tensor(np.arange(self.dim - 2, -1, -1).astype(dtype))
        density = (order * self._checked(value).diagonal(0, -2, -1)[..., 1:].log()).sum(-1)
        alpha = self.concentration + 0.5 * rest
        norm = 0.5 * rest * math.log(math.pi) + mvlgamma(alpha - 0.5, rest) - lgamma(alpha) * rest
        return density - norm
