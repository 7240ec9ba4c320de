"""Preprocessing: fitted on the training set, applied to any rows, saved as JSON, and nothing silently wrong."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cygrad.data import Preprocessor, Table
from cygrad.data.preprocessing import Category, Classes, Number, Quantity, RobustNumber, fit_target, target_of
from cygrad.data.preprocessing.target import target_to_dict

TRAIN = Table({"age": [20, 30, None, 40], "city": ["Bern", "Oslo", "Bern", None], "level": [1, 2, 1, 3]})


def test_numbers_are_standardized_and_categories_encoded():
    fitted = Preprocessor(categories=["level"]).fit(TRAIN)
    assert fitted.columns == ["age", "city", "level"]
    assert fitted.features == [
        "age", "age is missing", "city is 'Bern'", "city is 'Oslo'", "city is a missing value",
        "level is 1", "level is 2", "level is 3",
    ]  # fmt: skip
    deviation = math.sqrt(200 / 3)
    expected = [
        [-10 / deviation, 0, 1, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0, 0, 1, 0],
        [0, 1, 1, 0, 0, 1, 0, 0],
        [10 / deviation, 0, 0, 0, 1, 0, 0, 1],
    ]
    np.testing.assert_allclose(fitted.transform(TRAIN), np.array(expected, np.float32), rtol=1e-6)
    assert fitted.transform(TRAIN).dtype == np.float32
    assert fitted.notes == [
        "column 'age' has 1 missing value, replaced by the mean and marked by a feature",
        "column 'city' has 1 missing value, encoded as a separate category",
    ]
    assert repr(fitted) == "Preprocessor(3 columns, 8 features)"


def test_numbers_are_scaled_by_quartiles_and_clipped():
    column = np.array([1.0, 2, 3, 4, 5, np.nan, 1e30])
    fitted = RobustNumber.fitted("x", column)
    encoded = fitted.encode(column)
    assert (fitted.median, fitted.marked) == (3.5, True) and fitted.outliers(column).tolist() == [False] * 6 + [True]
    assert encoded[5].tolist() == [0, 1] and encoded[:5, 1].tolist() == [0] * 5
    z = (2 - 3.5) * fitted.scale
    assert encoded[1, 0] == pytest.approx(z / np.sqrt(1 + (z / 3) ** 2))
    np.testing.assert_allclose(fitted.encode(np.array([1e300, -1e300]))[:, 0], [3, -3])
    mostly = RobustNumber.fitted("x", np.array([0.0] * 9 + [4]))
    assert mostly.scale == 0.5 and RobustNumber.fitted("x", np.ones(5)).encode(np.ones(5)).tolist() == [[0]] * 5
    none = RobustNumber.fitted("x", np.full(3, np.nan))
    assert none.encode(np.array([np.nan, 1])).tolist() == [[0, 1], [0, 0]]


def test_robust_scaling_is_described_and_restored():
    table = Table({"x": [1, 2, 3, None, 1000], "y": [5, 5, 5, 5, None], "z": [1, 1, 1, 1, 1]})
    fitted = Preprocessor(scaling="robust").fit(table)
    assert fitted.notes == [
        "column 'x' has 1 missing value, replaced by the median and marked by a feature",
        "column 'y' has 1 missing value, replaced by the median and marked by a feature",
        "column 'z' is dropped: all its values are 1",
    ]
    far = Table({"x": [1e6, 2, None], "y": [5, -5, 5]})
    assert fitted.outliers(far) == {"x": 1} and fitted.outliers(table) == {}
    again = Preprocessor.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again.encoders == fitted.encoders
    np.testing.assert_array_equal(again.transform(far), fitted.transform(far))
    for wrong in ({"scale": -1.0}, {"median": math.inf}, {"scale": "1"}, {"marked": 1}, {"std": 1.0}):
        description = fitted.to_dict()
        description["columns"][0].update(wrong)
        with pytest.raises(ValueError, match="description of"):
            Preprocessor.from_dict(description)
    with pytest.raises(ValueError, match="scaling must be standard or robust, got 'none'"):
        Preprocessor(scaling="none")


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.lists(st.floats(-1e6, 1e6), max_size=10))
def test_statistics_come_from_the_training_set_only(train, other):
    """Compared with scikit-learn's StandardScaler fitted on the training set."""
    sklearn = pytest.importorskip("sklearn.preprocessing")
    train = np.array(train)
    if not train.std() > max(1e-6 * np.abs(train).max(), 1e-25):  # for smaller ones, 1e6 can be too far from the mean
        return
    fitted = Preprocessor().fit(Table({"x": train}))
    scaler = sklearn.StandardScaler().fit(train[:, None])
    for part in train, np.array(other):
        if len(part):
            expected = scaler.transform(part[:, None])
            np.testing.assert_allclose(fitted.transform(Table({"x": part})), expected, rtol=1e-4, atol=1e-5)


