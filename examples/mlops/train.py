"""Stage 2: trains a perceptron with batch norm, dropout and early stopping, and logs each epoch to DVC."""

from __future__ import annotations

from typing import Any

import numpy as np
from project import LIVE, RUN, load_splits, params

import cygrad as cg
from cygrad import nn, optim
from cygrad.integrations.dvc import DVC


def standardize(rows: np.ndarray, mean: float, std: float) -> np.ndarray:
    """(x − mean)/std"""
    return ((rows - mean) / std).astype(np.float32)


def trainer_of(model: nn.Sequential, settings: dict[str, Any]) -> cg.train.Trainer:
    """A trainer with these settings."""
    optimizer = optim.AdamW(optim.decay_groups(model, settings["weight_decay"]), lr=settings["lr"])
    return cg.train.Trainer(
        model,
        nn.functional.cross_entropy,
        optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, settings["epochs"]),
        metrics=["accuracy", "f1"],
        clip=1.0,
        early_stopping=cg.train.EarlyStopping(model, settings["patience"]),
        callbacks=[DVC(LIVE, dvcyaml=False)],
    )


def main() -> None:
    settings, splits = params("train"), load_splits()
    cg.manual_seed(settings["seed"])
    mean, std = float(splits["train"][0].mean()), float(splits["train"][0].std())
    train, validation = (
        cg.data.TensorDataset(standardize(rows, mean, std), labels)
        for rows, labels in (splits["train"], splits["validation"])
    )
    sizes = [splits["train"][0].shape[1], *settings["hidden"], 10]
    model = cg.train.mlp(sizes, settings["dropout"])
    loader = cg.data.DataLoader(train, settings["batch_size"], shuffle=True)
    history = trainer_of(model, settings).fit(loader, cg.data.DataLoader(validation, 1024), settings["epochs"])
    config = cg.runs.ImageConfig(
        sizes=sizes,
        dropout=settings["dropout"],
        mean=mean,
        std=std,
        classes=list(range(10)),
        version=cg.__version__,
        seed=settings["seed"],
        task="digits",
    )
    cg.runs.save(RUN, cg.runs.ImageRun(model, config), history.records)


if __name__ == "__main__":
    main()
