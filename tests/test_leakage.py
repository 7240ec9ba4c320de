"""Leakage: rows that occur in two splits are found, and the trainer and the estimators warn of them."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad import data, optim, train
from cygrad.nn import functional as F
from cygrad.runs import image_task

TABLES = {
    "arrays": (np.array([[1.0, -0.0], [2, 3], [np.nan, 1]]), np.array([[2.0, 4], [-np.nan, 1], [1, 0.0]]), [0, 2]),
    "tensors": (cg.tensor([[1, 2], [3, 4]]), cg.tensor([[3, 4], [5, 6]]), [1]),
    "datasets": (
        data.TensorDataset(np.array([[1.0], [2], [3]]), np.array([0, 1, 0])),
        data.TensorDataset(np.array([[1.0], [2], [3]]), np.array([0, 0, 0])),
        [0, 2],  # the second row has a different target
    ),
    "subsets": (
        data.Subset(data.TensorDataset(np.arange(6)), [1, 2]),
        data.Subset(data.Subset(data.TensorDataset(np.arange(6)), [2, 5]), [0, 1]),
        [1],
    ),
    "tables": (
        data.Table({"a": [1, 2, None], "b": ["x", None, "z"]}),
        data.Table({"a": [1, 2, None], "b": ["y", None, "z"]}),
        [1, 2],
    ),
    "loaders": (
        data.DataLoader(data.TensorDataset(np.arange(6)), 4, shuffle=True),
        data.DataLoader(data.TensorDataset(np.arange(9)), 4, sampler=[8, -5, 7]),
        [4],
    ),
    "batches": (
        [(np.eye(3)[:2], np.arange(2)), (np.eye(3)[2:], np.arange(2, 3))],
        [[cg.tensor(np.eye(3)), cg.tensor([5, 1, 2])]],
        [1, 2],
    ),
    "dtypes": (np.array([[1.5], [2], [3]]), np.array([[2], [3]], np.uint8), [1, 2]),
    "one row of many columns": (np.arange(6000.0).reshape(2, 3000), np.arange(3000.0, 6000)[None], [1]),
    "no columns": (np.zeros((2, 0)), np.zeros((3, 0)), [0, 1]),
    "nothing in common": (np.array([[1]]), np.array([[2]]), []),
    "no rows": (np.zeros((0, 2)), np.zeros((3, 2)), []),
}


@pytest.mark.parametrize(("part", "train", "expected"), TABLES.values(), ids=TABLES)
def test_repeated_rows(part, train, expected):
    assert data.repeated_rows(part, train).tolist() == expected
    if not expected:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert data.warn_of_leakage(train, part) == 0
        return
    with pytest.warns(data.LeakageWarning) as caught:
        assert data.warn_of_leakage(train, part) == len(expected)
    (warning,) = caught
    warned = f"{len(expected)} of {len(data.leakage.comparable_rows(part))} rows of the validation set (the first is row {expected[0] + 1})"
    assert str(warning.message).startswith(warned) and warning.filename == __file__


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)))
)
def test_repeated_rows_equal_those_found_by_brute_force(part, train):
    repeated = data.repeated_rows(np.array(part).reshape(-1, 2), np.array(train).reshape(-1, 2))
    assert repeated.tolist() == [i for i, row in enumerate(part) if row in train]


def test_incomparable_sets_raise():
    with pytest.raises(
        ValueError,
        match=r"repeated_rows: both sets must have columns of the same shapes, got \[\(3,\)\] and \[\(4,\)\]",
    ):
        data.repeated_rows(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(TypeError, match=r"repeated_rows: expected tables, .* got list"):
        data.repeated_rows([[1]], [[1]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.uint8, bool])
@pytest.mark.parametrize(("values", "columns"), [(2, 15), (3, 9), (20, 3)])
def test_rows_that_differ_in_few_bits_have_different_hashes(values, columns, dtype):
    if dtype is bool and values > 2:
        return
    rows = np.array(list(itertools.product(range(values), repeat=columns)), dtype)
    assert not len(data.repeated_rows(rows[::2], rows[1::2]))
    assert data.repeated_rows(rows, rows[1::2]).tolist() == list(range(1, len(rows), 2))


# The trainer


def parts(leaked):
    """A training loader of 40 rows and a validation loader of 10, of which `leaked` are training rows."""
    x, y = np.random.default_rng(0).standard_normal((50, 3), np.float32), np.arange(50) % 2
    dataset = data.TensorDataset(x, y)
    validation = [*range(leaked), *range(40 + leaked, 50)]
    return data.DataLoader(data.Subset(dataset, range(40)), 8, shuffle=True), data.DataLoader(
        data.Subset(dataset, validation), 8
    )


def trainer():
    model = train.mlp((3, 4, 2))
    return train.Trainer(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), progress=False)


def test_a_trainer_warns_of_training_rows_in_the_validation_set():
    with pytest.warns(data.LeakageWarning, match="3 of 10 rows of the validation set .the first is row 1") as caught:
        trainer().fit(*parts(3))
    assert [warning.filename for warning in caught] == [__file__]
    trainer().fit(*parts(3), check_leakage=False)  # warnings are errors
    trainer().fit(*parts(0))


class RandomSampler:
    """A sampler that must not be iterated over."""

    def __iter__(self):
        raise AssertionError("the sampler was iterated over")


X, Y = np.zeros((2, 3), np.float32), np.arange(2)
INCOMPARABLE = {
    "a list of items": data.DataLoader(list(zip(X, Y, strict=True)), 1),
    "a generator": (batch for batch in [(X, Y)]),
    "a random sampler": data.DataLoader(data.TensorDataset(X, Y), sampler=RandomSampler()),
    "different columns": data.DataLoader(data.TensorDataset(X[:, :2], Y)),
    "batches of different lengths": [(X, Y[:1])],
    "batches of different columns": [(X, Y), (X[:, :1], Y)],
    "no batches": [],
}


@pytest.mark.parametrize("validation", INCOMPARABLE.values(), ids=INCOMPARABLE)
def test_incomparable_data_is_skipped(validation):
    assert data.leakage.is_comparable([(X, Y)], [(X, Y)])
    assert not data.leakage.is_comparable([(X, Y)], validation) and not data.leakage.is_comparable(validation, [(X, Y)])


def test_a_memory_mapped_file_is_not_scanned(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 3), np.float32))
    mapped = data.TensorDataset(np.load(tmp_path / "x.npy", mmap_mode="r")[1:])
    in_memory = data.TensorDataset(np.zeros((2, 3), np.float32))
    assert not data.leakage.is_comparable(mapped, in_memory) and not data.leakage.is_comparable(in_memory, mapped)
    assert data.repeated_rows(in_memory, mapped).tolist() == [0, 1]


def test_images_in_two_splits_are_noted():
    images = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2)
    parts = (images[:6], images[5:8], images[8:])
    task = image_task.prepare_images("small", *[(part, np.arange(len(part)) % 2) for part in parts])
    assert task.notes == []  # picture 5 has another class in the validation part
    task = image_task.prepare_images("small", *[(part, np.zeros(len(part), int)) for part in parts])
    (note,) = task.notes
    assert note.startswith("LeakageWarning: 1 of 3 rows of the validation set (the first is row 1) also occur in")


# Estimators


@pytest.mark.parametrize("sparse", [(False, False), (True, True), (True, False), (False, True)])
def test_estimators_warn_of_training_rows_in_x_val(sparse):
    pytest.importorskip("sklearn")
    from scipy.sparse import csr_array

    from cygrad.sklearn import MLPClassifier, MLPRegressor

    draw = np.random.default_rng(0)
    x = (draw.random((40, 6)) > 0.6) * draw.standard_normal((40, 6))
    x[7] = x[30] = 0
    y = np.arange(40) % 3
    x_val, y_val = np.vstack([x[5:8], x[20:21] + 1]), np.append(y[5:8], 0)
    y_val[0] = (y_val[0] + 1) % 3  # a different class
    fit_x, fit_x_val = (csr_array(part) if is_sparse else part for part, is_sparse in zip((x, x_val), sparse))
    for model in MLPClassifier((4,), max_iter=1), MLPRegressor(hidden_layer_sizes=(4,), max_iter=1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(fit_x, y, X_val=fit_x_val, y_val=y_val)
        (warned,) = [warning for warning in caught if warning.category is data.LeakageWarning]
        assert "2 of 4 rows" in str(warned.message) and warned.filename == __file__
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.partial_fit(fit_x, y, X_val=fit_x_val, y_val=y_val)
            model.partial_fit(fit_x, y, X_val=fit_x_val, y_val=y_val, check_leakage=False)
            model.fit(fit_x, y, X_val=fit_x_val, y_val=y_val, check_leakage=False)
            model.fit(fit_x, y, X_val=fit_x_val + fit_x_val, y_val=y_val)
        leaks = [warning for warning in caught if warning.category is data.LeakageWarning]
        assert [warning.filename for warning in leaks] == [__file__, __file__]
