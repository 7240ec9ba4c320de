"""The printed form of tensors is PyTorch's, for random shapes, dtypes, ranges and options."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import config


@pytest.fixture(autouse=True)
def initial_options():
    yield
    config.follow_torch(False)
    cg.set_printoptions(profile="default")


def random_array(rng):
    """An array whose numbers need decimals, exponents, or neither, some with NaN and infinity."""
    ndim = rng.integers(0, 5)
    shape = tuple(rng.integers(rng.random() > 0.1, [6, 40, 1200][rng.integers(3)] if ndim < 2 else 9, ndim))
    if rng.random() < 0.3:
        return rng.integers(0, 200, shape).astype(["int64", "int32", "bool", "uint8", "int8"][rng.integers(5)])
    array = np.array(rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 10))
    kind = rng.integers(4)
    if kind == 0:
        array = np.round(array)
    elif kind == 1:
        array = np.array(array * 10.0 ** rng.integers(-4, 4, shape))
    elif kind == 2 and array.size:
        array.reshape(-1)[rng.integers(0, array.size, 3)] = [np.nan, np.inf, -np.inf]
    return array.astype(["float32", "float64"][rng.integers(2)])


def random_options(rng):
    options = {"precision": int(rng.integers(1, 7)), "edgeitems": int(rng.integers(1, 4)), "threshold": int(rng.choice([5, 20, 1000]))}
    return {**options, "linewidth": int(rng.choice([40, 80, 120])), "sci_mode": [None, True, False][rng.integers(3)]}


@pytest.mark.parametrize("seed", range(4))
def test_tensors_are_printed_as_pytorch_prints_them(seed):
    torch = pytest.importorskip("torch")
    config.follow_torch(True)  # which names dtypes as PyTorch does
    rng = np.random.default_rng(seed)
    for number in range(60):
        array = random_array(rng)
        options = random_options(rng) if number % 3 == 0 else {"profile": ["default", "short", "full"][number % 2 if array.size < 5000 else 0]}
        try:
            texts = []
            for library in cg, torch:
                library.set_printoptions(profile="default")
                library.set_printoptions(**options)
                tensor = library.tensor(array)
                if array.dtype.kind == "f" and number % 4 == 0:
                    tensor.requires_grad_()
                texts.append(repr(tensor))
        finally:
            torch.set_printoptions(profile="default")
        assert texts[0] == texts[1], (options, array.dtype, array.shape)


@pytest.mark.parametrize("edge", [1, 2, 3])
def test_a_view_larger_than_memory_is_printed(edge):
    cg.set_printoptions(edgeitems=edge)
    try:
        shown = repr(cg.tensor(7).expand(2**20, 2**20))
    finally:
        cg.set_printoptions(profile="default")
    assert shown.count("7") == (2 * edge) ** 2


def test_options_are_checked_before_any_is_set():
    with pytest.raises(ValueError, match="profile must be one of default, short, full, got 'long'"):
        cg.set_printoptions(precision=2, profile="long")
    with pytest.raises(ValueError, match="sci_mode must be True, False or None, got 1"):
        cg.set_printoptions(precision=2, sci_mode=1)
    assert repr(cg.tensor(1 / 3)) == "tensor(0.3333)"


def test_a_size_is_a_tuple_that_stays_one():
    torch = pytest.importorskip("torch")
    for text in ("s", "s[1:]", "s[::-1]", "s[0]", "s + (1,)", "s + s", "s * 2", "s.numel()", "len(s)", "s[:0].numel()", "s == (2, 3, 4)", "tuple(s)", "hash(s) == hash((2, 3, 4))", "s.index(3)"):
        got, want = (eval(text, {"s": library.Size([2, 3, 4])}) for library in (cg, torch))
        assert repr(got) == repr(want) and type(got).__name__ == type(want).__name__, text


@pytest.mark.parametrize("name", ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"])
def test_a_dtype_answers_as_pytorchs(name):
    import copy
    import pickle

    torch = pytest.importorskip("torch")
    got, want = cg.dtype(name), getattr(torch, name)
    for attribute in "is_floating_point", "is_signed", "is_complex", "itemsize":
        assert getattr(got, attribute) == getattr(want, attribute), attribute
    assert (repr(got), str(got), f"{got}") == (repr(want), str(want), f"{want}")
    assert got is cg.dtype(name) is copy.deepcopy(got) is pickle.loads(pickle.dumps(got))
    assert got == np.dtype(name) == got and np.dtype(got) == got and np.zeros(1, got).dtype == got != np.dtype("complex64")
    assert {got: 1}[np.dtype(name)] == {np.dtype(name): 1}[got] == 1
    assert isinstance(got, cg.dtype) and isinstance(cg.zeros(1, dtype=got).dtype, cg.dtype) and not isinstance(name, cg.dtype)


@pytest.mark.parametrize("name", ["float32", "float64", "int8", "int32", "int64", "uint8", "bool"])
def test_limits_and_promotion_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    ours, theirs = cg.dtype(name), getattr(torch, name)
    if name != "bool":
        info = "finfo" if ours.is_floating_point else "iinfo"
        got, want = getattr(cg, info)(ours), getattr(torch, info)(theirs)
        assert repr(got) == repr(want) and got.bits == want.bits
        for limit in ("eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype") if info == "finfo" else ("max", "min", "dtype"):
            assert getattr(got, limit) == getattr(want, limit) and type(getattr(got, limit)) is type(getattr(want, limit)), limit
    for other in "bool", "uint8", "int8", "int64", "float32", "float64":
        assert cg.can_cast(ours, cg.dtype(other)) == torch.can_cast(theirs, getattr(torch, other))
        assert str(cg.dtype(cg.promote_types(ours, cg.dtype(other)))) == str(torch.promote_types(theirs, getattr(torch, other)))


def test_pairs_are_printed_under_pytorchs_names():
    torch = pytest.importorskip("torch")
    for text in "max(x, 1)", "min(x, 0)", "sort(x)", "topk(x, 1)", "sort(x)":
        got, want = (repr(eval(f"t.{text}", {"t": library, "x": library.tensor([[3.0, 1.0], [2.0, 4.0]])})) for library in (cg, torch))
        assert got == want


def test_settings_with_one_value_take_it_and_refuse_others():
    assert cg.get_default_dtype() == np.float32 and cg.get_default_device() == cg.device("cpu")
    cg.set_default_dtype(cg.float32)
    cg.set_default_tensor_type("torch.FloatTensor")
    cg.set_default_device("cpu")
    cg.set_float32_matmul_precision("high")
    assert cg.get_float32_matmul_precision() == "high"
    cg.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError, match="expected highest, high or medium"):
        cg.set_float32_matmul_precision("low")
    x = cg.ones(2)
    assert cg.clone(x, memory_format=cg.preserve_format) is not x and x.contiguous(memory_format=cg.contiguous_format) is x


SHAPES = [
    "t.nn.functional.linear(t.ones(3, 4), t.ones(2, 3))", "t.where(t.ones(2) > 0, t.ones(3), t.ones(2))", "t.lerp(t.ones(2), t.ones(3), 0.5)",
    "t.maximum(t.ones(2), t.ones(3))", "t.ones(2) < t.ones(3)", "t.atan2(t.ones(2), t.ones(3))", "t.ones(2).masked_fill(t.ones(3) > 0, 1)",
    "t.einsum('ij,jk->ik', t.ones(2, 3), t.ones(2, 3))", "t.nn.BatchNorm1d(3)(t.ones(2, 4))", "t.nn.functional.mse_loss(t.ones(2), t.ones(3, 3))",
]  # fmt: skip


@pytest.mark.parametrize("text", SHAPES)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_shapes_that_do_not_fit_are_runtime_errors_as_in_pytorch(text):
    torch = pytest.importorskip("torch")
    for library in cg, torch:
        with pytest.raises(RuntimeError):
            eval(text, {"t": library})
