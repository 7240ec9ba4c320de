"""Names of ``torch`` that make sense in scripts of PyTorch only."""

from __future__ import annotations

from typing import Any

from cygrad.accelerator import OutOfMemoryError
from cygrad.autograd import is_grad_enabled

__all__ = ["EXTRAS"]


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds."""
    assert condition, message


def _check(condition: Any, message: Any = None) -> None:
    """Raise RuntimeError unless the condition holds, with the text that ``message()`` returns."""
    if not condition:
        raise RuntimeError(message() if message is not None else "Expected cond to be True")


def is_inference_mode_enabled() -> bool:
    """Whether no gradients are recorded: ``inference_mode`` is ``no_grad`` here."""
    return not is_grad_enabled()


def get_num_interop_threads() -> int:
    """Return 1: operations run one after the other."""
    return 1


def set_num_interop_threads(threads: int) -> None:
    """Do nothing: operations run one after the other."""


def set_flush_denormal(mode: bool) -> bool:
    """Return whether denormal numbers can be flushed to zero: no."""
    return False


def set_warn_always(always: bool) -> None:
    """Do nothing: Python's filters decide how often a warning is shown."""


FUNCTIONS = (
    _assert, _check, get_num_interop_threads, is_inference_mode_enabled, set_flush_denormal, set_num_interop_threads,
    set_warn_always,
)  # fmt: skip
EXTRAS = {"OutOfMemoryError": OutOfMemoryError, **{function.__name__: function for function in FUNCTIONS}}