def test_categories_are_encoded_as_by_one_hot_encoder():
    sklearn = pytest.importorskip("sklearn.preprocessing")
    rng = np.random.default_rng(0)
    train, other = (rng.choice(["a", "b", "c", "d"], (n, 1)) for n in (50, 20))
    encoder = sklearn.OneHotEncoder(sparse_output=False).fit(train)
    fitted = Preprocessor().fit(Table({"x": train[:, 0]}))
    np.testing.assert_array_equal(fitted.transform(Table({"x": other[:, 0]})), encoder.transform(other))


def test_columns_are_matched_by_name_and_others_ignored():
    fitted = Preprocessor().fit(Table({"a": [1, 2], "b": ["x", "y"]}))
    mixed = Table({"c": ["?", "?"], "b": ["y", "x"], "a": [2, 1]})
    np.testing.assert_array_equal(fitted.transform(mixed), [[1, 0, 1], [-1, 1, 0]])


def test_values_are_converted_to_the_type_of_the_training_data():
    """Text that represents numbers in a numeric column, and numbers in a text column."""
    fitted = Preprocessor(categories=["code", "level"]).fit(Table({"x": [0, 2], "code": ["1", "3+"], "level": [1, 2]}))
    text = Table({"x": ["2", "0"], "code": [1, 1], "level": ["2", "1.0"]})
    np.testing.assert_array_equal(fitted.transform(text), [[1, 1, 0, 0, 1], [-1, 1, 0, 1, 0]])


DROPPED = {
    "constant": ([7, 7, 7], "column 'x' is dropped: all its values are 7"),
    "constant that has no exact sum": ([0.1] * 3, "column 'x' is dropped: all its values are 0.1"),
    "constant text": (["a", "a", "a"], "column 'x' is dropped: all its values are 'a'"),
    "nothing": ([None] * 3, "column 'x' is dropped: it has no values"),
    "names": (["a", "b", "c"], "column 'x' is dropped: 3 texts have 3 distinct values, more than 2, and none is frequent"),
}


@pytest.mark.parametrize(("values", "note"), DROPPED.values(), ids=DROPPED)
def test_dropped_columns_are_noted(values, note):
    fitted = Preprocessor(most_categories=2).fit(Table({"x": values, "y": [1, 2, 3]}))
    assert fitted.columns == ["y"] and fitted.notes == [note]
    with pytest.raises(ValueError, match="Preprocessor: no column is left to learn from: column 'x' is dropped"):
        Preprocessor(most_categories=2).fit(Table({"x": values}))


def test_a_constant_with_missing_values_is_not_dropped():
    fitted = Preprocessor().fit(Table({"x": [5, None, 5]}))
    np.testing.assert_array_equal(fitted.transform(Table({"x": [5, None]})), [[0, 0], [0, 1]])


def test_a_mixture_of_numbers_and_text_is_text_and_noted():
    preprocessor = Preprocessor().fit(Table({"x": ["1", "2", "high"]}))
    assert preprocessor.features == ["x is '1'", "x is '2'", "x is 'high'"]
    assert preprocessor.notes[0].startswith(
        "column 'x' mixes numbers and text, such as '1' and 'high', and is taken as"
    )


