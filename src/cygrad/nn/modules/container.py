"""Modules that contain others: Sequential, ModuleList, ModuleDict, ParameterList."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Generic, TypeVar, overload

from cygrad.nn.display import indented, layout
from cygrad.nn.layer import layers_in
from cygrad.nn.module import Module
from cygrad.nn.parameter import Parameter
from cygrad.tensor import Tensor

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]

Item = TypeVar("Item", Module, Parameter)
Self = TypeVar("Self", bound="_List[Any]")


class _List(Module, Generic[Item]):
    """Modules (or parameters) named "0", "1", …, with the methods of a list."""

    _item_type: type[Any] = Module

    def _items(self) -> list[Item]:
        return list(self._modules.values())

    def _names(self) -> list[str]:
        return [name for name, _ in self._own_modules()]

    def _set_items(self, items: Iterable[Any]) -> None:
        """Replace all items and number them from zero."""
        checked = [self._check_item(item) for item in items]
        for name in self._names():
            delattr(self, name)
        for index, item in enumerate(checked):
            setattr(self, str(index), item)

    def _check_item(self, item: Any) -> Item:
        """Return `item`, converted if need be, or raise TypeError."""
        if not isinstance(item, self._item_type):
            raise TypeError(
                f"{type(self).__name__}: an item must be a {self._item_type.__name__}, got {type(item).__name__}"
            )
        checked: Item = item
        return checked

    def _name_of(self, index: int) -> str:
        """Return the name of the item at `index`, which counts from the end if negative."""
        names = self._names()
        if not -len(names) <= index < len(names):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for {len(names)} items")
        return names[index]

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items())

    def __contains__(self, item: object) -> bool:
        return any(item is other for other in self._items())

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            selected: Any = type(self)
            return selected(self._items()[index])
        return self.__dict__[self._name_of(index)]

    def __setitem__(self, index: int, item: Item) -> None:
        setattr(self, self._name_of(index), self._check_item(item))

    def __delitem__(self, index: int | slice) -> None:
        items = self._items()
        if not isinstance(index, slice):
            self._name_of(index)
        del items[index]
        self._set_items(items)

    def append(self: Self, item: Item) -> Self:
        """Add an item at the end."""
        setattr(self, str(len(self)), self._check_item(item))
        return self

    def extend(self: Self, items: Iterable[Item]) -> Self:
        """Add items at the end."""
        for item in [self._check_item(item) for item in items]:
            self.append(item)
        return self

    __iadd__ = extend

    def __add__(self: Self, other: Iterable[Item]) -> Self:
        result: Any = type(self)
        if isinstance(other, (str, bytes)) or not isinstance(other, Iterable):
            return NotImplemented
        return result(list(self)).extend(other)

    def __imul__(self: Self, times: int) -> Self:
        return self.extend(list(self) * (times - 1))

    def insert(self, index: int, item: Item) -> None:
        """Insert an item before `index`."""
        items = self._items()
        items.insert(index, item)
        self._set_items(items)

    def pop(self, index: int = -1) -> Item:
        """Remove the item at `index`, default the last one, and return it."""
        item = self[index]
        del self[index]
        return item


class Sequential(_List[Module]):
    """Call modules one after another, each with the output of the one before. As ``torch.nn.Sequential``.

    Args:
        *args: the modules, or one ordered mapping of names to modules.

    >>> cg.nn.Sequential(cg.nn.Linear(3, 4), cg.nn.ReLU())
    Sequential(
      (0): Linear(in_features=3, out_features=4, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, self._check_item(module))
        else:
            self._set_items(args)

    def forward(self, input: Any) -> Tensor:
        for module in layers_in(self.__dict__):
            input = module(input)
        return input

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._own_modules())[index]))
        return self._modules[self._name_of(index)]

    def __delitem__(self, index: int | slice) -> None:
        names = self._names()
        for name in names[index] if isinstance(index, slice) else [self._name_of(index)]:
            delattr(self, name)
        if all(name.isdigit() for name in self._names()):
            self._set_items(self._items())

    def __add__(self, other: Sequential) -> Sequential:  # type: ignore[override]  # as in PyTorch
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        """The modules, `times` times one after another."""
        if not isinstance(times, int):
            return NotImplemented
        if times < 1:
            raise ValueError(f"Sequential: it can be repeated at least once, got {times}")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__


