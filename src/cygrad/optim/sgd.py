"""Stochastic gradient descent."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.optim.optimizer import Group, Optimizer, Params, given

__all__ = ["SGD"]


class SGD(Optimizer):
    """p ← p − lr·d, d = ∇ + weight_decay·p. With momentum, d is replaced by b ← momentum·b + (1 − dampening)·d (at
    first b = d), or with nesterov by d + momentum·b. As ``torch.optim.SGD``. I. Sutskever et al. (2013), "On the
    importance of initialization and momentum in deep learning".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.001.
        momentum: factor of the running direction b, default 0.
        dampening: how much less of the gradient enters b, default 0.
        weight_decay: L2 penalty, default 0.
        nesterov: whether to use Nesterov's momentum, default False.
        maximize: whether to go up the gradient instead of down, default False.
        foreach, differentiable, fused: as in PyTorch, see :class:`Optimizer`.

    Raises:
        ValueError: nesterov is used without momentum or with dampening.

    >>> p = cg.tensor([1.0], requires_grad=True)
    >>> optimizer = cg.optim.SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.8000], requires_grad=True)
    """

    _number_names = ("lr", "momentum", "dampening", "weight_decay")
    _state_tensors = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, given(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs momentum above 0 and dampening 0")

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _launch(self, group: Group, step: int, p: list[Array], g: list[Array], *states: list[Array]) -> None:
        buffers = states[0] if states else None
        kernels.sgd(
            p, g, buffers, step, nesterov=group["nesterov"],
            maximize=group["maximize"], **self._numbers(group),
        )  # fmt: skip
