"""Folders whose files are replaced together, and locked while a training writes to them."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import cygrad as cg
from cygrad import _folders, cli, runs, train
from cygrad._folders import FolderInUseError, locked
from cygrad.nn.description import class_named
from cygrad.nn.modules.factory import allowance
from tests.limits import allocated
from tests.saved import model_of, number_of, run_of

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


# Commits


KILLED = """
    import os, sys
    from tests.saved import model_of, run_of
    from cygrad import runs, train

    NAMES = "open", "rename", "replace", "fsync", "mkdir", "rmdir", "unlink", "chmod", "ftruncate", "write"
    calls = 0

    def dying(call, at):
        def count(*arguments, **options):
            global calls
            calls += 1
            if calls == at:
                os._exit(9)
            return call(*arguments, **options)
        return count

    def write(folder, value):
        if sys.argv[2] == "run":
            runs.save(folder, run_of(value))
        else:
            train.save_model(folder, model_of(value))

    os.fsync = lambda descriptor: None  # processes die here, not the machine
    code, at = 1, 0
    while code:
        at += 1
        folder = os.path.join(sys.argv[1], str(at))
        write(folder, 1)
        child = os.fork()
        if not child:
            for name in NAMES:
                setattr(os, name, dying(getattr(os, name), at))
            write(folder, 2)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(at)
