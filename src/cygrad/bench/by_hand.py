"""Layers, losses, clipping and optimizers in NumPy, by hand, to compare cygrad with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = [
    "LOSSES",
    "Network",
    "Optimizer",
    "RunningStatistics",
    "clip_grad_norm",
    "cross_entropy_backward",
    "log_softmax",
    "norm_backward",
    "standardize",
]

EPS = np.float32(1e-5)
MOMENTUM = np.float32(0.1)


# Normalization


def standardize(x: Array, axis: int) -> tuple[Array, Array, Array, Array]:
    """x̂ = (x − mean)·rstd with rstd = 1/√(var + eps); returns x̂, rstd, mean and var."""
    mean = x.mean(axis, keepdims=True)
    xhat = x - mean
    var = (xhat * xhat).mean(axis, keepdims=True)
    rstd = 1 / np.sqrt(var + EPS)
    xhat *= rstd
    return xhat, rstd, mean, var


def norm_backward(dy: Array, xhat: Array, rstd: Array, weight: Array, axis: int) -> tuple[Array, Array, Array]:
    """The gradients of input, weight and bias of y = x̂·weight + bias."""
    g = dy * weight
    dx = rstd * (g - g.mean(axis, keepdims=True) - xhat * (g * xhat).mean(axis, keepdims=True))
    return dx, (dy * xhat).sum(0), dy.sum(0)


class RunningStatistics:
    """Mean and unbiased variance of batches, as a moving average."""

    def __init__(self, columns: int) -> None:
        self.mean, self.var = np.zeros(columns, np.float32), np.ones(columns, np.float32)

    def update(self, mean: Array, var: Array, rows: int) -> None:
        """Take in a batch's mean and biased variance, each of shape (1, columns)."""
        self.mean += MOMENTUM * (mean[0] - self.mean)
        self.var += MOMENTUM * (var[0] * np.float32(rows / (rows - 1)) - self.var)


# Losses: each returns its value and the gradient of its input


def log_softmax(scores: Array) -> Array:
    """scores − log Σ exp(scores), row by row."""
    shifted = scores - scores.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def cross_entropy_backward(logs: Array, classes: Array) -> Array:
    """(softmax − onehot)/n, from the logarithm of the softmax."""
    gradient = np.exp(logs)
    gradient[np.arange(len(gradient)), classes] -= 1
    gradient /= np.float32(len(gradient))
    return gradient


def cross_entropy(scores: Array, classes: Array) -> tuple[Any, Array]:
    """The mean of −log softmax(scores)[class]; one exp for both results."""
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
    """The mean of ½e² where |e| < 1, and of |e| − ½ elsewhere."""
    error = y - target
    size = np.abs(error)
    loss = np.where(size < 1, 0.5 * error * error, size - 0.5).mean()
    return loss, np.clip(error, -1, 1) / np.float32(error.size)


def mse_loss(y: Array, target: Array) -> tuple[Any, Array]:
    """The mean of e²."""
    error = y - target
    return (error * error).mean(), error * np.float32(2 / error.size)


LOSSES = {"cross_entropy": cross_entropy, "huber_loss": huber_loss, "mse_loss": mse_loss}


# Updates


def clip_grad_norm(gradients: list[Array], max_norm: float) -> float:
    """Scale the gradients in place to at most this norm; returns the norm before."""
    norm = math.sqrt(sum([float(np.vdot(g, g)) for g in gradients]))
    if (factor := max_norm / (norm + 1e-6)) < 1:
        for g in gradients:
            g *= np.float32(factor)
    return norm


class Optimizer:
    """SGD, Adam or AdamW with PyTorch's defaults, with few temporary arrays."""

    def __init__(self, kind: str, params: list[Array], lr: float) -> None:
        self.kind, self.params, self.lr, self.t = kind, params, lr, 0
        self.decay = 0.01 if kind == "AdamW" else 0.0
        adaptive = [] if kind == "SGD" else params
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in adaptive]

    def step(self, gradients: list[Array]) -> None:
        """Update the parameters in place."""
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


# A network


class Network:
    """Linear and ReLU for each hidden layer, with batch norm between them if `norm` is true, and Linear at the end.

    Args:
        params: weight and bias of each layer, followed in hidden layers by weight and bias of batch norm: the order of
            PyTorch's ``parameters()``.
        norm: whether there is batch norm.
    """

    def __init__(self, params: list[Array], norm: bool = False) -> None:
        per_layer = 4 if norm else 2
        self.layers = [params[i : i + per_layer] for i in range(0, len(params), per_layer)]
        self.statistics = [RunningStatistics(len(layer[1])) for layer in self.layers[:-1]] if norm else []
        self.inputs: list[Array] = []  # of each layer
        self.normalized: list[tuple[Array, Array]] = []  # x̂ and rstd of each batch norm

    def forward(self, x: Array) -> Array:
        """The output; intermediate results are kept for ``backward``."""
        self.inputs, self.normalized = [], []
        for number, layer in enumerate(self.layers):
            self.inputs.append(x)
            x = x @ layer[0].T
            x += layer[1]
            if number == len(self.layers) - 1:
                break
            if self.statistics:
                xhat, rstd, mean, var = standardize(x, 0)
                self.statistics[number].update(mean, var, len(x))
                self.normalized.append((xhat, rstd))
                x = xhat * layer[2] + layer[3]
            np.maximum(x, 0, out=x)
        return x

    def backward(self, d: Array) -> list[Array]:
        """The gradients of all parameters, from the gradient of the output."""
        gradients: list[Array] = []
        for number in reversed(range(len(self.layers))):
            of_norm: list[Array] = []
            if self.statistics and number < len(self.layers) - 1:
                xhat, rstd = self.normalized[number]
                d, *of_norm = norm_backward(d, xhat, rstd, self.layers[number][2], 0)
            gradients[:0] = [d.T @ self.inputs[number], d.sum(0), *of_norm]
            if number:
                d = (d @ self.layers[number][0]) * (self.inputs[number] > 0)
        return gradients
