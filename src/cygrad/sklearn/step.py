"""One update of a perceptron's weights by a batch: the gradient of the loss, and the optimizer's step."""

from __future__ import annotations

from typing import Any

from cygrad import nn
from cygrad.autograd import leaves, recording
from cygrad.nn.utils import get_total_norm
from cygrad.optim.optimizer import Optimizer
from cygrad.sklearn.network import Loss
from cygrad.tensor import Tensor
from cygrad.train.clipping import CLIPS

__all__ = ["MLPStep"]


class MLPStep:
    """An update as a function of tensors and options, so that ``cg.compile`` can record it."""

    def __init__(self, model: nn.Module, loss: Loss, optimizer: Optimizer, weights: list[Tensor]) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.weights = weights
        self.params: list[Tensor] = list(model.parameters())

    def __call__(
        self, x: Tensor, y: Tensor, weight: Tensor | None, penalized: bool, *update: Any
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """``gradient``, then ``update``."""
        loss, size = self.gradient(x, y, weight, penalized)
        return loss, size, self.update(*update)

    def gradient(self, x: Tensor, y: Tensor, weight: Tensor | None, penalized: bool) -> tuple[Tensor, Tensor | None]:
        """Computes the gradients. Returns the loss, and ‖W‖ of all weights if they are penalized."""
        size = get_total_norm(self.weights) if penalized else None
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y, weight)
        loss.backward()
        return loss, size

    def update(self, clip: str | None, bound: float, decay: float, measured: bool) -> Tensor | None:
        """Clips the gradient, decays the weights and runs the optimizer. Returns the norm of the gradient before
        clipping if `measured`."""
        norm = get_total_norm([p.grad for p in self.params if p.grad is not None]) if measured else None
        if clip is not None:
            CLIPS[clip](self.params, bound)
        if decay:
            recording.call_again(decay_weights, self.weights, self.optimizer, decay)
        self.optimizer.step()
        return norm


def decay_weights(weights: list[Tensor], optimizer: Optimizer, decay: float) -> None:
    """W ← W·(1 − lr·decay). I. Loshchilov, F. Hutter (2019), "Decoupled weight decay regularization"."""
    factor = 1 - optimizer.param_groups[0]["lr"] * decay
    leaves.note_writes(weights)
    for array in leaves.arrays_of(weights):
        array *= factor
