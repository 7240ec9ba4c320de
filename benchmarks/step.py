"""One training step: Linear, BatchNorm1d, ReLU, Dropout 0.3 a hidden layer, Linear, cross entropy, clipping by norm
1.0, AdamW; and the same without batch norm, dropout and clipping, with Adam, which NumPy does in twenty lines."""

from __future__ import annotations

import argparse
import itertools

from peers import limit_threads, take_turns

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=15)
options = parser.parse_args()
limit_threads(options.threads)

import numpy as np  # noqa: E402

import cygrad as cg  # noqa: E402

try:
    import torch

    torch.set_num_threads(options.threads)
except ImportError:
    torch = None

SIZES = [((4, 64, 64, 2), 32), ((64, 128, 64, 10), 64), ((784, 256, 128, 10), 64), ((784, 512, 512, 10), 256)]


def model(nn, sizes, full):
    """The same network in either library."""
    layers = []
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if full:
            layers[-1:] = [nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


def library_step(library, sizes, batch, full, **fused):
    """A step in PyTorch's words, which are cygrad's."""
    net = model(library.nn, sizes, full)
    params = list(net.parameters())
    optimizer = (library.optim.AdamW if full else library.optim.Adam)(params, lr=1e-3, **fused)
    loss_of = library.nn.CrossEntropyLoss()
    rng = np.random.default_rng(0)
    x = library.from_numpy(rng.standard_normal((batch, sizes[0]), dtype=np.float32))
    y = library.from_numpy(rng.integers(0, sizes[-1], batch))

    def step():
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        if full:
            library.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()

    return step


def numpy_step(sizes, batch, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """The same by hand, without batch norm, dropout and clipping."""
    rng = np.random.default_rng(0)
    layers = range(len(sizes) - 1)
    weights = [
        (rng.standard_normal((sizes[i + 1], sizes[i])) * np.sqrt(2 / sizes[i])).astype(np.float32) for i in layers
    ]
    params = weights + [np.zeros(n, np.float32) for n in sizes[1:]]
    biases = params[len(weights) :]
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    x = rng.standard_normal((batch, sizes[0]), dtype=np.float32)
    y, rows, steps = rng.integers(0, sizes[-1], batch), np.arange(batch), 0

    def step():
        nonlocal steps
        steps += 1
        inputs = [x]
        for i in layers:
            z = inputs[-1] @ weights[i].T + biases[i]
            inputs.append(np.maximum(z, 0) if i < layers[-1] else z)
        z = inputs.pop()
        z -= z.max(1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(1, keepdims=True)
        loss = -np.log(p[rows, y]).mean()
        p[rows, y] -= 1
        d = p / batch
        dw, db = [None] * len(weights), [None] * len(weights)
        for i in reversed(layers):
            dw[i], db[i] = d.T @ inputs[i], d.sum(0)
            if i:
                d = (d @ weights[i]) * (inputs[i] > 0)
        rate, root = lr / (1 - beta1**steps), 1 / np.sqrt(1 - beta2**steps)
        for p, g, mean, square in zip(params, dw + db, m, v):
            mean += (1 - beta1) * (g - mean)
            square += (1 - beta2) * (g * g - square)
            p -= rate * mean / (np.sqrt(square) * root + eps)
        return loss

    return step


def main():
    print(f"microseconds a step, {options.threads} thread(s); {cg.show_config()}")
    for full in (True, False):
        print("\nwith batch norm, dropout, clipping, AdamW" if full else "\nwithout them, Adam")
        for sizes, batch in SIZES:
            steps = {"cygrad": library_step(cg, sizes, batch, full)}
            if torch is not None:
                steps["PyTorch"] = library_step(torch, sizes, batch, full, fused=True)
            if not full:
                steps["NumPy"] = numpy_step(sizes, batch)
            times = take_turns(steps, options.rounds, 0.05)
            name = "-".join(map(str, sizes)) + f" @ {batch}"
            cells = [
                f"{peer} {t * 1e6:9.1f} (1/{t / times['cygrad']:.2f})" for peer, t in times.items() if peer != "cygrad"
            ]
            print(f"{name:22} cygrad {times['cygrad'] * 1e6:9.1f}   " + "   ".join(cells))


if __name__ == "__main__":
    main()
