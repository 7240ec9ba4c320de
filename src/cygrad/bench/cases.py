"""The cases: each kernel, forward and backward, and a whole training step, beside the same in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad import nn, optim
from cygrad._typing import Array
from cygrad.bench import by_hand
from cygrad.nn import functional as F
from cygrad.random import manual_seed
from cygrad.tensor import Tensor

__all__ = ["DROPOUT", "KERNELS", "KernelCase", "compare", "falling", "kernel_case", "kernel_cases", "kernel_inputs"]

DROPOUT = 0.3
# So small that the loss hardly changes: samples learned by heart leave gradients below float32's normal range, which
# processors handle slowly.
STEP_RATE = 1e-7

Side = Callable[[], Sequence[Any]]


class KernelCase(NamedTuple):
    """A computation of cygrad's and of NumPy's. Both return the arrays that must agree.

    Args:
        name: what is computed.
        size: the shape of the input, as text.
        cygrad: computes it once.
        numpy: computes it once.
        check: replaces the comparison of the arrays.
    """

    name: str
    size: str
    cygrad: Side
    numpy: Side
    check: Callable[[Any, Any], None] | None = None


def compare(case: KernelCase) -> None:
    """Raise AssertionError unless both sides agree, up to the rounding of sums in float32."""
    ours, theirs = case.cygrad(), case.numpy()
    if case.check is not None:
        case.check(*ours, *theirs)
        return
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        scale = float(np.abs(b).max()) or 1.0
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * scale, err_msg=f"{case.name}, {number}")


def kernel_inputs(rows: int, columns: int) -> tuple[Array, Array]:
    """x and dy of shape (rows, columns), float32, from the standard normal distribution."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((rows, columns), np.float32) for _ in range(2))
    return x, dy


def kernel_cases(rows: int, columns: int) -> Iterator[KernelCase]:
    """All cases on an input of this shape."""
    rng = np.random.default_rng(1)
    x, dy = kernel_inputs(rows, columns)
    for build in KERNELS.values():
        yield from build(rng, x, dy, f"({rows}, {columns})")


def kernel_case(name: str, rows: int, columns: int) -> KernelCase:
    """The case of this name, such as "linear" or "linear backward"; the same arrays in every process."""
    build = next(build for names, build in KERNELS.items() if name in names)
    cases = build(np.random.default_rng(1), *kernel_inputs(rows, columns), f"({rows}, {columns})")
    return next(case for case in cases if case.name == name)


def falling(norm: float, factor: float = 0.9999) -> Callable[[], float]:
    """Bounds that fall a little below the norm that the previous clipping left, so that every call has to scale."""
    calls = count(1)
    return lambda: norm * factor ** next(calls)


