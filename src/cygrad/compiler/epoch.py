"""Batches of rows, one after the other, through a compiled function: ``CompiledFunction.epoch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad import parallel
from cygrad._typing import Array
from cygrad.autograd import Value, engine
from cygrad.compiler.loop import Loop, loops
from cygrad.compiler.structure import flatten, has_containers, unflatten
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from cygrad.compiler.function import CompiledFunction
    from cygrad.compiler.program import Program

__all__ = ["Epoch"]


class Epoch:
    """One call of ``epoch``: the data, in which order, and what has been returned so far."""

    def __init__(
        self, function: CompiledFunction, args: Any, kwargs: Any, batch_size: int, order: Any, drop_last: bool
    ) -> None:
        self.function = function
        self.flat, self.structure = flatten((args, kwargs))
        self.plain = not kwargs and not has_containers(args)  # a program's structure is None then
        self.data = [in_order(value) for value in self.flat if isinstance(value, Value)]
        n = length_of(self.data)
        self.order = row_numbers(order, n)
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"epoch: batch_size must be an integer of at least 1, got {batch_size!r}")
        self.size = int(batch_size)
        self.full, self.rest = divmod(len(self.order), self.size)
        self.steps = self.full + (self.rest > 0 and not drop_last)
        if not self.steps:
            raise ValueError(f"epoch: there is no batch of {batch_size} in {len(self.order)} rows")
        self.results = Results(self.steps)

    def run(self) -> Any:
        """Runs all batches, and returns the results."""
        engine.reading("epoch")
        number = 0
        while number < self.steps:
            size, times = (self.size, self.full - number) if number < self.full else (self.rest, 1)
            program = self.program_for(size)
            if program is not None:
                parallel.claim(program.moved())
            if program is None or not loops(program):
                self.call(number)
                number += 1
            else:
                self.run_in_loop(program, number, times)
                number += times
        return self.results.stacked()

    def call(self, number: int) -> None:
        """One batch by a call."""
        rows = self.order[number * self.size : (number + 1) * self.size]
        given = self.with_arrays([kernels.gather_rows(x, rows)[0] for x in self.data])
        args, kwargs = unflatten(self.structure, iter(given))
        self.results.put(number, self.function(*args, **kwargs))

    def run_in_loop(self, program: Program, number: int, times: int) -> None:
        """Some batches by a program."""
        replay = program.replay
        program.loop = program.loop or Loop(program)
        targets = self.results.room(number, replay.results, replay.build or single)
        done, error = program.loop.run(self.data, self.order[number * self.size :], targets, times)
        if error is not None:
            raise type(error)(f"{error}, in batch {number + done} of an epoch")

    def with_arrays(self, arrays: list[Array]) -> list[Any]:
        """The arguments of a call, flat, with these arrays in the places of the data."""
        tensors = iter(arrays)
        return [Tensor(next(tensors)) if isinstance(value, Value) else value for value in self.flat]

    def program_for(self, size: int) -> Program | None:
        """The program of a batch of so many rows, if there is one that need not be checked."""
        programs = self.function.programs()
        if not programs or self.function.check:
            return None
        flat = self.with_arrays([np.empty((size, *x.shape[1:]), x.dtype) for x in self.data])
        structure = None if self.plain else self.structure
        for program in reversed(programs):
            if program.replay.structure == structure and program.replay.fits(flat):
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
        if self.stacks is None:
            self.stacks = [kernels.pooled(np.empty, (self.steps, *array.shape), array.dtype) for array in arrays]
        self.build = build
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
        return self.build([Tensor(stack) for stack in self.stacks or ()])


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
    rows = np.array(order.array if isinstance(order, Value) else order)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise TypeError(f"epoch: order must be integers in one dimension, got {rows.dtype} of shape {rows.shape}")
    if rows.size and not 0 <= rows.min() <= rows.max() < n:
        raise IndexError(f"epoch: order reaches from {rows.min()} to {rows.max()}, but there are {n} rows")
    return rows.astype(np.int64, copy=False)
