"""The two networks of docs/backpropagation.md: prints their values and gradients, and draws their graphs.

    python examples/backpropagation.py [FOLDER]

With a folder, the pictures are written there as one-path.svg and two-layers.svg.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cygrad as cg
from cygrad.autograd.drawing import Drawing
from cygrad.nn import functional as F


def one_path() -> Drawing:
    """f(x) = (x + w₁)·w₂ with L = ½(y − ŷ)²."""
    x = cg.tensor(1.0)
    w1 = cg.tensor(2.0, requires_grad=True)
    w2 = cg.tensor(0.5, requires_grad=True)
    y = cg.tensor(2.0)
    u = x + w1
    y_hat = u * w2
    loss = 0.5 * (y - y_hat) ** 2
    return loss.graph(names={"x": x, "w₁": w1, "w₂": w2, "y": y, "u": u, "ŷ": y_hat, "L": loss})


def two_layers() -> Drawing:
    """ŷ = W₂·max(W₁x + b₁, 0) + b₂ with L = ½(y − ŷ)²."""
    x = cg.tensor([1.0, 2.0])
    W1 = cg.tensor([[1.0, -1.0], [0.5, 1.0]], requires_grad=True)
    b1 = cg.tensor([0.0, 0.5], requires_grad=True)
    W2 = cg.tensor([2.0, 0.5], requires_grad=True)
    b2 = cg.tensor(0.25, requires_grad=True)
    y = cg.tensor(1.0)
    z = W1 @ x + b1
    h = F.relu(z)
    y_hat = W2 @ h + b2
    loss = 0.5 * (y - y_hat) ** 2
    inputs = {"x": x, "W₁": W1, "b₁": b1, "W₂": W2, "b₂": b2, "y": y}
    return loss.graph(names={**inputs, "z": z, "h": h, "ŷ": y_hat, "L": loss})


def main() -> None:
    parser = argparse.ArgumentParser(description="Two small networks, with every value and gradient.")
    parser.add_argument("folder", nargs="?", type=Path, help="where to write the pictures")
    folder = parser.parse_args().folder
    for name, drawing in {"one-path": one_path(), "two-layers": two_layers()}.items():
        print(f"{name}\n{drawing}\n")
        if folder is not None:
            drawing.save(folder / f"{name}.svg")


if __name__ == "__main__":
    main()
