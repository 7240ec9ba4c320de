"""Checkpoints of activations, which trade time for memory in PyTorch. Here the function is called as it is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from cygrad.tensor import Tensor

__all__ = [
    "check_backward_validity", "checkpoint", "checkpoint_sequential", "detach_variable", "get_device_states",
    "set_device_states",
]  # fmt: skip


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Return function(*args, **kwargs). Its intermediate results are kept for backward, which needs more memory than
    computing them again, and less time.

    Args:
        function: what to call.
        args, kwargs: its arguments.
        use_reentrant: accepted, without effect; likewise preserve_rng_state, context_fn, determinism_check and debug.
    """
    for option in ("preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop"):
        kwargs.pop(option, None)
    return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Sequence[Callable[..., Any]], segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Return the result of functions that are called one after the other; see :func:`checkpoint`."""
    for function in functions:
        input = function(input)
    return input


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """Return the numbers of the accelerators on which the arguments lie, and the states of their generators: none."""
    return [], []


def set_device_states(devices: Sequence[int], states: Sequence[Any], *, device_type: str | None = None) -> None:
    """Restore the states of the generators of no accelerators."""


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return tensors without their graph, which require gradients as before; anything else as it is.

    Raises:
        RuntimeError: the inputs are not a tuple.
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"detach_variable: expected a tuple of tensors, got {type(inputs).__name__}")
    return tuple([x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs])


def check_backward_validity(inputs: Sequence[Any]) -> None:
    """Warn if none of the inputs requires a gradient."""
    if not any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
        warnings.warn("none of the inputs requires a gradient; gradients will be None", UserWarning, 2)
