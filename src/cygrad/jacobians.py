"""Jacobians, and products with them, of functions of tensors. As ``torch.autograd.functional``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cygrad import autograd
from cygrad import func as transforms
from cygrad.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def finished(results: Any, create_graph: bool) -> Any:
    """Results with their graph, or without."""
    return results if create_graph else transforms.mapped(lambda leaf: leaf.detach(), results)


def arguments(inputs: Any, create_graph: bool) -> tuple[Any, ...]:
    """The arguments of the function, in a tuple; without their own graph unless it is wanted."""
    several = inputs if isinstance(inputs, tuple) else (inputs,)
    if any(not isinstance(x, Tensor) for x in several):
        raise TypeError("autograd.functional: inputs must be a tensor or a tuple of tensors")
    return several if create_graph else tuple(x.detach() for x in several)


def like(inputs: Any, results: tuple[Any, ...]) -> Any:
    """One result for a single input, a tuple for several."""
    return results if isinstance(inputs, tuple) else results[0]


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return func(*inputs) and vᵀJ.

    Args:
        func: the function.
        inputs: a tensor, or a tuple of tensors.
        v: of the output's structure; 1 by default, for an output with one element.
        create_graph: whether the results can be differentiated.
        strict: accepted, without effect.
    """
    output, pullback = transforms.vjp(func, *arguments(inputs, create_graph))
    upstream = transforms.mapped(lambda y: y.detach() * 0 + 1, output) if v is None else v
    return finished(output, create_graph), finished(like(inputs, pullback(upstream)), create_graph)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return func(*inputs) and J·v; see :func:`vjp` for the arguments. `v` has the structure of the inputs."""
    several = arguments(inputs, create_graph)
    direction = tuple(x.detach() * 0 + 1 for x in several) if v is None else v if isinstance(v, tuple) else (v,)
    results: tuple[Any, Any] = finished(transforms.jvp(func, several, direction), create_graph)
    return results


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian of a function at its inputs.

    Args:
        func: the function.
        inputs: a tensor, or a tuple of tensors.
        create_graph: whether the result can be differentiated.
        strict, vectorize, strategy: accepted, without effect.

    Returns:
        A tensor of shape output.shape + input.shape; for several inputs or outputs tuples of them.
    """
    several = arguments(inputs, create_graph)
    numbers: Any = tuple(range(len(several))) if isinstance(inputs, tuple) else 0
    return finished(transforms.jacrev(func, numbers)(*several), create_graph)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the Hessian of a function with one element as output; see :func:`jacobian` for the arguments."""
    several = arguments(inputs, create_graph)
    numbers: Any = tuple(range(len(several))) if isinstance(inputs, tuple) else 0
    return finished(transforms.hessian(lambda *args: func(*args).sum(), numbers)(*several), create_graph)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return func(*inputs) and vᵀH, for a function with one element as output; see :func:`vjp` for the arguments."""
    several = arguments(inputs, create_graph)
    direction = tuple(x.detach() * 0 + 1 for x in several) if v is None else v if isinstance(v, tuple) else (v,)
    gradient = transforms.grad(lambda *args: func(*args).sum(), tuple(range(len(several))))
    with autograd.enable_grad():
        output = func(*several)
        _, pullback = transforms.vjp(gradient, *several)
        return finished((output, like(inputs, pullback(direction))), create_graph)


hvp = vhp  # H is symmetric
