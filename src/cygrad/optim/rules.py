"""Optimizers without a kernel: each rule is NumPy code, for one parameter at a time.

d is the gradient ∇ (−∇ if ``maximize``) plus weight_decay·p, t the number of the step. ``foreach``, ``capturable`` and
``differentiable`` are explained at :class:`Optimizer`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import leaves
from cygrad.optim.optimizer import Group, Optimizer, Params, given
from cygrad.tensor import Tensor

__all__ = ["ASGD", "Adadelta", "Adafactor", "Adamax", "NAdam", "RAdam", "Rprop", "SparseAdam"]

State = dict[str, Any]


class RuleOptimizer(Optimizer):
    """An optimizer whose ``rule`` changes one parameter."""

    moments: tuple[str, ...] = ()  # names of state tensors that start as zeros

    def _update(self, group: Group, params: list[Tensor]) -> None:
        leaves.note_writes(params)
        for p, g in zip(params, leaves.gradients_of(params)):
            state = self.state[p]
            if not state:
                state.update(self.new_state(group, p.array))
            state["step"] = state.get("step", 0) + 1  # PyTorch counts no steps of Muon
            arrays = {key: value.array if isinstance(value, Tensor) else value for key, value in state.items()}
            numbers = self.rule(group, p.array, -g if group.get("maximize") else g, arrays)
            state.update(numbers or {})

    def new_state(self, group: Group, p: Array) -> State:
        """The state of a parameter before its first step."""
        return {"step": 0, **{name: zeros(p) for name in self.moments}}

    def rule(self, group: Group, p: Array, g: Array, state: State) -> State | None:
        """Change the array p of a parameter, by its gradient g, and the arrays of its state; return its new numbers."""
        raise NotImplementedError(f"{self._name}: rule is not defined")

    def check(self, name: str, value: Any, valid: bool, wanted: str) -> None:
        """Raise ValueError unless an option is valid."""
        if not valid:
            raise ValueError(f"{self._name}: {name} must {wanted}, got {value}")


def zeros(p: Array, shape: tuple[int, ...] | None = None) -> Tensor:
    return Tensor(np.zeros(p.shape if shape is None else shape, p.dtype))


def decayed(group: Group, p: Array, g: Array) -> Array:
    """d = ∇ + weight_decay·p"""
    return g + float(group["weight_decay"]) * p if group["weight_decay"] else g


def move(average: Array, value: Array, weight: float) -> None:
    """average ← average + weight·(value − average)"""
    average[...] += weight * (value - average)


class Adadelta(RuleOptimizer):
    """s ← ρ·s + (1 − ρ)·d²; Δ = √(u + eps)/√(s + eps)·d; u ← ρ·u + (1 − ρ)·Δ²; p ← p − lr·Δ. As
    ``torch.optim.Adadelta``. M. D. Zeiler (2012), "ADADELTA: an adaptive learning rate method".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 1.
        rho: ρ, in [0, 1], default 0.9.
        eps: added under the roots, default 10⁻⁶.
        weight_decay: L2 penalty, default 0.
        maximize: whether to go up the gradient instead of down, default False.
    """

    moments = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        self.check("rho", group["rho"], 0 <= group["rho"] <= 1, "lie in [0, 1]")

    def rule(self, group: Group, p: Array, g: Array, state: State) -> None:
        rho, eps = group["rho"], group["eps"]
        d, s, u = decayed(group, p, g), state["square_avg"], state["acc_delta"]
        s[...] = rho * s + (1 - rho) * d * d
        delta = np.sqrt(u + eps) / np.sqrt(s + eps) * d
        u[...] = rho * u + (1 - rho) * delta * delta
        p[...] -= float(group["lr"]) * delta


class Adamax(RuleOptimizer):
    """m ← β₁·m + (1 − β₁)·d; u ← max(β₂·u, |d| + eps); p ← p − lr/(1 − β₁ᵗ)·m/u. As ``torch.optim.Adamax``.
    D. P. Kingma, J. Ba (2015), "Adam: a method for stochastic optimization", section 7.1.

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.002.
        betas: β₁ and β₂, each in [0, 1), default (0.9, 0.999).
        eps: floor under u, default 10⁻⁸.
        weight_decay: L2 penalty, default 0.
        maximize: whether to go up the gradient instead of down, default False.
    """

    moments = ("exp_avg", "exp_inf")

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def rule(self, group: Group, p: Array, g: Array, state: State) -> None:
        beta1, beta2 = map(float, group["betas"])
        d, m, u = decayed(group, p, g), state["exp_avg"], state["exp_inf"]
        move(m, d, 1 - beta1)
        np.maximum(beta2 * u, np.abs(d) + group["eps"], out=u)
        p[...] -= float(group["lr"]) / (1 - beta1 ** state["step"]) * m / u


class ASGD(RuleOptimizer):
    """p ← p·(1 − lambd·η) − η·d, η = lr/(1 + lambd·lr·t)^alpha, with the mean of p from step t0 on in the state's "ax".
    As ``torch.optim.ASGD``. B. T. Polyak, A. B. Juditsky (1992), "Acceleration of stochastic approximation by
    averaging".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.01.
        lambd: decay, default 10⁻⁴.
        alpha: power of η, default 0.75.
        t0: step from which on p is averaged, default 10⁶.
        weight_decay: L2 penalty, default 0.
        maximize: whether to go up the gradient instead of down, default False.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def new_state(self, group: Group, p: Array) -> State:
        return {"step": 0, "eta": float(group["lr"]), "mu": 1.0, "ax": zeros(p)}

    def rule(self, group: Group, p: Array, g: Array, state: State) -> State:
        d, eta, lr, lambd = decayed(group, p, g), float(state["eta"]), float(group["lr"]), group["lambd"]
        p[...] *= 1 - lambd * eta
        p[...] -= eta * d
        move(state["ax"], p, float(state["mu"]))
        eta = lr / (1 + lambd * lr * state["step"]) ** group["alpha"]
        return {"eta": eta, "mu": 1 / max(1, state["step"] - group["t0"])}


