"""Loading a state dict into tensors: all of it, or nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.autograd.arrays import is_plain, plain
from cygrad.nn.parameter import Uninitialized
from cygrad.tensor import Tensor

__all__ = ["IncompatibleKeys", "Loading", "count_elements", "load"]


class IncompatibleKeys(NamedTuple):
    """The keys that ``load_state_dict`` found on one side only.

    Args:
        missing_keys: names of the module that the state dict lacks.
        unexpected_keys: names of the state dict that the module lacks.
    """

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Loading(OrderedDict[str, Any]):
    """A copy of a state dict for modules that load in their own way.

    Attributes:
        targets: the tensors that such modules leave to be loaded in the usual way.
        standard: the prefixes of these modules.
    """

    def __init__(self, state_dict: Mapping[str, Any]) -> None:
        super().__init__(state_dict)
        self.targets: dict[str, Tensor] = {}
        self.standard: set[str] = set()

    def forget_others(self, prefix: str) -> None:
        """Drop the tensors of a module that has loaded them itself."""
        if prefix not in self.standard:
            for key in [key for key in self if key.startswith(prefix) and "." not in key[len(prefix) :]]:
                del self[key]


def load(
    name: str, targets: dict[str, Tensor], state_dict: Mapping[str, Any], strict: bool, problems: list[str]
) -> IncompatibleKeys:
    """Copy the values of a state dict into the tensors of the same names, unless there are problems; `name` is the
    module's, for the message."""
    missing = [key for key in targets if key not in state_dict]
    unexpected = [key for key in state_dict if key not in targets]
    arrays = {key: array_of(state_dict[key]) for key in targets if key in state_dict}
    problems = [*problems, *[problem for key in arrays for problem in mismatches(key, targets[key], arrays[key])]]
    if strict and unexpected:
        problems.insert(0, f"unexpected keys {', '.join(map(repr, unexpected))}")
    if strict and missing:
        problems.insert(0, f"missing keys {', '.join(map(repr, missing))}")
    if problems:
        raise RuntimeError(f"load_state_dict: the state does not fit {name}: {'; '.join(problems)}")
    for key, array in arrays.items():
        target: Any = targets[key]
        if isinstance(target, Uninitialized):
            target.materialize(array.shape)
    recording.call_again(copy_arrays, [targets[key] for key in arrays], list(arrays.values()))
    return IncompatibleKeys(missing, unexpected)


def copy_arrays(targets: list[Tensor], arrays: list[Array]) -> None:
    """Copy arrays into tensors."""
    for target, array in zip(targets, arrays):
        np.copyto(target.array, array, casting="same_kind")
        target.version.value += 1


def array_of(value: Any) -> Array:
    """Return a tensor's array, or anything else that NumPy can read as an array, plain where it can be."""
    if isinstance(value, Tensor):
        return value.array
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    try:
        return plain("load_state_dict", array)
    except TypeError:
        return array  # which mismatches() reports


def mismatches(key: str, target: Tensor, array: Array) -> Iterator[str]:
    """Yield the reason why `array` can't be copied into `target`, if there is one."""
    if isinstance(target, Uninitialized):
        return
    if array.shape != target.array.shape:
        yield f"{key!r} has shape {array.shape}, wanted {target.array.shape}"
    elif not is_plain(array):
        masked = " with masked elements" if isinstance(array, np.ma.MaskedArray) else ""
        yield f"{key!r} is an array of {array.dtype}{masked}, but a tensor holds booleans, integers or floats"
    elif not np.can_cast(array.dtype, target.array.dtype, casting="same_kind"):
        yield f"{key!r} has dtype {array.dtype}, wanted {target.array.dtype}"
    elif not target.array.flags.writeable:
        yield f"{key!r} is in read-only memory"


def count_elements(state_dict: Any) -> int:
    """Return how many elements the tensors and arrays of a state dict have; 0 for anything else."""
    values = state_dict.values() if isinstance(state_dict, Mapping) else ()
    return sum(array_of(value).size for value in values if isinstance(value, (Tensor, np.ndarray)))
