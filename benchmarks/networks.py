"""Compares whole training steps of convolutional, recurrent and attention networks with PyTorch's: the time, in
interleaved runs, or the memory that a step needs beyond its data and parameters.

    python benchmarks/networks.py --threads 2 --only LSTM
    python benchmarks/networks.py --memory
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any

from cygrad.bench.timing import limit_threads

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--only", default="", help="run only networks whose name contains this")
parser.add_argument("--memory", action="store_true", help="print the peak memory of a step, in a process of its own")
parser.add_argument("--library", choices=["cygrad", "torch"], help="with --memory: this library, in this process")
options = parser.parse_args()
limit_threads(options.threads)

Step = Callable[[], Any]
PAUSE = 0.03  # seconds


class Networks:
    """The networks, each with its batch, written once for both libraries."""

    def __init__(self, library: Any) -> None:
        self.library, self.nn, self.F = library, library.nn, library.nn.functional
        library.manual_seed(0)

    def images(self, batch: int, *shape: int, classes: int = 10) -> tuple[Any, Any]:
        return self.library.randn(batch, *shape), self.library.randint(0, classes, (batch,))

    def sequential(self, layers: list[Any]) -> Any:
        return self.nn.Sequential(*layers)

    def wrapped(self, forward: Callable[[Any, Any], Any], **children: Any) -> Any:
        """A module of these children, whose forward is forward(module, x)."""
        module = self.nn.Module()
        for name, child in children.items():
            setattr(module, name, child)
        module.forward = partial(forward, module)
        return module

    def classify(self, model: Any, x: Any, y: Any) -> tuple[Any, Step]:
        return model, lambda: self.F.cross_entropy(model(x), y)

    def lenet(self, side: int = 28, kernel: int = 5, channels: tuple[int, int] = (6, 16)) -> tuple[Any, Step]:
        nn, (a, b) = self.nn, channels
        left = ((side // 2) - kernel + 1) // 2
        model = self.sequential([
            nn.Conv2d(1, a, kernel, padding=kernel // 2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(a, b, kernel), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(b * left**2, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        ])  # fmt: skip
        return self.classify(model, *self.images(64, 1, side, side))

    def mnist(self) -> tuple[Any, Step]:
        nn = self.nn
        model = self.sequential([
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
            nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
        ])  # fmt: skip
        return self.classify(model, *self.images(64, 1, 28, 28))

    def residual(self, before: int, after: int, stride: int) -> Any:
        """ReLU(norm(conv(ReLU(norm(conv(x))))) + skip(x))."""
        nn = self.nn
        block = self.sequential([
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after),
        ])  # fmt: skip
        skip = nn.Identity()
        if stride > 1 or before != after:
            skip = self.sequential([nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)])
        return self.wrapped(lambda own, x: self.F.relu(own.block(x) + own.skip(x)), block=block, skip=skip)

    def resnet(
        self, blocks: int, batch: int, widths: tuple[int, ...] = (16, 32, 64), shape: tuple[int, int] = (32, 32)
    ) -> tuple[Any, Step]:
        nn = self.nn
        layers = [nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        before = widths[0]
        for stage, width in enumerate(widths):
            for number in range(blocks):
                layers.append(self.residual(before, width, 2 if stage and not number else 1))
                before = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10)]
        return self.classify(self.sequential(layers), *self.images(batch, 3, *shape))

    def separable(self, widths: tuple[int, ...] = (32, 64, 128, 128, 256, 256), kernel: int = 3) -> tuple[Any, Step]:
        nn = self.nn
        layers = [nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for number, (a, b) in enumerate(pairwise(widths)):
            layers += [
                nn.Conv2d(a, a, kernel, 2 if number % 2 else 1, kernel // 2, groups=a, bias=False), nn.BatchNorm2d(a),
                nn.ReLU(), nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
            ]  # fmt: skip
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)]
        return self.classify(self.sequential(layers), *self.images(64, 3, 32, 32))

    def convnet(self, widths: tuple[int, ...], kernel: int, shape: tuple[int, int], batch: int) -> tuple[Any, Step]:
        nn, layers, before = self.nn, [], 3
        for width in widths:
            layers += [nn.Conv2d(before, width, kernel, padding=kernel // 2), nn.BatchNorm2d(width), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
            before = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10)]
        return self.classify(self.sequential(layers), *self.images(batch, 3, *shape))

    def tcn(self, features: int, widths: list[int], length: int, batch: int, kernel: int = 3) -> tuple[Any, Step]:
        nn, F, blocks, before = self.nn, self.F, [], features
        for level, width in enumerate(widths):
            padding = (kernel - 1) * 2**level
            skip = nn.Identity() if before == width else nn.Conv1d(before, width, 1)
            block = lambda own, x, p=padding: F.relu(own.conv(F.pad(x, (p, 0)))) + own.skip(x)  # noqa: E731
            blocks.append(self.wrapped(block, conv=nn.Conv1d(before, width, kernel, dilation=2**level), skip=skip))
            before = width
        body, head = self.sequential(blocks), nn.Linear(before, 1)
        model = self.wrapped(lambda own, x: own.head(own.body(x)[:, :, -1]), body=body, head=head)
        x, y = self.library.randn(batch, features, length), self.library.randn(batch, 1)
        return model, lambda: F.mse_loss(model(x), y)

    def recurrent(self, kind: str, features: int, size: int, steps: int, batch: int) -> tuple[Any, Step]:
        layer, head = getattr(self.nn, kind)(features, size, batch_first=True), self.nn.Linear(size, 1)
        model = self.wrapped(lambda own, x: own.head(own.layer(x)[0][:, -1]), layer=layer, head=head)
        x, y = self.library.randn(batch, steps, features), self.library.randn(batch, 1)
        return model, lambda: self.F.mse_loss(model(x), y)

    def attention(self, size: int, heads: int, wide: int, causal: bool) -> Any:
        """x + attention(norm(x)), then x + MLP(norm(x))."""
        nn, F = self.nn, self.F

        def block(own: Any, x: Any) -> Any:
            batch, steps, _ = x.shape
            q, k, v = own.qkv(own.norm(x)).reshape(batch, steps, 3, heads, size // heads).permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            x = x + own.out(mixed.transpose(1, 2).reshape(batch, steps, size))
            return x + own.mlp(own.norm2(x))

        mlp = self.sequential([nn.Linear(size, wide), nn.GELU(), nn.Linear(wide, size)])
        children = {"norm": nn.LayerNorm(size), "norm2": nn.LayerNorm(size), "mlp": mlp}
        return self.wrapped(block, qkv=nn.Linear(size, 3 * size), out=nn.Linear(size, size), **children)

    def characters(self, size: int = 128, heads: int = 4, steps: int = 64, batch: int = 12) -> tuple[Any, Step]:
        nn, cg = self.nn, self.library
        layers = [self.attention(size, heads, 4 * size, causal=True) for _ in range(4)]
        body = self.sequential([*layers, nn.LayerNorm(size)])
        tokens, known = nn.Embedding(65, size), nn.Embedding(steps, size)
        children = {"tokens": tokens, "places": known, "head": nn.Linear(size, 65)}
        places = cg.arange(steps)
        forward = lambda own, x: own.head(own.body(own.tokens(x) + own.places(places)))  # noqa: E731
        model = self.wrapped(forward, body=body, **children)
        x, y = cg.randint(0, 65, (batch, steps)), cg.randint(0, 65, (batch * steps,))
        return model, lambda: self.F.cross_entropy(model(x).reshape(-1, 65), y)

    def table(self, columns: int = 20, size: int = 64, batch: int = 256) -> tuple[Any, Step]:
        nn = self.nn
        layers = [self.attention(size, 4, 2 * size, causal=False) for _ in range(3)]
        body, head = self.sequential(layers), nn.Linear(size, 10)
        model = self.wrapped(lambda own, x: own.head(own.body(x).mean(1)), body=body, head=head)
        return self.classify(model, *self.images(batch, columns, size))


NETWORKS: dict[str, Callable[[Networks], tuple[Any, Step]]] = {
    "LeNet-5 @ 64": lambda n: n.lenet(),
    "MNIST convnet @ 64": lambda n: n.mnist(),
    "ResNet-8 @ 32": lambda n: n.resnet(1, 32),
    "depthwise-separable convnet @ 64": lambda n: n.separable(),
    "ResNet-20 @ 128": lambda n: n.resnet(3, 128),
    "TCN 5 × 32, 168 steps @ 64": lambda n: n.tcn(8, [32] * 5, 168, 64),
    "TCN 8 → 32 × 3, 96 steps @ 32": lambda n: n.tcn(8, [32] * 3, 96, 32),
    "LSTM 8 → 64, 48 steps @ 32": lambda n: n.recurrent("LSTM", 8, 64, 48, 32),
    "LSTM 64 → 256, 64 steps @ 64": lambda n: n.recurrent("LSTM", 64, 256, 64, 64),
    "LSTM 64 → 128, 96 steps @ 64": lambda n: n.recurrent("LSTM", 64, 128, 96, 64),
    "GRU 8 → 64, 48 steps @ 32": lambda n: n.recurrent("GRU", 8, 64, 48, 32),
    "RNN 8 → 64, 48 steps @ 32": lambda n: n.recurrent("RNN", 8, 64, 48, 32),
    "character transformer @ 12": lambda n: n.characters(),
    "table transformer @ 256": lambda n: n.table(),
    "LSTM 8 → 64, 24 steps @ 1": lambda n: n.recurrent("LSTM", 8, 64, 24, 1),
    "GRU 8 → 64, 24 steps @ 1": lambda n: n.recurrent("GRU", 8, 64, 24, 1),
    "odd LeNet of 29 × 29, 5 and 13 channels @ 64": lambda n: n.lenet(29, 5, (5, 13)),
    "odd convnet 5-13-37, 29 × 31, kernel 3 @ 32": lambda n: n.convnet((5, 13, 37), 3, (29, 31), 32),
    "odd convnet 5-13-37, 29 × 31, kernel 5 @ 32": lambda n: n.convnet((5, 13, 37), 5, (29, 31), 32),
    "odd convnet 13-37-37, 29 × 31, kernel 7 @ 7": lambda n: n.convnet((13, 37, 37), 7, (29, 31), 7),
    "odd convnet 13-37-37, 29 × 31, kernel 2 @ 17": lambda n: n.convnet((13, 37, 37), 2, (29, 31), 17),
    "odd ResNet-8 of 13, 37, 37 channels, 29 × 31 @ 17": lambda n: n.resnet(1, 17, (13, 37, 37), (29, 31)),
    "odd separable convnet of 13 to 37 channels, kernel 5 @ 64": lambda n: n.separable((13, 13, 37, 37, 37, 37), 5),
    "odd TCN 5 → 13 × 3, 17 steps @ 37": lambda n: n.tcn(5, [13] * 3, 17, 37),
    "odd TCN 5 → 37 × 4, 97 steps, kernel 2 @ 13": lambda n: n.tcn(5, [37] * 4, 97, 13, 2),
    "odd LSTM 5 → 37, 17 steps @ 13": lambda n: n.recurrent("LSTM", 5, 37, 17, 13),
    "odd GRU 13 → 101, 29 steps @ 7": lambda n: n.recurrent("GRU", 13, 101, 29, 7),
    "odd character transformer, 60 wide, 5 heads, 37 steps @ 7": lambda n: n.characters(60, 5, 37, 7),
}


def training_step(library: Any, name: str) -> Step:
    """One step of AdamW on the network's batch."""
    model, loss = NETWORKS[name](Networks(library))
    fast = {} if library.__name__ == "cygrad" else {"fused": True}
    optimizer = library.optim.AdamW(model.parameters(), lr=1e-5, **fast)

    def step() -> Any:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    return step


