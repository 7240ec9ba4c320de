# cython: boundscheck=True, nonecheck=True, binding=False
"""Lists of leaves: what optimizers and gradient clipping ask of many parameters at once.

The build compiles this file with the C types of leaves.pxd.
"""

from __future__ import annotations

from typing import Any

from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.autograd.engine import Value

__all__ = [
    "arrays_in",
    "arrays_of",
    "gradients_of",
    "groups_of_steps",
    "missing",
    "note_writes",
    "set_steps",
    "states_of",
    "with_gradient",
    "written_arrays",
    "zero_gradients",
]


def with_gradient(values: list[Any]) -> list[Any]:
    """The values that have a gradient."""
    recorder = recording.recorder()
    if recorder is not None:
        recorder.touch(values)
    ready = []
    for item in values:
        value = item
        if value is None:  # which C types let pass
            raise TypeError("expected tensors, got None among them")
        if value.grad_value is not None:
            ready.append(value)
    return ready


def arrays_of(values: list[Any]) -> list[Array]:
    """The array of each value."""
    arrays = []
    for item in values:
        value = item
        arrays.append(value._array)
    return arrays


def states_of(values: list[Any], known: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """An optimizer's state of each value; a new one begins at step 0."""
    states = []
    for item in values:
        state = dict.get(known, item)  # unlike known[item], adds nothing
        if not state:
            state = known.setdefault(item, {})
            state["step"] = 0
        states.append(state)
    return states


def missing(states: list[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[int, str]]:
    """The entries that states lack: (index of the state, name)."""
    absent = []
    for number, state in enumerate(states):
        for name in names:
            if name not in state:
                absent.append((number, name))
    return absent


def groups_of_steps(
    values: list[Any], states: list[dict[str, Any]]
) -> list[tuple[Any, list[Any], list[dict[str, Any]]]]:
    """Group values by the number of their next step and dtype: (step, values, states)."""
    first: Any = states[0]["step"] + 1
    value: Any = values[0]
    dtype = value._array.dtype
    same = True
    for number, state in enumerate(states):
        value = values[number]
        same = same and state["step"] + 1 == first and value._array.dtype is dtype
    if same:
        return [(first, values, states)]
    groups: dict[Any, tuple[Any, list[Any], list[dict[str, Any]]]] = {}
    for number, state in enumerate(states):
        value = values[number]
        step = state["step"] + 1
        _, group_values, group_states = groups.setdefault((step, value._array.dtype), (step, [], []))
        group_values.append(value)
        group_states.append(state)
    return list(groups.values())


def set_steps(states: list[dict[str, Any]], step: Any) -> None:
    """Set the step count of each state."""
    for state in states:
        state["step"] = step


def arrays_in(states: list[dict[str, Any]], names: tuple[str, ...]) -> list[list[Array]]:
    """For each name, the array that each state holds under it."""
    columns = []
    for name in names:
        arrays = []
        for state in states:
            value: Value = state[name]
            if value is None:
                raise TypeError(f"the state's {name} must be a tensor, got None")
            arrays.append(value._array)
        columns.append(arrays)
    return columns


def written_arrays(values: list[Any]) -> list[Array]:
    """The array of each value, counted as written to, which backward notices where one was saved."""
    note_writes(values)
    return arrays_of(values)


def gradients_of(values: list[Any], written: bool = False) -> list[Array]:
    """The array of each value's gradient, counted as written to if `written`."""
    arrays = []
    for item in values:
        value = item
        gradient = value.grad_value
        if written:
            gradient.version.value += 1
        arrays.append(gradient._array)
    return arrays


def zero_gradients(values: list[Any], set_to_none: bool) -> None:
    """Drop the gradients, or set the existing ones to zero."""
    recorder = recording.recorder()
    if recorder is not None:
        recorder.forget(values) if set_to_none else recorder.touch(values)
    for item in values:
        value = item
        if value is None:
            raise TypeError("expected tensors, got None among them")
        if set_to_none:
            value.grad_value = None
        elif value.grad_value is not None:
            value.grad_value = value.grad_value.detach().zero_()


def note_writes(values: list[Any]) -> None:
    """Count a write to the memory of each value, which backward notices where one was saved."""
    for item in values:
        value = item
        value.version.value += 1
