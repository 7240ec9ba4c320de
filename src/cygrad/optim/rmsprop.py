"""RMSprop."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.optim.optimizer import Group, Optimizer, Params, given

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """s ← α·s + (1 − α)·d², d = ∇ + weight_decay·p; p ← p − lr·d/(√s + eps). With momentum, b ← momentum·b + d/(√s +
    eps) and p ← p − lr·b. As ``torch.optim.RMSprop``. T. Tieleman, G. Hinton (2012), lecture 6e of "Neural networks for
    machine learning".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.01.
        alpha: α, default 0.99.
        eps: added to the denominator, default 10⁻⁸.
        weight_decay: L2 penalty, default 0.
        momentum: factor of the running direction b, default 0.
        centered: whether to subtract the squared running mean of d from s, default False.
        maximize: whether to go up the gradient instead of down, default False.
        capturable, foreach, differentiable: as in PyTorch, see :class:`Optimizer`.
    """

    _number_names = ("lr", "alpha", "eps", "weight_decay", "momentum")
    _state_tensors = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def _state_names(self, group: Group) -> tuple[str, ...]:
        centered, momentum = group["centered"], group["momentum"]
        return ("square_avg", *(["grad_avg"] if centered else []), *(["momentum_buffer"] if momentum else []))

    def _launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        named = dict(zip(self._state_names(group), states))
        kernels.rmsprop(
            p, g, named["square_avg"], named.get("grad_avg"), named.get("momentum_buffer"),
            maximize=group["maximize"], **self._numbers(group),
        )  # fmt: skip
