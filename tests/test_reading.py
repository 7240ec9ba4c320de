"""Every reader with files that are none, that lie about their sizes, or that expand: a message, in time and memory."""

from __future__ import annotations

import gzip
import io
import os
import struct
import sys
import threading
import zipfile
import zlib

import numpy as np
import pytest

import cygrad as cg
from cygrad import runs, train
from cygrad._files import one_line
from cygrad.data import Preprocessor, Table, read_csv, read_idx, read_matrix, read_npy, read_npz, read_parquet
from cygrad.integrations.loggers import read_jsonl
from cygrad.runs.folder import parse_config, read_json
from cygrad.runs.job import read_job
from cygrad.runs.options import layer_sizes
from tests.limits import allocated

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are not supported")
READERS = {
    "load.npz": cg.load, "load.safetensors": cg.load, "checkpoint.npz": train.read_checkpoint, "a.csv": read_csv, "b.csv": read_matrix,
    "c.npy": read_npy, "d.npy": read_matrix, "e.npz": read_npz, "f.parquet": read_parquet, "idx": read_idx, "g.json": Preprocessor.load,
    "config.toml": runs.read_config, "log.jsonl": read_jsonl, "h.tsv": Table.read,
}  # fmt: skip


def reader_of(name):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    return READERS[name]


# Paths that are no files


@posix
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_refused_at_once(tmp_path, name):
    os.mkfifo(tmp_path / name)
    done = threading.Timer(120, lambda: os.close(os.open(tmp_path / name, os.O_WRONLY)))  # ends a reader that waits
    done.start()
    try:
        with pytest.raises(OSError, match=rf"{name} can't be read \(not a regular file\)"):
            reader_of(name)(tmp_path / name)
        assert done.is_alive()
    finally:
        done.cancel()


@pytest.mark.parametrize("name", READERS)
def test_a_folder_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises((IsADirectoryError, PermissionError), match=name):
        reader_of(name)(tmp_path / name)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no such device")
@pytest.mark.parametrize("name", READERS)
def test_a_device_without_an_end_is_refused(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(OSError, match=rf"{name} can't be read \(not a regular file\)"):
        reader_of(name)(tmp_path / name)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("stem", ["missing-", "x" * 300, "null\0byte"])
def test_a_path_without_a_file_is_named(tmp_path, name, stem):
    path = os.path.join(tmp_path, stem + name)
    with pytest.raises((OSError, ValueError)) as caught:
        reader_of(name)(path)
    assert stem[:8] in str(caught.value).replace("\\x00", "\0") and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [".npz", ".safetensors"])
def test_a_name_of_255_bytes_is_written_and_read(tmp_path, kind):
    if kind == ".safetensors":
        pytest.importorskip("safetensors")
    for stem in "x" * (255 - len(kind)), "ä" * ((255 - len(kind)) // 2):
        path = tmp_path / (stem + kind)
        cg.save({"w": 1}, path)
        assert cg.load(path) == {"w": 1} and os.listdir(tmp_path) == [path.name]
        path.unlink()
    with pytest.raises(OSError, match=r"save: .* can't be written \(File name too long\)"):
        cg.save({"w": 1}, tmp_path / ("x" * 256 + kind))
    with pytest.raises(ValueError, match=r"save: .* is not a path"):
        cg.save({"w": 1}, f"null\0byte{kind}")


# Memory


@pytest.mark.parametrize("kind", ["stored", "compressed", "fortran", "safetensors", "bfloat16"])
def test_loading_needs_the_memory_of_the_arrays_once(tmp_path, kind):
    array = np.arange(2**22, dtype=np.float64).reshape(2**11, 2**11)
    path = tmp_path / ("x.safetensors" if kind in ("safetensors", "bfloat16") else "x.npz")
    if kind == "bfloat16":
        write_bfloat16(path, 2**24)
    elif kind == "safetensors":
        pytest.importorskip("safetensors")
        cg.save({"w": cg.Tensor(array)}, path)
    else:
        (np.savez_compressed if kind == "compressed" else np.savez)(path, w=array.T if kind == "fortran" else array)
    with allocated() as bytes_of:
        loaded = cg.load(path)["w"]
    share = 1.6 if kind == "bfloat16" else 1.2  # bits of two bytes, widened
    assert bytes_of() < share * loaded.array.nbytes
    if kind in ("stored", "compressed", "safetensors"):
        np.testing.assert_array_equal(loaded.array, array)


def write_bfloat16(path, size):
    pytest.importorskip("safetensors")
    header = b'{"w":{"dtype":"BF16","shape":[%d],"data_offsets":[0,%d]}}' % (size, 2 * size)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2 * size))


