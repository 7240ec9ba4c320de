"""The ops and functions that are methods of a tensor, and its operators: one table.

An op is a descriptor: as a class attribute it is a method. Type checkers read the stub that tools/make_stubs.py builds
from this table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad import functions
from cygrad.autograd import Value, engine
from cygrad.ops import activation, arithmetic, compare, index, linear, pointwise, reduce, shape, softmax
from cygrad.ops import view as _view  # noqa: F401 - for the engine

__all__ = ["TensorMethods"]

Method = Callable[..., Any]


def operator(op: Any) -> Method:
    """The op as a Python operator."""

    def method(self: Any, other: Any) -> Any:
        return op(self, other) if is_operand(other) else NotImplemented

    return method


def reflected(op: Any) -> Method:
    """The operator with its operands exchanged, as in 1 − x."""

    def method(self: Any, other: Any) -> Any:
        return op(other, self) if is_operand(other) else NotImplemented

    return method


def is_operand(other: Any) -> bool:
    return isinstance(other, (Value, float, int, np.ndarray, np.generic))


def in_place(op: Any) -> Method:
    """The op as a method that writes its result into the tensor."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return engine.rewrite(self, op(self, *args, **kwargs))

    method.__name__ = f"{op.__name__}_"
    method.__doc__ = f"In-place ``{op.__name__}``: writes the result into the tensor and returns the tensor."
    return method


