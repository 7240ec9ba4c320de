"""``torch.jit`` for programs that mark functions with it: a function or module stays as it is."""

from __future__ import annotations

from typing import Any, Final

from cygrad._missing import attribute_error

__all__ = [
    "Final",
    "ScriptFunction",
    "ScriptModule",
    "export",
    "ignore",
    "is_scripting",
    "is_tracing",
    "script",
    "script_if_tracing",
    "unused",
]


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """Return a function, class or module as it is: PyTorch would compile it, with the same results.

    Args:
        obj: the function, class or module.
        args, kwargs: options of PyTorch, accepted without effect.
    """
    return obj


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Decorator that returns the function as it is; with options, such as ``drop=True``, it returns that decorator."""
    return drop if callable(drop) else script


def is_scripting() -> bool:
    """Return False: no code is compiled."""
    return False


export = unused = script_if_tracing = _overload = _overload_method = script
is_tracing = is_scripting


class ScriptModule:
    """The class of PyTorch's compiled modules, for programs that ask: here there are none."""


class ScriptFunction:
    """The class of PyTorch's compiled functions, for programs that ask: here there are none."""


RecursiveScriptModule = ScriptModule


def __getattr__(name: str) -> Any:
    raise attribute_error("cygrad.jit", name)
