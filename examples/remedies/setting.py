"""What most remedies are shown on: few of the digits, a part of their labels wrong, and a perceptron that can learn all
of them by heart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

import cygrad as cg
from cygrad import nn

SEEDS = range(5)


class Parts(NamedTuple):
    """The data in parts."""

    train: cg.data.TensorDataset
    validation: cg.data.TensorDataset
    test: cg.data.TensorDataset


class Run(NamedTuple):
    """What a training measured, and the share of the test part that its model gets right."""

    history: cg.train.History
    accuracy: float


def digits(seed: int, rows: int = 400, wrong: float = 0.2) -> Parts:
    """So many digits for training, of which a share has a wrong label, 400 for validation, and the rest for testing."""
    images, labels = cg.data.load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    x, y = images.reshape(-1, 64).astype(np.float32)[order] / 16, labels[order]
    y[:rows] += np.where(rng.random(rows) < wrong, rng.integers(1, 10, rows), 0)
    cuts = [rows, rows + 400]
    return Parts(*map(cg.data.TensorDataset, np.split(x, cuts), np.split(y % 10, cuts)))


def perceptron(dropout: float = 0.0) -> nn.Sequential:
    """64-256-256-10 with ReLU: 85,000 parameters for 400 rows."""
    hidden = [(nn.Linear(fan_in, 256), nn.ReLU(), nn.Dropout(dropout)) for fan_in in (64, 256)]
    return nn.Sequential(*hidden[0], *hidden[1], nn.Linear(256, 10))


def learn(
    model: nn.Module,
    optimizer: cg.optim.Optimizer,
    parts: Parts,
    epochs: int,
    *,
    batch_size: int = 50,
    transform: cg.data.augment.Transform | None = None,
    **options: Any,
) -> Run:
    """Trains the model; `transform` changes its batches, `options` are the trainer's."""
    chosen = {"metrics": ["accuracy"], "progress": False, **options}
    trainer = cg.train.Trainer(model, nn.functional.cross_entropy, optimizer, **chosen)
    train = cg.data.DataLoader(parts.train, batch_size, shuffle=True, transform=transform)
    history = trainer.fit(train, whole(parts.validation), epochs)
    return Run(history, trainer.evaluate(whole(parts.test))["accuracy"])


def whole(data: cg.data.TensorDataset) -> cg.data.DataLoader:
    """All of it in one batch."""
    return cg.data.DataLoader(data, len(data))


def over_seeds(run: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What ``run(seed, *arguments)`` gives for each seed."""
    results = []
    for seed in SEEDS:
        cg.manual_seed(seed)
        results.append(run(seed, *arguments))
    return results


def curves(runs: Iterable[Run], name: str) -> np.ndarray:
    """The numbers of one name in the histories, (seeds, epochs)."""
    return np.array([run.history[name] for run in runs])


def accuracy(runs: Iterable[Run]) -> str:
    """The accuracy on the test part, mean ± deviation over the seeds."""
    found = 100 * np.array([run.accuracy for run in runs])
    return f"{found.mean():.1f} ± {found.std():.1f} %"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown."""
    head = list(head)
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows))
