"""``functorch``: the transforms of ``torch.func``, and modules as functions, from before ``functional_call``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from cygrad.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
    vmap,
)
from cygrad.nn import Module
from cygrad.tensor import Tensor

__all__ = [
    "combine_state_for_ensemble",
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "make_functional",
    "make_functional_with_buffers",
    "stack_module_state",
    "vjp",
    "vmap",
]


def make_functional(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[Callable[..., Any], tuple[Tensor, ...]]:
    """Return a module as a function (params, \\*args) ↦ output, and a copy of its parameters.

    Args:
        model: a module without buffers.
        disable_autograd_tracking: whether the parameters that are returned require no gradient.

    Raises:
        RuntimeError: the module has buffers.

    >>> from cygrad.torch.functorch import make_functional
    >>> function, params = make_functional(cg.nn.Linear(2, 3))
    >>> function(params, cg.ones(4, 2)).shape
    (4, 3)
    """
    function, params, buffers = make_functional_with_buffers(model, disable_autograd_tracking)
    if buffers:
        raise RuntimeError("make_functional: the module has buffers; use make_functional_with_buffers")
    return lambda params, *args, **kwargs: function(params, (), *args, **kwargs), params


def make_functional_with_buffers(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[Callable[..., Any], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return a module as a function (params, buffers, \\*args) ↦ output, and copies of its parameters and buffers.

    Args:
        model: the module.
        disable_autograd_tracking: whether the parameters that are returned require no gradient.
    """
    copy = deepcopy(model)
    names, params = named(copy.named_parameters())
    buffer_names, buffers = named(copy.named_buffers())

    def function(params: Sequence[Any], buffers: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """The module's output with these parameters and buffers."""
        state = dict(zip((*names, *buffer_names), (*params, *buffers)))
        return functional_call(copy, state, args, kwargs)

    return function, tuple([p.detach() for p in params]) if disable_autograd_tracking else params, buffers


def combine_state_for_ensemble(
    models: Sequence[Module],
) -> tuple[Callable[..., Any], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the function of modules of one architecture, and their parameters and buffers along a new dimension.

    Args:
        models: the modules.
    """
    params, buffers = stack_module_state(models)
    return make_functional_with_buffers(models[0])[0], tuple(params.values()), tuple(buffers.values())


def named(pairs: Any) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The names and the tensors of pairs."""
    found = dict(pairs)
    return tuple(found), tuple(found.values())
