"""What a step returns: which arrays each run computes, and how the return value is built from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cygrad._typing import Array
from cygrad.autograd import Value
from cygrad.compiler.record.address_map import address, owner_of
from cygrad.compiler.record.arguments import Arguments
from cygrad.compiler.structure import containers_in, flatten, unflatten

__all__ = ["Result", "result_of"]


class Result(NamedTuple):
    """The result of a step: the arrays that it computes, and a function that makes the return value from one new
    tensor per array, None where it is that one tensor. `returned` has for each array the index of the argument that is
    returned itself, None for others; it is None if no argument is. `all_computed` says whether every tensor in it is
    computed by the step; others, which existed before, are returned themselves."""

    arrays: list[Array]
    build: Callable[[list[Any]], Any] | None
    returned: list[int | None] | None
    all_computed: bool


def result_of(value: Any, computed: set[int], arguments: Arguments) -> Result:
    """The result of a step that returned `value`; `computed` are the addresses of the arrays that it computed."""
    flat, structure = flatten(value)
    arrays: list[Array] = []
    returned: list[int | None] = []
    indices: list[int | None] = []  # in `arrays`, of each flat value
    for item in flat:
        is_computed = isinstance(item, Value) and address(owner_of(item.array)) in computed
        indices.append(len(arrays) if is_computed else None)
        if is_computed:
            arrays.append(item.array)
            returned.append(arguments.index(item))
    tensors = sum([isinstance(item, Value) for item in flat])
    all_computed = len(arrays) == tensors
    own = returned if any([index is not None for index in returned]) else None
    if len(flat) == 1 and len(arrays) == 1 and isinstance(value, Value):
        return Result(arrays, None, own, all_computed)
    plain = type(value) is tuple and len(containers_in(value)) == 1  # the most common structure
    flat = [item if index is None else None for item, index in zip(flat, indices)]  # which holds no tensor of the step

    def build(tensors: list[Any]) -> Any:
        values = [item if index is None else tensors[index] for item, index in zip(flat, indices)]
        return tuple(values) if plain else unflatten(structure, iter(values))

    return Result(arrays, build, own, all_computed)
