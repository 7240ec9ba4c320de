"""Gradients checked against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import engine
from cygrad.autograd.engine import Value
from cygrad.autograd.functional import as_sequence

__all__ = ["gradcheck"]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compare gradients with central differences, (f(x + eps) − f(x − eps))/2eps.

    Every input that requires a gradient is checked, in float64: in float32 the differences are mostly rounding error.
    Outputs that require no gradient are skipped; if none requires one, all differences must be zero. As
    ``torch.autograd.gradcheck``.

    Args:
        func: a function of tensors that returns one or several.
        inputs: its arguments; those that require a gradient must be float64.
        eps: the step of the differences.
        atol: the absolute tolerance.
        rtol: the relative tolerance.
        raise_exception: whether to raise where they disagree, instead of returning False.

    Returns:
        Whether they agree.

    Raises:
        ValueError: if no input requires a gradient, or one that does is not float64.
        RuntimeError: naming output, input and the worst element where they disagree.

    >>> x = cg.tensor([0.5, 2.0], dtype=cg.float64, requires_grad=True)
    >>> cg.autograd.gradcheck(lambda x: x.exp().sum(), x)
    True
    """
    args = as_sequence(inputs)
    indices = [i for i, a in enumerate(args) if isinstance(a, Value) and a.requires_grad]
    checked = [args[i] for i in indices]
    if not checked:
        raise ValueError("gradcheck: at least one input must require a gradient")
    for value in checked:
        if value.array.dtype != np.float64:
            raise ValueError(f"gradcheck: inputs must be float64, got {value.array.dtype}")
    outputs = as_sequence(func(*args))
    for number in differentiable(outputs):
        for index, value, analytic in zip(indices, checked, backward_jacobian(outputs[number], checked)):
            numeric = difference_jacobian(func, args, value, number, eps)
            bad = ~np.isclose(analytic, numeric, rtol, atol, equal_nan=True)
            if bad.any():
                if not raise_exception:
                    return False
                raise RuntimeError(disagreement(number, index, value, analytic, numeric, bad))
    return True


def differentiable(outputs: Sequence[Any]) -> list[int]:
    """Indices of the outputs that require a gradient; if none does, of all floats, whose differences must be zero."""
    floats = [i for i, output in enumerate(outputs) if output.array.dtype.kind == "f"]
    return [i for i in floats if outputs[i].requires_grad] or floats


def backward_jacobian(output: Any, inputs: Sequence[Any]) -> list[Array]:
    """∂output/∂input for each input, (elements of output, elements of input), with one backward per row."""
    jacobians = [np.zeros((output.array.size, value.array.size)) for value in inputs]
    for row in range(output.array.size):
        upstream = np.zeros(output.array.size, output.array.dtype)
        upstream[row] = 1
        rows = engine.gradients([output], inputs, [upstream.reshape(output.array.shape)], True)
        for jacobian, gradient in zip(jacobians, rows):
            if gradient is not None:
                jacobian[row] = gradient.ravel()
    return jacobians


def difference_jacobian(func: Callable[..., Any], args: tuple[Any, ...], value: Any, number: int, eps: float) -> Array:
    """∂output/∂value by differences; the value's memory is changed and restored."""
    columns = []
    for index in np.ndindex(value.array.shape):
        before = value.array[index]
        try:
            sides = []
            for sign in (+1, -1):
                value.array[index] = before + sign * eps
                sides.append(np.array(as_sequence(func(*args))[number].array, np.float64).ravel())
        finally:
            value.array[index] = before
        columns.append((sides[0] - sides[1]) / (2 * eps))
    size = as_sequence(func(*args))[number].array.size
    return np.stack(columns, 1) if columns else np.zeros((size, 0))


def disagreement(number: int, index: int, value: Any, analytic: Array, numeric: Array, bad: Array) -> str:
    """The message that names the worst element."""
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        gap = np.abs(analytic - numeric)
    gap = np.where(bad, np.where(np.isnan(gap), np.inf, gap), -1)
    worst = np.unravel_index(np.argmax(gap), gap.shape)
    element = tuple([int(i) for i in np.unravel_index(worst[1], value.array.shape)])
    return (
        f"gradcheck: output {number} and input {index} disagree most at element {element} of the input: backward gives "
        f"{analytic[worst]:.6g}, differences give {numeric[worst]:.6g}"
    )