"""


@forks
@pytest.mark.parametrize("kind", ["run", "model"])
def test_a_killed_save_leaves_the_old_files_or_the_new_ones(tmp_path, kind):
    """The process dies before its 1st, 2nd, … call of the system, until it needs no more of them."""
    if kind == "model":
        pytest.importorskip("safetensors")
    program = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), kind]
    done = subprocess.run(
        program, env=ENVIRONMENT, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    last = int(done.stdout)
    assert last > 10
    found = []
    for at in range(1, last + 1):
        folder = tmp_path / str(at)
        if kind == "run":
            found.append(number_of(folder))
            runs.save(folder, run_of(3))  # continues from whatever the killed process left
            assert number_of(folder) == 3
            assert sorted(os.listdir(folder)) == ["config.json", "metrics.csv", "weights.npz"]
        else:
            model = train.load_model(folder)
            found.append({"ReLU": 1, "Tanh": 2}[type(model[1]).__name__])
            assert float(model[0].weight.array[0, 0]) == found[-1]
    assert found == sorted(found) and set(found) == {1, 2}


def test_a_reader_beside_a_writer_sees_whole_runs(tmp_path):
    """Each load, while another thread saves runs, finds the weights of the configuration."""
    runs.save(tmp_path, run_of(0))
    done = threading.Event()

    def write():
        for number in range(40):
            runs.save(tmp_path, run_of(number))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(number_of(tmp_path))
    writer.join()
    assert seen == sorted(seen) and len(set(seen)) > 2


@pytest.mark.parametrize("module", ["cygrad.runs.folder", "cygrad.train.saved_model"])
def test_weights_that_are_replaced_while_they_are_read(module, tmp_path, monkeypatch):
    """A save commits before the description is found, and moves its files once the weights have been read."""
    if module.startswith("cygrad.train"):
        pytest.importorskip("safetensors")
    reader = importlib.import_module(module)
    find, count, finish, found = reader.committed, reader.count_elements, _folders.finish, []

    def save(number):
        if module == "cygrad.runs.folder":
            runs.save(tmp_path, run_of(number))
        else:
            train.save_model(tmp_path, model_of(number))

    def find_late(folder, name):
        found.append(name)
        if len(found) == 4:  # after both files for being there, and the weights
            monkeypatch.setattr(_folders, "finish", lambda folder: None)
            save(2)
        return find(folder, name)

    def count_late(weights):
        finish(str(tmp_path))
        return count(weights)

    save(1)
    monkeypatch.setattr(reader, "committed", find_late)
    monkeypatch.setattr(reader, "count_elements", count_late)
    if module == "cygrad.runs.folder":
        assert number_of(tmp_path) == 2
    else:
        model = train.load_model(tmp_path)
        assert isinstance(model[1], cg.nn.Tanh) and float(model[0].weight.array[0, 0]) == 2


@pytest.mark.parametrize("kind", ["run", "model"])
def test_files_of_two_saves_are_refused(tmp_path, kind):
    if kind == "model":
        pytest.importorskip("safetensors")
    folders = tmp_path / "one", tmp_path / "other"
    for number, folder in enumerate(folders):
        if kind == "run":
            runs.save(folder, run_of(number))
        else:
            train.save_model(folder, cg.nn.Linear(2, 2))
    weights, load = ("weights.npz", runs.load) if kind == "run" else ("weights.safetensors", train.load_model)
    os.replace(folders[1] / weights, folders[0] / weights)
    with pytest.raises(ValueError, match=rf"one is damaged: {weights} is not the file that .*json was saved with"):
        load(folders[0])


def test_a_folder_of_an_earlier_version_loads(tmp_path):
    runs.save(tmp_path, run_of(5))
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    assert len(content.pop("weights_sha256")) == 64
    path.write_text(json.dumps(content))
    assert number_of(tmp_path) == 5


def test_a_commit_that_waits_is_seen_by_every_reader(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    runs.save(folder, run_of(1))
    with monkeypatch.context() as patch:
        patch.setattr(_folders, "finish", lambda folder: None)
        runs.save(folder, run_of(2))
    assert json.loads((folder / "config.json").read_text())["seed"] == 1
    assert number_of(folder) == 2
    assert runs.resume(str(folder))
    assert cli.main(["runs", str(tmp_path), "--json"]) == 0
    assert '"state": "complete"' in capsys.readouterr().out


def test_permissions_of_replaced_files_are_preserved(tmp_path):
    runs.save(tmp_path, run_of(1))
    (tmp_path / "config.json").chmod(0o604)
    runs.save(tmp_path, run_of(2))
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o604


# Sizes


HUGE = {
    "image": {"sizes": [20_000, 20_000, 2], "classes": [0, 1]},
    "more than memory": {"sizes": [2**40, 2**20, 2], "classes": [0, 1]},
    "many": {"sizes": [4, *[3] * 100_000, 2], "classes": [0, 1]},
}


@pytest.mark.parametrize("name", HUGE)
def test_a_network_larger_than_its_weights_is_refused_before_memory_is_allocated(tmp_path, name):
    runs.save(tmp_path, run_of(1))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **HUGE[name]}))
    with allocated() as bytes_of, pytest.raises(ValueError, match=r"do not fit the network \(.*more elements than"):
        runs.load(tmp_path)
    assert bytes_of() < 2**25


LAYERS = [
    {"type": "Linear", "options": {"in_features": 20_000, "out_features": 20_000}},
    {"type": "Embedding", "options": {"num_embeddings": 2**30, "embedding_dim": 64}},
    {"type": "BatchNorm1d", "options": {"num_features": 2**34, "affine": False}},
    {"type": "LayerNorm", "options": {"normalized_shape": [2**20, 2**20]}},
    {"type": "Sequential", "modules": {str(i): {"type": "Linear", "options": {"in_features": 900, "out_features": 900}} for i in range(99)}},
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer["type"])
def test_a_model_larger_than_its_weights_is_refused_before_memory_is_allocated(tmp_path, layer):
    pytest.importorskip("safetensors")
    train.save_model(tmp_path, cg.nn.Linear(1000, 10))
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "network": layer}))
    with allocated() as bytes_of, pytest.raises(ValueError, match="more elements than the weights have left"):
        train.load_model(tmp_path)
    assert bytes_of() < 2**25


LAYERS = {
    "BatchNorm1d": (3,), "BatchNorm2d": (3,), "BatchNorm3d": (3,), "Bilinear": (2, 3, 4), "Embedding": (4, 5),
    "EmbeddingBag": (4, 5), "GroupNorm": (1, 3), "InstanceNorm1d": (3, 1e-5, 0.1, True, True),
    "InstanceNorm2d": (3, 1e-5, 0.1, True, True), "InstanceNorm3d": (3, 1e-5, 0.1, True, True), "LayerNorm": (4,),
    "Linear": (3, 2), "PReLU": (3,), "RMSNorm": (4,),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_counts_what_it_allocates(name):
    """A layer whose parameters or buffers do not count would let a description allocate any memory."""
    layer = getattr(cg.nn, name)
    size = sum(tensor.array.size for tensor in layer(*LAYERS[name]).state_dict().values())
    with allowance(size):
        layer(*LAYERS[name])
    with allowance(size - 1), pytest.raises(ValueError, match=name):
        layer(*LAYERS[name])


def test_no_other_layer_allocates():
    for name in set(filter(class_named, dir(cg.nn))) - LAYERS.keys() - {"ParameterList", "ParameterDict", "Transformer"}:  # made of layers
        try:
            made = getattr(cg.nn, name)()
        except (TypeError, NotImplementedError):
            continue  # sizes are required, or it is left out
        uninitialized = name.startswith("Lazy")
        assert uninitialized or not list(made.state_dict()), f"{name} has parameters: add it to the layers"


# Locks


def test_a_locked_folder_names_its_owner(tmp_path):
    with locked("train", str(tmp_path)):
        owner = json.loads((tmp_path / ".lock").read_text())
        assert owner["pid"] == os.getpid()
        with pytest.raises(FolderInUseError) as caught, locked("resume", str(tmp_path)):
            pass
        assert caught.value.strerror == (
            f"resume: {tmp_path} is in use by process {os.getpid()} on {owner['host']} since {owner['since']}"
        )
        assert (tmp_path / ".lock").exists()
        with pytest.raises(FolderInUseError, match=r"runs\.save: "):
            runs.save(tmp_path, run_of(1))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 900, b'{"pid": 1}', b"\xff"])
def test_a_lock_that_nobody_holds_is_taken(tmp_path, content):
    (tmp_path / ".lock").write_bytes(content)
    with locked("train", str(tmp_path)):
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_second_training_is_refused_and_harms_nothing(tmp_path):
    """While one training runs, others are refused; after it was killed, the next goes on at once."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "cygrad"]
    options = ["train", "digits", "--out", str(out), "--threads", "1", "--checkpoint-seconds", "0"]
    with subprocess.Popen(
        [*command, *options, "--epochs", "2000", "--patience", "2000"],
        env=ENVIRONMENT, stdout=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        try:
            while not first.stdout.readline().startswith("epoch"):
                assert first.poll() is None
            for second in [[*options, "--epochs", "1"], ["resume", str(out)]]:
                done = subprocess.run([*command, *second], env=ENVIRONMENT, capture_output=True, text=True)
                assert done.returncode == 1
                assert done.stderr.startswith(f"cygrad: {second[0]}: {out} is in use by process {first.pid} on ")
                assert done.stderr.count("\n") == 1
            assert json.loads((out / "training.json").read_text())["options"]["epochs"] == 2000
            assert first.stdout.readline().startswith("epoch")
        finally:
            first.send_signal(signal.SIGKILL)
    done = subprocess.run([*command, *options, "--epochs", "1"], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(out)) == ["config.json", "metrics.csv", "report.html", "report.json", "weights.npz"]


@pytest.mark.skipif(os.name == "nt", reason="an open file can't be removed on Windows")
def test_a_file_that_another_writer_has_open_is_no_leftover(tmp_path):
    from cygrad._files import atomic_write, remove_leftovers

    with atomic_write("save", tmp_path / "run.npz") as file:
        file.write(b"new")
        remove_leftovers(tmp_path / "run.npz")
    assert (tmp_path / "run.npz").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["run.npz"]