class NAdam(RuleOptimizer):
    """Adam with Nesterov's momentum: p ← p − lr·((1 − μₜ)/(1 − ∏μ)·d + μₜ₊₁/(1 − ∏μ·μₜ₊₁)·m)/(√v̂ + eps), μₜ = β₁·(1 −
    ½·0.96^(t·momentum_decay)). As ``torch.optim.NAdam``. T. Dozat (2016), "Incorporating Nesterov momentum into Adam".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.002.
        betas: β₁ and β₂, each in [0, 1), default (0.9, 0.999).
        eps: added to the denominator, default 10⁻⁸.
        weight_decay: L2 penalty, default 0.
        momentum_decay: how fast μ approaches β₁, default 0.004.
        decoupled_weight_decay: whether the weight decay is that of AdamW, default False.
        maximize: whether to go up the gradient instead of down, default False.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        self.check("momentum_decay", group["momentum_decay"], group["momentum_decay"] >= 0, "not be negative")

    def new_state(self, group: Group, p: Array) -> State:
        return {"step": 0, "mu_product": 1.0, "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def rule(self, group: Group, p: Array, g: Array, state: State) -> State:
        t, m, v, lr = state["step"], state["exp_avg"], state["exp_avg_sq"], float(group["lr"])
        beta1, beta2 = map(float, group["betas"])
        d = adam_direction(group, p, g)
        mu, following = [beta1 * (1 - 0.5 * 0.96 ** (n * group["momentum_decay"])) for n in (t, t + 1)]
        product = float(state["mu_product"]) * mu
        adam_moments(m, v, d, beta1, beta2)
        root = np.sqrt(v / (1 - beta2**t)) + group["eps"]
        p[...] -= lr * ((1 - mu) / (1 - product) * d + following / (1 - product * following) * m) / root
        return {"mu_product": product}


class RAdam(RuleOptimizer):
    """Adam whose step is rectified: p ← p − lr·m̂·r/(√v̂ + eps), or p − lr·m̂ while v̂ has too much variance. As
    ``torch.optim.RAdam``. L. Liu et al. (2020), "On the variance of the adaptive learning rate and beyond".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: learning rate, default 0.001.
        betas: β₁ and β₂, each in [0, 1), default (0.9, 0.999).
        eps: added to the denominator, default 10⁻⁸.
        weight_decay: L2 penalty, default 0.
        decoupled_weight_decay: whether the weight decay is that of AdamW, default False.
        maximize: whether to go up the gradient instead of down, default False.
    """

    moments = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def rule(self, group: Group, p: Array, g: Array, state: State) -> None:
        t, m, v = state["step"], state["exp_avg"], state["exp_avg_sq"]
        beta1, beta2 = map(float, group["betas"])
        adam_moments(m, v, adam_direction(group, p, g), beta1, beta2)
        correction = 1 - beta2**t
        longest = 2 / (1 - beta2) - 1  # ρ_∞, the longest simple moving average
        length = longest - 2 * t * beta2**t / correction  # ρₜ
        step = m * (float(group["lr"]) / (1 - beta1**t))
        if length > 5:
            variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            step = step * (math.sqrt(variance * correction) / (np.sqrt(v) + group["eps"]))
        p[...] -= step


def adam_direction(group: Group, p: Array, g: Array) -> Array:
    """d; a decoupled weight decay shrinks p at once."""
    if not group["decoupled_weight_decay"]:
        return decayed(group, p, g)
    p[...] *= 1 - float(group["lr"]) * float(group["weight_decay"])
    return g


def adam_moments(m: Array, v: Array, d: Array, beta1: float, beta2: float) -> None:
    """m ← β₁·m + (1 − β₁)·d, v ← β₂·v + (1 − β₂)·d²"""
    move(m, d, 1 - beta1)
    v[...] = beta2 * v + (1 - beta2) * d * d


class Rprop(RuleOptimizer):
    """p ← p − s·sign(∇), with a step size s for each element: ×etas[1] (up to step_sizes[1]) where the sign of ∇ stays,
    ×etas[0] (down to step_sizes[0]), and no step, where it changes. As ``torch.optim.Rprop``. M. Riedmiller, H. Braun
    (1993), "A direct adaptive method for faster backpropagation learning".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: first step size, default 0.01.
        etas: factors below and above 1, default (0.5, 1.2).
        step_sizes: smallest and largest step size, default (10⁻⁶, 50).
        maximize: whether to go up the gradient instead of down, default False.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        shrink, grow = group["etas"]
        self.check("etas", group["etas"], 0 < shrink < 1 < grow, "lie below and above 1")

    def new_state(self, group: Group, p: Array) -> State:
        return {"step": 0, "prev": zeros(p), "step_size": Tensor(np.full(p.shape, float(group["lr"]), p.dtype))}

    def rule(self, group: Group, p: Array, g: Array, state: State) -> None:
        (shrink, grow), size = group["etas"], state["step_size"]
        same = np.sign(g * state["prev"])
        factor = np.where(same > 0, grow, np.where(same < 0, shrink, 1)).astype(p.dtype)
        np.clip(size * factor, *group["step_sizes"], out=size)
        state["prev"][...] = np.where(same < 0, 0, g)
        p[...] -= np.sign(state["prev"]) * size


