import numpy as np
import torch
import torch.nn as nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset
from weights import reset

np.random.seed(0)
x_data = np.linspace(-2, 2, 128, dtype=np.float32).reshape(-1, 1)
y_data = x_data**3 - x_data + 0.1 * np.random.randn(128, 1).astype("float32")
inputs, targets = torch.from_numpy(x_data), torch.from_numpy(y_data)
loader = DataLoader(TensorDataset(inputs, targets), batch_size=32)


def run(name, make_optimizer, make_scheduler, per_batch=False):
    model = reset(nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1)))
    optimizer = make_optimizer(model.parameters())
    scheduler = make_scheduler(optimizer)
    criterion = nn.MSELoss()
    for epoch in range(6):
        running_loss = 0.0
        for xb, yb in loader:
            loss = criterion(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if per_batch:
                scheduler.step()
            running_loss += loss.item() * xb.size(0)
        running_loss /= len(loader.dataset)
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(running_loss)
        elif not per_batch:
            scheduler.step()
    print(name, "loss %.5f" % running_loss, "lr", optimizer.param_groups[0]["lr"], scheduler.get_last_lr())


sgd = lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True)  # noqa: E731
adam = lambda p: torch.optim.Adam(p, 0.01)  # noqa: E731
run("step", sgd, lambda o: lr_scheduler.StepLR(o, step_size=2, gamma=0.5))
run("multistep", sgd, lambda o: lr_scheduler.MultiStepLR(o, milestones=[2, 4], gamma=0.1))
run("exponential", adam, lambda o: lr_scheduler.ExponentialLR(o, 0.9))
run("cosine", adam, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=6, eta_min=1e-4))
run("restarts", adam, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=2))
run("plateau", adam, lambda o: lr_scheduler.ReduceLROnPlateau(o, "min", factor=0.5, patience=0, threshold=0.5))
run("lambda", adam, lambda o: lr_scheduler.LambdaLR(o, lr_lambda=[lambda e: 1 / (1 + e)]))
run("one cycle", adam, lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.05, epochs=6, steps_per_epoch=len(loader)), per_batch=True)
run("cyclic", sgd, lambda o: lr_scheduler.CyclicLR(o, base_lr=0.001, max_lr=0.05, step_size_up=4, mode="triangular2"), per_batch=True)
run("warmup", sgd, lambda o: lr_scheduler.SequentialLR(
    o, [lr_scheduler.LinearLR(o, 0.1, total_iters=2), lr_scheduler.PolynomialLR(o, total_iters=4, power=2)], milestones=[2]))
run("rmsprop", lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9), lambda o: lr_scheduler.ConstantLR(o, factor=0.5, total_iters=3))

model = reset(nn.Linear(1, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(inputs), targets)
    loss.backward()
    return loss


for _ in range(3):
    print("lbfgs", optimizer.step(closure).item())
print(optimizer.state_dict()["param_groups"][0]["lr"], *[p.detach().numpy().round(4) for p in model.parameters()])
