"""PyTorch's files: read without pickle what PyTorch writes, write what PyTorch reads, refuse everything else by name."""

from __future__ import annotations

import io
import os
import pickle
import random
import subprocess
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")


def same(ours, theirs):
    """Whether two objects are equal, tensors by their elements."""
    if isinstance(theirs, torch.Tensor):
        wide = theirs.detach().float() if theirs.dtype in (torch.float16, torch.bfloat16) else theirs.detach()
        return isinstance(ours, cg.Tensor) and ours.array.dtype == wide.numpy().dtype and ours.array.shape == wide.shape and np.array_equal(ours.array, wide.numpy())
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and list(ours) == list(theirs) and all(same(ours[k], theirs[k]) for k in theirs)
    if isinstance(theirs, (list, tuple)):
        return type(ours) is (list if isinstance(theirs, list) else tuple) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs and type(ours) is type(theirs)


def trained():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    return {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "loss": 0.25, "note": "höher", "best": None, "flags": [True, False]}


BASE = torch.arange(12.0).reshape(3, 4)
OBJECTS = {
    "state dict": lambda: torch.nn.Linear(3, 2).state_dict(), "checkpoint": trained, "tensor": lambda: torch.randn(2, 3), "scalar": lambda: torch.tensor(1.5),
    "empty": lambda: torch.zeros(0, 3), "transposed": lambda: BASE.T, "part": lambda: BASE[1:, ::2], "expanded": lambda: torch.ones(1, 3).expand(2, 3),
    "views": lambda: [BASE, BASE[0], BASE[:, 1]], "parameter": lambda: torch.nn.Parameter(torch.ones(2)), "numbers": lambda: [1, -5, 2**40, -(2**70), 1e300, True],
    "dtypes": lambda: [torch.ones(2, dtype=d) for d in (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool)],
    "ordered": lambda: OrderedDict(a=torch.ones(1), b=OrderedDict(c=2)), "nested": lambda: {"a": [({"b": (1, 2, 3, 4)},)], 5: "five"}, "long list": lambda: list(range(3000)),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_what_pytorch_saves_is_loaded(tmp_path, name):
    obj = OBJECTS[name]()
    for suffix in (".pt", ".pth", ".ckpt"):
        torch.save(obj, tmp_path / f"x{suffix}")
        assert same(cg.load(tmp_path / f"x{suffix}"), obj)
    buffer = io.BytesIO()
    torch.save(obj, buffer)
    buffer.seek(0)
    assert same(cg.load(buffer, map_location="cpu", weights_only=True), obj)


def test_tensors_of_one_storage_share_memory():
    buffer = io.BytesIO()
    torch.save([BASE, BASE[0]], buffer)
    buffer.seek(0)
    base, row = cg.load(buffer)
    row.fill_(-1)
    assert base[0].tolist() == [-1] * 4


SAVED = {
    "state dict": lambda: cg.nn.Sequential(cg.nn.Linear(3, 4), cg.nn.BatchNorm1d(4)).state_dict(), "tensor": lambda: cg.randn(2, 3), "scalar": lambda: cg.tensor(1.5),
    "strided": lambda: cg.arange(12.0).reshape(3, 4).T[1:, ::2], "empty": lambda: cg.zeros(0, 3), "array": lambda: np.arange(3), "numpy scalar": lambda: [np.float32(1.5), np.int64(3)],
    "numbers": lambda: [1, -5, 2**40, -(2**70), 1e300, True, None, 255, -1, 2**31, -(2**31)], "nested": lambda: {"a": [({"b": (1, "ü", 3, 4)},)], 5: (), "c": [], "d": {}},
    "dtypes": lambda: [cg.ones(2, dtype=d) for d in (cg.float64, cg.int8, cg.int16, cg.int32, cg.int64, cg.uint8, cg.bool)], "ordered": lambda: OrderedDict(a=cg.ones(1), b=2),
}  # fmt: skip


@pytest.mark.parametrize("name", SAVED)
def test_pytorch_loads_what_is_saved(tmp_path, name):
    obj = SAVED[name]()
    cg.save(obj, tmp_path / "x.pt")
    theirs = torch.load(tmp_path / "x.pt", weights_only=True)
    ours = cg.load(tmp_path / "x.pt")
    assert same(ours, theirs)
    buffer = io.BytesIO()
    cg.save(obj, buffer)
    buffer.seek(0)
    assert same(ours, torch.load(buffer, weights_only=True))
    if name == "state dict":
        torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).load_state_dict(theirs)
    cg.save(obj, tmp_path / "y.pt")
    assert (tmp_path / "x.pt").read_bytes() == (tmp_path / "y.pt").read_bytes()


