"""Collective operations on tensors, over MPI.

Each begins at once and, unless ``async_op`` is True, has ended when the function returns. Recorded steps repeat them as
calls between launches. A tensor whose memory is not contiguous is sent from a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.distributed.process_group import ProcessGroup, as_bytes, world_of
from cygrad.distributed.reductions import ReduceOp, check_op, mpi_op
from cygrad.distributed.work import Work
from cygrad.tensor import Tensor

__all__ = [
    "all_gather",
    "all_gather_into_tensor",
    "all_reduce",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "broadcast",
    "gather",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
]


def all_reduce(tensor: Tensor, op: str = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Reduce the tensors of all ranks, and write the result to each. As ``torch.distributed.all_reduce``.

    MPI chooses the order of a sum, so that its last bits depend on the number of ranks.

    Args:
        tensor: of the same shape and dtype on all ranks; changed in place.
        op: a name in :class:`ReduceOp`.
        group: the ranks that take part, by default all.
        async_op: whether to return before the result is there.

    Returns:
        With `async_op` a :class:`Work`, whose ``wait()`` ends the operation, else None.

    Raises:
        RuntimeError: there is no process group, or another rank has ended its program.
        TypeError: the operation is not defined for the dtype.

    >>> cg.distributed.init_process_group()
    >>> x = cg.tensor([1.0, 2.0])
    >>> cg.distributed.all_reduce(x)
    >>> x  # there is one rank
    tensor([1., 2.])
    >>> cg.distributed.destroy_process_group()
    """
    members = world_of("all_reduce", group)
    array = elements("all_reduce", "tensor", tensor)
    check_op("all_reduce", op, array)
    return done(reduction("all_reduce", members, [array], op, [tensor]), async_op)


def reduction(
    name: str, members: ProcessGroup, arrays: Sequence[Array], op: str, tensors: Sequence[Any] = (),
    divisor: int | None = None,
) -> Work:  # fmt: skip
    """The reduction of arrays in place, one after the other; a mean is the sum over `divisor`, by default the number of
    ranks."""
    flats: list[Array] = []
    divisor = members.size() if divisor is None else divisor

    def start() -> list[Any]:
        flats[:] = [array.reshape(-1) for array in arrays]
        if members.communicator is None:
            return []
        from mpi4py import MPI

        return [members.communicator.Iallreduce(MPI.IN_PLACE, flat, mpi_op(op, flat)) for flat in flats]

    def finish() -> None:
        for array, flat in zip(arrays, flats):
            if op == "AVG" and divisor > 1:
                np.multiply(flat, flat.dtype.type(1 / divisor), out=flat)
            put_back(array, flat)

    return Work(name, members, arrays, start, finish, tensors)


