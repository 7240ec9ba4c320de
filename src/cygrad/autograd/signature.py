"""The signature of an op's call, from that of its forward function; tools/make_stubs.py has the same rules."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from inspect import Parameter
from typing import Any

__all__ = ["call_signature"]


class Annotation(str):
    """An annotation that is shown without quotes."""

    __repr__ = str.__str__


def call_signature(forward: Callable[..., Any]) -> inspect.Signature:
    """Drop ctx, replace arrays by tensors, and let options be passed by position or by name."""
    signature = inspect.signature(forward)
    parameters = list(signature.parameters.values())
    by_position = parameters[0].kind is Parameter.POSITIONAL_ONLY
    inputs: list[Parameter] = []
    options: list[Parameter] = []
    for parameter in parameters[1:]:
        kind = Parameter.POSITIONAL_ONLY if by_position else Parameter.POSITIONAL_OR_KEYWORD
        is_input = parameter.kind in (kind, Parameter.VAR_POSITIONAL)
        (inputs if is_input else options).append(with_tensors(parameter) if is_input else plain(parameter))
    if not any([p.kind is Parameter.VAR_POSITIONAL for p in inputs]):
        optional = [p.default is not Parameter.empty for p in inputs + options]
        if optional == sorted(optional):  # Python has no required parameter behind an optional one
            options = [p.replace(kind=Parameter.POSITIONAL_OR_KEYWORD) for p in options]
    return inspect.Signature([*inputs, *options], return_annotation=tensors(signature.return_annotation, "Tensor"))


def with_tensors(parameter: Parameter) -> Parameter:
    annotation = tensors(parameter.annotation, "Operand")
    if parameter.default is None and "None" not in annotation:
        annotation = Annotation(f"{annotation} | None")
    kind = parameter.kind if parameter.kind is Parameter.VAR_POSITIONAL else Parameter.POSITIONAL_OR_KEYWORD
    return parameter.replace(annotation=annotation, kind=kind)


def plain(parameter: Parameter) -> Parameter:
    return parameter.replace(annotation=Annotation(parameter.annotation))


def tensors(annotation: Any, operand: str) -> Annotation:
    """The annotation with Tensor in place of Array, and `operand` in place of Any."""
    return Annotation(re.sub(r"\bArray\b", "Tensor", re.sub(r"\bAny\b", operand, str(annotation))))
