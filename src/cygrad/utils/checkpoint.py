"""Checkpoints of activations, which trade time for memory in PyTorch. Here the function is called as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["checkpoint", "checkpoint_sequential"]


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
