"""Eight small models trained in parallel by ``cg.parallel_map``, sequentially, and by a Python loop over the same
compiled steps, in interleaved runs. Every training creates its model, records its step, and runs its epochs."""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

from cygrad.bench.timing import limit_threads

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--models", type=int, default=8)
parser.add_argument("--steps", type=int, default=20000, help="steps of each training")
options = parser.parse_args()
limit_threads(options.threads)

import cygrad as cg  # noqa: E402
from cygrad import nn  # noqa: E402

CASES = [((4, 64, 64, 2), 32), ((64, 128, 64, 10), 64), ((784, 256, 128, 10), 64)]
BATCHES = 50  # per epoch


def layers(sizes: tuple[int, ...]) -> list[nn.Module]:
    """Linear, BatchNorm1d, ReLU and Dropout for each hidden layer, and Linear."""
    hidden: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        hidden += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.3)]
    return [*hidden, nn.Linear(sizes[-2], sizes[-1])]


def fit(seed: int, sizes: tuple[int, ...], size: int, x: cg.Tensor, y: cg.Tensor, in_python: bool) -> float:
    """The mean loss of the last epoch."""
    cg.manual_seed(seed)
    model = nn.Sequential(*layers(sizes))
    optimizer = cg.optim.AdamW(model.parameters(), lr=1e-3)

    @cg.compile
    def step(inputs: cg.Tensor, targets: cg.Tensor) -> cg.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    for _ in range(max(1, options.steps * 32 // (BATCHES * max(sizes)))):
        order = cg.randperm(len(y))
        if in_python:
            losses = cg.stack([step(x[rows], y[rows]) for rows in order.split(size)])
        else:
            losses = step.epoch(x, y, batch_size=size, order=order)
    return float(losses.mean().item())


def main() -> None:
    print(f"{options.models} models, {cg.show_config()}; medians of {options.rounds} rounds\n")
    print("| model | parallel | sequential | ratio | loop in Python | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for sizes, size in CASES:
        x, y = cg.randn(BATCHES * size, sizes[0]), cg.randint(sizes[-1], (BATCHES * size,))
        rows: list[list[float]] = []
        for _ in range(options.rounds):
            times, results = [], []
            for threads, in_python in (options.threads, False), (1, False), (1, True):
                begin = time.perf_counter()
                results.append(
                    cg.parallel_map(
                        lambda seed, in_python=in_python: fit(seed, sizes, size, x, y, in_python),  # noqa: B023
                        range(options.models),
                        threads=threads,
                    )
                )
                times.append(time.perf_counter() - begin)
            assert results[0] == results[1] == results[2], "the results differ"
            rows.append(times)
        beside, after, python = (statistics.median(column) for column in zip(*rows))
        gain, other = (statistics.median(row[i] / row[i - 1] for row in rows) for i in (1, 2))
        name = "-".join(map(str, sizes))
        cells = f"{name}@{size}", f"{beside:.2f} s", f"{after:.2f} s", f"{gain:.2f}", f"{python:.2f} s", f"{other:.2f}"
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
