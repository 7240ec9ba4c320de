"""``torch.autograd.Variable``, from before tensors had gradients."""

from __future__ import annotations

from typing import Any

from cygrad.tensor import Tensor

__all__ = ["Variable"]


class VariableType(type):
    """Every tensor is a Variable."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor)


class Variable(metaclass=VariableType):
    """``Variable(data, requires_grad)`` is a tensor in the memory of `data`, without its graph.

    Args:
        data: a tensor.
        requires_grad: whether the result requires a gradient.
        volatile: accepted, without effect.
    """

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Any:
        return data.detach().requires_grad_(requires_grad)