def reduce(
    tensor: Tensor, dst: int | None = None, op: str = ReduceOp.SUM, group: Any = None, async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Reduce the tensors of all ranks, and write the result to that of rank `dst`.

    Args:
        tensor: of the same shape and dtype on all ranks; changed in place on rank `dst` alone.
        dst: a rank of the world.
        op, group, async_op: as for :func:`all_reduce`.
        group_dst: the rank in the group, instead of `dst`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("reduce", group)
    array, root = elements("reduce", "tensor", tensor), root_of("reduce", members, dst, group_dst)
    check_op("reduce", op, array)
    result = np.empty(array.size, array.dtype) if members.rank() == root else None

    def start() -> list[Any]:
        if members.communicator is None:
            return []
        return [members.communicator.Ireduce(array.reshape(-1), result, mpi_op(op, array), root)]

    def finish() -> None:
        if result is not None and members.communicator is not None:
            array[...] = (result / members.size() if op == "AVG" else result).reshape(array.shape)

    return done(Work("reduce", members, [array], start, finish, [tensor]), async_op)


def broadcast(
    tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """Copy the tensor of rank `src` to all ranks.

    Args:
        tensor: of the same shape and dtype on all ranks; changed in place on the others.
        src: a rank of the world.
        group, async_op: as for :func:`all_reduce`.
        group_src: the rank in the group, instead of `src`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("broadcast", group)
    array = elements("broadcast", "tensor", tensor)
    root = root_of("broadcast", members, src, group_src)
    return done(distribution("broadcast", members, [array], root, [tensor]), async_op)


def distribution(
    name: str, members: ProcessGroup, arrays: Sequence[Array], root: int, tensors: Sequence[Any] = ()
) -> Work:
    """The broadcast of arrays, in one message, from rank `root` of the group."""
    message = np.empty(0, np.uint8)

    def start() -> list[Any]:
        nonlocal message
        message = joined([array.reshape(-1).view(np.uint8) for array in arrays])
        return [] if members.communicator is None else [members.communicator.Ibcast(as_bytes(message), root)]

    def finish() -> None:
        at = 0
        for array in arrays:
            put_back(array, message[at : at + array.nbytes].view(array.dtype))
            at += array.nbytes

    return Work(name, members, arrays, start, finish, tensors)


def all_gather(tensor_list: Sequence[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy the tensor of each rank to all ranks: ``tensor_list[r]`` becomes that of rank r.

    Args:
        tensor_list: one tensor for each rank, of the shape and dtype of `tensor`; changed in place.
        tensor: of the same shape and dtype on all ranks.
        group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.

    Raises:
        ValueError: the number of tensors, a shape or a dtype is wrong.
    """
    members = world_of("all_gather", group)
    array = elements("all_gather", "tensor", tensor)
    outputs = arrays_like("all_gather", "tensor_list", tensor_list, array, members.size())
    return done(exchange("all_gather", members, outputs, array, list(tensor_list), "Iallgather"), async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy the tensors of all ranks, one after the other, to one tensor on each rank.

    Args:
        output_tensor: with the elements of `input_tensor` times the number of ranks; changed in place.
        input_tensor: of the same shape and dtype on all ranks.
        group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("all_gather_into_tensor", group)
    array = elements("all_gather_into_tensor", "input_tensor", input_tensor)
    parts = parts_of("all_gather_into_tensor", "output_tensor", output_tensor, array, members.size())
    return done(exchange("all_gather_into_tensor", members, parts, array, [output_tensor], "Iallgather"), async_op)


def gather(
    tensor: Tensor, gather_list: Sequence[Tensor] | None = None, dst: int | None = None, group: Any = None,
    async_op: bool = False, group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Copy the tensor of each rank to rank `dst`.

    Args:
        tensor: of the same shape and dtype on all ranks.
        gather_list: on rank `dst` one tensor for each rank, changed in place; None on the others.
        dst, group_dst: the rank, in the world or in the group; by default 0.
        group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("gather", group)
    array = elements("gather", "tensor", tensor)
    root = root_of("gather", members, 0 if dst is None and group_dst is None else dst, group_dst)
    at_root = members.rank() == root
    if at_root != (gather_list is not None and len(gather_list) > 0):
        raise ValueError(f"gather: gather_list belongs to rank {members.ranks[root]} alone")
    outputs = arrays_like("gather", "gather_list", gather_list or (), array, members.size()) if at_root else []
    return done(exchange("gather", members, outputs, array, list(gather_list or ()), "Igather", root), async_op)


def scatter(
    tensor: Tensor, scatter_list: Sequence[Tensor] | None = None, src: int | None = None, group: Any = None,
    async_op: bool = False, group_src: int | None = None,
) -> Work | None:  # fmt: skip
    """Copy one tensor of rank `src` to each rank.

    Args:
        tensor: of the same shape and dtype on all ranks; changed in place.
        scatter_list: on rank `src` one tensor for each rank; None on the others.
        src, group_src: the rank, in the world or in the group; by default 0.
        group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("scatter", group)
    array = elements("scatter", "tensor", tensor)
    root = root_of("scatter", members, 0 if src is None and group_src is None else src, group_src)
    at_root = members.rank() == root
    if at_root != (scatter_list is not None and len(scatter_list) > 0):
        raise ValueError(f"scatter: scatter_list belongs to rank {members.ranks[root]} alone")
    inputs = arrays_like("scatter", "scatter_list", scatter_list or (), array, members.size()) if at_root else []
    flat = np.empty(array.size, array.dtype)

    def start() -> list[Any]:
        sent = joined(inputs) if at_root else None
        if members.communicator is None:
            flat[...] = sent
            return []
        return [members.communicator.Iscatter(None if sent is None else as_bytes(sent), as_bytes(flat), root)]

    def finish() -> None:
        array[...] = flat.reshape(array.shape)

    return done(Work("scatter", members, [array, *inputs], start, finish, [tensor]), async_op)


def reduce_scatter(
    output: Tensor, input_list: Sequence[Tensor], op: str = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Reduce the tensors of all ranks for each rank: rank r receives the reduction of all ``input_list[r]``.

    Args:
        output: changed in place.
        input_list: one tensor for each rank, of the shape and dtype of `output`.
        op, group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("reduce_scatter", group)
    array = elements("reduce_scatter", "output", output)
    inputs = arrays_like("reduce_scatter", "input_list", input_list, array, members.size())
    return done(scattered_reduction("reduce_scatter", members, array, inputs, op, output), async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: str = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Reduce the tensors of all ranks, and give each rank its part of the result: the parts follow each other.

    Args:
        output: changed in place.
        input: with the elements of `output` times the number of ranks.
        op, group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("reduce_scatter_tensor", group)
    array = elements("reduce_scatter_tensor", "output", output)
    inputs = parts_of("reduce_scatter_tensor", "input", input, array, members.size())
    return done(scattered_reduction("reduce_scatter_tensor", members, array, inputs, op, output), async_op)


def scattered_reduction(
    name: str, members: ProcessGroup, array: Array, inputs: Sequence[Array], op: str, output: Tensor
) -> Work:
    """A reduction of which each rank receives its part."""
    check_op(name, op, array)
    flat = np.empty(array.size, array.dtype)

    def start() -> list[Any]:
        sent = joined(inputs)
        if members.communicator is None:
            flat[...] = sent
            return []
        return [members.communicator.Ireduce_scatter_block(sent, flat, mpi_op(op, flat))]

    def finish() -> None:
        array[...] = (flat / members.size() if op == "AVG" else flat).reshape(array.shape)

    return Work(name, members, [array, *inputs], start, finish, [output])


def all_to_all(
    output_tensor_list: Sequence[Tensor], input_tensor_list: Sequence[Tensor], group: Any = None, async_op: bool = False
) -> Work | None:
    """Copy ``input_tensor_list[r]`` of rank s to ``output_tensor_list[s]`` of rank r.

    Args:
        output_tensor_list: one tensor for each rank, all of one shape and dtype; changed in place.
        input_tensor_list: one tensor for each rank, of that shape and dtype.
        group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("all_to_all", group)
    if not len(input_tensor_list):
        raise ValueError("all_to_all: input_tensor_list is empty")
    first = elements("all_to_all", "input_tensor_list[0]", input_tensor_list[0])
    inputs = arrays_like("all_to_all", "input_tensor_list", input_tensor_list, first, members.size())
    outputs = arrays_like("all_to_all", "output_tensor_list", output_tensor_list, first, members.size())
    return done(exchange("all_to_all", members, outputs, inputs, list(output_tensor_list), "Ialltoall"), async_op)


def all_to_all_single(output: Tensor, input: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Copy part r of rank s to part s of rank r, the parts being as many equal ones as there are ranks.

    Args:
        output: changed in place.
        input: of the shape and dtype of `output`.
        group, async_op: as for :func:`all_reduce`.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("all_to_all_single", group)
    array = elements("all_to_all_single", "input", input)
    if array.size % members.size():
        raise ValueError(f"all_to_all_single: {array.size} elements are not divisible among {members.size()} ranks")
    part = np.empty(array.size // members.size(), array.dtype)
    outputs = parts_of("all_to_all_single", "output", output, part, members.size())
    inputs = parts_of("all_to_all_single", "input", input, part, members.size())
    return done(exchange("all_to_all_single", members, outputs, inputs, [output], "Ialltoall"), async_op)


def barrier(group: Any = None, async_op: bool = False, device_ids: object = None) -> Work | None:
    """Wait until all ranks have come here.

    Args:
        group, async_op: as for :func:`all_reduce`.
        device_ids: accepted as in PyTorch, without effect.

    Returns:
        As :func:`all_reduce`.
    """
    members = world_of("barrier", group)

    def start() -> list[Any]:
        return [] if members.communicator is None else [members.communicator.Ibarrier()]

    return done(Work("barrier", members, [], start), async_op)


# What they share


def exchange(
    name: str, members: ProcessGroup, outputs: Sequence[Array], sent: Array | Sequence[Array], tensors: Sequence[Any],
    method: str, root: int | None = None,
) -> Work:  # fmt: skip
    """An operation that fills `outputs`, one for each rank, with what the ranks send."""
    inputs = [sent] if isinstance(sent, np.ndarray) else list(sent)
    flat = np.empty(sum([output.size for output in outputs]), inputs[0].dtype)

    def start() -> list[Any]:
        elements = joined(inputs)
        if members.communicator is None:
            flat[...] = elements
            return []
        place = as_bytes(flat) if outputs else None
        return [getattr(members.communicator, method)(as_bytes(elements), place, *([] if root is None else [root]))]

    def finish() -> None:
        at = 0
        for output in outputs:
            output[...] = flat[at : at + output.size].reshape(output.shape)
            at += output.size

    return Work(name, members, [*outputs, *inputs], start, finish, tensors)


def done(work: Work, async_op: bool) -> Work | None:
    """Launch an operation, and wait for it unless that is left to the caller."""
    work.launch()
    if async_op:
        return work
    work.wait()
    return None


def elements(name: str, argument: str, tensor: Any) -> Array:
    """The array of a tensor."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: {argument} must be a tensor, got {type(tensor).__name__}")
    recording.written(tensor)
    return tensor.array


def arrays_like(name: str, argument: str, tensors: Sequence[Any], like: Array, size: int) -> list[Array]:
    """The arrays of as many tensors as there are ranks, of one shape and dtype."""
    if len(tensors) != size:
        raise ValueError(f"{name}: {argument} must have a tensor for each of {size} ranks, got {len(tensors)}")
    arrays = [elements(name, f"{argument}[{i}]", tensor) for i, tensor in enumerate(tensors)]
    for i, array in enumerate(arrays):
        if array.shape != like.shape or array.dtype != like.dtype:
            raise ValueError(
                f"{name}: {argument}[{i}] is {array.dtype} of shape {array.shape}, wanted {like.dtype} of {like.shape}"
            )
    return arrays


def parts_of(name: str, argument: str, tensor: Any, part: Array, size: int) -> list[Array]:
    """Views of as many parts of a contiguous tensor as there are ranks, each like `part`."""
    whole = elements(name, argument, tensor)
    if whole.size != part.size * size or whole.dtype != part.dtype or not whole.flags.c_contiguous:
        raise ValueError(
            f"{name}: {argument} must be contiguous, with {size} × {part.size} elements of {part.dtype}, got "
            f"{whole.dtype} of shape {whole.shape}"
        )
    return list(whole.reshape(size, -1))


def root_of(name: str, members: ProcessGroup, rank: int | None, in_group: int | None) -> int:
    """The number in the group of the rank that an operation begins or ends at."""
    if (rank is None) == (in_group is None):
        raise ValueError(f"{name}: either the rank in the world or that in the group must be given")
    if in_group is None:
        return members.local_rank(name, rank)
    if not 0 <= in_group < members.size():
        raise ValueError(f"{name}: the rank must lie in 0 to {members.size() - 1}, got {in_group}")
    return in_group


def joined(arrays: Sequence[Array]) -> Array:
    """The elements of arrays, one array after the other."""
    return arrays[0].reshape(-1) if len(arrays) == 1 else np.concatenate([array.reshape(-1) for array in arrays])


def put_back(array: Array, flat: Array) -> None:
    """Copy elements to the array, unless they are its own."""
    if not np.may_share_memory(array, flat):
        array[...] = flat.reshape(array.shape)