def steps_of(name: str) -> dict[str, Step]:
    import torch

    import cygrad as cg

    torch.set_num_threads(options.threads)
    cg.set_num_threads(options.threads)
    eager = training_step(cg, name)
    return {"PyTorch": training_step(torch, name), "cygrad": eager, "compiled": cg.compile(training_step(cg, name))}


def times(steps: dict[str, Step]) -> dict[str, float]:
    """Median milliseconds of each step, in turns of about 30 ms, each after a step that is not counted and a pause, in
    which the other library's threads fall asleep: PyTorch's wait for some milliseconds on a core."""
    turns: dict[str, int] = {}
    found: dict[str, list[float]] = {peer: [] for peer in steps}
    for peer, step in steps.items():
        for _ in range(3):
            step()
        begin = time.perf_counter()
        step()
        turns[peer] = max(1, round(0.03 / (time.perf_counter() - begin)))
    for _ in range(options.rounds):
        for peer, step in steps.items():
            time.sleep(PAUSE)
            step()
            begin = time.perf_counter()
            for _ in range(turns[peer]):
                step()
            found[peer].append((time.perf_counter() - begin) / turns[peer])
    return {peer: 1e3 * statistics.median(values) for peer, values in found.items()}


def status(key: str) -> float:
    """A line of /proc/self/status in MB (10⁶ bytes)."""
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key)) / 1e6


