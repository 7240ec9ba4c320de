"""Reading an optimizer's state dict: all of it is checked before anything changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol

import numpy as np

from cygrad import _kernels as kernels
from cygrad.autograd.arrays import plain
from cygrad.tensor import Tensor

__all__ = ["is_alike", "restored"]

Group = dict[str, Any]


class Optimizer(Protocol):
    """What is asked of an optimizer."""

    defaults: Group
    param_groups: list[Group]
    _state_tensors: tuple[str, ...] | None

    @property
    def _name(self) -> str:
        """Name of the class, for messages."""

    def _check_options(self, group: Group) -> None:
        """Raise ValueError if an option of a group is out of its range."""

    def _state_names(self, group: Group) -> tuple[str, ...]:
        """Return the names of the state tensors of each parameter."""


def restored(optimizer: Optimizer, state_dict: Any) -> tuple[Sequence[Mapping[str, Any]], dict[Tensor, dict[str, Any]]]:
    """The groups of a state dict and the state of each parameter, copied.

    Raises:
        ValueError: something does not fit the optimizer.
    """
    groups, saved = parts(optimizer, state_dict)
    owners: dict[int | None, tuple[Group, Tensor]] = {}
    for group, mine in zip(groups, optimizer.param_groups):
        check_options(optimizer, group)
        owners.update({index: (group, p) for index, p in zip(group["params"], mine["params"])})
    if len(owners) != sum(len(mine["params"]) for mine in optimizer.param_groups):
        raise refusal(optimizer, "an index of a parameter appears twice")
    state = {}
    for key, entry in saved.items():
        owner = owners.get(as_index(key))
        if owner is None:
            raise refusal(optimizer, f"there is a state of parameter {key!r}, which no group has")
        group, p = owner
        state[p] = restored_entry(optimizer, group, p, entry)
    return groups, state


def refusal(optimizer: Optimizer, reason: str) -> ValueError:
    """The error for a state that does not fit."""
    return ValueError(f"{optimizer._name}: load_state_dict: {reason}")


def as_index(key: Any) -> int | None:
    """A parameter's index, an integer or, after JSON, its digits."""
    try:
        return int(key)
    except (TypeError, ValueError):
        return None


def parts(optimizer: Optimizer, state_dict: Any) -> tuple[Sequence[Group], Mapping[Any, Any]]:
    """The groups and the state of a state dict that has the form of the optimizer's."""
    if not isinstance(state_dict, Mapping) or not {"param_groups", "state"} <= state_dict.keys():
        got = sorted(map(str, state_dict)) if isinstance(state_dict, Mapping) else type(state_dict).__name__
        raise refusal(optimizer, f"the state must be a dict with the keys param_groups and state, got {got}")
    groups, saved = state_dict["param_groups"], state_dict["state"]
    well_formed = isinstance(groups, (list, tuple)) and all(
        isinstance(group, Mapping) and isinstance(group.get("params"), (list, tuple)) for group in groups
    )
    if not well_formed or not isinstance(saved, Mapping):
        raise refusal(optimizer, "param_groups must be a list of dicts with params, and state a dict")
    if [len(group["params"]) for group in groups] != [len(mine["params"]) for mine in optimizer.param_groups]:
        raise refusal(optimizer, "the parameter groups differ in number or size")
    if any(not isinstance(index, (int, np.integer)) for group in groups for index in group["params"]):
        raise refusal(optimizer, "params must be indices of parameters")
    return groups, saved


def check_options(optimizer: Optimizer, group: Group) -> None:
    """Raise unless a group has all options of the optimizer, each of its kind and in its range. Other options, such as
    those of schedulers and of PyTorch's implementations, are kept."""
    missing = [option for option in optimizer.defaults if option not in group]
    if missing:
        raise refusal(optimizer, f"the state is that of another optimizer: a group lacks {', '.join(missing)}")
    for option, default in optimizer.defaults.items():
        if not is_alike(group[option], default):
            raise refusal(optimizer, f"the option {option} is {group[option]!r}, but the default is {default!r}")
    optimizer._check_options(group)


