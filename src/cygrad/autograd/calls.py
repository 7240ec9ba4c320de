"""How functions that are no ops receive their arguments: with PyTorch's and NumPy's names, and with ``out=``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from cygrad._arguments import explain
from cygrad.autograd import engine

__all__ = ["function", "given", "out_dtype", "requires_tensor"]

F = TypeVar("F", bound=Callable[..., Any])


def function(of: F) -> F:
    """Decorator: take NumPy's names of parameters, and ``out=``; raise TypeError, naming the function, where an
    argument that must be a tensor is not. Nothing is checked before the call."""

    @functools.wraps(of)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return of(*args, **kwargs)
        except TypeError:
            names = parameters(of)
            if kwargs and not set(kwargs).issubset(names):
                return engine.call_otherwise(call, names, args, kwargs)
            raise
        except AttributeError as error:
            explain(error, of, args, kwargs)
            raise

    return cast(F, call)


def requires_tensor(of: F) -> F:
    """Decorator: as ``function``, for a function whose first argument must be a tensor."""
    taking_names = function(of)

    @functools.wraps(of)
    def call(*args: Any, **kwargs: Any) -> Any:
        if args and not isinstance(args[0], engine.Value):
            raise TypeError(f"{of.__name__}: expected a tensor, got {type(args[0]).__name__}")
        return taking_names(*args, **kwargs)

    return cast(F, call)


def given(op: str, result: Any, out: Any) -> Any:
    """The result, written to `out` where that is given."""
    return result if out is None else engine.write_out(op, result, out)


def out_dtype(op: str, dtype: Any, out: Any, default: Any) -> Any:
    """The dtype that is asked for, that of `out`, or a default."""
    if out is not None and not isinstance(out, engine.Value):
        raise TypeError(f"{op}: out must be a Tensor, got {type(out).__name__}")
    return dtype or (default if out is None else out.array.dtype)


def parameters(of: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters."""
    return of.__code__.co_varnames[: of.__code__.co_argcount + of.__code__.co_kwonlyargcount]
