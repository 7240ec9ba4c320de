"""Guards on modules: their attributes and hooks, and the hooks of leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.autograd import Value

__all__ = ["ModuleGuard", "tensors_of"]


class ModuleGuard:
    """The attributes and hooks of modules, and the hooks of leaves, as they were.

    Args:
        modules: the modules that were called
        leaves: the tensors that existed before the step
    """

    def __init__(self, modules: list[Any], leaves: list[Value]) -> None:
        self.modules = modules
        self.leaves = leaves
        self.attributes = [attributes_of(module) for module in modules]
        self.hooks = hooks_of(leaves)

    def holds(self) -> bool:
        """Whether they are still the same."""
        pairs = zip(self.modules, self.attributes)
        return all([same_attributes(attributes_of(m), a) for m, a in pairs]) and hooks_of(self.leaves) == self.hooks


def tensors_of(module: Any) -> list[Value]:
    """A module's own parameters and buffers."""
    return [value for value in vars(module).values() if isinstance(value, Value)]


def hooks_of(leaves: list[Value]) -> list[list[int]]:
    """The keys of the hooks of each leaf, which are never used twice."""
    return [list(leaf.hooks or ()) for leaf in leaves]


def attributes_of(module: Any) -> dict[str, Any]:
    """The attributes of a module, with its hooks as tuples."""
    attributes = dict(vars(module))
    hooks = attributes.get("_hooks")
    if hooks is not None:
        attributes["_hooks"] = [tuple(part.items()) for part in vars(hooks).values() if isinstance(part, dict)]
    return attributes


def same_attributes(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether attributes are the same objects, or equal numbers, strings and containers."""
    if now.keys() != before.keys():
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
