"""The optimizer of an estimator, and its learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cygrad import optim
from cygrad.optim.optimizer import Optimizer
from cygrad.tensor import Tensor

if TYPE_CHECKING:
    from cygrad.sklearn.base import BaseMLP

__all__ = ["new_optimizer", "set_rate"]


def new_optimizer(options: BaseMLP, weights: list[Tensor], params: list[Tensor]) -> Optimizer:
    """SGD or Adam with a group of weights, to which the L2 penalty belongs, and one of all else."""
    others = [p for p in params if not any(p is weight for weight in weights)]
    groups = [{"params": weights}, {"params": others}]
    rate = options.learning_rate_init
    if options.solver == "sgd":
        nesterov = bool(options.nesterovs_momentum and options.momentum > 0)
        return optim.SGD(groups, lr=rate, momentum=options.momentum, nesterov=nesterov)
    return optim.Adam(groups, lr=rate, betas=(options.beta_1, options.beta_2), eps=options.epsilon)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Sets the learning rate. What moves on is velocity, as in scikit-learn: rate times momentum."""
    for group in optimizer.param_groups:
        ratio, group["lr"] = group["lr"] / rate, rate
    for state in optimizer.state.values():
        if "momentum_buffer" in state:
            state["momentum_buffer"].array[...] *= ratio
