"""Parameter groups for weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad._arguments import checked
from cygrad.optim.optimizer import Group

if TYPE_CHECKING:
    from cygrad.nn.module import Module

__all__ = ["decay_groups"]


@checked
def decay_groups(module: Module, weight_decay: float) -> list[Group]:
    """Split a module's parameters into two groups: weights, which decay, and biases and norm weights, which do not. A
    weight is a parameter with at least two dimensions.

    L2 regularization adds ½λ‖W‖² to the loss, usually for the weights only: A. Krogh, J. Hertz (1991), "A simple weight
    decay can improve generalization".

    Args:
        module: the module. Parameters with ``requires_grad=False`` are left out.
        weight_decay: λ, the weight decay of the first group.

    Returns:
        The groups that have parameters, for an optimizer's ``params``.

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
