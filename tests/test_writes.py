"""Every writer with each of its calls of the system failing in turn, and on a disk that is full after each number of
bytes: the old files stay, no other file is left, and one message names the file."""

from __future__ import annotations

import errno
import os
import sys
import warnings

import numpy as np
import pytest

import cygrad as cg
from cygrad.integrations.dvc import DVC
from cygrad.integrations.loggers import CSVLogger, JSONLLogger, read_jsonl
from cygrad.integrations.tensorboard import TensorBoard
from cygrad.integrations.tensorboard.reading import records
from cygrad.integrations.tracker import TrackerWarning
from tests.fuzz.writes import failing, limited, problem_of, writers

WRITERS = writers()
linux = pytest.mark.skipif(sys.platform != "linux", reason="the limit of a file's size is set as on Linux")


@pytest.mark.parametrize("name", WRITERS)
def test_each_call_that_fails_leaves_the_old_files(tmp_path, name):
    writer = WRITERS[name]
    writer.write(tmp_path, 1)
    with failing() as calls:
        writer.write(tmp_path, 2)
    assert len(calls) > 3
    for at in range(1, len(calls) + 1):
        for code in (errno.ENOSPC, errno.EACCES):
            problem = problem_of(writer, at=at, code=code)
            assert problem is None, f"call {at}, {os.strerror(code)}: {problem}"


@linux
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_files(tmp_path, name):
    for size in [0, 1, 7, 30, 100, 300, 1000, 2000, 3000, 4000, 5000]:
        problem = problem_of(WRITERS[name], size=size)
        assert problem is None, f"after {size} bytes: {problem}"


TRACKERS = {
    "csv": lambda folder: CSVLogger(folder / "x.csv"),
    "jsonl": lambda folder: JSONLLogger(folder / "x.jsonl", every=1),
    "dvc": lambda folder: DVC(folder / "dvc", every=1),
    "tensorboard": lambda folder: TensorBoard(folder / "events", every=1),
}


@linux
@pytest.mark.parametrize("name", TRACKERS)
@pytest.mark.parametrize("size", [0, 5, 50, 99, 200])
def test_a_full_disk_ends_no_training_and_leaves_complete_lines(tmp_path, name, size):
    model = cg.nn.Linear(2, 1)
    sgd = cg.optim.SGD(model.parameters(), lr=0.1)
    trainer = cg.train.Trainer(
        model, cg.nn.functional.mse_loss, sgd, callbacks=[TRACKERS[name](tmp_path)], progress=False
    )
    batches = [(cg.ones(4, 2), cg.ones(4, 1))] * 3
    with warnings.catch_warnings(record=True) as caught, limited(size):
        warnings.simplefilter("always")
        history = trainer.fit(batches, epochs=5)
    assert len(history) == 5
    assert [item.category for item in caught] == [TrackerWarning], [str(item.message) for item in caught]
    assert str(tmp_path) in str(caught[0].message)
    for folder, _, names in os.walk(tmp_path):
        for path in (os.path.join(folder, file) for file in names):
            assert not path.endswith(".tmp")
            with open(path, "rb") as file:
                content = file.read()
            if path.endswith((".csv", ".jsonl", ".tsv")):
                assert content == b"" or content.endswith(b"\n")
            if path.endswith(".jsonl"):
                assert len(read_jsonl(path)) == content.count(b"\n")
            if "tfevents" in path:
                assert sum(len(record) + 16 for record in records(path)) == len(content)


@pytest.mark.parametrize("name", ["jsonl", "dvc"])
def test_a_file_of_another_program_ends_no_resumed_training(tmp_path, name):
    """A tracker of a resumed training reads what it wrote before."""
    model = cg.nn.Linear(2, 1)
    sgd = cg.optim.SGD(model.parameters(), lr=0.1)
    options = {"progress": False, "checkpoint": tmp_path / "run.npz"}
    batches = [(cg.ones(4, 2), cg.ones(4, 1))] * 3
    cg.train.Trainer(model, cg.nn.functional.mse_loss, sgd, callbacks=[TRACKERS[name](tmp_path)], **options).fit(
        batches
    )
    path = tmp_path / "x.jsonl" if name == "jsonl" else tmp_path / "dvc" / "plots" / "metrics" / "loss.tsv"
    path.write_bytes(b"step\tloss\n\xff\t1\n")
    trainer = cg.train.Trainer(model, cg.nn.functional.mse_loss, sgd, callbacks=[TRACKERS[name](tmp_path)], **options)
    with pytest.warns(TrackerWarning, match="training continues without this tracker"):
        assert len(trainer.fit(batches, epochs=2, resume=True)) == 2


def test_append_writes_all_or_nothing(tmp_path):
    from cygrad._files import append

    class Short:
        """A file that takes three bytes at a time, and at most five."""

        def __init__(self):
            self.data = b""

        def seek(self, offset, whence):
            return len(self.data)

        def write(self, data):
            if len(self.data) >= 5:
                raise OSError(errno.ENOSPC, "No space left on device")
            part = bytes(data[:3])[: 5 - len(self.data)]
            self.data += part
            return len(part)

        def truncate(self, size):
            self.data = self.data[:size]

    file = Short()
    append(file, b"abcd")
    with pytest.raises(OSError, match="No space left"):
        append(file, b"efgh")
    assert file.data == b"abcd"


def test_an_array_of_every_layout_is_read_back(tmp_path):
    """Reading in parts keeps the order of elements."""
    array = np.arange(2**19 * 3, dtype=np.float64).reshape(3, 2**19)
    np.savez(tmp_path / "x.npz", c=array, f=np.asfortranarray(array), t=array.T, e=array[:0])
    loaded = cg.load(tmp_path / "x.npz")
    for name, wanted in {"c": array, "f": array, "t": array.T, "e": array[:0]}.items():
        np.testing.assert_array_equal(loaded[name].array, wanted)


@pytest.mark.parametrize("size", [5, 5000])
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "exp", "square", "leaky_relu", "elu", "silu", "hardtanh"])
def test_a_result_that_is_changed_in_place_gives_the_right_gradient_or_none(name, size):
    functional = getattr(cg.nn.functional, name, None) or getattr(cg, name)
    writes = {
        "twice": (lambda y: y.mul_(-2), lambda y: y * -2),
        "again": (lambda y: y.relu_(), lambda y: y.relu()),
        "part": (lambda y: y[:2].mul_(3), lambda y: cg.cat([y[:2] * 3, y[2:]])),
    }
    values = np.random.default_rng(0).normal(size=size)
    for change, same in writes.values():
        for in_place in (False, True):
            x, z = (cg.tensor(values, requires_grad=True) for _ in range(2))
            same(functional(z)).sum().backward()
            y = functional(x) if not in_place else functional(x * 1, inplace=True) if hasattr(cg.nn.functional, name) and name not in ("sigmoid", "tanh") else getattr(x * 1, f"{name}_")()
            change(y)
            try:
                y.sum().backward()
            except RuntimeError as error:
                assert "in place" in str(error) or "changed" in str(error) or "modified" in str(error)
            else:
                np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), atol=1e-12)
