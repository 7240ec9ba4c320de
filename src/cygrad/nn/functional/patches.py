"""Patches of images as columns, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cygrad.nn.functional.checks import check_tensor
from cygrad.nn.functional.pooling import each
from cygrad.ops import patches as ops
from cygrad.ops.patches import Windows

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["fold", "unfold"]

Ints = int | Sequence[int]


def windows_of(name: str, sizes: tuple[int, ...], kernel: Any, dilation: Any, padding: Any, stride: Any) -> Windows:
    """The windows of rows and columns, checked."""
    kernels, dilations = each(name, "kernel_size", kernel, 2, 1), each(name, "dilation", dilation, 2, 1)
    paddings, strides = each(name, "padding", padding, 2, 0), each(name, "stride", stride, 2, 1)
    windows: Any = []
    for n, k, d, p, s in zip(sizes, kernels, dilations, paddings, strides):
        out = (n + 2 * p - d * (k - 1) - 1) // s + 1
        if out < 1:
            raise RuntimeError(f"{name}: a kernel of size {k}, dilated by {d}, is larger than a dimension of size {n}")
        windows.append((out, k, s, p, d))
    return tuple(windows)


def unfold(input: Tensor, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Tensor:
    """Return the patches of images as columns. As ``torch.nn.functional.unfold``.

    Args:
        input: shape (N, C, H, W) or (C, H, W).
        kernel_size: height and width of a patch, an int for both.
        dilation: distances of its elements, default 1.
        padding: rows and columns of zeros at all sides, default 0.
        stride: distances of patches, default 1.

    Returns:
        y, shape (N, C·height·width of a patch, number of patches).

    Raises:
        RuntimeError: a size does not fit.

    >>> cg.nn.functional.unfold(cg.arange(6.0).reshape(1, 2, 3), (2, 2))
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])
    """
    check_tensor("unfold", "input", input)
    shape = tuple(input.shape)
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(f"unfold: input has shape {shape}, wanted (N, C, H, W) or (C, H, W), only N may be 0")
    windows = windows_of("unfold", shape[-2:], kernel_size, dilation, padding, stride)
    return ops.patches(input, windows) if len(shape) == 4 else ops.patches(input.unsqueeze(0), windows).squeeze(0)


def fold(
    input: Tensor,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Tensor:
    """Return the images to which each column is added as a patch. As ``torch.nn.functional.fold``.

    Args:
        input: shape (N, C·height·width of a patch, number of patches), or such without N.
        output_size: height and width of the images, an int for both.
        kernel_size, dilation, padding, stride: as in ``unfold``.

    Returns:
        y, shape (N, C, H, W) or (C, H, W).

    Raises:
        RuntimeError: a size does not fit.

    >>> cg.nn.functional.fold(cg.ones(1, 4, 2), (2, 3), (2, 2))
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    check_tensor("fold", "input", input)
    shape = tuple(input.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(f"fold: input has shape {shape}, wanted (N, C·patch, patches) or (C·patch, patches)")
    sizes = each("fold", "output_size", output_size, 2, 1)
    windows = windows_of("fold", sizes, kernel_size, dilation, padding, stride)
    patch, count = math.prod([w[1] for w in windows]), math.prod([w[0] for w in windows])
    if shape[-2] % patch or shape[-1] != count:
        raise RuntimeError(f"fold: input has shape {shape}, wanted {count} columns of a multiple of {patch} elements")
    both: Any = (sizes[0], sizes[1])
    y = ops.folded(input if len(shape) == 3 else input.unsqueeze(0), both, windows)
    return y if len(shape) == 3 else y.squeeze(0)
