"""Timings of the kernels, and of a whole training step, against NumPy doing the same.

Both sides get the same arrays, and their results are compared before any time is taken. They are timed in
turns, so that whatever else the machine does falls on both; the time of a side is the median over the
rounds.
"""

from __future__ import annotations

import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad import nn, optim
from cygrad._typing import Array
from cygrad.config import get_num_threads, set_num_threads, show_config
from cygrad.nn import functional as F
from cygrad.random import manual_seed
from cygrad.tensor import Tensor

__all__ = ["Case", "Timing", "cases", "command", "compare", "measure"]

SIZES = ((64, 256), (512, 2048))
# What NumPy's libraries of linear algebra read when they are loaded.
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS")
ONE_THREAD = dict.fromkeys((*(f"{name}_NUM_THREADS" for name in LIBRARIES), "VECLIB_MAXIMUM_THREADS"), "1")
EPS = np.float32(1e-5)
# So small that the loss stays: samples learnt by heart leave gradients below float32's normal range.
STEP_RATE = 1e-7

Side = Callable[[], Any]


class Case(NamedTuple):
    """Something both sides do. They return the arrays that must agree; `check` replaces that comparison."""

    name: str
    size: str
    ours: Side
    numpy: Side
    check: Callable[[Any, Any], None] | None = None


class Timing(NamedTuple):
    """Medians in microseconds; ratio is NumPy's through ours."""

    name: str
    size: str
    cygrad_us: float
    numpy_us: float
    ratio: float


# Measuring


def compare(case: Case) -> None:
    """Raises AssertionError where the two sides do not give the same, to float32's rounding in a sum."""
    ours, theirs = case.ours(), case.numpy()
    if case.check is not None:
        case.check(ours, theirs)
        return
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        scale = float(np.abs(b).max()) or 1.0
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * scale, err_msg=f"{case.name}, {number}")


def measure(case: Case, rounds: int, seconds: float) -> Timing:
    """Medians over rounds of about `seconds` a side."""
    calls = [repetitions(side, seconds) for side in (case.ours, case.numpy)]
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for i in (0, 1) if turn % 2 == 0 else (1, 0):
            times[i].append(time_of((case.ours, case.numpy)[i], calls[i]))
    ours, theirs = (statistics.median(side) * 1e6 for side in times)
    return Timing(case.name, case.size, ours, theirs, theirs / ours)


def repetitions(side: Side, seconds: float) -> int:
    """How many calls fill the time, at least one."""
    time_of(side, 1)
    return max(1, round(seconds / max(time_of(side, 2), 1e-7)))


def time_of(side: Side, calls: int) -> float:
    """Seconds a call."""
    start = time.perf_counter()
    for _ in range(calls):
        side()
    return (time.perf_counter() - start) / calls


# The cases


