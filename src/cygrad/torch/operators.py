"""``torch.ops``: operators by the names of PyTorch's dispatcher, which cygrad does not have.

``torch.ops.aten.add.Tensor`` is the function ``add``. A name without such a function can be kept in tables, as
libraries do when they are imported; its call raises. Namespaces of other libraries have no operators, as before they
are loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cygrad
from cygrad.tensor import Tensor

__all__ = ["Namespace", "Operator", "Operators"]


def function_named(name: str) -> Callable[..., Any] | None:
    """The function of tensors that an operator of ``aten`` computes."""
    places = cygrad, cygrad.nn.functional, cygrad.special, cygrad.linalg, Tensor
    for plain in (name, name.lstrip("_")):
        for place in places:
            try:
                found: Any = getattr(place, plain)
            except AttributeError:
                continue
            if callable(found):
                function: Callable[..., Any] = found
                return function
    return None


class Operator:
    """An operator of ``aten``, or one of its overloads, such as ``torch.ops.aten.add.Tensor``.

    Args:
        name: the operator.
        overload: name of the overload.
    """

    def __init__(self, name: str, overload: str = "") -> None:
        self.name, self.overload = name, overload
        self.overloads: dict[str, Operator] = {}
        self.__name__ = f"{name}.{overload}".rstrip(".")

    def __getattr__(self, name: str) -> Operator:
        if name.startswith("__") or self.overload:
            raise AttributeError(f"torch.ops.aten.{self.__name__} has no attribute {name!r}")
        return self.overloads.setdefault(name, Operator(self.name, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = function_named(self.name)
        if function is None:
            raise NotImplementedError(f"torch.ops.aten.{self.__name__} is not in cygrad: it has no dispatcher")
        return function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<torch.ops.aten.{self.__name__}>"


class Namespace:
    """The operators of one library.

    Args:
        name: the library; only "aten", PyTorch's own, has operators.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Operator:
        if name.startswith("__") or self.__name__ != "aten":
            raise AttributeError(f"torch.ops.{self.__name__} has no operator {name!r}: cygrad has no dispatcher")
        operator = self.__dict__[name] = Operator(name)
        return operator


class Operators:
    """``torch.ops``: a namespace for each library."""

    __name__ = "torch.ops"
    loaded_libraries: frozenset[str] = frozenset()

    def __getattr__(self, name: str) -> Namespace:
        if name.startswith("__"):
            raise AttributeError(name)
        namespace = self.__dict__[name] = Namespace(name)
        return namespace

    def load_library(self, path: object) -> None:
        """Raise OSError: operators compiled for PyTorch can't be loaded."""
        raise OSError(f"torch.ops.load_library: {path} is compiled for PyTorch; cygrad has no dispatcher")
