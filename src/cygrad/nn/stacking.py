"""Networks of one architecture as one network, whose parameters have a first dimension of members."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np

from cygrad.nn.module import Module
from cygrad.nn.modules import activation
from cygrad.nn.modules.container import ModuleDict, ModuleList, Sequential
from cygrad.nn.modules.dropout import Dropout
from cygrad.nn.modules.ensemble import EnsembleLinear, EnsembleScale, EnsembleSharedLinear
from cygrad.nn.modules.linear import Identity, Linear

__all__ = ["stack_modules", "unstack_modules"]

OF_ROWS = ("Softmax", "LogSoftmax")  # activations whose dimension would be another one
ELEMENTWISE = tuple([getattr(activation, name) for name in activation.__all__ if name not in OF_ROWS])
UNCHANGED = (*ELEMENTWISE, Identity, Dropout, Sequential, ModuleList, ModuleDict)


def stack_modules(models: Sequence[Module]) -> Module:
    """Return one network that computes several networks of one architecture side by side, as batched products.

    Each :class:`~cygrad.nn.Linear` becomes an :class:`~cygrad.nn.EnsembleLinear` with the parameters of all members.
    Activations, Dropout, Identity and containers stay, and so do modules of your own that have no parameters beside
    those of their layers: their ``forward`` then sees a first dimension of members. ``torch.func.stack_module_state``
    with ``torch.func.vmap`` does the same for a function; here the result is a module like others, for an optimizer,
    a recorded step, a ``Trainer``, or a file.

    Args:
        models: K networks; their parameters are copied.

    Returns:
        A module from inputs (N, …), the same for all members, or (K, N, …), to outputs (K, N, …).

    Raises:
        ValueError: there is no network, or their architectures differ.
        TypeError: a layer has no form for members, such as a convolution.

    >>> models = [cg.nn.Sequential(cg.nn.Linear(3, 8), cg.nn.ReLU(), cg.nn.Linear(8, 2)) for _ in range(10)]
    >>> x = cg.randn(5, 3)
    >>> y = cg.func.stack_modules(models)(x)
    >>> y.shape, bool(cg.allclose(y[4], models[4](x), atol=1e-6))
    ((10, 5, 2), True)
    """
    if not models:
        raise ValueError("stack_modules: there is no module to stack")
    first = architecture(models[0])
    for index, model in enumerate(models):
        if architecture(model) != first:
            raise ValueError(f"stack_modules: module {index} has another architecture than module 0")
    return stacked("", models)


def unstack_modules(model: Module) -> list[Module]:
    """Return the members of a network that :func:`stack_modules` made, with copies of their parameters.

    Args:
        model: a network with at least one :class:`~cygrad.nn.EnsembleLinear`.

    Raises:
        ValueError: there is none, or their numbers of members differ.
        TypeError: the network has an :class:`~cygrad.nn.EnsembleScale` or ``EnsembleSharedLinear``.

    >>> model = cg.nn.Sequential(cg.nn.EnsembleLinear(4, 3, 2), cg.nn.Tanh())
    >>> cg.func.unstack_modules(model)[0]
    Sequential(
      (0): Linear(in_features=3, out_features=2, bias=True)
      (1): Tanh()
    )
    """
    counts = {module.members for module in model.modules() if isinstance(module, EnsembleLinear)}
    if len(counts) != 1:
        raise ValueError(f"unstack_modules: the layers must have one number of members, got {sorted(counts)}")
    return [member(model, index) for index in range(counts.pop())]


def architecture(model: Module) -> list[object]:
    """What members have in common: classes, options as printed, and the names and shapes of parameters."""
    modules = [(name, type(module), module.extra_repr()) for name, module in model.named_modules()]
    return [*modules, *[(name, p.shape, p.dtype) for name, p in model.named_parameters()]]


def stacked(path: str, layers: Sequence[Module]) -> Module:
    """One module for those at a path of the members."""
    first = layers[0]
    if type(first) is Linear:
        return stacked_linear([layer for layer in layers if isinstance(layer, Linear)])
    own = type(first).__module__.partition(".")[0] != "cygrad"
    if type(first) not in UNCHANGED and not own:
        raise TypeError(f"stack_modules: {type(first).__name__}{at(path)} has no form for members")
    tensors = [*first.parameters(recurse=False), *first.buffers(recurse=False)]
    if tensors:
        raise TypeError(f"stack_modules: {type(first).__name__}{at(path)} has parameters of its own")
    children = {
        name: stacked(f"{path}.{name}".lstrip("."), [layer._modules[name] for layer in layers]) for name in below(first)
    }
    return with_children(first, children)


def stacked_linear(layers: Sequence[Linear]) -> EnsembleLinear:
    """The linear layers of all members as one."""
    first = layers[0]
    has_bias = first.bias is not None
    sizes = len(layers), first.in_features, first.out_features
    result = EnsembleLinear(*sizes, has_bias, dtype=first.weight.array.dtype).train(first.training)
    np.stack([layer.weight.array for layer in layers], out=result.weight.array)
    if result.bias is not None:
        np.stack([layer.bias.array for layer in layers if layer.bias is not None], out=result.bias.array)
    return result


def member(model: Module, index: int) -> Module:
    """One member of a network."""
    if isinstance(model, (EnsembleScale, EnsembleSharedLinear)):
        raise TypeError(f"unstack_modules: {type(model).__name__} has no form for one member")
    if not isinstance(model, EnsembleLinear):
        return with_children(model, {name: member(model._modules[name], index) for name in below(model)})
    weight, bias = model.weight.array, None if model.bias is None else model.bias.array
    layer = Linear(model.in_features, model.out_features, bias is not None, dtype=weight.dtype).train(model.training)
    layer.weight.array[...] = weight[index]
    if bias is not None and layer.bias is not None:
        layer.bias.array[...] = bias[index]
    return layer


def with_children(module: Module, children: dict[str, Module]) -> Module:
    """A copy of a module with other children."""
    replaced = {id(module._modules[name]): child for name, child in children.items()}
    return deepcopy(module, replaced)


def below(module: Module) -> list[str]:
    """The names of a module's children."""
    return [name for name, _ in module._own_modules()]


def at(path: str) -> str:
    return f" at {path}" if path else ""
