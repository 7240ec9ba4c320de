"""Adam, and AdamW, whose weight decay is decoupled."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.optim.optimizer import Group, Optimizer, Params, given

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """m ← β₁·m + (1 − β₁)·d, v ← β₂·v + (1 − β₂)·d²; p ← p − lr·m̂/(√v̂ + eps), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
    The weight decay is L2: d = ∇ + weight_decay·p. As ``torch.optim.Adam``. D. P. Kingma, J. Ba (2015), "Adam: a method
    for stochastic optimization".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.001.
        betas: β₁ and β₂, each in [0, 1), default (0.9, 0.999).
        eps: added to the denominator, default 10⁻⁸.
        weight_decay: L2 penalty, default 0.
        amsgrad: whether to use the largest v̂ so far, default False.
        maximize: whether to go up the gradient instead of down, default False.
        foreach, capturable, differentiable, fused: as in PyTorch, see :class:`Optimizer`.
        decoupled_weight_decay: whether the weight decay is that of :class:`AdamW`, default False.

    >>> p = cg.tensor([1.0], requires_grad=True)
    >>> optimizer = cg.optim.Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.9000], requires_grad=True)
    """

    _state_tensors = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def _numbers(self, group: Group) -> dict[str, float]:
        beta1, beta2 = group["betas"]
        return {
            "lr": group["lr"], "beta1": beta1, "beta2": beta2, "eps": group["eps"],
            "weight_decay": group["weight_decay"],
        }  # fmt: skip

    def _launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        lr, beta1, beta2, eps, weight_decay = self._numbers(group).values()
        kernels.adam(
            p, g, states[0], states[1], states[2] if group["amsgrad"] else None, step,
            lr, beta1, beta2, eps, weight_decay, group["decoupled_weight_decay"], group["maximize"],
        )  # fmt: skip


class AdamW(Adam):
    """Adam with decoupled weight decay: p ← p·(1 − lr·weight_decay) before the step, and d = ∇. As
    ``torch.optim.AdamW``. I. Loshchilov, F. Hutter (2019), "Decoupled weight decay regularization".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.001.
        betas: β₁ and β₂, each in [0, 1), default (0.9, 0.999).
        eps: added to the denominator, default 10⁻⁸.
        weight_decay: decoupled weight decay, default 0.01.
        amsgrad: whether to use the largest v̂ so far, default False.
        maximize: whether to go up the gradient instead of down, default False.
        foreach, capturable, differentiable, fused: as in PyTorch, see :class:`Optimizer`.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, **given(locals()), decoupled_weight_decay=True)
