"""``torch._foreach_…``: an operation on each of several tensors, as optimizers of others call them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cygrad.tensor import Tensor

__all__ = ["foreach"]

PREFIX = "_foreach_"


def foreach(name: str) -> Callable[..., Any] | None:
    """The function of this name, such as ``_foreach_add_``; None if tensors have no such method.

    Each argument is one for all tensors, or a list with one for each: lists of numbers and tensors alike.
    """
    if not re.fullmatch(r"_foreach_[a-z]\w*", name):
        return None
    method = method_of(name.removeprefix(PREFIX))
    if method is None:
        return None

    def call(tensors: Any, *args: Any, **options: Any) -> Any:
        if "_addc" in name and len(args) == 3:  # addcmul and addcdiv of three operands and a factor
            *operands, factor = args
            args, options = tuple(operands), {**options, "value": factor}
        rows = [spread(arg, len(tensors), name) for arg in (tensors, *args)]
        if name == "_foreach_norm" and "ord" in options:
            options["p"] = options.pop("ord")
        columns = {key: spread(value, len(tensors), name) for key, value in options.items()}
        results = [
            method(*row, **{key: column[i] for key, column in columns.items()}) for i, row in enumerate(zip(*rows))
        ]
        return tuple(results)

    call.__name__ = call.__qualname__ = name
    return call


def method_of(name: str) -> Callable[..., Any] | None:
    """The method of tensors; for one that writes and is missing, the one that does not, whose result is written."""
    method: Any = getattr(Tensor, name, None)
    plain: Any = getattr(Tensor, name.removesuffix("_"), None)
    if method is not None or plain is None:
        found: Callable[..., Any] | None = method
        return found
    return lambda tensor, *args, **options: tensor.copy_(plain(tensor, *args, **options))


def spread(argument: Any, count: int, name: str) -> list[Any]:
    """An argument for each of several tensors.

    Raises:
        RuntimeError: it is a list of another length.
    """
    if not isinstance(argument, (list, tuple)):
        return [argument] * count
    if len(argument) != count:
        raise RuntimeError(f"{name}: expected {count} values, one per tensor, got {len(argument)}")
    return list(argument)
