"""Guards on modules: their attributes and hooks, and the hooks of leaves and optimizers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cygrad.autograd import Value
from cygrad.nn.module import Module

__all__ = ["ModuleGuard", "tensors_of"]


class ModuleGuard:
    """The attributes and hooks of modules, and the hooks of leaves and optimizers, as they were.

    Args:
        modules: the modules that were called; their submodules, such as lists of modules, are watched as well
        leaves: the tensors that existed before the step
        optimizers: the optimizers that the step runs
    """

    def __init__(self, modules: Iterable[Any], leaves: list[Value], optimizers: Iterable[Any]) -> None:
        self.modules = with_submodules(modules)
        self.leaves = leaves
        self.optimizers = list({id(optimizer): optimizer for optimizer in optimizers}.values())
        self.attributes = [attributes_of(module) for module in self.modules]
        self.hooks = self.current_hooks()
        self.ignored: set[tuple[int, str]] = set()  # (id of a module's attributes, name) that the step itself changes

    def ignore(self, kept: Iterable[Any]) -> None:
        """Don't compare the attributes in which the step keeps tensors."""
        self.ignored = {(id(place.container), place.key) for place in kept}

    def holds(self) -> bool:
        """Whether they are still the same."""
        pairs = zip(self.modules, self.attributes)
        same = [same_attributes(self.compared(m, attributes_of(m)), self.compared(m, a)) for m, a in pairs]
        return all(same) and self.current_hooks() == self.hooks

    def compared(self, module: Any, attributes: dict[str, Any]) -> dict[str, Any]:
        """The attributes of a module that have to be the same."""
        if not self.ignored:
            return attributes
        return {name: value for name, value in attributes.items() if (id(vars(module)), name) not in self.ignored}

    def current_hooks(self) -> list[list[int]]:
        """The keys of the hooks of each leaf and optimizer, which are never used twice."""
        return [list(leaf.hooks or ()) for leaf in self.leaves] + [list(o._hooks) for o in self.optimizers]


def with_submodules(modules: Iterable[Any]) -> list[Any]:
    """Modules and all modules below them, each once."""
    found: dict[int, Any] = {}
    pending = list(modules)
    while pending:
        module = pending.pop()
        if id(module) not in found:
            found[id(module)] = module
            pending += [*module.children(), *[value for value in vars(module).values() if isinstance(value, Module)]]
    return list(found.values())


def tensors_of(module: Any) -> list[Value]:
    """A module's own parameters and buffers."""
    return [value for value in vars(module).values() if isinstance(value, Value)]


def attributes_of(module: Any) -> dict[str, Any]:
    """The attributes of a module, with its hooks as tuples, and the submodules that methods hide."""
    attributes = dict(vars(module))
    hidden = module._modules.hidden.items()
    attributes.update({f"_modules.{name}": child for name, child in hidden if child is not None})
    hooks = attributes.get("_hooks")
    if hooks is not None:
        attributes["_hooks"] = [tuple(part.items()) for part in vars(hooks).values() if isinstance(part, dict)]
    return attributes


def same_attributes(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether attributes are the same objects, or equal numbers, strings and containers, in the same order."""
    if list(now) != list(before):
        return False
    for name, value in now.items():
        other = before[name]
        plain = isinstance(value, (int, float, str, bool, tuple, list, dict)) and not isinstance(value, np.ndarray)
        if value is not other and not (plain and type(value) is type(other) and are_equal(value, other)):
            return False
    return True


def are_equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (ValueError, RuntimeError):  # of arrays and tensors inside
        return False
