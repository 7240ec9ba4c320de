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
    for search in Search(alive, surroundings.ids, {id(alive), id(found)}).run():
        tensor, places = search.tensor, search.problem or search.places or search.innermost
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


class Path:
    """What is found on the way up from one tensor.

    Attributes:
        places: (container, key, value) of each place from before the step where the tensor, or a container around it,
            was put
        innermost: the innermost container, where no such place is known
        problem: why the step can't put it there again, empty if it can
        pending: objects that lead to the tensor, and whose holders are not known yet
        problems: for each of them why the tensor can't be kept in it, empty if it can
        visited: the ids of the objects that were looked at
    """

    def __init__(self, tensor: Value, internal: set[int]) -> None:
        self.tensor = tensor
        self.places: list[tuple[Any, Any, Any]] = []
        self.innermost: list[tuple[Any, Any, Any]] = []
        self.problem = ""
        self.pending: list[Any] = [tensor]
        self.problems = [""]
        self.visited = {id(tensor)}
        internal |= {id(self.places), id(self.innermost), id(self.pending), id(self.__dict__), id(self)}


class Search:
    """The places that lead to tensors. All tensors go up one level at a time, since one look at all objects of the
    process (``gc.get_referrers``) finds what refers to any of a level.

    Args:
        tensors: where to begin
        before: the ids of the objects from before the step to which its names lead
        internal: the ids of objects of the search itself
    """

    def __init__(self, tensors: Sequence[Value], before: set[int], internal: set[int]) -> None:
        self.before, self.internal = before, internal
        self.paths = [Path(tensor, internal) for tensor in tensors]
        self.engine_owned: dict[int, bool] = {}  # of containers, by their ids
        internal.add(id(self.paths))

    def run(self) -> list[Path]:
        """Follow every path to its end."""
        while level := list({id(value): value for path in self.paths for value in path.pending}.values()):
            holders = referrers(level, self.internal)
            self.classify(holders)
            for path in self.paths:
                if path.pending:
                    self.follow(path, holders)
            del level, holders
        return self.paths

    def classify(self, holders: dict[int, list[Any]]) -> None:
        """Find which of the containers that could be an innermost one are the engine's."""
        unknown = {}
        for path in self.paths:
            for value in path.pending if not path.innermost else ():
                for container in [container_of(h) for h in holders[id(value)] if id(h) not in path.visited]:
                    if isinstance(container, (dict, list)) and container is not value:
                        unknown[id(container)] = container
        containers = [c for i, c in unknown.items() if i not in self.engine_owned and i not in self.before]
        unknown.clear()
        owned = parts_of_engine(containers, self.internal)
        self.engine_owned.update({id(container): id(container) in owned for container in containers})

    def follow(self, path: Path, holders: dict[int, list[Any]]) -> None:
        """Go one level up."""
        values, problems = path.pending[:], path.problems[:]
        path.pending.clear()
        path.problems.clear()
        for value, problem in zip(values, problems):
            for holder in holders[id(value)]:
                if id(holder) not in path.visited and not path.problem:
                    path.visited.add(id(holder))
                    self.visit(path, holder, value, problem)

    def visit(self, path: Path, holder: Any, value: Any, problem: str) -> None:
        """Look at an object that refers to a value on the path."""
        container = container_of(holder)
        if container is value:  # the attributes of an object, which is not from before if they are not
            path.pending.append(holder)
            path.problems.append(problem or new_object(holder))
            return
        key = key_of(container, value)
        if key is None:
            return
        path.visited.add(id(container))
        if isinstance(container, CellType) or {id(container), id(holder)} & self.before:
            path.problem = problem
            path.places.append((container, key, value))
            return
        if not (path.innermost or isinstance(container, tuple) or self.engine_owned.get(id(container), True)):
            path.innermost.append((container, key, value))
        path.pending.append(holder)
        path.problems.append(problem or ("" if holder is container else new_object(holder)))


def referrers(values: list[Any], internal: set[int]) -> dict[int, list[Any]]:
    """For each value, by its id, the objects that refer to it and belong neither to the engine nor to the search."""
    found: dict[int, list[Any]] = {id(value): [] for value in values}
    for holder in gc.get_referrers(*values):
        if id(holder) not in internal and holder is not values and not is_of_engine(holder):
            for i in found.keys() & {id(part) for part in gc.get_referents(holder)}:
                found[i].append(holder)
    return found


def container_of(holder: Any) -> Any:
    """The container that an object is, or that has its attributes; None if there is none."""
    return holder if isinstance(holder, (dict, list, tuple, CellType)) else getattr(holder, "__dict__", None)


def new_object(holder: Any) -> str:
    """Why a tensor in an object that the step has created can't be kept."""
    return f"it keeps a tensor in a new {type(holder).__name__}; keep it in a tuple, list or dict"


def is_of_engine(holder: Any) -> bool:
    """Whether an object belongs to the graph or to the compiler."""
    module = type(holder).__module__
    return module.startswith(("cygrad.compiler", "cygrad.autograd")) or isinstance(holder, Value)


def parts_of_engine(containers: list[Any], internal: set[int]) -> set[int]:
    """The ids of the lists and dicts that belong to an object of the graph or of the compiler, or to an optimizer."""
    owned: set[int] = set()
    level, origins = containers, {id(container): {id(container)} for container in containers}
    for _ in range(DEPTH + 1):
        ids, above, next_origins = set(origins), {}, {}
        for holder in gc.get_referrers(*level) if level else ():
            if id(holder) in internal or holder is level or holder is containers:
                continue
            below = set().union(*[origins[i] for i in ids & {id(part) for part in gc.get_referents(holder)}])
            if is_of_engine(holder) or isinstance(holder, Optimizer):
                owned |= below
            elif isinstance(holder, (dict, list, tuple)):
                above[id(holder)] = holder
                next_origins[id(holder)] = below
        origins = {i: below for i, below in next_origins.items() if not below <= owned}
        level = [above[i] for i in origins]
        del above
    return owned


def key_of(container: Any, value: Any) -> Any:
    """The key or index of a value in a container, None if it is not there."""
    if isinstance(container, CellType):
        return "cell"
    if not isinstance(container, (dict, list, tuple)):
        return None
    items = container.items() if isinstance(container, dict) else enumerate(container)
    return next((key for key, item in items if item is value), None)