def linear(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """y = x·Wᵀ + b with a square W"""
    cols = x.shape[1]
    w, b = rng.standard_normal((cols, cols), np.float32) / np.float32(math.sqrt(cols)), x[0].copy()
    yield KernelCase("linear", size, lambda: [kernels.linear(x, w, b)], lambda: [x @ w.T + b])
    yield KernelCase(
        "linear backward",
        size,
        lambda: kernels.linear_backward(dy, x, w, True, True, True),
        lambda: (dy @ w, dy.T @ x, dy.sum(0)),
    )


def relu(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """y = max(x, 0)"""
    y = np.maximum(x, 0)
    yield KernelCase("relu", size, lambda: [kernels.relu(x)], lambda: [np.maximum(x, 0)])
    yield KernelCase("relu backward", size, lambda: [kernels.relu_backward(dy, y)], lambda: [dy * (y > 0)])


def batch_norm(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """Batch norm in training, with running statistics"""
    rows, cols = x.shape
    weight, bias = rng.standard_normal(cols, np.float32), rng.standard_normal(cols, np.float32)
    mean_array, var_array = np.zeros(cols, np.float32), np.ones(cols, np.float32)
    statistics = by_hand.RunningStatistics(cols)
    _, mean, rstd = kernels.batch_norm(x, weight, bias, None, None, 0.1, 1e-5)
    xhat, root, _, _ = by_hand.standardize(x, 0)

    def forward() -> list[Array]:
        xhat, _, mean, var = by_hand.standardize(x, 0)
        statistics.update(mean, var, rows)
        return [xhat * weight + bias, statistics.mean, statistics.var]

    yield KernelCase(
        "batch norm",
        size,
        lambda: [kernels.batch_norm(x, weight, bias, mean_array, var_array, 0.1, 1e-5)[0], mean_array, var_array],
        forward,
    )
    yield KernelCase(
        "batch norm backward",
        size,
        lambda: kernels.batch_norm_backward(dy, x, weight, mean, rstd, True, True, True, True),
        lambda: by_hand.norm_backward(dy, xhat, root, weight, 0),
    )


def layer_norm(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """Layer norm over the rows"""
    cols = x.shape[1]
    weight, bias = rng.standard_normal(cols, np.float32), rng.standard_normal(cols, np.float32)
    _, mean, rstd = kernels.layer_norm(x, weight, bias, 1e-5)
    xhat, root, _, _ = by_hand.standardize(x, 1)
    yield KernelCase(
        "layer norm",
        size,
        lambda: [kernels.layer_norm(x, weight, bias, 1e-5)[0]],
        lambda: [by_hand.standardize(x, 1)[0] * weight + bias],
    )
    yield KernelCase(
        "layer norm backward",
        size,
        lambda: list(kernels.layer_norm_backward(dy, x, weight, mean, rstd, True, True)),
        lambda: by_hand.norm_backward(dy, xhat, root, weight, 1),
    )


def dropout(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """x·mask/(1 − p); NumPy keeps mask/(1 − p), cygrad the mask"""
    draws, calls = kernels.dropout_draws(x), count()
    scale = np.float32(1 / (1 - DROPOUT))

    def check(*results: Array) -> None:
        for y in results:
            kept = y != 0
            sigma = math.sqrt(DROPOUT * (1 - DROPOUT) / y.size)
            assert abs(kept.mean() - (1 - DROPOUT)) < 5 * sigma, "dropout: wrong rate"
            np.testing.assert_allclose(y[kept], (x * scale)[kept], rtol=1e-5)

    yield KernelCase(
        "dropout",
        size,
        lambda: [kernels.dropout(x, DROPOUT, 0, draws * next(calls))[0]],
        lambda: [x * ((rng.random(x.shape, np.float32) >= DROPOUT) * scale)],
        check,
    )
    _, mask = kernels.dropout(x, DROPOUT, 0, 0)
    assert mask is not None
    scaled_mask = mask * scale
    yield KernelCase(
        "dropout backward",
        size,
        lambda: [kernels.dropout_backward(dy, mask, DROPOUT)],
        lambda: [dy * scaled_mask],
    )


def cross_entropy(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """The mean of −log softmax(x)[t], and (softmax(x) − onehot(t))/n"""
    rows, cols = x.shape
    target, every, one = rng.integers(0, cols, rows), np.arange(rows), np.ones(1, np.float32)
    _, lse, classes, total = kernels.cross_entropy(x, target, None, -100, 0.0, 1)
    logs = by_hand.log_softmax(x)
    yield KernelCase(
        "cross entropy",
        size,
        lambda: [kernels.cross_entropy(x, target, None, -100, 0.0, 1)[0]],
        lambda: [-by_hand.log_softmax(x)[every, target].mean()],
    )
    yield KernelCase(
        "cross entropy backward",
        size,
        lambda: [kernels.cross_entropy_backward(one, x, classes, None, lse, total, 0.0, 1)],
        lambda: [by_hand.cross_entropy_backward(logs, target)],
    )


def parameters(rng: np.random.Generator, x: Array) -> list[Array]:
    """Arrays shaped like a layer's and its norm's, the weight like x."""
    shapes: list[tuple[int, ...]] = [x.shape, x.shape[:1], x.shape[:1], x.shape[:1]]
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


def clip(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """Clipping by norm, of gradients that are too long"""
    ours = parameters(rng, x)
    theirs = [g.copy() for g in ours]
    norm = math.sqrt(sum(float((g * g).sum()) for g in ours))
    our_bound, numpy_bound = falling(norm, 0.99999), falling(norm, 0.99999)

    def our_side() -> list[Array]:
        kernels.clip_grad_norm(ours, our_bound(), 2.0)
        return ours

    def numpy_side() -> list[Array]:
        by_hand.clip_grad_norm(theirs, numpy_bound())
        return theirs

    yield KernelCase("clip by norm", size, our_side, numpy_side)


def adamw(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """One step of AdamW"""
    gradients, params = parameters(rng, x), parameters(rng, x)
    theirs = [p.copy() for p in params]
    moments, squares = ([np.zeros_like(g) for g in gradients] for _ in range(2))
    optimizer, steps = by_hand.Optimizer("AdamW", theirs, 1e-3), count(1)

    def our_side() -> list[Array]:
        kernels.adam(params, gradients, moments, squares, None, next(steps), 1e-3, 0.9, 0.999, 1e-8, 0.01, True, False)
        return params

    def numpy_side() -> list[Array]:
        optimizer.step(gradients)
        return theirs

    yield KernelCase("adamw", size, our_side, numpy_side)


def whole_step(rng: np.random.Generator, x: Array, dy: Array, size: str) -> Iterator[KernelCase]:
    """One step of an MLP cols-256-10 with batch norm and ReLU: forward, loss, backward, clipping, AdamW"""
    rows, cols = x.shape
    hidden, classes = 256, 10
    manual_seed(0)
    layers = [nn.Linear(cols, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes)]
    model = nn.Sequential(*layers)
    optimizer = optim.AdamW(model.parameters(), lr=STEP_RATE, weight_decay=0.01)
    target = rng.integers(0, classes, rows)
    inputs, labels = Tensor(x), Tensor(target)
    params = [p.array.copy() for p in model.parameters()]
    network = by_hand.Network(params, norm=True)
    update = by_hand.Optimizer("AdamW", params, STEP_RATE)

    def our_side() -> list[Array]:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return [loss.array]

    def numpy_side() -> list[Array]:
        loss, gradient = by_hand.LOSSES["cross_entropy"](network.forward(x), target)
        gradients = network.backward(gradient)
        by_hand.clip_grad_norm(gradients, 1.0)
        update.step(gradients)
        return [np.asarray(loss)]

    yield KernelCase("whole step", size, our_side, numpy_side)


Builder = Callable[[np.random.Generator, Array, Array, str], Iterator[KernelCase]]
KERNELS: dict[tuple[str, ...], Builder] = {
    ("linear", "linear backward"): linear,
    ("relu", "relu backward"): relu,
    ("batch norm", "batch norm backward"): batch_norm,
    ("layer norm", "layer norm backward"): layer_norm,
    ("dropout", "dropout backward"): dropout,
    ("cross entropy", "cross entropy backward"): cross_entropy,
    ("clip by norm",): clip,
    ("adamw",): adamw,
    ("whole step",): whole_step,
}
