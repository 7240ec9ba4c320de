"""Every function of two operands, by pairs of dtypes: tensors, tensors without dimensions, Python's and NumPy's numbers. The dtype of
the result, its values, or the class of the error are PyTorch's."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
NUMBERS = {"True": True, "2": 2, "1.5": 1.5}
FUNCTIONS = [
    "add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "pow", "maximum", "minimum", "fmax", "fmin", "atan2", "hypot", "logaddexp", "logaddexp2",
    "xlogy", "copysign", "nextafter", "gcd", "lcm", "heaviside", "eq", "ne", "lt", "le", "gt", "ge", "isclose", "logical_and", "logical_or", "logical_xor",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "rsub", "float_power", "true_divide", "ldexp", "result_type",
    "matmul", "dot", "cat", "stack", "isin", "dist", "outer", "cross", "inner", "kron", "tensordot", "vdot", "equal", "allclose",
]  # fmt: skip
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "<", "<=", "==", "!=", "&", "|", "^", "<<", ">>", "@"]
LAMBDAS = {
    "where": "T.where(T.tensor([True, False, True]), a, b)", "clamp_min": "a.clamp(min=b)", "clamp_max": "T.clamp(a, max=b)", "clamp_both": "T.clamp(a, b, b)", "lerp": "T.lerp(a, b, 0.5)", "lerp_weight": "T.lerp(a, a, b)",
    "addcmul": "T.addcmul(a, b, b)", "addcdiv": "T.addcdiv(a, b, b)", "add_alpha": "T.add(a, b, alpha=2)", "add_alpha_float": "T.add(a, b, alpha=1.5)", "sub_alpha": "T.sub(a, b, alpha=2)", "div_floor": "T.div(a, b, rounding_mode='floor')", "div_trunc": "T.div(a, b, rounding_mode='trunc')",
    "masked_fill": "a.masked_fill(T.tensor([True, False, True]), b)", "fill_": "a.clone().fill_(b)", "full_like": "T.full_like(a, b)", "new_full": "a.new_full((2,), b)", "index_fill": "a.index_fill(0, T.tensor([0]), b)",
    "setitem": "(c := a.clone()).__setitem__(slice(0, 3), b) or c", "copy_": "a.clone().copy_(b)", "type_as": "a.type_as(b)", "einsum": "T.einsum('i,i->', a, b)",
    "addmv": "T.addmv(a, b.expand(3, 3), b)",

    "bucketize": "T.bucketize(a, b)", "searchsorted": "T.searchsorted(b, a)", "renorm": "a.dist(b)", "hstack": "T.hstack([a, b])",
    "bmm": "T.bmm(a.reshape(1, 1, 3), b.reshape(1, 3, 1))", "mv": "T.mv(a.expand(3, 3), b)",
}  # fmt: skip
CASES = (
    {f: f"T.{f}(a, b)" for f in FUNCTIONS if f not in ("cat", "stack")}
    | {f: f"T.{f}([a, b])" for f in ("cat", "stack")}
    | {f"a {o} b": f"a {o} b" for o in OPERATORS}
    | {f"a {o}= b": f"in_place(a, '{o}', b)" for o in OPERATORS if o not in ("<", "<=", "==", "!=", "@")}
    | {f"{m}_": f"a.clone().{m}_(b)" for m in ("atan2", "copysign", "fmod", "logical_and", "xlogy", "true_divide", "gcd", "eq", "lt", "clamp_min", "nextafter", "hypot", "floor_divide", "logical_xor", "ldexp")}
    | LAMBDAS
)  # fmt: skip

PROMOTED = {"isclose", "allclose", "lerp", "lerp_weight", "addmv", "cross", "isin"}  # PyTorch refuses operands of unequal dtypes


def in_place(a, operator, b):
    names = {"a": a.clone(), "b": b}
    exec(f"a {operator}= b", names)
    return names["a"]


def operands(kind, dtype, T, first):
    """One operand of a kind, in both libraries from the same numbers."""
    values = np.array([3, 1, 2] if first else [1, 2, 3]).astype(dtype)
    if kind == "tensor":
        return T.from_numpy(values.copy())
    if kind == "0-d":
        return T.from_numpy(values[:1].copy()).reshape(())
    if kind == "numpy":
        return values[1]
    return NUMBERS[dtype]


def pairs():
    """Kinds and dtypes of two operands. PyTorch takes np.bool_ for a float, which is left out."""
    for a, b in itertools.product(DTYPES, DTYPES):
        for first, second in (("tensor", "tensor"), ("tensor", "0-d"), ("0-d", "tensor"), ("0-d", "0-d"), ("tensor", "numpy"), ("numpy", "tensor")):
            if (first, a) == ("numpy", "bool") or (second, b) == ("numpy", "bool"):
                continue
            yield first, a, second, b
    for a, number in itertools.product(DTYPES, NUMBERS):
        for kind in ("tensor", "0-d"):
            yield kind, a, "number", number
            yield "number", number, kind, a


def outcome(expression, T, pair):
    first, a, second, b = pair
    try:
        y = eval(expression, {"T": T, "a": operands(first, a, T, True), "b": operands(second, b, T, False), "in_place": in_place})
    except (RuntimeError, TypeError, ValueError, IndexError, ZeroDivisionError, NotImplementedError, AttributeError) as error:
        return type(error), str(error)
    if hasattr(y, "numpy"):
        return str(y.dtype).removeprefix("torch."), y.numpy()
    if isinstance(y, (torch.dtype, np.dtype)):
        return "dtype", str(y).removeprefix("torch.")
    return type(y).__name__, np.asarray(y) if isinstance(y, (bool, int, float, np.generic)) else str(y).removeprefix("torch.")


def is_limit(name, pair, theirs):
    """Whether PyTorch has merely not written a kernel, takes no number here, or wants equal dtypes where we promote."""
    if name in PROMOTED and theirs[0] is RuntimeError:
        return True
    return theirs[0] in (NotImplementedError, AttributeError) or (theirs[0] is TypeError and not {"number", "numpy"}.isdisjoint(pair))


def differences(name):
    expression, found = CASES[name], []
    for pair in pairs():
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            ours, theirs = outcome(expression, cg, pair), outcome(expression, torch, pair)
        if isinstance(theirs[0], type) or isinstance(ours[0], type):
            same = isinstance(theirs[0], type) and ((isinstance(ours[0], type) and issubclass(ours[0], theirs[0])) or is_limit(name, pair, theirs))
        elif ours[0] != theirs[0]:
            same = False
        elif isinstance(theirs[1], np.ndarray):
            tolerance = 4e-3 if theirs[1].dtype == np.float16 else 2e-6
            same = ours[1].shape == theirs[1].shape and np.allclose(np.asarray(ours[1], float), np.asarray(theirs[1], float), rtol=tolerance, atol=tolerance, equal_nan=True)
        else:
            same = ours[1] == theirs[1]
        if not same:
            found.append((pair, ours, theirs))
    return found


@pytest.mark.parametrize("name", CASES)
def test_dtypes_values_and_errors_are_pytorchs(name):
    found = differences(name)
    assert not found, f"{len(found)} pairs differ: " + "\n".join(map(str, found[:5]))
