"""Optimizer steps, in place, on lists of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["adagrad", "adam", "rmsprop", "sgd"]


def directions(p: Any, g: Any, weight_decay: Any, maximize: Any) -> Any:
    """d = ±∇ + weight_decay·p, in float64."""
    sign = -1.0 if maximize else 1.0
    return [sign * gradient.astype(np.float64) + weight_decay * x for x, gradient in zip(p, g)]


def sgd(
    p: Any,
    g: Any,
    b: Any,
    step: Any,
    lr: Any,
    momentum: Any,
    dampening: Any,
    weight_decay: Any,
    nesterov: Any,
    maximize: Any,
) -> Any:
    """b ← momentum·b + (1 − dampening)·d, b = d in step 1; p ← p − lr·(d + momentum·b or b)"""
    for i, d in enumerate(directions(p, g, weight_decay, maximize)):
        if b is not None:
            b[i][...] = d if step == 1 else momentum * b[i] + (1 - dampening) * d
            d = d + momentum * b[i] if nesterov else b[i]
        p[i][...] = p[i] - lr * d


def adam(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    largest: Any,
    step: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    eps: Any,
    weight_decay: Any,
    decoupled: Any,
    maximize: Any,
) -> Any:
    """p ← p − lr·m̂/(√v̂ + eps), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ)"""
    for i, d in enumerate(directions(p, g, 0 if decoupled else weight_decay, maximize)):
        kept = p[i] * (1 - lr * weight_decay if decoupled else 1.0)
        m[i][...] = beta1 * m[i] + (1 - beta1) * d
        v[i][...] = beta2 * v[i] + (1 - beta2) * d * d
        square = v[i]
        if largest is not None:
            square = largest[i][...] = np.maximum(largest[i], v[i])
        root = np.sqrt(square.astype(np.float64) / (1 - beta2**step)) + eps
        p[i][...] = kept - lr / (1 - beta1**step) * m[i] / root


def rmsprop(
    p: Any,
    g: Any,
    s: Any,
    c: Any,
    b: Any,
    lr: Any,
    alpha: Any,
    eps: Any,
    weight_decay: Any,
    momentum: Any,
    maximize: Any,
) -> Any:
    """p ← p − lr·d/(√(s − c²) + eps), or p ← p − lr·b with b ← momentum·b + d/(√(s − c²) + eps)"""
    for i, d in enumerate(directions(p, g, weight_decay, maximize)):
        s[i][...] = alpha * s[i] + (1 - alpha) * d * d
        square = s[i].astype(np.float64)
        if c is not None:
            c[i][...] = alpha * c[i] + (1 - alpha) * d
            square -= c[i].astype(np.float64) ** 2
        move = d / (np.sqrt(square) + eps)
        if b is not None:
            move = b[i][...] = momentum * b[i] + move
        p[i][...] = p[i] - lr * move


def adagrad(
    p: Any, g: Any, s: Any, step: Any, lr: Any, lr_decay: Any, eps: Any, weight_decay: Any, maximize: Any
) -> Any:
    """s ← s + d², p ← p − lr/(1 + (step − 1)·lr_decay)·d/(√s + eps)"""
    lr = lr / (1 + (step - 1) * lr_decay)
    for i, d in enumerate(directions(p, g, weight_decay, maximize)):
        s[i][...] = s[i] + d * d
        p[i][...] = p[i] - lr * d / (np.sqrt(s[i].astype(np.float64)) + eps)
