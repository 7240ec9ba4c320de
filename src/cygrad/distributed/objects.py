"""Collective operations on Python objects, which are pickled: use them among ranks of your own program only."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad.autograd import recording
from cygrad.distributed.collectives import root_of
from cygrad.distributed.process_group import ProcessGroup, as_bytes, world_of

__all__ = ["all_gather_object", "broadcast_object_list", "gather_object", "scatter_object_list"]


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Copy an object of each rank to all ranks: ``object_list[r]`` becomes that of rank r. As
    ``torch.distributed.all_gather_object``.

    Args:
        object_list: a list with a place for each rank.
        obj: can be pickled.
        group: the ranks that take part, by default all.

    Raises:
        ValueError: the list has another length.

    >>> cg.distributed.init_process_group()
    >>> names = [None]
    >>> cg.distributed.all_gather_object(names, "one")
    >>> names
    ['one']
    >>> cg.distributed.destroy_process_group()
    """
    recording.reading("all_gather_object")
    members = world_of("all_gather_object", group)
    check_places("all_gather_object", "object_list", object_list, members)
    object_list[:] = members.gathered("all_gather_object", obj)


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, device: object = None,
    group_src: int | None = None,
) -> None:  # fmt: skip
    """Copy the objects of rank `src` to all ranks.

    Args:
        object_list: the objects on rank `src`; replaced on the others.
        src, group_src: the rank, in the world or in the group; by default 0.
        group: the ranks that take part, by default all.
        device: accepted as in PyTorch, without effect.
    """
    recording.reading("broadcast_object_list")
    members = world_of("broadcast_object_list", group)
    root = root_of("broadcast_object_list", members, 0 if src is None and group_src is None else src, group_src)
    object_list[:] = sent_to_all("broadcast_object_list", members, object_list, root)


def sent_to_all(name: str, members: ProcessGroup, obj: Any, root: int) -> Any:
    """The object of rank `root` of the group."""
    if members.communicator is None:
        return obj
    at_root = members.rank() == root
    message = np.frombuffer(pickle.dumps(obj), np.uint8) if at_root else np.empty(0, np.uint8)
    count = np.array([message.size], np.int64)
    members.operate(name, "Ibcast", as_bytes(count), root)
    message = message.copy() if at_root else np.empty(count[0], np.uint8)
    members.operate(name, "Ibcast", message, root)
    return obj if at_root else pickle.loads(message.tobytes())


def gather_object(
    obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None, group: Any = None,
    group_dst: int | None = None,
) -> None:  # fmt: skip
    """Copy an object of each rank to rank `dst`.

    Args:
        obj: can be pickled.
        object_gather_list: on rank `dst` a list with a place for each rank, None on the others.
        dst, group_dst: the rank, in the world or in the group; by default 0.
        group: the ranks that take part, by default all.
    """
    recording.reading("gather_object")
    members = world_of("gather_object", group)
    root = root_of("gather_object", members, 0 if dst is None and group_dst is None else dst, group_dst)
    if members.rank() == root:
        check_places("gather_object", "object_gather_list", object_gather_list, members)
    objects = members.gathered("gather_object", obj)
    if members.rank() == root and object_gather_list is not None:
        object_gather_list[:] = objects


def scatter_object_list(
    scatter_object_output_list: list[Any], scatter_object_input_list: Sequence[Any] | None = None,
    src: int | None = None, group: Any = None, group_src: int | None = None,
) -> None:  # fmt: skip
    """Copy one object of rank `src` to each rank.

    Args:
        scatter_object_output_list: its first place receives the object.
        scatter_object_input_list: on rank `src` an object for each rank.
        src, group_src: the rank, in the world or in the group; by default 0.
        group: the ranks that take part, by default all.
    """
    recording.reading("scatter_object_list")
    members = world_of("scatter_object_list", group)
    root = root_of("scatter_object_list", members, 0 if src is None and group_src is None else src, group_src)
    if members.rank() == root:
        check_places("scatter_object_list", "scatter_object_input_list", scatter_object_input_list, members)
    objects = sent_to_all("scatter_object_list", members, scatter_object_input_list, root)
    scatter_object_output_list[0] = objects[members.rank()]


def check_places(name: str, argument: str, objects: Any, members: ProcessGroup) -> None:
    """Raise ValueError unless a list has a place for each rank."""
    if objects is None or len(objects) != members.size():
        got = "None" if objects is None else len(objects)
        raise ValueError(f"{name}: {argument} must have a place for each of {members.size()} ranks, got {got}")
