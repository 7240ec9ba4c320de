"""Hooks on several tensors at once, and what else PyTorch keeps in ``torch.autograd.graph``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from cygrad.autograd import engine
from cygrad.autograd.hooks import RemovableHandle

__all__ = ["GradientEdge", "get_gradient_edge", "increment_version", "register_multi_grad_hook", "save_on_cpu"]


class GradientEdge(NamedTuple):
    """Where a tensor's gradient arrives: a node, and the number of its output."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return where a tensor's gradient arrives.

    Raises:
        RuntimeError: it requires no gradient.
    """
    if not tensor.requires_grad:
        raise RuntimeError("get_gradient_edge: the tensor does not require a gradient")
    return GradientEdge(tensor.grad_fn, tensor.output_nr)


def increment_version(tensor: Any) -> None:
    """Count a change of a tensor's elements, or of those of several tensors, that was made behind the engine's back.

    Args:
        tensor: a tensor, or several.
    """
    for value in tensor if isinstance(tensor, (tuple, list)) else (tensor,):
        value.version.value += 1


@contextmanager
def save_on_cpu(pin_memory: bool = False, device_type: str = "cuda") -> Iterator[None]:
    """A context in which what backward needs is kept on the CPU, as it always is."""
    yield


class Hooks:
    """The gradients of several tensors in one pass, and the function that is called with them."""

    def __init__(self, function: Callable[..., object], first_only: bool, count: int) -> None:
        self.function, self.first_only, self.count = function, first_only, count
        self.arrived: dict[int, Any] = {}

    def arrive(self, number: int, gradient: Any) -> None:
        """Keep a gradient; the first one of a pass asks for its end."""
        begins = self.finish not in engine.at_end
        if begins:
            self.arrived.clear()  # of a pass that an error has ended
            engine.at_end.append(self.finish)
        self.arrived[number] = gradient
        if begins and self.first_only:
            self.function(gradient)

    def finish(self) -> None:
        """Call the function with the gradients of the pass that ends."""
        gradients = [self.arrived.get(number) for number in range(self.count)]
        self.arrived.clear()
        if not self.first_only:
            self.function(gradients)


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[..., object], *, mode: str = "all"
) -> RemovableHandle:
    """Call a function in each backward pass that computes gradients of some of several tensors.

    Args:
        tensors: tensors that require gradients.
        fn: with mode "all", a function of one argument, the list of their gradients, with None for tensors without one
            in this pass; it is called when all of them have been computed. With mode "any", a function of the first
            gradient that is computed.
        mode: "all" (default) or "any".

    Returns:
        A handle whose ``remove()`` removes the hook.

    Raises:
        ValueError: the mode is another one, or there are no tensors.

    >>> x, y = cg.ones(2, requires_grad=True), cg.ones(2, requires_grad=True)
    >>> handle = register_multi_grad_hook([x, y], lambda grads: print(grads))
    >>> (3 * x).sum().backward()
    [tensor([3., 3.]), None]
    """
    if mode not in ("all", "any") or not tensors:
        raise ValueError(f"register_multi_grad_hook: expected tensors, and mode all or any, got {mode!r}")
    hooks = Hooks(fn, mode == "any", len(tensors))
    handles = [tensor.register_hook(partial(hooks.arrive, number)) for number, tensor in enumerate(tensors)]
    handles[0].others += handles[1:]
    first: RemovableHandle = handles[0]
    return first
