"""Gradients of convolutions by themselves. As ``torch.nn.grad``.

A convolution is linear in its input and in its weight, so each gradient depends on the other and on the upstream
gradient only, and not on where it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cygrad import autograd
from cygrad.nn.functional import conv

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight"]

Sizes = Sequence[int]


def transposed(linear: Callable[[Any], Any], like: Tensor, shape: Sizes, upstream: Tensor) -> Tensor:
    """The transpose of a linear function of a tensor of this shape, applied to the upstream gradient."""
    with autograd.enable_grad():
        start = like.new_zeros(tuple(shape)).requires_grad_()
        wants = like.requires_grad or upstream.requires_grad
        (result,) = autograd.grad(linear(start), start, upstream, create_graph=wants)
    return result


def conv1d_input(
    input_size: Sizes,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the gradient of ``conv1d`` with respect to its input.

    Args:
        input_size: the input's shape (batch, channels, length).
        weight: of shape (outputs, channels / groups, width).
        grad_output: the gradient of the convolution's output.
        stride, padding, dilation, groups: of the convolution.

    >>> cg.nn.grad.conv1d_input((1, 1, 3), cg.tensor([[[1.0, 2.0]]]), cg.ones(1, 1, 2))
    tensor([[[1., 3., 2.]]])
    """
    return transposed(
        lambda x: conv.conv1d(x, weight, None, stride, padding, dilation, groups), weight, input_size, grad_output
    )


def conv1d_weight(
    input: Tensor,
    weight_size: Sizes,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the gradient of ``conv1d`` with respect to its weight; see :func:`conv1d_input` for the arguments."""
    return transposed(
        lambda w: conv.conv1d(input, w, None, stride, padding, dilation, groups), input, weight_size, grad_output
    )


def conv2d_input(
    input_size: Sizes,
    weight: Tensor,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the gradient of ``conv2d`` with respect to its input; see :func:`conv1d_input` for the arguments."""
    return transposed(
        lambda x: conv.conv2d(x, weight, None, stride, padding, dilation, groups), weight, input_size, grad_output
    )


def conv2d_weight(
    input: Tensor,
    weight_size: Sizes,
    grad_output: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the gradient of ``conv2d`` with respect to its weight; see :func:`conv1d_input` for the arguments."""
    return transposed(
        lambda w: conv.conv2d(input, w, None, stride, padding, dilation, groups), input, weight_size, grad_output
    )
