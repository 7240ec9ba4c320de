"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cygrad import _kernels as kernels
from cygrad.optim.optimizer import Group, Optimizer, arrays, gradients, state_arrays
from cygrad.tensor import Tensor

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """s ← α·s + (1 − α)·d², d = ∇ + weight_decay·p; p ← p − lr·d/(√s + eps). ``centered`` takes s less the square of
    the mean gradient; with momentum b ← momentum·b + d/(√s + eps), p ← p − lr·b. As ``torch.optim.RMSprop``.
    T. Tieleman, G. Hinton (2012), lecture 6e of "Neural networks for machine learning"."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
                "centered": centered, "maximize": maximize,
            },
        )  # fmt: skip

    def update(self, group: Group, params: list[Tensor]) -> None:
        centered, momentum = group["centered"], group["momentum"]
        names = ["square_avg", *(["grad_avg"] if centered else []), *(["momentum_buffer"] if momentum else [])]
        states = self.states(params, tuple(names))
        for _, batch, own in self.batches(params, states):
            kernels.rmsprop(
                arrays(batch), gradients(batch), state_arrays(own, "square_avg"),
                state_arrays(own, "grad_avg") if centered else None,
                state_arrays(own, "momentum_buffer") if momentum else None,
                group["lr"], group["alpha"], group["eps"], group["weight_decay"], momentum, group["maximize"],
            )  # fmt: skip
