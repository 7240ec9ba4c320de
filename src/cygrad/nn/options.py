"""Modules whose constructor only stores options: each option is declared once, like a field of a dataclass.

>>> from cygrad.nn.options import Configured, stores_options
>>> @stores_options
... class Scale(Configured):
...     factor: float = 2.0
...
...     def forward(self, input: cg.Tensor) -> cg.Tensor:
...         return input * self.factor
>>> Scale(factor=3.0)
Scale(factor=3.0)

Type checkers read ``@stores_options`` as they read ``@dataclass``. It is not ``@dataclass`` itself because a module
compares by identity, has a repr of its own, and needs ``Module.__init__`` to run before its attributes are set.
"""

from __future__ import annotations

from inspect import Parameter, Signature, get_annotations
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from cygrad.nn.module import Module

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

    from typing_extensions import dataclass_transform
else:
    KW_ONLY = "KW_ONLY"  # only type checkers read it

    def dataclass_transform(**_: Any) -> Any:
        return lambda decorator: decorator


__all__ = ["KW_ONLY", "Configured", "stores_options"]


class Configured(Module):
    """A module with options. ``repr`` shows them, ``inplace`` only if it is True."""

    _options: ClassVar[tuple[str, ...]] = ()
    _passed: ClassVar[tuple[str, ...]] = ()  # arguments that are not stored, but given to `__post_init__`

    def __post_init__(self) -> None:
        """Check or convert the options, once they are stored."""

    def extra_repr(self) -> str:
        options = {name: getattr(self, name) for name in self._options}
        return ", ".join([f"{name}={value!r}" for name, value in options.items() if name != "inplace" or value])


C = TypeVar("C", bound=Configured)


@dataclass_transform(eq_default=False)
def stores_options(cls: type[C]) -> type[C]:
    """Add the constructor that stores a class's annotated attributes; those after ``_: KW_ONLY`` are keyword-only."""
    parameters = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)]
    keyword_only = False
    for name, annotation in get_annotations(cls).items():
        if name == "_":
            keyword_only = True
            continue
        kind = Parameter.KEYWORD_ONLY if keyword_only else Parameter.POSITIONAL_OR_KEYWORD
        parameters.append(Parameter(name, kind, default=vars(cls).get(name, Parameter.empty), annotation=annotation))
        if name in vars(cls):
            delattr(cls, name)  # the default is the constructor's, not an attribute of the class
    signature = Signature(parameters, return_annotation="None")

    def __init__(self: C, *args: Any, **kwargs: Any) -> None:
        try:
            given = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        given.apply_defaults()
        super(cls, self).__init__()
        for name in cls._options:
            setattr(self, name, given.arguments[name])
        self.__post_init__(*[given.arguments[name] for name in passed])

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    __init__.__module__ = cls.__module__
    __init__.__signature__ = signature  # type: ignore[attr-defined]
    names = [parameter.name for parameter in parameters[1:]]
    passed = [name for name in cls._passed if name in names]
    cls._options = tuple([name for name in names if name not in passed])
    cls.__init__ = __init__  # type: ignore[method-assign,assignment]
    return cls
