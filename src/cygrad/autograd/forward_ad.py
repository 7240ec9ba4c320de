"""Dual tensors: derivatives in one direction. As ``torch.autograd.forward_ad``.

A dual tensor x + ε·t stands for a tensor x and a direction t, and f(x + ε·t) = f(x) + ε·J·t. There is no second set of
rules for tangents: vᵀJ, which backward computes, is linear in v, and its derivative with respect to v in the direction
t is J·t. So a dual tensor is one that requires a gradient, and operations on it under ``no_grad`` have no tangent.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple

from cygrad.autograd.engine import Value
from cygrad.autograd.functional import grad
from cygrad.autograd.grad_mode import enable_grad, is_grad_enabled

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """What :func:`unpack_dual` returns."""

    primal: Any
    tangent: Any


class Level:
    """The dual tensors of a level: where each enters the graph, and its tangent."""

    def __init__(self) -> None:
        self.sources: list[Any] = []
        self.tangents: list[Any] = []

    def keeps_graph(self) -> bool:
        """Whether tangents are to be differentiated: a primal or a tangent requires a gradient."""
        return any(s.node is not None for s in self.sources) or any(t.requires_grad for t in self.tangents)


_levels: list[Level] = []  # none, or the one that is entered


def enter_dual_level() -> int:
    """Enter a level, in which dual tensors can be made, and return its number, 0.

    Raises:
        RuntimeError: a level has been entered already.
    """
    if _levels:
        raise RuntimeError("enter_dual_level: levels can't be nested")
    _levels.append(Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Leave the level: its dual tensors have no tangents any more.

    Args:
        level: its number, 0.

    Raises:
        RuntimeError: no level has been entered, or it has another number.
    """
    if not _levels or level not in (None, 0):
        raise RuntimeError(f"exit_dual_level: there is no level {0 if level is None else level} to leave")
    _levels.pop()


class dual_level:
    """A context in which dual tensors can be made.

    >>> fw = cg.autograd.forward_ad
    >>> with fw.dual_level():
    ...     x = fw.make_dual(cg.tensor([1.0, 2.0]), cg.tensor([1.0, 0.0]))
    ...     fw.unpack_dual(x**3).tangent
    tensor([3., 0.])
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        exit_dual_level()


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """Return the dual tensor of a tensor and a direction.

    Args:
        tensor: the primal, of floats.
        tangent: the direction, of the primal's shape and dtype.
        level: the level's number, 0.

    Returns:
        A copy of the primal, which requires a gradient.

    Raises:
        RuntimeError: no level has been entered, gradients are disabled, or shapes or dtypes differ.
        TypeError: primal or tangent is not a tensor.
    """
    for name, value in (("tensor", tensor), ("tangent", tangent)):
        if not isinstance(value, Value):
            raise TypeError(f"make_dual: {name} must be a tensor, got {type(value).__name__}")
    if not _levels:
        raise RuntimeError("make_dual: no level has been entered; call it inside of dual_level()")
    if not is_grad_enabled():
        raise RuntimeError("make_dual: tangents need the graph, which no_grad() disables")
    given, wanted = [(value.array.shape, value.array.dtype) for value in (tangent, tensor)]
    if given != wanted:
        raise RuntimeError(
            f"make_dual: the tangent has shape {given[0]} and dtype {given[1]}, the tensor {wanted[0]} and {wanted[1]}"
        )
    if wanted[1].kind != "f":
        raise RuntimeError(f"make_dual: expected a tensor of floats, got {wanted[1]}")
    source = tensor.clone() if tensor.requires_grad else tensor.detach().requires_grad_()
    _levels[-1].sources.append(source)
    _levels[-1].tangents.append(tangent)
    return source.clone()


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """Return a tensor's primal and its tangent, None where it does not depend on a dual tensor.

    Args:
        tensor: any tensor.
        level: the level's number, 0.

    Raises:
        TypeError: it is not a tensor.
    """
    if not isinstance(tensor, Value):
        raise TypeError(f"unpack_dual: expected a tensor, got {type(tensor).__name__}")
    value: Any = tensor
    if not _levels or not value.requires_grad or not _levels[-1].sources:
        return UnpackedDualTensor(value, None)
    keeps = _levels[-1].keeps_graph()
    return UnpackedDualTensor(value if keeps else value.detach(), tangent_of(value, _levels[-1], keeps))


def tangent_of(value: Any, level: Level, create_graph: bool) -> Any:
    """Σ Jᵢ·tᵢ over the dual tensors of a level; None if the value depends on none."""
    with enable_grad():
        v = value.detach().clone().requires_grad_()  # any point: vᵀJ is linear in v
        products = grad(value, level.sources, v, create_graph=True, allow_unused=True)
        pairs = [(p, t) for p, t in zip(products, level.tangents) if p is not None]
        if not pairs:
            return None
        depending = [(p, t) for p, t in pairs if p.requires_grad]
        if not depending:
            return value.new_zeros(value.array.shape)
        rows, tangents = zip(*depending)
        (tangent,) = grad(rows, v, tangents, create_graph=create_graph, materialize_grads=True)
    return tangent
