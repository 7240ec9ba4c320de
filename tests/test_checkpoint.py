"""Checkpoints: a killed training, resumed, ends as an uninterrupted one, and no file is ever incomplete."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn, optim, train
from cygrad.data import DataLoader, TensorDataset
from tests import resumable
from tests.killed import ENVIRONMENT, EVERY, killed, learn


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("every", EVERY)
def test_a_training_killed_at_any_moment_ends_with_the_same_bits(tmp_path, every):
    other = tmp_path / "whole"
    other.mkdir()
    wanted, seconds = learn(other, every)
    assert killed(tmp_path / "killed", every, 4, 0.5 * seconds, random.Random(every))[0] == wanted


def test_checkpoints_are_at_least_every_seconds_apart(tmp_path):
    written = []

    class Counts(train.Callback):
        def on_checkpoint(self, trainer, path):
            written.append(trainer.epoch)

    for seconds, wanted in ((0.0, [1, 2, 3, 4]), (3600.0, [1])):
        checkpoint = train.Checkpoint(tmp_path / "run.npz", every_seconds=seconds)
        trainer, loader = small(checkpoint, callbacks=[Counts()])
        trainer.fit(loader, epochs=4)
        assert written == wanted
        written.clear()
    with pytest.raises(ValueError, match="Checkpoint: every_seconds must not be negative, got -1"):
        train.Checkpoint("run.npz", every_seconds=-1)


class StopsAt(train.Callback):
    """Press Ctrl-C after a number of updates."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer, metrics):
        if trainer.step == self.step:
            raise KeyboardInterrupt


def plain(**options):
    return {"ema": None, "early_stopping": None, "scheduler": None, **options}


CASES = {
    "everything": {},
    "plain": plain(accumulate=1),
    "safetensors": plain(suffix=".safetensors"),
    "swa": plain(swa=train.SWA(1, lr=0.005, anneal_epochs=3)),
    "accumulated unevenly": plain(accumulate=7),
    "threads": plain(num_workers=2),
}


@pytest.mark.parametrize("stop", [1, 13, 20])
@pytest.mark.parametrize("name", CASES)
def test_every_part_of_the_state_is_restored(tmp_path, name, stop):
    options = dict(CASES[name])
    path = tmp_path / f"run{options.pop('suffix', '.npz')}"
    if path.suffix == ".safetensors":
        pytest.importorskip("safetensors")

    def run(checkpoint, *callbacks):
        trainer, *loaders = resumable.trainer_of(tmp_path, None, callbacks=callbacks, **options)
        trainer.checkpoint = checkpoint
        trainer.fit(*loaders, epochs=3, resume=checkpoint is not None)
        return trainer

    whole = run(None)
    run(train.Checkpoint(path, every_steps=stop), StopsAt(stop + 1))
    np.random.seed(99)
    random.seed(99)
    again = run(train.Checkpoint(path))
    assert resumable.result(again) == resumable.result(whole) and again.step == whole.step


def test_a_finished_training_continues_as_a_longer_one(tmp_path):
    whole, *loaders = resumable.trainer_of(tmp_path / "whole", None)
    whole.checkpoint = None
    whole.fit(*loaders, epochs=6)
    short, *loaders = resumable.trainer_of(tmp_path, None)
    short.fit(*loaders, epochs=3)
    longer, *loaders = resumable.trainer_of(tmp_path, None)
    longer.resume(tmp_path / "run.npz")
    longer.fit(*loaders, epochs=6)
    assert resumable.result(longer) == resumable.result(whole)


def test_a_training_that_has_stopped_early_stays_so(tmp_path):
    results = []
    for _ in range(2):
        model = nn.Linear(2, 2)
        stopping = train.EarlyStopping(model, 2, min_delta=9.0)
        trainer, loader = small(tmp_path / "run.npz", model, early_stopping=stopping)
        history = trainer.fit(loader, epochs=50, resume=True)
        assert history.stopped and len(history) == 3
        results.append(resumable.result(trainer))
    assert results[0] == results[1]


def test_the_state_of_callbacks_is_restored(tmp_path):
    class Counter(train.Callback):
        count = 0

        def on_batch_end(self, trainer, metrics):
            self.count += 1

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    counters = Counter(), Counter()
    for counter, epochs in zip(counters, (1, 3)):
        trainer, *loaders = resumable.trainer_of(tmp_path, None, callbacks=[counter])
        trainer.fit(*loaders, epochs=epochs, resume=True)
    assert [counter.count for counter in counters] == [13, 39]


# What can go wrong


