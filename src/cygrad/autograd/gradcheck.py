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
        options: of PyTorch, accepted without effect, for every element is checked anyway: ``fast_mode``,
            ``nondet_tol``, ``masked`` and what begins with ``check_``.

    Returns:
        Whether they agree.

    Raises:
        NotImplementedError: forward mode is to be checked, or backward mode is not.
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
        for index, value, analytic in zip(indices, checked, backward_jacobian(outputs[number], checked)):
            numeric = difference_jacobian(func, args, value, number, eps)
            bad = ~np.isclose(analytic, numeric, rtol, atol, equal_nan=True)
            if bad.any():
                if not raise_exception:
                    return False
                raise RuntimeError(disagreement(number, index, value, analytic, numeric, bad))
    return True


ANY = (
    "fast_mode nondet_tol masked check_undefined_grad check_grad_dtypes check_batched_grad check_rev_over_rev "
    "gen_non_contig_grad_outputs"
)
OPTIONS = {  # of PyTorch, with the values that ask for what is not done
    **dict.fromkeys(ANY.split(), ()),
    **dict.fromkeys(("check_batched_forward_grad", "check_forward_ad", "check_fwd_over_rev"), (True,)),
    "check_backward_ad": (False,),
}


def check_options(op: str, options: dict[str, Any]) -> None:
    """Raise TypeError for options that PyTorch does not have, NotImplementedError for what is not done."""
    for name, value in options.items():
        if name not in OPTIONS:
            raise TypeError(f"{op}: unknown option {name!r}, expected one of {', '.join(sorted(OPTIONS))}")
        if value in OPTIONS[name]:
            raise NotImplementedError(f"{op}: {name}={value}: cygrad differentiates backward only")


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
        eps, atol, rtol, raise_exception, options: as in :func:`gradcheck`.

    Returns:
        Whether they agree.

    Raises:
        NotImplementedError, ValueError, RuntimeError: as :func:`gradcheck`.

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

    return gradcheck(gradients, (*args, *given), eps, atol, rtol, raise_exception)


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
