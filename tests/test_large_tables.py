"""Large CSV files: readers in C that give what csv gives, blocks, compression, and predictions in bounded memory."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import math
import re
import sys
import warnings

import numpy as np
import pytest

from cygrad import cli, runs
from cygrad.data import Table, read_csv
from cygrad.data.tables import content, delimited, plain
from cygrad.data.tables.column import to_numbers
from cygrad.data.tables.delimited import read_csv_blocks
from cygrad.runs import answers
from cygrad.runs.table_run import OutlierWarning, UnseenWarning

READERS = ["numpy", "pyarrow"]
FORMS = [
    lambda r: f"{r.normal():.6g}",
    lambda r: str(r.integers(-50, 50)),
    lambda r: repr(float(r.normal() * 10.0 ** r.integers(-300, 300))),
    lambda r: f"{r.integers(0, 100):04d}",
    lambda r: r.choice(["", "1", "2.5"]),
    lambda r: r.choice(["NA", "3", "nan"]),
    lambda r: r.choice(["true", "FALSE", "True"]),
    lambda r: r.choice(["Bern", "Oslo", "São Paulo"]),
    lambda r: f"{r.integers(1, 99)},{r.integers(100, 999)}".replace(",", " "),
    lambda r: str(2**53 + int(r.integers(0, 1000))),
    lambda r: r.choice(["inf", "-inf", "1e400", "0"]),
    lambda r: r.choice([" 1", "2 ", "+3", "-0"]),
    lambda r: f"2024-0{r.integers(1, 9)}-1{r.integers(0, 9)}",
    lambda r: f"{r.integers(0, 23):02}:30:00",
    lambda r: r.choice(["1_000", "2"]),
    lambda r: r.choice(["0x10", "1"]),
    lambda r: r.choice(["", "-999", "5"]),
    lambda r: r.choice(['"a ""b"""', '"c"']),
    lambda r: f"${r.integers(1, 9)}.50",
    lambda r: "",
    lambda r: r.choice(["0", "1", "true"]),
    lambda r: r.choice(["1e5", "1E-5", ".5", "5."]),
]


def generated(seed):
    """The text of a table, and options to read it with; some tables are malformed."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(FORMS) if seed % 2 else 3, random.integers(1, 6))
    end = "\r\n" if seed % 7 == 0 else "\n"
    rows = [",".join(FORMS[i](random) for i in chosen) for _ in range(random.integers(1, 40))]
    if seed % 11 == 0:
        rows[len(rows) // 2] += ",9"
    if seed % 13 == 0:
        rows.insert(len(rows) // 2, "")
    names = [f"c{i}" for i in range(len(chosen))]
    options = {1: {"missing": ["-999"]}, 3: {"text": ["c0"]}, 5: {"numbers": ["c0"]}}.get(seed % 8, {})
    return end.join([",".join(names), *rows, ""]), options


def outcome(path, options):
    try:
        table = read_csv(path, **options)
    except ValueError as error:
        return str(error)
    return [(name, column.dtype, column.tolist()) for name, column in table.items()], table.notes


@pytest.mark.parametrize("reader", READERS)
def test_readers_in_c_give_what_csv_gives(reader, tmp_path, monkeypatch):
    if reader == "pyarrow":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path, used = tmp_path / "t.csv", 0
    real = plain.read_columns
    for seed in range(200):
        text, options = generated(seed)
        path.write_text(text, newline="")
        monkeypatch.setattr(delimited, "LARGE", 10**9)
        expected = outcome(path, options)
        for module, name in (delimited, "LARGE"), (plain, "LARGE"):
            monkeypatch.setattr(module, name, 0)
        monkeypatch.setattr(plain, "HUGE", 0 if reader == "pyarrow" else 10**9)

        def watched(*arguments):
            nonlocal used
            found = real(*arguments)
            used += found is not None
            return found

        monkeypatch.setattr(delimited, "read_columns", watched)
        np.testing.assert_equal(outcome(path, options), expected, f"seed {seed}")
    assert used > (100 if reader == "pyarrow" else 30)


# Blocks


def people(rows):
    """A table whose texts contain delimiters, quotes and line breaks."""
    cities = ["Bern", '"Oslo,\nNorway"', '"the ""city"""']
    lines = [f"{i},{cities[i % 3]},{i % 7 or ''}" for i in range(rows)]
    return "note\n# more\na,city,b\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("size", [40, 100, 1000, 10**6])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_blocks_join_to_the_whole(size, suffix, tmp_path):
    path = tmp_path / f"people.csv{suffix}"
    path.write_bytes(gzip.compress(people(200).encode()) if suffix else people(200).encode())
    options = {"skip_rows": 1, "comment": "#"}
    whole = read_csv(path, **options)
    blocks = [parse() for parse in read_csv_blocks(path, size=size, **options)]
    assert len(blocks) == 1 or size < 10**6
    for name in "a", "b":  # a column of a block without values is text
        joined = np.concatenate([to_numbers(block[name]) for block in blocks])
        np.testing.assert_array_equal(joined, whole[name])
    assert [city for block in blocks for city in block["city"]] == whole["city"].tolist()


