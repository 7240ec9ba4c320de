"""The optimizer of an estimator, and its learning rate."""

from __future__ import annotations

from cygrad import optim
from cygrad.optim.optimizer import Optimizer
from cygrad.sklearn.settings import Settings
from cygrad.tensor import Tensor

__all__ = ["new_optimizer", "set_learning_rate"]


def new_optimizer(settings: Settings, weights: list[Tensor], params: list[Tensor]) -> Optimizer:
    """SGD or Adam with two groups: the weights, which take the L2 penalty, and all other parameters."""
    others = [p for p in params if not any(p is weight for weight in weights)]
    groups = [{"params": weights}, {"params": others}]
    rate = settings.learning_rate_init
    if settings.solver == "sgd":
        nesterov = bool(settings.nesterovs_momentum and settings.momentum > 0)
        return optim.SGD(groups, lr=rate, momentum=settings.momentum, nesterov=nesterov)
    return optim.Adam(groups, lr=rate, betas=(settings.beta_1, settings.beta_2), eps=settings.epsilon)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Sets the learning rate and keeps the velocity, lr·momentum_buffer, as scikit-learn does."""
    for group in optimizer.param_groups:
        ratio, group["lr"] = group["lr"] / rate, rate
    for state in optimizer.state.values():
        if "momentum_buffer" in state:
            state["momentum_buffer"].array[...] *= ratio
