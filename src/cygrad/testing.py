"""Comparisons for tests. As ``torch.testing``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cygrad.tensor import Tensor

__all__ = ["assert_close"]

TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # rtol and atol of PyTorch


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless |actual − expected| ≤ atol + rtol·|expected| everywhere.

    Args:
        actual, expected: tensors, arrays, numbers, or sequences or mappings of these.
        rtol, atol: the tolerances, by default those of PyTorch for the dtype; both or none.
        equal_nan: NaN equals NaN.
        check_dtype: the dtypes must be equal too.
        check_stride: the strides must be equal too.
        msg: the message of the error, or a function of it.
        allow_subclasses, check_device, check_layout: accepted, without effect.

    Raises:
        AssertionError: they differ.
        ValueError: only one of rtol and atol is given.
    """
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close: rtol and atol must both be given, or none")
    problem = difference(actual, expected, rtol, atol, equal_nan, check_dtype, check_stride)
    if problem:
        raise AssertionError(msg(problem) if callable(msg) else msg or problem)


def difference(actual: Any, expected: Any, *options: Any) -> str:
    """How two values differ, "" if they do not."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if actual.keys() != expected.keys():
            return f"the keys differ: {sorted(map(str, actual))} and {sorted(map(str, expected))}"
        pairs = [(f"[{key!r}]", actual[key], expected[key]) for key in expected]
    elif isinstance(expected, Sequence) and isinstance(actual, Sequence):
        if len(actual) != len(expected):
            return f"the lengths differ: {len(actual)} and {len(expected)}"
        pairs = [(f"[{i}]", a, b) for i, (a, b) in enumerate(zip(actual, expected))]
    else:
        return array_difference(actual, expected, *options)
    found = [(place, difference(a, b, *options)) for place, a, b in pairs]
    return next((f"{place}: {text}" for place, text in found if text), "")


def array_difference(
    actual: Any, expected: Any, rtol: Any, atol: Any, equal_nan: bool, check_dtype: bool, check_stride: bool
) -> str:
    """How two tensors, arrays or numbers differ, "" if they do not."""
    a, b = (np.asarray(v.array if isinstance(v, Tensor) else v) for v in (actual, expected))
    if a.shape != b.shape:
        return f"the shapes differ: {a.shape} and {b.shape}"
    if check_dtype and a.dtype != b.dtype:
        return f"the dtypes differ: {a.dtype} and {b.dtype}"
    if check_stride and a.strides != b.strides:
        return f"the strides differ: {a.strides} and {b.strides}"
    if rtol is None:
        pairs = [TOLERANCES.get(v.dtype.name, (0.0, 0.0)) for v in (a, b)]
        rtol, atol = (max(values) for values in zip(*pairs))
    with np.errstate(all="ignore"):
        if "f" in (a.dtype.kind, b.dtype.kind):
            a, b = a.astype(np.float64), b.astype(np.float64)
        close = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan) if rtol or atol else a == b
    if np.all(close):
        return ""
    place = tuple(int(i) for i in np.argwhere(~close)[0]) if a.ndim else ()
    return (
        f"{np.count_nonzero(~close)} of {close.size} elements are not close (rtol {rtol:g}, atol {atol:g}); "
        f"at {place}: {a[place]!r} and {b[place]!r}"
    )
