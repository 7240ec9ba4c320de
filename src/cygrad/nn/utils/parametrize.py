"""Parametrizations: a tensor of a module that is computed from others, which are trained in its place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from cygrad.autograd import no_grad
from cygrad.nn.module import Module
from cygrad.nn.modules.container import ModuleDict, ModuleList
from cygrad.nn.parameter import Parameter
from cygrad.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]

_cache: dict[tuple[int, str], Any] | None = None


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Within the block, compute each parametrized tensor once. As ``torch.nn.utils.parametrize.cached``."""
    global _cache
    outer = _cache
    _cache = {} if outer is None else outer
    try:
        yield
    finally:
        _cache = outer


class ParametrizationList(ModuleList):
    """The parametrizations of a tensor, one after another, and what they begin with: ``original``, or ``original0``,
    ``original1``, … where the first one's ``right_inverse`` returns several tensors. As
    ``torch.nn.utils.parametrize.ParametrizationList``.

    Args:
        modules: the parametrizations.
        original: the tensor.
    """

    original: Tensor

    def __init__(self, modules: list[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        with no_grad():
            inverse: Any = self._inverted(original)
        self.is_tensor = isinstance(inverse, Tensor)
        for i, value in enumerate([inverse] if self.is_tensor else inverse):
            name = "original" if self.is_tensor else f"original{i}"
            if isinstance(original, Parameter):
                setattr(
                    self, name, original if value is original else Parameter(value.detach(), original.requires_grad)
                )
            else:
                self.register_buffer(name, value)

    def _inverted(self, value: Any) -> Any:
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                value = module.right_inverse(value)
        return value

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [self.original]
        return [value for name, value in vars(self).items() if name.startswith("original")]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor is `value`."""
        with no_grad():
            inverse = self._inverted(value)
            for original, part in zip(self._originals(), [inverse] if self.is_tensor else inverse):
                original.data = part.detach().clone()

    def forward(self) -> Tensor:
        first, *others = list(self)
        x = first(*self._originals())
        for module in others:
            x = module(x)
        return x


def register_parametrization(module: Any, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Any:
    """Compute a parameter or buffer of a module as ``parametrization(original)``. As
    ``torch.nn.utils.parametrize.register_parametrization``.

    Args:
        module: the module, which is changed.
        tensor_name: name of the parameter or buffer.
        parametrization: the module that computes it; its ``right_inverse``, if any, computes the original.
        unsafe: whether dtype and shape may differ from the original's, default False.

    Raises:
        ValueError: the module has no such tensor, or the parametrization changes its dtype or shape.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        listed: Any = module.parametrizations[tensor_name]
        listed.append(parametrization)
        return module
    original = module.__dict__.get(tensor_name)
    if not isinstance(original, Tensor):
        raise ValueError(
            f"register_parametrization: {type(module).__name__} has no parameter or buffer {tensor_name!r}"
        )
    listed = ParametrizationList([parametrization], original, unsafe)
    with no_grad():
        value = listed()
    if not unsafe and (value.shape != original.shape or value.dtype != original.dtype):
        raise ValueError(
            f"register_parametrization: the parametrization gives {tensor_name!r} shape {tuple(value.shape)} and "
            f"{value.dtype}, it had {tuple(original.shape)} and {original.dtype}"
        )
    delattr(module, tensor_name)
    if not is_parametrized(module):
        kind = type(module)
        module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), {"_parametrized": kind})
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = listed
    setattr(type(module), tensor_name, computed(tensor_name))
    return module


def computed(name: str) -> property:
    """The property of a parametrized tensor."""

    def get(self: Any) -> Any:
        if _cache is None:
            return self.parametrizations[name]()
        key = id(self), name
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def set(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, set)


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a tensor of the module is parametrized, or any. As
    ``torch.nn.utils.parametrize.is_parametrized``."""
    listed = module.__dict__.get("parametrizations")
    return isinstance(listed, ModuleDict) and (len(listed) > 0 if tensor_name is None else tensor_name in listed)


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Make a parametrized tensor a parameter or buffer again. As
    ``torch.nn.utils.parametrize.remove_parametrizations``.

    Args:
        module: the module, which is changed.
        tensor_name: name of the tensor.
        leave_parametrized: whether it keeps its computed value (default) or gets the original one.

    Raises:
        ValueError: the tensor is not parametrized, or has several originals and leave_parametrized is False.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"remove_parametrizations: {type(module).__name__} has no parametrized tensor {tensor_name!r}")
    listed: Any = module.parametrizations[tensor_name]
    originals = listed._originals()
    if not leave_parametrized and len(originals) > 1:
        raise ValueError(f"remove_parametrizations: {tensor_name!r} has {len(originals)} originals to choose from")
    with no_grad():
        value = listed().detach() if leave_parametrized else originals[0]
    first = originals[0]
    if leave_parametrized and len(originals) == 1 and isinstance(first, Parameter):
        first.data = value  # the optimizer knows this parameter
        value = first
    elif isinstance(first, Parameter) and not isinstance(value, Parameter):
        value = Parameter(value, first.requires_grad)
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if not len(module.parametrizations):
        del module.parametrizations
        module.__class__ = type(module)._parametrized
    if isinstance(value, Parameter):
        module.register_parameter(tensor_name, value)
    else:
        module.register_buffer(tensor_name, value)
    return module


def type_before_parametrizations(module: Module) -> type[Module]:
    """Return the class that a module had before it was parametrized."""
    kind: type[Module] = getattr(type(module), "_parametrized", type(module))
    return kind
