"""Layers of several networks side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import bound_of, checked_size, empty_parameter
from cygrad.ops.reduce import logsumexp
from cygrad.ops.shape import cat
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.generator import Generator

__all__ = [
    "EnsembleBlend",
    "EnsembleLinear",
    "EnsembleMean",
    "EnsemblePeriodicEmbedding",
    "EnsembleScale",
    "EnsembleSharedLinear",
]

OUTPUTS = ("outputs", "probabilities")


class EnsembleLinear(Module):
    """Apply the linear layers of K members, yₖ = xₖ·Wₖᵀ + bₖ, as one batched product.

    The parameters are those of K :class:`Linear` layers, stacked: ``weight`` W (K, out_features, in_features) and
    ``bias`` b (K, out_features). The input has shape (K, N, in_features), or (N, in_features) for all members; the
    output (K, N, out_features). :func:`cygrad.func.stack_modules` makes such layers of trained or new networks.

    Args:
        members: K.
        in_features: size of the input's last dimension.
        out_features: size of the output's last dimension.
        bias: whether there is a b, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> cg.nn.EnsembleLinear(10, 3, 2)(cg.zeros(5, 3)).shape
    (10, 5, 2)
    """

    def __init__(
        self,
        members: int,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.members = checked_size("EnsembleLinear", "members", members, least=1)
        self.in_features = checked_size("EnsembleLinear", "in_features", in_features)
        self.out_features = checked_size("EnsembleLinear", "out_features", out_features)
        weight = (self.members, self.out_features, self.in_features)
        self.weight = empty_parameter("EnsembleLinear", weight, device, dtype)
        self.bias = empty_parameter("EnsembleLinear", weight[:2], device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize weight and bias again, uniform in ±1/√in_features as in :class:`Linear`."""
        bound = bound_of(self.in_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.ensemble_linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"members={self.members}, in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class EnsembleSharedLinear(Module):
    """Apply the linear layers of K members that share one weight: yₖ = sₖ·(W·(rₖ·xₖ)) + bₖ.

    So that of member k has the weight sₖᵢ·Wᵢⱼ·rₖⱼ: K networks for about the memory of one, which are trained as one.
    The parameters are ``weight`` W (out_features, in_features), ``input_scale`` r (K, in_features), ``output_scale`` s
    (K, out_features) and ``bias`` b (K, out_features). The input has shape (K, N, in_features), or (N, in_features) for
    all members; the output (K, N, out_features).

    Y. Wen, D. Tran, J. Ba (2020), "BatchEnsemble: an alternative approach to efficient ensemble and lifelong learning";
    Y. Gorishniy, A. Kotelnikov, A. Babenko (2025), "TabM: advancing tabular deep learning with parameter-efficient
    ensembling".

    Args:
        members: K.
        in_features: size of the input's last dimension.
        out_features: size of the output's last dimension.
        bias: whether there is a b, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> layer = cg.nn.EnsembleSharedLinear(10, 3, 2)
    >>> layer(cg.zeros(5, 3)).shape, layer.weight.shape
    ((10, 5, 2), (2, 3))
    """

    def __init__(
        self,
        members: int,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        name = "EnsembleSharedLinear"
        self.members = checked_size(name, "members", members, least=1)
        self.in_features = checked_size(name, "in_features", in_features)
        self.out_features = checked_size(name, "out_features", out_features)
        self.weight = empty_parameter(name, (self.out_features, self.in_features), device, dtype)
        self.input_scale = empty_parameter(name, (self.members, self.in_features), device, dtype)
        self.output_scale = empty_parameter(name, (self.members, self.out_features), device, dtype)
        self.bias = empty_parameter(name, (self.members, self.out_features), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize weight and bias again, uniform in ±1/√in_features as in :class:`Linear`, and set the scales to 1.
        In the first layer of a network, ``input_scale`` should differ between the members, such as ±1 by chance."""
        bound = bound_of(self.in_features)
        init.uniform_(self.weight, -bound, bound)
        for scale in self.input_scale, self.output_scale:
            init.ones_(scale)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        y = F.linear(input * self.input_scale.unsqueeze(1), self.weight) * self.output_scale.unsqueeze(1)
        return y if self.bias is None else y + self.bias.unsqueeze(1)

    def extra_repr(self) -> str:
        sizes = f"members={self.members}, in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class EnsembleMean(Module):
    """Average the outputs of K members: (K, N, C) to (N, C).

    With ``of="outputs"``, y = Σₖ xₖ/K. With ``of="probabilities"`` the inputs are scores of classes, and the output is
    the logarithm of the mean probability, y = log Σₖ softmax(xₖ)/K, whose softmax are the mean probabilities.

    Args:
        of: "outputs" (default) or "probabilities".

    Raises:
        ValueError: if `of` is another value, or the input does not have 3 dimensions.

    >>> scores = cg.tensor([[[2.0, 0.0]], [[0.0, 0.0]]])
    >>> cg.nn.EnsembleMean("probabilities")(scores).exp()
    tensor([[0.6904, 0.3096]])
    """

    def __init__(self, of: str = "outputs") -> None:
        super().__init__()
        check_of("EnsembleMean", of)
        self.of = of

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 3:
            raise ValueError(f"EnsembleMean: the input must have shape (K, N, C), got {tuple(input.shape)}")
        if self.of == "outputs":
            return input.mean(0)
        return logsumexp(F.log_softmax(input, -1), 0) - math.log(input.shape[0])

    def extra_repr(self) -> str:
        return f"of={self.of!r}"


class EnsembleScale(Module):
    """Multiply each feature by a factor of its own, for K members: yₖ = xₖ·sₖ.

    A network that starts with it learns which features matter. The parameter ``weight`` s (K, features) starts at 1.
    The input has shape (K, N, features), or (N, features) for all members; the output (K, N, features).
    D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), "Better by default".

    Args:
        members: K.
        features: size of the input's last dimension.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameter, float32 (default) or float64.

    >>> cg.nn.EnsembleScale(10, 3)(cg.ones(5, 3)).shape
    (10, 5, 3)
    """

    def __init__(self, members: int, features: int, device: object = None, dtype: DTypeLike | None = None) -> None:
        super().__init__()
        self.members = checked_size("EnsembleScale", "members", members, least=1)
        self.features = checked_size("EnsembleScale", "features", features)
        self.weight = empty_parameter("EnsembleScale", (self.members, self.features), device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all factors to 1."""
        init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return input * self.weight.unsqueeze(1)

    def extra_repr(self) -> str:
        return f"members={self.members}, features={self.features}"


class EnsemblePeriodicEmbedding(Module):
    """Add an embedding of each number to the features, for K members: the numbers as E sums of cosines.

    eᶠ(x) = Wᶠ·cos(ωᶠ·x + φᶠ) + bᶠ for each of the `columns` f of the input, behind the input's own features. So a
    network can learn steps and waves of a number that an activation of x alone learns slowly.

    The frequencies ω start as N(0, (2π·σ)²), where σ grows geometrically from the first to the last of an embedding, so
    that it has coarse and fine ones; the phases φ start uniform in ±π, W and b in ±1/√frequencies. The parameters are
    ``frequency`` ω and ``phase`` φ (K, columns, frequencies), ``weight`` W (K, columns, size, frequencies) and ``bias``
    b (K, columns, size). The input has shape (K, N, features), or (N, features) for all members; the output (K, N,
    features + columns·size).

    Y. Gorishniy, I. Rubachev, A. Babenko (2022), "On embeddings for numerical features in tabular deep learning";
    without an activation and with phases, as in D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), "Better by default".

    Args:
        members: K.
        columns: indices of the features that are numbers.
        size: E, outputs for each of them.
        frequencies: cosines for each of them.
        sigma: the least and the largest σ, in turns for each unit of x.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    Raises:
        ValueError: if `columns` are not distinct indices, or `sigma` is not two positive numbers in ascending order.

    >>> cg.nn.EnsemblePeriodicEmbedding(10, columns=[0, 2], size=4)(cg.zeros(5, 3)).shape
    (10, 5, 11)
    """

    def __init__(
        self,
        members: int,
        columns: Sequence[int],
        size: int = 4,
        frequencies: int = 16,
        sigma: Sequence[float] = (0.1, 2.0),
        device: object = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        name = "EnsemblePeriodicEmbedding"
        self.members = checked_size(name, "members", members, least=1)
        self.columns = [checked_size(name, "each of columns", column) for column in columns]
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise ValueError(f"{name}: columns must be distinct indices, at least one, got {columns!r}")
        self.size = checked_size(name, "size", size, least=1)
        self.frequencies = checked_size(name, "frequencies", frequencies, least=1)
        self.sigma = [float(s) for s in sigma]
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1] < math.inf:
            raise ValueError(f"{name}: sigma must be two positive numbers in ascending order, got {sigma!r}")
        waves = (self.members, len(self.columns), self.frequencies)
        self.frequency = empty_parameter(name, waves, device, dtype)
        self.phase = empty_parameter(name, waves, device, dtype)
        self.weight = empty_parameter(name, (*waves[:2], self.size, self.frequencies), device, dtype)
        self.bias = empty_parameter(name, (*waves[:2], self.size), device, dtype)
        self.reset_parameters()

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw all parameters again, by a generator or the default one."""
        init.normal_(self.frequency, 0, 2 * math.pi, generator)
        self.frequency.array[...] *= np.geomspace(self.sigma[0], self.sigma[1], self.frequencies)
        init.uniform_(self.phase, -math.pi, math.pi, generator)
        for parameter in self.weight, self.bias:
            init.uniform_(parameter, -bound_of(self.frequencies), bound_of(self.frequencies), generator)

    def forward(self, input: Tensor) -> Tensor:
        x = input if input.ndim == 3 else input.unsqueeze(0).expand(self.members, *input.shape)
        count, last = len(self.columns), max(self.columns)
        if last >= x.shape[-1]:
            raise IndexError(f"EnsemblePeriodicEmbedding: column {last} is out of range of {x.shape[-1]} features")
        parts = [x[..., run] for run in runs(self.columns)]
        numbers = parts[0] if len(parts) == 1 else cat(parts, -1)
        # Each number of each member is a network of its own, (K·columns, N, 1) → (K·columns, N, E).
        numbers = numbers.permute(0, 2, 1).flatten(0, 1).unsqueeze(-1)
        angles = F.ensemble_linear(numbers, self.frequency.flatten(0, 1).unsqueeze(-1), self.phase.flatten(0, 1))
        embedded = F.ensemble_linear(angles.cos(), self.weight.flatten(0, 1), self.bias.flatten(0, 1))
        return cat([x, embedded.unflatten(0, (self.members, count)).permute(0, 2, 1, 3).flatten(2)], -1)

    def extra_repr(self) -> str:
        sizes = f"members={self.members}, columns={self.columns}, size={self.size}, frequencies={self.frequencies}"
        return f"{sizes}, sigma={self.sigma}"


class EnsembleBlend(Module):
    """Blend the outputs of two ensembles of K members, member by member: y = (1 − share)·f(x) + share·g(x).

    With ``of="probabilities"`` the outputs of f and g are scores of classes, and y is the logarithm of
    (1 − share)·softmax(f(x)) + share·softmax(g(x)). With a share of 0 or 1 only one of the ensembles is run.

    Args:
        first: f, from (K, N, …) to (K, N, C).
        second: g.
        share: between 0 and 1; an attribute that may be changed.
        of: "outputs" (default) or "probabilities".

    Raises:
        ValueError: if `of` or `share` has another value.

    >>> one, two = cg.nn.EnsembleLinear(3, 4, 1), cg.nn.EnsembleLinear(3, 4, 1)
    >>> x = cg.ones(5, 4)
    >>> bool(((one(x) + two(x)) / 2 - cg.nn.EnsembleBlend(one, two, 0.5)(x)).abs().max() < 1e-6)
    True
    """

    def __init__(self, first: Module, second: Module, share: float = 0.0, of: str = "outputs") -> None:
        super().__init__()
        check_of("EnsembleBlend", of)
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"EnsembleBlend: share must be a number from 0 to 1, got {share!r}")
        self.first = first
        self.second = second
        self.share = float(share)
        self.of = of

    def _described(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second, "share": self.share, "of": self.of}

    def forward(self, input: Tensor) -> Tensor:
        if self.share in (0, 1):
            return self.second(input) if self.share else self.first(input)
        f, g = self.first(input), self.second(input)
        if self.of == "outputs":
            return f * (1 - self.share) + g * self.share
        logs = [F.log_softmax(f, -1) + math.log(1 - self.share), F.log_softmax(g, -1) + math.log(self.share)]
        return logsumexp(cat([log.unsqueeze(0) for log in logs], 0), 0)

    def extra_repr(self) -> str:
        return f"share={self.share}, of={self.of!r}"


def runs(columns: Sequence[int]) -> list[slice]:
    """Slices that have the columns, in order. Unlike an index, they are views, which a recorded step follows."""
    starts = [i for i, column in enumerate(columns) if i == 0 or column != columns[i - 1] + 1]
    return [slice(columns[i], columns[j - 1] + 1) for i, j in pairwise([*starts, len(columns)])]


def check_of(layer: str, of: str) -> None:
    """Raise ValueError unless `of` says what is averaged."""
    if of not in OUTPUTS:
        raise ValueError(f"{layer}: of must be {' or '.join(OUTPUTS)}, got {of!r}")
