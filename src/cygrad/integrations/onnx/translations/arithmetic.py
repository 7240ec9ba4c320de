"""Arithmetic of two operands."""

from __future__ import annotations

from typing import Any

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.table import TRANSLATIONS, pair, translates
from cygrad.ops import arithmetic

for op, kind in {
    arithmetic.mul: "Mul",
    arithmetic.pow: "Pow",
    arithmetic.maximum: "Max",
    arithmetic.minimum: "Min",
}.items():
    TRANSLATIONS[op] = pair(kind)


@translates(arithmetic.add, arithmetic.sub)
def sum_or_difference(call: Call) -> Any:
    (x, y), dtype = call.common(0, 1)
    alpha = call.options["alpha"]
    scaled = y if alpha == 1 else call.add("Mul", y, call.number(alpha, dtype))
    return call.add("Add" if call.op is arithmetic.add else "Sub", x, scaled)


def floor_quotient(call: Call, x: str, y: str, dtype: Any) -> Any:
    """⌊x/y⌋; of integers, which ONNX divides towards zero, by way of the remainder with the divisor's sign."""
    if dtype.kind == "f":
        return call.add("Floor", call.add("Div", x, y))
    return call.add("Div", call.add("Sub", x, call.add("Mod", x, y)), y)


@translates(arithmetic.div)
def div(call: Call) -> Any:
    mode = call.options["rounding_mode"]
    if mode is None:
        return call.add("Div", call.name(0, call.dtype), call.name(1, call.dtype))
    (x, y), dtype = call.common(0, 1)
    if mode == "floor":
        return floor_quotient(call, x, y, dtype)
    quotient = call.add("Div", x, y)
    return truncated(call, quotient) if dtype.kind == "f" else quotient


def truncated(call: Call, x: str) -> Any:
    """x without its fraction."""
    return call.add("Mul", call.add("Sign", x), call.add("Floor", call.add("Abs", x)))


@translates(arithmetic.floor_divide)
def floor_divide(call: Call) -> Any:
    (x, y), dtype = call.common(0, 1)
    return floor_quotient(call, x, y, dtype)


@translates(arithmetic.remainder)
def remainder(call: Call) -> Any:
    (x, y), dtype = call.common(0, 1)
    if dtype.kind != "f":
        return call.add("Mod", x, y)
    return call.add("Sub", x, call.add("Mul", y, floor_quotient(call, x, y, dtype)))


@translates(arithmetic.fmod)
def fmod(call: Call) -> Any:
    (x, y), _ = call.common(0, 1)
    return call.add("Mod", x, y, fmod=1)


@translates(arithmetic.where)
def where(call: Call) -> Any:
    return call.add("Where", call.name(0), call.name(1, call.dtype), call.name(2, call.dtype))


@translates(arithmetic.clamp)
def clamp(call: Call) -> Any:
    x = call.name(0, call.dtype)
    for number, kind in (1, "Max"), (2, "Min"):
        if call.given(number):
            x = call.add(kind, x, call.name(number, call.dtype))
    return x


@translates(arithmetic.lerp)
def lerp(call: Call) -> Any:
    x, y, weight = (call.name(n, call.dtype) for n in range(3))
    return call.add("Add", x, call.add("Mul", weight, call.add("Sub", y, x)))
