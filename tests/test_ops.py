"""Every op of the database against NumPy, PyTorch, finite differences, every CPU level, layout and thread count."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels
from tests.op_db import ROWS, Row, Sample

try:
    import torch
except ImportError:
    torch = None

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
each_level = pytest.mark.parametrize("level", kernels.cpu_levels())


@pytest.fixture
def level_restored():
    before = kernels.cpu_level()
    yield
    kernels.use_cpu_level(before)


@pytest.fixture
def threads_restored():
    before = kernels.num_threads()
    yield
    kernels.set_num_threads(before)


def samples(row: Row, dtype) -> list[Sample]:
    """The row's samples: the same every time."""
    if dtype not in row.dtypes:
        pytest.skip(f"{row.name} has no {np.dtype(dtype)} samples")
    return list(row.samples(np.random.default_rng(zlib.crc32(row.name.encode())), dtype))


def flatten(result) -> list:
    return [part for r in result for part in flatten(r)] if isinstance(result, (tuple, list)) else [result]


def convert(value, to_tensor):
    if isinstance(value, np.ndarray):
        return to_tensor(value)
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        return type(value)(convert(v, to_tensor) for v in value)
    return value


def call(function, sample: Sample, to_tensor):
    """Calls function on the sample; returns its outputs and the tensors that require a gradient."""
    args = [convert(a, to_tensor) for a in sample.args]
    kwargs = {k: convert(v, to_tensor) for k, v in sample.kwargs.items()}
    inputs = [x for x in flatten([*args, *kwargs.values()]) if getattr(x, "requires_grad", False)]
    return flatten(function(*args, **kwargs)), inputs


def cg_tensor(array):
    return cg.Tensor(array, requires_grad=array.dtype.kind == "f")


def upstream_of(arrays):
    """One fixed random gradient for each output of floats: a random projection of the Jacobian."""
    rng = np.random.default_rng(7)
    return [rng.uniform(0.5, 1.5, a.shape).astype(a.dtype) if a.dtype.kind == "f" else None for a in arrays]


def run(row: Row, sample: Sample, to_tensor=cg_tensor):
    """Outputs and input gradients as arrays."""
    outputs, inputs = call(row.op, sample, to_tensor)
    arrays = [o.array for o in outputs]
    if not row.differentiable:
        return arrays, []
    seeds = upstream_of(arrays)
    pairs = [(o, s) for o, s in zip(outputs, seeds) if s is not None and o.requires_grad]
    grads = cg.autograd.gradients([o for o, _ in pairs], inputs, [s for _, s in pairs], False)
    return arrays, grads


def assert_close(got, want, row: Row, dtype, what):
    assert got.shape == want.shape, f"{row.name}: {what} has shape {got.shape}, wanted {want.shape}"
    np.testing.assert_allclose(got, want, rtol=row.rtol[dtype], atol=row.atol[dtype], err_msg=f"{row.name}: {what}")


def assert_same_bits(got, want, what):
    for g, w in zip(got, want, strict=True):
        assert (g is None) == (w is None), what
        if g is not None:
            np.testing.assert_array_equal(g, w, err_msg=what)


@each_row
@each_dtype
@each_level
def test_agrees_with_numpy(row, dtype, level, level_restored):
    if row.reference is None:
        pytest.skip(f"{row.name} has no NumPy reference: it is NumPy's own")
    kernels.use_cpu_level(level)
    for sample in samples(row, dtype):
        outputs, _ = call(row.op, sample, cg_tensor)
        expected = flatten(row.reference(*sample.args, **sample.kwargs))
        assert len(outputs) == len(expected)
        for output, want in zip(outputs, expected):
            assert_close(output.array, np.asarray(want), row, dtype, f"value of {sample}")
            assert output.array.dtype == np.asarray(want).dtype, f"{row.name}: dtype of {sample}"


@each_row
@each_dtype
def test_agrees_with_pytorch(row, dtype):
    if torch is None:
        pytest.skip("PyTorch is not installed")
    if row.torch is None:
        pytest.skip(f"PyTorch has no {row.name}")
    function = row.torch(torch)
    for sample in samples(row, dtype):
        arrays, grads = run(row, sample)
        outputs, inputs = call(function, sample, lambda a: torch.tensor(a, requires_grad=a.dtype.kind == "f"))
        assert len(arrays) == len(outputs)
        for array, output in zip(arrays, outputs):
            assert_close(array, output.detach().numpy(), row, dtype, f"value of {sample}")
            assert array.dtype == output.detach().numpy().dtype, f"{row.name}: dtype of {sample}"
        if row.differentiable:
            pairs = [
                (o, torch.tensor(s)) for o, s in zip(outputs, upstream_of(arrays)) if s is not None and o.requires_grad
            ]
            expected = torch.autograd.grad([o for o, _ in pairs], inputs, [s for _, s in pairs], allow_unused=True)
            for grad, want, tensor in zip(grads, expected, inputs, strict=True):
                zero = np.zeros(tuple(tensor.shape), dtype)
                got = zero if grad is None else grad
                assert got.dtype == dtype, f"{row.name}: the gradient of {sample} is {got.dtype}"
                assert_close(got, zero if want is None else want.numpy(), row, dtype, f"gradient of {sample}")


