"""Elementwise functions of one operand."""

from __future__ import annotations

import math
from typing import Any

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.arithmetic import truncate
from cygrad.integrations.onnx.translations.registry import TRANSLATIONS, translates, unary
from cygrad.ops import pointwise

for op, kind in {
    pointwise.sqrt: "Sqrt",
    pointwise.reciprocal: "Reciprocal",
    pointwise.exp: "Exp",
    pointwise.log: "Log",
    pointwise.erf: "Erf",
    pointwise.softsign: "Softsign",
    pointwise.sin: "Sin",
    pointwise.cos: "Cos",
    pointwise.tan: "Tan",
    pointwise.asin: "Asin",
    pointwise.acos: "Acos",
    pointwise.atan: "Atan",
    pointwise.sinh: "Sinh",
    pointwise.cosh: "Cosh",
    pointwise.asinh: "Asinh",
    pointwise.acosh: "Acosh",
    pointwise.atanh: "Atanh",
    pointwise.neg: "Neg",
    pointwise.abs: "Abs",
    pointwise.sign: "Sign",
}.items():
    TRANSLATIONS[op] = unary(kind)


@translates(pointwise.rsqrt)
def rsqrt(call: Call) -> Any:
    return call.add("Reciprocal", call.add("Sqrt", call.name(0, call.dtype)))


@translates(pointwise.square)
def square(call: Call) -> Any:
    x = call.name(0, call.dtype)
    return call.add("Mul", x, x)


@translates(pointwise.exp2)
def exp2(call: Call) -> Any:
    return call.add("Pow", call.scalar(2), call.name(0, call.dtype))


@translates(pointwise.expm1)
def expm1(call: Call) -> Any:
    return call.add("Sub", call.add("Exp", call.name(0, call.dtype)), call.scalar(1))


@translates(pointwise.log1p)
def log1p(call: Call) -> Any:
    return call.add("Log", call.add("Add", call.name(0, call.dtype), call.scalar(1)))


@translates(pointwise.log2, pointwise.log10)
def logarithm(call: Call) -> Any:
    base = 2 if call.op is pointwise.log2 else 10
    return call.add("Div", call.add("Log", call.name(0, call.dtype)), call.scalar(math.log(base)))


@translates(pointwise.floor, pointwise.ceil, pointwise.round, pointwise.trunc)
def round_to_integer(call: Call) -> Any:
    if call.dtype.kind != "f":
        return call.name()
    kinds = {pointwise.floor: "Floor", pointwise.ceil: "Ceil", pointwise.round: "Round"}
    return truncate(call, call.name()) if call.op is pointwise.trunc else call.add(kinds[call.op], call.name())


@translates(pointwise.frac)
def frac(call: Call) -> Any:
    return call.add("Sub", call.name(), truncate(call, call.name()))