@pytest.mark.parametrize(
    "text", ["1,2\n3,4\n5,6\n", '"","x"\n"1",2\n"2",3\n"3",4\n', "x\n1 2\n2 3\n3 4\n", "sep=;\na;b\n1;2\n3;4\n"]
)
def test_blocks_have_the_form_of_the_first(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    options = {"header": "none"} if text[0] == "1" else {}
    whole = read_csv(path, **options)
    blocks = [parse() for parse in read_csv_blocks(path, size=len(text) - 3, **options)]
    assert len(blocks) > 1
    for name, column in whole.items():
        np.testing.assert_array_equal(np.concatenate([block[name] for block in blocks]), column)


def test_a_later_line_is_named_by_its_number_in_the_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + "3\n" + "1,2\n" * 10)
    with pytest.raises(ValueError, match=r"line 102 of .* must have 2 fields"):
        [parse() for parse in read_csv_blocks(path, size=64)]
    path.write_bytes(b"a,b\n" + b"1,2\n" * 100 + b"\xff,1\n")
    with pytest.raises(ValueError, match="is not valid utf-8; try encoding='latin-1'"):
        [parse() for parse in read_csv_blocks(path, size=64)]


@pytest.mark.parametrize("module", ["compression.zstd", "zstandard", "pyarrow"])
def test_zstandard(module, tmp_path, monkeypatch):
    path = tmp_path / "people.csv.zst"
    modules = ["compression.zstd", "zstandard", "pyarrow"]
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        path.write_bytes(b"(\xb5/\xfd")
        for name in modules:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=r"needs Python 3\.14, zstandard or pyarrow"):
            read_csv(path)
        return
    # one frame with one raw block, RFC 8878: magic, descriptor of a one-byte size, size, block header, content
    body = people(5).encode()
    block = ((len(body) << 3) | 1).to_bytes(3, "little")
    path.write_bytes(b"\x28\xb5\x2f\xfd\x20" + bytes([len(body)]) + block + body)
    for name in modules:
        if name != module:
            monkeypatch.setitem(sys.modules, name, None)
    table = read_csv(path, skip_rows=1, comment="#")
    assert len(table) == 5 and content.plain_name("x.csv.zst") == "x.csv"
    path.write_bytes(b"not compressed")
    with pytest.raises(ValueError, match="can't be decompressed"):
        read_csv(path)


# Predictions


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on two numbers and a category."""
    folder = tmp_path_factory.mktemp("large")
    lines = [f"{i % 11},{i % 5},{'AB'[i % 2]},{'no' if i % 11 < 5 else 'yes'}" for i in range(120)]
    (folder / "t.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    out = folder / "run"
    arguments = [
        "train",
        str(folder / "t.csv"),
        "--target",
        "y",
        "--network",
        "mlp",
        "--epochs",
        "1",
        "--out",
        str(out),
    ]
    assert cli.main(arguments) == 0
    return out


HARD = 'a,b,c,name\n1,2,A,"x, y"\n"1,000",3,B,\nold,inf,C,"line\nbreak"\n3,,A,02\n' + "4,1,B,z\n" * 50


@pytest.mark.parametrize("size", [32, 2**23])
@pytest.mark.parametrize("keep", [False, True])
def test_a_file_is_predicted_in_blocks_as_in_one(run, size, keep, tmp_path, monkeypatch, capsys):
    path = tmp_path / "new.csv"
    path.write_text(HARD)
    monkeypatch.setattr(delimited, "BLOCK", size)
    monkeypatch.setattr(delimited.read_csv_blocks, "__kwdefaults__", {**read_csv_blocks.__kwdefaults__, "size": size})
    opened = []
    real = content.open_stream
    monkeypatch.setattr(content, "open_stream", lambda op, name: (opened.append(name), real(op, name))[1])
    assert cli.main(["predict", str(run), str(path), *(["--keep"] if keep else [])]) == 0
    assert opened == [str(path)]
    said = capsys.readouterr()
    assert re.search(r"1 in column 'a'.*2 in column 'b'.*1 in column 'c'", said.err)
    if keep:
        table = tmp_path / "answers.csv"
        table.write_text(said.out)
        kept = read_csv(table, text=["a", "b", "c", "name", "y"])
        own = read_csv(path, text=["a", "b", "c", "name"])
        assert all(kept[name].tolist() == own[name].tolist() for name in own)
    else:
        saved = runs.load(run)
        whole = Table(
            {"a": [1, 1000, None, 3] + [4] * 50, "b": [2, 3, None, None] + [1] * 50, "c": [*"ABCA", *"B" * 50]}
        )
        assert said.out.split() == saved.predictions(saved.features(whole))


def test_strict_predictions_name_the_row_in_the_file(run, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("a,b,c\n" + "1,2,A\n" * 20 + "old,1,A\n")
    saved = runs.load(run)
    with pytest.raises(ValueError, match="column 'a' contains 'old' in row 21, expected a number"):
        saved.read(path, "raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error", OutlierWarning)
        with pytest.warns(UnseenWarning, match="1 in column 'a'"):
            assert saved.read(path).shape[0] == 21


@pytest.mark.parametrize("values", [[0.1, -2.5], [3.0, 0.5], [0.5, 3], [1e300, 1], [math.nan, 1], [1, math.inf], [0.5]])
def test_numbers_are_formatted_together_as_one_by_one(values):
    values = list(map(float, values))
    texts = [answers.cell(value) for value in values]
    assert answers.cells(values) == texts
    assert list(csv.reader(io.StringIO(answers.to_csv({"y": values}, {})))) == [["y"], *[[text] for text in texts]]
    assert cli.lines_of(values) == [f"{cli.text_of(value)}\n" for value in values]
