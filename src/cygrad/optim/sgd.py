"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.optim.optimizer import Group, Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    """d = ∇ + weight_decay·p; with momentum b ← momentum·b + (1 − dampening)·d, b = d at first, and d = b, or
    d + momentum·b with nesterov; p ← p − lr·d. As ``torch.optim.SGD``. I. Sutskever et al. (2013), "On the importance
    of initialization and momentum in deep learning".

    >>> p = cg.tensor([1.0], requires_grad=True)
    >>> optimizer = cg.optim.SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                "nesterov": nesterov, "maximize": maximize,
            },
        )  # fmt: skip

    def check_options(self, group: Group) -> None:
        super().check_options(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")

    number_names = ("lr", "momentum", "dampening", "weight_decay")

    def state_names(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        kernels.sgd(
            p, g, *(states or [None]), step, nesterov=group["nesterov"],
            maximize=group["maximize"], **self.numbers(group),
        )  # fmt: skip
