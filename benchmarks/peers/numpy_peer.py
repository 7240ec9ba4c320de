"""NumPy, by hand. Without erf there is no GELU, and networks are plain: no batch norm, dropout or clipping."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.agreement import STEPS
from benchmarks.cases import AdamW, Case, ClipGradNorm, Inference, Matmul, Op, Step
from benchmarks.inputs import DROPOUT, Array, Arrays, falling, inputs, learning_rate, network_names
from benchmarks.peers import Work

__all__ = ["by_hand"]

EPS = np.float32(1e-5)


class NumPy:
    def versions(self) -> dict[str, str]:
        config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
        blas = config["Build Dependencies"]["blas"]
        return {"numpy": np.__version__, "blas": f"{blas['name']} {blas['version']}"}

    def build(self, case: Case, check: bool) -> Work | None:
        if (isinstance(case, Step) and not case.plain) or (isinstance(case, Op) and case.op not in OPS):
            return None
        arrays = inputs(case)
        match case:
            case Matmul():
                a, b = arrays["a"], arrays["b"]
                return Work(lambda: a @ b, lambda: {"c": a @ b})
            case Op(name):
                call = OPS[name](**arrays)
                return Work(call, call)
            case ClipGradNorm():
                return clip_grad_norm(case, arrays)
            case AdamW():
                return adamw(case, arrays)
            case Step():
                return step(case, arrays, learning_rate(check))
            case Inference(sizes):
                layers = [(arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range(len(sizes) - 1)]
                x = arrays["x"]
                return Work(lambda: forward(layers, x)[-1], lambda: {"y": forward(layers, x)[-1]})


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
        n = x.shape[axis]
        statistics = {"mean": np.zeros_like(bias), "var": np.ones_like(bias)} if axis == 0 else {}

        def call() -> Arrays:
            mean = x.mean(axis, keepdims=True)
            xhat = x - mean
            var = (xhat * xhat).mean(axis, keepdims=True)
            rstd = 1 / np.sqrt(var + EPS)
            xhat *= rstd
            if statistics:
                statistics["mean"] += np.float32(0.1) * (mean[0] - statistics["mean"])
                statistics["var"] += np.float32(0.1) * (var[0] * np.float32(n / (n - 1)) - statistics["var"])
            g, product = dy * weight, dy * xhat
            dweight, dbias = product.sum(0), dy.sum(0)
            dx = rstd * (g - g.mean(axis, keepdims=True) - xhat * (g * xhat).mean(axis, keepdims=True))
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

    def clip(max_norm: float) -> float:
        norm = math.sqrt(sum([np.vdot(g, g) for g in gradients]))
        if (factor := max_norm / (norm + 1e-6)) < 1:
            for g in gradients:
                g *= np.float32(factor)
        return norm

    def results() -> Arrays:
        return {"norm": np.array(clip(1.0)), **{f"clipped{i}": g for i, g in enumerate(gradients)}}

    return Work(lambda: clip(bound()), results)


class Optimizer:
    """SGD, Adam and AdamW with PyTorch's defaults."""

    def __init__(self, kind: str, params: list[Array], lr: float) -> None:
        self.kind, self.params, self.lr, self.t = kind, params, lr, 0
        self.decay = 0.01 if kind == "AdamW" else 0.0
        adaptive = [] if kind == "SGD" else params
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in adaptive]

    def step(self, gradients: list[Array]) -> None:
        self.t += 1
        if self.kind == "SGD":
            for p, g in zip(self.params, gradients):
                p -= self.lr * g
            return
        rate, root = self.lr / (1 - 0.9**self.t), 1 / math.sqrt(1 - 0.999**self.t)
        for p, g, (m, v) in zip(self.params, gradients, self.moments):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            if self.decay:
                p *= 1 - self.lr * self.decay
            p -= rate * m / (np.sqrt(v) * root + 1e-8)


def adamw(case: AdamW, arrays: Arrays) -> Work:
    params, gradients = ([arrays[f"{name}{i}"] for i in range(case.count)] for name in ("parameter", "gradient"))
    optimizer = Optimizer("AdamW", params, 1e-3)

    def results() -> Arrays:
        for _ in range(STEPS):
            optimizer.step(gradients)
        return {f"parameter{i}": p for i, p in enumerate(params)}

    return Work(lambda: optimizer.step(gradients), results)


def forward(layers: list[tuple[Array, Array]], x: Array) -> list[Array]:
    """The input, and the output of every layer: ReLU behind all but the last."""
    outputs = [x]
    for i, (weight, bias) in enumerate(layers):
        x = x @ weight.T
        x += bias
        if i < len(layers) - 1:
            np.maximum(x, 0, out=x)
        outputs.append(x)
    return outputs


def cross_entropy(scores: Array, classes: Array) -> tuple[Any, Array]:
    """The loss and its gradient, as from the other losses."""
    rows = np.arange(len(scores))
    scores = scores - scores.max(1, keepdims=True)
    p = np.exp(scores)
    sums = p.sum(1, keepdims=True)
    loss = (np.log(sums[:, 0]) - scores[rows, classes]).mean()
    p /= sums
    p[rows, classes] -= 1
    p /= np.float32(len(p))
    return loss, p


def huber_loss(y: Array, target: Array) -> tuple[Any, Array]:
    error = y - target
    size = np.abs(error)
    loss = np.where(size < 1, 0.5 * error * error, size - 0.5).mean()
    return loss, np.clip(error, -1, 1) / np.float32(error.size)


def mse_loss(y: Array, target: Array) -> tuple[Any, Array]:
    error = y - target
    return (error * error).mean(), error * np.float32(2 / error.size)


LOSSES = {"cross_entropy": cross_entropy, "huber_loss": huber_loss, "mse_loss": mse_loss}


def step(case: Step, arrays: Arrays, lr: float) -> Work:
    names = network_names(case)
    layers = [(arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range(len(case.sizes) - 1)]
    optimizer = Optimizer(case.optimizer, [arrays[name] for name in names], lr)
    loss_function, x, y = LOSSES[case.loss], arrays["x"], arrays["y"]

    def take_step() -> Any:
        outputs = forward(layers, x)
        loss, d = loss_function(outputs[-1], y)
        gradients: list[Array] = []
        for i in reversed(range(len(layers))):
            gradients[:0] = [d.T @ outputs[i], d.sum(0)]
            if i:
                d = (d @ layers[i][0]) * (outputs[i] > 0)
        optimizer.step(gradients)
        return loss

    def results() -> Arrays:
        losses = np.array([float(take_step()) for _ in range(STEPS)])
        return {"losses": losses, **{name: arrays[name] for name in names}}

    return Work(take_step, results)
