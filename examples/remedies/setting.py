"""The task of most pages: few digits, some with wrong labels, and a perceptron that can memorize all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

import cygrad as cg
from cygrad import nn

SEEDS = range(5)


class Splits(NamedTuple):
    """Training, validation and test set."""

    train: cg.data.TensorDataset
    validation: cg.data.TensorDataset
    test: cg.data.TensorDataset


class Run(NamedTuple):
    """The history of a training run, and the accuracy of its model on the test set."""

    history: cg.train.History
    accuracy: float


def digits(seed: int, rows: int = 400, wrong: float = 0.2) -> Splits:
    """`rows` digits for training, a fraction `wrong` of them mislabeled, 400 for validation, the rest for testing."""
    images, labels = cg.data.load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    x, y = images.reshape(-1, 64).astype(np.float32)[order] / 16, labels[order]
    y[:rows] += np.where(rng.random(rows) < wrong, rng.integers(1, 10, rows), 0)
    cuts = [rows, rows + 400]
    return Splits(*map(cg.data.TensorDataset, np.split(x, cuts), np.split(y % 10, cuts)))


def perceptron(dropout: float = 0.0) -> nn.Sequential:
    """64-256-256-10 with ReLU: 85,000 parameters for 400 rows."""
    hidden = [(nn.Linear(fan_in, 256), nn.ReLU(), nn.Dropout(dropout)) for fan_in in (64, 256)]
    return nn.Sequential(*hidden[0], *hidden[1], nn.Linear(256, 10))


def learn(
    model: nn.Module,
    optimizer: cg.optim.Optimizer,
    splits: Splits,
    epochs: int,
    *,
    batch_size: int = 50,
    transform: cg.data.augment.Transform | None = None,
    **options: Any,
) -> Run:
    """Train a model, with `transform` applied to the training batches and `options` passed to the trainer."""
    settings = {"metrics": ["accuracy"], "progress": False, **options}
    trainer = cg.train.Trainer(model, nn.functional.cross_entropy, optimizer, **settings)
    train = cg.data.DataLoader(splits.train, batch_size, shuffle=True, transform=transform)
    history = trainer.fit(train, one_batch(splits.validation), epochs)
    return Run(history, trainer.evaluate(one_batch(splits.test))["accuracy"])


def one_batch(data: cg.data.TensorDataset) -> cg.data.DataLoader:
    """A loader with a single batch."""
    return cg.data.DataLoader(data, len(data))


def over_seeds(run: Callable[..., Any], *arguments: Any) -> list[Any]:
    """The results of ``run(seed, *arguments)`` for each seed."""
    results = []
    for seed in SEEDS:
        cg.manual_seed(seed)
        results.append(run(seed, *arguments))
    return results


def curves(runs: Iterable[Run], name: str) -> np.ndarray:
    """A quantity from the histories, (seeds, epochs)."""
    return np.array([run.history[name] for run in runs])


def accuracy(runs: Iterable[Run]) -> str:
    """Test accuracy, mean ± standard deviation over the seeds."""
    percent = 100 * np.array([run.accuracy for run in runs])
    return f"{percent.mean():.1f} ± {percent.std():.1f} %"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))
