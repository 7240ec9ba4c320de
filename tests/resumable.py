"""A training that can be killed and resumed: ``python resumable.py FOLDER [steps between checkpoints]``.

It prints a line when training starts, and at the end the fingerprints of the weights and the history.
"""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import numpy as np

import cygrad as cg
from cygrad import nn, optim, train
from cygrad.data import DataLoader, TensorDataset


def noisy(batch):
    """A batch with jittered inputs, by global random generators."""
    x, y = cg.data.default_collate(batch)
    return x + 0.1 * cg.randn(*x.shape) + float(np.random.standard_normal()) / 100 + random.random() / 100, y


def trainer_of(folder: Path, every: int | None, **options) -> tuple[train.Trainer, DataLoader, DataLoader]:
    """A trainer of all parts that have state, and its loaders."""
    cg.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((203, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    layers = nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 2)
    model = nn.Sequential(*layers)
    data = TensorDataset(x, y)
    workers = options.pop("num_workers", 0)
    collate = None if workers else noisy
    generator = np.random.default_rng(5)
    loader = DataLoader(data, 8, shuffle=True, generator=generator, collate_fn=collate, num_workers=workers)
    validation = DataLoader(TensorDataset(x[:50] + 0.3, y[:50]), 16, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=13 * 12)
    stopping = train.EarlyStopping(model, 9)
    chosen = {"ema": 0.9, "early_stopping": stopping, "scheduler": schedule, "accumulate": 2, "clip": 1.0, **options}
    trainer = train.Trainer(
        model, nn.functional.cross_entropy, optimizer, metrics=["accuracy", "roc_auc"], progress=False,
        checkpoint=train.Checkpoint(folder / "run.npz", every_steps=every), **chosen,
    )  # fmt: skip
    return trainer, loader, validation


def result(trainer: train.Trainer) -> str:
    """The fingerprints of everything that must be the same."""
    records = [{k: v for k, v in record.items() if k != "samples_per_second"} for record in trainer.history.records]
    return f"{train.fingerprint(trainer.model)} {hashlib.sha256(repr(records).encode()).hexdigest()}"


class Started(train.Callback):
    """Report the start."""

    def on_fit_begin(self, trainer: train.Trainer) -> None:
        print("started", flush=True)


def main() -> None:
    folder, every = Path(sys.argv[1]), int(sys.argv[2])
    trainer, loader, validation = trainer_of(folder, every or None, callbacks=[Started()])
    trainer.fit(loader, validation, epochs=12, resume=True)
    print(result(trainer), flush=True)


if __name__ == "__main__":
    main()
