"""The array API standard: NumPy's main namespace follows it, so that every function is compared with NumPy's."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

import cygrad as cg
from cygrad import array_api as xp

RNG = np.random.default_rng(0)
F, I, U, B = RNG.uniform(-3, 3, (3, 4)), RNG.integers(-5, 6, (3, 4)), RNG.integers(1, 7, (3, 4)).astype(np.uint8), RNG.random((3, 4)) > 0.5
S = (lambda a: a @ a.T + np.eye(3))(RNG.standard_normal((3, 3)))
UNIT, POSITIVE = np.abs(F) / 4 + 0.1, np.abs(F) + 0.1
CALLS = {  # expressions in which xp is this namespace or NumPy's
    **{n: f"xp.{n}(F)" for n in ["abs", "asinh", "atan", "ceil", "cos", "cosh", "exp", "expm1", "floor", "isfinite", "isinf", "isnan", "negative", "positive", "reciprocal", "round", "sign", "signbit", "sin", "sinh", "square", "tan", "tanh", "trunc", "real", "conj", "imag"]},
    **{n: f"xp.{n}(P)" for n in ["log", "log1p", "log2", "log10", "sqrt"]}, **{n: f"xp.{n}(N)" for n in ["acos", "asin", "atanh"]}, "acosh": "xp.acosh(P + 1)",
    **{f"{n} of integers": f"xp.{n}(I)" for n in ["abs", "ceil", "floor", "trunc", "round", "sign", "negative", "positive", "square", "isnan", "isfinite", "isinf", "bitwise_invert"]},
    **{n: f"xp.{n}(F, xp.flip(F, axis=0))" for n in ["add", "atan2", "copysign", "divide", "floor_divide", "hypot", "logaddexp", "maximum", "minimum", "multiply", "nextafter", "remainder", "subtract", "equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]},
    **{f"{n} of integers": f"xp.{n}(I, U + xp.asarray(0, dtype=xp.int8))" for n in ["add", "floor_divide", "maximum", "minimum", "multiply", "remainder", "subtract", "equal", "less", "bitwise_and", "bitwise_or", "bitwise_xor"]},
    **{n: f"xp.{n}(B, xp.flip(B, axis=0))" for n in ["logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor"]}, "logical_not": "xp.logical_not(B)", "invert": "xp.bitwise_invert(B)",
    **{f"{n} with numbers": f"xp.{n}(2.0, F)" for n in ["add", "subtract", "multiply", "divide", "maximum", "less", "remainder"]}, "pow": "xp.pow(P, F)", "pow of integers": "xp.pow(I, 3)",
    "shift left": "xp.bitwise_left_shift(I, 2)", "shift right": "xp.bitwise_right_shift(U, U)", "clip": "xp.clip(F, -1.0, 1.0)", "clip of integers": "xp.clip(I, None, 2)", "clip bounds": "xp.clip(F, F * 0, P)",
    **{f"{n} {k}": f"xp.{n}(F{k})" for n in ["sum", "mean", "prod", "max", "min", "std", "var"] for k in ["", ", axis=0", ", axis=(0, 1)", ", axis=-1, keepdims=True", ", keepdims=True"]},
    **{f"{n} {a}": f"xp.{n}({a}, axis=1)" for n in ["sum", "prod", "max", "min"] for a in "IU"}, **{f"{n}{k}": f"xp.{n}(B{k})" for n in ["all", "any", "count_nonzero"] for k in ["", ", axis=0", ", axis=(0, 1), keepdims=True"]},
    "sum dtype": "xp.sum(I, dtype=xp.float64)", "correction": "xp.std(F, axis=0, correction=1)", "empty axes": "xp.sum(F, axis=())", **{f"{n}{k}": f"xp.{n}(F{k})" for n in ["argmax", "argmin"] for k in ["", ", axis=0", ", axis=1, keepdims=True"]},
    "cumulative_sum": "xp.cumulative_sum(F, axis=0)", "cumulative_prod": "xp.cumulative_prod(I, axis=1)", "with initial": "xp.cumulative_sum(I, axis=1, include_initial=True)", "cumulative 1-d": "xp.cumulative_prod(F[0, :], include_initial=True)",
    "diff": "xp.diff(F, axis=0)", "diff 2": "xp.diff(I, n=2, prepend=I[:, :1])", "sort": "xp.sort(F)", "sort axis": "xp.sort(I, axis=0)", "argsort": "xp.argsort(I, axis=0, stable=True)", "nonzero": "xp.nonzero(B)",
    "searchsorted": "xp.searchsorted(xp.sort(F[0, :]), F[1, :], side='right')", "isin": "xp.isin(I, I[:1, :2])", "not in": "xp.isin(I, I[0, :], invert=True)", "where": "xp.where(B, F, F * 0)", "where numbers": "xp.where(B, F, 1.0)",
    "take": "xp.take(F, xp.asarray([2, 0]), axis=0)", "take_along_axis": "xp.take_along_axis(F, xp.argsort(F, axis=1), axis=1)", "unique": "xp.unique_all(I)", "unique counts": "xp.unique_counts(U)", "unique inverse": "xp.unique_inverse(I)", "unique values": "xp.sort(xp.unique_values(I))",
    "matmul": "xp.matmul(F, F.T)", "tensordot": "xp.tensordot(F, F, axes=((0, 1), (0, 1)))", "vecdot": "xp.vecdot(F, F, axis=0)", "matrix_transpose": "xp.matrix_transpose(F)",
    "concat": "xp.concat([F, I])", "concat all": "xp.concat([F, F[:1, :]], axis=None)", "stack": "xp.stack([F, F], axis=-1)", "unstack": "xp.unstack(F, axis=1)", "expand_dims": "xp.expand_dims(F, axis=(0, -1))", "squeeze": "xp.squeeze(F[:1, :], axis=0)",
    "flip": "xp.flip(F)", "flip axis": "xp.flip(I, axis=1)", "roll": "xp.roll(F, 2)", "roll axes": "xp.roll(F, (1, -1), axis=(0, 1))", "repeat": "xp.repeat(F, 2)", "repeat axis": "xp.repeat(I, xp.asarray([1, 0, 2]), axis=0)", "tile": "xp.tile(F, (2, 1, 2))",
    "reshape": "xp.reshape(F, (2, 6))", "reshape copy": "xp.reshape(F, (-1,), copy=True)", "permute_dims": "xp.permute_dims(F, (1, 0))", "moveaxis": "xp.moveaxis(F, 0, -1)", "broadcast_to": "xp.broadcast_to(F, (2, 3, 4))", "broadcast_arrays": "xp.broadcast_arrays(F, I[:1, :])",
    "arange": "xp.arange(5)", "arange step": "xp.arange(7, 0, -2, dtype=xp.float64)", "linspace": "xp.linspace(0, 1, 5, dtype=xp.float64, endpoint=False)", "full": "xp.full((2, 3), 7)", "full bool": "xp.full(2, True)", "zeros": "xp.zeros((2, 2), dtype=xp.int16)", "ones_like": "xp.ones_like(I)",
    "full_like": "xp.full_like(F, 3, dtype=xp.int32)", "eye": "xp.eye(3, 4, k=1, dtype=xp.float64)", "meshgrid": "xp.meshgrid(F[0, :], I[1, :])", "meshgrid ij": "xp.meshgrid(F[0, :], I[1, :], indexing='ij')", "tril": "xp.tril(F, k=-1)", "triu": "xp.triu(I)", "astype": "xp.astype(F, xp.int32)",
    "asarray": "xp.asarray([[1, 2], [3, 4]])", "asarray bools": "xp.asarray([True, False])", "asarray dtype": "xp.asarray([1, 2], dtype=xp.uint8)", "asarray copy": "xp.asarray(F, copy=True)", "uint16": "xp.asarray([1, 2], dtype=xp.uint16)", "uint64 sum": "xp.sum(xp.asarray([1, 2], dtype=xp.uint64))",
    "cholesky": "xp.linalg.cholesky(S)", "cross": "xp.linalg.cross(F[:, :3], F[:, 1:])", "det": "xp.linalg.det(S)", "diagonal": "xp.linalg.diagonal(F, offset=1)", "eigh": "xp.abs(xp.linalg.eigh(S)[1])", "eigvalsh": "xp.linalg.eigvalsh(S)", "inv": "xp.linalg.inv(S)",
    "matrix_norm": "xp.linalg.matrix_norm(F, keepdims=True)", "matrix_power": "xp.linalg.matrix_power(S, 3)", "matrix_rank": "xp.linalg.matrix_rank(F)", "outer": "xp.linalg.outer(F[0, :], F[1, :])", "pinv": "xp.linalg.pinv(F)", "qr": "xp.linalg.qr(S).R", "slogdet": "xp.linalg.slogdet(S)",
    "solve": "xp.linalg.solve(S, F)", "svd": "xp.linalg.svd(F).S", "svdvals": "xp.linalg.svdvals(F)", "trace": "xp.linalg.trace(F, offset=1)", "vector_norm": "xp.linalg.vector_norm(F, axis=1, ord=3)",
    "can_cast": "xp.can_cast(xp.int8, xp.int16)", "result_type": "xp.result_type(I, U)", "result with numbers": "xp.result_type(xp.float32, 1.0)", "isdtype": "[xp.isdtype(F.dtype, k) for k in ('real floating', 'integral', 'numeric', 'bool', (xp.float64, 'bool'))]",
    "finfo": "[float(xp.finfo(xp.float32).eps), float(xp.finfo(F.dtype).max), xp.finfo(F.dtype).bits]", "iinfo": "[int(xp.iinfo(xp.int8).min), xp.iinfo(I.dtype).bits]",
}  # fmt: skip


def flat(value):
    if isinstance(value, (tuple, list)):
        return list(itertools.chain(*map(flat, value)))
    return [value]


@pytest.mark.parametrize("name", CALLS)
def test_functions_are_the_standards(name):
    results = []
    for module in (xp, np):
        given = {"F": F, "I": I, "U": U, "B": B, "P": POSITIVE, "N": UNIT, "S": S}
        with np.errstate(all="ignore"):
            results.append(flat(eval(CALLS[name], {"xp": module, **{k: module.asarray(v) for k, v in given.items()}})))
    assert len(results[0]) == len(results[1])
    for mine, other in zip(*results):
        if isinstance(other, (np.ndarray, np.generic)):
            assert (np.dtype(mine.dtype), tuple(mine.shape)) == (other.dtype, other.shape), name
            np.testing.assert_allclose(mine.numpy(), other, rtol=1e-9, atol=1e-12)
        else:
            assert mine == other


def test_names_and_dtypes_are_complete():
    missing = [n for n in np.__array_namespace_info__().dtypes(kind="numeric") if not n.startswith("complex") and not hasattr(xp, n)]
    info = xp.__array_namespace_info__()
    assert missing == [] and info.devices() == [info.default_device()] and info.default_dtypes()["indexing"] == xp.int64 and list(info.dtypes(kind="real floating")) == ["float32", "float64"]
    assert set(info.capabilities()) == set(np.__array_namespace_info__().capabilities())
    assert all(next(iter(inspect.signature(getattr(xp, n)).parameters.values())).kind is inspect.Parameter.POSITIONAL_ONLY for n in ("sum", "abs", "add", "sort", "take"))
    assert xp.asarray(1.0).dtype == xp.float32 == xp.linspace(0, 1, 3).dtype and xp.asarray([cg.tensor(2.0), 1.0]).tolist() == [2.0, 1.0]
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (np.pi, np.e, np.inf, None) and np.isnan(xp.nan)


def test_tensors_know_the_namespace_and_gradients_flow():
    x = cg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    namespace = x.__array_namespace__(api_version="2024.12")
    assert namespace is xp and x.to_device("cpu") is x
    y = namespace.sum(namespace.multiply(namespace.clip(x, max=2.5), namespace.exp(x))) + namespace.std(x) + namespace.cumulative_sum(x, include_initial=True).sum()
    y.backward()
    assert x.grad is not None and x.grad.isfinite().all()
    with pytest.raises(ValueError, match=r"the version of the standard is 2024[.]12, got 1999"):
        x.__array_namespace__(api_version="1999")


def test_errors():
    x = xp.asarray(F)
    for call, kind, match in [
        (lambda: xp.cumulative_sum(x), ValueError, "axis is needed"), (lambda: xp.take(x, xp.asarray([0])), ValueError, "axis is needed"), (lambda: xp.squeeze(x, 0), ValueError, "does not have size 1"),
        (lambda: xp.sum(x, axis=2), IndexError, "axis 2 is out of bounds"), (lambda: xp.isdtype(x.dtype, "float"), ValueError, "kind must be one of"), (lambda: xp.asarray([1], copy=False), ValueError, "needs a copy"),
        (lambda: xp.asarray(x, dtype=xp.int8, copy=False), ValueError, "needs a copy"), (lambda: xp.nonzero(xp.asarray(1)), ValueError, "no dimensions"), (lambda: xp.expand_dims(x, axis=5), IndexError, "must lie in"),
        (lambda: xp.zeros(2, device="cuda"), ValueError, "on the CPU only"),
    ]:  # fmt: skip
        with pytest.raises(kind, match=match):
            call()


def test_dlpack_goes_both_ways_with_versions():
    x = cg.arange(6.0).reshape(2, 3)
    shared, copied = np.from_dlpack(x), np.from_dlpack(x, copy=True)
    x[0, 0] = 7
    assert shared[0, 0] == 7 and copied[0, 0] == 0 and x.__dlpack_device__() == (1, 0)
    assert xp.from_dlpack(shared).numpy()[0, 0] == 7 and "versioned" in repr(x.__dlpack__(max_version=(1, 0)))
    own = xp.from_dlpack(shared, copy=True)
    x[0, 0] = 8
    assert own[0, 0].item() == 7
    with pytest.raises((BufferError, ValueError, RuntimeError)):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(RuntimeError, match="requires a gradient"):
        cg.ones(2, requires_grad=True).__dlpack__()
    torch = pytest.importorskip("torch")
    theirs = torch.from_dlpack(x)
    theirs[0, 0] = 9
    assert x[0, 0].item() == 9 == cg.from_dlpack(theirs)[0, 0].item()


def test_functions_of_numpy_return_tensors_and_einops_works():
    x = cg.arange(24.0).reshape(2, 3, 4)
    assert isinstance(np.sin(x), cg.Tensor) and isinstance(np.add(np.ones(4), x), cg.Tensor) and isinstance(np.isnan(x), cg.Tensor) and type(np.stack([x, x])) is np.ndarray
    np.testing.assert_allclose(np.sin(x).numpy(), np.sin(x.numpy()))
    with pytest.raises(RuntimeError, match="requires a gradient"):
        np.sin(cg.ones(2, requires_grad=True))
    einops = pytest.importorskip("einops")
    x.requires_grad_()
    for call in (
        lambda x: einops.rearrange(x, "a (b c) d -> b (a d) c", c=1), lambda x: einops.reduce(x, "a b c -> b", "mean"), lambda x: einops.reduce(x, "a b c -> a", "max"),
        lambda x: einops.reduce(x + 1, "a b c -> a c", "prod"), lambda x: einops.repeat(x, "a b c -> a (r b) c", r=2), lambda x: einops.rearrange([x[0], x[1]], "l b c -> b l c"),
        lambda x: einops.einsum(x, x, "a b c, a d c -> b d"), lambda x: einops.pack([x, x], "a * c")[0],
    ):  # fmt: skip
        result = call(x)
        want = call(x.detach().numpy())
        np.testing.assert_allclose(result.detach().numpy(), want, rtol=1e-5)
        assert result.requires_grad


def test_fft_has_what_is_real():
    for n in (1, 4, 5):
        np.testing.assert_allclose(cg.fft.fftfreq(n, 0.5).numpy(), np.fft.fftfreq(n, 0.5), rtol=1e-6)
        np.testing.assert_allclose(cg.fft.rfftfreq(n).numpy(), np.fft.rfftfreq(n), rtol=1e-6)
    x = cg.arange(15.0).reshape(3, 5)
    for dim in (None, 0, (0, 1)):
        np.testing.assert_array_equal(cg.fft.fftshift(x, dim).numpy(), np.fft.fftshift(x.numpy(), dim))
        np.testing.assert_array_equal(cg.fft.ifftshift(x, dim).numpy(), np.fft.ifftshift(x.numpy(), dim))
    assert cg.fft.fftfreq(3, dtype=cg.float64).dtype == cg.float64
    with pytest.raises(AttributeError, match=r"module 'cygrad.fft' has no attribute 'rfft': it has no complex numbers"):
        cg.fft.rfft  # noqa: B018
