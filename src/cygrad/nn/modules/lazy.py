"""Modules that take the number of their inputs from the first input, and the tensors that have no shape until then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cygrad.nn.module import Module
from cygrad.nn.modules.batch_norm import BatchNorm1d, BatchNorm2d, _BatchNorm, _NormBase
from cygrad.nn.modules.factory import checked_dtype
from cygrad.nn.modules.group_norm import (
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _InstanceNorm,
)
from cygrad.nn.modules.linear import Linear
from cygrad.nn.parameter import Buffer, Parameter, Uninitialized
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
    "UninitializedBuffer",
    "UninitializedParameter",
]


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter that gets its shape later, by ``materialize(shape)``. As ``torch.nn.UninitializedParameter``.

    Args:
        requires_grad: whether it is trained, default True.
        device: only "cpu" (or None) exists.
        dtype: float32 (default) or float64.
    """

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: DTypeLike | None = None) -> None:
        Parameter.__init__(self, np.empty(0, checked_dtype("UninitializedParameter", device, dtype)), requires_grad)


class UninitializedBuffer(Uninitialized, Buffer):
    """A buffer that gets its shape later, by ``materialize(shape)``. As ``torch.nn.UninitializedBuffer``.

    Args:
        requires_grad: default False.
        device: only "cpu" (or None) exists.
        dtype: float32 (default) or float64.
    """

    cls_to_become = Buffer

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: DTypeLike | None = None) -> None:
        Tensor.__init__(self, np.empty(0, checked_dtype("UninitializedBuffer", device, dtype)), requires_grad)


class _Lazy(Module):
    """A module that becomes one of ``cls_to_become`` with its first input."""

    cls_to_become: ClassVar[type[Module]]

    def has_uninitialized_params(self) -> bool:
        """Return whether a parameter or buffer still has no shape."""
        return any(isinstance(value, Uninitialized) for value in vars(self).values())

    def initialize_parameters(self, *args: Any) -> None:
        """Give the parameters their shapes, from an input."""
        raise NotImplementedError(f"{type(self).__name__}: initialize_parameters is not defined")

    def forward(self, *args: Any) -> Any:
        if self.has_uninitialized_params():
            self.initialize_parameters(*args)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        return self.forward(*args)

    def reset_parameters(self) -> None:
        """Initialize the parameters again, once they have a shape."""
        if not self.has_uninitialized_params():
            self.cls_to_become.reset_parameters(self)  # type: ignore[attr-defined]


class LazyLinear(_Lazy, Linear):
    """A :class:`Linear` whose ``in_features`` come from the first input. As ``torch.nn.LazyLinear``.

    Args:
        out_features: size of the output's last dimension.
        bias: whether there is a bias, default True.
        device: only "cpu" (or None) exists.
        dtype: dtype of the parameters, float32 (default) or float64.

    >>> layer = cg.nn.LazyLinear(2)
    >>> layer(cg.zeros(5, 3)).shape
    (5, 2)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become = Linear

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: DTypeLike | None = None
    ) -> None:
        Linear.__init__(self, 0, 0, False, device, dtype)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.bias = UninitializedParameter(device=device, dtype=dtype) if bias else None

    def initialize_parameters(self, *args: Any) -> None:
        self.in_features = args[0].shape[-1]
        materialize(self.weight, (self.out_features, self.in_features))
        if self.bias is not None:
            materialize(self.bias, (self.out_features,))
        self.reset_parameters()


def materialize(tensor: Any, shape: tuple[int, ...]) -> None:
    if isinstance(tensor, Uninitialized):
        tensor.materialize(shape)


class _LazyNormBase(_Lazy, _NormBase):
    """A norm whose ``num_features`` come from the first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        _NormBase.__init__(self, 0, eps, momentum, affine, track_running_stats, device, dtype)
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            self.bias = UninitializedParameter(device=device, dtype=dtype) if bias else None
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)

    def initialize_parameters(self, *args: Any) -> None:
        self.num_features = args[0].shape[1]
        for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
            materialize(tensor, (self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """A :class:`BatchNorm1d` whose ``num_features`` come from the first input. As ``torch.nn.LazyBatchNorm1d``.

    Args:
        eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """A :class:`BatchNorm2d` whose ``num_features`` come from the first input. As ``torch.nn.LazyBatchNorm2d``.

    Args:
        eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """A :class:`BatchNorm3d` whose ``num_features`` come from the first input. As ``torch.nn.LazyBatchNorm3d``.

    Args:
        eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """A :class:`InstanceNorm1d` whose ``num_features`` come from the first input. As ``torch.nn.LazyInstanceNorm1d``.

    Args:
        eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """A :class:`InstanceNorm2d` whose ``num_features`` come from the first input. As ``torch.nn.LazyInstanceNorm2d``.

    Args:
        eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """A :class:`InstanceNorm3d` whose ``num_features`` come from the first input. As ``torch.nn.LazyInstanceNorm3d``.

    Args:
        eps, momentum, affine, track_running_stats, device, dtype, bias: as there.
    """

    cls_to_become = InstanceNorm3d
