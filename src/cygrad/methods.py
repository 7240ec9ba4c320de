"""The ops and functions that are methods of a tensor, and its operators: two tables of names, and a class.

An op is a descriptor: as a class attribute it is a method. Type checkers read the stub that tools/make_stubs.py builds
from the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from cygrad import functions
from cygrad.autograd import Value, engine
from cygrad.ops import arithmetic, compare, linear, pointwise
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


def product(op: Any) -> Method:
    """A product of matrices as a Python operator. As with NumPy, an array may have another dtype."""

    def method(self: Any, other: Any) -> Any:
        return op(*in_common(self, other)) if is_operand(other) else NotImplemented

    return method


def reflected_product(op: Any) -> Method:
    """The operator with its operands exchanged."""

    def method(self: Any, other: Any) -> Any:
        return op(*reversed(in_common(self, other))) if is_operand(other) else NotImplemented

    return method


def in_common(self: Any, other: Any) -> tuple[Any, Any]:
    """A tensor and an operand; an array of another dtype, and the tensor, in the dtype that both have in common."""
    if not isinstance(other, np.ndarray) or other.dtype == self.array.dtype or other.dtype.kind not in "biuf":
        return self, other
    common = np.promote_types(self.array.dtype, other.dtype)
    return self.to(common), other.astype(common)


def is_operand(other: Any) -> bool:
    return isinstance(other, (Value, float, int, np.ndarray, np.generic))


def in_place(op: Any) -> Method:
    """The op as a method that writes its result into the tensor."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return engine.rewrite(self, op(self, *args, **kwargs))

    method.__name__ = f"{op.__name__}_"
    method.__doc__ = f"In-place ``{op.__name__}``: writes the result into the tensor and returns the tensor."
    return method


# Functions that are methods under the same name
METHODS = """
softmax log_softmax maximum minimum isnan isinf isfinite allclose isclose equal
sum mean prod var std amax amin argmax argmin all any count_nonzero norm max min
matmul mm mv bmm dot outer
squeeze unsqueeze transpose swapaxes t roll diagonal repeat_interleave diag clone flatten unflatten movedim
split chunk narrow select unbind broadcast_to numel
gather index_select masked_select argsort sort topk take_along_dim
logsumexp logaddexp logaddexp2 frexp isneginf isposinf isreal positive rsub signbit
nonzero argwhere unique unique_consecutive bincount histc histogram
cdist corrcoef cov cross dist inner kron trace vdot ger
diag_embed diagflat dsplit fliplr flipud hsplit moveaxis ravel rot90 split_with_sizes swapdims tensor_split vsplit
aminmax cummax cummin diff kthvalue logcumsumexp median mode msort nanmean nanmedian nanquantile nansum quantile
diagonal_scatter select_scatter slice_scatter take as_strided as_strided_
apply_ map_ fill_diagonal_ new unfold is_set_to squeeze_ unsqueeze_ transpose_ swapaxes_ swapdims_ t_ resize_ resize_as_
bernoulli multinomial hardshrink prelu storage untyped_storage storage_type
bernoulli_ exponential_ geometric_ log_normal_ cauchy_ random_ ndimension nelement storage_offset share_memory_
pin_memory is_shared is_pinned is_conj is_neg is_inference is_complex is_signed is_same_size sum_to_size
get_device resolve_conj resolve_neg conj angle fmax fmin unsafe_chunk unsafe_split
cholesky cholesky_inverse cholesky_solve det inverse logdet matrix_exp matrix_power pinverse qr slogdet svd
lu lu_solve orgqr ormqr triangular_solve
"""

# Functions that are methods in two forms: ``add``, and ``add_``, which writes the result into the tensor
IN_PLACE = """
add sub mul div pow subtract multiply divide true_divide floor_divide remainder fmod clamp clip lerp atan2
neg abs sign floor ceil trunc round frac nan_to_num exp log sqrt rsqrt square exp2 expm1 log1p log2 log10 reciprocal erf
sin cos tan asin acos atan sinh cosh asinh acosh atanh relu sigmoid tanh
eq ne lt le gt ge logical_not logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_not
cumsum cumprod tril triu scatter scatter_add masked_fill
absolute arccos arccosh arcsin arcsinh arctan arctan2 arctanh negative fix
not_equal less less_equal greater greater_equal gcd lcm bitwise_left_shift bitwise_right_shift
copysign heaviside hypot nextafter xlogy addcdiv addcmul clamp_max clamp_min deg2rad float_power ldexp logit rad2deg sgn
sinc digamma erfc erfinv i0 igamma igammac lgamma mvlgamma polygamma addbmm addmm addmv addr baddbmm renorm
conj_physical index_add index_copy index_fill index_put index_reduce masked_scatter put scatter_reduce
"""


class FoundMethod:
    """A function as a method, found when it is first used; from then on the function itself is the attribute."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        name = self.name
        found = getattr(functions, name, None) or vars(import_module("cygrad.functions.only_methods")).get(name)
        setattr(TensorMethods, name, found or in_place(getattr(functions, name[:-1])))
        return getattr(owner if instance is None else instance, name)


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
    __matmul__ = product(linear.matmul)
    __rmatmul__ = reflected_product(linear.matmul)
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
    __lshift__ = operator(compare.bitwise_left_shift)
    __rlshift__ = reflected(compare.bitwise_left_shift)
    __rshift__ = operator(compare.bitwise_right_shift)
    __rrshift__ = reflected(compare.bitwise_right_shift)
    __iadd__ = in_place(arithmetic.add)
    __isub__ = in_place(arithmetic.sub)
    __imul__ = in_place(arithmetic.mul)
    __itruediv__ = in_place(arithmetic.div)
    __ipow__ = in_place(arithmetic.pow)
    __ifloordiv__ = in_place(arithmetic.floor_divide)
    __imod__ = in_place(arithmetic.remainder)
    __iand__ = in_place(compare.bitwise_and)
    __ior__ = in_place(compare.bitwise_or)
    __ixor__ = in_place(compare.bitwise_xor)
    __ilshift__ = in_place(compare.bitwise_left_shift)
    __irshift__ = in_place(compare.bitwise_right_shift)


for _name in (*METHODS.split(), *IN_PLACE.split()):
    setattr(TensorMethods, _name, vars(functions).get(_name) or FoundMethod(_name))
for _name in IN_PLACE.split():
    setattr(TensorMethods, f"{_name}_", FoundMethod(f"{_name}_"))
