"""Adagrad."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.optim.optimizer import Group, Optimizer, Params, given

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """s ← s + d², d = ∇ + weight_decay·p; p ← p − lr/(1 + (t − 1)·lr_decay)·d/(√s + eps). As ``torch.optim.Adagrad``.
    J. Duchi, E. Hazan, Y. Singer (2011), "Adaptive subgradient methods for online learning and stochastic
    optimization".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.01.
        lr_decay: how fast the learning rate falls with the step t, default 0.
        weight_decay: L2 penalty, default 0.
        initial_accumulator_value: s at the start, default 0.
        eps: added to the denominator, default 10⁻¹⁰.
        maximize: whether to go up the gradient instead of down, default False.
        foreach, differentiable, fused: as in PyTorch, see :class:`Optimizer`.
    """

    _number_names = ("lr", "lr_decay", "eps", "weight_decay")
    _state_tensors = ("sum",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, given(locals()))

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("sum",)

    def _initial_state(self, group: Group) -> float:
        return float(group["initial_accumulator_value"])

    def _launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        (sums,) = states
        kernels.adagrad(p, g, sums, step, maximize=group["maximize"], **self._numbers(group))
