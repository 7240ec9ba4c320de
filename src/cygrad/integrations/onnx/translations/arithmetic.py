"""Arithmetic with two operands."""

from __future__ import annotations

from typing import Any

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import TRANSLATIONS, binary, translates
from cygrad.ops import arithmetic

for op, kind in {
    arithmetic.mul: "Mul",
    arithmetic.pow: "Pow",
    arithmetic.maximum: "Max",
    arithmetic.minimum: "Min",
}.items():
    TRANSLATIONS[op] = binary(kind)


@translates(arithmetic.add, arithmetic.sub)
def sum_or_difference(call: Call) -> Any:
    (x, y), dtype = call.promoted(0, 1)
    alpha = call.options["alpha"]
    scaled = y if alpha == 1 else call.add("Mul", y, call.scalar(alpha, dtype))
    return call.add("Add" if call.op is arithmetic.add else "Sub", x, scaled)


def floor_quotient(call: Call, x: str, y: str, dtype: Any) -> Any:
    """⌊x/y⌋. ONNX rounds quotients of integers toward zero, so that the remainder, which has the divisor's sign, is
    subtracted first."""
    if dtype.kind == "f":
        return call.add("Floor", call.add("Div", x, y))
    return call.add("Div", call.add("Sub", x, call.add("Mod", x, y)), y)


@translates(arithmetic.div)
def div(call: Call) -> Any:
    mode = call.options["rounding_mode"]
    if mode is None:
        return call.add("Div", call.name(0, call.dtype), call.name(1, call.dtype))
    (x, y), dtype = call.promoted(0, 1)
    if mode == "floor":
        return floor_quotient(call, x, y, dtype)
    quotient = call.add("Div", x, y)
    return truncate(call, quotient) if dtype.kind == "f" else quotient


def truncate(call: Call, x: str) -> Any:
    """x rounded toward zero."""
    return call.add("Mul", call.add("Sign", x), call.add("Floor", call.add("Abs", x)))


@translates(arithmetic.floor_divide)
def floor_divide(call: Call) -> Any:
    (x, y), dtype = call.promoted(0, 1)
    return floor_quotient(call, x, y, dtype)


@translates(arithmetic.remainder)
def remainder(call: Call) -> Any:
    (x, y), dtype = call.promoted(0, 1)
    if dtype.kind != "f":
        return call.add("Mod", x, y)
    return call.add("Sub", x, call.add("Mul", y, floor_quotient(call, x, y, dtype)))


@translates(arithmetic.fmod)
def fmod(call: Call) -> Any:
    (x, y), _ = call.promoted(0, 1)
    return call.add("Mod", x, y, fmod=1)


@translates(arithmetic.where)
def where(call: Call) -> Any:
    return call.add("Where", call.name(0), call.name(1, call.dtype), call.name(2, call.dtype))


@translates(arithmetic.clamp)
def clamp(call: Call) -> Any:
    x = call.name(0, call.dtype)
    for position, kind in (1, "Max"), (2, "Min"):
        if call.has(position):
            x = call.add(kind, x, call.name(position, call.dtype))
    return x


@translates(arithmetic.hardtanh)
def hardtanh(call: Call) -> Any:
    low, high = (
        call.scalar(call.options.get(name, default)) for name, default in (("min_val", -1.0), ("max_val", 1.0))
    )
    return call.add("Min", call.add("Max", call.name(), low), high)


@translates(arithmetic.lerp)
def lerp(call: Call) -> Any:
    x, y, weight = (call.name(n, call.dtype) for n in range(3))
    return call.add("Add", x, call.add("Mul", weight, call.add("Sub", y, x)))
