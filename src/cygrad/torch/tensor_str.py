"""``torch._tensor_str``: the parts from which libraries put together the printed form of their own tensors."""

from __future__ import annotations

from typing import Any

from cygrad.printing import OPTIONS, elements, show, with_extra

__all__ = ["PRINT_OPTS"]


class Options:
    """The options of ``set_printoptions``, as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name not in OPTIONS:
            raise AttributeError(f"PRINT_OPTS has no option {name!r}; the options are {', '.join(OPTIONS)}")
        return OPTIONS[name]

    def __setattr__(self, name: str, value: Any) -> None:
        getattr(self, name)
        OPTIONS[name] = value


PRINT_OPTS = Options()


def _tensor_str(self: Any, indent: int) -> str:
    """The elements of a tensor in brackets, whose lines begin after `indent` spaces."""
    return elements(self.array, indent)


def _add_suffixes(tensor_str: str, suffixes: list[str], indent: int, force_newline: bool = False) -> str:
    """Append what is said of a tensor, and the closing parenthesis."""
    if force_newline and suffixes:
        first, *suffixes = suffixes
        tensor_str += ",\n" + " " * indent + first
    return with_extra(tensor_str, suffixes, indent)


def _str(self: Any, *, tensor_contents: str | None = None) -> str:
    """The printed form of a tensor, or one with other elements."""
    if tensor_contents is None:
        return show(self)
    prefix = f"{type(self).__name__}("
    return with_extra(prefix + tensor_contents, [], len(prefix))


_str_intern = _str
