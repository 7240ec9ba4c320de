"""DataParallel: on the CPU, the module as it is."""

from __future__ import annotations

from typing import Any

from cygrad.nn.module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """Call a module, as ``torch.nn.DataParallel`` does where there is no GPU. Names in the state dict begin with
    "module.".

    Args:
        module: the module.
        device_ids: the GPUs to use: None or empty.
        output_device, dim: accepted, without effect.

    Raises:
        RuntimeError: ``device_ids`` names a GPU.

    >>> model = cg.nn.DataParallel(cg.nn.Linear(3, 2))
    >>> list(model.state_dict())
    ['module.weight', 'module.bias']
    """

    module: Module

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        if device_ids:
            raise RuntimeError(f"DataParallel: cygrad computes on the CPU only, got device_ids {list(device_ids)}")
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)
