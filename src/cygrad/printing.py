"""The printed form of tensors, as PyTorch's: all elements in one width, in lines of ``linewidth`` characters."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd.edges import node_name
from cygrad.config import default_float, follows_torch

__all__ = ["elements", "set_printoptions", "show", "with_extra"]

PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": float("inf"), "edgeitems": 3, "linewidth": 80},
}
OPTIONS: dict[str, Any] = {**PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed. As ``torch.set_printoptions``.

    Args:
        precision: the decimals of floats, initially 4.
        threshold: the number of elements from which a tensor is abbreviated, initially more than 1000.
        edgeitems: the elements at the beginning and end of a dimension that is abbreviated, initially 3.
        linewidth: characters per line, initially 80.
        profile: "default", "short" or "full": sets the other options, which then override it.
        sci_mode: whether floats have an exponent; None, the initial value, decides it from their range.

    Raises:
        ValueError: there is no such profile, or an option is not a number of at least 0.
    """
    if profile is not None and profile not in [*PROFILES]:
        raise ValueError(f"set_printoptions: profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if not isinstance(value, (int, float) if name == "threshold" else int) or not value >= 0:
            raise ValueError(f"set_printoptions: {name} must be a number of at least 0, got {value!r}")
    if sci_mode is not None and not isinstance(sci_mode, bool):
        raise ValueError(f"set_printoptions: sci_mode must be True, False or None, got {sci_mode!r}")
    OPTIONS.update(PROFILES.get(profile or "", {}), sci_mode=sci_mode)
    OPTIONS.update(given)


def show(tensor: Any) -> str:
    """Format a tensor as ``tensor([…])``, with its dtype unless it is a default one, and its ``grad_fn``."""
    array = tensor.array
    kind = type(tensor).__name__
    prefix = "tensor(" if kind in {"Tensor", "Parameter", "Buffer"} else f"{kind}("
    dtype = f"dtype={'torch.' if follows_torch() else ''}{array.dtype.name}"
    extra = []
    text = elements(array, len(prefix))
    if not array.size:
        if array.ndim != 1:
            extra.append(f"size={array.shape}")
        if array.dtype != default_float():
            extra.append(dtype)
    elif array.dtype.name not in {default_float().name, "int64", "bool"}:
        extra.append(dtype)
    if tensor.node is not None:
        name = node_name(tensor.node)
        extra.append(f"grad_fn=<{name}>" if follows_torch() else f"grad_fn=<{name} backward>")
    elif tensor.requires_grad:
        extra.append("requires_grad=True")
    return with_extra(prefix + text, extra, len(prefix))


def elements(array: Array, indent: int) -> str:
    """The elements in brackets, abbreviated if there are many; lines after the first begin after `indent` spaces."""
    if not array.size:
        return "[]"
    summarize = array.size > OPTIONS["threshold"]
    return lines(array, indent, summarize, *formatter(edges(array) if summarize else array))


def with_extra(text: str, extra: list[str], indent: int) -> str:
    """Append what is said of a tensor, each on a new line where the last one is full."""
    used = len(text) - text.rfind("\n") + 1
    for part in extra:
        if used + len(part) + 2 > OPTIONS["linewidth"]:
            text += ",\n" + " " * indent + part
            used = indent + len(part)
        else:
            text += ", " + part
            used += len(part) + 2
    return text + ")"


def lines(array: Array, indent: int, summarize: bool, form: Any, width: int) -> str:
    """The elements in brackets; one of several dimensions starts a new line for each of its parts."""
    if not array.ndim:
        return form(array.item())
    edge = OPTIONS["edgeitems"]
    cut = summarize and (not edge or len(array) > 2 * edge)
    kept = [*range(edge), *range(len(array) - edge, len(array))] if cut else range(len(array))
    if array.ndim > 1:
        parts = [lines(array[i], indent + 1, summarize, form, width) for i in kept]
        dots, apart = "...", "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    else:
        parts = [form(value) for value in (array[kept] if cut else array).tolist()]
        dots = " ..." if edge else "..."
    if cut:
        parts.insert(edge, dots)
    if array.ndim == 1:
        per_line = max(1, (OPTIONS["linewidth"] - indent) // (width + 2))
        parts = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
        apart = ",\n" + " " * (indent + 1)
    return f"[{apart.join(parts)}]"


def formatter(array: Array) -> Any:
    """The function that formats an element, and its width: floats that are integers as "1.", others with decimals, or
    with an exponent where the largest exceeds 10⁸ or is more than 1,000 times the smallest."""
    if array.dtype.kind != "f":
        width = max([len(str(value)) for value in array.ravel().tolist()], default=1)
        return lambda value: str(value).rjust(width), width
    values = array[np.isfinite(array) & (array != 0)].astype(np.float64)
    whole, exponent = bool((values == np.ceil(values)).all()), OPTIONS["sci_mode"]
    if not values.size:
        exponent = False
    elif exponent is None:
        least, most = np.abs(values).min(), np.abs(values).max()
        exponent = most / least > 1000 or most > 1e8 or (not whole and least < 1e-4)
    form = f"{{:.{OPTIONS['precision']}{'e' if exponent else 'f'}}}" if exponent or not whole else "{:.0f}."
    width = max([len(form.format(value)) for value in values.tolist()], default=1)
    return lambda value: (form.format(value) if np.isfinite(value) else str(value)).rjust(width), width


def edges(array: Array) -> Array:
    """The elements that are printed of an array that is abbreviated."""
    edge = OPTIONS["edgeitems"]
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * edge:
            ends = slice(edge), slice(array.shape[axis] - edge, None)
            array = np.concatenate([array[(slice(None),) * axis + (end,)] for end in ends], axis)
    return array
