"""`cygrad train mnist` in PyTorch: the same network, splits, batches, optimizer, schedule, clipping and evaluation.

The best weights are saved in the folder `--out`."""

from __future__ import annotations

import argparse
import copy
import gzip
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIZES, DROPOUT, BATCH, LR, DECAY, CLIP = (784, 256, 128, 10), 0.3, 64, 2e-3, 0.01, 1.0


def read(folder: Path, name: str) -> np.ndarray[Any, Any]:
    """An IDX file of bytes, plain or compressed."""
    plain = folder / name
    data = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape.tolist())


def splits(folder: Path) -> list[TensorDataset]:
    """Training, validation and test set, standardized by mean and deviation of the training set."""
    images, labels = read(folder, "t10k-images-idx3-ubyte"), read(folder, "t10k-labels-idx1-ubyte")
    if (folder / "train-images-idx3-ubyte").exists() or (folder / "train-images-idx3-ubyte.gz").exists():
        test = images, labels
        images, labels = read(folder, "train-images-idx3-ubyte"), read(folder, "train-labels-idx1-ubyte")
    else:
        n = len(images) * 4 // 5
        test, images, labels = (images[n:], labels[n:]), images[:n], labels[:n]
    order = np.random.default_rng(0).permutation(len(images))
    train, validation = np.split(order, [len(order) * 9 // 10])
    mean, std = float(images[train].mean()), float(images[train].std())

    def dataset(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> TensorDataset:
        rows = torch.from_numpy(images.reshape(len(images), -1).astype(np.float32))
        return TensorDataset(rows.sub_(mean).div_(std), torch.from_numpy(labels.astype(np.int64)))

    return [dataset(images[part], labels[part]) for part in (train, validation)] + [dataset(*test)]


def network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(SIZES[:-1]):
        layers += [nn.Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), nn.ReLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(*SIZES[-2:]))


@torch.no_grad()
def evaluate(model: nn.Module, loader: DataLoader[Any]) -> tuple[float, float]:
    """Mean loss and accuracy."""
    model.eval()
    loss, right, count = 0.0, 0, 0
    for x, y in loader:
        scores = model(x)
        loss += nn.functional.cross_entropy(scores, y, reduction="sum").item()
        right += int((scores.argmax(1) == y).sum())
        count += len(y)
    model.train()
    return loss / count, right / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    train, validation, test = splits(options.data)
    model = network()
    weights = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs)
    loader = DataLoader(train, BATCH, shuffle=True, drop_last=len(train) % BATCH == 1)
    best, best_state = math.inf, copy.deepcopy(model.state_dict())
    for epoch in range(options.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
        schedule.step()
        loss, accuracy = evaluate(model, DataLoader(validation, 1024))
        print(f"epoch {epoch + 1}: validation loss {loss:.4f}, accuracy {100 * accuracy:.2f} %", flush=True)
        if loss < best:
            best, best_state = loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    print(f"test accuracy {100 * evaluate(model, DataLoader(test, 1024))[1]:.2f} %")
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(best_state, options.out / "weights.pt")


if __name__ == "__main__":
    main()
