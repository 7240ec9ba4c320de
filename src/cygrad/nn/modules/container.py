"""Modules that hold others: Sequential, ModuleList, ModuleDict, ParameterList."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar, overload

from cygrad.nn.layer import layers_in
from cygrad.nn.module import Module, indented, layout
from cygrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]

Item = TypeVar("Item", Module, Parameter)
SomeList = TypeVar("SomeList", bound="_List")


class _List(Module):
    """Modules (or parameters) named "0", "1", … , with the methods of a list."""

    _kind: type[Any] = Module

    def _items(self) -> list[Any]:
        return [value for value in self.__dict__.values() if isinstance(value, self._kind)]

    def _set_items(self, items: Iterable[Any]) -> None:
        """Replaces all items; they are numbered from zero."""
        checked = [self._checked(item) for item in items]
        for name in [name for name, _ in self._own(self._kind)]:
            delattr(self, name)
        for number, item in enumerate(checked):
            setattr(self, str(number), item)

    def _checked(self, item: Any) -> Any:
        if not isinstance(item, self._kind):
            raise TypeError(
                f"{type(self).__name__}: an item must be a {self._kind.__name__}, got {type(item).__name__}"
            )
        return item

    def _name_of(self, index: int) -> str:
        """The name of the item at `index`, which counts from the end where negative."""
        names = [name for name, _ in self._own(self._kind)]
        if not -len(names) <= index < len(names):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for {len(names)} items")
        return names[index]

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    def __contains__(self, item: object) -> bool:
        return any(item is other for other in self._items())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self: SomeList, index: slice) -> SomeList: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            selected: Any = type(self)
            return selected(self._items()[index])
        return self.__dict__[self._name_of(index)]

    def __setitem__(self, index: int, item: Any) -> None:
        setattr(self, self._name_of(index), self._checked(item))

    def __delitem__(self, index: int | slice) -> None:
        items = self._items()
        if not isinstance(index, slice):
            self._name_of(index)
        del items[index]
        self._set_items(items)

    def append(self: SomeList, item: Any) -> SomeList:
        """Adds an item at the end."""
        setattr(self, str(len(self)), self._checked(item))
        return self

    def extend(self: SomeList, items: Iterable[Any]) -> SomeList:
        """Adds items at the end."""
        for item in [self._checked(item) for item in items]:
            self.append(item)
        return self

    __iadd__ = extend

    def insert(self, index: int, item: Any) -> None:
        """Adds an item before `index`."""
        items = self._items()
        items.insert(index, item)
        self._set_items(items)

    def pop(self, index: int = -1) -> Any:
        """Takes out the item at `index` and returns it."""
        item = self[index]
        del self[index]
        return item


class Sequential(_List):
    """Calls its modules one after the other, each on the result of the one before.

    It is made from modules, or from an ordered dict of names and modules.

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
                self.add_module(name, self._checked(module))
        else:
            self._set_items(args)

    def forward(self, input: Any) -> Any:
        for module in layers_in(self.__dict__):
            input = module(input)
        return input

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._own(Module))[index]))
        return self.__dict__[self._name_of(index)]

    def __delitem__(self, index: int | slice) -> None:
        names = [name for name, _ in self._own(Module)]
        for name in names[index] if isinstance(index, slice) else [self._name_of(index)]:
            delattr(self, name)
        rest = list(self._own(Module))
        if all(name.isdigit() for name, _ in rest):
            self._set_items([module for _, module in rest])

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)


class ModuleList(_List):
    """A list of modules whose parameters count as those of the module that holds it.

    >>> layers = cg.nn.ModuleList([cg.nn.Linear(3, 3) for _ in range(2)])
    >>> len(layers), len(list(layers.parameters()))
    (2, 4)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self._set_items(modules or ())

    def __repr__(self) -> str:
        """Equal neighbours are told once."""
        groups = groupby(enumerate(map(repr, self)), key=lambda pair: pair[1])
        lines = []
        for text, members in groups:
            numbers = [number for number, _ in members]
            many = len(numbers) > 1
            place = f"({numbers[0]}-{numbers[-1]}): {len(numbers)} x " if many else f"({numbers[0]}): "
            lines.append(place + indented(text))
        return layout(type(self).__name__, [], lines)


class ParameterList(_List):
    """A list of parameters that count as those of the module that holds it. Other tensors become
    parameters."""

    _kind = Parameter

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self._set_items(values or ())

    def _checked(self, item: Any) -> Any:
        from cygrad.tensor import Tensor

        if isinstance(item, Tensor) and not isinstance(item, Parameter):
            item = Parameter(item)
        return super()._checked(item)

    def __repr__(self) -> str:
        items = [
            f"({name}): Parameter of {value.array.dtype}, shape {tuple(value.array.shape)}"
            for name, value in self._own(Parameter)
        ]
        return layout(type(self).__name__, [], items)


class ModuleDict(Module):
    """A dict of modules whose parameters count as those of the module that holds it.

    >>> heads = cg.nn.ModuleDict({"mean": cg.nn.Linear(3, 1), "scale": cg.nn.Linear(3, 1)})
    >>> list(heads)
    ['mean', 'scale']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds modules under their names, in place of those already there."""
        for name, module in dict(modules).items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        module = self.__dict__.get(name)
        if not isinstance(module, Module):
            raise KeyError(f"ModuleDict: there is no module {name!r}")
        return module

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def __len__(self) -> int:
        return len(list(self._own(Module)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and isinstance(self.__dict__.get(name), Module)

    def keys(self) -> list[str]:
        """The names."""
        return [name for name, _ in self._own(Module)]

    def values(self) -> list[Module]:
        """The modules."""
        return [module for _, module in self._own(Module)]

    def items(self) -> list[tuple[str, Module]]:
        """The names and the modules."""
        return list(self._own(Module))

    def pop(self, name: str) -> Module:
        """Takes out the module of that name and returns it."""
        module = self[name]
        delattr(self, name)
        return module

    def clear(self) -> None:
        """Takes out all modules."""
        for name in self.keys():
            delattr(self, name)
