"""Comparisons and logic."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import TRANSLATIONS, binary, translates
from cygrad.ops import compare

for op, kind in {
    compare.eq: "Equal",
    compare.lt: "Less",
    compare.le: "LessOrEqual",
    compare.gt: "Greater",
    compare.ge: "GreaterOrEqual",
}.items():
    TRANSLATIONS[op] = binary(kind)


@translates(compare.ne)
def ne(call: Call) -> Any:
    return call.add("Not", binary("Equal")(call))


@translates(compare.logical_and, compare.logical_or, compare.logical_xor)
def logic(call: Call) -> Any:
    kinds = {compare.logical_and: "And", compare.logical_or: "Or", compare.logical_xor: "Xor"}
    return call.add(kinds[call.op], call.name(0, np.bool_), call.name(1, np.bool_))


@translates(compare.bitwise_and, compare.bitwise_or, compare.bitwise_xor)
def bits(call: Call) -> Any:
    (x, y), dtype = call.promoted(0, 1)
    kinds = {compare.bitwise_and: "And", compare.bitwise_or: "Or", compare.bitwise_xor: "Xor"}
    if dtype.kind != "b" and call.graph.opset < 18:
        call.refuse("for integers before opset 18")
    return call.add(kinds[call.op] if dtype.kind == "b" else f"Bitwise{kinds[call.op]}", x, y)


@translates(compare.logical_not)
def logical_not(call: Call) -> Any:
    return call.add("Not", call.name(0, np.bool_))


@translates(compare.bitwise_not)
def bitwise_not(call: Call) -> Any:
    if call.dtype.kind == "b":
        return call.add("Not", call.name())
    if call.graph.opset < 18:
        call.refuse("for integers before opset 18")
    return call.add("BitwiseNot", call.name())


@translates(compare.isnan, compare.isinf, compare.isfinite)
def special_values(call: Call) -> Any:
    dtype = call.tensor().dtype
    x = call.name(0, dtype if dtype.kind == "f" else np.float32)
    if call.op is not compare.isfinite:
        return call.add("IsNaN" if call.op is compare.isnan else "IsInf", x)
    return call.add("Not", call.add("Or", call.add("IsNaN", x), call.add("IsInf", x)))
