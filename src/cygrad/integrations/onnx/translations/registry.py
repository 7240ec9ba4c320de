"""The registry of translations: a function per op, from its call to the name of the result (or a list of names)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cygrad.integrations.onnx.graph import Call

__all__ = ["TRANSLATIONS", "AnyOp", "Translation", "binary", "translates", "unary"]

Translation = Callable[[Call], Any]
AnyOp = Callable[..., Any]  # to type checkers an op is the function that it is called as

TRANSLATIONS: dict[AnyOp, Translation] = {}


def translates(*ops: AnyOp) -> Callable[[Translation], Translation]:
    """Decorator that registers a translation of ops."""

    def register(translation: Translation) -> Translation:
        for op in ops:
            TRANSLATIONS[op] = translation
        return translation

    return register


def unary(kind: str) -> Translation:
    """The translation of an op with one operand to the ONNX operator `kind`."""
    return lambda call: call.add(kind, call.name(0, call.dtype))


def binary(kind: str) -> Translation:
    """The translation of an op with two operands to the ONNX operator `kind`."""

    def translation(call: Call) -> Any:
        (x, y), _ = call.promoted(0, 1)
        return call.add(kind, x, y)

    return translation
