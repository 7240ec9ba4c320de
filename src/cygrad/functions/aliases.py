"""Other names of functions, as PyTorch has them."""

from cygrad.functions import products, shapes
from cygrad.ops import arithmetic, compare, pointwise, view

__all__ = [
    "absolute",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "as_strided",
    "fix",
    "ger",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "moveaxis",
    "negative",
    "not_equal",
    "spmm",
    "swapdims",
    "unsafe_chunk",
    "unsafe_split",
]

absolute = pointwise.abs
arccos = pointwise.acos
arccosh = pointwise.acosh
arcsin = pointwise.asin
arcsinh = pointwise.asinh
arctan = pointwise.atan
arctan2 = arithmetic.atan2
arctanh = pointwise.atanh
negative = pointwise.neg
fix = pointwise.trunc
not_equal = compare.ne
less = compare.lt
less_equal = compare.le
greater = compare.gt
greater_equal = compare.ge
ger = products.outer
spmm = products.mm
moveaxis = shapes.movedim
swapdims = shapes.transpose
unsafe_chunk = shapes.chunk
unsafe_split = shapes.split
as_strided = view.as_strided
