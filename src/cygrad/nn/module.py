"""Module: parameters, buffers and sub-modules under one roof.

They live where every attribute of a Python object lives, in ``__dict__``, so that reading one costs what
any attribute costs. Parameters and modules are known by their type; buffers, which are tensors like any
other, by a small set of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar
from weakref import ref

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import leaves, recording
from cygrad.autograd.hooks import RemovableHandle, add_hook
from cygrad.device import check_device
from cygrad.nn.hooks import Hooks
from cygrad.nn.layer import Layer
from cygrad.nn.parameter import Parameter
from cygrad.tensor import Tensor

__all__ = ["IncompatibleKeys", "Module"]

Kind = TypeVar("Kind")
Self = TypeVar("Self", bound="Module")

# Modules that were asked for their parameters, by their ids, for a module may have an equality of its own: the module,
# how many changes of modules there were by then, and the answer.
_parameters: dict[int, tuple[ref[Module], int, list[Parameter]]] = {}


class IncompatibleKeys(NamedTuple):
    """What load_state_dict found on one side only."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module(Layer):
    """Base class of everything that has parameters. As ``torch.nn.Module``.

    A subclass assigns parameters and modules to attributes after ``super().__init__()``, and computes in
    ``forward``.

    >>> class Net(cg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = cg.nn.Linear(3, 2)
    ...     def forward(self, x):
    ...         return self.layer(x).relu()
    >>> [name for name, _ in Net().named_parameters()]
    ['layer.weight', 'layer.bias']
    """

    training: bool
    _buffer_names: dict[str, bool]  # of each buffer: whether state_dict holds it
    _hooks: Hooks | None = None

    def __init__(self) -> None:
        self.__dict__.update(training=True, _buffer_names={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass gives its own."""
        raise NotImplementedError(f"{type(self).__name__}: forward is not defined")

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Parameter, Module)):
            if "training" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__}: {name} was assigned before super().__init__() was called")
            self._buffer_names.pop(name, None)
        elif value is not None and name in self.__dict__:
            self._check_replacement(name, value)
        recording.note_change()
        object.__setattr__(self, name, value)

    def _check_replacement(self, name: str, value: Any) -> None:
        """Raises if a plain value would take the place of a parameter, a module or a buffer."""
        present = self.__dict__[name]
        if isinstance(present, Parameter):
            wanted = "a Parameter"
        elif isinstance(present, Module):
            wanted = "a Module"
        elif name in self.__dict__.get("_buffer_names", ()) and not isinstance(value, Tensor):
            wanted = "a Tensor"
        else:
            return
        raise TypeError(
            f"{type(self).__name__}: {name} can only be replaced by {wanted} or None, got {type(value).__name__}"
        )

    def __delattr__(self, name: str) -> None:
        recording.note_change()
        object.__delattr__(self, name)
        self._buffer_names.pop(name, None)

    def _check_name(self, op: str, name: str, allowed: type) -> None:
        """Raises if `name` can't be that of a new parameter, buffer or module."""
        if "training" not in self.__dict__:
            raise AttributeError(f"{op}: {type(self).__name__} called it before super().__init__()")
        if not isinstance(name, str):
            raise TypeError(f"{op}: the name must be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{op}: the name must not be empty nor hold a dot, got {name!r}")
        vacant = name in self._buffer_names or (name in self.__dict__ and self.__dict__[name] is None)
        if hasattr(self, name) and not vacant and not isinstance(self.__dict__.get(name), allowed):
            raise KeyError(f"{op}: {type(self).__name__} already has an attribute {name!r}")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name; None keeps the name's place."""
        self._check_name("register_parameter", name, Parameter)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name} must be a Parameter or None, got {type(param).__name__}")
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that belongs to the module's state but is not learned. With ``persistent=False``
        ``state_dict`` leaves it out."""
        self._check_name("register_buffer", name, Tensor)
        if tensor is not None and (not isinstance(tensor, Tensor) or isinstance(tensor, Parameter)):
            raise TypeError(f"register_buffer: {name} must be a Tensor or None, got {type(tensor).__name__}")
        if isinstance(self.__dict__.get(name), Parameter):
            raise KeyError(f"register_buffer: {type(self).__name__} already has a parameter {name!r}")
        setattr(self, name, tensor)
        self._buffer_names[name] = persistent

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a module under a name, which is then an attribute."""
        self._check_name("add_module", name, Module)
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: {name} must be a Module or None, got {type(module).__name__}")
        setattr(self, name, module)

    register_module = add_module

    # What it holds

    def _own(self, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
        """The attributes of one type, in the order of their assignment."""
        for name, value in self.__dict__.items():
            if isinstance(value, kind):
                yield name, value

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        for name in self._buffer_names:
            value = self.__dict__.get(name)
            if value is not None:
                yield name, value

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly under this one, with their names; one that stands twice comes once."""
        seen = set()
        for name, module in self._own(Module):
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly under this one."""
        for _, module in self.named_children():
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with their dotted names; a shared one comes once."""
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._own(Module):
            yield from module.named_modules(seen, join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters, with their dotted names; a shared one comes once, under its first name."""
        return self._named_members(lambda module: module._own(Parameter), prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers, with their dotted names; a shared one comes once."""
        return self._named_members(lambda module: module._own_buffers(), prefix, recurse, remove_duplicate)

    def _named_members(
        self,
        members: Callable[[Module], Iterator[tuple[str, Any]]],
        prefix: str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        for path, module in modules:
            for name, value in members(module):
                if id(value) not in seen:
                    if remove_duplicate:
                        seen.add(id(value))
                    yield join(path, name), value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, a shared one once."""
        if not recurse:
            return iter({id(value): value for _, value in self._own(Parameter)}.values())
        # Training loops ask in every step, and the answer is the same as long as no module has changed.
        changes, key = recording.changes(), id(self)
        present = _parameters.get(key)
        if present is None or present[0]() is not self or present[1] != changes:
            found: dict[int, Parameter] = {}
            self._collect_parameters(found, set())
            own = ref(self, partial(_parameters.pop, key))  # no Python runs in it, so that no Ctrl-C falls there
            present = _parameters[key] = own, changes, list(found.values())
        return iter(present[2])

    def _collect_parameters(self, found: dict[int, Parameter], visited: set[int]) -> None:
        """What named_parameters gives, without the names."""
        visited.add(id(self))
        children = []
        for value in self.__dict__.values():
            if isinstance(value, Parameter):
                found.setdefault(id(value), value)
            elif isinstance(value, Module):
                children.append(value)
        for child in children:
            if id(child) not in visited:
                child._collect_parameters(found, visited)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, a shared one once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; the empty name is this module's."""
        module = self
        for name in target.split(".") if target else ():
            child = module.__dict__.get(name)
            if not isinstance(child, Module):
                raise AttributeError(f"get_submodule: {type(module).__name__} has no module {name!r} (of {target!r})")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name."""
        path, _, name = target.rpartition(".")
        value = self.get_submodule(path).__dict__.get(name)
        if not isinstance(value, Parameter):
            raise AttributeError(f"get_parameter: {type(self).__name__} has no parameter {target!r}")
        return value

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name."""
        path, _, name = target.rpartition(".")
        for own, buffer in self.get_submodule(path)._own_buffers():
            if own == name:
                return buffer
        raise AttributeError(f"get_buffer: {type(self).__name__} has no buffer {target!r}")

    # State

    def state_dict(
        self, *, destination: dict[str, Tensor] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Every parameter and persistent buffer under its dotted name, in PyTorch's order. The tensors
        share the module's memory, detached from the graph; with ``keep_vars=True`` they are the
        parameters themselves.

        >>> list(cg.nn.Linear(3, 2).state_dict())
        ['weight', 'bias']
        """
        result: dict[str, Tensor] = {} if destination is None else destination
        for name, value in self._own_state():
            result[prefix + name] = value if keep_vars else detached(value)
        for name, module in self._own(Module):
            module.state_dict(destination=result, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return result

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._own(Parameter)
        for name, buffer in self._own_buffers():
            if self._buffer_names[name]:
                yield name, buffer

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copies the values of `state_dict` (tensors or arrays) into the parameters and buffers of the
        same names.

        With ``strict=True`` the names must be the same on both sides. A value that does not fit raises one
        sentence that names all of them, and then nothing is changed.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: state_dict must be a mapping, got {type(state_dict).__name__}")
        targets = self.state_dict(keep_vars=True)
        missing = [name for name in targets if name not in state_dict]
        unexpected = [name for name in state_dict if name not in targets]
        arrays = {name: array_of(state_dict[name]) for name in targets if name in state_dict}
        problems = [problem for name, array in arrays.items() for problem in misfit(name, targets[name], array)]
        if strict and unexpected:
            problems.insert(0, f"unexpected keys {', '.join(map(repr, unexpected))}")
        if strict and missing:
            problems.insert(0, f"missing keys {', '.join(map(repr, missing))}")
        if problems:
            raise RuntimeError(f"load_state_dict: {type(self).__name__} does not fit: {'; '.join(problems)}")
        for name, array in arrays.items():
            target = targets[name]
            np.copyto(target.array, array, casting="same_kind")
            target.version.value += 1
        return IncompatibleKeys(missing, unexpected)

    # Changes to the whole

    def train(self: Self, mode: bool = True) -> Self:
        """Puts this module and all below it in training mode (or out of it), in which dropout drops and batch
        norm uses the batch's own statistics."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Puts this module and all below it in evaluation mode."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Says of every parameter whether it is learned."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros where they exist."""
        leaves.zero_gradients(list(self.parameters()), set_to_none)

    def apply(self: Self, fn: Callable[[Module], None]) -> Self:
        """Calls `fn` on every module below, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def to(self: Self, *args: Any, device: Any = None, dtype: Any = None) -> Self:
        """Converts all parameters and buffers of floats to `dtype`, float32 or float64. The tensors stay the
        same objects. The device can only be the CPU."""
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.array.dtype
            elif isinstance(arg, str) or arg is None:
                device = arg
            else:
                dtype = arg
        check_device("to", device)
        if dtype is None:
            return self
        target = np.dtype(dtype)
        if target not in (np.float32, np.float64):
            raise TypeError(f"to: a module's dtype must be float32 or float64, got {target}")
        for module in self.modules():
            for tensor in [*dict(module._own(Parameter)).values(), *dict(module._own_buffers()).values()]:
                convert(tensor, target)
        return self

    def float(self: Self) -> Self:
        """Converts all parameters and buffers of floats to float32."""
        return self.to(dtype=np.float32)

    def double(self: Self) -> Self:
        """Converts all parameters and buffers of floats to float64."""
        return self.to(dtype=np.float64)

    # Hooks

    def _hooks_of_its_own(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls ``hook(module, args)`` before every forward; what it returns, unless None, replaces args.
        With ``with_kwargs=True`` it is ``hook(module, args, kwargs)`` and returns both."""
        return add_hook(self._hooks_of_its_own().before, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls ``hook(module, args, output)`` after every forward; what it returns, unless None,
        replaces the output. With ``with_kwargs=True`` it is ``hook(module, args, kwargs, output)``."""
        return add_hook(self._hooks_of_its_own().after, (hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls ``hook(module, grad_input, grad_output)`` when backward has gone through the module; what it
        returns, unless None, replaces the gradients of its inputs."""
        return add_hook(self._hooks_of_its_own().backward, hook, prepend)

    # Display

    def extra_repr(self) -> str:
        """What stands between the parentheses of repr, before the modules."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        children = [f"({name}): {indented(repr(module))}" for name, module in self._own(Module)]
        return layout(self._get_name(), extra, children)


def join(prefix: str, name: str) -> str:
    """prefix.name"""
    return f"{prefix}.{name}" if prefix else name


def indented(text: str) -> str:
    """The text with all lines but the first moved right by two."""
    return text.replace("\n", "\n  ")


def layout(name: str, extra: list[str], children: list[str]) -> str:
    """name(extra) on one line where there are no children, else one line each."""
    if not children and len(extra) <= 1:
        return f"{name}({''.join(extra)})"
    lines = "\n  ".join([*extra, *children])
    return f"{name}(\n  {lines}\n)"


def detached(value: Tensor) -> Tensor:
    """A tensor over the same memory that is in no graph."""
    result = Tensor(value.array)
    result.version = value.version
    result.seen_rewrites = value.version.rewrites
    return result


def array_of(value: Any) -> Array:
    """A tensor's array, or anything that NumPy can read as one."""
    return value.array if isinstance(value, Tensor) else np.asarray(value)


def misfit(name: str, target: Tensor, array: Array) -> Iterator[str]:
    """What keeps `array` from being copied into `target`."""
    if array.shape != target.array.shape:
        yield f"{name!r} has shape {array.shape}, wanted {target.array.shape}"
    elif not np.can_cast(array.dtype, target.array.dtype, casting="same_kind"):
        yield f"{name!r} is {array.dtype}, wanted {target.array.dtype}"
    elif not target.array.flags.writeable:
        yield f"{name!r} lies in read-only memory"


def convert(tensor: Tensor, dtype: np.dtype[Any]) -> None:
    """Gives a tensor of floats, and its gradient, another dtype, in new memory."""
    if tensor.array.dtype.kind != "f" or tensor.array.dtype == dtype:
        return
    fresh = Tensor(tensor.array.astype(dtype))
    tensor.array, tensor.version, tensor.seen_rewrites = fresh.array, fresh.version, 0
    if tensor.grad_value is not None:
        tensor.grad_value = Tensor(tensor.grad_value.array.astype(dtype))
