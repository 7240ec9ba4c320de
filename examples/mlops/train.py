"""Stage 2: a perceptron with batch norm and dropout, early stopping, and DVC's metrics and plots of every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from project import LIVE, RUN, load_parts, params

import cygrad as cg
from cygrad import nn, optim
from cygrad.integrations.dvc import DVC


def scaled(rows: np.ndarray, mean: float, std: float) -> np.ndarray:
    """(x − mean)/std"""
    return ((rows - mean) / std).astype(np.float32)


def trainer_of(model: nn.Sequential, chosen: dict[str, Any]) -> cg.train.Trainer:
    """The trainer that the parameters ask for."""
    optimizer = optim.AdamW(optim.decay_groups(model, chosen["weight_decay"]), lr=chosen["lr"])
    return cg.train.Trainer(
        model,
        nn.functional.cross_entropy,
        optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen["epochs"]),
        metrics=["accuracy", "f1"],
        clip=1.0,
        early_stopping=cg.train.EarlyStopping(model, chosen["patience"]),
        callbacks=[DVC(LIVE, dvcyaml=False)],
    )


def main() -> None:
    chosen, parts = params("train"), load_parts()
    cg.manual_seed(chosen["seed"])
    mean, std = float(parts["train"][0].mean()), float(parts["train"][0].std())
    train, valid = (
        cg.data.TensorDataset(scaled(rows, mean, std), labels)
        for rows, labels in (parts["train"], parts["validation"])
    )
    sizes = [parts["train"][0].shape[1], *chosen["hidden"], 10]
    model = cg.train.mlp(sizes, chosen["dropout"])
    loader = cg.data.DataLoader(train, chosen["batch_size"], shuffle=True)
    history = trainer_of(model, chosen).fit(loader, cg.data.DataLoader(valid, 1024), chosen["epochs"])
    config = cg.runs.ImageConfig(
        sizes=sizes,
        dropout=chosen["dropout"],
        mean=mean,
        std=std,
        classes=list(range(10)),
        version=cg.__version__,
        seed=chosen["seed"],
        task="digits",
    )
    cg.runs.save(RUN, cg.runs.ImageRun(model, config), history.records)


if __name__ == "__main__":
    main()
