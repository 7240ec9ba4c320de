"""JAX: each case is one jitted function with donated state, dispatched synchronously."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.agreement import STEPS
from benchmarks.cases import AdamW, Case, ClipGradNorm, Inference, Kernel, Matmul, OpCall, TrainingStep
from benchmarks.inputs import DROPOUT, Arrays, falling, inputs, learning_rate, network_names
from benchmarks.peers import Work

__all__ = ["jit"]

EPS = 1e-5
Tree = Any


class Jax:
    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "numpy": np.__version__}

    def build(self, case: Case, check: bool) -> Work | None:
        arrays = inputs(case)
        match case:
            case Matmul():
                return matmul(case, arrays)
            case OpCall("dropout"):
                return dropout(arrays)
            case OpCall():
                return op(case, arrays)
            case ClipGradNorm():
                return clip_grad_norm(case, arrays)
            case AdamW():
                return adamw(case, arrays)
            case TrainingStep():
                return step(case, arrays, check)
            case Inference():
                return inference(case, arrays)
            case Kernel():
                return None


def jit() -> Jax:
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # a queue only costs time if every call is waited for
    return Jax()


def to_numpy(tree: Tree) -> Tree:
    return jax.tree.map(np.asarray, tree)


def copied(tree: Tree) -> Tree:
    """Arrays that JAX may overwrite."""
    return jax.tree.map(partial(jnp.array, copy=True), tree)


def matmul(case: Matmul, arrays: Arrays) -> Work:
    turned = [letter == "t" for letter in case.transposed]
    a, b = (jnp.asarray(arrays[name].T if t else arrays[name]) for name, t in zip("ab", turned))
    product = jax.jit(lambda a, b: (a.T if turned[0] else a) @ (b.T if turned[1] else b))
    return Work(lambda: product(a, b).block_until_ready(), lambda: {"c": np.asarray(product(a, b))})


def batch_norm(x: Tree, weight: Tree, bias: Tree) -> tuple[Tree, Tree]:
    """The result, and the batch's mean and unbiased variance for the running statistics."""
    mean, var = x.mean(0), x.var(0)
    return (x - mean) * jax.lax.rsqrt(var + EPS) * weight + bias, (mean, var * (len(x) / (len(x) - 1)))


def running(statistics: Tree, batch: Tree) -> Tree:
    return jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, statistics, batch)


def layer_norm(x: Tree, weight: Tree, bias: Tree) -> Tree:
    mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + EPS) * weight + bias


FORWARD: dict[str, Callable[..., Any]] = {
    "relu": jax.nn.relu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "softmax": jax.nn.softmax,
    "layer_norm": layer_norm,
    "batch_norm": batch_norm,
}


def op(case: OpCall, arrays: Arrays) -> Work:
    forward, with_statistics = FORWARD[case.op], case.op == "batch_norm"
    names = ("x", "weight", "bias") if case.op.endswith("norm") else ("x",)
    leaves, dy = [jnp.asarray(arrays[name]) for name in names], jnp.asarray(arrays["dy"])

    def compute(leaves: Tree, dy: Tree, statistics: Tree) -> tuple[Tree, Tree, Tree]:
        y, pullback, *batch = jax.vjp(forward, *leaves, has_aux=with_statistics)
        return y, pullback(dy), running(statistics, batch[0]) if batch else ()

    both = jax.jit(compute)
    statistics = copied((np.zeros(case.columns, np.float32), np.ones(case.columns, np.float32)))

    def call() -> tuple[Tree, Tree]:
        nonlocal statistics
        y, gradients, statistics = jax.block_until_ready(both(leaves, dy, statistics))
        return y, gradients

    def results() -> Arrays:
        y, gradients = to_numpy(call())
        numbers = dict(zip(("mean", "var"), to_numpy(statistics)))
        return {"y": y, **{f"d{name}": g for name, g in zip(names, gradients)}, **numbers}

    return Work(call, results)


def drop(x: Tree, p: float, key: Tree) -> Tree:
    return jnp.where(jax.random.bernoulli(key, 1 - p, x.shape), x / (1 - p), 0)


def dropout(arrays: Arrays) -> Work:
    x, dy = jnp.asarray(arrays["x"]), jnp.asarray(arrays["dy"])

    def compute(x: Tree, dy: Tree, key: Tree) -> tuple[Tree, Tree, Tree]:
        key, now = jax.random.split(key)
        y, pullback = jax.vjp(lambda x: drop(x, DROPOUT, now), x)
        return y, pullback(dy)[0], key

    both, key = jax.jit(compute), jax.random.key(0)

    def call() -> tuple[Tree, Tree]:
        nonlocal key
        y, dx, key = jax.block_until_ready(both(x, dy, key))
        return y, dx

    return Work(call, lambda: dict(zip(("y", "dx"), to_numpy(call()))))


def clipped(gradients: Tree, bound: Tree) -> tuple[Tree, Tree]:
    norm = jnp.sqrt(sum([jnp.vdot(g, g) for g in jax.tree.leaves(gradients)]))
    factor = jnp.minimum(1.0, bound / (norm + 1e-6))
    return jax.tree.map(lambda g: g * factor, gradients), norm


def clip_grad_norm(case: ClipGradNorm, arrays: Arrays) -> Work:
    gradients = copied([arrays[f"gradient{i}"] for i in range(case.count)])
    clip = jax.jit(clipped, donate_argnums=0)
    bound = falling(float(np.sqrt(case.count * case.side**2)))

    def call(max_norm: float) -> Tree:
        nonlocal gradients
        gradients, norm = jax.block_until_ready(clip(gradients, max_norm))
        return norm

    def results() -> Arrays:
        return {"norm": np.asarray(call(1.0)), **{f"clipped{i}": np.asarray(g) for i, g in enumerate(gradients)}}

    return Work(lambda: call(bound()), results)


