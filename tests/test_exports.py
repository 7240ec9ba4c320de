"""Small files as spreadsheets, statistics programs, databases and instruments export them, and what must come out."""

from __future__ import annotations

import datetime
import decimal
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from cygrad.data import Table, read_csv


class Export(NamedTuple):
    """A file, and what is read from it.

    Args:
        content: text in UTF-8, or bytes.
        columns: values of all columns, in order; None where one is missing.
        options: of ``read_csv``.
        said: patterns that the notes contain, or with `refused` the message of the refusal without the options.
        refused: whether the file is refused without the options.
    """

    content: str | bytes
    columns: dict[str, list[Any]]
    options: dict[str, Any] | None = None
    said: tuple[str, ...] = ()
    refused: bool = False


EXPORTS = {
    "Excel, German: semicolons and decimal commas": Export(
        "Menge;Preis\r\n1;2,50\r\n10;1.234,00\r\n", {"Menge": [1, 10], "Preis": [2.5, 1234]}, {"decimal": ","},
    ),
    "Excel, German, without the option": Export(
        "Menge;Preis\r\n1;2,50\r\n10;3,75\r\n", {"Menge": [1, 10], "Preis": [2.5, 3.75]}, {"decimal": ","},
        ("decimal",), refused=True,
    ),
    "Excel, with sep= and a byte order mark": Export(
        "\ufeffsep=;\r\na;b\r\n1;x\r\n2;y\r\n", {"a": [1, 2], "b": ["x", "y"]},
    ),
    "Excel, Swiss: apostrophes": Export("Betrag;n\n1'234.50;1\n12'000.00;2\n", {"Betrag": [1234.5, 12000], "n": [1, 2]}),
    "Excel, Swiss: curly apostrophes": Export("Betrag;n\n1’234.50;1\n987.10;2\n", {"Betrag": [1234.5, 987.1], "n": [1, 2]}),
    "Excel, French: narrow spaces": Export(
        "montant;n\n1\u202f234,5;1\n12\u00a0000,0;2\n", {"montant": [1234.5, 12000], "n": [1, 2]}, {"decimal": ","},
    ),
    "Excel, French: UTF-16 with tabs": Export(
        "prénom\tâge\r\nZoë\t31\r\nLuc\t25\r\n".encode("utf-16"), {"prénom": ["Zoë", "Luc"], "âge": [31, 25]},
        {"encoding": "utf-16"}, ("utf-16",), refused=True,
    ),
    "Excel, Windows' code page": Export(
        "Straße;n\nMühlweg;1\nAm Fluß;2\n".encode("cp1252"), {"Straße": ["Mühlweg", "Am Fluß"], "n": [1, 2]},
        {"encoding": "cp1252"}, ("latin-1",), refused=True,
    ),
    "Excel: empty columns and rows behind the data": Export(
        "a,b,,\r\n1,2,,\r\n3,4,,\r\n,,,\r\n,,,\r\n", {"a": [1, 3, None, None], "b": [2, 4, None, None]},
    ),
    "Excel: errors in cells": Export(
        "a,b\n1,2\n#N/A,3\n#DIV/0!,4\n", {"a": [1, None, None], "b": [2, 3, 4]},
    ),
    "Excel: negative numbers in parentheses": Export(
        'a,b\n"(1,250)",1\n300,2\n', {"a": [-1250, 300], "b": [1, 2]}, {"numbers": ["a"]}, ("amount", "numbers"),
    ),
    "Excel: codes with leading zeros, listed as text": Export(
        "zip,n\n01067,1\n80331,2\n", {"zip": ["01067", "80331"], "n": [1, 2]}, {"text": ["zip"]},
    ),
    "SAP: a minus behind the number": Export(
        "Konto;Saldo\nA;1.250,00-\nB;300,50\n", {"Konto": ["A", "B"], "Saldo": [-1250, 300.5]},
        {"decimal": ",", "numbers": ["Saldo"]}, ("amount", "numbers"),
    ),
    "SAP: bars around the columns": Export(
        "|Konto|Saldo|\n|A|1250.00|\n|B|300.50|\n", {"Konto": ["A", "B"], "Saldo": [1250, 300.5]},
    ),
    "R: write.csv": Export(
        '"","speed","dist"\n"1",4,2\n"2",7,4\n"3",8,16\n', {"speed": [4, 7, 8], "dist": [2, 4, 16]}, {}, ("row index",),
    ),
    "R: write.table": Export(
        '"speed" "dist"\n"1" 4 2\n"2" 7 NA\n', {"speed": [4, 7], "dist": [2, None]}, {}, ("row name",),
    ),
    "R: write.csv2": Export(
        '"";"x";"g"\n"1";1,5;"a"\n"2";NA;"b"\n', {"x": [1.5, None], "g": ["a", "b"]}, {"decimal": ","}, ("row index",),
    ),
    "R: infinity and truth values": Export(
        "x,b\nInf,TRUE\n-Inf,FALSE\n1,NA\n", {"x": [np.inf, -np.inf, 1], "b": ["True", "False", None]},
    ),
    "pandas: an index with a name": Export(
        "__index_level_0__,x,y\n7,1,2\n3,2,3\n", {"x": [1, 2], "y": [2, 3]}, {}, ("row index",),
    ),
    "pandas: written three times": Export(
        "Unnamed: 0.1,Unnamed: 0,x\n0,0,5\n1,1,6\n", {"x": [5, 6]}, {}, ("Unnamed: 0.1", "Unnamed: 0'"),
    ),
    "pandas: integers with missing values": Export("n,y\n1.0,a\n,b\n3.0,a\n", {"n": [1, None, 3], "y": ["a", "b", "a"]}),
    "pandas: truth values with missing ones": Export("b,y\nTrue,1\n,2\nFalse,3\n", {"b": ["True", None, "False"], "y": [1, 2, 3]}),
    "MATLAB: NaN and scientific notation": Export("t,v\n1e-3,NaN\n2.5E+02,-1.5e0\n", {"t": [0.001, 250], "v": [None, -1.5]}),
    "Fortran: blanks and exponents": Export(
        "  x      y\n  1.0E+00   2.0E-01\n  3.0E+00   4.0E-01\n", {"x": [1, 3], "y": [0.2, 0.4]}, {}, ("blanks",),
    ),
    "SQL: null": Export("a\tb\n1\tNULL\n2\tx\n", {"a": [1, 2], "b": [None, "x"]}),
    "PostgreSQL: \\N": Export("a\tb\n1\t\\N\n\\N\tx\n", {"a": [1, None], "b": [None, "x"]}),
    "PostgreSQL: t and f": Export("ok,n\nt,1\nf,2\nt,3\n", {"ok": ["t", "f", "t"], "n": [1, 2, 3]}),
    "MySQL: quoted line breaks": Export(
        'note,n\n"first\nsecond",1\n"a, ""b""",2\n', {"note": ["first\nsecond", 'a, "b"'], "n": [1, 2]},
    ),
    "instrument: units below the names": Export(
        "t;v\n[s];[m/s]\n0;1.5\n1;2.5\n", {"t": [0, 1], "v": [1.5, 2.5]}, {"skip_rows": 2, "names": ["t", "v"]},
    ),
    "instrument: a preamble of metadata": Export(
        "Device: A7\nDate: 2024-01-01\n\nt,v\n0,1.5\n1,2.5\n", {"t": [0, 1], "v": [1.5, 2.5]}, {"skip_rows": 3},
        ("skip_rows",), refused=True,
    ),
    "instrument: comments between the rows": Export(
        "# start\nt,v\n0,1\n# pause\n1,2\n", {"t": [0, 1], "v": [1, 2]}, {"comment": "#"}, ("comment",), refused=True,
    ),
    "instrument: dashes declared missing": Export(
        "t,v\n0,-\n1,2\n2,--\n", {"t": [0, 1, 2], "v": [None, 2, None]}, {"missing": ["-", "--"]},
    ),
    "weather service: -999 declared missing": Export(
        "t,v\n0,-999\n1,2.5\n", {"t": [0, 1], "v": [None, 2.5]}, {"missing": ["-999"]},
    ),
    "old Macintosh: carriage returns": Export("a,b\r1,x\r2,y\r", {"a": [1, 2], "b": ["x", "y"]}),
    "mixed line ends": Export("a,b\r\n1,x\n2,y\r\n", {"a": [1, 2], "b": ["x", "y"]}),
    "no line end at the end": Export("a,b\n1,2\n3,4", {"a": [1, 3], "b": [2, 4]}),
    "names with blanks and quotes": Export('" a ","b ""c"""\n1,2\n3,4\n', {"a": [1, 3], 'b "c"': [2, 4]}),
    "names in other scripts": Export("年龄,город\n31,Москва\n25,北京\n", {"年龄": [31, 25], "город": ["Москва", "北京"]}),
    "Unicode's minus sign": Export("x,n\n−1.5,1\n2.5,2\n", {"x": [-1.5, 2.5], "n": [1, 2]}),
    "Unicode's minus sign in front of a large integer": Export(
        "k,n\n−9007199254740993,1\n5,2\n", {"k": ["−9007199254740993", "5"], "n": [1, 2]}, {}, ("2\\^53",),
    ),
    "Unicode's minus sign in front of thousands": Export(
        'k,n\n"−9,007",1\n5,2\n', {"k": [-9007, 5], "n": [1, 2]}, {}, ("'−9,007' is read as -9007",),
    ),
    "full-width digits": Export("x,n\n１２,1\n３,2\n", {"x": [12, 3], "n": [1, 2]}),
    "Indian groups": Export('x,n\n"12,34,567",1\n"1,00,000",2\n', {"x": [1234567, 100000], "n": [1, 2]}),
    "amounts in euros behind the number": Export(
        "p;n\n1.234,50 €;1\n9,99 €;2\n", {"p": [1234.5, 9.99], "n": [1, 2]}, {"decimal": ",", "numbers": ["p"]},
        ("amount", "numbers"),
    ),
    "percent with a comma": Export(
        "p;n\n12,5 %;1\n-3 %;2\n", {"p": [12.5, -3], "n": [1, 2]}, {"decimal": ",", "numbers": ["p"]}, ("amount", "numbers"),
    ),
    "comparisons of a laboratory stay text": Export("x,n\n<0.5,1\n1.2,2\n", {"x": ["<0.5", "1.2"], "n": [1, 2]}),
    "phone numbers stay text": Export("t,n\n+49 30 1234,1\n030/987,2\n", {"t": ["+49 30 1234", "030/987"], "n": [1, 2]}),
    "versions stay text": Export("v,n\n1.2.3,1\n1.10.0,2\n", {"v": ["1.2.3", "1.10.0"], "n": [1, 2]}),
    "hexadecimal numbers stay text": Export("h,n\n0x1F,1\n0xA0,2\n", {"h": ["0x1F", "0xA0"], "n": [1, 2]}),
    "numbers with underscores stay text": Export("k,n\n1_000,1\n2_000,2\n", {"k": ["1_000", "2_000"], "n": [1, 2]}),
    "times of day stay text": Export("t,n\n08:30,1\n12:00,2\n", {"t": ["08:30", "12:00"], "n": [1, 2]}),
    "blank cells are missing": Export("a,b\n  ,x\n2,   \n", {"a": [None, 2], "b": ["x", None]}),
}  # fmt: skip


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_an_export_is_read_right(export, tmp_path):
    path = tmp_path / "export.csv"
    path.write_bytes(export.content.encode() if isinstance(export.content, str) else export.content)
    said, options = "", export.options or {}
    if export.refused:
        with pytest.raises(ValueError, match="read_csv") as error:
            read_csv(path)
        said = str(error.value)
    elif "numbers" in options:
        said = " ".join(read_csv(path, **{k: v for k, v in options.items() if k != "numbers"}).notes)
    table = read_csv(path, **options)
    assert table.names == list(export.columns)
    for name, values in export.columns.items():
        column = [None if value is None or value != value else value for value in table[name].tolist()]
        assert column == values, name
    said += " ".join(table.notes)
    assert all(re.search(pattern, said) for pattern in export.said), said


