"""Arguments that can be given in two ways, and arguments of a wrong class."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

__all__ = ["checked", "explain", "integer", "shape_argument"]

F = TypeVar("F", bound=Callable[..., Any])


def shape_argument(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shape that ``f(2, 3)`` or ``f((2, 3))`` gives."""
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else args


def checked_sizes(name: str, values: Any) -> tuple[int, ...]:
    """The sizes of a shape as Python's integers; raise TypeError, naming the function, where one is something else.

    As in PyTorch, a boolean can't be the first of them, where it is likely to be a misplaced option.
    """
    if not isinstance(values, (tuple, list)) or (values and type(values[0]) is bool):
        got = type(values[0] if isinstance(values, (tuple, list)) else values).__name__
        raise TypeError(f"{name}: sizes must be integers, got {got}")
    for n in values:
        if type(n) is not int:
            return tuple([int(integer(name, "a size", n)) for n in values])
    return tuple(values)


def integer(name: str, argument: str, value: Any) -> int:
    """An integer, or a tensor or array of one; raise TypeError, naming function and argument, for anything else."""
    try:
        return operator.index(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {argument} must be an integer, got {type(value).__name__}") from None


OF_TENSORS = {"array", "dtype", "ndim", "node", "numel", "requires_grad", "reshape", "shape", "version"}
CLASSES = {"Generator", "Module", "Tensor"}  # the annotations that `checked` knows


def checked(function: F) -> F:
    """Decorator: raise TypeError, naming function and parameter, where an argument has not the class of its annotation.

    Nothing is checked before the call: an argument of another class ends in an AttributeError, which is explained.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            explain(error, function, args, kwargs)
            raise

    return cast(F, call)


def explain(
    error: AttributeError, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Raise TypeError, from the error of a call, if one of its arguments has not the class of its annotation."""
    problem = wrong_argument(function, args, kwargs)
    if problem is None and error.name in OF_TENSORS and not hasattr(error.obj, "array") and is_ours(error):
        problem = f"{operation(function)}: expected a tensor, got {type(error.obj).__name__}"
    if problem is not None:
        raise TypeError(problem) from error


def is_ours(error: BaseException) -> bool:
    """Whether the library's own code raised an error, not code of a user that it calls."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("cygrad.")


def operation(function: Callable[..., Any]) -> str:
    """The name of a function or of a class that its constructor builds."""
    return function.__qualname__.removesuffix(".__init__").rpartition(".")[2]


def wrong_argument(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """What is wrong with the first argument whose class is not that of its annotation."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
    for name, value in [*zip(names, args), *kwargs.items()]:
        wanted, _, optional = str(function.__annotations__.get(name)).partition(" | ")
        known = wanted in CLASSES and optional in ("", "None") and not (value is None and optional)
        if known and not any(base.__name__ == wanted for base in type(value).__mro__):
            return f"{operation(function)}: {name} must be a {wanted}, got {type(value).__name__}"
    for name, value in [("tensors", args[len(names) :]), *zip(names, args), *kwargs.items()]:
        if name == "tensors" and (other := other_than_tensors(value)) is not None:
            return f"{operation(function)}: tensors must be tensors, got {other}"
    return None


def other_than_tensors(values: Any) -> str | None:
    """The class of the first of several values that is not a tensor; None if all are. One sequence may hold them."""
    while isinstance(values, (tuple, list)) and len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = values[0]
    for value in values if isinstance(values, (tuple, list)) else (values,):
        if not any(base.__name__ == "Tensor" for base in type(value).__mro__):
            return type(value).__name__
    return None
