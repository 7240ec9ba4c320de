"""Losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.table import TRANSLATIONS, AnyOp, translates
from cygrad.ops import loss

REDUCTIONS = {"mean": "ReduceMean", "sum": "ReduceSum"}


def pointwise(op: AnyOp) -> Callable[[Callable[[Call, str, str], str]], None]:
    """Decorator that enters the formula of a loss of single numbers x and t, which is then reduced."""

    def enter(formula: Callable[[Call, str, str], str]) -> None:
        def translation(call: Call) -> Any:
            (x, t), _ = call.common(0, 1)
            return reduced(call, formula(call, x, t))

        TRANSLATIONS[op] = translation

    return enter


def reduced(call: Call, y: str) -> Any:
    """The mean or the sum of losses, or themselves, as the call says."""
    kind = REDUCTIONS.get(call.options["reduction"])
    return y if kind is None else call.add(kind, y, keepdims=0)


@pointwise(loss.mse_loss)
def mse_loss(call: Call, x: str, t: str) -> str:
    return square(call, call.add("Sub", x, t))


@pointwise(loss.l1_loss)
def l1_loss(call: Call, x: str, t: str) -> str:
    return str(call.add("Abs", call.add("Sub", x, t)))


@pointwise(loss.smooth_l1_loss)
def smooth_l1_loss(call: Call, x: str, t: str) -> str:
    """½d²/p where |d| < p, else |d| − ½p"""
    p = call.options["parameter"]
    size = call.add("Abs", call.add("Sub", x, t))
    near = call.add("Mul", square(call, size), call.number(0.5 / p))
    return str(call.add("Where", call.add("Less", size, call.number(p)), near, offset(call, size, -0.5 * p)))


@pointwise(loss.huber_loss)
def huber_loss(call: Call, x: str, t: str) -> str:
    """½d² where |d| ≤ p, else p·(|d| − ½p)"""
    p = call.options["parameter"]
    size = call.add("Abs", call.add("Sub", x, t))
    near = call.add("Mul", square(call, size), call.number(0.5))
    far = call.add("Mul", offset(call, size, -0.5 * p), call.number(p))
    return str(call.add("Where", call.add("LessOrEqual", size, call.number(p)), near, far))


@pointwise(loss.bce_loss)
def bce_loss(call: Call, x: str, t: str) -> str:
    """−t·log x − (1 − t)·log(1 − x), logarithms at least −100"""
    parts = []
    for probability, share in (x, t), (other(call, x), other(call, t)):
        logarithm = call.add("Max", call.add("Log", probability), call.number(-100))
        parts.append(call.add("Mul", share, logarithm))
    return str(call.add("Neg", call.add("Add", *parts)))


@pointwise(loss.bce_logits_loss)
def bce_logits_loss(call: Call, x: str, t: str) -> str:
    """max(x, 0) − x·t + log(1 + e^−|x|)"""
    smooth = call.add("Softplus", call.add("Neg", call.add("Abs", x)))
    return str(call.add("Add", call.add("Sub", call.add("Relu", x), call.add("Mul", x, t)), smooth))


@pointwise(loss.kl_div)
def kl_div(call: Call, x: str, t: str) -> str:
    """t·(log t − x), 0 where t is"""
    zero = call.number(0)
    there = call.add("Greater", t, zero)
    logarithm = call.add("Log", call.add("Where", there, t, call.number(1)))
    return str(call.add("Where", there, call.add("Mul", t, call.add("Sub", logarithm, x)), zero))


@pointwise(loss.kl_div_log)
def kl_div_log(call: Call, x: str, t: str) -> str:
    return str(call.add("Mul", call.add("Exp", t), call.add("Sub", t, x)))


def square(call: Call, x: str) -> str:
    return str(call.add("Mul", x, x))


def offset(call: Call, x: str, number: float) -> str:
    return str(call.add("Add", x, call.number(number)))


def other(call: Call, x: str) -> str:
    """1 − x"""
    return str(call.add("Sub", call.number(1), x))


@translates(loss.nll_loss)
def nll_loss(call: Call) -> Any:
    return by_classes(call, "NegativeLogLikelihoodLoss")


@translates(loss.cross_entropy_classes)
def cross_entropy_classes(call: Call) -> Any:
    if call.options["label_smoothing"]:
        call.refuse("with label smoothing")
    return by_classes(call, "SoftmaxCrossEntropyLoss")


def by_classes(call: Call, kind: str) -> Any:
    """ONNX's own, for a class number a row."""
    if call.tensor().ndim < 2:
        call.refuse("for scores without an axis of rows")
    inputs = [call.name(n) for n in range(3) if call.given(n)]
    ignored, reduction = int(call.options["ignore_index"]), call.options["reduction"]
    return call.add(kind, *inputs, ignore_index=ignored, reduction=reduction)


@translates(loss.cross_entropy_soft)
def cross_entropy_soft(call: Call) -> Any:
    """−Σ w·t·log softmax(x) over the classes; the mean is over the rows."""
    if call.options["label_smoothing"]:
        call.refuse("with label smoothing")
    if call.tensor().ndim != 2:
        call.refuse("for scores that are not (N, C)")
    (x, t), _ = call.common(0, 1)
    shares = call.add("Mul", t, call.name(2)) if call.given(2) else t
    terms = call.add("Mul", shares, call.add("LogSoftmax", x, axis=1))
    y = call.add("Neg", call.add("ReduceSum", terms, call.integers(1), keepdims=0))
    return reduced(call, y)
