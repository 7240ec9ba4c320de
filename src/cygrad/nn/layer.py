# cython: binding=False
"""Layer: the call of a module, compiled since every training step makes many of them.

The build compiles this file with the C types of layer.pxd.
"""

from __future__ import annotations

from typing import Any

from cygrad import _kernels as kernels
from cygrad.autograd import recording

__all__ = ["Layer", "layers_in"]


class Layer:
    """The base class of modules. A call runs ``forward``, between the module's hooks if it has any."""

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = recording.recorder()
        if recorder is not None:
            recorder.called(self)
        hooks = self._hooks
        if hooks is not None:
            return hooks.call(self, args, kwargs)
        if kwargs or len(args) != 1:
            return self.forward(*args, **kwargs)
        return self.forward(args[0])


if "__new__" in vars(Layer):  # compiled
    kernels.create_as_object(Layer)


def layers_in(attributes: dict[str, Any]) -> list[Any]:
    """Return the submodules among a module's attributes, in order."""
    layers = []
    for value in attributes.values():
        if isinstance(value, Layer):
            layers.append(value)
    return layers
