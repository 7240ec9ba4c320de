"""A user's script that type checkers must understand in full; tests/test_types.py checks it and runs it."""

from __future__ import annotations

import cygrad as cg
from cygrad import Tensor, nn
from cygrad.data import DataLoader, TensorDataset
from cygrad.nn import functional as F
from cygrad.train import Callback, Trainer, TrainerLike


class Network(nn.Module):
    """A classifier with a learned temperature."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, 32)
        self.norm = nn.BatchNorm1d(32)
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(32, classes)
        self.temperature = nn.Parameter(cg.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(F.relu(self.norm(self.hidden(x))))
        return self.output(hidden) / self.temperature


class PrintLoss(Callback):
    def on_epoch_end(self, trainer: TrainerLike, metrics: dict[str, float]) -> None:
        print(f"epoch {trainer.epoch}: {metrics}")


def statistics(x: Tensor) -> dict[str, float]:
    values, indices = x.max(1)
    mask = (x > 0) & ~cg.isnan(x)
    y = (2 * x - x.mean(0, keepdim=True)).abs().clamp(min=0.5).reshape(-1, 2)
    y += 1
    y = y[:, 0] @ y.T[0] + cg.stack([values, values]).sum()
    largest = cg.topk(x, 2, dim=1).values.std(dim=(0, 1))
    parts = [part.norm().item() for part in x.split(2)]
    rows: int = cg.argmax(x, 1).shape[0] + indices.numel()
    return {"y": float(y), "largest": largest.item(), "true": mask.sum().item(), "parts": sum(parts), "rows": rows}


def main() -> float:
    cg.manual_seed(0)
    x = cg.randn(64, 4)
    labels = (x.sum(dim=1) > 0).long()
    loader = DataLoader(TensorDataset(x, labels), batch_size=16, shuffle=True)
    model = Network(4, 2)
    optimizer = cg.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-3)
    scheduler = cg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    compiled = cg.compile(step)
    for _ in range(2):
        for inputs, targets in loader:
            compiled(inputs, targets)
        scheduler.step()
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks=[PrintLoss()])
    trainer.fit(loader, epochs=2)
    model.eval()
    with cg.no_grad():
        probabilities = cg.softmax(model(x), dim=1).numpy()
    weights = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    norms = {name: grad.norm().item() for name, grad in weights.items() if grad is not None}
    print(norms, statistics(x), probabilities[0].tolist(), model.state_dict().keys())
    return float((cg.from_numpy(probabilities).argmax(dim=1) == labels).float().mean())


if __name__ == "__main__":
    print(f"accuracy {main():.3f}")
