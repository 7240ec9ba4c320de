"""Messages from one rank to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.distributed.collectives import elements, put_back, root_of
from cygrad.distributed.process_group import ProcessGroup, as_bytes, world_of
from cygrad.distributed.work import Work
from cygrad.tensor import Tensor

__all__ = ["irecv", "isend", "recv", "send"]


def send(tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Send a tensor to another rank, and wait until its memory may be written to. As ``torch.distributed.send``.

    Args:
        tensor: to send.
        dst, group_dst: the rank that receives it, in the world or in the group.
        group: of both ranks, by default all.
        tag: an integer that the receiver names too.

    Raises:
        ValueError: there is no such rank, or it is this one.
    """
    isend(tensor, dst, group, tag, group_dst).wait()


def isend(
    tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None
) -> Work:
    """As :func:`send`, without waiting: returns a :class:`Work`, whose ``wait()`` does."""
    members = world_of("send", group)
    array, other = elements("send", "tensor", tensor), root_of("send", members, dst, group_dst)
    check_other("send", members, other)

    def start() -> list[Any]:
        return [members.communicator.Isend(as_bytes(array.reshape(-1)), other, tag)]

    return Work("send", members, [array], start).launch()


def recv(tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """Receive a tensor from another rank.

    Args:
        tensor: of the shape and dtype that is sent; changed in place.
        src, group_src: the rank that sends it, in the world or in the group; by default any.
        group: of both ranks, by default all.
        tag: an integer that the sender names too.

    Returns:
        The rank that sent it, in the world.

    Raises:
        ValueError: there is no such rank, or it is this one.
    """
    work, senders = receipt(tensor, src, group, tag, group_src)
    work.wait()
    return senders[0]


def irecv(
    tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None
) -> Work:
    """As :func:`recv`, without waiting: returns a :class:`Work`, whose ``wait()`` does."""
    return receipt(tensor, src, group, tag, group_src)[0]


def receipt(tensor: Tensor, src: int | None, group: Any, tag: int, group_src: int | None) -> tuple[Work, list[int]]:
    """The receipt of a message, under way, and a list that has its sender once it is complete."""
    members = world_of("recv", group)
    array = elements("recv", "tensor", tensor)
    other = None if src is None and group_src is None else root_of("recv", members, src, group_src)
    check_other("recv", members, other)
    flat = np.empty(0, array.dtype)
    senders = [-1 if other is None else members.ranks[other]]

    def start() -> list[Any]:
        nonlocal flat
        flat = array.reshape(-1)
        source = members.await_message("recv", tag) if other is None else other
        senders[0] = members.ranks[source]
        return [members.communicator.Irecv(as_bytes(flat), source, tag)]

    return Work("recv", members, [array], start, lambda: put_back(array, flat), [tensor]).launch(), senders


def check_other(name: str, members: ProcessGroup, other: int | None) -> None:
    """Raise ValueError for a message from this rank to itself."""
    if members.size() == 1 or other == members.rank():
        raise ValueError(f"{name}: the other rank must not be this one, {members.ranks[members.rank()]}")
