"""``torch._C``: the few names of PyTorch's compiled part that programs reach for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cygrad._missing import reason
from cygrad.device import CPU, check_device, is_device
from cygrad.generator import Generator as Generator
from cygrad.tensor import Tensor

__all__ = ["Generator"]

_TensorMeta = type(Tensor)


def parse_to(
    *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False, memory_format: Any = None
) -> tuple[Any, Any, bool, Any]:
    """Return device, dtype, non_blocking and memory_format from the arguments of a method ``to``."""
    for arg in args:
        if isinstance(arg, Tensor):
            device, dtype = arg.device, arg.dtype
        elif isinstance(arg, bool):
            non_blocking = arg
        elif is_device(arg):
            device = arg
        elif arg is not None:
            dtype = arg
    check_device("to", device)
    return None if device is None else CPU, dtype, non_blocking, memory_format


_nn = SimpleNamespace(_parse_to=parse_to)


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Call a function: the ``__torch_function__`` of classes of tensors that answer no calls."""
    return func(*args, **(kwargs or {}))


def _log_api_usage_once(event: str) -> None:
    """Do nothing: no use of the library is logged."""


def _get_tracing_state() -> None:
    """Return None: nothing is traced."""


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"torch._C.{name} is not in cygrad: {reason('_C')}")
