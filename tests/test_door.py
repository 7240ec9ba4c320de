"""What tensors hold: plain ndarrays of booleans, integers or floats in native byte order, whichever way they come in."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad import data

with warnings.catch_warnings():
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    MATRIX = np.matrix([[1.0, 2.0], [3.0, 4.0]], np.float32)
PLAIN = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


class Units(np.ndarray):
    """A subclass with arithmetic of its own."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        raise AssertionError("its own arithmetic was used")


CONVERTED = {
    "plain": PLAIN,
    "matrix": MATRIX,
    "masked, without masked elements": np.ma.masked_array(PLAIN, mask=False),
    "subclass": PLAIN.view(Units),
    "big-endian": PLAIN.astype(">f4"),
    "big-endian matrix": MATRIX.astype(">f4"),
}
REFUSED = {
    "masked": np.ma.masked_array(PLAIN, mask=[[True, False], [False, False]]),
    "strings": np.array([["a", "b"], ["c", "d"]]),
    "bytes": np.array([[b"a", b"b"], [b"c", b"d"]]),
    "objects": PLAIN.astype(object),
    "complex": PLAIN.astype(np.complex64),
    "longdouble": PLAIN.astype(np.longdouble),
    "datetimes": np.array([["2020-01-01"] * 2] * 2, "M8[s]"),
    "durations": np.ones((2, 2), "m8[s]"),
    "records": np.zeros((2, 2), [("x", "f4")]),
    "void": np.zeros((2, 2), "V4"),
}


def linear():
    return cg.nn.Linear(2, 2)


def loaded_module(array):
    module = linear()
    module.load_state_dict({"weight": array, "bias": np.zeros(2, np.float32)})
    return module.weight


def loaded_buffer(array):
    module = cg.nn.Module()
    module.register_buffer("mean", cg.zeros(2, 2))
    module.load_state_dict({"mean": array})
    return module.mean


def loaded_optimizer(array):
    p = cg.zeros(2, 2, requires_grad=True)
    optimizer = cg.optim.SGD([p], 0.1, momentum=0.9)
    state = optimizer.state_dict()
    state["state"] = {0: {"step": 1, "momentum_buffer": array}}
    optimizer.load_state_dict(state)
    return optimizer.state[p]["momentum_buffer"]


def written(array):
    x = cg.zeros(2, 2)
    x[...] = array
    return x


def set_as(name):
    def call(array):
        x = cg.zeros(2, 2, requires_grad=True)
        setattr(x, name, cg.Tensor(array))
        return getattr(x, name)

    return call


ENTRANCES = {
    "Tensor": cg.Tensor,
    "tensor": cg.tensor,
    "tensor of a list": lambda a: cg.tensor([a])[0],
    "as_tensor": cg.as_tensor,
    "from_numpy": cg.from_numpy,
    "Parameter": lambda a: cg.nn.Parameter(a, requires_grad=False),
    "new_tensor": lambda a: cg.zeros(1).new_tensor(a),
    "TensorDataset": lambda a: data.TensorDataset(a).tensors[0],
    "DataLoader": lambda a: next(iter(data.DataLoader(data.TensorDataset(a), 2)))[0],
    "DataLoader of a list": lambda a: next(iter(data.DataLoader(list(a[None]), 1)))[0],
    "default_collate": lambda a: data.default_collate([a, a])[0],
    "default_collate of pairs": lambda a: data.default_collate([(a, 1)])[0][0],
    "load_state_dict": loaded_module,
    "load_state_dict of a buffer": loaded_buffer,
    "an optimizer's load_state_dict": loaded_optimizer,
    "setitem": written,
    "copy_": lambda a: cg.zeros(2, 2).copy_(a),
    "data": set_as("data"),
    "grad": set_as("grad"),
    "operand": lambda a: cg.zeros(2, 2) + a,
    "operand on the left": lambda a: a + cg.zeros(2, 2),
    "operand of lerp": lambda a: cg.lerp(cg.zeros(2, 2), a, cg.ones(2, 2)),
    "operand of where": lambda a: cg.where(cg.ones(2, 2) > 0, a, cg.zeros(2, 2)),
    "in place": lambda a: cg.zeros(2, 2).add_(a),
    "predict": lambda a: cg.from_numpy(cg.train.predict(cg.nn.Identity(), a)),
}


@pytest.mark.parametrize("kind", CONVERTED)
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_what_can_be_converted_is(entrance, kind):
    result = ENTRANCES[entrance](CONVERTED[kind])
    array = result.array
    assert type(array) is np.ndarray and array.dtype.isnative and array.dtype.kind == "f"
    np.testing.assert_array_equal(array, PLAIN)
    np.testing.assert_array_equal((result * result).array, PLAIN * PLAIN)  # no matrix product


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_everything_else_is_refused(entrance, kind):
    target = cg.zeros(2, 2)
    with pytest.raises(
        (TypeError, ValueError, RuntimeError),
        match=r"holds booleans, integers or floats|masked|rectangular array of numbers",
    ):
        ENTRANCES[entrance](REFUSED[kind])
    np.testing.assert_array_equal(target.array, 0)


