"""Calls of a module with other parameters and buffers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cygrad.autograd import recording
from cygrad.nn.module import Module
from cygrad.tensor import Tensor

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in the place of its parameters and buffers, which it has again afterwards. As
    ``torch.nn.utils.stateless.functional_call``.

    Args:
        module: the module.
        parameters_and_buffers: the tensors by dotted name.
        args: argument, or tuple of arguments, of the call.
        kwargs: keyword arguments of the call, default none.
        tie_weights: whether a tensor that has several names is replaced under all of them, default True.
        strict: whether all names must be given, and no others, default False.

    Raises:
        RuntimeError: strict is True and the names differ.

    >>> layer = cg.nn.Linear(1, 1, bias=False)
    >>> cg.nn.utils.stateless.functional_call(layer, {"weight": cg.tensor([[3.0]])}, cg.tensor([2.0]))
    tensor([6.])
    """
    given = dict(parameters_and_buffers)
    owned = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    if strict and given.keys() != owned.keys():
        missing, unexpected = sorted(owned.keys() - given.keys()), sorted(given.keys() - owned.keys())
        raise RuntimeError(f"functional_call: missing names {missing}, unexpected names {unexpected}")
    if tie_weights:
        by_tensor = {id(owned[name]): value for name, value in given.items() if name in owned}
        given |= {name: by_tensor[id(own)] for name, own in owned.items() if id(own) in by_tensor and name not in given}
    saved: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, value in given.items():
            path, _, attribute = name.rpartition(".")
            attributes = module.get_submodule(path).__dict__
            if attribute in attributes:
                saved.append((attributes, attribute, attributes[attribute]))
                attributes[attribute] = value
        recording.note_change()
        return module(*(args if isinstance(args, tuple) else () if args is None else (args,)), **(kwargs or {}))
    finally:
        for attributes, attribute, value in reversed(saved):
            attributes[attribute] = value
        recording.note_change()