def bomb(path, count):
    """An archive of a few hundred kilobytes whose arrays have 128 MiB each."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**27 - 128,)})
    content = header.getvalue() + bytes(2**27 - 128)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"{number}.npy", content)


def test_the_arrays_of_a_compressed_file_have_a_limit_together(tmp_path, monkeypatch):
    """Each of them may be that large; with them all the file asks for 1.1 GiB."""
    from cygrad import serialization

    bomb(tmp_path / "x.npz", 9)
    monkeypatch.setattr(serialization, "read_array", None, raising=False)
    with pytest.raises(ValueError, match="its arrays expand to more than 1,073,741,824 bytes"):
        cg.load(tmp_path / "x.npz")
    with pytest.raises(ValueError, match="its arrays expand to more than 1,073,741,824 bytes"):
        read_npz(tmp_path / "x.npz")


def test_an_idx_file_that_expands_has_a_limit(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 2**31) + bytes(2**22)))
    with allocated() as bytes_of, pytest.raises(ValueError, match="truncated or too large"):
        read_idx(tmp_path / "x")
    assert bytes_of() < 2**23


def npz_of(path, header, content=b"", declared=None):
    """An archive with an array of this header."""
    text = header.encode().ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + content
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", data)


LIES = {
    "elements without bytes": "{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,)}",
    "voids": "{'descr': '|V0', 'fortran_order': False, 'shape': (99999999999,)}",
    "negative": "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}",
    "overflow": "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
    "dimensions": "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "0," * 70 + ")}",
    "syntax": "{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
    "tokens": "{'descr': '<f4' \\ 'shape'",
    "nested": "{'descr': " + "(" * 90 + ")" * 90 + "}",
    "names": "{'descr': [('a', '<f4'), ('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
    "no dtype": "{'descr': 'what', 'fortran_order': False, 'shape': (1,)}",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "objects in fields": "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_refused(tmp_path, name):
    npz_of(tmp_path / "x.npz", LIES[name], bytes(4))
    text = LIES[name].encode().ljust(117) + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + bytes(4))
    for read, file in (cg.load, "x.npz"), (read_npz, "x.npz"), (read_npy, "x.npy"), (read_matrix, "x.npy"):
        with allocated() as bytes_of, pytest.raises(ValueError, match=file):
            read(tmp_path / file)
        assert bytes_of() < 2**22


@pytest.mark.parametrize("shape", [(0, 2**40), (0, 3)])
def test_a_table_without_rows_is_refused_before_its_columns_are_made(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.empty(shape, "u1"))
    np.savez(tmp_path / "x.npz", a=np.empty(shape, "u1"))
    for read, file in (read_npy, "x.npy"), (read_npz, "x.npz"):
        with pytest.raises(ValueError, match=f"{file} has no rows"):
            read(tmp_path / file)


def test_names_twice_and_other_compressions_are_refused(tmp_path):
    array = io.BytesIO()
    np.save(array, np.ones(1))
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("w.npy", array.getvalue())
    with pytest.raises(ValueError, match="compressed in an unknown way"):
        cg.load(tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("w.npy", array.getvalue())
        archive.writestr("w.npy", array.getvalue())
    with pytest.raises(ValueError, match="'w' is there twice"):
        cg.load(tmp_path / "x.npz")


def test_what_no_tensor_can_hold_is_refused(tmp_path, monkeypatch):
    """Whatever a tensor refuses, a file that contains it is corrupt."""
    from cygrad import serialization

    def refuse(array):
        raise TypeError("no tensor")

    np.savez(tmp_path / "x.npz", a=[1.0])
    monkeypatch.setattr(serialization, "Tensor", refuse)
    with pytest.raises(ValueError, match=r"x.npz contains 'a', which is not a tensor \(no tensor\)"):
        cg.load(tmp_path / "x.npz")


def test_an_object_that_contains_itself_is_not_saved(tmp_path):
    value = []
    value.append(value)
    with pytest.raises(ValueError, match="save: the object is nested too deeply, or contains itself"):
        cg.save(value, tmp_path / "x.npz")
    assert not os.listdir(tmp_path)


def test_a_large_description_is_refused(tmp_path):
    with open(tmp_path / "x.json", "wb") as file:
        file.truncate(2**27)
    with allocated() as bytes_of, pytest.raises(ValueError, match="it has more than 67,108,864 bytes"):
        Preprocessor.load(tmp_path / "x.json")
    assert bytes_of() < 2**20


@pytest.mark.parametrize(
    "text",
    ["a = 1\n" * 20_000, "a" * 2**17, "a." * 200 + "a = 1", 'source = "digits"\nlr = 1' + "0" * 400, "x = \xff", "[" * 5000],
)  # fmt: skip
def test_a_configuration_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "x.toml").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="train: "):
        runs.Options.from_values(runs.read_config(tmp_path / "x.toml"))


def test_a_quoted_error_stays_on_one_line(tmp_path):
    (tmp_path / "training.json").write_text('{"source": "digits", "data": null, "options": {"hid\\nden": [8]}}')
    (tmp_path / "config.json").write_text('{"format": 1, "opt\\nions": 1}')
    for read in (read_job, lambda folder: parse_config(read_json("x", f"{folder}/config.json"), "config.json")):
        with pytest.raises(ValueError, match=r"is corrupt \(.*\)\Z") as error:
            read(str(tmp_path))
        assert "\n" not in str(error.value)
    assert one_line(ValueError("a\n" * 1000)) == "a " * 150 + "…"


@pytest.mark.parametrize("value", [[1.5], [float("inf")], [float("nan")], [[1]], {"a": 1}, "1,x", [0], [-1], [None]])
def test_sizes_that_are_no_integers_are_refused(value):
    with pytest.raises(ValueError, match="must be integers of at least 1"):
        layer_sizes(value)


def test_a_corrupt_gzip_file_is_named(tmp_path):
    whole = gzip.compress(b"\0\0\x08\x01\0\0\0\x05hello")
    for data in (whole[:-3], whole[:10] + b"\xff" + whole[11:], whole[:-8] + struct.pack("<II", zlib.crc32(b""), 5)):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(ValueError, match=r"read_idx: .*x is "):
            read_idx(tmp_path / "x")


@pytest.mark.skipif(sys.platform != "linux", reason="pyarrow's messages")
def test_arrow_errors_become_messages(tmp_path):
    pytest.importorskip("pyarrow")
    for data in (
        b"",
        b"PAR1",
        b"PAR1" + bytes(100) + b"PAR1",
        b"PAR1" + b"\xff" * 50 + struct.pack("<I", 40) + b"PAR1",
    ):
        (tmp_path / "x.parquet").write_bytes(data)
        with pytest.raises(ValueError, match=r"read_parquet: .*x.parquet can't be read"):
            read_parquet(tmp_path / "x.parquet")
