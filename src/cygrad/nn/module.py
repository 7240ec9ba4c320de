"""Module: the base class of everything that has parameters, buffers and submodules.

They are ordinary attributes in ``__dict__``, so reading one costs no more than reading any attribute. The dicts
``_parameters``, ``_buffers`` and ``_modules`` have their names (:mod:`cygrad.nn.members`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload
from weakref import ref

import numpy as np

from cygrad._attributes import set_by_init
from cygrad.autograd import leaves, recording
from cygrad.autograd.hooks import RemovableHandle, add_hook
from cygrad.device import check_device, is_device
from cygrad.dtypes import bfloat16
from cygrad.nn.display import indented, layout
from cygrad.nn.hooks import GLOBAL, HasForward, HookDict, Hooks
from cygrad.nn.layer import Layer
from cygrad.nn.members import MemberDict, Members, in_class
from cygrad.nn.parameter import Buffer, Parameter, Uninitialized
from cygrad.nn.state import IncompatibleKeys, Loading, load
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["IncompatibleKeys", "Module"]

Kind = TypeVar("Kind")
Member = TypeVar("Member", bound=Tensor)
P = ParamSpec("P")
R = TypeVar("R", covariant=True)
Self = TypeVar("Self", bound="Module")

# Of a forward or backward call, as hooks receive them.
Args = tuple[Any, ...]
Kwargs = dict[str, Any]
Gradients = tuple[Any, ...]

_IncompatibleKeys = IncompatibleKeys  # as PyTorch has it

# The parameters of modules that were asked for them: id of the module (a module may define its own equality) →
# (the module, the number of changes to modules at that time, its parameters).
_parameters: dict[int, tuple[ref[Module], int, list[Parameter]]] = {}


class Module(Layer):
    """Base class of all modules. As ``torch.nn.Module``.

    A subclass calls ``super().__init__()``, assigns parameters and submodules to attributes, and defines ``forward``.

    Attributes:
        training: True in training mode (default), False in evaluation mode.

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
    _non_persistent_buffers_set: set[str]  # names of the buffers that are not part of state_dict
    if not TYPE_CHECKING:
        training = _non_persistent_buffers_set = set_by_init()
    _parameters = MemberDict()
    _buffers = MemberDict()
    _modules = MemberDict()
    _hooks: Hooks | None = None
    _version = 1  # of the class, in the state dict's metadata

    def __init__(self) -> None:
        self.__dict__.update(
            training=True,
            _parameters=Members(self),
            _buffers=Members(self),
            _modules=Members(self),
            _non_persistent_buffers_set=set(),
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Every subclass defines its own."""
        raise NotImplementedError(f"{type(self).__name__}: forward is not defined")

    if TYPE_CHECKING:  # inherited; a call takes and returns what forward does

        def __call__(self: HasForward[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...

    # Attributes

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Where a class has a ``__getattr__``, give it one to call with ``super()``. Before, Module has none: Python
        reads attributes of a class that has one more slowly, 2 % of a small step."""
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "__getattr__"):
            Module.__getattr__ = missing_attribute  # type: ignore[attr-defined]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_modules" not in state:  # of a file from before there were these dicts
            buffers = self.__dict__.pop("_buffer_names", {})
            self.__dict__.update(
                _parameters=Members(self, {n: None for n, value in state.items() if isinstance(value, Parameter)}),
                _buffers=Members(self, dict.fromkeys(buffers)),
                _modules=Members(self, {n: None for n, value in state.items() if isinstance(value, Module)}),
                _non_persistent_buffers_set={name for name, persistent in buffers.items() if not persistent},
            )

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._check_begun(name)
            self._forget(name, self._buffers, self._modules)
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._check_begun(name)
            if name in self._parameters:
                self._check_replacement(name, self._parameters, value)
            self._forget(name, self._buffers)
            self._modules[name] = value
        elif isinstance(value, Buffer) and name not in self._buffers:
            self._forget(name, self._parameters, self._modules)
            self.register_buffer(name, value, value.persistent)
        else:
            members = self._members_with(name)
            if members is not None:
                self._check_replacement(name, members, value)
                members[name] = value
            else:
                recording.note_change()
                object.__setattr__(self, name, value)

    def _check_begun(self, name: str) -> None:
        """Raise AttributeError if ``super().__init__()`` has not been called."""
        if "training" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: {name} was assigned before super().__init__() was called")

    def _forget(self, name: str, *others: Members) -> None:
        """Let a name be free for a member of another kind."""
        for members in others:
            if name in members:
                del members[name]
        if name not in self._parameters and name not in self._modules:
            self.__dict__.pop(name, None)

    def _members_with(self, name: str) -> Members | None:
        """The parameters, buffers or submodules, whichever has the name."""
        attributes = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in attributes.get(kind, ()):
                members: Members = getattr(self, kind)
                return members
        return None

    def _check_replacement(self, name: str, members: Members, value: Any) -> None:
        """Raise TypeError if a plain value would replace a parameter, a submodule or a buffer."""
        if value is None or (members is self._buffers and isinstance(value, Tensor)):
            return
        kinds = (self._parameters, "a Parameter"), (self._modules, "a Module"), (self._buffers, "a Tensor")
        wanted = next(text for kind, text in kinds if kind is members)
        raise TypeError(
            f"{type(self).__name__}: {name} can only be replaced by {wanted} or None, got {type(value).__name__}"
        )

    def __delattr__(self, name: str) -> None:
        members = self._members_with(name)
        recording.note_change()
        if members is None:
            object.__delattr__(self, name)
        else:
            del members[name]
            self._non_persistent_buffers_set.discard(name)

    def _check_name(self, op: str, name: str, members: str) -> None:
        """Raise unless `name` can be the name of a new parameter, buffer or submodule."""
        if "training" not in self.__dict__:
            raise AttributeError(f"{op}: {type(self).__name__} called it before super().__init__()")
        if not isinstance(name, str):
            raise TypeError(f"{op}: the name must be a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{op}: the name must not be empty or contain a dot, got {name!r}")
        if name not in getattr(self, members) and (name in self.__dict__ or in_class(type(self), name)):
            raise KeyError(f"{op}: {type(self).__name__} already has an attribute {name!r}")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name.

        Args:
            name: name of the attribute.
            param: the parameter; None reserves the name.

        Raises:
            KeyError: the name is empty, contains a dot or belongs to another attribute.
            TypeError: param is not a Parameter.
        """
        self._check_name("register_parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name} must be a Parameter or None, got {type(param).__name__}")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer: a tensor that is part of the module's state but not a parameter.

        Args:
            name: name of the attribute.
            tensor: the buffer; None reserves the name.
            persistent: whether ``state_dict`` includes it, default True.

        Raises:
            KeyError: the name is empty, contains a dot or belongs to another attribute.
            TypeError: tensor is not a Tensor, or is a Parameter.
        """
        self._check_name("register_buffer", name, "_buffers")
        if tensor is not None and (not isinstance(tensor, Tensor) or isinstance(tensor, Parameter)):
            raise TypeError(f"register_buffer: {name} must be a Tensor or None, got {type(tensor).__name__}")
        self._buffers[name] = tensor
        self._non_persistent_buffers_set.discard(name)
        if not persistent:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under a name.

        Args:
            name: name of the attribute.
            module: the submodule; None reserves the name.

        Raises:
            KeyError: the name is empty, contains a dot or belongs to another attribute.
            TypeError: module is not a Module.
        """
        self._check_name("add_module", name, "_modules")
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: {name} must be a Module or None, got {type(module).__name__}")
        self._modules[name] = module

    register_module = add_module

    # Members

    def _check_initialized(self) -> None:
        """Raise RuntimeError if ``super().__init__()`` has not been called."""
        _ = self._modules

    def _own_modules(self) -> Iterator[tuple[str, Module]]:
        return ((name, module) for name, module in self._modules.items() if module is not None)

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, parameter) for name, parameter in self._parameters.items() if parameter is not None)

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, buffer) for name, buffer in self._buffers.items() if buffer is not None)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the direct submodules and their names. A submodule with two names appears once."""
        seen = set()
        for name, module in self._own_modules():
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Iterate over the direct submodules."""
        for _, module in self.named_children():
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Iterate over this module and all submodules, with their dotted names.

        Args:
            memo: modules to skip; those visited are added.
            prefix: name of this module, default "".
            remove_duplicate: whether a shared module appears only once, default True.
        """
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._own_modules():
            yield from module.named_modules(seen, join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all submodules."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Iterate over the parameters and their dotted names.

        Args:
            prefix: name of this module, default "".
            recurse: whether to include the submodules' parameters, default True.
            remove_duplicate: whether a shared parameter appears only once, under its first name, default True.
        """
        return self._named_members(lambda module: module._own_parameters(), prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Iterate over the buffers and their dotted names. The arguments are those of ``named_parameters``."""
        return self._named_members(lambda module: module._own_buffers(), prefix, recurse, remove_duplicate)

    def _named_members(
        self,
        members: Callable[[Module], Iterator[tuple[str, Member]]],
        prefix: str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Iterator[tuple[str, Member]]:
        seen = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        for path, module in modules:
            for name, value in members(module):
                if id(value) not in seen:
                    if remove_duplicate:
                        seen.add(id(value))
                    yield join(path, name), value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Iterate over the parameters. A shared one appears once.

        Args:
            recurse: whether to include the submodules' parameters, default True.
        """
        if not recurse:
            return iter({id(value): value for _, value in self._own_parameters()}.values())
        # Training loops ask in every step, and the answer stays the same until a module changes.
        changes, key = recording.changes(), id(self)
        known = _parameters.get(key)
        if known is None or known[0]() is not self or known[1] != changes:
            collected: dict[int, Parameter] = {}
            self._collect_parameters(collected, set())
            # The callback is C code: a KeyboardInterrupt can't be raised, and then swallowed, inside it.
            reference = ref(self, partial(_parameters.pop, key))
            known = _parameters[key] = reference, changes, list(collected.values())
        return iter(known[2])

    def _collect_parameters(self, collected: dict[int, Parameter], visited: set[int]) -> None:
        """Collect the parameters in the order of ``named_parameters``, without names."""
        self._check_initialized()
        visited.add(id(self))
        for _, parameter in self._own_parameters():
            collected.setdefault(id(parameter), parameter)
        for _, child in self._own_modules():
            if id(child) not in visited:
                child._collect_parameters(collected, visited)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Iterate over the buffers. A shared one appears once.

        Args:
            recurse: whether to include the submodules' buffers, default True.
        """
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """Return the submodule with a dotted name; the empty name is this module's.

        Raises:
            AttributeError: there is no such module.
        """
        module = self
        for name in target.split(".") if target else ():
            child = module._modules.get(name)
            if child is None:
                child = getattr(module, name, None)
            if not isinstance(child, Module):
                raise AttributeError(f"get_submodule: {type(module).__name__} has no module {name!r} (of {target!r})")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter with a dotted name.

        Raises:
            AttributeError: there is no such parameter.
        """
        path, _, name = target.rpartition(".")
        value = getattr(self.get_submodule(path), name, None)
        if not isinstance(value, Parameter):
            raise AttributeError(f"get_parameter: {type(self).__name__} has no parameter {target!r}")
        return value

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer with a dotted name.

        Raises:
            AttributeError: there is no such buffer.
        """
        path, _, name = target.rpartition(".")
        buffer = self.get_submodule(path)._buffers.get(name)
        if buffer is None:
            raise AttributeError(f"get_buffer: {type(self).__name__} has no buffer {target!r}")
        return buffer

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Replace the submodule with a dotted name, or add it unless strict.

        Raises:
            AttributeError: there is no module to which it belongs, or none to replace.
            ValueError: the name is empty.
        """
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError("set_submodule: the name must not be empty")
        owner = self.get_submodule(path)
        if strict and owner._modules.get(name) is None:
            raise AttributeError(f"set_submodule: {type(self).__name__} has no submodule {target!r}")
        setattr(owner, name, module)

    # State

    def get_extra_state(self) -> Any:
        """Return more state; a subclass that defines it also defines ``set_extra_state``."""
        raise RuntimeError(f"{type(self).__name__}: get_extra_state is not defined")

    def set_extra_state(self, state: Any) -> None:
        """Restore what ``get_extra_state`` returned."""
        raise RuntimeError(f"{type(self).__name__}: set_extra_state is not defined")

    def state_dict(
        self, *args: Any, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Return all parameters and persistent buffers by their dotted names, in PyTorch's order.

        Args:
            *args: the arguments below by position, as in old programs.
            destination: dict to add them to, default a new one, which also has the classes' versions in ``_metadata``.
            prefix: what their names begin with, default "".
            keep_vars: whether the values are the parameters themselves. By default they are detached tensors that share
                the parameters' memory.

        >>> list(cg.nn.Linear(3, 2).state_dict())
        ['weight', 'bias']
        """
        if args:
            destination, prefix, keep_vars = (*args, destination, prefix, keep_vars)[:3] if len(args) > 2 else (
                *args, *(destination, prefix, keep_vars)[len(args) :]
            )  # fmt: skip
        result: dict[str, Any] = OrderedDict() if destination is None else destination
        if destination is None:
            result._metadata = OrderedDict()  # type: ignore[attr-defined]
        metadata = {"version": self._version}
        if hasattr(result, "_metadata"):
            result._metadata[prefix[:-1]] = metadata
        hooks = self.__dict__.get("_hooks")
        for hook in hooks.all("state_pre") if hooks else ():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(result, prefix, keep_vars)
        for name, module in self._own_modules():
            module.state_dict(destination=result, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in hooks.all("state_post") if hooks else ():
            changed = hook(self, result, prefix, metadata)
            result = result if changed is None else changed
        return result

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Add the state of this module, without that of its submodules."""
        for name, value in self._member_state():
            destination[prefix + name] = value if keep_vars or isinstance(value, Uninitialized) else value.detach()
        if type(self).get_extra_state is not Module.get_extra_state:
            destination[f"{prefix}_extra_state"] = self.get_extra_state()

    def _member_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._own_parameters()
        for name, buffer in self._own_buffers():
            if name not in self._non_persistent_buffers_set:
                yield name, buffer

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the values of a state dict into the parameters and buffers of the same names.

        Args:
            state_dict: tensors or arrays by dotted name.
            strict: whether both sides must have the same names, default True.
            assign: whether the tensors of the state dict take the place of those of the module, default False.

        Returns:
            The names that only the module or only the state dict has.

        Raises:
            RuntimeError: names, shapes or dtypes do not match. The message lists all of them, and nothing is changed.
            TypeError: state_dict is not a mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: state_dict must be a mapping, got {type(state_dict).__name__}")
        named = [(f"{path}." if path else "", module) for path, module in self.named_modules(remove_duplicate=False)]
        extra = {f"{path}_extra_state": m for path, m in named if type(m).get_extra_state is not Module.get_extra_state}
        hooked = [(path, m, m.__dict__["_hooks"]) for path, m in named if m.__dict__.get("_hooks") is not None]
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []
        if hooked or extra:
            state_dict = OrderedDict(state_dict)
        for path, module, hooks in hooked:
            for hook, with_module in hooks.all("load_pre"):
                owner = (module,) if with_module else ()
                hook(*owner, state_dict, path, {}, strict, missing, unexpected, problems)
        found = {key: state_dict[key] for key in extra if key in state_dict}
        if found:
            state_dict = OrderedDict((key, value) for key, value in state_dict.items() if key not in found)
        own = [item for item in named if type(item[1])._load_from_state_dict is not Module._load_from_state_dict]
        targets = {path + name: value for path, m in named if (path, m) not in own for name, value in m._member_state()}
        if own:
            metadata = getattr(state_dict, "_metadata", None) or {}
            state_dict = Loading(state_dict)
            for path, module in own:
                local = metadata.get(path[:-1], {})
                module._load_from_state_dict(state_dict, path, local, strict, missing, unexpected, problems)
                state_dict.forget_others(path)
            targets.update(state_dict.targets)
        keys = load(type(self).__name__, targets, state_dict, strict, problems)
        if assign:
            self._assign(named, state_dict)
        for key, value in found.items():
            extra[key].set_extra_state(value)
        keys.missing_keys[:0] = [*missing, *[key for key in extra if key not in found]]
        keys.unexpected_keys[:0] = unexpected
        for _, module, hooks in hooked:
            for hook in hooks.all("load_post"):
                hook(module, keys)
        return keys

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load the tensors of this module, without those of its submodules. A class may override it to change the
        state dict, which is a copy, or to load in its own way.

        Args:
            state_dict: the state of all modules, by dotted names.
            prefix: what the names of this module's tensors begin with.
            local_metadata: such as the class's version when it was saved.
            strict: as in ``load_state_dict``.
            missing_keys, unexpected_keys, error_msgs: lists for what does not fit.
        """
        targets = {prefix + name: value for name, value in self._member_state()}
        if isinstance(state_dict, Loading):
            state_dict.targets.update(targets)  # loaded with all others, once everything fits
            state_dict.standard.add(prefix)
            return
        own = {key: value for key, value in state_dict.items() if key in targets}
        missing_keys.extend(load(type(self).__name__, targets, own, False, error_msgs).missing_keys)

    @staticmethod
    def _assign(named: list[tuple[str, Module]], state_dict: Mapping[str, Any]) -> None:
        """Put the tensors of a state dict in the place of the modules' own."""
        for path, module in named:
            for name, mine in list(module._member_state()):
                value = state_dict.get(path + name)
                if isinstance(value, Tensor):
                    is_parameter = isinstance(mine, Parameter)
                    setattr(module, name, Parameter(value, mine.requires_grad) if is_parameter else value)

    # Changes to the module and all submodules

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode: dropout drops, and batch norm uses the batch's own statistics.

        Args:
            mode: True for training mode (default), False for evaluation mode.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Set evaluation mode."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` on every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters.

        Args:
            set_to_none: whether to drop the gradients (default) or fill those that exist with zeros.
        """
        leaves.zero_gradients(list(self.parameters()), set_to_none)

    def apply(self: Self, fn: Callable[[Module], None]) -> Self:
        """Call ``fn(module)`` on every submodule, then on this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def to(
        self: Self,
        *args: Any,
        device: object = None,
        dtype: DTypeLike | None = None,
        non_blocking: bool = False,
        memory_format: object = None,
    ) -> Self:
        """Convert all floating-point parameters and buffers to another dtype. The tensors stay the same objects.

        Args:
            *args: a dtype, a device, or a tensor whose dtype is taken.
            device: only "cpu" (or None) exists.
            dtype: float32, float64 or float16, default None for no conversion.
            non_blocking, memory_format: accepted, without effect.

        Raises:
            TypeError: the dtype is none of floats.
            ValueError: the device is not the CPU.
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.array.dtype
            elif is_device(arg):
                device = arg
            elif arg is not None and not isinstance(arg, bool):
                dtype = arg
        check_device("to", device)
        if dtype is None:
            return self
        target = np.dtype(dtype)
        if target not in (np.float32, np.float64, np.float16):
            raise TypeError(f"to: a module's dtype must be float32, float64 or float16, got {target}")
        for module in self.modules():
            for tensor in [*dict(module._own_parameters()).values(), *dict(module._own_buffers()).values()]:
                convert(tensor, target)
        return self

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the memory of all parameters and buffers by that of ``fn(tensor)``."""
        for module in self.modules() if recurse else [self]:
            for tensor in [*dict(module._own_parameters()).values(), *dict(module._own_buffers()).values()]:
                fresh = fn(tensor.detach())
                tensor.array = fresh.array
                tensor._share_version(fresh)
        return self

    def to_empty(self: Self, *, device: object, recurse: bool = True) -> Self:
        """Return the module, whose values may be any afterwards: it is on the only device already.

        Args:
            device: only "cpu" (or None) exists.
            recurse: not used.
        """
        check_device("to_empty", device)
        return self

    def type(self: Self, dst_type: Any) -> Self:
        """Convert all floating-point parameters and buffers to a dtype."""
        return self.to(dtype=dst_type)

    def share_memory(self: Self) -> Self:
        """Return the module: threads share its memory, and processes of its own cygrad does not start."""
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted as in PyTorch, without effect: ``cg.compile`` records whole training steps."""

    def float(self: Self) -> Self:
        """Convert all floating-point parameters and buffers to float32."""
        return self.to(dtype=np.float32)

    def double(self: Self) -> Self:
        """Convert all floating-point parameters and buffers to float64."""
        return self.to(dtype=np.float64)

    def half(self: Self) -> Self:
        """Convert all floating-point parameters and buffers to float16, in which they are stored, not computed."""
        return self.to(dtype=np.float16)

    def bfloat16(self: Self) -> Self:
        """Raise TypeError: NumPy has no such dtype. Under :mod:`cygrad.torch`, ``float`` with a warning."""
        return self.to(dtype=np.dtype(bfloat16))

    def cpu(self: Self) -> Self:
        """Return the module itself."""
        return self

    def cuda(self: Self, device: object = None) -> Self:
        """Raise ValueError: cygrad computes on the CPU only."""
        return self.to(device="cuda")

    # Hooks

    _forward_pre_hooks = HookDict("before")
    _forward_hooks = HookDict("after")
    _backward_pre_hooks = HookDict("backward_pre")
    _backward_hooks = HookDict("backward")
    _state_dict_pre_hooks = HookDict("state_pre")
    _state_dict_hooks = HookDict("state_post")

    def _get_hooks(self) -> Hooks:
        self._check_initialized()
        hooks = self.__dict__.get("_hooks")
        if hooks is None:
            self._hooks = hooks = Hooks()
        return hooks

    @overload
    def register_forward_pre_hook(
        self: Self, hook: Callable[[Self, Args], Any], *, prepend: bool = False, with_kwargs: Literal[False] = False
    ) -> RemovableHandle: ...
    @overload
    def register_forward_pre_hook(
        self: Self, hook: Callable[[Self, Args, Kwargs], Any], *, prepend: bool = False, with_kwargs: Literal[True]
    ) -> RemovableHandle: ...
    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before every forward.

        Args:
            hook: may return new arguments, or None to keep them.
            prepend: whether it runs before the hooks already registered, default False.
            with_kwargs: whether it is called as ``hook(module, args, kwargs)`` and returns both, default False.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        return self._get_hooks().add("before", hook, prepend, with_kwargs)

    @overload
    def register_forward_hook(
        self: Self,
        hook: Callable[[Self, Args, Any], Any],
        *,
        prepend: bool = False,
        with_kwargs: Literal[False] = False,
    ) -> RemovableHandle: ...
    @overload
    def register_forward_hook(
        self: Self, hook: Callable[[Self, Args, Kwargs, Any], Any], *, prepend: bool = False, with_kwargs: Literal[True]
    ) -> RemovableHandle: ...
    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after every forward.

        Args:
            hook: may return a new output, or None to keep it.
            prepend: whether it runs before the hooks already registered, default False.
            with_kwargs: whether it is called as ``hook(module, args, kwargs, output)``, default False.
            always_call: whether it is called, with the output None, if forward raises, default False.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        hooks = self._get_hooks()
        handle = hooks.add("after", hook, prepend, with_kwargs)
        if always_call:
            handle.others.append(hooks.add("after_errors", hook, prepend, with_kwargs))
        return handle

    def register_full_backward_hook(
        self: Self, hook: Callable[[Self, Gradients, Gradients], Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` once the gradients of the module's inputs are computed.

        Args:
            hook: may return new gradients of the inputs, or None to keep them.
            prepend: whether it runs before the hooks already registered, default False.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        return add_hook(self._get_hooks().backward, hook, prepend)

    register_backward_hook = register_full_backward_hook

    # Each of the following returns a handle whose ``remove()`` removes the hook.

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward; it may return new gradients."""
        return add_hook(self._get_hooks().backward_pre, hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict``."""
        return add_hook(self._get_hooks().state_pre, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, metadata)`` after ``state_dict``."""
        return add_hook(self._get_hooks().state_post, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys, error_msgs)`` before
        ``load_state_dict`` of this module or of one that contains it; it may change the state dict, which is a copy."""
        return add_hook(self._get_hooks().load_pre, (hook, True))

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        return add_hook(self._get_hooks().load_pre, (hook, with_module))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after ``load_state_dict``; it may change the lists of keys."""
        return add_hook(self._get_hooks().load_post, hook)

    # Display

    def extra_repr(self) -> str:
        """Return what ``repr`` shows in parentheses, before the submodules."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        children = [f"({name}): {indented(repr(module))}" for name, module in self._own_modules()]
        return layout(self._get_name(), extra, children)

    def _repr_html_(self) -> str:
        """The modules with their options and the number of their parameters, as a notebook shows them."""
        from cygrad.charts.tables import html_table

        rows = [
            [f"{'· ' * name.count('.')}{name}", f"{module._get_name()}({module.extra_repr()})", f"{own_size(module):,}"]
            for name, module in self.named_modules()
        ]
        rows[0] = [self._get_name(), self.extra_repr(), rows[0][2]]
        total = sum([own_size(module) for _, module in self.named_modules()])
        return html_table(["", "module", "parameters"], rows, f"{total:,} parameters")


def own_size(module: Module) -> int:
    """The number of a module's parameters, without those of its children."""
    own = module.parameters(recurse=False)
    return sum(p.array.size for p in own if not isinstance(p, Uninitialized))


def of_all_modules(kind: str, hook: Any, with_kwargs: bool = False) -> RemovableHandle:
    """Add a hook that runs for every module, before the module's own."""
    Module._hooks = GLOBAL  # what a module without hooks of its own finds
    return GLOBAL.add(kind, hook, False, with_kwargs)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """``register_forward_pre_hook`` of all modules."""
    return of_all_modules("before", hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """``register_forward_hook`` of all modules."""
    handle = of_all_modules("after", hook, with_kwargs)
    if always_call:
        handle.others.append(of_all_modules("after_errors", hook, with_kwargs))
    return handle


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """``register_full_backward_pre_hook`` of all modules."""
    return of_all_modules("backward_pre", hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """``register_full_backward_hook`` of all modules."""
    return of_all_modules("backward", hook)


def missing_attribute(module: Module, name: str) -> Any:
    """An attribute, for a module's own ``__getattr__``, or the error of a missing one."""
    return object.__getattribute__(module, name)


def join(prefix: str, name: str) -> str:
    """prefix.name"""
    return f"{prefix}.{name}" if prefix else name


def convert(tensor: Tensor, dtype: np.dtype[Any]) -> None:
    """Move a floating-point tensor, and its gradient, to new memory of another dtype."""
    if tensor.array.dtype.kind != "f" or tensor.array.dtype == dtype:
        return
    fresh = Tensor(tensor.array.astype(dtype))
    tensor.array = fresh.array
    tensor._share_version(fresh)
    if tensor.grad_value is not None:
        tensor.grad_value = Tensor(tensor.grad_value.array.astype(dtype))
