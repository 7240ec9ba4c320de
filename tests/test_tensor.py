"""Tensor as a neighbour of NumPy and Python: memory, conversion, printing, copies; creation and random numbers."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import cygrad as cg

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


# Memory


def test_a_tensor_wraps_an_array_without_copying():
    array = np.zeros(3, np.float32)
    x = cg.from_numpy(array)
    array[0] = 1
    assert x.tolist() == [1, 0, 0] and x.numpy() is array
    assert cg.as_tensor(array).numpy() is array
    assert cg.tensor(array).numpy() is not array


def test_detached_and_data_share_memory():
    x = cg.ones(2, requires_grad=True)
    y = x * 2
    y.detach()[0] = 5
    assert y.tolist() == [5, 2] and not y.detach().requires_grad
    with cg.no_grad():
        x.data[0] = 7
    assert x.tolist() == [7, 1]


def test_numpy_reads_a_tensor():
    x = cg.tensor([1.0, 2.0])
    assert np.asarray(x) is x.array
    assert np.add(np.ones(2), np.asarray(x)).tolist() == [2, 3]
    assert isinstance(np.float32(2) * x, cg.Tensor) and isinstance(np.ones(2, np.float32) + x, cg.Tensor)
    with pytest.raises(RuntimeError, match="numpy: the tensor requires a gradient"):
        np.asarray(cg.ones(1, requires_grad=True))


@needs_torch
def test_dlpack_shares_memory_both_ways():
    x = cg.arange(4.0)
    there = torch.from_dlpack(x)
    there[0] = 9
    assert x[0].item() == 9
    back = cg.from_dlpack(there)
    back[1] = 8
    assert there[1].item() == 8


def test_contiguous_and_view():
    x = cg.arange(6).reshape(2, 3)
    assert x.T.stride() == (1, 3) and not x.T.is_contiguous() and x.T.contiguous().is_contiguous()
    assert x.contiguous() is x
    assert x.view(3, 2).data_ptr() == x.data_ptr()


# Python's protocols


def test_protocols():
    x = cg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert 3 in x and 5 not in x
    assert float(x[1, 1]) == 4 and int(cg.tensor(3)) == 3 and [10, 20, 30][cg.tensor(1)] == 20
    assert f"{cg.tensor(1.25):.1f}" == "1.2" and bool(cg.tensor([True]))
    assert (x.size(), x.size(0), x.dim(), x.numel(), x.element_size(), x.nbytes) == ((2, 2), 2, 2, 4, 4, 16)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: len(cg.tensor(1.0)), TypeError, "no length"),
        (lambda: iter(cg.tensor(1.0)), TypeError, "can't be iterated"),
        (lambda: bool(cg.ones(2)), RuntimeError, "ambiguous"),
        (lambda: cg.ones(2).item(), RuntimeError, r"item: the tensor must have one element, got shape \(2,\)"),
        (lambda: [0][cg.tensor(0.0)], TypeError, "only integers can be an index"),
        (lambda: cg.tensor([1]).requires_grad_(), RuntimeError, "only floats can require a gradient"),
        (lambda: cg.tensor([[1], [1, 2]]), ValueError, "not a rectangular array"),
        (lambda: cg.tensor("text"), TypeError, "a tensor holds booleans, integers or floats"),
        (lambda: cg.ones(1).to("cuda:0"), ValueError, "cygrad computes on the CPU only, got device 'cuda:0'"),
        (lambda: cg.ones(1).cuda(), ValueError, "cygrad computes on the CPU only"),
        (lambda: setattr(cg.ones(2), "grad", cg.ones(3)), RuntimeError, r"gradient is float32 of shape \(3,\)"),
        (lambda: copy.deepcopy(cg.ones(1, requires_grad=True) * 1), RuntimeError, "deepcopy: only a leaf"),
        (lambda: cg.arange(0, 5, -1), RuntimeError, "arange: step -1 does not lead from 0 to 5"),
        (lambda: cg.randint(3, 3, (2,)), RuntimeError, "randint: low must be below high"),
        (lambda: cg.set_num_threads(0), ValueError, "threads must be at least 1"),
        (lambda: cg.manual_seed(2**64), RuntimeError, "at most 64 bits"),
        (lambda: cg.multinomial(cg.tensor([0.0, 0.0]), 1), RuntimeError, "weights must be finite, not negative"),
        (lambda: cg.exp(3), TypeError, "exp: expected a tensor, got int"),
        (lambda: cg.flatten([1]), TypeError, "flatten: expected a tensor, got list"),
        (lambda: cg.exp(cg.ones(1), 2), TypeError, "exp: expected at most 1 arguments, got 2"),
        (lambda: cg.sum(cg.ones(1), dims=0), TypeError, "dims"),
    ],
)
def test_misuse_raises_one_message(call, error, match):
    with pytest.raises(error, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_copies():
    x = cg.tensor([1.0, 2.0], requires_grad=True)
    x.grad = cg.ones(2)
    deep = copy.deepcopy(x)
    assert deep.requires_grad and deep.grad.tolist() == [1, 1] and deep.data_ptr() != x.data_ptr()
    assert copy.copy(x).data_ptr() == x.data_ptr()
    loaded = pickle.loads(pickle.dumps(x))
    assert loaded.tolist() == [1, 2] and loaded.requires_grad


PRINTED = [
    [1.0, 2.0], [1.5, -2.25], [[1.0], [1e-7]], [1e10, 1.0], [float("nan"), 1.0, float("inf")], 3, 2.5, True, [],
    [[1, -20], [300, 4]], [0.0, 0.5], list(range(2000)), [[0.001 * i for i in range(30)]],
]  # fmt: skip


@needs_torch
@pytest.mark.parametrize("data", PRINTED, ids=lambda data: str(data)[:20])
def test_prints_as_pytorch_does(data):
    """But for the line breaks."""
    assert "".join(repr(cg.tensor(data)).split()) == "".join(repr(torch.tensor(data)).split())


def test_prints_what_is_unusual():
    x = cg.ones(1, requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2.], grad_fn=<mul backward>)"
    assert repr(cg.zeros(1, dtype=cg.float64)) == "tensor([0.], dtype=float64)"
    assert repr(cg.zeros(0, 3)) == "tensor([], size=(0, 3))"


def test_dtypes_and_devices():
    x = cg.tensor([1.5, 0.0])
    assert [t.dtype for t in (x.double(), x.long(), x.int(), x.bool(), x.float())] == [
        cg.float64, cg.int64, cg.int32, cg.bool, cg.float32,
    ]  # fmt: skip
    assert x.to("cpu") is x and x.to(cg.float32) is x and x.to(x.double()).dtype == cg.float64
    assert (x.device, x.cpu() is x) == (cg.device("cpu"), True)


# Creation


@needs_torch
@pytest.mark.parametrize(
    "make",
    [
        lambda library: library.arange(5), lambda library: library.arange(1, 3, 0.5), lambda library: library.arange(5.0),
        lambda library: library.linspace(0, 1, 5), lambda library: library.logspace(0, 2, 3), lambda library: library.eye(3, 4),
        lambda library: library.full((2,), 3), lambda library: library.full((2, 1), 2.5), lambda library: library.ones(2, 3),
        lambda library: library.zeros((2,)), lambda library: library.tensor([1, 2.5]), lambda library: library.tensor(3),
        lambda library: library.tensor(True), lambda library: library.tensor([[1, 2]], dtype=library.float64),
        lambda library: library.ones_like(library.tensor([1, 2])), lambda library: library.zeros_like(library.ones(2, 1)),
        lambda library: library.full_like(library.ones(2), 7), lambda library: library.ones(2).new_zeros(3),
        lambda library: library.tensor([library.tensor(1.0), library.tensor(2.0)]),
    ],
)  # fmt: skip
def test_creation_agrees_with_pytorch(make):
    ours, theirs = make(cg).numpy(), make(torch).numpy()
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


# Random numbers


def test_a_seed_repeats_everything():
    def draws():
        return [
            cg.rand(3).tolist(), cg.randn(3).tolist(), cg.randint(10, (3,)).tolist(), cg.randperm(9).tolist(),
            cg.nn.functional.dropout(cg.ones(50), 0.5).tolist(), cg.nn.Linear(2, 2).weight.tolist(),
        ]  # fmt: skip

    cg.manual_seed(5)
    first = draws()
    assert draws() != first
    cg.manual_seed(5)
    assert draws() == first


def test_the_state_goes_on_where_it_was():
    cg.rand(3)
    state = cg.get_rng_state()
    first = cg.rand(3).tolist()
    cg.set_rng_state(state)
    assert cg.rand(3).tolist() == first


def test_distributions():
    n = 100_000
    uniform, normal = cg.rand(n).numpy(), cg.randn(n).numpy()
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.005 and abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    assert abs(cg.bernoulli(cg.full((n,), 0.3)).mean().item() - 0.3) < 0.01
    assert abs(cg.normal(2.0, 3.0, (n,)).std().item() - 3) < 0.05
    counts = cg.multinomial(cg.tensor([1.0, 0.0, 3.0]), n, replacement=True).bincount(minlength=3).tolist()
    assert counts[1] == 0 and abs(counts[2] / n - 0.75) < 0.01
    assert sorted(cg.multinomial(cg.tensor([1.0, 2.0, 3.0]), 3).tolist()) == [0, 1, 2]
    assert sorted(cg.randperm(100).tolist()) == list(range(100))


# The environment


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CYGRAD_ISA", "mmx", "CYGRAD_ISA must be one of"),
        ("CYGRAD_NUM_THREADS", "many", "CYGRAD_NUM_THREADS must be an integer of at least 1, got 'many'"),
        ("CYGRAD_NUM_THREADS", "0", "CYGRAD_NUM_THREADS must be an integer of at least 1, got '0'"),
    ],
)
def test_a_wrong_environment_says_so(name, value, message):
    done = subprocess.run(
        [sys.executable, "-c", "import cygrad"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and message in done.stderr.splitlines()[-1]


def test_the_environment_chooses_level_and_threads():
    code = "import cygrad as cg; c = cg.show_config(); print(c['cpu_level'], c['threads'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "CYGRAD_ISA": "baseline", "CYGRAD_NUM_THREADS": "3"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["baseline", "3"]


PLACES = {"device": "cpu", "layout": None, "pin_memory": False, "memory_format": None}
CREATED = {
    "empty": "T.empty(2, 3, {})", "zeros": "T.zeros(size=(2, 3), {})", "ones": "T.ones((2, 3), {})", "full": "T.full((2,), 3.0, {})", "rand": "T.rand(2, {})",
    "arange": "T.arange(T.tensor(3), {})", "linspace": "T.linspace(0, 1, 3, {})", "logspace": "T.logspace(0, 1, 3, {})", "eye": "T.eye(2, {})",
    "randn": "T.randn(size=(2,), {})", "randint": "T.randint(5, (2,), {})", "randperm": "T.randperm(3, {})", "normal": "T.normal(0, 1, size=(2,), {})",
    "zeros_like": "T.zeros_like(x, {})", "ones_like": "T.ones_like(x, {})", "empty_like": "T.empty_like(x, {})", "full_like": "T.full_like(x, 2, {})",
    "rand_like": "T.rand_like(x, {})", "randn_like": "T.randn_like(x, {})", "new_zeros": "x.new_zeros(2, {})", "new_ones": "x.new_ones((2,), {})",
    "new_full": "x.new_full((2,), 1.5, {})", "new_empty": "x.new_empty(2, {})", "new_tensor": "x.new_tensor([1.5], {})", "tensor": "T.tensor([1.5], {})",
    "as_tensor": "T.as_tensor([1.5], {})", "to": "x.to({})",
}  # fmt: skip


@pytest.mark.parametrize("name", CREATED)
def test_a_tensor_is_created_on_the_cpu_only(name):
    names = {"T": cg, "x": cg.ones(2)}
    for device in ("cpu", cg.device("cpu"), "cpu:0", None):
        names["d"] = device
        assert eval(CREATED[name].format("device=d"), names).device == cg.device("cpu")
    with pytest.raises(ValueError, match="cygrad computes on the CPU only, got device 'cuda:1'"):
        eval(CREATED[name].format("device='cuda:1'"), names)
    with pytest.raises(TypeError, match="unexpected keyword argument 'devise'"):
        eval(CREATED[name].format("devise='cpu'"), names)


def test_devices():
    cpu, cuda = cg.device("cpu"), cg.device("cuda", 1)
    assert (cpu.type, cpu.index, str(cpu), repr(cpu)) == ("cpu", None, "cpu", "device(type='cpu')")
    assert (str(cuda), repr(cuda)) == ("cuda:1", "device(type='cuda', index=1)")
    assert cuda == cg.device("cuda:1") == copy.deepcopy(cuda) == pickle.loads(pickle.dumps(cuda)) != cpu
    assert len({cpu, cg.device(cpu), cuda}) == 2
    with cpu, pytest.raises(ValueError, match="CPU only"), cuda:
        pass
    for wrong in ("gpu", "cuda:x", 0):
        with pytest.raises(RuntimeError, match="device: "):
            cg.device(wrong)
    x, out = cg.ones(2), cg.empty(2)
    assert x.to(cpu) is x and x.to("cpu", cg.float64, True, True).dtype == cg.float64 and x.to(cpu, copy=True) is not x
    assert cg.zeros(2, out=out) is out and out.tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="out has shape"):
        cg.zeros(3, out=out)


# PyTorch's older constructors, and names of types


FILLS = {
    "bernoulli_": (), "cauchy_": (), "exponential_": (), "fill_": (1,), "geometric_": (0.5,), "log_normal_": (),
    "normal_": (), "random_": (), "uniform_": (), "zero_": (),
}  # fmt: skip


@pytest.mark.parametrize("name", FILLS)
def test_what_a_fill_replaces_has_no_gradient(name):
    x = cg.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf tensor that requires a gradient"):
        getattr(x, name)(*FILLS[name])
    assert x.tolist() == [1, 1, 1]
    y = x * 2
    getattr(y[1:], name)(*FILLS[name])
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 0]
    with cg.no_grad():
        assert getattr(x, name)(*FILLS[name]) is x


def test_tensor_is_a_constructor_as_pytorchs():
    assert cg.Tensor([1, 2]).dtype == cg.Tensor(2, 3).dtype == cg.Tensor().dtype == cg.Tensor(3).dtype == cg.float32
    assert (cg.Tensor(2, 3).shape, cg.Tensor().shape, cg.Tensor(3).shape, cg.Tensor(2, 3, 4).shape) == ((2, 3), (0,), (3,), (2, 3, 4))
    array = np.arange(3.0)
    assert cg.Tensor(array).array is array and cg.Tensor(array, True).requires_grad
    assert cg.Tensor([cg.tensor(1.0), 2.0]).tolist() == [1, 2] and cg.Tensor(cg.ones(2)).tolist() == [1, 1]
    for wrong, kind in (("ab", TypeError), (None, TypeError), ([[1], [1, 2]], ValueError), ({}, TypeError)):
        with pytest.raises(kind, match="Tensor: data"):
            cg.Tensor(wrong)


TYPES = {"HalfTensor": "float16", "FloatTensor": "float32", "DoubleTensor": "float64", "LongTensor": "int64", "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8",
         "ByteTensor": "uint8", "BoolTensor": "bool"}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("LongTensor", ([2**24 + 1],)),
        ("IntTensor", ([[2**30 + 1]],)),
        ("DoubleTensor", ([0.1],)),
        ("DoubleTensor", (np.array([0.1]),)),
        ("DoubleTensor", ((0.1, 0.2),)),
        ("LongTensor", (range(3),)),
        ("FloatTensor", (np.int64(2),)),
        ("FloatTensor", (2, np.int32(3))),
        ("FloatTensor", ()),
        ("FloatTensor", ((2, 3),)),
        ("LongTensor", ([1.7],)),
        ("FloatTensor", (0.5,)),
        ("FloatTensor", (np.float32(2),)),
        ("FloatTensor", (True,)),
        ("LongTensor", ([1], [2])),
    ],
)
@pytest.mark.parametrize("made", ["type", "new"])
def test_typed_tensors_take_sizes_or_data_without_rounding(name, data, made):
    torch = pytest.importorskip("torch")

    def result(module):
        kind = getattr(module, name)
        try:
            x = kind(*data) if made == "type" else kind(1).new(*data)
        except TypeError:
            return TypeError
        return tuple(x.shape), x.tolist() if len(data) == 1 and not isinstance(data[0], np.integer) else None

    assert result(cg) == result(torch)


def test_a_size_is_no_data():
    size = cg.Size([3, 1])
    for x in (cg.Tensor(size), cg.FloatTensor(size), cg.LongTensor(size), cg.ones(2).new(size), cg.DoubleTensor(2).new(size)):
        assert x.shape == (3, 1)
    assert cg.Tensor(cg.Size([2]), requires_grad=True).requires_grad and cg.Tensor((3, 1)).tolist() == [3, 1]


@pytest.mark.parametrize("name", TYPES)
def test_types_of_one_dtype(name):
    torch = pytest.importorskip("torch")
    kind = getattr(cg, name)
    x = kind([1.7, 0])
    assert x.dtype == TYPES[name] and kind(2, 3).shape == (2, 3) and isinstance(x, kind) and not isinstance(cg.ones(1), kind if name != "FloatTensor" else cg.LongTensor)
    assert x.tolist() == getattr(torch, name)([1, 0]).tolist() or name in ("FloatTensor", "DoubleTensor", "HalfTensor")
    assert x.type() == f"cygrad.{name}" == cg.typename(x)
    for given in (kind, f"torch.{name}", f"cygrad.{name}", x.dtype):
        assert cg.ones(2).type(given).dtype == x.dtype
    with pytest.raises(ValueError, match="type: expected one of FloatTensor"):
        x.type("torch.HalfBaked")


def test_constants_limits_and_functions_of_methods():
    assert (cg.inf, cg.pi, cg.e, cg.newaxis) == (np.inf, np.pi, np.e, None) and cg.nan != cg.nan
    assert cg.finfo(cg.float32).eps == np.finfo(np.float32).eps and cg.finfo().bits == 32 and cg.iinfo(cg.int8).max == 127
    assert cg.is_tensor(cg.ones(1)) and not cg.is_tensor(1) and cg.typename(3) == "int" and cg.typename(np.ones(1)) == "numpy.ndarray"
    x = cg.zeros(2)
    assert cg.fill_(x, 3.0) is x and cg.detach(x).tolist() == [3, 3] and cg.zero_(x).tolist() == [0, 0]
    with pytest.raises(AttributeError, match="module 'cygrad' has no attribute 'nothing_'"):
        _ = cg.nothing_


NAMED = [
    "x.reshape(shape=(3, 2))", "x.view(size=(3, 2))", "x.view(dtype=t.int32)", "x.permute(dims=(1, 0))", "x.expand(size=(2, 2, 3))", "x.repeat(repeats=(1, 2))",
    "x.tile(dims=(2,))", "x.flip(dims=(0,))", "x.stride(0)", "x.stride()", "x.stride(dim=1)", "x[0, 1].is_nonzero()", "t.is_nonzero(x[0, 1])", "x.max(other=x + 1)", "t.min(x, other=x + 1)",
    "x.scatter(0, i, value=2.0)", "t.zeros(4).scatter_(dim=0, index=i[0], value=1)", "x.clone().requires_grad_().numpy(force=True)", "x.copy_(x + 1, non_blocking=True)",
    "isinstance(t.nn.BatchNorm1d(2), t.nn.modules.batchnorm._BatchNorm)", "t.compiler.is_compiling()", "[v.tolist() for v in t.where(x > 2)]",
]  # fmt: skip


@pytest.mark.parametrize("text", NAMED)
def test_arguments_have_pytorchs_names(text):
    torch = pytest.importorskip("torch")
    values = [eval(text, {"t": t, "x": t.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "i": t.tensor([[0, 1, 0]])}) for t in (cg, torch)]
    got, want = (value.tolist() if hasattr(value, "tolist") else value for value in values)
    assert got == want


def test_scatter_needs_new_values():
    with pytest.raises(TypeError, match="src, the new values, is missing"):
        cg.zeros(2).scatter(0, cg.tensor([0]))


def test_numpy_of_a_parameter_is_refused_only_where_gradients_are_recorded():
    x = cg.ones(2, requires_grad=True)
    with cg.no_grad():
        assert x.cpu().numpy() is x.array and np.asarray(x).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="requires a gradient"):
        x.numpy()


SCALARS = [np.float64(1.5), np.float32(1.5), np.float16(1.5), np.int64(3), np.int32(3), np.uint8(3)]


@pytest.mark.parametrize("scalar", [*SCALARS[:2], SCALARS[3]], ids=lambda scalar: type(scalar).__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "float16"])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_numpy_scalars_promote_as_numbers_of_python(scalar, dtype, shape):
    def dtypes(library):
        x = library.ones(shape, dtype=getattr(library, dtype))
        results = [x * scalar, scalar * x, x + scalar, scalar - x, library.where(x > 0, x, scalar), library.full((2,), scalar), x > scalar, sum([scalar, x.sum()])]
        return [str(y.dtype).rpartition(".")[2] for y in results]

    torch = pytest.importorskip("torch")
    assert dtypes(cg) == dtypes(torch)


def test_nested_lists_have_the_dtype_to_which_all_elements_promote():
    torch = pytest.importorskip("torch")

    def dtypes(library):
        data = [[s, 1.0] for s in SCALARS] + [[1, s] for s in SCALARS] + [[[s, s], [0.5, 2]] for s in SCALARS]
        data += [[library.tensor(1.5), 1], [1.0, library.tensor(1.5, dtype=library.float64)], [], [[], []], [True, 1.5], [2, 0.5], 1.5]
        return [str(library.tensor(x).dtype).rpartition(".")[2] for x in data]

    assert dtypes(cg) == dtypes(torch)


@pytest.mark.parametrize("kind", [cg.Tensor, cg.FloatTensor, np.float32, cg.float32, "torch.FloatTensor"])
def test_type_takes_types_of_tensors_and_dtypes(kind):
    assert (cg.arange(2) > 0).type(kind).dtype == np.float32


@pytest.mark.parametrize("draw", ["normal(m, 1.0)", "normal(0.0, s)", "normal(m, s)", "bernoulli(s)"])
def test_what_draws_depend_on_gets_zeros_as_in_pytorch(draw):
    torch = pytest.importorskip("torch")
    results = []
    for library in (cg, torch):
        m, s = library.zeros(3, requires_grad=True), library.full((2, 3), 0.5, requires_grad=True)
        y = eval(f"library.{draw}", {"library": library, "m": m, "s": s})
        assert y.requires_grad and y.grad_fn is not None and y.detach().abs().sum() >= 0
        (y * library.arange(3.0)).sum().backward()
        results.append([None if x.grad is None else x.grad.tolist() for x in (m, s)])
    assert results[0] == results[1]
    cg.manual_seed(3)
    first = cg.normal(cg.zeros(4, requires_grad=True), 2.0)
    cg.manual_seed(3)
    assert first.tolist() == cg.normal(cg.zeros(4), 2.0).tolist()
