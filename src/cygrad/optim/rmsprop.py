"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.optim.optimizer import Group, Optimizer

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

    number_names = ("lr", "alpha", "eps", "weight_decay", "momentum")

    def state_names(self, group: Group) -> tuple[str, ...]:
        centered, momentum = group["centered"], group["momentum"]
        return ("square_avg", *(["grad_avg"] if centered else []), *(["momentum_buffer"] if momentum else []))

    def launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        found = dict(zip(self.state_names(group), states))
        kernels.rmsprop(
            p, g, found["square_avg"], found.get("grad_avg"), found.get("momentum_buffer"),
            maximize=group["maximize"], **self.numbers(group),
        )  # fmt: skip
