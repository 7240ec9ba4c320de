"""The base class of all optimizers: parameter groups with their options, and the state of each parameter."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import cached_property, set_by_init
from cygrad._typing import Array
from cygrad.autograd import enable_grad, engine, leaves, recording
from cygrad.autograd.hooks import RemovableHandle, add_hook
from cygrad.config import follows_torch
from cygrad.tensor import Tensor

__all__ = ["Group", "Optimizer", "Params", "ParamsT", "given", "required"]

Group = dict[str, Any]
Params = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Group]
ParamsT = Params  # as PyTorch names it
Loss = TypeVar("Loss")

# Options that must not be negative.
NOT_NEGATIVE = ("lr", "weight_decay", "eps", "momentum", "alpha", "lambd", "lr_decay", "initial_accumulator_value")

required: Any = object()  # a default that every group has to replace


def given(arguments: dict[str, Any]) -> Group:
    """The options among the local names of a constructor."""
    return {name: value for name, value in arguments.items() if name not in ("self", "params", "__class__")}


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """A subclass's own step, between the optimizer's hooks."""

    @wraps(step)
    def call(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if not self._hooks:
            return step(self, *args, **kwargs)
        args, kwargs = self._before_step((self, *args), kwargs)
        result = step(*args, **kwargs)
        self._after_step(args, kwargs)
        return result

    return call


class Optimizer:
    """Base class of the optimizers. As ``torch.optim.Optimizer``.

    ``foreach``, ``fused`` and ``capturable`` choose among PyTorch's implementations: here they are accepted and kept,
    and change nothing. ``differentiable`` must be False.

    Args:
        params: the parameters, pairs of name and parameter, or dicts of a list "params" and the options that differ
            from the defaults.
        defaults: options by name.

    Attributes:
        param_groups: one dict for each group of parameters: "params" and all options.
        state: tensors and step count of each parameter.

    Raises:
        TypeError: a parameter is not a tensor of float32 or float64.
        ValueError: there is no parameter, one is not a leaf or appears twice, or an option is out of its range.
    """

    # The options that numbers() takes from a group, in the kernel's order.
    _number_names: tuple[str, ...] = ()
    # All names that a parameter's state can have; None if a subclass does not say.
    _state_tensors: tuple[str, ...] | None = None

    if not TYPE_CHECKING:
        defaults = param_groups = state = set_by_init()

    def __init__(self, params: Params, defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        if isinstance(params, Tensor):
            raise TypeError(f"{self._name}: params must be an iterable of tensors or dicts, got a tensor")
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{self._name}: the list of parameters is empty")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = hooked(vars(cls)["step"])  # type: ignore[method-assign]

    @cached_property
    def _hooks(self) -> dict[int, tuple[str, Callable[..., Any]]]:
        """(kind, hook) by number. A subclass may set its groups and its state without calling ``__init__``."""
        return {}

    @property
    def _name(self) -> str:
        """Name of the class, for messages."""
        return type(self).__name__

    def _check_options(self, group: Group) -> None:
        """Raise ValueError if an option of a group is out of its range. Those of a class that is derived from this one
        alone mean what that class says."""
        if not any([base.__module__.startswith("cygrad.") for base in type(self).__mro__ if base is not Optimizer]):
            return
        if group.get("differentiable"):
            raise NotImplementedError(
                f"{self._name}: differentiable=True is not supported, a step is outside the graph"
            )
        if group.get("fused") and group.get("foreach"):
            raise RuntimeError(f"{self._name}: fused and foreach can't both be True")
        rate = group.get("lr")
        if isinstance(rate, Tensor):
            if rate.numel() != 1:
                raise ValueError(f"{self._name}: lr as a tensor must have one element, got shape {rate.shape}")
            if group.get("foreach") and not group.get("capturable", True):
                raise ValueError(f"{self._name}: lr as a tensor needs foreach=False or capturable=True")
        for option in NOT_NEGATIVE:
            value = group.get(option)
            if value is not None and not isinstance(value, tuple) and not value >= 0:
                raise ValueError(f"{self._name}: {option} must not be negative, got {value}")
        betas = group.get("betas", ())
        if any([isinstance(beta, Tensor) for beta in betas]):
            if not all([isinstance(beta, Tensor) for beta in betas]):
                raise ValueError(f"{self._name}: betas must be two floats or two tensors")
            if group.get("foreach") and not group.get("capturable", True):
                raise ValueError(f"{self._name}: betas as tensors need foreach=False or capturable=True")
        for beta in betas:
            if not 0 <= beta < 1:
                raise ValueError(f"{self._name}: betas must lie in [0, 1), got {group['betas']}")

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters.

        Args:
            param_group: "params", a tensor or an iterable of tensors, and options; those that are missing get the
                defaults.

        Raises:
            TypeError: a parameter is not a tensor of float32 or float64.
            ValueError: a parameter is not a leaf or is in a group already, or an option is out of its range.
        """
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(f"{self._name}: parameters must be ordered, got a set")
        members: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if any([isinstance(member, tuple) for member in members]):
            if not all([isinstance(member, tuple) for member in members]):
                raise ValueError(f"{self._name}: either all parameters of a group have names, or none")
            group["param_names"] = [name for name, _ in members]
            members = [p for _, p in members]
        if self.param_groups and ("param_names" in group) != ("param_names" in self.param_groups[0]):
            raise ValueError(f"{self._name}: either all groups of parameters have names, or none")
        group["params"] = members
        known = {id(p) for g in self.param_groups for p in g["params"]}
        before, repeated = frozenset(known), False
        for p in group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(f"{self._name}: a parameter must be a tensor, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(f"{self._name}: a parameter must be a leaf of the graph, got the result of {p.node!r}")
            if p.dtype not in (np.float32, np.float64) and (p.requires_grad or not follows_torch()):
                raise TypeError(f"{self._name}: a parameter's dtype must be float32 or float64, got {p.dtype}")
            if id(p) in known:
                message = f"{self._name}: a parameter of shape {p.shape} appears twice"
                if not follows_torch() or id(p) in before:
                    raise ValueError(message)
                warnings.warn(f"{message} in a group; a step updates it once", stacklevel=3)
                repeated = True
            known.add(id(p))
        if repeated:
            group["params"] = list({id(p): p for p in members}.values())
        for option, value in self.defaults.items():
            if value is required and option not in group:
                raise ValueError(f"{self._name}: a group of parameters has no {option}, which has no default")
            group.setdefault(option, value)
        self._check_options(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters.

        Args:
            set_to_none: whether to drop the gradients (default) or fill those that exist with zeros.
        """
        for group in self.param_groups:
            leaves.zero_gradients(group["params"], set_to_none)

    # What subclasses written for PyTorch ask for.

    OptimizerPreHook = OptimizerPostHook = Callable[..., Any]  # in annotations

    def _patch_step_function(self) -> None:
        """Name ``zero_grad`` for profilers; hooks of steps need no preparation."""
        self._zero_grad_profile_name = f"Optimizer.zero_grad#{self._name}.zero_grad"

    _hook_for_profile = _patch_step_function

    @staticmethod
    def profile_hook_step(func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step as it is: profilers see it without."""
        return func

    def _optimizer_step_code(self) -> None:
        """Do nothing: PyTorch's profilers stop here."""

    def _cuda_graph_capture_health_check(self) -> None:
        """Do nothing: no step is captured in a CUDA graph."""

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what ``__getstate__`` returned, or the state and the groups of a state dict. A subclass may add
        options that old states lack."""
        self.__dict__.update(state)
        self._patch_step_function()

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: function that computes the loss and its gradients, called before the update; default None.

        Returns:
            The closure's result, or None.
        """
        hooks = self._hooks and type(self).step is Optimizer.step  # a subclass's own step runs them itself
        args, kwargs = self._before_step((self, closure), {}) if hooks else ((), {})
        if hooks:
            closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        timer = engine.timer()
        if timer is not None:
            timer.begin(f"Optimizer.step#{self._name}.step")
        loss = None
        try:
            if closure is not None:
                with enable_grad():
                    loss = closure()
            for group in self.param_groups:
                ready = leaves.with_gradient(group["params"])
                if ready and type(self)._update is Optimizer._update:
                    self._update(group, ready)
                elif ready:
                    recording.call_again(self._update, group, ready)
        finally:
            if timer is not None:
                timer.end()
        if hooks:
            self._after_step(args, kwargs)
        return loss

    def _before_step(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Call the hooks before a step; the arguments that they return replace those of the step."""
        for hook in self._hooks_of("step_pre"):
            changed = recording.call_again(hook, self, args, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(f"{self._name}: a step_pre_hook must return None or (args, kwargs)")
                args, kwargs = changed
        return args, kwargs

    def _after_step(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for hook in self._hooks_of("step_post"):
            recording.call_again(hook, self, args, kwargs)

    def _hooks_of(self, kind: str) -> list[Callable[..., Any]]:
        return [hook for of_kind, hook in tuple(self._hooks.values()) if of_kind == kind]

    def _update(self, group: Group, params: list[Tensor]) -> None:
        """Update parameters that all have gradients: one launch for those of the same dtype and step count. Recorded
        steps call an override again, in Python."""
        names, recorder = self._state_names(group), recording.recorder()
        states = leaves.states_of(params, self.state)
        for number, name in leaves.missing(states, names):
            shape, dtype = params[number].shape, params[number].dtype
            states[number][name] = Tensor(kernels.pooled(np.full, shape, self._initial_state(group), dtype))
        for step, batch, batch_states in leaves.groups_of_steps(params, states):
            p, g = leaves.written_arrays(batch), leaves.gradients_of(batch)
            self._launch(group, step, p, g, *leaves.arrays_in(batch_states, names))
            leaves.set_steps(batch_states, step)  # once nothing can fail
            if recorder is not None:
                recorder.optimized(self, group, batch, batch_states, names)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        """Return the names of the state tensors of each parameter."""
        return ()

    def _initial_state(self, group: Group) -> float:
        """Return the initial value of the state tensors."""
        return 0.0

    def _numbers(self, group: Group) -> dict[str, float]:
        """Return the numbers of a group that the kernel takes, by the kernel's names and in its order."""
        return {name: group[name] for name in self._number_names}

    def _launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        """Update parameters p of one dtype by their gradients g in step number `step`; `states` are in the order of
        `_state_names`."""
        raise NotImplementedError(f"{self._name}: launch is not defined")

    # Each returns a handle whose ``remove()`` removes the hook.

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step; it may return other ``(args, kwargs)``."""
        return add_hook(self._hooks, ("step_pre", hook))

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step."""
        return add_hook(self._hooks, ("step_post", hook))

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict``."""
        return add_hook(self._hooks, ("state_pre", hook), prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after ``state_dict``; it may return another one."""
        return add_hook(self._hooks, ("state_post", hook), prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before ``load_state_dict``; it may return another state dict."""
        return add_hook(self._hooks, ("load_pre", hook), prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after ``load_state_dict``."""
        return add_hook(self._hooks, ("load_post", hook), prepend)

    # Saving

    def state_dict(self) -> dict[str, Any]:
        """Return options and state in PyTorch's layout, with an index for each parameter."""
        recording.reading("state_dict of an optimizer")
        for hook in self._hooks_of("state_pre"):
            hook(self)
        indices = {id(p): i for i, p in enumerate(p for g in self.param_groups for p in g["params"])}
        groups = [
            {**{k: v for k, v in g.items() if k != "params"}, "params": [indices[id(p)] for p in g["params"]]}
            for g in self.param_groups
        ]
        # A state may also belong to something that is not a parameter, under its own key.
        state = {indices.get(id(p), p) if isinstance(p, Tensor) else p: dict(s) for p, s in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._hooks_of("state_post"):
            result = hook(self, result) or result
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            ValueError: the state belongs to another kind of optimizer, or does not fit the parameters: groups, options,
                names, shapes, dtypes or step counts. Nothing is changed then.
        """
        from cygrad.optim.state import restored  # seldom needed

        recording.reading("load_state_dict of an optimizer")
        for hook in self._hooks_of("load_pre"):
            state_dict = hook(self, state_dict) or state_dict
        groups, state = restored(self, state_dict)
        for group, mine in zip(groups, self.param_groups):
            mine.update({k: v for k, v in group.items() if k != "params"})
        self.__setstate__({"state": defaultdict(dict, state), "param_groups": self.param_groups})
        for hook in self._hooks_of("load_post"):
            hook(self)

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for number, group in enumerate(self.param_groups):
            lines += [""] * (number > 0) + [f"Parameter Group {number}"]
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])
