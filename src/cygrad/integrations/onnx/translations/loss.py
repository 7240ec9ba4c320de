"""Losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import TRANSLATIONS, AnyOp, binary, translates
from cygrad.ops import loss

TRANSLATIONS[loss.weighted] = binary("Mul")

REDUCTIONS = {"mean": "ReduceMean", "sum": "ReduceSum"}


def elementwise(op: AnyOp) -> Callable[[Callable[[Call, str, str], str]], None]:
    """Decorator that registers the formula of an elementwise loss of x and t, which is then reduced."""

    def register(formula: Callable[[Call, str, str], str]) -> None:
        def translation(call: Call) -> Any:
            (x, t), _ = call.promoted(0, 1)
            return reduce_losses(call, formula(call, x, t))

        TRANSLATIONS[op] = translation

    return register


def reduce_losses(call: Call, y: str) -> Any:
    """Losses after the call's reduction: "mean", "sum" or "none"."""
    kind = REDUCTIONS.get(call.options["reduction"])
    return y if kind is None else call.add(kind, y, keepdims=0)


@elementwise(loss.mse_loss)
def mse_loss(call: Call, x: str, t: str) -> str:
    return square(call, call.add("Sub", x, t))


@elementwise(loss.l1_loss)
def l1_loss(call: Call, x: str, t: str) -> str:
    return str(call.add("Abs", call.add("Sub", x, t)))


@elementwise(loss.smooth_l1_loss)
def smooth_l1_loss(call: Call, x: str, t: str) -> str:
    """½d²/p where |d| < p, else |d| − ½p"""
    p = call.options["parameter"]
    size = call.add("Abs", call.add("Sub", x, t))
    near = call.add("Mul", square(call, size), call.scalar(0.5 / p))
    return str(call.add("Where", call.add("Less", size, call.scalar(p)), near, add_number(call, size, -0.5 * p)))


@elementwise(loss.huber_loss)
def huber_loss(call: Call, x: str, t: str) -> str:
    """½d² where |d| ≤ p, else p·(|d| − ½p)"""
    p = call.options["parameter"]
    size = call.add("Abs", call.add("Sub", x, t))
    near = call.add("Mul", square(call, size), call.scalar(0.5))
    far = call.add("Mul", add_number(call, size, -0.5 * p), call.scalar(p))
    return str(call.add("Where", call.add("LessOrEqual", size, call.scalar(p)), near, far))


@elementwise(loss.bce_loss)
def bce_loss(call: Call, x: str, t: str) -> str:
    """−t·log x − (1 − t)·log(1 − x), with logarithms clamped to at least −100"""
    terms = []
    for probability, target in (x, t), (complement(call, x), complement(call, t)):
        logarithm = call.add("Max", call.add("Log", probability), call.scalar(-100))
        terms.append(call.add("Mul", target, logarithm))
    return str(call.add("Neg", call.add("Add", *terms)))


@elementwise(loss.bce_logits_loss)
def bce_logits_loss(call: Call, x: str, t: str) -> str:
    """max(x, 0) − x·t + log(1 + e^−|x|)"""
    smooth = call.add("Softplus", call.add("Neg", call.add("Abs", x)))
    return str(call.add("Add", call.add("Sub", call.add("Relu", x), call.add("Mul", x, t)), smooth))


@elementwise(loss.kl_div)
def kl_div(call: Call, x: str, t: str) -> str:
    """t·(log t − x), and 0 for t = 0"""
    zero = call.scalar(0)
    positive = call.add("Greater", t, zero)
    logarithm = call.add("Log", call.add("Where", positive, t, call.scalar(1)))
    return str(call.add("Where", positive, call.add("Mul", t, call.add("Sub", logarithm, x)), zero))


@elementwise(loss.kl_div_log)
def kl_div_log(call: Call, x: str, t: str) -> str:
    return str(call.add("Mul", call.add("Exp", t), call.add("Sub", t, x)))


def square(call: Call, x: str) -> str:
    return str(call.add("Mul", x, x))


def add_number(call: Call, x: str, number: float) -> str:
    return str(call.add("Add", x, call.scalar(number)))


def complement(call: Call, x: str) -> str:
    """1 − x"""
    return str(call.add("Sub", call.scalar(1), x))


@translates(loss.nll_loss)
def nll_loss(call: Call) -> Any:
    return class_loss(call, "NegativeLogLikelihoodLoss")


@translates(loss.cross_entropy_classes)
def cross_entropy_classes(call: Call) -> Any:
    if call.options["label_smoothing"]:
        call.refuse("with label smoothing")
    return class_loss(call, "SoftmaxCrossEntropyLoss")


def class_loss(call: Call, kind: str) -> Any:
    """ONNX's own loss of class indices (N)."""
    if call.tensor().ndim < 2:
        call.refuse("for scores without a batch axis")
    inputs = [call.name(n) for n in range(3) if call.has(n)]
    ignored, reduction = int(call.options["ignore_index"]), call.options["reduction"]
    return call.add(kind, *inputs, ignore_index=ignored, reduction=reduction)


@translates(loss.cross_entropy_soft)
def cross_entropy_soft(call: Call) -> Any:
    """−Σ w·t·log softmax(x) over the classes, averaged over the rows."""
    if call.options["label_smoothing"]:
        call.refuse("with label smoothing")
    if call.tensor().ndim != 2:
        call.refuse("for scores of another shape than (N, C)")
    (x, t), _ = call.promoted(0, 1)
    targets = call.add("Mul", t, call.name(2)) if call.has(2) else t
    terms = call.add("Mul", targets, call.add("LogSoftmax", x, axis=1))
    y = call.add("Neg", call.add("ReduceSum", terms, call.integers(1), keepdims=0))
    return reduce_losses(call, y)
