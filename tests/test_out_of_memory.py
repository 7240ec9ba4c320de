"""Every request for memory fails in turn: one message, nothing half-written, and the next call works.

Needs a debug build in which all arrays come from the pool: `CYGRAD_DEBUG=1 CYGRAD_CFLAGS=-DCG_POOL_BYTES=0`."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels
from cygrad import nn, optim

F = nn.functional

pytestmark = pytest.mark.skipif(kernels.fail_request(0) < 0, reason="not a debug build")

ONE_MESSAGE = "out of memory|Unable to allocate"  # ours, and NumPy's for the arrays that it creates

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, 0.1, momentum=0.9),
    "AdamW": lambda p: optim.AdamW(p, 0.1, amsgrad=True),
    "RMSprop": lambda p: optim.RMSprop(p, 0.1, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, 0.1),
}


@pytest.fixture(autouse=True)
def empty_pool():
    """Nothing is cached, so that every array is requested from the system."""
    kernels.limit_cache(0)
    yield
    kernels.fail_request(0)
    kernels.limit_cache(1 << 30)


class Training:
    """A network and an optimizer; no module that a forward pass changes."""

    def __init__(self, optimizer="AdamW"):
        cg.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 3))
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.x, self.t = cg.randn(8, 4), cg.arange(8) % 3

    def step(self, x, t):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), t, label_smoothing=0.1)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss

    def parameters(self):
        return [p.array.tobytes() for p in self.model.parameters()]

    def state(self):
        """The bits of all parameters and of the optimizer's state."""
        numbers = self.parameters()
        for state in self.optimizer.state_dict()["state"].values():
            numbers += [np.asarray(getattr(value, "array", value)).tobytes() for value in state.values()]
        return numbers


def eager(training):
    return lambda: training.step(training.x, training.t)


def compiled(training):
    step = cg.compile(training.step)
    return lambda: step(training.x, training.t)


def in_epochs(training):
    step = cg.compile(training.step)
    return lambda: step.epoch(training.x, training.t, batch_size=2)


def fail_every_request(prepare):
    """Let request 1, 2, … of a call fail until the call has no more. `prepare` returns the call and its state before it.
    Yields (number, call, state) after each failure."""
    for number in range(1, 10_000):
        call, state = prepare()
        kernels.fail_request(number)
        try:
            call()
        except MemoryError as error:
            assert re.search(ONE_MESSAGE, str(error)), f"request {number}: {error!r}"
        finally:
            requests = kernels.fail_request(0)
        if requests < number:
            return number - 1
        yield number, call, state
    raise AssertionError("the call requests memory without end")


@pytest.mark.parametrize("earlier", [0, 1, 2, 3], ids=lambda n: f"after {n} calls")
@pytest.mark.parametrize("way", [eager, compiled, in_epochs], ids=lambda way: way.__name__)
def test_a_failed_step_is_a_step_not_taken(way, earlier):
    def prepare():
        training = Training()
        call = way(training)
        for _ in range(earlier):
            call()
        return call, training.state

    call, state = prepare()
    before = state()
    call()
    after = state()
    count, failures = len(Training().parameters()), 0
    for number, call, state in fail_every_request(prepare):
        failures += 1
        left = state()
        moved = left[:count] != before[:count]
        if way is not in_epochs:  # an epoch may fail between its batches
            assert not moved or left == after, f"request {number}: the step was left half done"
        call()
        assert moved or state() == after, f"request {number}: the next step is another"
    assert failures or (way is compiled and earlier == 3), "only a replay requests no memory"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_moves_all_parameters_or_none(optimizer):
    def prepare():
        training = Training(optimizer)
        F.cross_entropy(training.model(training.x), training.t).backward()
        return training.optimizer.step, training.state

    call, state = prepare()
    call()
    after = state()
    for number, call, state in fail_every_request(prepare):
        call()
        assert state() == after, f"request {number}: the next step is another"


IMAGES = np.linspace(0, 1, 2 * 3 * 8 * 8, dtype=np.float32).reshape(2, 3, 8, 8)
ROWS, LENGTHS = np.arange(12).reshape(3, 4), np.array([4, 2, 0])
WEIGHTS = np.full((2, 3), 0.5, np.float32)
DATA = {
    "gather": lambda: kernels.gather_rows(IMAGES, np.array([1, 0, 1]))[0],
    "warp": lambda: kernels.warp(IMAGES, np.array([[1, 0.1, 0, 0, 1, 0.2]] * 2, np.float32), 8, 8),
    "blur": lambda: kernels.blur(IMAGES, WEIGHTS),
    "color": lambda: kernels.color(IMAGES, WEIGHTS),
    "noise": lambda: kernels.gaussian_noise(IMAGES, WEIGHTS[:, 0].copy(), 1, 2),
    "mix": lambda: kernels.mix(IMAGES, np.array([1, 0]), WEIGHTS[:, 0].copy()),
    "tokens": lambda: kernels.drop_tokens(ROWS, LENGTHS, 0.5, 1, 2)[0],
    "embedding": lambda: F.embedding(cg.tensor(ROWS), cg.ones(12, 2)).array,
    "loader": lambda: next(iter(cg.data.DataLoader(cg.data.TensorDataset(IMAGES), batch_size=2)))[0].array,
}


@pytest.mark.parametrize("call", DATA.values(), ids=DATA)
def test_data(call):
    wanted = call()
    for number, _, _ in fail_every_request(lambda: (call, None)):
        np.testing.assert_array_equal(call(), wanted, err_msg=f"after the failure of request {number}")


def test_a_thread_without_working_memory_raises():
    """Requests of one launch in a new thread: its result, and the memory of the thread."""
    for number in 1, 2:
        errors = []

        def run(number=number, errors=errors):
            kernels.fail_request(number)
            try:
                kernels.relu(np.ones(5, np.float32))
            except MemoryError as error:
                errors.append(str(error))
            finally:
                kernels.fail_request(0)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert len(errors) == 1 and "out of memory" in errors[0]
