"""A dict of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cygrad.nn.module import Module
from cygrad.nn.parameter import Parameter
from cygrad.tensor import Tensor

__all__ = ["ParameterDict"]


class ParameterDict(Module):
    """A dict of parameters, which are parameters of the module that contains it; other values are kept as they are. As
    ``torch.nn.ParameterDict``.

    Args:
        parameters: a mapping of names to tensors, or pairs of them, default none; tensors are made parameters.

    >>> scales = cg.nn.ParameterDict({"a": cg.ones(2)})
    >>> [name for name, _ in scales.named_parameters()]
    ['a']
    """

    _keys: dict[str, None]  # in order

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.__dict__["_keys"] = {}
        self.update(parameters or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, str(key))

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        if key not in self._keys and hasattr(self, str(key)):
            raise KeyError(f"ParameterDict: it already has an attribute {key!r}")
        setattr(self, str(key), value)
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        self[key]
        del self._keys[key]
        delattr(self, str(key))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __or__(self, other: Mapping[str, Any]) -> ParameterDict:
        result = self.copy()
        result.update(other)
        return result

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._keys.keys()

    def values(self) -> list[Any]:
        """Return the parameters."""
        return [self[key] for key in self._keys]

    def items(self) -> list[tuple[str, Any]]:
        """Return pairs of name and parameter."""
        return [(key, self[key]) for key in self._keys]

    def update(self, parameters: Any) -> None:
        """Add parameters under their names."""
        pairs = parameters.items() if hasattr(parameters, "items") else parameters
        for key, value in pairs:
            self[key] = value

    def get(self, key: str, default: Any = None) -> Any:
        """Return the parameter with that name, or the default."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the parameter with that name, after adding the default if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Remove the parameter with that name and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the last pair of name and parameter and return it."""
        key = next(reversed(list(self._keys)))
        return key, self.pop(key)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Return a dict with one value under several names."""
        return ParameterDict([(key, default) for key in keys])

    def copy(self) -> ParameterDict:
        """Return a dict of the same parameters."""
        return ParameterDict(self.items())

    def clear(self) -> None:
        """Remove all parameters."""
        for key in list(self._keys):
            del self[key]

    def extra_repr(self) -> str:
        return ", ".join([f"{key}: {tuple(value.shape)}" for key, value in self.items() if isinstance(value, Tensor)])
