"""The parameters, buffers or submodules of a module as a dict."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from cygrad.autograd import recording

__all__ = ["Members"]


class Members(MutableMapping[str, Any]):
    """The members of one kind, by name. Changes are the module's.

    Args:
        module: the module.
        kind: the class of the members, None for buffers.
    """

    def __init__(self, module: Any, kind: type[Any] | None) -> None:
        self.module, self.kind = module, kind

    def __iter__(self) -> Iterator[str]:
        attributes = self.module.__dict__
        if self.kind is None:
            return iter(list(attributes["_buffer_names"]))
        names = attributes["_member_names"]
        return iter([name for name, value in attributes.items() if isinstance(value, self.kind) and name in names])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, name: str) -> Any:
        value = self.module.__dict__.get(name, self)
        if value is None or name in list(self):  # None: a name that is reserved
            return value
        raise KeyError(name)

    def __setitem__(self, name: str, value: Any) -> None:
        recording.note_change()
        attributes = self.module.__dict__
        attributes[name] = value
        if self.kind is None:
            attributes["_buffer_names"].setdefault(name, True)
        else:
            attributes["_buffer_names"].pop(name, None)
            attributes["_member_names"].add(name)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self.module, name)

    def __repr__(self) -> str:
        return repr(dict(self))

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of the members."""
        return dict(self)