class _Numbered(_List[Item]):
    """Items that are known by their names, "0", "1", …, so that not all need to be of the type."""

    def _items(self) -> list[Any]:
        return [self.__dict__[name] for name in self._names()]

    def _names(self) -> list[str]:
        return [name for name in self.__dict__ if name.isdecimal()]


class ModuleList(_Numbered[Module]):
    """A list of modules. Their parameters are parameters of the module that contains it. As ``torch.nn.ModuleList``.

    Args:
        modules: the modules, default none. An item may be None, where a model has no layer at a position.

    >>> layers = cg.nn.ModuleList([cg.nn.Linear(3, 3) for _ in range(2)])
    >>> len(layers), len(list(layers.parameters()))
    (2, 4)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self._set_items(modules or ())

    def _check_item(self, item: Any) -> Any:
        return None if item is None else super()._check_item(item)

    def __repr__(self) -> str:
        """Show neighbors that look the same once, with their count."""
        groups = groupby(enumerate(map(repr, self)), key=lambda pair: pair[1])
        lines = []
        for text, members in groups:
            indices = [index for index, _ in members]
            count = len(indices)
            label = f"({indices[0]}-{indices[-1]}): {count} x " if count > 1 else f"({indices[0]}): "
            lines.append(label + indented(text))
        return layout(type(self).__name__, [], lines)


class ParameterList(_Numbered[Parameter]):
    """A list of parameters, which are parameters of the module that contains it. As ``torch.nn.ParameterList``.

    Args:
        values: parameters, or tensors, which are made parameters; other values are kept as they are. Default none.
    """

    _item_type = Parameter

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._set_items(values or ())

    def _check_item(self, item: Any) -> Any:
        return Parameter(item) if isinstance(item, Tensor) and not isinstance(item, Parameter) else item

    def __repr__(self) -> str:
        items = [f"({name}): {described(self.__dict__[name])}" for name in self._names()]
        return layout(type(self).__name__, [], items)


def described(item: Any) -> str:
    """What an item of a ParameterList is."""
    if isinstance(item, Parameter):
        return f"Parameter of {item.array.dtype}, shape {tuple(item.array.shape)}"
    return indented(repr(item)) if isinstance(item, Module) else f"Object of type {type(item).__name__}"


class ModuleDict(Module):
    """A dict of modules. Their parameters are parameters of the module that contains it. As ``torch.nn.ModuleDict``.

    Args:
        modules: a mapping of names to modules, or pairs of them; default none.

    >>> heads = cg.nn.ModuleDict({"mean": cg.nn.Linear(3, 1), "scale": cg.nn.Linear(3, 1)})
    >>> list(heads)
    ['mean', 'scale']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules under their names. They replace modules of the same names."""
        for name, module in dict(modules).items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        module = self._modules.get(name)
        if module is None:
            raise KeyError(f"ModuleDict: there is no module {name!r}")
        return module

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def __len__(self) -> int:
        return len(list(self._own_modules()))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return self._modules.get(name) is not None

    def keys(self) -> list[str]:
        """Return the names."""
        return [name for name, _ in self._own_modules()]

    def values(self) -> list[Module]:
        """Return the modules."""
        return list(self._modules.values())

    def items(self) -> list[tuple[str, Module]]:
        """Return pairs of name and module."""
        return list(self._own_modules())

    def pop(self, name: str) -> Module:
        """Remove the module with that name and return it."""
        module = self[name]
        delattr(self, name)
        return module

    def clear(self) -> None:
        """Remove all modules."""
        for name in self.keys():
            delattr(self, name)
