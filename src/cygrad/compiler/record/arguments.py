"""The arguments of a call that is recorded: buffers in their layout, and what the step did to them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Value, engine
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.structure import containers_in, flatten, unflatten

__all__ = ["Arguments", "overlapping", "span_of"]

ALIGNMENT = 64  # bytes


class Arguments:
    """The arguments of a call, with buffers in place of the tensors' memory.

    A buffer has the layout of its argument, because the order of elements in memory decides about the order of sums.
    Arguments that share memory share a buffer in the same way. The step sees tensors over the buffers, and containers
    of its own; ``write_back`` copies what it did to them to the caller's.

    Args:
        args, kwargs: the arguments of the call
        flat, structure: the same as ``flatten`` returns them; structure None for positional ones without containers

    Attributes:
        values: like `flat`, with tensors over buffers
        given: the array of each tensor when the call began, by its index
        buffers: the buffer of each tensor, by its index
        changed: the indices of the tensors that the step wrote to, once it has run
        groups: the indices of the tensors that share memory with others, in lists
    """

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], flat: Sequence[Any], structure: Any) -> None:
        self.flat, self.structure = flat, structure
        self.tensors = [i for i, value in enumerate(flat) if isinstance(value, Value)]
        self.given = {i: flat[i].array for i in self.tensors}  # another thread may assign to data
        self.groups = [group for group in overlapping(list(self.given.items())) if len(group) > 1]
        self.buffers = self.new_buffers()
        self.arrays = {i: like_writeable(buffer, self.given[i]) for i, buffer in self.buffers.items()}
        twins: dict[int, Any] = {}  # by the id of the caller's tensor
        first: dict[int, Any] = {}  # by the id of a version, of which one block of memory has one
        self.values = list(flat)
        for i in self.tensors:
            if id(flat[i]) in twins:
                self.arrays[i] = twins[id(flat[i])].array
            else:
                twins[id(flat[i])] = twin(flat[i], self.arrays[i])
            self.values[i] = twins[id(flat[i])]
            self.values[i]._share_version(first.setdefault(id(flat[i].version), self.values[i]))
        for i in self.tensors:
            engine.make_view(self.values[i], twins.get(id(flat[i].base)))
        if structure is None:
            self.args, self.kwargs = tuple(self.values), {}
        else:
            self.args, self.kwargs = unflatten(structure, iter(self.values))
        theirs, mine = ((args, *kwargs.values()), (self.args, *self.kwargs.values()))
        self.containers = list(zip(containers_in(theirs), containers_in(mine)))[1:]
        self.contents = [contents(theirs) for theirs, _ in self.containers]
        self.changed: list[int] = []

    def new_buffers(self) -> dict[int, Array]:
        """A buffer for each tensor, with its elements."""
        buffers = {i: buffer_like(array) for i, array in self.given.items()}
        for group in self.groups:
            arrays = [self.given[i] for i in group]
            buffers.update(zip(group, buffers_like(arrays)))
        for i, buffer in buffers.items():
            np.copyto(buffer, self.given[i])
        return buffers

    # After the call

    def written(self, addresses: Iterable[int]) -> list[int]:
        """The indices of the tensors that the step wrote to: the owners' addresses are known, the version was counted,
        or the elements differ."""
        known = set(addresses)
        found = {
            i
            for i in self.tensors
            if address(owner_of(self.buffers[i])) in known
            or self.values[i].version.value
            or not same_bytes(self.buffers[i], self.given[i])
        }
        for group in self.groups:
            if found.intersection(group):
                found.update(group)
        return sorted(found)

    def writes(self, i: int) -> int:
        """How often the step counted a write to tensor number i."""
        return int(self.values[i].version.value)

    def index(self, value: Any) -> int | None:
        """The index of the argument that a value is, None for any other value."""
        return next((i for i in self.tensors if self.values[i] is value), None)

    def release(self) -> dict[int, Any]:
        """Hold the step's tensors no longer; returns a weak reference to each, by its index."""
        references = {i: weakref.ref(self.values[i]) for i in self.tensors}
        self.values, self.args, self.kwargs, self.containers = [], (), {}, []
        return references

    def with_originals(self, result: Any) -> Any:
        """What the step returned, with the caller's arguments in place of its own."""
        flat, structure = flatten(result)
        found = [self.index(value) for value in flat]
        if all([i is None for i in found]):
            return result
        return unflatten(structure, iter([v if i is None else self.flat[i] for v, i in zip(flat, found)]))

    def write_back(self, addresses: Iterable[int]) -> str | None:
        """Carry over to the caller's arguments what the step did to its own. Returns why such a step can't be replayed,
        None if it did nothing but write. `addresses` are those of the owners that it wrote to."""
        refusal = None
        counted: set[int] = set()
        self.changed = self.written(addresses)
        for i in self.changed:
            np.copyto(self.given[i], self.buffers[i])
            version = self.flat[i].version
            if id(version) not in counted:
                counted.add(id(version))
                version.value += self.writes(i)
        originals = {id(self.values[i]): self.flat[i] for i in self.tensors}
        originals |= {id(mine): theirs for theirs, mine in self.containers}
        for i in self.tensors:
            mine, theirs = self.values[i], self.flat[i]
            if (mine.node, mine.grad_value, mine.requires_grad) != (None, None, theirs.requires_grad) or mine.hooks:
                refusal = "it makes an argument part of the graph; detach what it writes to an argument"
                adopt(theirs, mine)
            if mine.array is not self.arrays[i]:
                refusal = "it replaces the memory of an argument; write to it with copy_"
                theirs.array = mine.array
        for (theirs, mine), before in zip(self.containers, self.contents):
            if isinstance(mine, tuple):
                continue
            now = [originals.get(id(item), item) for item in contents(mine)]
            if len(now) != len(before) or any([a is not b for a, b in zip(now, before)]):
                refusal = f"it changes a {type(theirs).__name__} that is an argument; return the new items instead"
                replace_contents(theirs, mine, now)
        return refusal


