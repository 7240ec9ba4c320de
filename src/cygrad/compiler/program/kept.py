"""Tensors that a step keeps in an attribute, a name, a list or a dict, so that a replay puts new ones there."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from types import CellType, FunctionType
from typing import Any

from cygrad._typing import Array
from cygrad.autograd import Value, engine
from cygrad.compiler.structure import flatten, unflatten
from cygrad.optim.optimizer import Optimizer

__all__ = ["KeptTensors", "Surroundings", "held_elsewhere", "kept_tensors"]

DEPTH = 3  # of containers in containers in which the engine holds tensors


class KeptTensors:
    """One place in which a step keeps tensors.

    Args:
        container: a dict, list or cell from before the step
        key: the key or index there; with `appended`, the index counted from the end
        appended: whether the step appends to the list
        value: what the recorded step put there, tensors in nested tuples, lists and dicts
        arrays: for each flat part of it that a run computes its array, None for others
        arguments: for each flat part of it the index of the argument that it is, None for others
    """

    def __init__(
        self,
        container: Any,
        key: Any,
        appended: bool,
        value: Any,
        arrays: Callable[[Any], Array | None],
        argument: Callable[[Any], int | None],
    ) -> None:
        self.container, self.key, self.appended = container, key, appended
        flat, self.structure = flatten(value)
        self.arguments = [argument(part) for part in flat]
        self.arrays = [None if i is not None else arrays(part) for part, i in zip(flat, self.arguments)]
        kept = zip(flat, self.arrays, self.arguments)
        self.parts = [part if array is None and i is None else None for part, array, i in kept]

    def current(self) -> Any:
        """What is there now, None for nothing."""
        try:
            return self.container.cell_contents if isinstance(self.container, CellType) else self.container[self.key]
        except (LookupError, ValueError):
            return None

    @property
    def needs_calls(self) -> bool:
        """Whether each run has to be a call."""
        return self.appended or any([i is not None for i in self.arguments])

    def latest(self, args: Sequence[Any]) -> Any:
        """What a run with these arguments keeps, in new tensors."""
        parts = zip(self.parts, self.arrays, self.arguments)
        values = [args[i] if i is not None else part if a is None else engine.wrap(a.copy()) for part, a, i in parts]
        return unflatten(self.structure, iter(values))

    def put(self, value: Any) -> None:
        """Put a value there, as the step does."""
        if self.appended:
            self.container.append(value)
        else:
            self.replace(value)

    def replace(self, value: Any) -> None:
        """Put a value in the place of what is there."""
        if isinstance(self.container, CellType):
            self.container.cell_contents = value
        else:
            self.container[self.key] = value


class Surroundings:
    """The objects around a step, as they are before it.

    Args:
        reach: the objects to which the step's names lead
    """

    def __init__(self, reach: Sequence[Any]) -> None:
        self.reach = reach
        self.ids = {id(value) for value in reach}
        self.ids |= {id(value.__globals__) for value in reach if isinstance(value, FunctionType)}
        self.lengths = {id(value): len(value) for value in reach if isinstance(value, list)}


def held_elsewhere(values: list[Value], own: Counter[int]) -> list[Value]:
    """The tensors to which somebody else refers than this list and, `own` times for each id, the compiler."""
    listed: list[Any] = [*values, object()]
    counts = [sys.getrefcount(value) for value in listed]
    once = counts.pop()  # of what only the list refers to; the tensors are in two
    return [value for value, count in zip(values, counts) if count - once - 1 > own[id(value)]]


def kept_tensors(
    alive: Sequence[Value],
    surroundings: Surroundings,
    arrays: Callable[[Any], Array | None],
    argument: Callable[[Any], int | None],
) -> tuple[list[KeptTensors], str | None]:
    """The places where the step keeps tensors; and why a replay can't do so, None if it can.

    Args:
        alive: the tensors that the step has created, or received, and that somebody still holds
        surroundings: what was there before the step
        arrays: the array of a tensor that a run computes, None for other values
        argument: the index of the argument that a value is, None for other values
    """
    found: dict[tuple[int, Any], KeptTensors] = {}
    internal = {id(alive), id(found)}
    engine_owned: dict[int, bool] = {}
    for tensor in alive:
        places = places_of(tensor, surroundings.ids, internal, engine_owned)
        if isinstance(places, str):
            return [], places
        if places and tensor.node is not None and not tensor.node.freed:
            return [], "it keeps a tensor whose graph backward could still use; detach it"
        for container, key, value in places:
            appended = False
            if isinstance(container, list):
                length = surroundings.lengths.get(id(container))
                if length is None:
                    return [], "it keeps a tensor in a list that its names do not lead to; return the tensor instead"
                appended = key >= length
                key -= len(container) if appended else 0
            found[id(container), key] = KeptTensors(container, key, appended, value, arrays, argument)
    return list(found.values()), None


def places_of(
    tensor: Value, before: set[int], internal: set[int], engine_owned: dict[int, bool]
) -> list[tuple[Any, Any, Any]] | str:
    """(container, key, value) of each place from before the step where a tensor, or a container around it, was put; the
    innermost one where none is known. A message if the step can't put it there again. `engine_owned` has what is known
    of containers, by their ids."""
    places: list[tuple[Any, Any, Any]] = []
    innermost: list[tuple[Any, Any, Any]] = []
    pending, visited = [(tensor, "")], {id(tensor), *internal, id(places), id(innermost)}
    while pending:
        value, problem = pending.pop(0)
        visited |= {id(pending), id(visited)}
        for holder in gc.get_referrers(value):
            if id(holder) in visited or is_of_engine(holder):
                continue
            visited.add(id(holder))
            is_container = isinstance(holder, (dict, list, tuple))
            container = holder if is_container or isinstance(holder, CellType) else getattr(holder, "__dict__", None)
            if container is value:  # the attributes of an object, which is not from before if they are not
                pending.append((holder, problem or new_object(holder)))
                continue
            key = key_of(container, value)
            if key is None:
                continue
            visited.add(id(container))
            if isinstance(container, CellType) or {id(container), id(holder)} & before:
                if problem:
                    return problem
                places.append((container, key, value))
                continue
            if not (innermost or isinstance(container, tuple)):
                if id(container) not in engine_owned:
                    engine_owned[id(container)] = is_part_of_engine(container)
                if not engine_owned[id(container)]:
                    innermost.append((container, key, value))
            pending.append((holder, problem or ("" if is_container else new_object(holder))))
    return places or innermost


def new_object(holder: Any) -> str:
    """Why a tensor in an object that the step has created can't be kept."""
    return f"it keeps a tensor in a new {type(holder).__name__}; keep it in a tuple, list or dict"


def is_of_engine(holder: Any) -> bool:
    """Whether an object belongs to the graph or to the compiler."""
    module = type(holder).__module__
    return module.startswith(("cygrad.compiler", "cygrad.autograd")) or isinstance(holder, Value)


def is_part_of_engine(container: Any, depth: int = 0) -> bool:
    """Whether a list or dict belongs to an object of the graph or of the compiler, or to an optimizer."""
    for holder in gc.get_referrers(container):
        if is_of_engine(holder) or isinstance(holder, Optimizer):
            return True
        if depth < DEPTH and isinstance(holder, (dict, list, tuple)) and is_part_of_engine(holder, depth + 1):
            return True
    return False


def key_of(container: Any, value: Any) -> Any:
    """The key or index of a value in a container, None if it is not there."""
    if isinstance(container, CellType):
        return "cell"
    if not isinstance(container, (dict, list, tuple)):
        return None
    items = container.items() if isinstance(container, dict) else enumerate(container)
    return next((key for key, item in items if item is value), None)