def test_an_optimizer_goes_on_with_pytorchs_state(tmp_path):
    state = trained()
    torch.save(state, tmp_path / "x.pt")
    loaded = cg.load(tmp_path / "x.pt")
    net = cg.nn.Sequential(cg.nn.Linear(3, 4), cg.nn.BatchNorm1d(4), cg.nn.Linear(4, 2))
    net.load_state_dict(loaded["model"])
    optimizer = cg.optim.AdamW(net.parameters())
    optimizer.load_state_dict(loaded["optimizer"])
    assert np.array_equal(optimizer.state[net[0].weight]["exp_avg"].array, state["optimizer"]["state"][0]["exp_avg"].numpy())


class Evil:
    def __reduce__(self):
        return os.system, ("echo harmed > harmed",)


def archive(path, data, storage=b"\0" * 16, **entries):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {"data.pkl": data, "data/0": storage, "version": b"3", **entries}.items():
            file.writestr(f"x/{name}", content)


def test_code_in_a_file_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive("evil.pt", pickle.dumps(Evil(), 2))
    with pytest.raises(ValueError, match=r"load: evil.pt calls (posix|nt).system, which is not among what is read: torch"):
        cg.load("evil.pt")
    torch.save(torch.nn.Linear(2, 2), "module.pt")
    with pytest.raises(ValueError, match=r"load: module.pt (calls|sets|contains)"):
        cg.load("module.pt")
    archive("set.pt", pickle.dumps({1, 2}, 4))
    with pytest.raises(ValueError, match="contains the pickle opcode EMPTY_SET"):
        cg.load("set.pt")
    assert not os.path.exists("harmed")


def rebuilt(size, stride, offset=0, count=4, kind="FloatStorage"):
    """The pickle of a tensor over the storage 0."""
    text = f"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n{kind}\nX\x01\0\0\x000X\x03\0\0\0cpuJ".encode() + int(count).to_bytes(4, "little", signed=True) + b"tQ"
    numbers = [b"(" + b"".join(b"I%d\n" % v for v in values) + b"t" for values in (size, stride)]
    return b"\x80\x02" + text + b"I%d\n" % offset + b"".join(numbers) + b"\x89NtR."


@pytest.mark.parametrize(
    "data",
    [rebuilt((5,), (1,)), rebuilt((2, 3), (3, 1)), rebuilt((2,), (1,), 3), rebuilt((2,), (-1,)), rebuilt((-2,), (1,)), rebuilt((2,), (1,), -1), rebuilt((2,), (1, 1)),
     rebuilt((2,), (1,), 0, 400), rebuilt((2,), (1,), 0, -4), rebuilt((1,) * 65, (1,) * 65), rebuilt((2**40, 2**40), (1, 1)), rebuilt((2,), (1,), kind="ComplexFloatStorage"),
     b"\x80\x02.", b"\x80\x02N", b"\x80\x02h\x05.", b"\x80\x02u.", b"\x80\x02}e.", b"\x80\x02]u.", b"\x80\x02Q.", b"\x80\x02NNR.", b"\x80\x02t.", b"", b"junk"],
)  # fmt: skip
def test_a_pickle_that_lies_is_refused(tmp_path, data):
    archive(tmp_path / "x.pt", data)
    with pytest.raises(ValueError, match=r"load: .*x.pt "):
        cg.load(tmp_path / "x.pt")
    archive(tmp_path / "x.pt", rebuilt((2, 2), (2, 1)), np.arange(4, dtype="<f4").tobytes())
    assert cg.load(tmp_path / "x.pt").tolist() == [[0, 1], [2, 3]]