@each_row
def test_gradient_agrees_with_differences(row):
    """Along one random direction: f(x + hv) − f(x − hv) over 2h is the gradient times v, in float64."""
    if not row.differentiable or np.float64 not in row.dtypes:
        pytest.skip(f"{row.name} has no gradient")
    for sample in samples(row, np.float64):
        assert_gradient(row, sample)


def assert_gradient(row: Row, sample: Sample, step: float = 1e-6):
    arrays, grads = run(row, sample)
    seeds = upstream_of(arrays)
    _, inputs = call(row.op, sample, cg_tensor)
    rng = np.random.default_rng(11)
    directions = [rng.standard_normal(t.array.shape) for t in inputs]

    def projected(sign):
        moved = iter(directions)

        def shifted(array):
            return cg.Tensor(array + sign * step * next(moved) if array.dtype.kind == "f" else array)

        outputs, _ = call(row.op, sample, shifted)
        return sum(float((o.array * s).sum()) for o, s in zip(outputs, seeds) if s is not None)

    numeric = (projected(+1) - projected(-1)) / (2 * step)
    analytic = sum(float((g * v).sum()) for g, v in zip(grads, directions) if g is not None)
    scale = sum(float(np.abs(g * v).sum()) for g, v in zip(grads, directions) if g is not None)
    assert abs(numeric - analytic) <= 1e-6 * (scale + abs(numeric)) + 1e-7, (
        f"{row.name}: {sample} has gradient {analytic}, finite differences give {numeric}"
    )


LAYOUTS = {
    "every other element": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    "transposed": lambda a: a.T.copy().T,
    "negative strides": lambda a: a[..., ::-1].copy()[..., ::-1] if a.ndim else a,
    "unaligned": lambda a: unaligned(a),
    "read-only": lambda a: read_only(a),
}


def unaligned(a):
    buffer = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    buffer[...] = a
    return buffer


def read_only(a):
    copy = a.copy()
    copy.flags.writeable = False
    return copy


@each_row
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(row, layout):
    dtype = row.dtypes[0]
    for sample in samples(row, dtype):
        arrays, grads = run(row, sample)
        other_arrays, other_grads = run(row, sample, lambda a: cg_tensor(LAYOUTS[layout](a)))
        for got, want in zip(other_arrays + other_grads, arrays + grads, strict=True):
            if want is not None:
                assert_close(got, want, row, dtype, f"{layout}, {sample}")


@each_row
@each_dtype
def test_same_bits_at_every_thread_count(row, dtype, threads_restored):
    for sample in samples(row, dtype):
        kernels.set_num_threads(1)
        arrays, grads = run(row, sample)
        for threads in (2, 3, 8):
            kernels.set_num_threads(threads)
            other_arrays, other_grads = run(row, sample)
            assert_same_bits(other_arrays + other_grads, arrays + grads, f"{row.name}: {sample}, {threads} threads")


@each_row
def test_inputs_are_left_alone(row):
    for sample in samples(row, row.dtypes[0]):
        arrays = [a for a in flatten([*sample.args, *sample.kwargs.values()]) if isinstance(a, np.ndarray)]
        before = [a.copy() for a in arrays]
        run(row, sample)
        assert_same_bits(arrays, before, f"{row.name}: {sample} was changed")


BAD = [(row, bad) for row in ROWS for bad in row.bad]


@pytest.mark.parametrize(("row", "bad"), BAD, ids=[f"{row.name}-{i}" for i, (row, _) in enumerate(BAD)])
def test_bad_call_raises_one_message(row, bad):
    with pytest.raises(bad.error, match=bad.match) as caught:
        bad.call(cg)
    assert "\n" not in str(caught.value), "an error is one message"


def test_every_kernel_is_named_by_a_row():
    named = {kernel for row in ROWS for kernel in row.kernels}
    missing = [k for k in kernels.kernel_names() if k not in named]
    assert not missing, f"no row of tests/op_db names these kernels: {missing}"
