"""The parameters, buffers and submodules of a module as dicts.

Members are attributes in the module's ``__dict__``, where Python finds them fastest; a :class:`Members` keeps their
names in order. A submodule with the name of a method or another attribute of the class is the exception: as in PyTorch
it is a member, and reading the attribute gives the method.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from typing import Any
from weakref import ref

from cygrad._attributes import NotInitializedError, not_initialized
from cygrad.autograd import recording

__all__ = ["MemberDict", "Members", "in_class"]


class Members(MutableMapping[str, Any]):
    """The members of one kind, by name. Changes are the module's.

    Args:
        module: the module; None for a copy that no module has yet.
        hidden: what each name hides, see ``hidden``.
    """

    def __init__(self, module: Any = None, hidden: Mapping[str, Any] | None = None) -> None:
        self.owner = None if module is None else ref(module)
        self.hidden = dict(hidden or {})  # name → the member that a class attribute hides, else None

    def belongs_to(self, module: Any) -> bool:
        """Whether these are the members of that module, not of one from which its ``__dict__`` was copied."""
        return self.owner is not None and self.owner() is module

    def _attributes(self) -> dict[str, Any]:
        module = None if self.owner is None else self.owner()
        if module is None:
            raise RuntimeError("Module: these members belong to no module")
        attributes: dict[str, Any] = module.__dict__
        return attributes

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.hidden))

    def __len__(self) -> int:
        return len(self.hidden)

    def __contains__(self, name: object) -> bool:
        return name in self.hidden

    def __getitem__(self, name: str) -> Any:
        hidden = self.hidden[name]
        return self._attributes().get(name) if hidden is None else hidden

    def __setitem__(self, name: str, value: Any) -> None:
        recording.note_change()
        attributes = self._attributes()
        if self.owner is not None and in_class(type(self.owner()), name):
            self.hidden[name] = value
        else:
            self.hidden[name] = None
            attributes[name] = value

    def __delitem__(self, name: str) -> None:
        recording.note_change()
        if self.hidden.pop(name) is None:
            self._attributes().pop(name, None)

    def __repr__(self) -> str:
        return repr(self.copy())

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self))

    # A dict's views, which can be reversed: those of a MutableMapping can't.
    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self.copy().keys()

    def values(self) -> ValuesView[Any]:
        """Return the members."""
        return self.copy().values()

    def items(self) -> ItemsView[str, Any]:
        """Return the names and the members."""
        return self.copy().items()

    def popitem(self) -> tuple[str, Any]:
        """Take the last member out of the module, and return its name and itself."""
        if not len(self):
            raise KeyError("popitem: there is no member")
        name = next(reversed(self))
        return name, self.pop(name)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Mapping[str, Any]) -> Members:
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Members, (None, self.hidden)

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of the members."""
        return OrderedDict([(name, self[name]) for name in self])


class MemberDict:
    """The attribute that has a module's members of one kind. Where the module's ``__dict__`` is a copy of another's,
    the module gets members of its own."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, owner: Any = None) -> Any:
        if module is None:
            return self
        members = module.__dict__.get(self.name)
        if members is None:
            raise not_initialized(module, NotInitializedError)
        if isinstance(members, Members):
            if not members.belongs_to(module):
                members = module.__dict__[self.name] = Members(module, members.hidden)
            return members
        self.__set__(module, members)
        return module.__dict__[self.name]

    def __set__(self, module: Any, given: Mapping[str, Any]) -> None:
        before = module.__dict__.get(self.name)
        given = dict(given)
        for name, hidden in before.hidden.items() if isinstance(before, Members) else ():
            if hidden is None and name not in given:
                module.__dict__.pop(name, None)
        members = module.__dict__[self.name] = Members(module)
        members.update(given)


def in_class(kind: type, name: str) -> bool:
    """Whether a class or one of its bases has an attribute."""
    return any([name in vars(base) for base in kind.__mro__])
