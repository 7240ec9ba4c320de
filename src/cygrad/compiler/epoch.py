"""Batches of rows, one after the other, through a compiled function: ``CompiledFunction.epoch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad import parallel
from cygrad._typing import Array
from cygrad.autograd import Value, engine, recording
from cygrad.compiler.structure import flatten, has_containers, unflatten
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from cygrad.compiler.function import CompiledFunction
    from cygrad.compiler.program import Program

__all__ = ["Epochs"]


class Epochs:
    """Epochs of some data: each runs all batches, in an order of its own."""

    def __init__(self, function: CompiledFunction, args: Any, kwargs: Any, batch_size: int) -> None:
        self.function = function
        self.flat, self.structure = flatten((args, kwargs))
        self.plain = not kwargs and not has_containers(args)  # a program's structure is None then
        self.data = [in_order(value) for value in self.flat if isinstance(value, Value)]
        self.length = length_of(self.data)
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"epoch: batch_size must be an integer of at least 1, got {batch_size!r}")
        self.size = int(batch_size)
        self.samples: dict[int, list[Any]] = {}  # of each size, a batch's arguments, to find its program

    def run(self, order: Any = None, drop_last: bool = False) -> Any:
        """Runs the batches of one epoch, and returns the results."""
        recording.reading("epoch")
        rows = row_numbers(order, self.length)
        full, rest = divmod(len(rows), self.size)
        steps = full + (rest > 0 and not drop_last)
        if not steps:
            raise ValueError(f"epoch: there is no batch of {self.size} in {len(rows)} rows")
        results, number = Results(steps), 0
        while number < steps:
            size, times = (self.size, full - number) if number < full else (rest, 1)
            begin = number * self.size
            program = self.program_for(size)
            if program is None or program.loop is None:
                results.put(number, self.call(rows[begin : begin + size]))
                number += 1
                continue
            targets = results.room(number, program.replay.results, program.replay.build or single)
            done, error = program.loop.run(self.data, rows[begin:], targets, times)
            number += done
            if error is not None:
                raise type(error)(f"{error}, in batch {number} of an epoch")
        return results.stacked()

    def call(self, rows: Array) -> Any:
        """One batch by a call."""
        given = self.with_arrays([kernels.gather_rows(x, rows)[0] for x in self.data])
        args, kwargs = unflatten(self.structure, iter(given))
        return self.function(*args, **kwargs)

    def with_arrays(self, arrays: list[Array]) -> list[Any]:
        """The arguments of a call, flat, with these arrays in the places of the data."""
        tensors = iter(arrays)
        return [Tensor(next(tensors)) if isinstance(value, Value) else value for value in self.flat]

    def program_for(self, size: int) -> Program | None:
        """The program of a batch of so many rows, if there is one that need not be checked."""
        programs = self.function.programs()
        if not programs or self.function.check:
            return None
        if size not in self.samples:
            self.samples[size] = self.with_arrays([np.empty((size, *x.shape[1:]), x.dtype) for x in self.data])
        structure = None if self.plain else self.structure
        for program in reversed(programs):
            if program.replay.structure == structure and program.replay.fits(self.samples[size]):
                parallel.claim(program.moved)
                return program
        return None


class Results:
    """What the steps returned, stacked."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.stacks: list[Array] | None = None
        self.build: Callable[[list[Any]], Any] = single

    def room(self, number: int, arrays: list[Array], build: Callable[[list[Any]], Any]) -> list[Array]:
        """Where results that look like `arrays` go, from step `number` on."""
        self.build = build
        if self.stacks is None:
            self.stacks = [kernels.pooled(np.empty, (self.steps, *array.shape), array.dtype) for array in arrays]
            return self.stacks
        wanted = [(stack.shape[1:], stack.dtype) for stack in self.stacks]
        got = [(array.shape, array.dtype) for array in arrays]
        if got != wanted:
            raise ValueError(
                f"epoch: batch {number} has results of shapes {[shape for shape, _ in got]}, the batches before of "
                f"{[shape for shape, _ in wanted]}; drop_last=True leaves a smaller last batch out"
            )
        return [stack[number:] for stack in self.stacks]

    def put(self, number: int, result: Any) -> None:
        """Keeps the result of one call."""
        flat, structure = flatten(result)
        arrays = [value.array for value in flat if isinstance(value, Value)]

        def build(tensors: list[Any]) -> Any:
            stacked = iter(tensors)
            return unflatten(structure, iter([next(stacked) if isinstance(v, Value) else v for v in flat]))

        for target, array in zip(self.room(number, arrays, build), arrays):
            target[0] = array

    def stacked(self) -> Any:
        """All of it."""
        return self.build([engine.wrap(stack) for stack in self.stacks or ()])


def single(tensors: list[Any]) -> Any:
    """The result of a step that returns a tensor."""
    return tensors[0]


def in_order(value: Value) -> Array:
    """The memory of data, row after row."""
    if value.requires_grad:
        raise ValueError("epoch: data can't require a gradient; detach them")
    if not value.array.ndim:
        raise ValueError("epoch: data need a dimension of rows, got a tensor without dimensions")
    return np.ascontiguousarray(value.array)


def length_of(data: list[Array]) -> int:
    """The number of rows, the same in all."""
    if not data:
        raise TypeError("epoch: there is no tensor among the arguments")
    lengths = [len(array) for array in data]
    if len(set(lengths)) > 1:
        raise ValueError(f"epoch: the data have {', '.join(map(str, lengths))} rows; all must have as many")
    return lengths[0]


def row_numbers(order: Any, n: int) -> Array:
    """The numbers of rows in a copy of their own, each in 0..n − 1."""
    if order is None:
        return np.arange(n)
    given = np.asarray(order.array if isinstance(order, Value) else order)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise TypeError(f"epoch: order must be integers in one dimension, got {given.dtype} of shape {given.shape}")
    rows = given.astype(np.int64)
    if rows.size and rows.view(np.uint64).max() >= n:  # negative numbers are large ones then
        raise IndexError(f"epoch: order reaches from {given.min()} to {given.max()}, but there are {n} rows")
    return rows
