"""Threads that share the engine: ``python -m tests.raced [NAME …]``. Built with ThreadSanitizer (``nox -s races``), it
reports data races of kernels, the pool, the allocator and the Cython modules; built as usual, errors and hangs.

Threads meet where the GIL is released: launches, replays, loaders. Everything that has the GIL happens in an order.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import cygrad as cg
from cygrad import nn, optim
from cygrad.data import DataLoader, TensorDataset

F = nn.functional


def network(seed: int) -> nn.Module:
    generator = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 10))
    for param in model.parameters():
        param.data = cg.tensor(generator.standard_normal(param.shape).astype(np.float32) / 10)
    return model


def batch(rows: int) -> tuple[cg.Tensor, cg.Tensor]:
    generator = np.random.default_rng(rows)
    return cg.tensor(generator.standard_normal((rows, 64)).astype(np.float32)), cg.tensor(
        generator.integers(0, 10, rows)
    )


def trainer(seed: int, compiled: bool = True) -> Callable[[cg.Tensor, cg.Tensor], cg.Tensor]:
    model = network(seed)
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)

    def step(x: cg.Tensor, y: cg.Tensor) -> cg.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return cg.compile(step) if compiled else step


def losses(seed: int, rows: int = 256, steps: int = 30, compiled: bool = True) -> list[float]:
    step, (x, y) = trainer(seed, compiled), batch(rows)
    return [step(x, y).item() for _ in range(steps)]


def together(*bodies: Callable[[], Any]) -> list[Any]:
    """The results of functions that run in threads of their own."""
    results: list[Any] = [None] * len(bodies)
    errors: list[BaseException] = []

    def run(i: int) -> None:
        try:
            results[i] = bodies[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def train_in_threads() -> None:
    """Recorded and eager steps beside each other, with and without the workers."""
    alone = [losses(0), losses(1, 2000), losses(2, 256, compiled=False)]
    for _ in range(3):
        assert alone == together(lambda: losses(0), lambda: losses(1, 2000), lambda: losses(2, 256, compiled=False))


def share_a_compiled_function() -> None:
    """One network that several threads evaluate."""
    model = network(0).eval()
    forward = cg.compile(lambda x: model(x))

    def body() -> None:
        with cg.no_grad():
            for rows in (8, 64, 512, 2000) * 8:
                forward(batch(rows)[0])

    together(body, body, body)


def change_the_thread_count() -> None:
    """set_num_threads in flight."""
    wanted, done = losses(0, 2000), threading.Event()

    def change() -> None:
        while not done.is_set():
            for threads in (1, 2, 3, 4):
                cg.set_num_threads(threads)

    def train() -> list[float]:
        try:
            return losses(0, 2000)
        finally:
            done.set()

    assert together(change, train, lambda: (cg.ones(500, 500) @ cg.ones(500, 500)).sum().item())[1] == wanted
    cg.set_num_threads(3)


def map_in_parallel() -> None:
    """parallel_map of trainings, and of jobs of which one fails."""
    jobs = range(6)
    assert cg.parallel_map(losses, jobs, threads=3) == [losses(seed) for seed in jobs]

    def job(seed: int) -> list[float]:
        if seed == 3:
            raise ValueError("this job fails")
        return losses(seed)

    outcomes = cg.parallel_map(job, jobs, threads=3, return_exceptions=True)
    assert [isinstance(outcome, BaseException) for outcome in outcomes] == [seed == 3 for seed in jobs]


def assign_the_argument_of_a_replay() -> None:
    """x.data = … in one thread while another replays a step on x."""
    function = cg.compile(lambda x: (x * 2 + 1).relu().sum(), check=False)
    x, done = cg.ones(400, 64), threading.Event()
    for rows in (400, 300):
        function(cg.ones(rows, 64))

    def assign() -> None:
        for i in range(300):
            x.data = cg.ones(400 if i % 2 else 300, 64)
        done.set()

    def replay() -> None:
        while not done.is_set():
            try:
                assert function(x).item() in (400 * 64 * 3, 300 * 64 * 3)
            except RuntimeError as error:
                assert "another thread changed" in str(error), error

    together(assign, replay)


def load_batches() -> None:
    """Workers of loaders, beside a step that trains."""
    x, y = batch(2000)
    step, loader = trainer(0), DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True, num_workers=2)
    for _ in range(3):
        for inputs, targets in loader:
            step(inputs, targets)


def allocate_and_free() -> None:
    """Blocks of the pool of arrays, freed by other threads than those that asked for them."""
    shared: list[cg.Tensor] = []

    def body() -> None:
        for _ in range(200):
            shared.extend(cg.ones(n) * 2 for n in (10, 1000, 100_000))
            del shared[:2]
        gc.collect()

    together(body, body, body)


def fork_while_threads_train() -> None:
    """A child that trains, of a process in which others train."""
    wanted, done = losses(5), threading.Event()

    def fork() -> None:
        for _ in range(3):
            child = os.fork()
            if not child:
                os._exit(losses(5) != wanted)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        done.set()

    def train() -> None:
        while not done.is_set():
            losses(1, 2000, 5)

    together(fork, train)


SCENES = [
    train_in_threads,
    share_a_compiled_function,
    change_the_thread_count,
    map_in_parallel,
    assign_the_argument_of_a_replay,
    load_batches,
    allocate_and_free,
    *([fork_while_threads_train] if hasattr(os, "fork") else []),
]


def main(names: list[str]) -> None:
    cg.set_num_threads(3)
    for scene in SCENES:
        if not names or scene.__name__ in names:
            print(scene.__name__, flush=True)
            scene()


if __name__ == "__main__":
    main(sys.argv[1:])
