"""save and load: round trips, refused values and files, and crashes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad import nn, serialization

safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")

try:
    import torch
except ImportError:
    torch = None

KINDS = [".npz", ".safetensors"]
each_kind = pytest.mark.parametrize("kind", KINDS)
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def assert_same(got, expected):
    """Check that types and values are equal, and arrays bit-identical."""
    assert type(got) is type(expected) or (isinstance(got, dict) and isinstance(expected, dict))
    if isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected)
        for g, w in zip(got, expected, strict=True):
            assert_same(g, w)
    elif isinstance(expected, cg.Tensor):
        assert_same(got.array, expected.array)
    elif isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype and got.shape == expected.shape
        assert got.tobytes() == expected.tobytes()
    elif isinstance(expected, float):
        assert repr(got) == repr(expected)
    else:
        assert got == expected


def model():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, dtype=np.float64))
    for number, tensor in enumerate(net.state_dict().values()):
        tensor.array[...] = np.arange(tensor.array.size).reshape(tensor.array.shape) + number / 8
    return net


def optimizer_state():
    """A value with the structure of an optimizer's state_dict."""
    return {
        "state": {0: {"step": 3, "exp_avg": cg.Tensor(np.ones((2, 3)))}, 7: {"step": 4, "exp_avg": None}},
        "param_groups": [
            {"lr": 1e-3, "betas": (0.9, 0.999), "nesterov": False, "params": [0, 7], "name": "weights"},
        ],
    }


VALUES = {
    "flat": lambda: model().state_dict(),
    "optimizer": optimizer_state,
    "nested": lambda: {
        "model": model().state_dict(),
        "optimizer": optimizer_state(),
        "epoch": 3,
        "best": None,
    },
    "empty dict": dict,
    "a tensor": lambda: cg.Tensor(np.arange(3)),
    "an array": lambda: np.arange(3),
    "floats": lambda: [float("nan"), float("inf"), -0.0, 0.1, 1e-320],
    "integers": lambda: [10**30, -1, True],
    "keys": lambda: {1: "a", "1": "b", None: "c", 2.5: "d", False: "e"},
    "colliding names": lambda: {"a": {"b": cg.Tensor(np.ones(1))}, "a/b": cg.Tensor(np.zeros(2)), "": 1},
    "unusual names": lambda: {
        name: cg.Tensor(np.ones(1)) for name in ("file", "ü.npy", "../up", "__structure__", "a b")
    },
    "shapes": lambda: [cg.Tensor(np.ones(shape, np.float32)) for shape in [(), (0,), (3, 0, 2), (1, 2, 3)]],
    "dtypes": lambda: [np.ones(3, d) for d in ("f2", "f4", "f8", "i1", "i8", "u4", "?")],
    "text": lambda: {"ünïcödé": "\n\"'\x00😀"},
    "names that archives do not preserve": lambda: {
        k: cg.ones(i) for i, k in enumerate(("\0", "a\0b", "a\\b", "a?b", "\ud800"))
    },
}


@each_kind
@pytest.mark.parametrize("name", VALUES)
def test_round_trip(tmp_path, kind, name):
    value = VALUES[name]()
    path = tmp_path / f"file{kind}"
    cg.save(value, path)
    loaded = cg.load(str(path))
    assert_same(loaded, value)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
nested = st.recursive(
    plain | st.integers(0, 5).map(lambda n: cg.Tensor(np.arange(n, dtype=np.float32))),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=15,
)


@settings(max_examples=50, deadline=None)
@given(value=nested)
def test_any_nesting_round_trips(tmp_path_factory, value):
    for kind in KINDS:
        path = tmp_path_factory.getbasetemp() / f"nested{kind}"
        cg.save(value, path)
        assert_same(cg.load(path), value)


@each_kind
def test_a_model_round_trips(tmp_path, kind):
    path = tmp_path / f"model{kind}"
    net, other = model(), model()
    for tensor in other.state_dict().values():
        tensor.array[...] = 0
    cg.save(net.state_dict(), path)
    other.load_state_dict(cg.load(path))
    assert_same(other.state_dict(), net.state_dict())


@each_kind
def test_loaded_arrays_are_writeable(tmp_path, kind):
    path = tmp_path / f"file{kind}"
    cg.save({"w": cg.Tensor(np.ones(3))}, path)
    cg.load(path)["w"].array[0] = 5


