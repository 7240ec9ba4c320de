"""Muon: momentum whose matrix is made orthogonal."""

from __future__ import annotations

import math

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.optim.optimizer import Group, Params, given
from cygrad.optim.rules import RuleOptimizer, State, move, zeros
from cygrad.tensor import Tensor

__all__ = ["Muon"]


class Muon(RuleOptimizer):
    """m ← m + (1 − μ)·(∇ − m), d = ∇ + μ·(m − ∇); p ← p·(1 − lr·weight_decay) − lr·r·O(d), for matrices only.

    O(d) has the singular vectors of d, and singular values near 1, so that all directions are learned at the same rate.
    It is found by Newton and Schulz's iteration, X ← a·X + (b·G + c·G²)·X with G = X·Xᵀ, from d/‖d‖. As
    ``torch.optim.Muon``, but in the dtype of the parameter, where PyTorch iterates in bfloat16: its updates differ
    by up to some percent. Biases, embeddings and the last layer are better left to another optimizer, such as AdamW.
    K. Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks".

    Args:
        params: matrices, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.001.
        weight_decay: decoupled weight decay, default 0.1.
        momentum: μ, default 0.95.
        nesterov: whether d is Nesterov's momentum, default True; else d = m.
        ns_coefficients: a, b, c.
        eps: floor under ‖d‖, default 10⁻⁷.
        ns_steps: number of iterations, below 100, default 5.
        adjust_lr_fn: r for shape (n, m): √max(1, n/m) for "original" (or None), 0.2·√max(n, m) for "match_rms_adamw",
            with which the learning rates of AdamW fit.

    >>> p = cg.tensor([[3.0, 0.0], [0.0, 4.0]], requires_grad=True)
    >>> optimizer = cg.optim.Muon([p], lr=1.0, weight_decay=0.0)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p  # 0.72 and 1.12 less, where SGD would have gone by 6 and 8
    tensor([[2.2771, 0.0000],
            [0.0000, 2.8808]], requires_grad=True)
    """

    moments = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(params, given(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        kind, kinds = group["adjust_lr_fn"], ("original", "match_rms_adamw")
        self.check("adjust_lr_fn", kind, kind in (None, *kinds), f"be one of {', '.join(kinds)}")
        self.check("ns_steps", group["ns_steps"], group["ns_steps"] < 100, "be below 100")
        coefficients = group["ns_coefficients"]
        self.check("ns_coefficients", coefficients, len(coefficients) == 3, "be three numbers")
        for p in group["params"]:  # of a state dict, their indices
            if isinstance(p, Tensor):
                self.check("a parameter", f"shape {tuple(p.shape)}", p.ndim == 2, "be a matrix")

    def new_state(self, group: Group, p: Array) -> State:
        return {"step": 0, "momentum_buffer": zeros(p)}

    def rule(self, group: Group, p: Array, g: Array, state: State) -> None:
        lr, momentum, buffer = float(group["lr"]), group["momentum"], state["momentum_buffer"]
        move(buffer, g, 1 - momentum)
        direction = g + momentum * (buffer - g) if group["nesterov"] else buffer
        rows, columns = p.shape
        matched = group["adjust_lr_fn"] == "match_rms_adamw"
        ratio = 0.2 * math.sqrt(max(rows, columns)) if matched else math.sqrt(max(1, rows / max(1, columns)))
        p[...] *= 1 - lr * group["weight_decay"]
        p[...] -= lr * ratio * orthogonal(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])


def orthogonal(matrix: Array, coefficients: tuple[float, float, float], steps: int, eps: float) -> Array:
    """A matrix with the singular vectors of `matrix` and singular values near 1.

    Each step is three products, as a·X + (b·G + c·G²)·X = (a·I + G·(b·I + c·G))·X.
    """
    a, b, c = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix  # so that G is the smaller one of X·Xᵀ and Xᵀ·X
    x = x / max(float(np.linalg.norm(x)), eps)
    for _ in range(steps):
        gram = kernels.matmul(x, x.T)
        factor = kernels.matmul(gram, shifted(c * gram, b))
        x = kernels.matmul(shifted(factor, a), x)
    return x.T if is_tall else x


def shifted(matrix: Array, number: float) -> Array:
    """matrix + number·I, in place."""
    np.einsum("ii->i", matrix)[...] += number
    return matrix