# Data frames with an Arrow stream


FRAME: dict[str, list[Any]] = {
    "x": [1.5, None, 3.0],
    "n": [1, 2, 3],
    "missing": [1, None, 3],
    "large": [2**53, 2**53 + 1, 2**53 + 2],
    "b": [True, None, False],
    "city": ["Bern", None, " Oslo "],
    "day": [datetime.date(2024, 12, 31), None, datetime.date(2024, 2, 29)],
    "moment": [datetime.datetime(2024, 12, 31, 12, 30), None, datetime.datetime(1970, 1, 1)],
    "price": [decimal.Decimal("1.25"), None, decimal.Decimal("2.50")],
}


def from_duckdb() -> Any:
    duckdb = pytest.importorskip("duckdb")
    arrow = pytest.importorskip("pyarrow").table(FRAME)
    return duckdb.connect().from_arrow(arrow)


FRAMES: dict[str, Callable[[], Any]] = {
    "pyarrow": lambda: pytest.importorskip("pyarrow").table(FRAME),
    "pyarrow's reader": lambda: pytest.importorskip("pyarrow").table(FRAME).to_reader(),
    "polars": lambda: pytest.importorskip("polars").DataFrame(FRAME),
    "pandas with Arrow's types": lambda: pytest.importorskip("pyarrow").table(FRAME).to_pandas(
        types_mapper=pytest.importorskip("pandas").ArrowDtype
    ),
    "DuckDB": from_duckdb,
}  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_data_frame_with_an_arrow_stream_is_taken_as_it_is(frame):
    pytest.importorskip("pyarrow")
    table, expected = Table(frame()), Table(FRAME)
    assert table.names == expected.names
    for name in FRAME:
        column, other = (t[name].tolist() for t in (table, expected))
        if name in ("day", "moment"):
            column, other = ([t and np.datetime64(t.replace(" ", "T")) for t in texts] for texts in (column, other))
        np.testing.assert_array_equal(column, other, err_msg=name)


def test_an_arrow_stream_without_pyarrow_or_with_repeated_names_is_refused(monkeypatch):
    arrow = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="Table: duplicate column 'x'"):
        Table(arrow.Table.from_arrays([arrow.array([1]), arrow.array([2])], ["x", "x"]))
    stream = arrow.table({"x": [1]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="Table: pyarrow is required for a Table: pip install pyarrow"):
        Table(stream)