def cases(rows: int, cols: int) -> Iterator[Case]:
    """All kernels on x of shape (rows, cols) of float32, and a step on as many samples."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((rows, cols), np.float32) for _ in range(2))
    for family in (linear, relu, batch_norm, layer_norm, dropout, cross_entropy, clip, adamw, step):
        yield from family(rng, x, dy, f"({rows}, {cols})")


def linear(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """y = x·Wᵀ + b with a square W"""
    cols = x.shape[1]
    w, b = rng.standard_normal((cols, cols), np.float32) / np.float32(math.sqrt(cols)), x[0].copy()
    yield Case("linear", size, lambda: [kernels.linear(x, w, b)], lambda: [x @ w.T + b])
    yield Case(
        "linear backward",
        size,
        lambda: kernels.linear_backward(dy, x, w, True, True, True),
        lambda: (dy @ w, dy.T @ x, dy.sum(0)),
    )


def relu(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """y = max(x, 0)"""
    y = np.maximum(x, 0)
    yield Case("relu", size, lambda: [kernels.relu(x)], lambda: [np.maximum(x, 0)])
    yield Case("relu backward", size, lambda: [kernels.relu_backward(dy, y)], lambda: [dy * (y > 0)])


def normalised(x: Array, axis: int) -> tuple[Array, Array]:
    """(x − mean)/√(var + eps) and 1/√(var + eps)"""
    centred = x - x.mean(axis, keepdims=True)
    rstd = 1 / np.sqrt((centred * centred).mean(axis, keepdims=True) + EPS)
    return centred * rstd, rstd


def norm_backward(dy: Array, xhat: Array, rstd: Array, weight: Array, axis: int) -> list[Array]:
    """dx, dw, db of a norm over the axis."""
    g = dy * weight
    dx = rstd * (g - g.mean(axis, keepdims=True) - xhat * (g * xhat).mean(axis, keepdims=True))
    return [dx, (dy * xhat).sum(0), dy.sum(0)]


def batch_norm(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """Batch norm in training, with running statistics"""
    n, cols = x.shape
    weight, bias = rng.standard_normal(cols, np.float32), rng.standard_normal(cols, np.float32)
    ours, theirs = ([np.zeros(cols, np.float32), np.ones(cols, np.float32)] for _ in range(2))
    _, mean, rstd = kernels.batch_norm(x, weight, bias, None, None, 0.1, 1e-5)
    xhat, root = normalised(x, 0)

    def forward() -> list[Array]:
        mean = x.mean(0)
        centred = x - mean
        var = (centred * centred).mean(0)
        theirs[0] *= np.float32(0.9)
        theirs[0] += np.float32(0.1) * mean
        theirs[1] *= np.float32(0.9)
        theirs[1] += np.float32(0.1 * n / (n - 1)) * var
        return [centred * (weight / np.sqrt(var + EPS)) + bias, *theirs]

    yield Case(
        "batch norm",
        size,
        lambda: [kernels.batch_norm(x, weight, bias, *ours, 0.1, 1e-5)[0], *ours],
        forward,
    )
    yield Case(
        "batch norm backward",
        size,
        lambda: kernels.batch_norm_backward(dy, x, weight, mean, rstd, True, True, True, True),
        lambda: norm_backward(dy, xhat, root, weight, 0),
    )


def layer_norm(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """Layer norm over the rows"""
    cols = x.shape[1]
    weight, bias = rng.standard_normal(cols, np.float32), rng.standard_normal(cols, np.float32)
    _, mean, rstd = kernels.layer_norm(x, weight, bias, 1e-5)
    xhat, root = normalised(x, 1)

    def backward() -> list[Array]:
        return list(kernels.layer_norm_backward(dy, x, weight, mean, rstd, True, True))

    yield Case(
        "layer norm",
        size,
        lambda: [kernels.layer_norm(x, weight, bias, 1e-5)[0]],
        lambda: [normalised(x, 1)[0] * weight + bias],
    )
    yield Case("layer norm backward", size, backward, lambda: norm_backward(dy, xhat, root, weight, 1))


def dropout(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """x·mask/(1 − p); NumPy keeps mask/(1 − p), cygrad the mask."""
    p, draws, calls = 0.2, kernels.dropout_draws(x), count()
    scale = np.float32(1 / (1 - p))

    def ours() -> Array:
        return kernels.dropout(x, p, 0, draws * next(calls))[0]

    def theirs() -> Array:
        return x * ((rng.random(x.shape, np.float32) >= p) * scale)

    def check(a: Array, b: Array) -> None:
        for y in (a, b):
            kept = y != 0
            assert abs(kept.mean() - (1 - p)) < 5 * math.sqrt(p * (1 - p) / y.size), "dropout: another rate"
            np.testing.assert_allclose(y[kept], (x * scale)[kept], rtol=1e-5)

    _, mask = kernels.dropout(x, p, 0, 0)
    scaled_mask = mask * scale
    yield Case("dropout", size, ours, theirs, check)
    yield Case("dropout backward", size, lambda: [kernels.dropout_backward(dy, mask, p)], lambda: [dy * scaled_mask])


def cross_entropy(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """The mean of −log softmax(x)[t], and (softmax(x) − onehot(t))/n"""
    n, cols = x.shape
    target, every, one = rng.integers(0, cols, n), np.arange(n), np.ones(1, np.float32)
    _, lse, classes, total = kernels.cross_entropy(x, target, None, -100, 0.0, 1)

    def log_softmax() -> Array:
        shifted = x - x.max(1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))

    saved = log_softmax()

    def backward() -> list[Array]:
        dx = np.exp(saved)
        dx[every, target] -= 1
        dx /= n
        return [dx]

    yield Case(
        "cross entropy",
        size,
        lambda: [kernels.cross_entropy(x, target, None, -100, 0.0, 1)[0]],
        lambda: [-log_softmax()[every, target].mean()],
    )
    yield Case(
        "cross entropy backward",
        size,
        lambda: [kernels.cross_entropy_backward(one, x, classes, None, lse, total, 0.0, 1)],
        backward,
    )


def parameters(rng: np.random.Generator, x: Array) -> list[Array]:
    """Arrays as a layer and its norm have them, with as many numbers as x in the weight."""
    shapes: list[tuple[int, ...]] = [x.shape, x.shape[:1], x.shape[:1], x.shape[:1]]
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


def clip(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """Clipping by norm, of gradients that are too long"""
    ours = parameters(rng, x)
    theirs = [g.copy() for g in ours]
    norm = math.sqrt(sum(float((g * g).sum()) for g in ours))
    # Each bound lies a little under the one before, the norm that the last call left: every call clips.
    our_calls, numpy_calls = count(1), count(1)

    def our_side() -> list[Array]:
        kernels.clip_grad_norm(ours, norm * 0.99999 ** next(our_calls), 2.0)
        return ours

    def numpy_side() -> list[Array]:
        bound = norm * 0.99999 ** next(numpy_calls)
        total = math.sqrt(sum(float(np.dot(g.ravel(), g.ravel())) for g in theirs))
        scale = np.float32(min(1.0, bound / (total + 1e-6)))
        for g in theirs:
            g *= scale
        return theirs

    yield Case("clip by norm", size, our_side, numpy_side)


def adamw(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """One step of AdamW"""
    grads = parameters(rng, x)
    ours = [[p.copy() for p in parameters(rng, x)], *([np.zeros_like(g) for g in grads] for _ in range(2))]
    theirs = [[a.copy() for a in arrays] for arrays in ours]
    numpy_step = NumpyAdamW(theirs, 1e-3, 0.01)
    t = 0

    def our_side() -> list[Array]:
        nonlocal t
        t += 1
        kernels.adam(ours[0], grads, ours[1], ours[2], None, t, 1e-3, 0.9, 0.999, 1e-8, 0.01, True, False)
        return ours[0]

    def numpy_side() -> list[Array]:
        numpy_step(grads)
        return theirs[0]

    yield Case("adamw", size, our_side, numpy_side)


class NumpyAdamW:
    """AdamW by NumPy, its temporaries few: arrays holds parameters, first and second moments."""

    def __init__(self, arrays: list[list[Array]], lr: float, decay: float) -> None:
        self.arrays, self.lr, self.decay, self.t = arrays, lr, decay, 0

    def __call__(self, grads: list[Array]) -> None:
        self.t += 1
        first, second = 1 - 0.9**self.t, math.sqrt(1 - 0.999**self.t)
        for p, g, m, v in zip(self.arrays[0], grads, *self.arrays[1:], strict=True):
            p *= 1 - self.lr * self.decay
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * (g * g)
            p -= self.lr / first * m / (np.sqrt(v) / second + 1e-8)


# A whole step


def step(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[Case]:
    """One step of an MLP cols-256-10 with batch norm and ReLU: forward, loss, backward, clipping, AdamW"""
    n, cols = x.shape
    hidden, classes = 256, 10
    manual_seed(0)
    norm = nn.BatchNorm1d(hidden)
    model = nn.Sequential(nn.Linear(cols, hidden), norm, nn.ReLU(), nn.Linear(hidden, classes))
    optimizer = optim.AdamW(model.parameters(), lr=STEP_RATE, weight_decay=0.01)
    target = rng.integers(0, classes, n)
    numpy_step = NumpyStep([p.array.copy() for p in model.parameters()], x, target)
    inputs, labels = Tensor(x), Tensor(target)

    def our_side() -> list[Array]:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return [loss.array]

    yield Case("whole step", size, our_side, lambda: [numpy_step()])


class NumpyStep:
    """The same step by hand."""

    def __init__(self, params: list[Array], x: Array, target: Array) -> None:
        self.params, self.x, self.target, self.every = params, x, target, np.arange(len(x))
        self.running = [np.zeros_like(params[1]), np.ones_like(params[1])]
        moments = [[np.zeros_like(p) for p in params] for _ in range(2)]
        self.update = NumpyAdamW([params, *moments], STEP_RATE, 0.01)

    def __call__(self) -> Array:
        w1, b1, gamma, beta, w2, b2 = self.params
        x, n = self.x, len(self.x)
        h = x @ w1.T + b1
        mean = h.mean(0)
        centred = h - mean
        var = (centred * centred).mean(0)
        for running, batch in zip(self.running, (mean, var * (n / (n - 1))), strict=True):
            running += 0.1 * (batch - running)
        rstd = 1 / np.sqrt(var + EPS)
        xhat = centred * rstd
        a = np.maximum(xhat * gamma + beta, 0)
        scores = a @ w2.T + b2
        scores -= scores.max(1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        loss = -logs[self.every, self.target].mean()
        ds = np.exp(logs)
        ds[self.every, self.target] -= 1
        ds /= n
        da = (ds @ w2) * (a > 0)
        dh, dgamma, dbeta = norm_backward(da, xhat, rstd, gamma, 0)
        grads = [dh.T @ x, dh.sum(0), dgamma, dbeta, ds.T @ a, ds.sum(0)]
        norm = math.sqrt(sum(float(np.dot(g.ravel(), g.ravel())) for g in grads))
        scale = np.float32(min(1.0, 1.0 / (norm + 1e-6)))
        for g in grads:
            g *= scale
        self.update(grads)
        return np.asarray(loss)


# The command


def command(*, json: bool = False, quick: bool = False) -> int:
    """``cygrad bench``: prints a table, or JSON, of all cases, on one thread; returns the exit code."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        return elsewhere(json, quick)
    threads = get_num_threads()
    set_num_threads(1)
    try:
        timings = list(timed(quick))
    finally:
        set_num_threads(threads)
    machine = {**show_config(), "threads": 1, "system": platform.platform(), "cpu": cpu_name()}
    if json:
        import json as text

        print(text.dumps({"machine": machine, "timings": [timing._asdict() for timing in timings]}, indent=2))
        return 0
    print(table(timings, machine))
    return 0


