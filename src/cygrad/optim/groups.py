"""Which parameters decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cygrad.nn.module import Module

__all__ = ["decay_groups"]


def decay_groups(module: Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups: weights, which decay, and biases and the weights of norms, which do not. A weight is a
    parameter of two or more dimensions.

    L2 adds ½λ‖W‖² to the loss, usually of the weights only: A. Krogh, J. Hertz (1991), "A simple weight decay can
    improve generalization".

    >>> model = cg.nn.Sequential(cg.nn.Linear(3, 2), cg.nn.BatchNorm1d(2))
    >>> optimizer = cg.optim.AdamW(cg.optim.decay_groups(model, 0.01))
    >>> [len(g["params"]) for g in optimizer.param_groups]
    [1, 3]
    """
    params = [p for p in module.parameters() if p.requires_grad]
    weights = [p for p in params if p.ndim >= 2]
    others = [p for p in params if p.ndim < 2]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