@pytest.mark.parametrize(
    "make",
    [
        lambda d: cg.zeros(2, dtype=d), lambda d: cg.ones(2, dtype=d), lambda d: cg.empty(2, dtype=d),
        lambda d: cg.full((2,), 1, dtype=d), lambda d: cg.zeros_like(cg.ones(2), dtype=d), lambda d: cg.ones(2).to(d),
        lambda d: cg.ones(2).type(d), lambda d: cg.tensor([1.0], dtype=d), lambda d: cg.as_tensor(PLAIN, dtype=d),
        lambda d: cg.arange(3, dtype=d), lambda d: cg.eye(2, dtype=d), lambda d: cg.linspace(0, 1, 3, dtype=d),
        lambda d: cg.sum(cg.ones(2), dtype=d), lambda d: cg.ones(2).new_zeros(2, dtype=d), lambda d: cg.ones(2).view(d),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.complex64, np.longdouble, object, "U4", "S4", "M8[s]", "V8", ">f4"])
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_dtypes_that_tensors_cannot_have(make, dtype):
    try:
        result = make(dtype)
    except (TypeError, ValueError, RuntimeError):
        return
    array = result.array
    assert array.dtype.isnative and array.dtype.char in "?bhilqBHILQefd"


def test_memory_is_shared_where_nothing_is_converted():
    for array in (PLAIN.copy(), MATRIX.copy(), PLAIN.copy().view(Units)):
        for entrance in (cg.Tensor, cg.from_numpy, cg.as_tensor):
            assert np.shares_memory(entrance(array).array, array)


def test_masked_elements_of_a_column_are_missing():
    table = data.Table({"x": np.ma.masked_array([1.0, 2.0], mask=[False, True])})
    assert np.isnan(table["x"][1]) and table["x"][0] == 1


def test_estimators_refuse_masked_elements():
    from cygrad.sklearn import MLPRegressor

    x, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
    masked_x, masked_y = np.ma.masked_array(x, mask=x > 18), np.ma.masked_array(y, mask=y > 8)
    fitted = MLPRegressor(hidden_layer_sizes=(4,), max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted.fit(x, y)
    for call in (
        lambda: MLPRegressor().fit(masked_x, y), lambda: MLPRegressor().fit(x, masked_y), lambda: fitted.predict(masked_x),
        lambda: MLPRegressor().fit(x, y, sample_weight=masked_y),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="masked array are masked"):
            call()


@pytest.mark.parametrize("offset", [0, 1, -1, 5, -5, 2**31, -(2**31), 2**63, -(2**63)])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (0, 3), (2, 2, 2)])
def test_diagonals_beyond_the_matrix_are_empty(offset, shape):
    x = cg.ones(shape)
    expected = max(0, min(shape[0], shape[1] - offset) if offset >= 0 else min(shape[0] + offset, shape[1]))
    assert cg.diagonal(x, offset).shape == (*shape[2:], expected)
    if len(shape) == 2:
        assert cg.diag(x, offset).shape == (expected,)


NUMBERS = {  # options that are numbers, and calls that take them
    "correction": [lambda v: cg.ones(2, 3).std(correction=v), lambda v: cg.ones(2, 3).var(correction=v), lambda v: cg.var_mean(cg.ones(2, 3), correction=v)],
    "alpha": [lambda v: cg.add(cg.ones(2), cg.ones(2), alpha=v), lambda v: cg.sub(cg.ones(2), cg.ones(2), alpha=v)],
    "min_val": [lambda v: cg.nn.functional.hardtanh(cg.ones(3), v)],
    "max_val": [lambda v: cg.nn.functional.hardtanh(cg.ones(3), -1.0, v)],
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [np.ones((2, 3)), cg.ones(2, 3), np.ones(1, np.complex64), np.array([None], object), "1"], ids=repr)
def test_an_option_that_is_a_number_takes_no_array(name, value):
    for call in NUMBERS[name]:
        with pytest.raises(TypeError, match=f"{name} must be a number, got "):
            call(value)
    for call in NUMBERS[name]:
        assert call(cg.tensor(0.5)) is not None and call(np.float32(0.5)) is not None


def test_scatter_takes_values_of_its_own_dtype_alone():
    index = cg.tensor([0, 1])
    for op in (cg.scatter, cg.scatter_add):
        with pytest.raises(RuntimeError, match=f"{op.__name__}: src is float64, but input is float32"):
            op(cg.zeros(3), 0, index, cg.ones(2, dtype=cg.float64))


def test_products_overflow_as_late_as_pytorchs():
    x = cg.tensor([1e30, 1e30, 1e-30, 1e-30, 2.0])
    np.testing.assert_allclose(cg.cumprod(x, 0).array, [1e30, np.inf, 1e30, 1, 2], rtol=1e-5)


@pytest.mark.parametrize("value", ["é", b"1", None, [1], (1, 2), {}, np.datetime64(0, "s"), object()])
def test_tensors_are_filled_with_numbers_alone(value):
    for make in (lambda: cg.full((2,), value), lambda: cg.full((2,), value, dtype=cg.float64), lambda: cg.full_like(cg.ones(2), value)):
        with pytest.raises(TypeError, match="full"):
            make()