@each_kind
def test_views_and_parameters(tmp_path, kind):
    path = tmp_path / f"file{kind}"
    array = np.arange(24.0).reshape(4, 6)
    cg.save({"t": cg.Tensor(array.T), "s": cg.Tensor(array[::-2, 1::2]), "p": nn.Parameter(array)}, path)
    loaded = cg.load(path)
    np.testing.assert_array_equal(loaded["t"].array, array.T)
    np.testing.assert_array_equal(loaded["s"].array, array[::-2, 1::2])
    assert type(loaded["p"]) is cg.Tensor


def test_a_flat_file_is_readable_by_numpy(tmp_path):
    path = tmp_path / "model.npz"
    state = model().state_dict()
    cg.save(state, path)
    with np.load(path, allow_pickle=False) as file:
        assert file.files == list(state)
        for name in state:
            np.testing.assert_array_equal(file[name], state[name].array)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_numpy_files_can_be_loaded(tmp_path, write):
    path = tmp_path / "arrays.npz"
    w = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    write(path, w=w, zeros=np.zeros(100_000))
    loaded = cg.load(path)
    np.testing.assert_array_equal(loaded["w"].array, w)
    np.testing.assert_array_equal(loaded["zeros"].array, 0)


@needs_torch
def test_a_safetensors_file_of_pytorch_can_be_loaded(tmp_path):
    from safetensors.torch import save_file

    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    ours.load_state_dict(cg.load(tmp_path / "model.safetensors"))
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].array, value.numpy())


@needs_torch
def test_pytorch_can_load_our_safetensors_file(tmp_path):
    from safetensors.torch import load_file

    state = model().state_dict()
    cg.save(state, tmp_path / "model.safetensors")
    for name, value in load_file(tmp_path / "model.safetensors").items():
        np.testing.assert_array_equal(value.numpy(), state[name].array)


@needs_torch
def test_bfloat16_becomes_float32(tmp_path):
    from safetensors.torch import save_file

    w = {name: torch.randn(3, 2).to(dtype) for name, dtype in [("a", torch.bfloat16), ("b", torch.float64)]}
    w["c"] = torch.tensor([True, False])
    w["d"] = torch.tensor([-3, 200], dtype=torch.int16)
    save_file(w, tmp_path / "w.safetensors")
    loaded = cg.load(tmp_path / "w.safetensors")
    assert loaded["a"].array.dtype == np.float32
    np.testing.assert_array_equal(loaded["a"].array, w["a"].float().numpy())
    for name in "bcd":
        assert_same(loaded[name].array, w[name].numpy())


ARRAYS = {
    **{
        kind: np.arange(6).reshape(2, 3).astype(kind)
        for kind in ["?", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">f4", ">i8"]
    },
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "backwards": np.arange(12.0)[::-2],
    "columns": np.arange(12.0).reshape(3, 4)[:, 1::2],
    "Fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "repeated": np.broadcast_to(np.arange(3.0), (4, 3)),
    "a number": np.array(3.5),
    "nothing": np.zeros((0, 3), np.float32),
    "special values": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
}


@needs_torch
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_round_trip_through_pytorch(tmp_path, name):
    """For any dtype and layout, values are unchanged."""
    from safetensors.torch import load_file, save_file

    array = ARRAYS[name]
    cg.save({"x": cg.Tensor(array)}, tmp_path / "there.safetensors")
    there = load_file(tmp_path / "there.safetensors")["x"]
    np.testing.assert_array_equal(there.numpy(), array)
    assert there.numpy().dtype == array.dtype.newbyteorder("=") and tuple(there.shape) == array.shape
    save_file({"x": there.contiguous()}, tmp_path / "back.safetensors")
    back = cg.load(tmp_path / "back.safetensors")["x"].array
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype.newbyteorder("=") and back.shape == array.shape


