"""The protocol ``__torch_function__``, as far as libraries ask about it. As ``torch.overrides``.

Functions of cygrad do not call ``__torch_function__`` of their arguments. A library's own functions may: they ask
:func:`has_torch_function` and call :func:`handle_torch_function`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from cygrad.tensor import Tensor

__all__ = [
    "TorchFunctionMode",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]


class TorchFunctionMode:
    """A block in which ``__torch_function__`` of a subclass would answer all calls of PyTorch's functions. Libraries
    derive classes from it; a block of one raises, since functions of cygrad don't ask.

    Raises:
        NotImplementedError: a block begins.
    """

    def __enter__(self) -> TorchFunctionMode:
        raise NotImplementedError(
            f"{type(self).__name__}: a TorchFunctionMode has no effect, functions of cygrad do not call "
            "__torch_function__"
        )

    def __exit__(self, *error: object) -> None:
        pass


def is_tensor_like(inp: Any) -> bool:
    """Return whether an object is a tensor, or of a class with ``__torch_function__``.

    >>> cg.overrides.is_tensor_like(cg.ones(2)), cg.overrides.is_tensor_like([1.0])
    (True, False)
    """
    return isinstance(inp, Tensor) or hasattr(type(inp), "__torch_function__")


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Return whether one of the arguments is of a class with ``__torch_function__``."""
    return any(hasattr(type(arg), "__torch_function__") for arg in relevant_args)


def has_torch_function_unary(arg: Any) -> bool:
    """Return whether the argument is of a class with ``__torch_function__``."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """Return whether one of the arguments is of a class with ``__torch_function__``."""
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Return what the first ``__torch_function__`` of the arguments' classes makes of a call, subclasses before their
    bases.

    Args:
        public_api: the function that was called.
        relevant_args: the arguments whose classes are asked.
        args, kwargs: all arguments of the call.

    Raises:
        TypeError: every one of them returned NotImplemented.
    """
    asked: list[Any] = []
    for arg in relevant_args:
        if not hasattr(type(arg), "__torch_function__") or any(type(arg) is type(other) for other in asked):
            continue
        place = next((i for i, other in enumerate(asked) if issubclass(type(arg), type(other))), len(asked))
        asked.insert(place, arg)
    types = tuple([type(arg) for arg in asked])
    for arg in asked:
        result = arg.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    names = ", ".join(kind.__name__ for kind in types) or "no class"
    raise TypeError(f"{resolve_name(public_api)}: __torch_function__ of {names} returned NotImplemented")


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[..., Any]:
    """Decorator: let ``__torch_function__`` of the arguments that `dispatcher` returns answer calls of a function.

    Args:
        dispatcher: a function with the parameters of the decorated one, which returns those to ask.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(call, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return call

    return decorate


def is_tensor_method_or_property(func: Any) -> bool:
    """Return whether a callable belongs to tensors, not to a module."""
    return any(found is func for name in dir(Tensor) for found in (getattr(Tensor, name, None),)) or (
        getattr(func, "__name__", "") == "__get__"
    )


def resolve_name(f: Any) -> str:
    """Return the name of a function with its module, as messages show it."""
    return f"{getattr(f, '__module__', '')}.{getattr(f, '__qualname__', repr(f))}".lstrip(".")