class Adafactor(RuleOptimizer):
    """Adam without momentum, whose v of a matrix is the product of its row and column means. As
    ``torch.optim.Adafactor``. N. Shazeer, M. Stern (2018), "Adafactor: adaptive learning rates with sublinear memory
    cost".

    Args:
        params: parameters, or dicts of a list "params" and the options that differ from the arguments below.
        lr: largest step relative to the size of p, default 0.01.
        beta2_decay: power of t in 1 − β₂ = t^beta2_decay, at most 0, default −0.8.
        eps: floors under √v (None for the dtype's) and under the size of p, default (None, 0.001).
        d: largest root mean square of a step, at least 1, default 1.
        weight_decay: decoupled weight decay, default 0.
        maximize: whether to go up the gradient instead of down, default False.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, given(locals()))

    def _check_options(self, group: Group) -> None:
        super()._check_options(group)
        first, second = group["eps"]
        self.check("eps", group["eps"], (first is None or first >= 0) and second >= 0, "not be negative")
        self.check("beta2_decay", group["beta2_decay"], group["beta2_decay"] <= 0, "not be positive")
        self.check("d", group["d"], group["d"] >= 1, "be at least 1")

    def new_state(self, group: Group, p: Array) -> State:
        if p.ndim < 2:
            return {"step": 0, "variance": zeros(p)}
        rows, columns = (*p.shape[:-1], 1), (*p.shape[:-2], 1, p.shape[-1])
        return {"step": 0, "row_var": zeros(p, rows), "col_var": zeros(p, columns)}

    def rule(self, group: Group, p: Array, g: Array, state: State) -> None:
        t, lr, (floor, least) = state["step"], float(group["lr"]), group["eps"]
        floor = np.finfo(p.dtype).eps if floor is None else floor
        weight = t ** group["beta2_decay"]
        alpha = max(least, rms(p)) * min(lr, 1 / math.sqrt(t))
        if group["weight_decay"]:
            p[...] *= 1 - lr * group["weight_decay"]
        if p.ndim < 2:
            v = state["variance"]
            move(v, g * g, weight)
        else:
            rows, columns = state["row_var"], state["col_var"]
            move(rows, np.mean(g * g, axis=-1, keepdims=True), weight)
            move(columns, np.mean(g * g, axis=-2, keepdims=True), weight)
            v = rows @ columns / np.maximum(rows.mean(axis=-2, keepdims=True), floor)
        step = g / np.sqrt(np.maximum(v, floor**2))
        p[...] -= alpha / max(1.0, rms(step) / group["d"]) * step


def rms(x: Array) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(x * x))) if x.size else 0.0


class SparseAdam(Optimizer):
    """Refused, since cygrad has no sparse gradients: NotImplementedError.

    Args:
        params: not used.
        lr: not used.
    """

    def __init__(self, params: Params, lr: float = 1e-3, **_: Any) -> None:
        raise NotImplementedError("SparseAdam: cygrad has no sparse tensors; use Adam, whose gradients are dense")