@needs_torch
def test_a_model_gives_equal_results_in_pytorch(tmp_path):
    """Equal layers, loaded from a file: first theirs from ours, then ours from theirs."""
    from safetensors.torch import load_file, save_file

    def layers(nn):
        return nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3, bias=False)
        )

    ours, theirs, again = layers(nn), layers(torch.nn), layers(nn)
    x = np.random.default_rng(0).standard_normal((32, 5)).astype(np.float32)
    ours(cg.Tensor(x))  # changes the running statistics
    cg.save(ours.state_dict(), tmp_path / "ours.safetensors", metadata={"format": "pt"})
    theirs.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors", {"format": "pt"})
    again.load_state_dict(cg.load(tmp_path / "theirs.safetensors"))
    for net in ours, theirs, again:
        net.eval()
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    for net in ours, again:
        np.testing.assert_allclose(net(cg.Tensor(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    assert cg.train.fingerprint(ours) == cg.train.fingerprint(again)


@needs_torch
@pytest.mark.parametrize("beside", [torch.float32, torch.bfloat16] if torch else [])
def test_dtypes_without_counterpart_in_numpy_raise(tmp_path, beside):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2, dtype=beside), "w": torch.ones(2).to(torch.float8_e5m2)}, tmp_path / "w.safetensors")
    with pytest.raises(
        ValueError, match=r"load: .*w.safetensors contains 'w' with dtype F8_E5M2, which NumPy does not support"
    ):
        cg.load(tmp_path / "w.safetensors")


def test_metadata_is_stored_in_the_header(tmp_path):
    path = tmp_path / "w.safetensors"
    cg.save({"w": cg.Tensor(np.ones(2))}, path, metadata={"format": "pt", "note": "ünïcödé"})
    with safetensors.safe_open(path, framework="np") as opened:
        header = opened.metadata()
    assert (header["format"], header["note"]) == ("pt", "ünïcödé")
    assert list(cg.load(path)) == ["w"]


@pytest.mark.parametrize(
    ("name", "metadata", "error", "match"),
    [
        ("w.npz", {"a": "b"}, ValueError, "save: metadata is for .safetensors files, got .npz"),
        ("w.safetensors", {"a": 1}, TypeError, "save: metadata must map strings to strings, got 'a': int"),
        ("w.safetensors", {1: "a"}, TypeError, "save: metadata must map strings to strings, got 1: str"),
        ("w.safetensors", {"__structure__": "x"}, ValueError, "save: the metadata key __structure__ is reserved"),
    ],
)
def test_invalid_metadata_raises(tmp_path, name, metadata, error, match):
    with pytest.raises(error, match=match):
        cg.save({}, tmp_path / name, metadata=metadata)
    assert not os.listdir(tmp_path)


def test_equal_weights_give_equal_files(tmp_path):
    for name in ("a.npz", "b.npz"):
        cg.save(model().state_dict(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


# Errors


class Thing:
    pass


@each_kind
@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"a": {"b": Thing()}}, "save: a.b is a Thing, which can't be saved"),
        (Thing(), "save: obj is a Thing, which can't be saved"),
        ({"a": np.array([None])}, "save: a has dtype object, expected a numeric dtype"),
        ({(1, 2): 3}, "save: keys must be strings or numbers, got tuple"),
        ([{1, 2}], "save: 0 is a set"),
        (1j, "save: obj is a complex"),
    ],
)
def test_unsupported_values_raise_and_leave_the_old_file(tmp_path, kind, value, match):
    path = tmp_path / f"file{kind}"
    cg.save({"old": 1}, path)
    with pytest.raises(TypeError, match=match):
        cg.save(value, path)
    assert cg.load(path) == {"old": 1}
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", ["model", "model.pkl", "model.csv", ""])
def test_other_suffixes_raise(tmp_path, name):
    with pytest.raises(ValueError, match=r"save: the file must end in .npz, .safetensors, .pt, .pth or .ckpt, got "):
        cg.save({}, tmp_path / name)
    with pytest.raises(ValueError, match=r"load: the file must end in .npz, .safetensors, .pt, .pth or .ckpt, got "):
        cg.load(tmp_path / name)


@each_kind
def test_a_missing_file_raises(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match="nothing"):
        cg.load(tmp_path / f"nothing{kind}")


@each_kind
def test_every_truncation_raises(tmp_path, kind):
    path = tmp_path / f"model{kind}"
    cg.save(model().state_dict(), path)
    data = path.read_bytes()
    for length in [*range(0, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=f"load: .*model{kind} is truncated") as caught:
            cg.load(path)
        assert "\n" not in str(caught.value)


def test_every_corrupted_byte_raises_or_is_harmless(tmp_path):
    """Zip archives have checksums: if a file can still be loaded, its arrays are unchanged."""
    path = tmp_path / "model.npz"
    state = {"w": cg.Tensor(np.arange(40.0)), "b": cg.Tensor(np.arange(3, dtype=np.float32))}
    cg.save(state, path)
    data = bytearray(path.read_bytes())
    for position in range(len(data)):
        changed = data.copy()
        changed[position] ^= 0x55
        path.write_bytes(changed)
        try:
            loaded = cg.load(path)
        except ValueError as error:
            assert "model.npz" in str(error)
        else:
            for got, expected in zip(loaded.values(), state.values(), strict=False):
                assert_same(got, expected)


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, evil=np.array([Thing()], dtype=object))
    with pytest.raises(ValueError, match=r"evil.npz .*: it contains pickled objects, which can execute code"):
        cg.load(path)


