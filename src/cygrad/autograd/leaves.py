# cython: boundscheck=True, nonecheck=True, binding=False
"""Lists of leaves: what optimizers and gradient clipping ask of many parameters at once.

The build compiles this file with the C types of leaves.pxd.
"""

from __future__ import annotations

from typing import Any

from cygrad._typing import Array
from cygrad.autograd import arrays, recording
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
    without = 0
    for item in values:
        value = item
        if value is None:  # which C types let pass
            raise TypeError("expected tensors, got None among them")
        if value.grad_value is None:
            without += 1
    return [item for item in values if item.grad_value is not None] if without else list(values)


def arrays_of(values: list[Any]) -> list[Array]:
    """The array of each value."""
    found: list[Any] = [None] * len(values)
    for number, item in enumerate(values):
        value = item
        found[number] = value._array
    return found


def states_of(values: list[Any], known: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """An optimizer's state of each value; a new one begins at step 0."""
    states: list[Any] = [None] * len(values)
    for number, item in enumerate(values):
        state = dict.get(known, item)  # unlike known[item], adds nothing
        if not state:
            state = known.setdefault(item, {})
            state["step"] = 0
        states[number] = state
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
    first: Any = states[0]["step"]
    value: Any = values[0]
    dtype = arrays.dtype(value._array)
    same = True
    for number, state in enumerate(states):
        value, step = values[number], state["step"]
        same = same and (step is first or step == first) and arrays.dtype(value._array) is dtype
    if same:
        return [(first + 1, values, states)]
    groups: dict[Any, tuple[Any, list[Any], list[dict[str, Any]]]] = {}
    for number, state in enumerate(states):
        value = values[number]
        step = state["step"] + 1
        _, group_values, group_states = groups.setdefault((step, arrays.dtype(value._array)), (step, [], []))
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
        column: list[Any] = [None] * len(states)
        for number, state in enumerate(states):
            value: Value = state[name]
            if value is None:
                raise TypeError(f"the state's {name} must be a tensor, got None")
            column[number] = value._array
        columns.append(column)
    return columns


def written_arrays(values: list[Any]) -> list[Array]:
    """The array of each value, counted as written to, which backward notices where one was saved."""
    note_writes(values)
    return arrays_of(values)


def gradients_of(values: list[Any], written: bool = False) -> list[Array]:
    """The array of each value's gradient, counted as written to if `written`."""
    found: list[Any] = [None] * len(values)
    for number, item in enumerate(values):
        value = item
        gradient = value.grad_value
        if written:
            gradient.version.value += 1
        found[number] = gradient._array
    return found


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
    """Count a write to the memory of each value that is not None, which backward notices where one was saved."""
    for item in values:
        if item is not None:
            value = item
            value.version.value += 1