class TensorMethods(Value):
    """The base class of a tensor: its operators, and the functions that are methods too."""

    __slots__ = ()
    __hash__ = object.__hash__  # a class that defines __eq__ loses it

    # Arithmetic

    __add__ = operator(arithmetic.add)
    __radd__ = reflected(arithmetic.add)
    __sub__ = operator(arithmetic.sub)
    __rsub__ = reflected(arithmetic.sub)
    __mul__ = operator(arithmetic.mul)
    __rmul__ = reflected(arithmetic.mul)
    __truediv__ = operator(arithmetic.div)
    __rtruediv__ = reflected(arithmetic.div)
    __floordiv__ = operator(arithmetic.floor_divide)
    __rfloordiv__ = reflected(arithmetic.floor_divide)
    __mod__ = operator(arithmetic.remainder)
    __rmod__ = reflected(arithmetic.remainder)
    __pow__ = operator(arithmetic.pow)
    __rpow__ = reflected(arithmetic.pow)
    __matmul__ = operator(linear.matmul)
    __rmatmul__ = reflected(linear.matmul)
    __neg__ = pointwise.neg
    __abs__ = pointwise.abs
    __eq__ = operator(compare.eq)
    __ne__ = operator(compare.ne)
    __lt__ = operator(compare.lt)
    __le__ = operator(compare.le)
    __gt__ = operator(compare.gt)
    __ge__ = operator(compare.ge)
    __and__ = operator(compare.bitwise_and)
    __rand__ = reflected(compare.bitwise_and)
    __or__ = operator(compare.bitwise_or)
    __ror__ = reflected(compare.bitwise_or)
    __xor__ = operator(compare.bitwise_xor)
    __rxor__ = reflected(compare.bitwise_xor)
    __invert__ = compare.bitwise_not
    __iadd__ = in_place(arithmetic.add)
    __isub__ = in_place(arithmetic.sub)
    __imul__ = in_place(arithmetic.mul)
    __itruediv__ = in_place(arithmetic.div)
    __ipow__ = in_place(arithmetic.pow)
    __ifloordiv__ = in_place(arithmetic.floor_divide)
    __imod__ = in_place(arithmetic.remainder)

    add, sub, mul, div, pow = arithmetic.add, arithmetic.sub, arithmetic.mul, arithmetic.div, arithmetic.pow
    subtract, multiply, divide, true_divide = sub, mul, div, div
    floor_divide, remainder, fmod = arithmetic.floor_divide, arithmetic.remainder, arithmetic.fmod
    maximum, minimum, clamp, clip = arithmetic.maximum, arithmetic.minimum, arithmetic.clamp, arithmetic.clamp
    lerp, atan2 = arithmetic.lerp, arithmetic.atan2
    add_, sub_, mul_, div_, pow_ = (
        in_place(add), in_place(sub), in_place(mul), in_place(div), in_place(pow)
    )  # fmt: skip
    clamp_, lerp_, remainder_ = in_place(clamp), in_place(lerp), in_place(remainder)

    # Elementwise functions

    neg, abs, sign, floor, ceil, trunc = (
        pointwise.neg, pointwise.abs, pointwise.sign, pointwise.floor, pointwise.ceil, pointwise.trunc
    )  # fmt: skip
    round, frac, nan_to_num = pointwise.round, pointwise.frac, pointwise.nan_to_num
    exp, log, sqrt, rsqrt, square = pointwise.exp, pointwise.log, pointwise.sqrt, pointwise.rsqrt, pointwise.square
    exp2, expm1, log1p, log2, log10 = (
        pointwise.exp2, pointwise.expm1, pointwise.log1p, pointwise.log2, pointwise.log10
    )  # fmt: skip
    reciprocal, erf = pointwise.reciprocal, pointwise.erf
    sin, cos, tan, asin, acos, atan = (
        pointwise.sin, pointwise.cos, pointwise.tan, pointwise.asin, pointwise.acos, pointwise.atan
    )  # fmt: skip
    sinh, cosh, asinh, acosh, atanh = (
        pointwise.sinh, pointwise.cosh, pointwise.asinh, pointwise.acosh, pointwise.atanh
    )  # fmt: skip
    relu, sigmoid, tanh = activation.relu, activation.sigmoid, activation.tanh
    relu_, sigmoid_, tanh_, exp_, sqrt_, neg_, abs_, log_ = (
        in_place(relu), in_place(sigmoid), in_place(tanh), in_place(exp), in_place(sqrt), in_place(neg),
        in_place(abs), in_place(log),
    )  # fmt: skip
    isnan, isinf, isfinite = compare.isnan, compare.isinf, compare.isfinite
    logical_not, logical_and = compare.logical_not, compare.logical_and
    logical_or, logical_xor = compare.logical_or, compare.logical_xor
    eq, ne, lt, le, gt, ge = compare.eq, compare.ne, compare.lt, compare.le, compare.gt, compare.ge
    softmax, log_softmax = softmax.softmax, softmax.log_softmax

    # Reductions

    sum, mean, prod, var, std = reduce.sum, reduce.mean, reduce.prod, reduce.var, reduce.std
    amax, amin, argmax, argmin = reduce.amax, reduce.amin, reduce.argmax, reduce.argmin
    all, any, count_nonzero = reduce.all, reduce.any, reduce.count_nonzero
    norm, logsumexp, cumsum, cumprod = reduce.norm, reduce.logsumexp, reduce.cumsum, reduce.cumprod
    max, min = functions.max, functions.min
    allclose, isclose, equal = functions.allclose, functions.isclose, functions.equal

    # Products

    matmul, mm, mv, bmm, dot, outer = (
        linear.matmul, functions.mm, functions.mv, functions.bmm, functions.dot, functions.outer
    )  # fmt: skip

    squeeze, unsqueeze, roll, diagonal = shape.squeeze, shape.unsqueeze, shape.roll, shape.diagonal
    repeat_interleave, tril, triu, diag = shape.repeat_interleave, shape.tril, shape.triu, shape.diag
    clone = shape.clone
    flatten, unflatten, transpose, swapaxes = (
        functions.flatten, functions.unflatten, functions.transpose, functions.swapaxes
    )  # fmt: skip
    t, movedim, split, chunk = functions.t, functions.movedim, functions.split, functions.chunk
    narrow, select, unbind, broadcast_to = functions.narrow, functions.select, functions.unbind, functions.broadcast_to
    numel = functions.numel

    gather, index_select = functions.gather, functions.index_select
    scatter, scatter_add = functions.scatter, functions.scatter_add

    masked_fill, masked_select = index.masked_fill, index.masked_select
    masked_fill_ = in_place(index.masked_fill)
    argsort, sort, topk = index.argsort, functions.sort, functions.topk
    take_along_dim = functions.take_along_dim
