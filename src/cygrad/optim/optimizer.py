"""The base class of all optimizers: parameter groups with their options, and the state of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import set_by_init
from cygrad._typing import Array
from cygrad.autograd import enable_grad, leaves, recording
from cygrad.autograd.hooks import RemovableHandle, add_hook
from cygrad.tensor import Tensor

__all__ = ["Group", "Optimizer", "Params"]

Group = dict[str, Any]
Params = Iterable[Tensor] | Iterable[Group]
Loss = TypeVar("Loss")

# Options that must not be negative.
NOT_NEGATIVE = ("lr", "weight_decay", "eps", "momentum", "alpha", "lr_decay", "initial_accumulator_value")


class Optimizer:
    """Base class of the optimizers. As ``torch.optim.Optimizer``.

    Args:
        params: the parameters, or dicts of a list "params" and the options that differ from the defaults.
        defaults: options by name.

    Attributes:
        param_groups: one dict for each group of parameters: "params" and all options.
        state: tensors and step count of each parameter.

    Raises:
        TypeError: a parameter is not a tensor of float32 or float64.
        ValueError: there is no parameter, one is not a leaf or appears twice, or an option is out of its range.
    """

    # The options that numbers() takes from a group, in the kernel's order.
    number_names: tuple[str, ...] = ()
    # All names that a parameter's state can have; None if a subclass does not say.
    state_tensors: tuple[str, ...] | None = None

    if not TYPE_CHECKING:
        defaults = param_groups = state = _hooks = set_by_init()

    def __init__(self, params: Params, defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._hooks: dict[int, Callable[..., Any]] = {}
        if isinstance(params, Tensor):
            raise TypeError(f"{self.name}: params must be an iterable of tensors or dicts, got a tensor")
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{self.name}: the list of parameters is empty")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    @property
    def name(self) -> str:
        """Name of the class, for messages."""
        return type(self).__name__

    def check_options(self, group: Group) -> None:
        """Raise ValueError if an option of a group is out of its range."""
        for option in NOT_NEGATIVE:
            value = group.get(option)
            if value is not None and not value >= 0:
                raise ValueError(f"{self.name}: {option} must not be negative, got {value}")
        for beta in group.get("betas", ()):
            if not 0 <= beta < 1:
                raise ValueError(f"{self.name}: betas must lie in [0, 1), got {group['betas']}")

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
            raise TypeError(f"{self.name}: parameters must be ordered, got a set")
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in group["params"]:
            if isinstance(p, tuple):
                raise TypeError(f"{self.name}: parameters must be tensors; pass parameters(), not named_parameters()")
            if not isinstance(p, Tensor):
                raise TypeError(f"{self.name}: a parameter must be a tensor, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(f"{self.name}: a parameter must be a leaf of the graph, got the result of {p.node!r}")
            if p.dtype not in (np.float32, np.float64):
                raise TypeError(f"{self.name}: a parameter's dtype must be float32 or float64, got {p.dtype}")
            if id(p) in known:
                raise ValueError(f"{self.name}: a parameter of shape {p.shape} appears twice")
            known.add(id(p))
        for option, value in self.defaults.items():
            group.setdefault(option, value)
        self.check_options(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters.

        Args:
            set_to_none: whether to drop the gradients (default) or fill those that exist with zeros.
        """
        for group in self.param_groups:
            leaves.zero_gradients(group["params"], set_to_none)

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
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            ready = leaves.with_gradient(group["params"])
            if ready and type(self).update is Optimizer.update:
                self.update(group, ready)
            elif ready:
                recording.call_again(self.update, group, ready)
        if self._hooks:
            for hook in tuple(self._hooks.values()):
                recording.call_again(hook, self)
        return loss

    def update(self, group: Group, params: list[Tensor]) -> None:
        """Update parameters that all have gradients: one launch for those of the same dtype and step count. Recorded
        steps call an override again, in Python."""
        names, recorder = self.state_names(group), recording.recorder()
        states = leaves.states_of(params, self.state)
        for number, name in leaves.missing(states, names):
            shape, dtype = params[number].shape, params[number].dtype
            states[number][name] = Tensor(kernels.pooled(np.full, shape, self.initial_state(group), dtype))
        for step, batch, batch_states in leaves.groups_of_steps(params, states):
            p, g = leaves.written_arrays(batch), leaves.gradients_of(batch)
            self.launch(group, step, p, g, *leaves.arrays_in(batch_states, names))
            leaves.set_steps(batch_states, step)  # once nothing can fail
            if recorder is not None:
                recorder.optimized(self, group, batch, batch_states, names)

    def state_names(self, group: Group) -> tuple[str, ...]:
        """Return the names of the state tensors of each parameter."""
        return ()

    def initial_state(self, group: Group) -> float:
        """Return the initial value of the state tensors."""
        return 0.0

    def numbers(self, group: Group) -> dict[str, float]:
        """Return the numbers of a group that the kernel takes, by the kernel's names and in its order."""
        return {name: group[name] for name in self.number_names}

    def launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        """Update parameters p of one dtype by their gradients g in step number `step`; `states` are in the order of
        `state_names`."""
        raise NotImplementedError(f"{self.name}: launch is not defined")

    def register_step_post_hook(self, hook: Callable[[Optimizer], None]) -> RemovableHandle:
        """Call ``hook(optimizer)`` after every step.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        return add_hook(self._hooks, hook)

    # Saving

    def state_dict(self) -> dict[str, Any]:
        """Return options and state in PyTorch's layout, with an index for each parameter."""
        recording.reading("state_dict of an optimizer")
        indices = {id(p): i for i, p in enumerate(p for g in self.param_groups for p in g["params"])}
        groups = [
            {**{k: v for k, v in g.items() if k != "params"}, "params": [indices[id(p)] for p in g["params"]]}
            for g in self.param_groups
        ]
        return {"state": {indices[id(p)]: dict(s) for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            ValueError: the state belongs to another kind of optimizer, or does not fit the parameters: groups, options,
                names, shapes, dtypes or step counts. Nothing is changed then.
        """
        from cygrad.optim.state import restored  # seldom needed

        recording.reading("load_state_dict of an optimizer")
        groups, state = restored(self, state_dict)
        for group, mine in zip(groups, self.param_groups):
            mine.update({k: v for k, v in group.items() if k != "params"})
        self.state = state

    def __repr__(self) -> str:
        lines = [f"{self.name} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])