def small(path=None, model=None, optimizer=optim.SGD, **options):
    """A trainer of one layer, and a loader."""
    model = model or nn.Linear(2, 2)
    data = TensorDataset(np.ones((8, 2), np.float32), np.arange(8) % 2)
    chosen = optimizer(model.parameters(), lr=0.1)
    trainer = train.Trainer(model, nn.functional.cross_entropy, chosen, progress=False, checkpoint=path, **options)
    return trainer, DataLoader(data, 2)


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    trainer, loader = small(path)
    trainer.fit(loader)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"save: .*run\.npz can't be written \(No space left on device\)"):
        trainer.fit(loader, epochs=2, resume=True)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.npz"]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a file's size is set as on Linux")
def test_a_file_that_cannot_grow_leaves_the_last_good_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    trainer, loader = small(path)
    trainer.fit(loader)
    before = path.read_bytes()
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "from pathlib import Path; from tests.test_checkpoint import small; import sys\n"
        "trainer, loader = small(Path(sys.argv[1])); trainer.fit(loader, epochs=2, resume=True)\n"
    )
    folder = {"cwd": Path(__file__).parents[1], "env": {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"}}
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, **folder)
    assert done.returncode == 1 and "OSError: [Errno 27] save: " in done.stderr, done.stderr
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.npz"]


def fits_badly():
    """Trainers that a checkpoint of ``small`` does not fit, and the messages."""
    stopping = nn.Linear(2, 2)
    yield small(model=nn.Linear(2, 3)), "'weight' has shape (2, 2), wanted (3, 2)"
    yield small(optimizer=optim.Adam), "its optimizer is a SGD, this one's is a Adam"
    yield small(ema=0.5), "it has optimizer, this one optimizer, averaged"
    yield small(accumulate=2), "it has accumulate=1, this one 2"
    yield small(metrics=["accuracy"]), "it has the metrics none, this one accuracy"
    early = train.EarlyStopping(stopping)
    yield small(model=stopping, early_stopping=early), "it has optimizer, this one optimizer, early_stopping"


@pytest.mark.parametrize("number", range(6))
def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path, number):
    path = tmp_path / "run.npz"
    trainer, loader = small(path)
    trainer.fit(loader)
    (other, _), message = list(fits_badly())[number]
    before = train.fingerprint(other.model)
    with pytest.raises(ValueError) as caught:
        other.resume(path)
    assert str(caught.value).startswith(f"resume: {path} does not fit this trainer (") and message in str(caught.value)
    assert train.fingerprint(other.model) == before and len(other.history) == 0 and other.averaged is None


def test_resuming_with_other_options_warns(tmp_path):
    path = tmp_path / "run.npz"
    steps = optim.lr_scheduler.StepLR
    trainer, loader = small(path, seed=1)
    trainer.fit(loader, epochs=2)
    other, _ = small(path, clip=0.5, seed=2)
    other.optimizer.param_groups[0]["lr"] = 0.2
    other = train.Trainer(other.model, other.loss, other.optimizer, clip=0.5, seed=2, progress=False, checkpoint=path)
    with pytest.warns(train.ResumeWarning) as caught:
        other.fit(DataLoader(loader.dataset, 4), epochs=3, resume=True)
    (warned,) = caught
    said = "clip was None and is norm 0.5, seed was 1 and is 2, optimizer's lr was 0.1 and is 0.2"
    assert said in str(warned.message) and "steps_per_epoch was 4 and is 2" in str(warned.message)
    assert warned.filename == __file__ and other.history["lr"] == [0.1, 0.1, 0.1]
    again, loader = small(path, seed=1)  # compared with what it began with
    again.fit(loader, epochs=4, resume=True)

    def scheduled(gamma):
        trainer, _ = small()
        scheduler = steps(trainer.optimizer, 1, gamma)
        return train.Trainer(
            trainer.model, trainer.loss, trainer.optimizer, scheduler=scheduler, progress=False, checkpoint=path
        )

    scheduled(0.5).fit(loader, epochs=2)
    scheduled(0.5).fit(loader, epochs=3, resume=True)
    with pytest.warns(train.ResumeWarning, match="scheduler's gamma was 0.5 and is 0.1"):
        scheduled(0.1).fit(loader, epochs=4, resume=True)


def test_files_that_are_not_checkpoints_are_named(tmp_path):
    path = tmp_path / "run.npz"
    trainer, loader = small(path)
    with pytest.raises(FileNotFoundError):
        trainer.resume(path)
    trainer.fit(loader)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"run\.npz is truncated, corrupt or not a \.npz file"):
        trainer.resume(path)
    cg.save({"weight": cg.ones(2)}, path)
    with pytest.raises(ValueError, match=r"resume: .*run\.npz is not a checkpoint"):
        trainer.resume(path)
    cg.save({"format": 99}, path)
    with pytest.raises(ValueError, match=r"resume: .*run\.npz has format 99, expected 1"):
        trainer.resume(path)
    cg.save({"format": 1}, path)
    with pytest.raises(ValueError, match=r"resume: .*run\.npz does not fit this trainer \('accumulate'\)"):
        trainer.resume(path)


