"""Small files that other readers misread, each with the values that must come out."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from cygrad.data import read_csv

DATA = os.environ.get("CYGRAD_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
FOLDER = Path(DATA, "hard_tables")
FILES = sorted(FOLDER.glob("*.csv"))
SPELLINGS = ("utf8", "UTF-8", "utf_8", "utf-8-sig")


@pytest.mark.skipif(not FILES, reason="the folder ../shared is not there")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("encoding", SPELLINGS)
def test_a_hard_table_is_read_right_or_refused_with_the_message_asked_for(path, encoding):
    expected = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
    options = {"encoding": encoding, **expected.get("options", {})}
    try:
        table = read_csv(path, **options)
        said = " ".join(table.notes)
    except ValueError as error:
        assert "options_then" in expected, error
        said = str(error)
        table = read_csv(path, **options, **expected["options_then"])
    assert all(re.search(word, said) for word in expected.get("message_mentions", [])), said
    assert table.names == expected.get("names", table.names)
    assert len(table) == expected.get("rows", len(table))
    for name, values in expected.get("columns", {}).items():
        np.testing.assert_array_equal(table[name], np.array(values, table[name].dtype))
    for name, count in expected.get("distinct", {}).items():
        assert len(set(table[name].tolist())) == count
