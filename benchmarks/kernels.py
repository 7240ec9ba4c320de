"""Each kernel, forward and backward, against NumPy doing the same; dropout against PyTorch too. Results are checked
equal first."""

from __future__ import annotations

import argparse

from peers import limit_threads, take_turns

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=15)
options = parser.parse_args()
limit_threads(options.threads)

import numpy as np  # noqa: E402

import cygrad as cg  # noqa: E402
from cygrad import _kernels as kernels  # noqa: E402

try:
    import torch

    torch.set_num_threads(options.threads)
except ImportError:
    torch = None

EPS = np.float32(1e-5)


def numpy_batch_norm(x, w, b, running_mean, running_var):
    mean, var = x.mean(0), x.var(0)
    running_mean += np.float32(0.1) * (mean - running_mean)
    running_var += np.float32(0.1) * (var * np.float32(len(x) / (len(x) - 1)) - running_var)
    rstd = 1 / np.sqrt(var + EPS)
    xhat = (x - mean) * rstd
    return xhat * w + b, xhat, rstd


def numpy_batch_norm_backward(dy, xhat, w, rstd):
    db, dw = dy.sum(0), (dy * xhat).sum(0)
    return w * rstd * (dy - (db + xhat * dw) / np.float32(len(dy))), dw, db


def numpy_layer_norm(x, w, b):
    mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    rstd = 1 / np.sqrt(var + EPS)
    xhat = (x - mean) * rstd
    return xhat * w + b, xhat, rstd


def numpy_layer_norm_backward(dy, xhat, w, rstd):
    g = dy * w
    dx = rstd * (g - g.mean(1, keepdims=True) - xhat * (g * xhat).mean(1, keepdims=True))
    return dx, (dy * xhat).sum(0), dy.sum(0)


def numpy_clip(gradients, max_norm):
    norm = np.sqrt(sum([np.vdot(g, g) for g in gradients]))
    if (factor := max_norm / (norm + 1e-6)) < 1:
        for g in gradients:
            g *= np.float32(factor)
    return norm


def cases(rows, cols):
    """name -> (cygrad, NumPy): functions of nothing that return arrays."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, rows, cols), dtype=np.float32)
    w, b = rng.standard_normal((2, cols), dtype=np.float32)
    weight = rng.standard_normal((cols, cols), dtype=np.float32) / np.float32(cols**0.5)
    running = [np.zeros(cols, np.float32), np.ones(cols, np.float32)]
    generator = np.random.default_rng(1)

    _, mean, rstd = kernels.batch_norm(x, w, b, None, None, 0.1, 1e-5)
    _, xhat, np_rstd = numpy_batch_norm(x, w, b, *running)
    _, ln_mean, ln_rstd = kernels.layer_norm(x, w, b, 1e-5)
    _, ln_xhat, np_ln_rstd = numpy_layer_norm(x, w, b)
    relu = kernels.relu(x)
    keep = np.float32(1 / 0.7)
    shared = [x.copy(), w.copy()]
    limits = {"max_norm": 1e3}

    def falling():
        """A limit that is always a little below the norm: every call has to scale."""
        limits["max_norm"] *= 0.9999
        return limits["max_norm"]

    yield "relu", lambda: kernels.relu(x), lambda: np.maximum(x, 0)
    yield "relu backward", lambda: kernels.relu_backward(dy, relu), lambda: dy * (relu > 0)
    yield (
        "batch_norm", lambda: kernels.batch_norm(x, w, b, *running, 0.1, 1e-5)[0],
        lambda: numpy_batch_norm(x, w, b, *running)[0],
    )  # fmt: skip
    yield (
        "batch_norm backward",
        lambda: kernels.batch_norm_backward(dy, x, w, mean, rstd, True, True, True, True),
        lambda: numpy_batch_norm_backward(dy, xhat, w, np_rstd),
    )
    yield "layer_norm", lambda: kernels.layer_norm(x, w, b, 1e-5)[0], lambda: numpy_layer_norm(x, w, b)[0]
    yield (
        "layer_norm backward",
        lambda: kernels.layer_norm_backward(dy, x, w, ln_mean, ln_rstd, True, True)[0],
        lambda: numpy_layer_norm_backward(dy, ln_xhat, w, np_ln_rstd)[0],
    )
    yield (
        "dropout", lambda: kernels.dropout(x, 0.3, 1, 0)[0],
        lambda: x * ((generator.random(x.shape, np.float32) >= 0.3) * keep),
    )  # fmt: skip
    mask = (generator.random(x.shape, np.float32) >= 0.3) * keep
    own_mask = kernels.dropout(x, 0.3, 1, 0)[1]
    yield "dropout backward", lambda: kernels.dropout_backward(dy, own_mask, 0.3), lambda: dy * mask
    yield (
        "clip_grad_norm", lambda: kernels.clip_grad_norm(shared, falling()), lambda: numpy_clip(shared, falling())
    )  # fmt: skip
    yield "linear", lambda: kernels.linear(x, weight, b), lambda: x @ weight.T + b
    yield (
        "linear backward", lambda: kernels.linear_backward(dy, x, weight, True, True, True),
        lambda: (dy @ weight, dy.T @ x, dy.sum(0)),
    )  # fmt: skip


def check_equal(name, ours, theirs):
    if name.startswith("dropout"):
        rates = [np.mean(np.asarray(v) == 0) for v in (ours, theirs)]
        np.testing.assert_allclose(rates, 0.3, atol=0.02, err_msg=name)
        return
    for a, b in zip(ours if isinstance(ours, tuple) else [ours], theirs if isinstance(theirs, tuple) else [theirs]):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-3, err_msg=name)


def main():
    print(f"microseconds, {options.threads} thread(s); {cg.show_config()}")
    for rows, cols in ((64, 256), (512, 2048)):
        print(f"\n({rows}, {cols}) float32")
        for name, ours, theirs in cases(rows, cols):
            if name != "clip_grad_norm":
                check_equal(name, ours(), theirs())
            functions = {"cygrad": ours, "NumPy": theirs}
            if name == "dropout" and torch is not None:
                x = torch.randn(rows, cols)
                functions["PyTorch"] = lambda x=x: torch.nn.functional.dropout(x, 0.3)
            times = take_turns(functions, options.rounds)
            cells = [f"{n} {t * 1e6:9.1f} (1/{t / times['cygrad']:.2f})" for n, t in times.items() if n != "cygrad"]
            print(f"{name:20} cygrad {times['cygrad'] * 1e6:9.1f}   " + "   ".join(cells))


if __name__ == "__main__":
    main()
