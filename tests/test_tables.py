"""Tables, and the readers of their files, valid or corrupt."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import math
import pickle
import re
import zipfile

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad.data import Table, read_csv, read_json_lines, read_npy, read_npz, read_parquet
from cygrad.data.tables.column import normal_booleans


def plain(table):
    """Names and values, with NaN as None."""
    return {
        name: [None if isinstance(v, float) and math.isnan(v) else v for v in column.tolist()]
        for name, column in table.items()
    }


# Tables

VALUES = {
    "integers": ([1, 2], [1.0, 2.0]),
    "floats": (np.array([0.5, np.nan], np.float32), [0.5, None]),
    "missing numbers": ([1, None, math.nan], [1.0, None, None]),
    "booleans": ([True, False], ["True", "False"]),
    "text": ([" a ", "b", ""], ["a", "b", None]),
    "mixed": ([1, "a", 2.5], ["1", "a", "2.5"]),
    "decimals": ([decimal.Decimal("1.5"), None], [1.5, None]),
    "days": ([datetime.date(2026, 11, 24)], ["2026-11-24"]),
    "times": (np.array(["1970-01-02", "NaT"], "datetime64[ns]"), ["1970-01-02", None]),
    "time spans": (np.array([1500, 20], "timedelta64[ms]"), [1.5, 0.02]),
    "large integers": (np.array([2**53, 2**53 + 1]), [str(2**53), str(2**53 + 1)]),
    "large integers of Python": ([2**53 + 1, None, 1], [str(2**53 + 1), None, "1"]),
    "spellings of booleans": (["TRUE", "false", None], ["True", "False", None]),
    "nothing": ([None, None], [None, None]),
    "empty": ([], []),
}


@pytest.mark.parametrize(("values", "expected"), VALUES.values(), ids=VALUES)
def test_values_are_converted_to_columns(values, expected):
    table = Table({"x": values})
    assert plain(table) == {"x": expected} and len(table) == len(expected)
    assert table["x"].dtype in (np.float64, object)


def test_rows_and_columns_of_a_table():
    table = Table({"a": [1, 2, 3], "b": ["x", None, "z"]})
    assert plain(table.take([2, 0])) == {"a": [3.0, 1.0], "b": ["z", "x"]}
    assert plain(table.drop(["a"])) == {"b": ["x", None, "z"]} and len(table.take([])) == 0
    assert "a" in table and list(table) == ["a", "b"] and repr(table) == "Table(3 rows; a: numbers, b: text)"
    with pytest.raises(KeyError, match="the table has no column 'c'; its columns are 'a', 'b'"):
        table["c"]
    with pytest.raises(KeyError, match="no column 'c'"):
        table.drop(["c"])


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"a": [1], "b": [1, 2]}, ValueError, "column 'b' must have 1 values, as previous columns do, got 2"),
        ({"": [1]}, ValueError, "column names must be non-empty strings, got ''"),
        ({3: [1]}, ValueError, "column names must be non-empty strings, got 3"),
        ({"a": [[1, 2]]}, ValueError, "column 'a' must be 1-dimensional, got shape (1, 2)"),
        ({"a": np.array([1j])}, TypeError, "column 'a' must contain numbers or text, got complex128"),
        ({"a": np.array([{}, []], object)}, TypeError, "column 'a' must contain numbers or text, got a dict"),
        ({"a": [b"x"]}, TypeError, "column 'a' must contain numbers or text, got "),
        ({"a": [1, 10**400, "x"]}, ValueError, "column 'a' contains an integer too large for float64"),
        ([[1, 2]], TypeError, "expected a dict of columns or a data frame, got list"),
    ],
)  # fmt: skip
def test_invalid_tables_raise(columns, error, message):
    with pytest.raises(error) as caught:
        Table(columns)
    assert f"Table: {message}" in str(caught.value)


def test_a_table_from_a_data_frame():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(
        {"a": pandas.array([1, None], "Int64"), "b": ["x", None], "c": pandas.Categorical(["u", "v"])}
    )
    assert plain(Table(frame)) == {"a": [1.0, None], "b": ["x", None], "c": ["u", "v"]}


# CSV

GOOD = {
    "numbers and text": ("a,b\n1,x\n2.5,y\n", {}, {"a": [1, 2.5], "b": ["x", "y"]}),
    "Windows line ends": ("a,b\r\n1,x\r\n", {}, {"a": [1], "b": ["x"]}),
    "no line end at the end": ("a\n1", {}, {"a": [1]}),
    "byte order mark": ("\ufeffa,b\n1,2\n", {}, {"a": [1], "b": [2]}),
    "empty lines": ("\na,b\n\n1,2\n\n", {}, {"a": [1], "b": [2]}),
    "space": (" a , b \n 1 , x y \n", {}, {"a": [1], "b": ["x y"]}),
    "quotes": ('a,b\n"1","x, ""y""\nz"\n', {}, {"a": [1], "b": ['x, "y"\nz']}),
    "semicolons": ("a;b\n1;x\n", {}, {"a": [1], "b": ["x"]}),
    "tabs": ("a\tb\n1\tx\n", {}, {"a": [1], "b": ["x"]}),
    "bars": ("a|b\n1|x,y\n", {}, {"a": [1], "b": ["x,y"]}),
    "explicit delimiter": ("a:b\n1:x\n", {"delimiter": ":"}, {"a": [1], "b": ["x"]}),
    "comma in a name": ('"a, b";c\n1;2\n', {}, {"a, b": [1], "c": [2]}),
    "missing": ("a,b\n,NA\n1,x\nnan,null\n", {}, {"a": [None, 1, None], "b": [None, "x", None]}),
    "explicit missing value": ("a,b\n?,\n1,x\n", {"missing": ["?"]}, {"a": [None, 1], "b": [None, "x"]}),
    "a number as missing value": ("a,b\n-999,1\n2,_\n", {"missing": ["-999", "_"]}, {"a": [None, 2], "b": [1, None]}),
    "only missing values": ("a,b\n,1\n", {}, {"a": [None], "b": [1]}),
    "decimal comma": ("a;b\n1,5;x\n-,5;y\n", {"decimal": ","}, {"a": [1.5, -0.5], "b": ["x", "y"]}),
    "explicit text column": ("a,b\n01,1\n02,2\n", {"text": ["a"]}, {"a": ["01", "02"], "b": [1, 2]}),
    "number formats": ("a,b,c\n1e3,inf,1_0\n+.5,-inf,2\n", {}, {"a": [1000, 0.5], "b": [math.inf, -math.inf], "c": ["1_0", "2"]}),
    "thousands": ("a;b;c;d\n1,234,567.5;1 234;1'234;x\n-2,000;9;99;y\n", {}, {"a": [1234567.5, -2000], "b": [1234, 9], "c": [1234, 99], "d": ["x", "y"]}),
    "no thousands": ("a;b\n12,34,567;0 123\n1,2345;x\n", {}, {"a": ["12,34,567", "1,2345"], "b": ["0 123", "x"]}),
    "thousands and a decimal comma": ("a;b\n1.234,5;1.200\n7;12.000\n", {"decimal": ","}, {"a": [1234.5, 7], "b": [1200, 12000]}),
    "amounts": ("a,b\n$1.50,22%\n-€2,-3.5 %\n", {"numbers": ["a", "b"]}, {"a": [1.5, -2], "b": [22, -3.5]}),
    "large integers": (f"a,b\n{2**53 + 1},{2**53}\n1,{2**60}\n", {}, {"a": [str(2**53 + 1), "1"], "b": [2.0**53, 2.0**60]}),
    "large integers rounded": (f"a\n{2**53 + 1}\n", {"numbers": ["a"]}, {"a": [2.0**53]}),
    "booleans": ("a,b\nTRUE,true\nfalse,maybe\n", {}, {"a": ["True", "False"], "b": ["true", "maybe"]}),
    "no header": ("1,x\n2,y\n", {"header": "none"}, {"0": [1, 2], "1": ["x", "y"]}),
    "names": ("1,x\n2,y\n", {"names": ["a", "b"]}, {"a": [1, 2], "b": ["x", "y"]}),
    "names that are there": ("a,b\n1,x\n", {"names": ["a", "b"]}, {"a": [1], "b": ["x"]}),
    "other names": ("a,b\n1,x\n", {"names": ["c", "d"], "header": "first"}, {"c": [1], "d": ["x"]}),
    "numbers as names": ("2019,2020\n1,2\n", {"header": "first"}, {"2019": [1], "2020": [2]}),
    "pandas' index": (",a\n7,1\n3,2\n", {}, {"a": [1, 2]}),
    "pandas' index, read and written": ("Unnamed: 0.1,Unnamed: 0,a\n0,0,1\n", {}, {"a": [1]}),
    "R's row names": ('"a" "b"\n"Mazda RX4" 1 x\n"Fiat" 2 y\n', {}, {"a": [1, 2], "b": ["x", "y"]}),
    "R's numbers of rows": ('"a","b"\n"1",5,"x"\n"2",6,"y"\n', {}, {"a": [5, 6], "b": ["x", "y"]}),
    "delimiters at the end": ("a,b,,\n1,2,,\n3,4,,\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "delimiters at the end of rows": ("a,b\n1,2,\n3,4,\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "a named delimiter": ("sep=:\na:b\n1:x\n", {}, {"a": [1], "b": ["x"]}),
    "blanks": ("a   b\n 1  2\n3 \t 4\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "one column of words": ("full name\nA B\nC D E\n", {}, {"full name": ["A B", "C D E"]}),
    "comments": ('# x\na,b\n#y\n1,"2\n# 3"\n', {"comment": "#"}, {"a": [1], "b": ["2\n# 3"]}),
    "a preamble": ("report,\n\na,b\n1,2\n", {"skip_rows": 2}, {"a": [1], "b": [2]}),
    "dropped columns": ("a,b\n1;2,1\n", {"drop": ["a"]}, {"b": [1]}),
    "chosen columns": ("a,b,c\n1,2,3\n", {"columns": ["c", "a", "z"]}, {"a": [1], "c": [3]}),
    "utf8 with a mark": ("\ufeffa\n1\n", {"encoding": "utf8"}, {"a": [1]}),
    "UTF-8 with a mark": ("\ufeffa\n1\n", {"encoding": "UTF-8"}, {"a": [1]}),
    "u8 with a mark": ("\ufeffa\n1\n", {"encoding": "u8"}, {"a": [1]}),
    "utf-16-le with a mark": ("\ufeffa\n1\n", {"encoding": "utf-16-le"}, {"a": [1]}),
    "latin-1": ("a\né\n", {"encoding": "latin-1"}, {"a": ["é"]}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "expected"), GOOD.values(), ids=GOOD)
def test_csv(text, options, expected, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(options.get("encoding", "utf-8")))
    assert plain(read_csv(path, **options)) == expected == plain(Table.read(path, **options))


BAD = {
    "empty": (b"", {}, r"table\.csv is empty"),
    "empty lines only": (b"\n\n", {}, "is empty"),
    "names only": (b"a,b\n", {}, "has column names but no rows"),
    "too few fields": (b"a,b\n1,2\n3\n", {}, r"line 3 of .* must have 2 fields, one per column, got 1"),
    "too many fields": (b"a,b\n1,2,3\n", {}, "line 2 of .* must have 2 fields, one per column, got 3"),
    "duplicate name": (b"a,b,a\n1,2,3\n", {}, "duplicate column 'a' in"),
    "duplicate name apart from whitespace": (b"a, a\n1,2\n", {}, "duplicate column 'a' in"),
    "no name": (b"a,,b\n0,1,2\n", {}, "column 2 of .* has no name$"),
    "no name for the last column": (b"a,\n0,1\n", {}, "column 2 of .* has no name$"),
    "no names": (b"1,2\n3,4\n", {}, "the first line of .* must contain column names, got the number '1'; pass header='none'"),
    "a number among the names": (b"a,2019\n3,4\n", {}, "got the number '2019'; .* or header='first' if these are names"),
    "comments": (b"# a\n# b\nx,y\n1,2\n", {}, "line 3 of .* must have 1 fields.*pass comment='#'"),
    "a preamble": (b"report\nx,y\n1,2\n", {}, "line 2 of .* must have 1 fields.*pass skip_rows"),
    "points and a decimal comma": (b"a\n1.5\n2.25\n", {"decimal": ","}, "has numbers with a decimal point, such as '1.5'"),
    "both, with a decimal comma": (b"a;b\n1.234,5;1\n999,25;2\n", {}, "has numbers with a decimal comma, such as '1.234,5'"),
    "no amount": (b"a\n$1\nfree\n", {"numbers": ["a"]}, "column 'a' of .* contains 'free' in row 2, expected a number"),
    "no such header": (b"a\n1\n", {"header": "last"}, "header must be first or none, got 'last'"),
    "negative lines": (b"a\n1\n", {"skip_rows": -1}, "skip_rows must not be negative, got -1"),
    "too few names": (b"1,2\n", {"names": ["a"]}, "line 1 of .* must have 1 fields, one per column, got 2"),
    "unclosed quotes": (b'a,b\n1,"x\n', {}, "line 2 of .* is not valid CSV"),
    "text after quotes": (b'a,b\n1,"x"y\n', {}, "line 2 of .* is not valid CSV"),
    "not utf-8": ("a\né\n".encode("latin-1"), {}, "is not valid utf-8 at byte 2; try encoding='latin-1'"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), {}, "is not valid utf-8 at byte 0; try encoding='utf-16'"),
    "other encoding": (b"\xff", {"encoding": "ascii"}, "is not valid ascii at byte 0"),
    "unknown encoding": (b"a\n1\n", {"encoding": "klingon"}, "unknown encoding 'klingon'"),
    "binary": (b"a,b\n\x00,1\n", {}, "contains zero bytes, so it is not text in utf-8"),
    "decimal comma": (b"a;b\n1,5;x\n2;y\n", {}, "column 'a' of .* has numbers with a decimal comma, such as '1,5'"),
    "long delimiter": (b"a\n1\n", {"delimiter": "::"}, "delimiter must be a single character, got '::'"),
    "quote as delimiter": (b"a\n1\n", {"delimiter": '"'}, "delimiter must be a single character"),
    "huge field": (b"a\n" + b"x" * 200_000, {}, "line 2 of .* is not valid CSV .*limit"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "options", "message"), BAD.values(), ids=BAD)
def test_bad_csv(content, options, message, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"read_csv: .*{message}"):
        read_csv(path, **options)


fields = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["1", "-2.5", " 3 ", "1e3", "inf", "nan", "NA", "1_0", '"', ",", "\n", "\r\n", "'", "٣"]
)


@settings(deadline=None, max_examples=300)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), min_size=1, max_size=5)
    ),
    st.sampled_from(",;\t"),
)
@example([["x"], ["1"]], ",")
def test_csv_agrees_with_the_csv_module(tmp_path_factory, rows, delimiter):
    """For anything that csv.writer writes, except decimal commas and thousands, fields agree with csv.reader and numbers
    with float."""
    assume(not any(re.search(r"\d[,. '’\u00a0\u2009\u202f]\d", field) for row in rows for field in row))
    names = [f"column {i}" for i in range(len(rows[0]))]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows([names, *rows])
    path = tmp_path_factory.getbasetemp() / "table.csv"
    path.write_bytes(buffer.getvalue().encode())
    with open(path, encoding="utf-8", newline="") as file:
        read = [[field.strip() for field in line] for line in csv.reader(file, delimiter=delimiter) if line][1:]
    table = read_csv(path, delimiter=delimiter, missing=["nan", "NA"], text=[])
    assert len(table) == len(rows) == len(read)
    for column, name in enumerate(names):
        expected = [None if line[column] in ("nan", "NA", "") else line[column] for line in read]
        if table[name].dtype == object:
            texts = [value or None for value in expected]
            assert table[name].tolist() == list(normal_booleans(texts))
        else:
            numbers = np.array([math.nan if value is None else float(value) for value in expected])
            np.testing.assert_array_equal(table[name], numbers)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(width=64), st.floats(width=32)), min_size=1, max_size=20))
def test_csv_of_numbers_written_by_numpy(tmp_path_factory, rows):
    array = np.array(rows)
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    np.savetxt(path, array, "%.17g", ",", header="a,b", comments="")
    table = read_csv(path)
    back = np.stack([np.array([math.nan if v is None else v for v in table[n]], np.float64) for n in "ab"], 1)
    np.testing.assert_array_equal(back, array)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_an_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        table = read_csv(path)
    except ValueError as error:
        assert "read_csv: " in str(error) and str(path) in str(error)
    else:
        assert len(table) and table.names


NOTES = {
    "thousands": ('a\n"1,250"\n', {}, "'1,250' is read as 1250; pass decimal=',' if it means 1.25$"),
    "certain thousands": ('a\n"1,234,567"\n"1,250"\n', {}, "'1,234,567' is read as 1234567$"),
    "thousands by points": ("a\n1.200\n", {"decimal": ","}, "'1.200' is read as 1200; pass decimal='.' if it means 1.2$"),
    "currency": ("a\n$5\n12 EUR\n", {}, "has amounts such as '\\$5' and is read as text; list it in numbers to read 5$"),
    "large integers": (f"a\n{2**53 + 1}\n", {}, f"has integers above 2\\^53, such as {2**53 + 1}, and is read as text"),
    "an index": (",a\n0,1\n", {}, "the first column, which has no name, .* is left out"),
    "blanks": ("a b\n1 2\n", {}, "separated by blanks; pass delimiter=',' if it has one column"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "note"), NOTES.values(), ids=NOTES)
def test_decisions_are_noted(text, options, note, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    table = read_csv(path, **options)
    assert len(table.notes) == 1 and re.search(note, table.notes[0]), table.notes
    assert table.take([0]).notes == table.notes


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=8), st.sampled_from(",.'’\u202f "), st.data())
def test_thousands_are_read_with_any_separator(tmp_path_factory, integers, mark, data):
    """Whatever separates groups of three digits, and whatever the decimal point, the value is that of the digits."""
    decimal = data.draw(st.sampled_from([point for point in ".," if point != mark]))
    fractions = data.draw(st.lists(st.integers(0, 99), min_size=len(integers), max_size=len(integers)))
    texts = [f"{n:,}".replace(",", mark) + f"{decimal}{f:02d}" for n, f in zip(integers, fractions, strict=True)]
    path = tmp_path_factory.getbasetemp() / "thousands.csv"
    path.write_text("a;b\n" + "".join(f"{text};x\n" for text in texts), encoding="utf-8")
    expected = [float(f"{n}.{f:02d}") for n, f in zip(integers, fractions, strict=True)]
    assert read_csv(path, decimal=decimal, delimiter=";")["a"].tolist() == expected


def test_compressed_files_and_standard_input(tmp_path, monkeypatch):
    content, expected = b"a,b\n1,x\n", {"a": [1], "b": ["x"]}
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    for name in "t.zip", "t.csv.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("inner.csv", content)
            archive.writestr("__MACOSX/._inner.csv", b"")
    for name in "t.csv.gz", "t.zip", "t.csv.zip":
        assert plain(Table.read(tmp_path / name)) == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert plain(Table.read("-")) == expected
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(content)[:-9])
    (tmp_path / "no.csv.zip").write_bytes(b"PK")
    with zipfile.ZipFile(tmp_path / "two.csv.zip", "w") as archive:
        archive.writestr("a.csv", content)
        archive.writestr("b.csv", content)
    for name in "cut.csv.gz", "no.csv.zip", "two.csv.zip":
        with pytest.raises(ValueError, match=f"read_csv: .*{name} (can't be decompressed|must contain one file)"):
            Table.read(tmp_path / name)


def test_a_file_that_expands_too_far_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cygrad.data.tables.content.expansion_limit", lambda size: 1000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a\n" + b"1\n" * 1000))
    with pytest.raises(ValueError, match=r"read_csv: .*t\.csv\.gz expands to more than 1,000 bytes"):
        Table.read(tmp_path / "t.csv.gz")


def test_json_lines(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"a": 1, "b": true}}\n\n{{"c": "x", "a": null, "id": {2**53 + 1}}}\n', encoding="utf-8-sig")
    assert plain(Table.read(path)) == {
        "a": [1, None], "b": ["True", None], "c": [None, "x"], "id": [None, str(2**53 + 1)],
    }  # fmt: skip
    for line, message in (
        ("[1]", "line 2 of .* must be an object"),
        ('{"a": [1]}', "must be an object of numbers and text, got a nested one"),
        ("{", "line 2 of .* is not valid JSON"),
    ):
        path.write_text('{"a": 1}\n' + line, encoding="utf-8")
        with pytest.raises(ValueError, match=f"read_json_lines: .*{message}"):
            read_json_lines(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no rows"):
        read_json_lines(path)


# NumPy files


def test_npy(tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, np.array([[1, 2], [3, 4]], np.float32))
    assert plain(Table.read(path)) == {"0": [1, 3], "1": [2, 4]}
    np.save(path, np.array([(1, "x"), (2, "y")], [("a", "i4"), ("b", "U3")]))
    assert plain(read_npy(path)) == {"a": [1, 2], "b": ["x", "y"]}


def test_npz(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, x=np.arange(6).reshape(3, 2), y=["a", "b", "c"])
    assert plain(Table.read(path)) == {"x 0": [0, 2, 4], "x 1": [1, 3, 5], "y": ["a", "b", "c"]}


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code in a file was executed",))


@pytest.mark.parametrize(
    ("reader", "content", "message"),
    [
        (read_npy, np.zeros(3), "must contain a 2-dimensional array or named fields, got \\(3,\\)"),
        (read_npy, np.zeros((0, 2)), "has no rows"),
        (read_npy, np.zeros((2, 2), complex), "is not a table .*got complex128"),
        (read_npy, np.array([[Bomb()]]), "can't be read as a numeric array"),
        (read_npy, b"PK", "is not a .npy file"),
        (read_npz, {"a": np.zeros(2), "b": np.zeros(3)}, "is not a table .*column 'b' must have 2 values, as previous columns do, got 3"),
        (read_npz, {"a": np.zeros((2, 2, 2))}, "is not a table .*1-dimensional"),
        (read_npz, {"a": np.array([Bomb()])}, "pickled objects"),
        (read_npz, {}, "has no rows"),
        (read_npz, b"PK\3\4", "truncated, corrupt"),
        (read_npz, pickle.dumps(Bomb()), "truncated, corrupt"),
    ],
)  # fmt: skip
def test_bad_numpy_files_raise(reader, content, message, tmp_path):
    path = tmp_path / f"table{'.npz' if reader is read_npz else '.npy'}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(ValueError, match=message) as caught:
        reader(path)
    assert str(path) in str(caught.value)


# Parquet


def test_parquet(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    columns = {
        "whole": pyarrow.array([1, None, 3]),
        "part": pyarrow.array([0.5, 1.5, None], pyarrow.float32()),
        "text": pyarrow.array(["x", None, "z"]),
        "coded": pyarrow.array(["u", "v", "u"]).dictionary_encode(),
        "flag": pyarrow.array([True, None, False]),
        "day": pyarrow.array([datetime.date(1970, 1, 2), None, datetime.date(1970, 1, 1)]),
        "price": pyarrow.array([decimal.Decimal("1.25")] * 3),
    }
    parquet.write_table(pyarrow.table(columns), path)
    expected = {
        "whole": [1, None, 3], "part": [0.5, 1.5, None], "text": ["x", None, "z"], "coded": ["u", "v", "u"],
        "flag": ["True", None, "False"], "day": ["1970-01-02", None, "1970-01-01"], "price": [1.25] * 3,
    }  # fmt: skip
    assert plain(Table.read(path)) == expected
    parquet.write_table(pyarrow.table({"id": [2**53 + 1, None], "a": [1, 2], "__index_level_0__": [7, 3]}), path)
    assert plain(read_parquet(path)) == {"id": [str(2**53 + 1), None], "a": [1, 2]}
    assert len(read_parquet(path).notes) == 1
    parquet.write_table(pyarrow.table({"lists": [[1], [2]]}), path)
    with pytest.raises(ValueError, match=r"read_parquet: .*table\.parquet is not a table .*column 'lists'"):
        read_parquet(path)
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:-20], whole[:10]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"read_parquet: .*table\.parquet can't be read \("):
            read_parquet(path)


def test_parquet_requires_a_package(tmp_path, monkeypatch):
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    for package in "pyarrow", "pyarrow.parquet", "pandas":
        monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(
        ImportError, match="read_parquet: pyarrow or pandas is required: pip install 'cygrad\\[tables\\]'"
    ):
        read_parquet(tmp_path / "table.parquet")


def test_other_suffixes_and_missing_files_raise(tmp_path):
    with pytest.raises(ValueError, match=r"Table\.read: the file must end in \.csv, .*, got '.*table\.xlsx'"):
        Table.read(tmp_path / "table.xlsx")
    with pytest.raises(ValueError, match=r"options are for \.csv, \.tsv, \.txt, \.data files, got delimiter for \.npy"):
        Table.read(tmp_path / "table.npy", delimiter=";")
    for name in "table.csv", "table.npy", "table.npz", "table.parquet":
        with pytest.raises(FileNotFoundError):
            Table.read(tmp_path / name)


def test_tables_are_imported_on_first_use():
    import subprocess
    import sys

    code = (
        "import sys, cygrad; print([m for m in sys.modules if 'tables' in m or 'preprocessing' in m or 'leakage' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n" and cg.data.Table is Table
    with pytest.raises(AttributeError, match=r"module 'cygrad\.data' has no attribute 'nothing'"):
        cg.data.nothing  # noqa: B018
