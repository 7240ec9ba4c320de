"""Batch norm over columns, sequences and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import checked_dtype, checked_size, empty_parameter
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from cygrad._typing import Array

__all__ = ["BatchNorm1d", "BatchNorm2d"]


class _BatchNorm(Module):
    """y = (x − mean)/√(var + eps)·weight + bias, mean and variance over all axes but the channels'."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _dimensions: tuple[int, ...]
    _wanted: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.num_features = checked_size(name, "num_features", num_features)
        if not eps >= 0:
            raise ValueError(f"{name}: eps must not be negative, got {eps}")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"{name}: momentum must lie in [0, 1] or be None, got {momentum}")
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = empty_parameter(name, (self.num_features,), device, dtype) if affine else None
        self.bias = empty_parameter(name, (self.num_features,), device, dtype) if affine and bias else None
        start: dict[str, Array | None] = {
            "running_mean": None,
            "running_var": None,
            "num_batches_tracked": None,
        }
        if track_running_stats:
            kind = checked_dtype(name, device, dtype)
            start = {
                "running_mean": np.zeros(self.num_features, kind),
                "running_var": np.ones(self.num_features, kind),
                "num_batches_tracked": np.zeros((), np.int64),
            }
        for buffer, array in start.items():
            self.register_buffer(buffer, None if array is None else Tensor(array))
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        for buffer, value in (self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0):
            if buffer is not None:
                init.constant_(buffer, value)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and the running statistics at their start."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        if input.array.ndim not in self._dimensions:
            raise ValueError(f"{type(self).__name__}: input has shape {input.array.shape}, wanted {self._wanted}")
        training, momentum = self.training, self.momentum
        tracking = training and self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if tracking or not training else (None, None)
        counter = self.num_batches_tracked if tracking else None
        y = F.batch_norm(
            input,
            mean,
            var,
            self.weight,
            self.bias,
            training or (mean is None and var is None),
            momentum or 0.0,
            self.eps,
            counter if momentum is None else None,
        )
        if counter is not None:
            kernels.count(counter.array)
        return y

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.affine and self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """y = (x − mean)/√(var + eps)·weight + bias for x of shape (N, C) or (N, C, L), one mean and variance a
    channel.

    In training they are the batch's own, the variance divided by n; ``running_mean`` and ``running_var``
    move towards them, running ← (1 − momentum)·running + momentum·batch, the variance divided by n − 1;
    ``momentum=None`` averages all batches. In evaluation they are the running ones. S. Ioffe, C. Szegedy
    (2015), "Batch normalization".
    """

    _dimensions = (2, 3)
    _wanted = "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Batch norm of images, x of shape (N, C, H, W); see :class:`BatchNorm1d`."""

    _dimensions = (4,)
    _wanted = "(N, C, H, W)"