def test_a_loader_that_is_now_shorter_is_named(tmp_path):
    path = tmp_path / "run.npz"
    trainer, loader = small(train.Checkpoint(path, every_steps=3), callbacks=[StopsAt(4)])
    trainer.fit(loader)
    again, _ = small(path)
    changed = pytest.warns(train.ResumeWarning, match="steps_per_epoch was 4 and is 2")
    with (
        changed,
        pytest.raises(ValueError, match="resume: the checkpoint was written after batch 3, but the loader has 2"),
    ):
        again.fit(list(loader)[:2], resume=True)


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    path = tmp_path / "run.npz"
    trainer, loader = small(path)
    trainer.fit(loader)
    others, leftover = [".other.npz.123-abcdef00.tmp", "run.npz", "run.npz.tmp"], ".run.npz.123-abcdef00.tmp"
    for name in (leftover, others[0], others[2]):
        (tmp_path / name).write_text("half")
    trainer.resume(path)
    assert sorted(os.listdir(tmp_path)) == others
    path.rename(tmp_path / leftover)
    trainer, loader = small(path)
    trainer.fit(loader, resume=True)
    assert sorted(os.listdir(tmp_path)) == others and len(trainer.history) == 1


def test_a_checkpoint_is_arrays_and_json(tmp_path):
    trainer, loader = small(tmp_path / "run.npz")
    trainer.fit(loader)
    with zipfile.ZipFile(tmp_path / "run.npz") as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
            if name == "__structure__.npy":
                assert json.loads(str(array))["dict"]


def test_a_generator_that_cannot_be_saved_is_named(tmp_path):
    class Unknown:
        permutation = staticmethod(np.random.permutation)

    trainer, loader = small(tmp_path / "run.npz")
    data = loader.dataset
    with pytest.raises(TypeError, match="checkpoint: can't save the state of a generator of type Unknown"):
        trainer.fit(DataLoader(data, 2, shuffle=True, generator=Unknown()))


# Fingerprints


def test_the_fingerprint_covers_names_dtypes_shapes_and_bytes():
    state = {"a": np.arange(4, dtype=np.float32), "b": np.ones(2)}
    different = [
        {"c": state["a"], "b": state["b"]},
        {"a": state["a"].reshape(2, 2), "b": state["b"]},
        {"a": state["a"].view(np.int32), "b": state["b"]},
        {"a": state["a"] + 1, "b": state["b"]},
        {"a": state["a"]},
    ]
    same = [dict(reversed(state.items())), {"a": state["a"].astype(">f4"), "b": cg.tensor(state["b"])}]
    assert len({train.fingerprint(other) for other in (state, *different)}) == 6
    assert {train.fingerprint(other) for other in same} == {train.fingerprint(state)}


def test_a_training_resumed_at_another_cpu_level_warns(tmp_path):
    """Its bits may differ, because levels add in another order."""
    from cygrad import _kernels as kernels

    level = kernels.cpu_level()
    trainer, loader = small(tmp_path / "run.npz")
    trainer.fit(loader, epochs=1)
    assert cg.load(tmp_path / "run.npz")["cpu_level"] == level
    for other, expected in ((level, False), ("another", True)):
        state = cg.load(tmp_path / "run.npz")
        cg.save({**state, "cpu_level": other}, tmp_path / "run.npz")
        resumed, loader = small(tmp_path / "run.npz")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            resumed.fit(loader, epochs=2, resume=True)
        messages = [str(w.message) for w in caught if issubclass(w.category, train.ResumeWarning)]
        assert [f"ran at CPU level another, this one runs at {level}" in message for message in messages] == [
            True
        ] * expected


@pytest.mark.parametrize("key", ["model", "parts", "history", "step", "running", "random", "accumulate"])
@pytest.mark.parametrize("value", [None, 3.5, {}, {"optimizer": {"type": "Adam", "state": {}}}])
def test_a_broken_state_leaves_the_trainer_as_it_was(key, value):
    trainer, loader = small()
    trainer.fit(loader, epochs=1)
    state = {**trainer.state_dict(), key: value}
    other, _ = small()
    other.fit(loader, epochs=1)
    before, optimizer = train.fingerprint(other.model), repr(other.optimizer.state_dict())
    history = list(other.history.records)
    with pytest.raises(ValueError, match="load_state_dict: the state does not fit this trainer"):
        other.load_state_dict(state)
    assert train.fingerprint(other.model) == before and repr(other.optimizer.state_dict()) == optimizer
    assert other.history.records == history
