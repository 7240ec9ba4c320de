"""One step of a training by batches: the gradient of a loss, and the update of the weights."""

from __future__ import annotations

from typing import Any

from cygrad import nn
from cygrad.autograd import leaves, recording
from cygrad.nn.utils import get_total_norm
from cygrad.optim.optimizer import Optimizer
from cygrad.sklearn.network import Loss
from cygrad.tensor import Tensor
from cygrad.train.clipping import CLIPS

__all__ = ["Step"]


class Step:
    """A step as a function of tensors and options, so that it can be recorded (``cg.compile``)."""

    def __init__(self, model: nn.Module, loss: Loss, optimizer: Optimizer, weights: list[Tensor]) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.weights = weights
        self.params: list[Tensor] = list(model.parameters())

    def __call__(
        self, x: Tensor, y: Tensor, weight: Tensor | None, penalised: bool, *update: Any
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """``gradient``, and behind it ``update``."""
        loss, size = self.gradient(x, y, weight, penalised)
        return loss, size, self.update(*update)

    def gradient(self, x: Tensor, y: Tensor, weight: Tensor | None, penalised: bool) -> tuple[Tensor, Tensor | None]:
        """The loss, whose gradient is then there, and ‖W‖ of all weights where they are penalised."""
        size = get_total_norm(self.weights) if penalised else None
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y, weight)
        loss.backward()
        return loss, size

    def update(self, clip: str | None, bound: float, decay: float, measured: bool) -> Tensor | None:
        """Clips the gradient, decays the weights and takes the optimizer's step. The norm of the gradient before, where
        it is to be measured."""
        norm = get_total_norm([p.grad for p in self.params if p.grad is not None]) if measured else None
        if clip is not None:
            CLIPS[clip](self.params, bound)
        if decay:
            recording.call_again(decayed, self.weights, self.optimizer, decay)
        self.optimizer.step()
        return norm


def decayed(weights: list[Tensor], optimizer: Optimizer, decay: float) -> None:
    """W ← W·(1 − lr·decay). I. Loshchilov, F. Hutter (2019), "Decoupled weight decay regularization"."""
    factor = 1 - optimizer.param_groups[0]["lr"] * decay
    leaves.note_writes(weights)
    for array in leaves.arrays_of(weights):
        array *= factor