def twin(value: Value, buffer: Array) -> Any:
    """A tensor of the same class over a buffer."""
    result: Any = type(value).__new__(type(value))
    Value.__init__(result, buffer)
    if hasattr(value, "__dict__"):
        vars(result).update(vars(value))
    result.requires_grad = value.requires_grad
    return result


def like_writeable(array: Array, model: Array) -> Array:
    """The array, as a view that can't be written to if `model` can't."""
    if not model.flags.writeable:
        array = array[...]
        array.flags.writeable = False
    return array


def adopt(theirs: Any, mine: Any) -> None:
    """Give a tensor the position in the graph, the gradient and the hooks that its twin has received."""
    if mine.node is not None and theirs.base is not None:
        engine.rewrite(theirs, mine)
    if theirs.base is None:
        engine.take_position(theirs, mine)
    theirs.requires_grad = mine.requires_grad
    theirs.grad_value = theirs.grad_value if mine.grad_value is None else mine.grad_value
    theirs.hooks = mine.hooks or theirs.hooks


def contents(container: Any) -> list[Any]:
    """The items of a list or tuple; the keys and values of a dict."""
    return [*container.keys(), *container.values()] if isinstance(container, dict) else list(container)


def replace_contents(container: Any, like: Any, items: list[Any]) -> None:
    """Give a container the items of another one."""
    if isinstance(container, list):
        container[:] = items
    else:
        container.clear()
        container.update(zip(like, items[len(like) :]))


# Layouts


def buffer_like(array: Array) -> Array:
    """An array of the same shape, dtype and order in memory. A gap between elements is one element wide: batches of a
    large matrix in Fortran order would otherwise need its memory."""
    if array.flags.c_contiguous and array.flags.aligned:
        return np.asarray(kernels.pooled(np.empty, array.shape, array.dtype))
    steps, extent, ours = [0] * array.ndim, array.itemsize, array.itemsize
    for axis in sorted(range(array.ndim), key=lambda axis: abs(array.strides[axis])):
        step, size = abs(array.strides[axis]), array.shape[axis]
        if size < 2 or not step:
            continue
        if step < extent or not array.flags.aligned:
            return buffers_like([array])[0]  # elements overlap, or lie between addresses
        ours += array.itemsize if step > extent else 0
        steps[axis] = ours if array.strides[axis] > 0 else -ours
        extent, ours = step * size, ours * size
    start = sum([-step * (size - 1) for step, size in zip(steps, array.shape) if step < 0])
    memory = kernels.pooled(np.empty, max(ours, array.itemsize), np.uint8)
    return np.ndarray(array.shape, array.dtype, memory, start, steps)


def buffers_like(arrays: Sequence[Array]) -> list[Array]:
    """Arrays that share memory as these do."""
    spans = [span_of(array) for array in arrays]
    low, high = min([span[0] for span in spans]), max([span[1] for span in spans])
    memory = kernels.pooled(np.empty, high - low + ALIGNMENT, np.uint8)
    shift = (low - address(memory)) % ALIGNMENT - low
    return [np.ndarray(a.shape, a.dtype, memory, address(a) + shift, a.strides) for a in arrays]


def span_of(array: Array) -> tuple[int, int]:
    """The addresses of the first byte of an array, and of the one behind its last."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return int(low), int(high)


def overlapping(arrays: Iterable[tuple[int, Array]]) -> list[list[int]]:
    """Numbered arrays, cut into groups whose spans of memory overlap; empty arrays are left out."""
    spans = sorted([(*span_of(array), number) for number, array in arrays if array.size])
    groups: list[list[int]] = []
    end = 0
    for low, high, number in spans:
        if low >= end:
            groups.append([])
        groups[-1].append(number)
        end = max(end, high)
    return groups


def same_bytes(a: Array, b: Array) -> bool:
    """Whether two arrays of one dtype and shape have the same bits."""
    if a.dtype.kind != "f":
        return bool((a == b).all())
    as_integers = np.dtype(f"u{a.itemsize}")
    return bool((a.view(as_integers) == b.view(as_integers)).all())
