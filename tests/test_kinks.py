"""Kinks, ties and degenerate points: every function there has PyTorch's values, signs of zero and gradients."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

import cygrad as cg

INF, NAN = np.inf, np.nan
POINTS = [-INF, -7.0, -6.0, -1.5, -1.0, -0.5, -1e-40, -0.0, 0.0, 1e-40, 0.5, 1.0, 1.5, 2.0, 6.0, 7.0, 25.0, INF, NAN]
FEW = [-INF, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, INF, NAN]

UNARY = {
    **{
        name: lambda m, x, name=name: getattr(m, name)(x)
        for name in (
            "abs",
            "neg",
            "sign",
            "sqrt",
            "rsqrt",
            "square",
            "reciprocal",
            "exp",
            "exp2",
            "expm1",
            "log",
            "log1p",
            "log2",
            "log10",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "acosh",
            "atanh",
            "erf",
            "floor",
            "ceil",
            "trunc",
            "round",
            "frac",
            "sigmoid",
            "relu",
            "nan_to_num",
        )
    },
    **{
        f"F.{name}": lambda m, x, name=name: getattr(m.nn.functional, name)(x)
        for name in (
            "relu",
            "leaky_relu",
            "elu",
            "selu",
            "silu",
            "mish",
            "logsigmoid",
            "softplus",
            "hardtanh",
            "relu6",
            "sigmoid",
            "tanh",
        )
    },
    # PyTorch's erf loses its digits in the tail, and its GELU NaN at ∞.
    "gelu": lambda m, x: m.nn.functional.gelu(x.clamp(-2.0, 30.0)),
    "gelu_tanh": lambda m, x: m.nn.functional.gelu(x.clamp(-2.0, 30.0), approximate="tanh"),
    "softsign": lambda m, x: m.nn.functional.softsign(x.clamp(-50.0, 50.0)),  # PyTorch's gradient at ∞ is NaN
    "leaky_relu(0)": lambda m, x: m.nn.functional.leaky_relu(x, 0.0),
    "leaky_relu(-1)": lambda m, x: m.nn.functional.leaky_relu(x, -1.0),
    "elu(2)": lambda m, x: m.nn.functional.elu(x, 2.0),
    "softplus(2, 1)": lambda m, x: m.nn.functional.softplus(x, 2.0, 1.0),
    "hardtanh(0, 0.5)": lambda m, x: m.nn.functional.hardtanh(x, 0.0, 0.5),
    "clamp(0, 0)": lambda m, x: x.clamp(0.0, 0.0),
    "clamp(-1, 1)": lambda m, x: x.clamp(-1.0, 1.0),
    "clamp(min=0)": lambda m, x: x.clamp(min=0.0),
    "clamp(max=1)": lambda m, x: x.clamp(max=1.0),
    "clamp(1, -1)": lambda m, x: x.clamp(1.0, -1.0),
    "clamp(nan)": lambda m, x: x.clamp(min=NAN),
    **{f"pow({p})": lambda m, x, p=p: x**p for p in (0, 0.0, 0.5, 1, 2, 2.0, 3, -1, -0.5, INF, -INF, NAN)},
    **{f"pow(tensor {p})": lambda m, x, p=p: x ** m.tensor(p).double() for p in (0, 0.5, 1, 2, 3, -1, -0.5, INF, NAN)},
    **{f"rpow({p})": lambda m, x, p=p: p**x for p in (0.0, 0.5, 1.0, 2.0, -1.0)},
    "where(x > 0, sqrt)": lambda m, x: m.where(x > 0, m.sqrt(x), m.zeros_like(x)),
    "where(x > 0, log)": lambda m, x: m.where(x > 0, m.log(x), m.zeros_like(x)),
    "where(x == x, x*x)": lambda m, x: m.where(x == x, x * x, m.zeros_like(x)),
    "1/x": lambda m, x: 1.0 / x,
    "x - x": lambda m, x: x - x,
}

BINARY = {
    **{
        name: lambda m, x, y, name=name: getattr(m, name)(x, y)
        for name in ("add", "sub", "mul", "div", "maximum", "minimum", "atan2", "pow", "fmod", "remainder")
    },
    "masked atan2": lambda m, x, y: m.where((x != 0) | (y != 0), m.atan2(x, y), m.zeros_like(x)),
    "masked div": lambda m, x, y: m.where(y != 0, x / y, m.zeros_like(x)),
    "clamp(min=tensor)": lambda m, x, y: m.clamp(x, min=y),
    "clamp(max=tensor)": lambda m, x, y: m.clamp(x, max=y),
    "where": lambda m, x, y: m.where(x > y, x, y),
    "lerp": lambda m, x, y: m.lerp(x, y, 0.5),
    **{
        f"F.{name}": lambda m, x, y, name=name: getattr(m.nn.functional, name)(x, y, reduction="none")
        for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div")
    },
    "kl_div(log)": lambda m, x, y: m.nn.functional.kl_div(x, y, reduction="none", log_target=True),
    "smooth_l1(0)": lambda m, x, y: m.nn.functional.smooth_l1_loss(x, y, reduction="none", beta=0.0),
    "smooth_l1(2)": lambda m, x, y: m.nn.functional.smooth_l1_loss(x, y, reduction="none", beta=2.0),
    "huber(2)": lambda m, x, y: m.nn.functional.huber_loss(x, y, reduction="none", delta=2.0),
}

TERNARY = {
    "clamp": lambda m, x, y, z: m.clamp(x, y, z),
    "lerp": lambda m, x, y, z: m.lerp(x, y, z),
}

LINES = [
    [0.0, 0.0, 0.0], [-0.0, 0.0, -0.0], [1.0, 1.0, 1.0], [1.0, 2.0, 2.0], [2.0, 0.0, 3.0], [0.0, 2.0, 0.0], [3.0, -3.0, 3.0],
    [NAN, 1.0, 2.0], [1.0, NAN, NAN], [INF, 1.0, INF], [-INF, -INF, -INF], [INF, -INF, 0.0], [float(np.float32(1e-40)), 0.0, 0.0],
    [-1.0, -1.0, 0.0], [0.0, NAN, 1.0], [0.0, INF, 1.0],
]  # fmt: skip
# Where PyTorch is not followed: the result is NaN but not its gradient (var), a norm's order has a pole, squares vanish
# (norm, std).
SUBNORMAL = np.float32(1e-40)
SKIPPED = {
    "var": lambda line: not np.isfinite(line).all(),
    **dict.fromkeys(("norm(0.5)", "norm(-1)"), lambda line: not np.isfinite(line).all() or SUBNORMAL in line),
    **dict.fromkeys(("std", "norm(2)", "norm()", "norm(3)"), lambda line: SUBNORMAL in line),
}
REDUCTIONS = {
    **{name: lambda m, x, name=name: getattr(m, name)(x, -1) for name in ("sum", "mean", "prod", "cumsum", "cumprod")},
    **{f"{name}()": lambda m, x, name=name: getattr(m, name)(x) for name in ("sum", "mean", "prod")},
    **{name: lambda m, x, name=name: getattr(m, name)(x, -1) for name in ("amax", "amin", "logsumexp", "var", "std")},
    **{
        f"F.{name}": lambda m, x, name=name: getattr(m.nn.functional, name)(x, -1)
        for name in ("softmax", "log_softmax")
    },
    **{name: lambda m, x, name=name: getattr(m, name)(x, -1)[0] for name in ("max", "min", "sort")},
    **{f"{name}()": lambda m, x, name=name: getattr(m, name)(x) for name in ("max", "min", "amax", "amin")},
    **{f"norm({p})": lambda m, x, p=p: m.norm(x, p, -1) for p in (0, 0.5, 1, 2, 3, -1, INF, -INF)},
    "norm()": lambda m, x: m.norm(x),
    "topk": lambda m, x: m.topk(x, 2, -1)[0],
    "normalize": lambda m, x: m.nn.functional.normalize(x, dim=-1),
    "layer_norm": lambda m, x: m.nn.functional.layer_norm(x, (3,)),
}


def outcome(library, call, arrays, upstream=None):
    """The result and the gradient of each array, as ndarrays; the upstream gradient is one number, or different ones."""
    tensors = [library.tensor(a, requires_grad=True) for a in arrays]
    result = call(library, *tensors)
    weight = np.linspace(1, 2, result.numel(), dtype=arrays[0].dtype).reshape(tuple(result.shape))
    if upstream is not None:
        weight[...] = upstream
    if result.requires_grad:
        result.backward(library.tensor(weight))
    grads = [np.zeros_like(a) if t.grad is None else t.grad.numpy() for t, a in zip(tensors, arrays)]
    return [result.detach().numpy(), *grads]


def compare(call, arrays, atol=1e-37, signs=True, upstream=None):
    """Both libraries have the same result and gradients; of zeros also the sign, if `signs`."""
    dtype = arrays[0].dtype
    tolerance = 5e-5 if dtype == np.float32 else 1e-10  # expm1's gradient y + 1 has an ulp of 1 where it is e⁻⁶
    got, want = (outcome(library, call, arrays, upstream) for library in (cg, torch))
    where = "inputs " + " ".join(str(a.tolist()) for a in arrays) if arrays[0].size < 9 else ""
    for name, g, w in zip(("result", *(f"gradient {i}" for i in range(len(arrays)))), got, want):
        bad = ~np.isclose(g, w, tolerance, atol, equal_nan=True)
        if name == "result" and signs:
            bad |= (g == 0) & (w == 0) & (np.signbit(g) != np.signbit(w))
        if bad.any():
            shown = [np.broadcast_to(a, g.shape)[bad][:5].tolist() if a.shape == g.shape else "" for a in arrays]
            raise AssertionError(f"{name} at {shown} {where}: got {g[bad][:5]}, PyTorch has {w[bad][:5]}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UNARY)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_one_tensor(name, dtype):
    compare(UNARY[name], [np.array(POINTS, dtype)])
    for value in POINTS[::3]:
        compare(UNARY[name], [np.array(value, dtype)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_two_tensors(name, dtype):
    x, y = np.array(list(product(FEW, FEW)), dtype).T.copy()
    if name == "F.kl_div":  # for t = 0 PyTorch's gradient of t is NaN, ours the derivative, −∞
        kept = (y != 0) & np.isfinite(y)
        x, y = x[kept], y[kept]
    compare(BINARY[name], [x, y], signs="clamp" not in name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TERNARY)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_three_tensors(name, dtype):
    few = [-INF, -1.0, 0.0, 1.0, 2.0, NAN]
    compare(TERNARY[name], list(np.array(list(product(few, few, few)), dtype).T.copy()), signs=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_reductions(name, dtype):
    # constant lines have a rounding error for a gradient, which layer norm multiplies by 1/√eps
    atol = (1e-4 if name == "layer_norm" else 1e-6) * np.finfo(dtype).eps / np.finfo(np.float32).eps
    for line in LINES:
        if not SKIPPED.get(name, lambda line: False)(np.array(line, dtype)):
            compare(REDUCTIONS[name], [np.array(line, dtype)], atol, False)
            compare(REDUCTIONS[name], [np.array([line, [1.0, 2.0, 3.0]], dtype)], atol, False)


# Zeros and masks beside an infinite gradient from above: 0·∞ is NaN, what is chosen or left out is not. The functions omitted
# have rules of two terms (mish), or 0 at points where PyTorch has NaN (softsign, atan2, norms of zeros, divergences).
FROM_ABOVE = [INF, -INF, NAN, 0.0]
ONE = {name: call for name, call in UNARY.items() if name not in ("F.mish", "softsign")}
TWO = {name: call for name, call in BINARY.items() if name not in ("atan2", "F.kl_div", "kl_div(log)")}
LINE = {name: call for name, call in REDUCTIONS.items() if not name.startswith(("norm", "var"))}


@pytest.mark.parametrize("upstream", FROM_ABOVE)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gradients_from_above_that_are_not_finite(upstream):
    few = list(np.array(list(product(FEW, FEW))).T.copy())
    triples = list(np.array(list(product([-INF, -1.0, 0.0, 1.0, NAN], repeat=3))).T.copy())
    for calls, arrays in ((ONE, [np.array(POINTS)]), (TWO, few), (TERNARY, triples)):
        for call in calls.values():
            compare(call, arrays, signs=False, upstream=upstream)
    for call in LINE.values():
        for line in LINES:
            compare(call, [np.array(line)], 1e-13, False, upstream)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["prod", "cumprod", "max()", "min()", "prod()"])
def test_lines_with_zeros_infinities_and_nan(name):
    """All lines of three and four of a few numbers; the rules distinguish the first zero, the second, and none."""
    for size in (3, 4):
        for line in product([0.0, 2.0, -INF, NAN], repeat=size):
            if name == "cumprod" and line.count(0.0) > 1 and not np.isfinite(line).all():
                continue  # PyTorch multiplies what is behind the second 0 by 0, which gives NaN
            compare(REDUCTIONS[name], [np.array(line)], 1e-13, False)


@pytest.mark.parametrize("name", ["prod", "cumprod"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (1,), (2, 1), ()])
def test_products_of_few_elements(name, shape):
    for fill in (0.0, 2.0, NAN):
        compare(lambda m, x: getattr(m, name)(x, 0), [np.full(shape, fill)])


WITH_DTYPE = {
    **{name: lambda m, x, d, name=name: getattr(m, name)(x, 0, dtype=d) for name in ("sum", "mean", "prod", "cumsum", "cumprod", "softmax", "log_softmax")},
    **{f"{name}()": lambda m, x, d, name=name: getattr(m, name)(x, dtype=d) for name in ("sum", "mean", "prod")},
    **{f"F.{name}": lambda m, x, d, name=name: getattr(m.nn.functional, name)(x, 0, dtype=d) for name in ("softmax", "log_softmax")},
    "to": lambda m, x, d: x.to(d),
}  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", WITH_DTYPE)
@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "float32")])
def test_gradients_have_the_dtype_of_the_input(name, dtypes, compiled):
    """A node before and after the function, so that a wrong dtype would reach another rule."""

    def step(library, x):
        x.grad = None
        (WITH_DTYPE[name](library, x * 2, getattr(library, dtypes[1])) * 3).sum().backward()

    for values in ([0.5, 2.0, 3.0], [0.5, 0.0, 3.0], [0.0, 0.0, 1.0]):
        x, want = (library.tensor(np.array(values, dtypes[0]), requires_grad=True) for library in (cg, torch))
        function = cg.compile(lambda: step(cg, x)) if compiled else lambda: step(cg, x)  # noqa: B023
        for _ in range(3):
            function()
        step(torch, want)
        assert x.grad.dtype == dtypes[0]
        np.testing.assert_allclose(x.grad.numpy(), want.grad.numpy(), 1e-5, 1e-6)


ALONG = {
    **{name: lambda m, x, dim, name=name: getattr(m, name)(x, dim) for name in ("argmax", "argmin", "amax", "amin", "all", "any", "sum", "prod", "cumsum", "logsumexp")},
    **{f"{name}(dim)": lambda m, x, dim, name=name: getattr(m, name)(x, dim)[0] for name in ("max", "min", "sort")},
    **{f"{name}(dim, keepdim)": lambda m, x, dim, name=name: getattr(m, name)(x, dim, keepdim=True)[1] for name in ("max", "min")},
}  # fmt: skip


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3), (0, 0)])
@pytest.mark.parametrize("name", ALONG)
def test_an_empty_batch_has_a_result_and_an_empty_dimension_an_error(name, shape):
    """PyTorch's shape, or its kind of error."""
    for dim in range(-len(shape), len(shape)):
        results = []
        for library in (cg, torch):
            try:
                results.append(tuple(ALONG[name](library, library.zeros(shape), dim).shape))
            except IndexError:
                results.append(IndexError)
        assert results[0] == results[1], dim


@pytest.mark.parametrize("exponent", [1, 1.0, True, np.float32(1), "tensor", "tensor of integers", "one each"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_a_power_is_a_new_tensor(exponent, dtype):
    tensors = {"tensor": cg.tensor(1.0), "tensor of integers": cg.tensor(1), "one each": cg.tensor([1, 1])}
    x = cg.tensor([2, 3], dtype=dtype)
    y = x ** tensors.get(exponent, exponent)
    y.zero_()
    assert x.tolist() == [2, 3]


def test_a_write_to_a_power_leaves_the_input_and_its_gradient_alone():
    x = cg.tensor([2.0, 3.0], requires_grad=True)
    y = x**1
    y.mul_(2)
    y.sum().backward()
    assert x.tolist() == [2.0, 3.0] and x.grad.tolist() == [2.0, 2.0]
