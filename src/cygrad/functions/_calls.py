"""How functions receive their arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from cygrad._arguments import explain
from cygrad.autograd import Value

__all__ = ["requires_tensor"]

F = TypeVar("F", bound=Callable[..., Any])


def requires_tensor(function: F) -> F:
    """Decorator: raise TypeError, naming the function, if an argument that must be a tensor is not."""

    @functools.wraps(function)
    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Value):
            raise TypeError(f"{function.__name__}: expected a tensor, got {type(input).__name__}")
        try:
            return function(input, *args, **kwargs)
        except AttributeError as error:
            explain(error, function, (input, *args), kwargs)
            raise

    return cast(F, call)
