"""Gradients, and gradients of gradients, checked against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import engine
from cygrad.autograd.engine import Value
from cygrad.autograd.functional import as_sequence, grad

__all__ = ["gradcheck", "gradgradcheck"]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **options: Any,
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
        options: of PyTorch: ``check_forward_ad=True`` also checks the derivatives of :mod:`forward_ad`, and
            ``check_backward_ad=False`` only these; ``fast_mode``, ``nondet_tol``, ``masked`` and the others that begin
            with ``check_`` have no effect, for every element is checked anyway.

    Returns:
        Whether they agree.

    Raises:
        ValueError: if no input requires a gradient, or one that does is not float64.
        RuntimeError: naming output, input and the worst element where they disagree.

    >>> x = cg.tensor([0.5, 2.0], dtype=cg.float64, requires_grad=True)
    >>> cg.autograd.gradcheck(lambda x: x.exp().sum(), x)
    True
    """
    check_options("gradcheck", options)
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
        found: dict[str, list[Array]] = {}
        if options.get("check_backward_ad", True):
            found["backward"] = backward_jacobian(outputs[number], checked)
        if options.get("check_forward_ad", False):
            found["forward mode"] = [forward_jacobian(func, args, index, number) for index in indices]
        for mode, jacobians in found.items():
            for index, value, analytic in zip(indices, checked, jacobians):
                numeric = difference_jacobian(func, args, value, number, eps)
                bad = ~np.isclose(analytic, numeric, rtol, atol, equal_nan=True)
                if bad.any():
                    if not raise_exception:
                        return False
                    raise RuntimeError(disagreement(mode, number, index, value, analytic, numeric, bad))
    return True


OPTIONS = [
    "check_backward_ad", "check_batched_forward_grad", "check_batched_grad", "check_forward_ad", "check_fwd_over_rev",
    "check_grad_dtypes", "check_rev_over_rev", "check_undefined_grad", "fast_mode", "gen_non_contig_grad_outputs",
    "masked", "nondet_tol",
]  # fmt: skip


def check_options(op: str, options: dict[str, Any]) -> None:
    """Raise TypeError for options that PyTorch does not have."""
    for name in options:
        if name not in OPTIONS:
            raise TypeError(f"{op}: unknown option {name!r}, expected one of {', '.join(OPTIONS)}")


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **options: Any,
) -> bool:
    """Compare gradients of gradients with central differences of gradients.

    What is checked is :func:`gradcheck` of the function (inputs, grad_outputs) ↦ gradients. As
    ``torch.autograd.gradgradcheck``.

    Args:
        func: a function of tensors that returns one or several.
        inputs: its arguments; those that require a gradient must be float64.
        grad_outputs: the gradient of each output, of its shape; by default some numbers.
        eps, atol, rtol, raise_exception: as in :func:`gradcheck`.
        options: of PyTorch: ``check_fwd_over_rev=True`` also checks derivatives of gradients in forward mode, and
            ``check_rev_over_rev=False`` only these; others have no effect.

    Returns:
        Whether they agree.

    Raises:
        ValueError, RuntimeError: as :func:`gradcheck`.

    >>> x = cg.tensor([0.5, 2.0], dtype=cg.float64, requires_grad=True)
    >>> cg.autograd.gradgradcheck(lambda x: x.exp(), x)
    True
    """
    check_options("gradgradcheck", options)
    args = as_sequence(inputs)
    outputs = as_sequence(func(*args))
    numbers = [i for i, output in enumerate(outputs) if output.requires_grad]
    given = [some_gradient(outputs[i]) for i in numbers] if grad_outputs is None else list(as_sequence(grad_outputs))

    def gradients(*values: Any) -> tuple[Any, ...]:
        values, upstream = values[: len(args)], values[len(args) :]
        wanted: Any = [value for value in values if isinstance(value, Value) and value.requires_grad]
        made: Any = as_sequence(func(*values))
        made = [made[i] for i in numbers]
        found = grad(made, wanted, upstream, create_graph=True, allow_unused=True)
        return tuple([gradient for gradient in found if gradient is not None])

    modes = {
        "check_backward_ad": options.get("check_rev_over_rev", True),
        "check_forward_ad": options.get("check_fwd_over_rev", False),
    }
    return gradcheck(gradients, (*args, *given), eps, atol, rtol, raise_exception, **modes)


def some_gradient(output: Any) -> Any:
    """Numbers of different sizes and signs in the output's shape, which require a gradient."""
    gradient = engine.wrap(np.cos(np.arange(output.array.size, dtype=output.array.dtype)).reshape(output.array.shape))
    gradient.requires_grad = True
    return gradient


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


def forward_jacobian(func: Callable[..., Any], args: tuple[Any, ...], index: int, number: int) -> Array:
    """∂output/∂input, with one dual tensor per column."""
    from cygrad.autograd import forward_ad  # seldom needed

    columns = []
    for place in np.ndindex(args[index].array.shape):
        direction = np.zeros_like(args[index].array)
        direction[place] = 1
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(args[index].detach(), engine.wrap(direction))
            output = as_sequence(func(*args[:index], dual, *args[index + 1 :]))[number]
            tangent = forward_ad.unpack_dual(output).tangent
        columns.append(np.zeros(output.array.size) if tangent is None else tangent.detach().array.ravel())
    return stacked(columns, func, args, number)


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
    return stacked(columns, func, args, number)


def stacked(columns: list[Array], func: Callable[..., Any], args: tuple[Any, ...], number: int) -> Array:
    """The columns of a Jacobian as an array; without elements of the input, it has none."""
    if columns:
        return np.stack(columns, 1)
    return np.zeros((as_sequence(func(*args))[number].array.size, 0))


def disagreement(mode: str, number: int, index: int, value: Any, analytic: Array, numeric: Array, bad: Array) -> str:
    """The message that names the worst element."""
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        gap = np.abs(analytic - numeric)
    gap = np.where(bad, np.where(np.isnan(gap), np.inf, gap), -1)
    worst = np.unravel_index(np.argmax(gap), gap.shape)
    element = tuple([int(i) for i in np.unravel_index(worst[1], value.array.shape)])
    return (
        f"gradcheck: output {number} and input {index} disagree most at element {element} of the input: {mode} gives "
        f"{analytic[worst]:.6g}, differences give {numeric[worst]:.6g}"
    )
