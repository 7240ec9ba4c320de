"""The table of translations: one function an op, from the call to the name of its result (a list for several)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cygrad.integrations.onnx.graph import Call

__all__ = ["TRANSLATIONS", "AnyOp", "Translation", "elementwise", "pair", "translates"]

Translation = Callable[[Call], Any]
AnyOp = Callable[..., Any]  # to type checkers an op is the function that it is called as

TRANSLATIONS: dict[AnyOp, Translation] = {}


def translates(*ops: AnyOp) -> Callable[[Translation], Translation]:
    """Decorator that enters a translation for ops."""

    def enter(translation: Translation) -> Translation:
        for op in ops:
            TRANSLATIONS[op] = translation
        return translation

    return enter


def elementwise(kind: str) -> Translation:
    """The translation of an op of one operand that ONNX has under another name."""
    return lambda call: call.add(kind, call.name(0, call.dtype))


def pair(kind: str) -> Translation:
    """The translation of an op of two operands that ONNX has under another name."""

    def translation(call: Call) -> Any:
        (x, y), _ = call.common(0, 1)
        return call.add(kind, x, y)

    return translation
