"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import enable_grad, leaves, recording
from cygrad.optim.optimizer import Optimizer, Params, given
from cygrad.tensor import Tensor

__all__ = ["LBFGS"]

Evaluation = tuple[float, Array]  # a loss and its gradient


class LBFGS(Optimizer):
    """Follow −H·∇ up to ``max_iter`` times in one call of ``step``; H is the inverse of the Hessian, estimated from the
    last steps. As ``torch.optim.LBFGS``. J. Nocedal, S. J. Wright (2006), "Numerical optimization", algorithms 7.4, 3.5
    and 3.6.

    Args:
        params: parameters; one group only.
        lr: length of a step, and first length of the line search, default 1.
        max_iter: number of iterations of a call, default 20.
        max_eval: number of evaluations of a call, default None for 1.25·max_iter.
        tolerance_grad: largest |∇| at which to stop, default 10⁻⁷.
        tolerance_change: change of the loss or the parameters at which to stop, default 10⁻⁹.
        history_size: number of steps from which H is estimated, default 100.
        line_search_fn: "strong_wolfe", or None (default) for none.

    >>> x = cg.tensor([-1.0, 2.0], requires_grad=True)
    >>> optimizer = cg.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    5.0
    >>> cg.allclose(x, cg.ones(2))
    True
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        super().__init__(params, given(locals()))
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS: all parameters must be in one group")
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError(f"LBFGS: line_search_fn must be strong_wolfe or None, got {line_search_fn!r}")
        self._params: list[Tensor] = self.param_groups[0]["params"]

    # The parameters and their gradients as one vector

    def _gradient(self) -> Array:
        gradients = [np.zeros_like(p.array) if p.grad_value is None else p.grad_value.array for p in self._params]
        return np.concatenate([array.reshape(-1) for array in gradients])

    def _vector(self) -> Array:
        return np.concatenate([p.array.reshape(-1) for p in self._params])

    def _set(self, vector: Array) -> None:
        leaves.note_writes(self._params)
        start = 0
        for p in self._params:
            p.array[...] = vector[start : start + p.array.size].reshape(p.array.shape)
            start += p.array.size

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Minimize.

        Args:
            closure: function that computes the loss and its gradients.

        Returns:
            The loss before the first iteration.
        """
        recording.reading("a step of LBFGS")
        group, state = self.param_groups[0], self.state[self._params[0]]
        lr, change, search = float(group["lr"]), group["tolerance_change"], group["line_search_fn"]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> Evaluation:
            with enable_grad():
                loss = float(closure())
            return loss, self._gradient()

        with enable_grad():
            first = closure()
        loss, g = float(first), self._gradient()
        evaluations, iterations = 1, 0
        state["func_evals"] += 1
        if not np.abs(g).max() > group["tolerance_grad"]:
            return first
        while iterations < group["max_iter"]:
            iterations += 1
            state["n_iter"] += 1
            d = self._direction(state, g, group["history_size"])
            previous_loss, state["prev_flat_grad"] = loss, Tensor(g)
            t = min(1.0, 1 / float(np.abs(g).sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(g @ d)
            state.update(d=Tensor(d), t=t, prev_loss=previous_loss)
            if slope > -change:
                break
            start, tried = self._vector(), 0
            if search:

                def along(t: float, start: Array = start, d: Array = d) -> Evaluation:
                    self._set(start + t * d)
                    result = evaluate()
                    self._set(start)
                    return result

                loss, g, t, tried = strong_wolfe(along, t, d, loss, g, slope, change)
                self._set(start + t * d)
            else:
                self._set(start + t * d)
                if iterations < group["max_iter"]:
                    loss, g = evaluate()
                    tried = 1
            state["t"] = t
            evaluations += tried
            state["func_evals"] += tried
            done = np.abs(g).max() <= group["tolerance_grad"] or np.abs(d * t).max() <= change
            if done or abs(loss - previous_loss) < change or evaluations >= group["max_eval"]:
                break
        return first

    def _direction(self, state: dict[str, Any], g: Array, size: int) -> Array:
        """−H·g, by the two-loop recursion (algorithm 7.4), after the last step has entered the history."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -g
        y, s = g - state["prev_flat_grad"].array, state["d"].array * state["t"]
        ys = float(y @ s)
        history = state["old_dirs"], state["old_stps"], state["ro"]  # y, s, 1/yᵀs
        if ys > 1e-10:
            for values, value in zip(history, (Tensor(y), Tensor(s), 1 / ys)):
                del values[: max(0, len(values) + 1 - size)]
                values.append(value)
            state["H_diag"] = ys / float(y @ y)
        q, alphas = -g, []
        for y, s, rho in zip(*map(reversed, history)):
            alphas.append(float(s.array @ q) * float(rho))
            q = q - alphas[-1] * y.array
        d = q * float(state["H_diag"])
        for y, s, rho, alpha in zip(*history, reversed(alphas)):
            d = d + s.array * (alpha - float(rho) * float(y.array @ d))
        return np.asarray(d)


class Point:
    """A step length t with its loss f, gradient g and slope gᵀd."""

    def __init__(self, t: float, f: float, g: Array, slope: float) -> None:
        self.t, self.f, self.g, self.slope = t, f, g, slope


def cubic_minimum(a: Point, b: Point, low: float | None = None, high: float | None = None) -> float:
    """The minimum of the cubic through two points with their slopes, in [low, high] (equation 3.59)."""
    if low is None or high is None:
        low, high = min(a.t, b.t), max(a.t, b.t)
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2
    d2 = square**0.5
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, low), high)


def strong_wolfe(
    along: Callable[[float], Evaluation], t: float, d: Array, f: float, g: Array, slope: float, change: float
) -> tuple[float, Array, float, int]:
    """A step length at which the loss has fallen by 10⁻⁴ of what the slope promised, and |slope| to 0.9 of what it was
    (algorithms 3.5 and 3.6), with at most 25 iterations in each phase; (loss, gradient, t, evaluations)."""
    size = float(np.abs(d).max())
    origin = previous = Point(0.0, f, g, slope)

    def probe(t: float) -> Point:
        f, g = along(t)
        return Point(t, f, g, float(g @ d))

    def too_high(p: Point) -> bool:
        return p.f > origin.f + 1e-4 * p.t * slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -0.9 * slope

    # Lengthen the step until a good one is found, or two that have one between them.
    point, count, bracket = probe(t), 0, None
    while bracket is None and count < 25:
        if too_high(point) or (count > 1 and point.f >= previous.f):
            bracket = [previous, point]
        elif flat(point):
            return point.f, point.g, point.t, count + 1
        elif point.slope >= 0:
            bracket = [previous, point]
        else:
            longer = cubic_minimum(previous, point, point.t + 0.01 * (point.t - previous.t), point.t * 10)
            previous, point = point, probe(longer)
            count += 1
    bracket = bracket or [origin, point]

    # Shorten the interval.
    stuck = False
    while count < 25:
        low, high = sorted(bracket, key=lambda p: p.f)
        left, right = sorted((low.t, high.t))
        width = right - left
        if width * size < change:
            break
        t = cubic_minimum(low, high)
        near = min(right - t, t - left) < 0.1 * width
        if near and (stuck or t >= right or t <= left):
            t = right - 0.1 * width if abs(t - right) < abs(t - left) else left + 0.1 * width
            near = False
        stuck = near
        point = probe(t)
        count += 1
        if too_high(point) or point.f >= low.f:
            bracket = [low, point]
        elif flat(point):
            bracket = [point, high]
            break
        else:
            bracket = [point, low if point.slope * (high.t - low.t) >= 0 else high]
    best = min(bracket, key=lambda p: p.f)
    return best.f, best.g, best.t, count + 1
