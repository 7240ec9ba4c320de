"""Transforms of vectors and matrices, and of parts of tensors. As ``torch.distributions.transforms``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cygrad.distributions import constraints
from cygrad.distributions.distribution import Distribution, sum_last
from cygrad.distributions.transforms import Transform
from cygrad.functions import cat, cholesky, softmax, stack
from cygrad.nn.functional import logsigmoid, pad, sigmoid, softplus
from cygrad.tensor import Tensor

__all__ = [
    "CatTransform", "CorrCholeskyTransform", "CumulativeDistributionTransform", "IndependentTransform",
    "LowerCholeskyTransform", "PositiveDefiniteTransform", "ReshapeTransform", "SoftmaxTransform", "StackTransform",
    "StickBreakingTransform",
]  # fmt: skip


class SoftmaxTransform(Transform):
    """y = softmax x along the last dimension, which forgets a constant; the inverse is log y."""

    bijective = False
    event_dim = 1
    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return softmax(x, -1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """n numbers as n + 1 probabilities, the pieces of a stick: number i breaks the share sigmoid(xᵢ − log(n − i)),
    i = 0, …, n − 1, off what remains; the last piece is the rest."""

    event_dim = 1
    domain, codomain = constraints.real_vector, constraints.simplex

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)

    def _call(self, x: Tensor) -> Tensor:
        share = sigmoid(x - log_sticks(x, x.shape[-1]))
        return pad(share, (0, 1), value=1.0) * pad((1 - share).cumprod(-1), (1, 0), value=1.0)

    def _inverse(self, y: Tensor) -> Tensor:
        first = y[..., :-1]
        left = (1 - first.cumsum(-1)).clamp(min=float(np.finfo(y.array.dtype).tiny))
        return first.log() - left.log() + log_sticks(y, first.shape[-1])

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - log_sticks(x, x.shape[-1])
        return (logsigmoid(x) - x + y[..., :-1].log()).sum(-1)


def log_sticks(like: Tensor, n: int) -> Tensor:
    """log n, …, log 1"""
    return Tensor(np.log(np.arange(n, 0, -1)).astype(like.array.dtype))


class LowerCholeskyTransform(Transform):
    """A matrix as a lower triangular one with the positive diagonal e^x."""

    event_dim = 2
    domain, codomain = constraints.independent(constraints.real, 2), constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + x.diagonal(0, -2, -1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + y.diagonal(0, -2, -1).log().diag_embed()


class PositiveDefiniteTransform(Transform):
    """A matrix as L·Lᵀ, where L is that of :class:`LowerCholeskyTransform`."""

    event_dim = 2
    domain, codomain = constraints.independent(constraints.real, 2), constraints.positive_definite
    factor = LowerCholeskyTransform()

    def _call(self, x: Tensor) -> Tensor:
        lower = self.factor(x)
        return lower @ lower.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return self.factor.inv(cholesky(y))


class CorrCholeskyTransform(Transform):
    """D·(D − 1)/2 numbers as the Cholesky factor of a D × D correlation matrix: rows have length 1, and tanh xᵢⱼ is the
    share of what remains of row i's length that element j takes.

    D. Lewandowski, D. Kurowicka, H. Joe (2009), "Generating random correlation matrices based on vines and extended
    onion method".
    """

    event_dim = 1
    domain, codomain = constraints.real_vector, constraints.corr_cholesky

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        size = matrix_size(shape[-1])
        return (*shape[:-1], size, size)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], shape[-1] * (shape[-1] - 1) // 2)

    def _call(self, x: Tensor) -> Tensor:
        size, eps = matrix_size(x.shape[-1]), float(np.finfo(x.array.dtype).eps)
        rows, columns = np.tril_indices(size, -1)
        zeros = x.new_zeros((*x.shape[:-1], size * size))
        index = Tensor(np.broadcast_to(rows * size + columns, x.shape).copy())
        part = zeros.scatter(-1, index, x.tanh().clamp(eps - 1, 1 - eps)).reshape((*x.shape[:-1], size, size))
        left = (1 - part * part).sqrt().cumprod(-1)
        eye = Tensor(np.eye(size, dtype=x.array.dtype))
        return (part + eye) * pad(left[..., :-1], (1, 0), value=1.0)

    def _inverse(self, y: Tensor) -> Tensor:
        left = pad((1 - (y * y).cumsum(-1))[..., :-1], (1, 0), value=1.0)
        share = below(y, -1) / below(left, -1).sqrt()
        return share.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        left = below(1 - (y * y).cumsum(-1), -2).log().sum(-1) * 0.5
        return left - 2 * (x + softplus(-2 * x) - math.log(2.0)).sum(-1)


def matrix_size(count: int) -> int:
    """D with D·(D − 1)/2 = count"""
    size = round((0.25 + 2 * count) ** 0.5 + 0.5)
    if size * (size - 1) // 2 != count:
        raise ValueError(f"CorrCholeskyTransform: {count} is not D·(D − 1)/2 for any D")
    return size


def below(matrix: Tensor, offset: int) -> Tensor:
    """The elements on and below a diagonal, in rows."""
    size = matrix.shape[-1]
    rows, columns = np.tril_indices(size, offset)
    return matrix.reshape((*matrix.shape[:-2], size * size))[..., rows * size + columns]


class ReshapeTransform(Transform):
    """The last dimensions in another shape.

    Args:
        in_shape, out_shape: the shapes, of as many elements.
        cache_size: as in :class:`Transform`.
    """

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        if math.prod(self.in_shape) != math.prod(self.out_shape):
            raise ValueError(f"ReshapeTransform: shapes {self.in_shape} and {self.out_shape} differ in their elements")
        self.event_dim = len(self.in_shape)
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: len(shape) - len(self.in_shape)], *self.out_shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: len(shape) - len(self.out_shape)], *self.in_shape)

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape((*x.shape[: x.ndim - len(self.in_shape)], *self.out_shape))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape((*y.shape[: y.ndim - len(self.out_shape)], *self.in_shape))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(x.shape[: x.ndim - len(self.in_shape)])


class IndependentTransform(Transform):
    """A transform whose last dimensions count as one event: log |f′| is summed over them.

    Args:
        base_transform: the transform.
        reinterpreted_batch_ndims: the number of these dimensions.
        cache_size: as in :class:`Transform`.
    """

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform, self.reinterpreted_batch_ndims = base_transform, reinterpreted_batch_ndims
        self.event_dim = base_transform.event_dim + reinterpreted_batch_ndims
        self.bijective = base_transform.bijective
        self.domain = constraints.independent(base_transform.domain, reinterpreted_batch_ndims)
        self.codomain = constraints.independent(base_transform.codomain, reinterpreted_batch_ndims)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.base_transform.inverse_shape(shape)

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return sum_last(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)


class CatTransform(Transform):
    """Transforms of consecutive parts of one dimension.

    Args:
        tseq: the transforms.
        dim: the dimension.
        lengths: the size of each part, 1 by default.
        cache_size: as in :class:`Transform`.
    """

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise ValueError(f"CatTransform: {len(self.transforms)} transforms, but {len(self.lengths)} lengths")
        self.event_dim = max([t.event_dim for t in self.transforms], default=0)
        self.domain = constraints.cat([t.domain for t in self.transforms], dim, self.lengths)
        self.codomain = constraints.cat([t.codomain for t in self.transforms], dim, self.lengths)

    def _parts(self, x: Tensor) -> Sequence[Tensor]:
        return x.split(self.lengths, self.dim)

    def _call(self, x: Tensor) -> Tensor:
        return cat([t(part) for t, part in zip(self.transforms, self._parts(x))], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return cat([t.inv(part) for t, part in zip(self.transforms, self._parts(y))], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        parts = zip(self.transforms, self._parts(x), self._parts(y))
        logs = [sum_last(t.log_abs_det_jacobian(a, b), self.event_dim - t.event_dim) for t, a, b in parts]
        dim = self.dim - x.ndim if self.dim >= 0 else self.dim  # from the end, where an event is no longer
        return cat(logs, dim + self.event_dim) if dim + self.event_dim < 0 else sum(logs[1:], logs[0])


class StackTransform(Transform):
    """Transforms of the slices of one dimension.

    Args:
        tseq: the transforms.
        dim: the dimension.
        cache_size: as in :class:`Transform`.
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.domain = constraints.stack([t.domain for t in self.transforms], dim)
        self.codomain = constraints.stack([t.codomain for t in self.transforms], dim)

    def _slices(self, x: Tensor) -> Sequence[Tensor]:
        if x.shape[self.dim] != len(self.transforms):
            raise ValueError(f"StackTransform: {len(self.transforms)} transforms, but dim {self.dim} of {x.shape}")
        return x.unbind(self.dim)

    def _call(self, x: Tensor) -> Tensor:
        return stack([t(part) for t, part in zip(self.transforms, self._slices(x))], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return stack([t.inv(part) for t, part in zip(self.transforms, self._slices(y))], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        parts = zip(self.transforms, self._slices(x), self._slices(y))
        return stack([t.log_abs_det_jacobian(a, b) for t, a, b in parts], self.dim)


class CumulativeDistributionTransform(Transform):
    """y = F(x), the probability of at most x.

    Args:
        distribution: of x, with ``cdf`` and ``icdf``.
        cache_size: as in :class:`Transform`.
    """

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution
        self.domain, self.codomain = distribution.support or constraints.real, constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)
