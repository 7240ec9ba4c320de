"""``torch.nn.parallel``: modules on several GPUs, of which there are none."""

from __future__ import annotations

from typing import Any

from cygrad.nn.module import Module
from cygrad.nn.modules.data_parallel import DataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


class DistributedDataParallel(Module):
    """Refused: cygrad trains in one process. Scripts import it, and ask whether a module is one.

    Args:
        module: not used.

    Raises:
        RuntimeError: always, as in PyTorch without a process group.
    """

    module: Module

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("DistributedDataParallel: cygrad trains in one process")


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Return module(inputs), or module(*inputs) for a tuple; see :class:`DataParallel`.

    Args:
        module: the module.
        inputs: its input, or a tuple of all.
        device_ids, output_device, dim: as for :class:`DataParallel`.
        module_kwargs: arguments by name.

    >>> from cygrad.nn.parallel import data_parallel
    >>> data_parallel(cg.nn.ReLU(), cg.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    positional = inputs if isinstance(inputs, tuple) else (inputs,)
    return DataParallel(module, device_ids, output_device, dim)(*positional, **(module_kwargs or {}))