def elsewhere(json: bool, quick: bool) -> int:
    """The same in a process of its own, in which NumPy has one thread from the beginning."""
    import subprocess

    options = ["--json"] * json + ["--quick"] * quick
    arguments = [sys.executable, "-m", "cygrad", "bench", *options]
    return subprocess.run(arguments, env={**os.environ, **ONE_THREAD}, check=False).returncode


def timed(quick: bool) -> Iterator[Timing]:
    """All cases at all sizes, compared and then measured."""
    for rows, cols in SIZES[:1] if quick else SIZES:
        for case in cases(rows, cols):
            compare(case)
            yield measure(case, 5 if quick else 25, 0.001 if quick else 0.005)


def table(timings: list[Timing], machine: dict[str, Any]) -> str:
    """The timings in columns."""
    head = (
        f"cygrad {machine['cygrad']} ({machine['cpu_level']}) and NumPy {machine['numpy']}, "
        f"float32, one thread, medians; {machine['cpu']}"
    )
    lines = [f"{'':24}{'size':>12}{'cygrad':>13}{'NumPy':>13}{'NumPy/cygrad':>14}"]
    lines += [f"{t.name:24}{t.size:>12}{t.cygrad_us:10.1f} us{t.numpy_us:10.1f} us{t.ratio:14.2f}" for t in timings]
    return "\n".join([head, "", *lines])


def cpu_name() -> str:
    """The processor's name, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