def updated(kind: str, params: Tree, gradients: Tree, moments: Tree, t: Tree, lr: float) -> tuple[Tree, Tree]:
    """Parameters and moments after step t of an optimizer with PyTorch's defaults."""
    if kind == "SGD":
        return jax.tree.map(lambda p, g: p - lr * g, params, gradients), moments
    decay = 0.01 if kind == "AdamW" else 0.0
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradients)
    square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], gradients)
    first, root = 1 - 0.9**t, jnp.sqrt(1 - 0.999**t)

    def update(p: Tree, m: Tree, v: Tree) -> Tree:
        return p * (1 - lr * decay) - (lr / first) * m / (jnp.sqrt(v) / root + 1e-8)

    return jax.tree.map(update, params, mean, square), (mean, square)


def zeros_like(params: Tree) -> Tree:
    return jax.tree.map(jnp.zeros_like, params)


def adamw(case: AdamW, arrays: Arrays) -> Work:
    gradients = copied([arrays[f"gradient{i}"] for i in range(case.count)])
    params = copied([arrays[f"parameter{i}"] for i in range(case.count)])

    @partial(jax.jit, donate_argnums=(0, 2))
    def update(params: Tree, gradients: Tree, moments: Tree, t: Tree) -> tuple[Tree, Tree, Tree]:
        return *updated("AdamW", params, gradients, moments, t, 1e-3), t + 1

    moments, t = (zeros_like(params), zeros_like(params)), jnp.float32(1)

    def call() -> None:
        nonlocal params, moments, t
        params, moments, t = jax.block_until_ready(update(params, gradients, moments, t))

    def results() -> Arrays:
        for _ in range(STEPS):
            call()
        return {f"parameter{i}": np.asarray(p) for i, p in enumerate(params)}

    return Work(call, results)


def apply(
    case: TrainingStep | Inference, params: Tree, x: Tree, dropout: float = 0.0, key: Tree = None
) -> tuple[Tree, Tree]:
    """The network's output, and each batch norm's statistics."""
    last, batches = len(case.sizes) - 2, []
    for i in range(last):
        x = x @ params[f"weight{i}"].T + params[f"bias{i}"]
        if case.norm:
            x, batch = batch_norm(x, params[f"scale{i}"], params[f"shift{i}"])
            batches.append(batch)
        x = jax.nn.relu(x)
        if dropout:
            x = drop(x, dropout, jax.random.fold_in(key, i))
    return x @ params[f"weight{last}"].T + params[f"bias{last}"], batches


def cross_entropy(scores: Tree, classes: Tree) -> Tree:
    return -jnp.take_along_axis(jax.nn.log_softmax(scores), classes[:, None], 1).mean()


def huber_loss(y: Tree, target: Tree) -> Tree:
    error = jnp.abs(y - target)
    return jnp.where(error < 1, 0.5 * error * error, error - 0.5).mean()


def mse_loss(y: Tree, target: Tree) -> Tree:
    return jnp.square(y - target).mean()


LOSSES = {"cross_entropy": cross_entropy, "huber_loss": huber_loss, "mse_loss": mse_loss}


def step(case: TrainingStep, arrays: Arrays, check: bool) -> Work:
    dropout, loss_function, lr = 0.0 if check else case.dropout, LOSSES[case.loss], learning_rate(check)

    def loss_of(params: Tree, x: Tree, y: Tree, key: Tree) -> tuple[Tree, Tree]:
        scores, batches = apply(case, params, x, dropout, key)
        return loss_function(scores, y), batches

    @partial(jax.jit, donate_argnums=0)
    def take_step(state: Tree, x: Tree, y: Tree) -> tuple[Tree, Tree]:
        key, now = jax.random.split(state["key"]) if dropout else (state["key"], None)
        (loss, batches), gradients = jax.value_and_grad(loss_of, has_aux=True)(state["params"], x, y, now)
        if case.clip is not None:
            gradients, _ = clipped(gradients, case.clip)
        params, moments = updated(case.optimizer, state["params"], gradients, state["moments"], state["t"], lr)
        statistics = running(state["statistics"], batches)
        return loss, {"params": params, "moments": moments, "statistics": statistics, "t": state["t"] + 1, "key": key}

    params = copied({name: arrays[name] for name in network_names(case)})
    hidden = case.sizes[1:-1] if case.norm else ()
    state = {
        "params": params,
        "moments": () if case.optimizer == "SGD" else (zeros_like(params), zeros_like(params)),
        "statistics": [(jnp.zeros(n), jnp.ones(n)) for n in hidden],
        "t": jnp.float32(1),
        "key": jax.random.key(0),
    }
    x, y = jnp.asarray(arrays["x"]), jnp.asarray(arrays["y"])

    def call() -> Tree:
        nonlocal state
        loss, state = take_step(state, x, y)
        return loss.block_until_ready()

    def results() -> Arrays:
        losses = np.array([float(call()) for _ in range(STEPS)])
        return {"losses": losses, **to_numpy(state["params"])}

    return Work(call, results)


def inference(case: Inference, arrays: Arrays) -> Work:
    params = copied({name: arrays[name] for name in network_names(case)})
    predict, x = jax.jit(lambda params, x: apply(case, params, x)[0]), jnp.asarray(arrays["x"])
    return Work(lambda: predict(params, x).block_until_ready(), lambda: {"y": np.asarray(predict(params, x))})