BAD_FITS = {
    "infinity": ({"x": [1, math.inf]}, {}, "column 'x' contains inf in row 2, expected finite numbers"),
    "missing": ({"x": [1, None]}, {"missing": "raise"}, "column 'x' has 1 missing value, the first in row 2"),
    "missing text": ({"x": ["a", None]}, {"missing": "raise"}, "column 'x' has 1 missing value, the first in row 2"),
    "no such category": ({"x": [1, 2]}, {"categories": ["y"]}, "column 'y' is missing; the table has 'x'"),
    "no such column to drop": ({"x": [1, 2]}, {"drop": ["X"]}, "column 'X' is missing; the table has 'x'"),
    "nothing left": ({"x": [1, 2]}, {"drop": ["x"]}, "no column is left to learn from: the table has no other columns"),
    "no rows": ({"x": []}, {}, "Preprocessor: can't be fitted to a table without rows"),
    "beyond float64": (
        {"x": [-1.7e308, 1.7e308]},
        {},
        "the standard deviation of column 'x' is out of float64's range",
    ),
}


@pytest.mark.parametrize(("columns", "options", "message"), BAD_FITS.values(), ids=BAD_FITS)
def test_bad_fits_raise_and_change_nothing(columns, options, message):
    before = Preprocessor(**options)
    with pytest.raises(ValueError) as caught:
        before.fit(Table(columns))
    assert message in str(caught.value)
    assert before.encoders == [] == before.notes


BAD_ROWS = {
    "unseen category": (
        {"city": ["Bern", "Rome"]},
        "column 'city' contains 'Rome' in row 2; the training data had only 'Bern', 'Oslo'",
    ),
    "missing category": (
        {"level": ["a", None]},
        "column 'level' contains a missing value in row 2; the training data had only 'a', 'b'",
    ),
    "missing number": (
        {"age": [1, None]},
        "column 'age' has a missing value in row 2, but had none in the training data",
    ),
    "infinity": ({"age": [1, -math.inf]}, "column 'age' contains -inf in row 2, expected a finite number"),
    "no number": ({"age": ["1", "old"]}, "column 'age' contains 'old' in row 2, expected a number"),
    "far away": ({"age": [1, 1e300]}, "column 'age' contains 1e+300 in row 2, too far from the mean"),
    "missing column": ({"age": None}, "column 'age' is missing; the table has 'city', 'level'"),
}


