"""Epochs of a compiled step: results and state of as many calls, in one call into C."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from tests.test_compile import LAYERS, LOSSES, OPTIMIZERS, SCHEDULERS, Training

F = nn.functional


def versions(training):
    return [p.version.value for p in training.model.parameters()]


def run_epochs(epoch, training, rows=37, count=4):
    """The losses of some epochs, and the state after them; `epoch(x, t, order)` runs one."""
    x, t = training.batch(0, rows)
    losses = [epoch(x, t, cg.randperm(rows)) for _ in range(count)]
    return np.concatenate(losses).tobytes(), training.state(), versions(training)


def by_calls(step, size, drop_last=False):
    """An epoch as a loop in Python."""

    def epoch(x, t, order):
        batches = [rows for rows in order.split(size) if len(rows) == size or not drop_last]
        return np.array([step(x[rows], t[rows]).array for rows in batches])

    return epoch


def in_loops(step, size, drop_last=False):
    return lambda x, t, order: step.epoch(x, t, batch_size=size, order=order, drop_last=drop_last).array


def assert_same(size=8, drop_last=False, rows=37, **parts):
    """Check that epochs in C have the results of eager mode; returns the compiled step."""
    eager = Training(**parts)
    wanted = run_epochs(by_calls(eager.step, size, drop_last), eager, rows)
    training = Training(**parts)
    step = cg.compile(training.step)
    assert run_epochs(in_loops(step, size, drop_last), training, rows) == wanted
    return step


PARTS = [
    *[{"layer": name} for name in LAYERS], *[{"loss": name} for name in LOSSES], *[{"optimizer": name} for name in OPTIMIZERS],
]  # fmt: skip


IN_NUMPY = {"bce"}  # whose step calls sigmoid in Python


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: next(iter(parts.values())))
def test_the_numbers_and_the_state_of_calls(parts):
    step = assert_same(**parts)
    assert all([("0 calls" in repr(program)) == (program.loop is not None) for program in step.programs()])
    assert "layer" in parts or "0 calls" in repr(step.programs()[0]) or parts["loss"] in IN_NUMPY
    assert [program.replay.runs for program in step.programs()] == [14, 2]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_scheduler_in_the_step(scheduler):
    step = assert_same(scheduler=scheduler, inside=True)
    assert all((program.loop is None) == (scheduler != "none") for program in step.programs())


@pytest.mark.parametrize(("size", "drop_last"), [(1, False), (5, True), (37, False), (40, False), (36, True)])
def test_sizes_of_batches(size, drop_last):
    assert_same(size, drop_last, layer="dropout")


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_large_batches_on_several_threads(threads):
    before = cg.get_num_threads()
    cg.set_num_threads(threads)
    try:
        assert_same(40_000, rows=90_000, layer="batch norm")
    finally:
        cg.set_num_threads(before)


def test_rates_change_between_epochs():
    results = []
    for make in by_calls, in_loops:
        training = Training(layer="dropout", scheduler="OneCycleLR")
        one = make(training.step if make is by_calls else cg.compile(training.step), 8)

        def epoch(x, t, order, one=one, training=training):
            losses = one(x, t, order)
            training.scheduler.step()
            return losses

        results.append(run_epochs(epoch, training))
    assert results[0] == results[1]


@pytest.mark.parametrize("named", ["another", "the default one", "mixed"])
def test_dropout_with_a_generator(named):
    results = []
    for make in by_calls, in_loops:
        training = Training(layer="dropout")
        generator = cg.Generator().manual_seed(1) if named == "another" else cg.default_generator
        training.model[0].generator = generator
        if named == "mixed":
            training.model.insert(0, nn.Dropout(0.2))
        step = cg.compile(training.step)
        results.append(
            (run_epochs(make(training.step if make is by_calls else step, 8), training), generator.get_state().tolist())
        )
    assert results[0] == results[1]
    assert all((program.loop is None) == (named == "mixed") for program in step.programs())


def test_gradients_that_add_up():
    results = []
    for wrap in (lambda f: f, cg.compile):
        training = Training()

        def accumulate(x, t, training=training):
            loss = training.loss(training.model(x), t)
            loss.backward()
            return loss

        step = wrap(accumulate)
        one = by_calls(step, 8) if step is accumulate else in_loops(step, 8)

        def epoch(x, t, order, one=one, training=training):
            losses = one(x, t, order)
            gradients = [p.grad.array.copy().ravel() for p in training.model.parameters()]
            training.optimizer.step()
            training.optimizer.zero_grad()
            return np.concatenate([losses, *gradients])

        results.append(run_epochs(epoch, training, rows=40))
    assert results[0] == results[1]


def test_arguments_and_results_of_any_structure():
    def both(pair, scale, *, extra):
        return {"sum": pair[0] + pair[1], "scaled": (pair[0].sum() * scale, extra), "nothing": None}

    step, x, y = cg.compile(both), cg.randn(12, 3), cg.randn(12, 3)
    for _ in range(3):
        result = step.epoch((x, y), 3.0, extra="a", batch_size=4, order=range(12))
        assert result["sum"].tolist() == (x + y).reshape(3, 4, 3).tolist()
        assert result["scaled"][0].tolist() == [(part.sum() * 3.0).item() for part in x.split(4)]
        assert (result["scaled"][1], result["nothing"]) == ("a", None)
    (program,) = step.programs()
    assert program.loop is not None and program.replay.runs == 7


def test_data_of_any_kind_and_order():
    step = cg.compile(lambda a, b, c: (a.sum(1), b, c * 1))
    a, b, c = cg.randn(3, 20).T, cg.arange(20) % 7 > 2, cg.randn(20, 2, 2, dtype=cg.float64)
    order = np.array([3, 3, 19, 0, 7, 7, 7, 1], np.int32)
    for _ in range(3):
        sums, flags, same = step.epoch(a, b, c, batch_size=2, order=order)
        assert sums.tolist() == a.sum(1)[cg.tensor(order)].reshape(4, 2).tolist()
        assert flags.tolist() == b[cg.tensor(order)].reshape(4, 2).tolist()
        assert same.tolist() == c[cg.tensor(order)].reshape(4, 2, 2, 2).tolist()
    assert step.programs()[0].loop is not None


def test_what_a_step_returns_is_never_overwritten():
    p = nn.Parameter(cg.zeros(2))
    optimizer = cg.optim.SGD([p], 1.0)

    @cg.compile
    def step(x):
        optimizer.zero_grad()
        (p * x).sum().backward()
        optimizer.step()
        return p

    for epoch in range(3):
        assert step.epoch(-cg.ones(4, 2), batch_size=1)[:, 0].tolist() == [4 * epoch + k for k in range(1, 5)]


def test_a_module_in_evaluation():
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)).eval()
    compiled, x = cg.compile(model), cg.randn(20, 6)
    with cg.no_grad():
        for _ in range(3):
            assert (
                compiled.epoch(x, batch_size=5).reshape(20, 2).tolist()
                == cg.cat([model(part) for part in x.split(5)]).tolist()
            )
    assert compiled.programs()[0].replay.runs > 0


# Errors


def test_a_wrong_class_ends_the_epoch_after_the_batches_before():
    results = []
    for make in by_calls, in_loops:
        training = Training(layer="dropout")
        step = cg.compile(training.step)
        epoch = make(training.step if make is by_calls else step, 8)
        run_epochs(epoch, training)
        x, t = training.batch(0, 64)
        t.array[43] = 9
        where = "" if make is by_calls else ", in batch 5 of an epoch"
        with pytest.raises(IndexError, match=f"target 9 at row 3 is not one of the 4 classes{where}"):
            epoch(x, t, cg.arange(64))
        for p in training.model.parameters():
            p.grad = None  # of the batch that failed, or of the one before it
        t.array[43] = 0
        results.append((training.state(), epoch(x, t, cg.arange(64)).tobytes(), training.state()))
    assert results[0] == results[1]


BAD = [
    ({"batch_size": 0}, ValueError, "epoch: batch_size must be an integer of at least 1, got 0"),
    ({"batch_size": 2.0}, ValueError, "epoch: batch_size must be an integer of at least 1, got 2.0"),
    ({"batch_size": 9, "drop_last": True}, ValueError, "epoch: 8 rows are fewer than one batch of 9"),
    ({"batch_size": 2, "order": []}, ValueError, "epoch: 0 rows are fewer than one batch of 2"),
    ({"batch_size": 2, "order": [0, 8]}, IndexError, "epoch: order has indices from 0 to 8, but there are 8 rows"),
    ({"batch_size": 2, "order": [-1]}, IndexError, "epoch: order has indices from -1 to -1"),
    ({"batch_size": 2, "order": [0.0]}, TypeError, "epoch: order must be 1-d and of integers, got float64"),
    ({"batch_size": 2, "order": [[0]]}, TypeError, "epoch: order must be 1-d and of integers"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        cg.compile(lambda x: x.sum()).epoch(cg.randn(8, 2), **options)


def test_bad_data():
    step = cg.compile(lambda *args: args[0] * 1)
    with pytest.raises(ValueError, match="epoch: all data must have the same number of rows, got 8, 7"):
        step.epoch(cg.ones(8), cg.ones(7), batch_size=2)
    with pytest.raises(TypeError, match="epoch: no argument is a tensor"):
        step.epoch(3.0, batch_size=2)
    with pytest.raises(ValueError, match="epoch: the data needs a dimension of rows"):
        step.epoch(cg.tensor(1.0), batch_size=2)
    with pytest.raises(ValueError, match="epoch: the data must not require a gradient"):
        step.epoch(cg.ones(8, requires_grad=True), batch_size=2)
    for _ in range(3):
        with pytest.raises(
            ValueError, match=r"epoch: batch 2 has results of shapes \[\(2,\)\], earlier batches of \[\(3,\)\]"
        ):
            step.epoch(cg.ones(8), batch_size=3)
    assert step.epoch(cg.ones(8), batch_size=3, drop_last=True).shape == (2, 3)


def test_an_epoch_in_a_recorded_step():
    inner = cg.compile(lambda x: x * 2)
    outer = cg.compile(lambda x: inner.epoch(x, batch_size=2).sum())
    outer(cg.ones(4))
    with pytest.warns(RuntimeWarning, match="epoch reads values into Python"):
        assert outer(cg.ones(4)).item() == 8.0


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals")
def test_ctrl_c_ends_an_epoch_between_two_batches():
    training = Training(layer="dropout")
    step = cg.compile(training.step)
    x, t = training.batch(0, 80)
    step.epoch(x, t, batch_size=1)

    def made():
        return {state["step"] for state in training.optimizer.state.values()}

    def interrupt_when_it_runs():
        while made() == {80}:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_when_it_runs)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        step.epoch(x, t, batch_size=1, order=np.tile(np.arange(80), 50_000))  # some seconds
    thread.join()
    (steps,) = made()
    twin = Training(layer="dropout")
    cg.compile(twin.step).epoch(x, t, batch_size=1, order=np.arange(steps) % 80)
    assert (twin.state(), versions(twin)) == (training.state(), versions(training))


def test_one_step_in_two_threads():
    training = Training()
    step = cg.compile(training.step)
    x, t = training.batch(0, 80)
    step.epoch(x, t, batch_size=8)
    threads = [
        threading.Thread(target=lambda: step.epoch(x, t, batch_size=8, order=np.tile(np.arange(80), 50)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {state["step"] for state in training.optimizer.state.values()} == {1010}


def test_epochs_take_no_memory():
    training = Training(layer="batch norm")
    step = cg.compile(training.step)
    x, t = training.batch(0, 8000)
    for _ in range(3):
        step.epoch(x, t, batch_size=2000)
    before = cg.memory_stats()
    for _ in range(50):
        step.epoch(x, t, batch_size=2000)
    after = cg.memory_stats()
    assert after.in_use <= before.in_use and after.from_system == before.from_system
