"""Train eight networks on the handwritten digits in parallel, with different learning rates, dropout rates and seeds.

    python examples/sweep.py [--epochs 200]

Each is a job of ``cg.parallel_map`` on its own core. For comparison, the same jobs then run one after the other.
"""

from __future__ import annotations

import argparse
import itertools
import time

import cygrad as cg
from cygrad import nn

BATCH, PATIENCE = 32, 50

images, labels = cg.data.load_digits()
order = cg.randperm(len(labels), generator=cg.Generator().manual_seed(0))
x, y = cg.tensor(images.reshape(-1, 64), dtype=cg.float32)[order] / 16, cg.tensor(labels)[order]
x_train, y_train, x_validation, y_validation = x[:1400], y[:1400], x[1400:], y[1400:]


def fit(settings: tuple[float, float, int], epochs: int) -> tuple[float, int]:
    """The best accuracy on the validation set, and the number of epochs."""
    lr, p, seed = settings
    cg.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(p), nn.Linear(128, 10))
    optimizer = cg.optim.AdamW(model.parameters(), lr=lr)
    schedule = cg.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

    @cg.compile
    def step(inputs: cg.Tensor, targets: cg.Tensor) -> cg.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    best, best_epoch = 0.0, 0
    for epoch in range(epochs):
        step.epoch(x_train, y_train, batch_size=BATCH, order=cg.randperm(len(y_train)), drop_last=True)
        schedule.step()
        model.eval()
        with cg.no_grad():
            accuracy = (model(x_validation).argmax(1) == y_validation).float().mean().item()
        model.train()
        if accuracy > best:
            best, best_epoch = accuracy, epoch
        elif epoch - best_epoch > PATIENCE:
            break
    return best, epoch + 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Train eight networks on the handwritten digits in parallel.")
    parser.add_argument("--epochs", type=int, default=200, help="maximum number of epochs (default: 200)")
    epochs = parser.parse_args().epochs
    jobs = list(itertools.product([0.003, 0.03], [0.0, 0.4], [0, 1]))
    begin = time.perf_counter()
    results = cg.parallel_map(fit, jobs, [epochs] * len(jobs))
    middle = time.perf_counter()
    sequential = cg.parallel_map(fit, jobs, [epochs] * len(jobs), threads=1)
    end = time.perf_counter()
    for (lr, p, seed), (accuracy, done) in zip(jobs, results, strict=True):
        print(f"lr {lr:<6} dropout {p} seed {seed}: accuracy {accuracy:.4f} in {done} epochs")
    print(f"{middle - begin:.2f} s on {cg.get_num_threads()} threads, {end - middle:.2f} s on one: the same results")
    assert results == sequential


if __name__ == "__main__":
    main()