def memory_of(library: str, name: str) -> float:
    """The peak of the resident set over three steps above what it was before, in MB: activations, gradients, state.
    Linux alone tells it."""
    chosen = import_module(library)
    chosen.set_num_threads(options.threads)
    training_step(chosen, name)()  # what a library sets up once does not count
    gc.collect()
    if library == "cygrad":
        chosen.empty_cache()
    ctypes.CDLL(None).malloc_trim(0)
    step = training_step(chosen, name)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak
    before = status("VmRSS")
    for _ in range(3):
        step()
    return status("VmHWM") - before


def memory(name: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--memory", "--threads", str(options.threads), "--only", name, "--library"]
    return {peer: float(subprocess.check_output([*command, peer], text=True)) for peer in ("torch", "cygrad")}


def row(name: str) -> str:
    found = times(steps_of(name))
    cells = [f"{found[p]:.3g} (1/{found['PyTorch'] / found[p]:.2f})" for p in ("cygrad", "compiled")]
    return f"| {name} | {found['PyTorch']:.3g} | {' | '.join(cells)} |"


def row_of_process(name: str) -> str:
    """The row of a network in a process of its own, as people train it: in one that has trained larger networks, malloc
    keeps more memory, and PyTorch's recurrent layers take up to a third less time."""
    rounds = ["--threads", str(options.threads), "--rounds", str(options.rounds), "--only", name]
    return subprocess.check_output([sys.executable, __file__, *rounds], text=True).splitlines()[-1]


def main() -> None:
    names = [name for name in NETWORKS if options.only in name]
    if options.library:
        print(memory_of(options.library, options.only))
    elif options.memory:
        print("| network @ batch | PyTorch MB | cygrad MB | ratio |\n| --- | --- | --- | --- |")
        for name in names:
            peaks = memory(name)
            theirs, mine = peaks["torch"], peaks["cygrad"]
            print(f"| {name} | {theirs:.1f} | {mine:.1f} | {mine / theirs:.2f} |", flush=True)
    else:
        print("| network @ batch | PyTorch ms | cygrad | compiled |\n| --- | --- | --- | --- |")
        for name in names:
            print(row(name) if len(names) == 1 else row_of_process(name), flush=True)


if __name__ == "__main__":
    main()
