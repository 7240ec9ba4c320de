"""Training steps of one process, of two ranks and of PyTorch's DistributedDataParallel, and a model of more ranks.

    python -m benchmarks.scale measure          # interleaved; writes runs/benchmarks/scale.json
    python -m benchmarks.scale plot             # the model for 1 to 64 ranks; writes docs/scale.svg

It needs mpi4py with an MPI and, to compare, PyTorch.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

RESULTS = Path("runs/benchmarks/scale.json")
PICTURE = Path("docs/scale.svg")
CASES = {"784-512-512-10@256": ((784, 512, 512, 10), 256), "784-2048-2048-10@512": ((784, 2048, 2048, 10), 512)}
VARIANTS = {  # name → what runs, processes, threads of each, logical shards
    "1 thread": ("cygrad", 1, 1, None),
    "1 thread, half the batch": ("half", 1, 1, None),
    "2 threads": ("cygrad", 1, 2, None),
    "2 ranks": ("cygrad", 2, 1, None),
    "PyTorch DDP (gloo), 2 ranks": ("torch", 2, 1, None),
    "1 process, 2 threads, 12 shards": ("cygrad", 1, 2, 12),
    "2 ranks, 12 shards": ("cygrad", 2, 1, 12),
}
ROUNDS, WARM_UP, STEPS = 3, 3, 12


# What each process runs


def cygrad_step(sizes: tuple[int, ...], rows: int, shards: int | None) -> Callable[[], object]:
    """A recorded step: Linear, BatchNorm1d, ReLU and Dropout for each hidden layer, cross entropy, clipping, AdamW."""
    import cygrad as cg
    import cygrad.distributed as dist
    from cygrad import nn
    from cygrad.nn.parallel import DistributedDataParallel

    dist.init_process_group()
    mine = rows // dist.get_world_size() if shards is None else rows
    cg.manual_seed(0)
    layers: list[nn.Module] = []
    for fan_in, width in pairwise(sizes[:-1]):
        norm = nn.BatchNorm1d if shards is None else nn.LayerNorm  # of which shards need not wait for each other
        layers += [nn.Linear(fan_in, width), norm(width), nn.ReLU(), nn.Dropout(0.3)]
    model = DistributedDataParallel(
        nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1])), deterministic_shards=shards
    )
    optimizer = cg.optim.AdamW(model.parameters(), lr=1e-3)
    x, y = cg.randn(mine, sizes[0]), cg.randint(sizes[-1], (mine,))

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(x), y)

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad()
        if shards is None:
            loss_of(x, y).backward()
        else:
            model.backward(loss_of, x, y)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    recorded = cg.compile(step)
    return lambda: recorded(x, y)


def torch_step(sizes: tuple[int, ...], rows: int) -> Callable[[], object]:
    """The same step in PyTorch, eager, with its fused AdamW."""
    import torch
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    mine = rows // torch.distributed.get_world_size()
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for fan_in, width in pairwise(sizes[:-1]):
        layers += [nn.Linear(fan_in, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3)]
    model = DistributedDataParallel(
        nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1])), gradient_as_bucket_view=True
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    x, y = torch.randn(mine, sizes[0]), torch.randint(sizes[-1], (mine,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def bandwidth() -> float:
    """Bytes of gradient that all ranks add up in a second."""
    import cygrad as cg
    import cygrad.distributed as dist

    dist.init_process_group()
    tensor, times = cg.zeros(6_000_000), []
    for _ in range(9):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(tensor)
        times.append(time.perf_counter() - start)
    return tensor.array.nbytes / median(times)


def worker(what: str, case: str, shards: str) -> None:
    """Time steps; rank 0 prints seconds."""
    sizes, rows = CASES[case]
    if what == "bandwidth":
        seconds = [bandwidth()]
    else:
        count = int(shards) if shards != "None" else None
        step = (
            torch_step(sizes, rows)
            if what == "torch"
            else cygrad_step(sizes, rows // (2 if what == "half" else 1), count)
        )
        seconds = []
        for number in range(WARM_UP + STEPS):
            start = time.perf_counter()
            step()
            if number >= WARM_UP:
                seconds.append(time.perf_counter() - start)
    if os.environ.get("RANK", os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0"))) == "0":
        print("seconds:", json.dumps(seconds), flush=True)


# Measuring


def run(what: str, processes: int, threads: int, case: str, shards: int | None) -> list[float]:
    """The seconds that rank 0 prints."""
    command = [sys.executable, "-m", "benchmarks.scale", "worker", what, case, str(shards)]
    environment = {**os.environ, "CYGRAD_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    if what == "torch":
        with socket.socket() as free:
            free.bind(("localhost", 0))
            meeting = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
        both = [
            subprocess.Popen(
                command,
                env={**environment, **meeting, "RANK": str(rank), "WORLD_SIZE": str(processes)},
                stdout=subprocess.PIPE, text=True,
            )
            for rank in range(processes)
        ]  # fmt: skip
        outputs = [process.communicate()[0] for process in both]
    else:
        mpiexec = ["mpiexec", "-n", str(processes)] if processes > 1 else []
        outputs = [subprocess.run([*mpiexec, *command], env=environment, capture_output=True, text=True).stdout]
    line = next(line for output in outputs for line in output.splitlines() if line.startswith("seconds:"))
    return list(json.loads(line.removeprefix("seconds:")))


def measure(cases: list[str], rounds: int) -> None:
    """Time all variants in turn, print medians and write them."""
    found: dict[str, dict[str, list[float]]] = {case: {name: [] for name in VARIANTS} for case in cases}
    for number in range(rounds):
        for case in cases:
            for name, (what, processes, threads, shards) in VARIANTS.items():
                found[case][name] += run(what, processes, threads, case, shards)
                print(
                    f"round {number + 1}, {case}, {name}: {1e3 * median(found[case][name]):.1f} ms",
                    flush=True,
                )
    rate = median([run("bandwidth", 2, 1, cases[0], None)[0] for _ in range(3)])
    medians = {case: {name: median(times) for name, times in of_case.items()} for case, of_case in found.items()}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"seconds": medians, "all_reduce_bytes_per_second": rate}, indent=1))
    for case, of_case in medians.items():
        print(f"\n{case}, ms a step (all_reduce between two ranks: {rate / 1e9:.1f} GB/s)")
        for name, seconds in of_case.items():
            print(f"  {name:32} {1e3 * seconds:8.1f}  {seconds / of_case['2 ranks']:.2f} × 2 ranks")


# The model


def step_seconds(alone: float, gradient: float, ranks: int, rate: float, delay: float = 50e-6) -> tuple[float, float]:
    """Seconds of a step of several machines of one rank each: without overlap, and with all of it.

    A ring adds up G bytes among N ranks in 2 (N − 1)/N · G / rate + 2 (N − 1) · delay: P. Patarasuk, X. Yuan (2009),
    "Bandwidth optimal all-reduce algorithms for clusters of workstations". The backward pass, 2/3 of a step, can hide
    as much of it.

    Args:
        alone: seconds of the step of one rank, with the rows that each rank has.
        gradient: bytes.
        ranks: N.
        rate: of the network, bytes a second.
        delay: seconds of a message of no length.
    """
    sent = 2 * (ranks - 1) / ranks * gradient / rate + 2 * (ranks - 1) * delay
    return alone + sent, alone + max(0.0, sent - alone * 2 / 3)


def plot() -> None:
    """Draw the speed of 1 to 64 ranks, each with the rows of half a batch, relative to one rank."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "cygrad"
    from matplotlib import pyplot as plt

    measured = json.loads(RESULTS.read_text())
    ranks = np.array([1, 2, 4, 8, 16, 32, 64])
    figure, axes = plt.subplots(1, len(CASES), figsize=(9, 4), sharey=True, layout="constrained")
    for axis, (case, (sizes, rows)) in zip(axes, CASES.items()):
        alone = measured["seconds"][case]["1 thread, half the batch"]
        gradient = 4 * sum([a * b + 3 * b for a, b in pairwise(sizes)])
        for gigabits, color in (1, "tab:orange"), (10, "tab:blue"):
            pairs = [step_seconds(alone, gradient, int(n), gigabits * 1e9 / 8 * 0.94) for n in ranks]
            low, high = (ranks * alone / np.array(side) for side in zip(*pairs))
            axis.fill_between(ranks, low, high, color=color, alpha=0.25, linewidth=0)
            axis.plot(ranks, low, color=color, marker="o", markersize=3, label=f"{gigabits} Gbit/s")
        axis.plot(ranks, ranks, color="gray", linestyle=":", label="ideal")
        axis.set(
            xscale="log",
            yscale="log",
            xlabel="ranks, one for each machine",
            title=f"{case.split('@')[0]}, {rows // 2} rows a rank",
        )
        axis.set_xticks(ranks, [str(n) for n in ranks])
        axis.set_yticks(ranks, [str(n) for n in ranks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        print(f"{case}: {1e3 * alone:.1f} ms alone, {gradient / 1e6:.1f} MB of gradient")
        for gigabits in (1, 10):
            for n in (2, 4, 16, 64):
                slow, fast = step_seconds(alone, gradient, n, gigabits * 1e9 / 8 * 0.94)
                print(
                    f"  {gigabits:2} Gbit/s, {n:2} ranks: {n * alone / slow:.1f} to {n * alone / fast:.1f} × one rank"
                )
    axes[0].set_ylabel("rows a second, × one rank")
    axes[0].legend(frameon=False)
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("cases", nargs="*", default=list(CASES))
    measuring.add_argument("--rounds", type=int, default=ROUNDS)
    commands.add_parser("plot")
    working = commands.add_parser("worker")
    for name in ("what", "case", "shards"):
        working.add_argument(name)
    given = parser.parse_args()
    if given.command == "measure":
        measure(given.cases, given.rounds)
    elif given.command == "plot":
        plot()
    else:
        worker(given.what, given.case, given.shards)


if __name__ == "__main__":
    main()
