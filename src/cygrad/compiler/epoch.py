"""Batches of rows, one after another, through a compiled function: ``CompiledFunction.epoch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from cygrad import _kernels as kernels
from cygrad import parallel
from cygrad._typing import Array
from cygrad.autograd import Value, engine, recording
from cygrad.compiler.cache import ProgramCache
from cygrad.compiler.program import Program
from cygrad.compiler.structure import flatten, has_containers, unflatten
from cygrad.tensor import Tensor

__all__ = ["Epochs"]


class Compiled(Protocol):
    """A compiled function, as far as epochs use it."""

    @property
    def cache(self) -> ProgramCache: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


class Epochs:
    """Epochs over the same data, each with an order of its own.

    Args:
        function: a compiled function
        args, kwargs: its arguments; every tensor among them is data, with a sample in each row
        batch_size: rows per batch
    """

    def __init__(self, function: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any], batch_size: int) -> None:
        self.function = function
        self.flat, self.structure = flatten((args, kwargs))
        self.plain = not kwargs and not has_containers(args)  # then the structure of a program is None
        self.data = [contiguous_rows(value) for value in self.flat if isinstance(value, Value)]
        self.length = common_length(self.data)
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"epoch: batch_size must be an integer of at least 1, got {batch_size!r}")
        self.size = int(batch_size)
        self.samples: dict[int, list[Any]] = {}  # arguments of a batch of each size, to find its program

    def run(self, order: Any = None, drop_last: bool = False) -> Any:
        """Run the batches of one epoch, and return the stacked results."""
        recording.reading("epoch")
        rows = row_indices(order, self.length)
        full, rest = divmod(len(rows), self.size)
        steps = full + (rest > 0 and not drop_last)
        if not steps:
            raise ValueError(f"epoch: {len(rows)} rows are fewer than one batch of {self.size}")
        results, number = Results(steps), 0
        while number < steps:
            size, times = (self.size, full - number) if number < full else (rest, 1)
            start = number * self.size
            program = self.program_for(size)
            if program is None or program.loop is None:
                results.add(number, self.call(rows[start : start + size]))
                number += 1
                continue
            targets = results.targets(number, program.replay.results, program.replay.build_result or only)
            done, error = program.loop.run(self.samples[size], self.data, rows[start:], targets, times)
            number += done
            if error is not None:
                raise type(error)(f"{error}, in batch {number} of an epoch")
            if not done:
                results.add(number, self.call(rows[start : start + size]))
                number += 1
        return results.stacked()

    def call(self, rows: Array) -> Any:
        """Run one batch by a call of the function."""
        flat = self.with_data([kernels.gather_rows(x, rows)[0] for x in self.data])
        args, kwargs = unflatten(self.structure, iter(flat))
        return self.function(*args, **kwargs)

    def with_data(self, arrays: list[Array]) -> list[Any]:
        """The arguments of a call, flat, with these arrays in place of the data."""
        tensors = iter(arrays)
        return [Tensor(next(tensors)) if isinstance(value, Value) else value for value in self.flat]

    def program_for(self, size: int) -> Program | None:
        """The program of a batch of `size` rows; None if there is none, or if it has to be checked."""
        cache = self.function.cache
        if not cache.programs or cache.check is True:
            return None
        if size not in self.samples:
            self.samples[size] = self.with_data([np.empty((size, *x.shape[1:]), x.dtype) for x in self.data])
        program = cache.find(self.samples[size], None if self.plain else self.structure)
        if program is None or not cache.is_ready(program):
            return None
        parallel.claim(program.claims)
        return program


class Results:
    """The stacked results of the steps of an epoch.

    Args:
        steps: the number of steps
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.stacks: list[Array] | None = None
        self.build: Callable[[list[Any]], Any] = only

    def targets(self, number: int, arrays: list[Array], build: Callable[[list[Any]], Any]) -> list[Array]:
        """Where results like `arrays` are stored, from step `number` on."""
        self.build = build
        if self.stacks is None:
            self.stacks = [kernels.pooled(np.empty, (self.steps, *array.shape), array.dtype) for array in arrays]
            return self.stacks
        expected = [(stack.shape[1:], stack.dtype) for stack in self.stacks]
        if [(array.shape, array.dtype) for array in arrays] != expected:
            raise ValueError(
                f"epoch: batch {number} has results of shapes {[array.shape for array in arrays]}, earlier batches of "
                f"{[shape for shape, _ in expected]}; use drop_last=True to leave out a smaller last batch"
            )
        return [stack[number:] for stack in self.stacks]

    def add(self, number: int, result: Any) -> None:
        """Store the result of one call."""
        flat, structure = flatten(result)
        arrays = [value.array for value in flat if isinstance(value, Value)]

        def build(tensors: list[Any]) -> Any:
            stacked = iter(tensors)
            return unflatten(structure, iter([next(stacked) if isinstance(v, Value) else v for v in flat]))

        for target, array in zip(self.targets(number, arrays, build), arrays):
            target[0] = array

    def stacked(self) -> Any:
        """All results, as the function returns them."""
        return self.build([engine.wrap(stack) for stack in self.stacks or ()])


def only(tensors: list[Any]) -> Any:
    """The result of a step that returns one tensor."""
    return tensors[0]


def contiguous_rows(value: Value) -> Array:
    """The data as an array in C order."""
    if value.requires_grad:
        raise ValueError("epoch: the data must not require a gradient; detach it")
    if not value.array.ndim:
        raise ValueError("epoch: the data needs a dimension of rows, got a 0-d tensor")
    return np.ascontiguousarray(value.array)


def common_length(data: list[Array]) -> int:
    """The number of rows, the same in all arrays."""
    if not data:
        raise TypeError("epoch: no argument is a tensor")
    lengths = [len(array) for array in data]
    if len(set(lengths)) > 1:
        raise ValueError(f"epoch: all data must have the same number of rows, got {', '.join(map(str, lengths))}")
    return lengths[0]


def row_indices(order: Any, n: int) -> Array:
    """The indices of the rows, each in 0..n − 1, in an int64 array that nothing else uses."""
    if order is None:
        return np.arange(n)
    array = np.asarray(order.array if isinstance(order, Value) else order)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(f"epoch: order must be 1-d and of integers, got {array.dtype} of shape {array.shape}")
    rows = array.astype(np.int64)
    if rows.size and rows.view(np.uint64).max() >= n:  # as unsigned numbers, negative ones are large
        raise IndexError(f"epoch: order has indices from {array.min()} to {array.max()}, but there are {n} rows")
    return rows
