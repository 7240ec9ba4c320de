"""What all optimizers share: groups of parameters with options of their own, and the state of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import enable_grad, leaves, recording
from cygrad.autograd.hooks import RemovableHandle, add_hook
from cygrad.tensor import Tensor

__all__ = ["Optimizer"]

Group = dict[str, Any]


class Optimizer:
    """Base class of the optimizers. As ``torch.optim.Optimizer``.

    ``params`` is an iterable of tensors, or of dicts that each have a list "params" and options that differ from the
    defaults. ``param_groups`` lists the groups; ``state`` holds what is remembered of each parameter.
    """

    # Options that numbers() takes from a group, in the kernel's order.
    number_names: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Any], defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._hooks: dict[int, Callable[..., Any]] = {}
        if isinstance(params, Tensor):
            raise TypeError(f"{self.name}: params must be an iterable of tensors or dicts, got a tensor")
        groups = list(params)
        if not groups:
            raise ValueError(f"{self.name}: the list of parameters is empty")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    @property
    def name(self) -> str:
        """The name of the class, for messages."""
        return type(self).__name__

    def check_options(self, group: Group) -> None:
        """Raises ValueError unless the options of a group make sense."""
        for option in (
            "lr",
            "weight_decay",
            "eps",
            "momentum",
            "dampening",
            "alpha",
            "lr_decay",
            "initial_accumulator_value",
        ):
            value = group.get(option)
            if value is not None and not (value >= 0 or option == "dampening"):
                raise ValueError(f"{self.name}: {option} must not be negative, got {value}")
        for beta in group.get("betas", ()):
            if not 0 <= beta < 1:
                raise ValueError(f"{self.name}: betas must lie in [0, 1), got {group['betas']}")

    def add_param_group(self, param_group: Group) -> None:
        """Adds parameters with options of their own; those that are missing are the defaults.

        Raises TypeError for what is no tensor, ValueError for one that is no leaf or is in a group already.
        """
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(f"{self.name}: parameters must have an order, got a set")
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        present = {id(p) for g in self.param_groups for p in g["params"]}
        for p in group["params"]:
            if isinstance(p, tuple):
                raise TypeError(f"{self.name}: parameters must be tensors; pass parameters(), not named_parameters()")
            if not isinstance(p, Tensor):
                raise TypeError(f"{self.name}: a parameter must be a tensor, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(f"{self.name}: a parameter must be a leaf, but {p.node!r} made one")
            if p.dtype not in (np.float32, np.float64):
                raise TypeError(f"{self.name}: a parameter must hold float32 or float64, got {p.dtype}")
            if id(p) in present:
                raise ValueError(f"{self.name}: a parameter of shape {p.shape} appears twice")
            present.add(id(p))
        for option, value in self.defaults.items():
            group.setdefault(option, value)
        self.check_options(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients, or sets them to zero."""
        for group in self.param_groups:
            leaves.zero_gradients(group["params"], set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step: every parameter that has a gradient moves. A closure computes the loss anew, which is returned."""
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
        """Moves the parameters, all of which have gradients: one launch for those of one dtype and one step count. An
        optimizer that has its own is called again by recorded steps, in Python."""
        names, recorder = self.state_names(group), recording.recorder()
        states = leaves.states_of(params, self.state)
        for number, name in leaves.missing(states, names):
            shape, dtype = params[number].shape, params[number].dtype
            states[number][name] = Tensor(kernels.pooled(np.full, shape, self.first_state(group), dtype))
        for step, batch, own in leaves.count_steps(params, states):
            p, g = leaves.written_arrays(batch), leaves.gradients_of(batch)
            self.launch(group, step, p, g, *leaves.arrays_in(own, names))
            if recorder is not None:
                recorder.optimized(self, group, batch, own, names)

    def state_names(self, group: Group) -> tuple[str, ...]:
        """The names of the tensors that are remembered of each parameter."""
        return ()

    def first_state(self, group: Group) -> float:
        """What these tensors begin with."""
        return 0.0

    def numbers(self, group: Group) -> dict[str, float]:
        """The numbers of a group that the kernel takes, by the names it has for them and in its order."""
        return {name: group[name] for name in self.number_names}

    def launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        """Moves parameters p of one dtype by their gradients g in step number `step`; `states` are what `state_names`
        names."""
        raise NotImplementedError(f"{self.name}: launch is not defined")

    def register_step_post_hook(self, hook: Callable[[Optimizer], None]) -> RemovableHandle:
        """Calls hook(optimizer) after every step."""
        return add_hook(self._hooks, hook)

    # Saving

    def state_dict(self) -> dict[str, Any]:
        """Options and state, with a number for each parameter: plain data, as PyTorch's."""
        numbers = {id(p): i for i, p in enumerate(p for g in self.param_groups for p in g["params"])}
        groups = [
            {**{k: v for k, v in g.items() if k != "params"}, "params": [numbers[id(p)] for p in g["params"]]}
            for g in self.param_groups
        ]
        return {"state": {numbers[id(p)]: dict(s) for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what state_dict gave. Raises ValueError, and changes nothing, where groups or shapes differ."""
        groups, saved = state_dict["param_groups"], state_dict["state"]
        if [len(g["params"]) for g in groups] != [len(g["params"]) for g in self.param_groups]:
            raise ValueError(f"{self.name}: load_state_dict: the parameter groups differ in number or size")
        params = {
            number: p for g, own in zip(groups, self.param_groups) for number, p in zip(g["params"], own["params"])
        }
        state = {params[int(number)]: self.adopted(params[int(number)], entry) for number, entry in saved.items()}
        for group, own in zip(groups, self.param_groups):
            self.check_options(group)
            own.update({k: v for k, v in group.items() if k != "params"})
        self.state = state

    def adopted(self, p: Tensor, entry: dict[str, Any]) -> dict[str, Any]:
        """A copy of a parameter's saved state, its tensors in the parameter's dtype and shape."""
        result: dict[str, Any] = {}
        for key, value in entry.items():
            if key == "step":
                result[key] = int(getattr(value, "item", lambda value=value: value)())
            elif value is not None:
                contiguous = np.asarray(getattr(value, "array", value), order="C")
                array: Array = kernels.pooled(np.array, contiguous, p.array.dtype)
                if array.shape != p.array.shape:
                    raise ValueError(
                        f"{self.name}: load_state_dict: {key} has shape {array.shape}, but its parameter has {p.shape}"
                    )
                result[key] = Tensor(array)
        result.setdefault("step", len(result) and 1)  # PyTorch's SGD counts none: what has a momentum has moved
        return result

    def __repr__(self) -> str:
        lines = [f"{self.name} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])