def is_alike(value: Any, mine: Any) -> bool:
    """Whether a saved value can replace the present one: a flag, a text, a number that is not NaN, for a tuple as many
    of these, for a list any number of what its first item is like."""
    if isinstance(mine, (bool, np.bool_)):
        return isinstance(value, (bool, np.bool_))
    if isinstance(mine, str):
        return isinstance(value, str)
    if isinstance(mine, (int, float)):
        number = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        return isinstance(number, (int, float, np.number)) and not isinstance(number, bool) and bool(number == number)
    if not isinstance(mine, (tuple, list)):
        return True
    if not isinstance(value, (tuple, list)) or (isinstance(mine, tuple) and len(value) != len(mine)):
        return False
    return all(map(is_alike, value, mine if isinstance(mine, tuple) else mine[:1] * len(value)))


def restored_entry(optimizer: Optimizer, group: Group, p: Tensor, entry: Any) -> dict[str, Any]:
    """A parameter's state, copied; its tensors get the parameter's dtype. It may be empty, before the first step."""
    if not isinstance(entry, Mapping):
        raise refusal(optimizer, f"the state of a parameter must be a dict, got {type(entry).__name__}")
    if optimizer._state_tensors is None:  # a class of its own says what it keeps
        return {key: restored_value(p, key, value) for key, value in entry.items()}
    tensors = {key: value for key, value in entry.items() if key != "step" and value is not None}
    needed, known = optimizer._state_names(group), optimizer._state_tensors
    unknown = [str(key) for key in tensors if known is not None and key not in (*known, *needed)]
    missing = [name for name in needed if tensors and name not in tensors]
    if unknown or missing:
        detail = f"{', '.join(unknown)} is unknown" if unknown else f"{', '.join(missing)} is missing"
        raise refusal(optimizer, f"the state of a parameter of shape {p.shape} does not fit: {detail}")
    # PyTorch's SGD counts no steps; a momentum buffer shows that there was at least one.
    step = step_count(optimizer, entry["step"]) if "step" in entry else 1 if tensors else 0
    return {"step": step, **{key: restored_tensor(optimizer, p, key, value) for key, value in tensors.items()}}


def restored_value(p: Tensor, name: Any, value: Any) -> Any:
    """A copy of anything in a state; tensors of floats get the parameter's dtype, the step count excepted."""
    if isinstance(value, (list, tuple)):
        return type(value)([restored_value(p, name, item) for item in value])
    if isinstance(value, Mapping):
        return {key: restored_value(p, key, item) for key, item in value.items()}
    if name == "step" and hasattr(value, "item"):
        return int(value.item())
    if not isinstance(value, Tensor) and not hasattr(value, "__array__"):
        return deepcopy(value)
    array = value.array if isinstance(value, Tensor) else plain("load_state_dict", value)
    return Tensor(np.array(array, p.array.dtype if array.dtype.kind == "f" else array.dtype))


def restored_tensor(optimizer: Optimizer, p: Tensor, name: str, value: Any) -> Tensor:
    """A copy of a state tensor."""
    try:
        array = value.array if isinstance(value, Tensor) else plain("load_state_dict", value)
    except (TypeError, ValueError) as error:
        raise refusal(optimizer, f"{name}: {error}") from None
    if array.shape != p.array.shape:
        raise refusal(optimizer, f"{name} has shape {array.shape}, but its parameter has {p.shape}")
    if array.dtype.kind != "f":
        raise refusal(optimizer, f"{name} has dtype {array.dtype}, but its parameter has {p.dtype}")
    return Tensor(kernels.pooled(np.array, np.asarray(array, order="C"), p.array.dtype))


def step_count(optimizer: Optimizer, value: Any) -> int:
    """A number of steps, from a number or a tensor of one element."""
    try:
        number = value.item() if hasattr(value, "item") else value
    except (RuntimeError, ValueError):  # several elements
        number = None
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
    if not is_number or number < 0 or number != int(number):
        raise refusal(optimizer, f"step must be a count, got {value!r}")
    return int(number)
