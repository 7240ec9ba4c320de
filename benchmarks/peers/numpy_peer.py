"""NumPy, by hand. NumPy has no erf, so there is no GELU; networks have no batch norm, dropout or clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.agreement import STEPS
from benchmarks.cases import AdamW, Case, ClipGradNorm, Inference, Kernel, Matmul, OpCall, TrainingStep
from benchmarks.inputs import DROPOUT, Array, Arrays, falling, inputs, learning_rate, network_names
from benchmarks.peers import Work, kernel_work
from cygrad.bench import by_hand as hand
from cygrad.bench.cases import kernel_case

__all__ = ["by_hand"]


class NumPy:
    def versions(self) -> dict[str, str]:
        config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
        blas = config["Build Dependencies"]["blas"]
        return {"numpy": np.__version__, "blas": f"{blas['name']} {blas['version']}"}

    def build(self, case: Case, check: bool) -> Work | None:
        if (isinstance(case, TrainingStep) and not case.plain) or (isinstance(case, OpCall) and case.op not in OPS):
            return None
        arrays = inputs(case)
        match case:
            case Matmul():
                a, b = arrays["a"], arrays["b"]
                return Work(lambda: a @ b, lambda: {"c": a @ b})
            case OpCall(name):
                call = OPS[name](**arrays)
                return Work(call, call)
            case ClipGradNorm():
                return clip_grad_norm(case, arrays)
            case AdamW():
                return adamw(case, arrays)
            case TrainingStep():
                return step(case, arrays, learning_rate(check))
            case Inference():
                model, x = network(case, arrays), arrays["x"]
                return Work(lambda: model.forward(x), lambda: {"y": model.forward(x)})
            case Kernel(name, rows, columns):
                return kernel_work(kernel_case(name, rows, columns).numpy)


def by_hand() -> NumPy:
    return NumPy()


def relu(x: Array, dy: Array, **unused: Array) -> Callable[[], Arrays]:
    def call() -> Arrays:
        y = np.maximum(x, 0)
        return {"y": y, "dx": dy * (y > 0)}

    return call


def softmax(x: Array, dy: Array, **unused: Array) -> Callable[[], Arrays]:
    def call() -> Arrays:
        y = np.exp(x - x.max(1, keepdims=True))
        y /= y.sum(1, keepdims=True)
        return {"y": y, "dx": y * (dy - (dy * y).sum(1, keepdims=True))}

    return call


def dropout(x: Array, dy: Array, **unused: Array) -> Callable[[], Arrays]:
    rng, scale = np.random.default_rng(0), np.float32(1 / (1 - DROPOUT))

    def call() -> Arrays:
        mask = (rng.random(x.shape, np.float32) >= DROPOUT) * scale
        return {"y": x * mask, "dx": dy * mask}

    return call


def norm(axis: int) -> Callable[..., Callable[[], Arrays]]:
    """Batch norm over axis 0, with running statistics; layer norm over axis 1."""

    def of(x: Array, dy: Array, weight: Array, bias: Array) -> Callable[[], Arrays]:
        running = hand.RunningStatistics(x.shape[1]) if axis == 0 else None

        def call() -> Arrays:
            xhat, rstd, mean, var = hand.standardize(x, axis)
            statistics = {}
            if running is not None:
                running.update(mean, var, len(x))
                statistics = {"mean": running.mean, "var": running.var}
            dx, dweight, dbias = hand.norm_backward(dy, xhat, rstd, weight, axis)
            return {"y": xhat * weight + bias, "dx": dx, "dweight": dweight, "dbias": dbias, **statistics}

        return call

    return of


OPS: dict[str, Callable[..., Callable[[], Arrays]]] = {
    "relu": relu,
    "softmax": softmax,
    "dropout": dropout,
    "batch_norm": norm(0),
    "layer_norm": norm(1),
}


def clip_grad_norm(case: ClipGradNorm, arrays: Arrays) -> Work:
    gradients = [arrays[f"gradient{i}"] for i in range(case.count)]
    bound = falling(float(np.sqrt(case.count * case.side**2)))

    def results() -> Arrays:
        norm = hand.clip_grad_norm(gradients, 1.0)
        return {"norm": np.array(norm), **{f"clipped{i}": g for i, g in enumerate(gradients)}}

    return Work(lambda: hand.clip_grad_norm(gradients, bound()), results)


def adamw(case: AdamW, arrays: Arrays) -> Work:
    params, gradients = ([arrays[f"{name}{i}"] for i in range(case.count)] for name in ("parameter", "gradient"))
    optimizer = hand.Optimizer("AdamW", params, 1e-3)

    def results() -> Arrays:
        for _ in range(STEPS):
            optimizer.step(gradients)
        return {f"parameter{i}": p for i, p in enumerate(params)}

    return Work(lambda: optimizer.step(gradients), results)


def network(case: TrainingStep | Inference, arrays: Arrays) -> hand.Network:
    return hand.Network([arrays[name] for name in network_names(case)])


def step(case: TrainingStep, arrays: Arrays, lr: float) -> Work:
    names, model = network_names(case), network(case, arrays)
    optimizer = hand.Optimizer(case.optimizer, [arrays[name] for name in names], lr)
    loss_function, x, y = hand.LOSSES[case.loss], arrays["x"], arrays["y"]

    def take_step() -> Any:
        loss, gradient = loss_function(model.forward(x), y)
        optimizer.step(model.backward(gradient))
        return loss

    def results() -> Arrays:
        losses = np.array([float(take_step()) for _ in range(STEPS)])
        return {"losses": losses, **{name: arrays[name] for name in names}}

    return Work(take_step, results)