@pytest.mark.parametrize(("changed", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_raise(changed, message):
    train = {"age": [20, 30], "city": ["Bern", "Oslo"], "level": ["a", "b"]}
    fitted = Preprocessor().fit(Table(train))
    columns = {name: values for name, values in {**train, **changed}.items() if values is not None}
    with pytest.raises(ValueError) as caught:
        fitted.transform(Table(columns))
    assert message in str(caught.value)


def test_unseen_values_can_be_ignored():
    fitted = Preprocessor().fit(Table({"age": [20, 30], "city": ["Bern", "Oslo"]}))
    unseen = Table({"age": [None, 30], "city": ["Rome", "Oslo"]})
    np.testing.assert_array_equal(fitted.transform(unseen, unseen="ignore"), [[0, 0, 0], [1, 0, 1]])
    assert fitted.unknown(unseen) == {"age": 1, "city": 1}
    with pytest.raises(ValueError, match="unseen must be raise or ignore, got 'skip'"):
        fitted.transform(unseen, unseen="skip")


def test_invalid_options_raise():
    with pytest.raises(ValueError, match="missing must be fill or raise, got 'drop'"):
        Preprocessor(missing="drop")
    with pytest.raises(TypeError, match="categories, drop and dates must be lists of names, got a string"):
        Preprocessor(categories="city")
    with pytest.raises(RuntimeError, match="Preprocessor: not fitted yet, call fit first"):
        Preprocessor().transform(TRAIN)
    with pytest.raises(RuntimeError, match="Preprocessor: not fitted yet, call fit first"):
        Preprocessor().save("nowhere.json")


# JSON

columns_of_any_kind = st.lists(
    st.one_of(
        st.builds(Number, st.text(min_size=1), st.floats(-1e300, 1e300), st.floats(1e-300, 1e300), st.booleans()),
        st.builds(Category, st.text(min_size=1), st.lists(st.text(), min_size=2, unique=True)),
        st.builds(Category, st.text(min_size=1), st.lists(st.integers(-9, 9).map(float), min_size=2, unique=True)),
    ),
    min_size=1,
)


@settings(deadline=None)
@given(columns_of_any_kind)
def test_json_round_trip(encoders):
    fitted = Preprocessor()
    fitted.encoders = encoders
    assert Preprocessor.from_dict(json.loads(json.dumps(fitted.to_dict()))).encoders == encoders


def test_file_round_trip(tmp_path):
    path = tmp_path / "preprocessing.json"
    fitted = Preprocessor(categories=["level"]).fit(TRAIN)
    fitted.save(path)
    np.testing.assert_array_equal(Preprocessor.load(path).transform(TRAIN), fitted.transform(TRAIN))


def test_files_of_earlier_versions_load():
    """The format is stable: a run folder of any version contains these keys."""
    columns = [
        {"kind": "number", "name": "age", "mean": 30.0, "std": 10.0, "marked": True},
        {"kind": "category", "name": "city", "values": ["Bern", None]},
    ]
    loaded = Preprocessor.from_dict({"format": 1, "columns": columns})
    assert loaded.to_dict() == {"format": 1, "columns": columns}
    features = loaded.transform(Table({"age": [40, None], "city": [None, "Bern"]}))
    np.testing.assert_array_equal(features, [[1, 0, 0, 1], [0, 1, 1, 0]])


NUMBER = {"kind": "number", "name": "x", "mean": 0.0, "std": 1.0, "marked": False}
CORRUPT = {
    "no JSON": "{",
    "a list": "[]",
    "no columns": {"format": 1, "columns": []},
    "another format": {"format": 9, "columns": [NUMBER]},
    "no such kind": {"format": 1, "columns": [{**NUMBER, "kind": "code"}]},
    "a kind that is not text": {"format": 1, "columns": [{**NUMBER, "kind": [1]}]},
    "an unknown option": {"format": 1, "columns": [{**NUMBER, "run": "rm"}]},
    "a missing option": {"format": 1, "columns": [{"kind": "number", "name": "x"}]},
    "zero deviation": {"format": 1, "columns": [{**NUMBER, "std": 0}]},
    "a deviation that is text": {"format": 1, "columns": [{**NUMBER, "std": "1"}]},
    "NaN": {"format": 1, "columns": [{**NUMBER, "mean": math.nan}]},
    "a mark that is not boolean": {"format": 1, "columns": [{**NUMBER, "marked": 1}]},
    "a name that is not text": {"format": 1, "columns": [{**NUMBER, "name": 3}]},
    "mixed categories": {"format": 1, "columns": [{"kind": "category", "name": "x", "values": ["a", 1]}]},
    "categories that are not a list": {"format": 1, "columns": [{"kind": "category", "name": "x", "values": "ab"}]},
    "deeply nested": "[" * 100_000,
}


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT)
def test_corrupt_files_raise_and_are_named(content, tmp_path):
    path = tmp_path / "preprocessing.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=r"Preprocessor\.load: .*preprocessing\.json is corrupt \("):
        Preprocessor.load(path)


# Targets

TARGETS = {
    "text": (["b", "a", "b"], None, Classes("y", ["a", "b"])),
    "two numbers": ([0, 1, 1], None, Classes("y", [0.0, 1.0])),
    "few distinct integers": ([1, 2, 3] * 3, None, Classes("y", [1.0, 2.0, 3.0])),
    "many distinct integers": (list(range(50)), None, Quantity("y", 24.5, math.sqrt((50**2 - 1) / 12))),
    "fractions": ([0.5, 1.5, 0.5, 1.5], None, Quantity("y", 1.0, 0.5)),
    "integers declared as a regression task": ([1, 3], "regression", Quantity("y", 2.0, 1.0)),
    "fractions declared as classes": ([0.5, 1.5], "classification", Classes("y", [0.5, 1.5])),
    "booleans": ([True, False], None, Classes("y", ["False", "True"])),
}


@pytest.mark.parametrize(("values", "task", "expected"), TARGETS.values(), ids=TARGETS)
def test_targets(values, task, expected):
    column = Table({"y": values})["y"]
    target = fit_target("y", column, task)
    assert type(target) is type(expected)
    if isinstance(expected, Quantity):
        assert (target.mean, target.std) == pytest.approx((expected.mean, expected.std))
        assert target.encode(column).shape == (len(values), 1) and target.encode(column).dtype == np.float32
        assert target.decode(target.encode(column)) == pytest.approx(values, abs=1e-5)
    else:
        assert target == expected and target.encode(column).dtype == np.int64
        assert target.decode(target.encode(column)) == [str(v) if isinstance(v, bool) else v for v in values]
    assert target_of(json.loads(json.dumps(target_to_dict(target)))) == target


BAD_TARGETS = {
    "missing": (["a", None], None, "target 'y' has a missing value in row 2"),
    "missing number": ([1, None], None, "target 'y' has a missing value in row 2"),
    "infinity": ([1, math.inf], None, "target 'y' contains inf in row 2"),
    "one class": (["a", "a"], None, "target 'y' must have at least two distinct values, got only 'a'"),
    "one number": ([2, 2], None, "target 'y' must have at least two distinct values, got only 2"),
    "text as regression": (["a", "b"], "regression", "the target is not numeric: column 'y' contains 'a' in row 1, expected a number"),
    "no such task": ([1, 2], "clustering", "the task must be classification or regression, got 'clustering'"),
    "beyond float64": ([-1.7e308, 1.7e308], "regression", "the standard deviation of target 'y' is out of float64's range"),
}  # fmt: skip


@pytest.mark.parametrize(("values", "task", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_bad_targets_raise(values, task, message):
    with pytest.raises(ValueError) as caught:
        fit_target("y", Table({"y": values})["y"], task)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "description",
    [
        None, {}, {"task": "classification"}, {"task": "classification", "name": "y", "values": ["a"]},
        {"task": "classification", "name": "y", "values": ["a", 1]}, {"task": "classification", "name": 1, "values": ["a", "b"]},
        {"task": "regression", "name": "y", "mean": 0, "std": 0}, {"task": "regression", "name": "y", "mean": "0", "std": 1},
        {"task": ["x"], "name": "y"},
    ],
)  # fmt: skip
def test_invalid_descriptions_raise(description):
    with pytest.raises(ValueError, match="target"):
        target_of(description)


@pytest.mark.parametrize("scaling", ["robust", "standard"])
@pytest.mark.parametrize("rows", [0, 1, 7, 1025])
def test_features_with_counts_are_those_of_single_calls(scaling, rows):
    rng = np.random.default_rng(rows)
    plain, gaps = rng.standard_normal((2, 40))
    gaps[::5] = np.nan
    texts = np.array(["a", "b"] * 20, object)
    days = np.array([f"2026-01-{1 + i % 28:02}" for i in range(40)], object)
    columns = {"gaps": gaps, "city": texts, "plain": plain, "same": np.r_[np.zeros(39), 1.0], "day": days, "more": 1e6 * plain}
    fitted = Preprocessor(scaling=scaling).fit(Table(columns))
    odd = np.array([np.nan, np.inf, -1e308, 1e308, 0.0, 1e5, 0.5])
    mixed = np.array(["z", None, "1.5", "2026-01-03", "a"], object)
    drawn = {name: rng.choice(mixed if column.dtype == object else odd, rows) for name, column in columns.items()}
    drawn["plain"] = rng.choice(mixed, rows)  # text among numbers
    table = Table(drawn)
    features, unknown, outliers = fitted.transform_noted(table)
    np.testing.assert_array_equal(features, fitted.transform(table, "ignore"))
    assert unknown == fitted.unknown(table) and outliers == fitted.outliers(table)
    assert rows < 7 or (unknown and (outliers or scaling == "standard"))
