"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.optim.optimizer import Group, Optimizer, arrays, gradients, state_arrays
from cygrad.tensor import Tensor

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """s ← s + d², d = ∇ + weight_decay·p; p ← p − lr/(1 + (t − 1)·lr_decay)·d/(√s + eps). As ``torch.optim.Adagrad``.
    J. Duchi, E. Hazan, Y. Singer (2011), "Adaptive subgradient methods for online learning and stochastic
    optimization"."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value, "eps": eps, "maximize": maximize,
            },
        )  # fmt: skip

    def update(self, group: Group, params: list[Tensor]) -> None:
        for p in params:
            if p not in self.state:
                start = np.full(p.array.shape, group["initial_accumulator_value"], p.array.dtype)
                self.state[p] = {"step": 0, "sum": Tensor(start)}
        for step, batch, own in self.batches(params, [self.state[p] for p in params]):
            rate = group["lr"] / (1 + (step - 1) * group["lr_decay"])
            kernels.adagrad(
                arrays(batch), gradients(batch), state_arrays(own, "sum"), rate, group["eps"], group["weight_decay"],
                group["maximize"],
            )  # fmt: skip
