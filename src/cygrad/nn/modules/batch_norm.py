"""Batch norm of features, sequences and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cygrad import _kernels as kernels
from cygrad.nn import functional as F
from cygrad.nn import init
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import checked_dtype, checked_size, empty_parameter, spend
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cygrad._typing import Array

__all__ = ["BatchNorm1d", "BatchNorm2d"]


class _NormBase(Module):
    """What norms of channels have: a weight and a bias for each, running statistics, and a check of the input."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _dimensions: tuple[int, ...] = ()  # that inputs may have; any number where it is empty
    _wanted: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: object = None,
        dtype: DTypeLike | None = None,
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
            spend(name, (2 * self.num_features + 1,))
            start = {
                "running_mean": np.zeros(self.num_features, kind),
                "running_var": np.ones(self.num_features, kind),
                "num_batches_tracked": np.zeros((), np.int64),
            }
        for buffer, array in start.items():
            self.register_buffer(buffer, None if array is None else Tensor(array))
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1 and the number of batches to 0."""
        for buffer, value in (self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0):
            if buffer is not None:
                init.constant_(buffer, value)

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros, and reset the running statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.affine and self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _check_input_dim(self, input: Tensor) -> None:
        """Raise ValueError for an input with another number of dimensions."""
        if self._dimensions and input.array.ndim not in self._dimensions:
            raise ValueError(f"{type(self).__name__}: input has shape {input.array.shape}, wanted {self._wanted}")


class _BatchNorm(_NormBase):
    """y = (x − mean)/√(var + eps)·weight + bias, mean and variance over all dimensions but the second, the channels."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
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


class BatchNorm1d(_BatchNorm):
    """Normalize each channel: y = (x − mean)/√(var + eps)·weight + bias, for x of shape (N, C) or (N, C, L). As
    ``torch.nn.BatchNorm1d``. S. Ioffe, C. Szegedy (2015), "Batch normalization".

    Training mode uses the batch's mean and variance (divided by n) and updates the buffers ``running_mean`` and
    ``running_var``: running ← (1 − momentum)·running + momentum·batch, with the variance divided by n − 1. Evaluation
    mode uses the buffers.

    Args:
        num_features: C, the number of channels.
        eps: added to the variance, default 10⁻⁵.
        momentum: weight of a new batch in the running statistics, in [0, 1], default 0.1; None for the mean of all
            batches.
        affine: whether there is a weight, which starts as ones, default True.
        track_running_stats: whether there are running statistics, default True. Without them, evaluation mode uses the
            batch's own statistics too.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
        bias: whether there is a bias besides the weight, which starts as zeros, default True.

    Raises:
        ValueError: eps or momentum is out of its range.
    """

    _dimensions = (2, 3)
    _wanted = "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Normalize each channel of images, x of shape (N, C, H, W), as :class:`BatchNorm1d` does. As
    ``torch.nn.BatchNorm2d``. S. Ioffe, C. Szegedy (2015), "Batch normalization".

    Args:
        num_features: C, the number of channels.
        eps: added to the variance, default 10⁻⁵.
        momentum: weight of a new batch in the running statistics, in [0, 1], default 0.1; None for the mean of all
            batches.
        affine: whether there is a weight, which starts as ones, default True.
        track_running_stats: whether there are running statistics, default True. Without them, evaluation mode uses the
            batch's own statistics too.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.
        bias: whether there is a bias besides the weight, which starts as zeros, default True.

    Raises:
        ValueError: eps or momentum is out of its range.
    """

    _dimensions = (4,)
    _wanted = "(N, C, H, W)"