@pytest.mark.parametrize("shape", ["(99999999999999,)", "(-1,)", "(4,)", "(2**70,)", "(4294967296, 4294967296)"])
def test_a_wrong_header_does_not_allocate_memory(tmp_path, shape):
    path = tmp_path / "wrong.npz"
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", b"\x93NUMPY\x01\x00\x76\x00" + header.encode() + bytes(24))
    with pytest.raises(ValueError, match=r"wrong.npz is truncated, corrupt"):
        cg.load(path)


@pytest.mark.parametrize(
    "structure",
    ["{", "[]", '{"tensor": "missing"}', '{"what": []}', '{"dict": [1]}', '{"a": 1, "b": 2}', "[" * 9000],
)
def test_an_invalid_structure_raises(tmp_path, structure):
    np.savez(tmp_path / "odd.npz", **{serialization.STRUCTURE: np.array(structure)})
    with pytest.raises(ValueError, match=r"odd.npz is corrupt: its structure can't be read"):
        cg.load(tmp_path / "odd.npz")


# Crashes


@each_kind
def test_a_crash_while_saving_leaves_the_old_file(tmp_path, kind):
    """The process is terminated after half of the new file is written, or just before the file is renamed."""
    path = tmp_path / f"model{kind}"
    cg.save({"w": cg.Tensor(np.zeros(5))}, path)
    before = path.read_bytes()
    program = """
        import os, sys
        import numpy as np
        import cygrad as cg
        from cygrad import serialization, _files

        def half_written(file, arrays, structure, *metadata):
            file.write(bytes(1000))
            file.flush()
            os._exit(9)

        if sys.argv[2] == "half":
            serialization.save_npz = serialization.save_safetensors = half_written
        else:
            os.replace = lambda *names: os._exit(9)
        cg.save({"w": cg.Tensor(np.ones(5))}, sys.argv[1])
    """
    for moment in ("half", "replace"):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(path), moment], check=False)
        assert done.returncode == 9
        assert path.read_bytes() == before
    cg.save({"w": cg.Tensor(np.ones(5))}, path)
    np.testing.assert_array_equal(cg.load(path)["w"].array, 1)


def test_an_error_while_writing_leaves_no_temporary_file(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    cg.save({"w": 1}, path)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"save: .*model.npz can't be written \(No space left on device\)"):
        cg.save({"w": 2}, path)
    monkeypatch.undo()
    assert cg.load(path) == {"w": 1}
    assert os.listdir(tmp_path) == ["model.npz"]


def test_an_interrupt_while_writing_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(serialization, "save_npz", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cg.save({"w": 2}, tmp_path / "model.npz")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"save: .*model.npz can't be written \(No such file"):
        cg.save({}, tmp_path / "nothing" / "model.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are not supported")
def test_only_regular_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "model.npz")
    with pytest.raises(OSError, match=r"save: .*model.npz can't be written \(not a regular file\)"):
        cg.save({}, tmp_path / "model.npz")
    assert (tmp_path / "model.npz").is_fifo() and os.listdir(tmp_path) == ["model.npz"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root can write everywhere")
def test_a_read_only_folder_raises(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=r"save: .*model.npz can't be written \(Permission denied\)"):
        cg.save({}, tmp_path / "model.npz")
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_and_symlinks_are_preserved(tmp_path):
    path, link = tmp_path / "model.npz", tmp_path / "latest.npz"
    old = os.umask(0o027)
    try:
        cg.save({"w": 1}, path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    link.symlink_to(path)
    cg.save({"w": 2}, link)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert link.is_symlink() and cg.load(path) == {"w": 2}


def test_without_safetensors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"save: .safetensors files require the package: pip install safetensors"):
        cg.save({}, tmp_path / "model.safetensors")
    assert os.listdir(tmp_path) == []


def test_the_structure_is_json(tmp_path):
    cg.save({"lr": 0.1, "w": cg.Tensor(np.ones(1))}, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert json.loads(str(file["__structure__"])) == {"dict": [["lr", 0.1], ["w", {"tensor": "w"}]]}