def test_files_with_changed_bytes_end_in_a_message(tmp_path):
    buffer = io.BytesIO()
    torch.save(trained(), buffer)
    whole, rng = buffer.getvalue(), random.Random(0)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        try:
            cg.load(io.BytesIO(bytes(data)))
        except ValueError as error:
            assert str(error).startswith("load: the file ") and "\n" not in str(error)


def test_other_arguments_are_named(tmp_path):
    cg.save(cg.ones(2), tmp_path / "x.pt")
    with pytest.raises(ValueError, match="load: cygrad computes on the CPU only, got device 'cuda'"):
        cg.load(tmp_path / "x.pt", map_location="cuda")
    for call, message in (
        (lambda: cg.save({"a": object()}, tmp_path / "y.pt"), "a object at a can't be saved in a .pt file"), (lambda: cg.load(3), "expected a path or an open binary file, got int"),
        (lambda: cg.save({cg.ones(1): 1}, tmp_path / "y.pt"), "a key of type Tensor"), (lambda: cg.save(np.ones(2, np.uint32), tmp_path / "y.pt"), "a .pt file can't hold uint32"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=message):
            call()
    assert not (tmp_path / "y.pt").exists()
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="nested too deeply"):
        cg.save(loop, tmp_path / "y.pt")


def test_arrays_of_numpy_are_read_and_written(tmp_path):
    state = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.float32(2.5), "c": np.array(["x", "yz"]), "d": np.zeros((0, 3), "i4"), "e": np.array(7, ">i8")}
    torch.save(state, tmp_path / "theirs.pt")
    loaded = cg.load(tmp_path / "theirs.pt")
    assert all(np.array_equal(loaded[k], v) and loaded[k].dtype == v.dtype.newbyteorder('=') for k, v in state.items())
    script = "import torch, numpy as np; torch.save({'a': np.arange(3.0), 'b': [np.array('é')]}, 'ours.pt'); a = torch.load('ours.pt')['a']; assert type(a) is np.ndarray"
    subprocess.run([sys.executable, "-c", f"import cygrad.torch; cygrad.torch.install(quiet=True); {script}"], cwd=tmp_path, check=True)
    theirs = torch.load(tmp_path / "ours.pt", weights_only=False)
    assert theirs["a"].tolist() == [0, 1, 2] and theirs["b"][0] == "é"


@pytest.mark.parametrize("value", [np.array([None]), np.zeros(2, [("a", "i4")]), np.zeros(1, "M8[s]")])
def test_arrays_of_other_dtypes_are_refused(tmp_path, value):
    torch.save(value, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"load: .*a\.pt (is truncated|sets|calls|contains)"):
        cg.load(tmp_path / "a.pt")


def test_whole_modules_need_consent(tmp_path):
    script = """
import torch, sys
model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.LSTM(3, 2))
torch.save({"model": model, "epoch": 3}, "model.pt")
loaded = torch.load("model.pt", weights_only=False)
assert loaded["epoch"] == 3 and all((a == b).all() for a, b in zip(model.state_dict().values(), loaded["model"].state_dict().values()))
try:
    torch.load("model.pt")
except ValueError as error:
    print(error)
try:
    torch.save(lambda: 3, "f.pt")
except TypeError as error:
    print(error)
"""
    command = [sys.executable, "-c", f"import cygrad.torch; cygrad.torch.install(quiet=True)\n{script}"]
    lines = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.splitlines()
    assert "is a pickled object; weights_only=False executes the code" in lines[0] and "save: a function can't be saved" in lines[1]
    with pytest.raises(ValueError, match="is a pickled object"):
        cg.load(tmp_path / "model.pt", weights_only=False)  # only scripts under cygrad.torch
    with pytest.raises(TypeError, match=r"save: a Linear can't be saved in a \.pt file"):
        cg.save(cg.nn.Linear(2, 2), tmp_path / "x.pt")
