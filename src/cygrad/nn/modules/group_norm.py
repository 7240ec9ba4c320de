"""Norms of groups of channels, of instances, by the root mean square, and over neighboring channels, as modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cygrad.nn import init
from cygrad.nn.functional import norms
from cygrad.nn.module import Module
from cygrad.nn.modules.batch_norm import _BatchNorm, _NormBase
from cygrad.nn.modules.factory import checked_size, empty_parameter
from cygrad.nn.options import Configured, stores_options

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad.tensor import Tensor

__all__ = [
    "BatchNorm3d",
    "CrossMapLRN2d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LocalResponseNorm",
    "RMSNorm",
]


class BatchNorm3d(_BatchNorm):
    """:class:`BatchNorm1d` of volumes, shape (N, C, D, H, W). As ``torch.nn.BatchNorm3d``.

    Args:
        num_features, eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    _dimensions = (5,)
    _wanted = "(N, C, D, H, W)"


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        batched = input if input.ndim != self._dimensions[-1] else input.unsqueeze(0)
        if self.affine and batched.shape[1] != self.num_features:
            raise ValueError(f"{type(self).__name__}: input has {batched.shape[1]} channels, not {self.num_features}")
        momentum = 0.0 if self.momentum is None else self.momentum
        own = self.training or not self.track_running_stats
        y = norms.instance_norm(
            batched, self.running_mean, self.running_var, self.weight, self.bias, own, momentum, self.eps
        )
        return y if batched is input else y.squeeze(0)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class InstanceNorm1d(_InstanceNorm):
    """Normalize each channel of each sample, shape (N, C, L) or (C, L). As ``torch.nn.InstanceNorm1d``.

    Args:
        num_features: C, the number of channels.
        eps: added to the variance, default 10⁻⁵.
        momentum: weight of an input in the running statistics, default 0.1.
        affine: whether there is a weight, default False.
        track_running_stats: whether there are running statistics, for evaluation mode, default False.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
        bias: whether there is a bias besides the weight, default True.
    """

    _dimensions = (3, 2)
    _wanted = "(N, C, L) or (C, L)"


class InstanceNorm2d(_InstanceNorm):
    """:class:`InstanceNorm1d` of images, shape (N, C, H, W) or (C, H, W). As ``torch.nn.InstanceNorm2d``.

    Args:
        num_features, eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    _dimensions = (4, 3)
    _wanted = "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """:class:`InstanceNorm1d` of volumes, shape (N, C, D, H, W) or (C, D, H, W). As ``torch.nn.InstanceNorm3d``.

    Args:
        num_features, eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    _dimensions = (5, 4)
    _wanted = "(N, C, D, H, W) or (C, D, H, W)"


class GroupNorm(Module):
    """Normalize each group of channels of each sample. As ``torch.nn.GroupNorm``. Y. Wu, K. He (2018).

    Args:
        num_groups: number of groups.
        num_channels: number of channels, a multiple of it.
        eps: added to the variance, default 10⁻⁵.
        affine: whether there are a weight and a bias, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
        bias: whether there is a bias besides the weight, default True.

    Raises:
        ValueError: num_channels is not a multiple of num_groups.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = checked_size("GroupNorm", "num_groups", num_groups, 1)
        self.num_channels = checked_size("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels can't be split into {num_groups} groups")
        self.eps, self.affine = eps, affine
        self.weight = empty_parameter("GroupNorm", (num_channels,), device, dtype) if affine else None
        self.bias = empty_parameter("GroupNorm", (num_channels,), device, dtype) if affine and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return norms.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class RMSNorm(Module):
    """Divide by the root mean square of the last dimensions: x/√(mean(x²) + eps)·weight. As ``torch.nn.RMSNorm``.

    Args:
        normalized_shape: sizes of the last dimensions; an int means one.
        eps: added to the mean, default None for the smallest difference from 1 of the dtype.
        elementwise_affine: whether there is a weight, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        sizes = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
        self.normalized_shape = tuple([checked_size("RMSNorm", "normalized_shape", size) for size in sizes])
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = empty_parameter("RMSNorm", self.normalized_shape, device, dtype) if elementwise_affine else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return norms.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


@stores_options
class LocalResponseNorm(Configured):
    """Divide by (k + alpha·mean(x²))^beta, the mean over neighboring channels. As ``torch.nn.LocalResponseNorm``.

    Args:
        size: number of channels.
        alpha: default 10⁻⁴.
        beta: default 0.75.
        k: default 1.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def forward(self, input: Tensor) -> Tensor:
        return norms.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """The old name of :class:`LocalResponseNorm`. As ``torch.nn.CrossMapLRN2d``.

    Args:
        size, alpha, beta, k: as there.
    """
