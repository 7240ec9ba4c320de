"""Collective operations with gradients, those of the sum of all ranks' losses: ``torch.distributed.nn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import Node, op
from cygrad.distributed import collectives
from cygrad.distributed.lockstep import Shard
from cygrad.distributed.process_group import ProcessGroup, world_of
from cygrad.distributed.reductions import ReduceOp
from cygrad.tensor import Tensor

__all__ = ["all_gather", "all_reduce", "broadcast", "reduce_scatter"]


def all_reduce(tensor: Tensor, op: str = ReduceOp.SUM, group: Any = None) -> Tensor:
    """Return the sum of the tensors of all ranks. As ``torch.distributed.nn.all_reduce``.

    Args:
        tensor: of the same shape and dtype on all ranks.
        op: ReduceOp.SUM, or ReduceOp.AVG for the mean.
        group: the ranks that take part, by default all.

    Raises:
        ValueError: the reduction is another one, which has no gradient.

    >>> cg.distributed.init_process_group()
    >>> cg.distributed.nn.all_reduce(cg.tensor([2.0]))
    tensor([2.])
    >>> cg.distributed.destroy_process_group()
    """
    if op not in (ReduceOp.SUM, ReduceOp.AVG):
        raise ValueError(f"all_reduce: the gradient of ReduceOp.{op} is not defined, only those of SUM and AVG")
    members = world_of("all_reduce", group)
    total: Tensor = summed(tensor, members=members)
    return total / members.size() if op == ReduceOp.AVG else total


@op
def summed(ctx: Node, input: Array, /, members: ProcessGroup) -> Array:
    """Sum the arrays of all ranks; the gradient of each is the sum of all gradients."""
    ctx.save(members)
    return summed_array(input, members)


@summed.gradient
def _(ctx: Node, upstream: Array) -> Array:
    return summed_array(upstream, *ctx.saved)


@summed.definition
def _(ctx: Node, upstream: Tensor) -> Tensor:
    return summed(upstream, *ctx.saved)


summed.opaque = True  # other ranks take part


def summed_array(array: Array, members: ProcessGroup) -> Array:
    """The sum of the arrays of all ranks, a new array."""
    total = np.array(array, order="C")
    work = collectives.reduction("all_reduce", members, [total], ReduceOp.SUM)
    work.begin(work.arrays)
    work.complete(work.arrays)
    return total


def broadcast(tensor: Tensor, src: int, group: Any = None) -> Tensor:
    """Return the tensor of rank `src`, whose gradient is the sum of those of all ranks.

    Args:
        tensor: of the same shape and dtype on all ranks.
        src: a rank of the world.
        group: the ranks that take part, by default all.
    """
    return all_gather(tensor, group)[world_of("broadcast", group).local_rank("broadcast", src)]


def all_gather(tensor: Tensor, group: Any = None) -> tuple[Tensor, ...]:
    """Return the tensors of all ranks, each of which has the sum of all ranks' gradients.

    Args:
        tensor: of the same shape and dtype on all ranks.
        group: the ranks that take part, by default all.
    """
    members = world_of("all_gather", group)
    everything = gathered(tensor, members)
    return tuple([everything[rank] for rank in range(members.size())])


@op
def gathered(ctx: Node, input: Array, /, members: ProcessGroup | Shard) -> Array:
    """Stack the arrays of all ranks, or of all shards that run in lockstep."""
    ctx.save(members)
    if isinstance(members, Shard):
        return members.stacked(input)
    result = np.empty((members.size(), *input.shape), input.dtype)
    places = [result[rank, ...] for rank in range(len(result))]
    work = collectives.exchange("all_gather", members, places, np.ascontiguousarray(input), [], "Iallgather")
    work.begin(work.arrays)
    work.complete(work.arrays)
    return result


@gathered.gradient
def _(ctx: Node, upstream: Array) -> Array:
    (members,) = ctx.saved
    if isinstance(members, Shard):
        return members.part_of_sum(upstream)
    return summed_array(upstream, members)[members.rank()]


gathered.opaque = True


def reduce_scatter(output: Tensor, input_list: Sequence[Tensor], op: str = ReduceOp.SUM, group: Any = None) -> Tensor:
    """Return the sum of all ranks' ``input_list[r]`` on rank r.

    Args:
        output: not used, as in PyTorch, where its memory receives the result.
        input_list: one tensor for each rank, of one shape and dtype.
        op, group: as for :func:`all_reduce`.
    """
    from cygrad.ops.shape import stack

    members = world_of("reduce_scatter", group)
    everything: Tensor = all_reduce(stack(list(input_list)), op, group)
    return everything[members.rank()]
