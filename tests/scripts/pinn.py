import numpy as np
import torch
import torch.nn as nn
from torch import autograd
from weights import reset


class FCN(nn.Module):
    def __init__(self, n_input, n_output, n_hidden, n_layers):
        super().__init__()
        activation = nn.Tanh
        self.fcs = nn.Sequential(*[nn.Linear(n_input, n_hidden), activation()])
        self.fch = nn.Sequential(*[nn.Sequential(*[nn.Linear(n_hidden, n_hidden), activation()]) for _ in range(n_layers - 1)])
        self.fce = nn.Linear(n_hidden, n_output)

    def forward(self, x):
        return self.fce(self.fch(self.fcs(x)))


d, w0 = 2, 8
mu, k = 2 * d, w0**2
rng = np.random.default_rng(123)
model = reset(FCN(1, 1, 24, 2))
mu_hat = nn.Parameter(torch.zeros(1), requires_grad=True)
t_physics = torch.linspace(0, 1, 30).view(-1, 1).requires_grad_(True)
t_boundary = torch.tensor(0.0).view(-1, 1).requires_grad_(True)
optimizer = torch.optim.Adam(list(model.parameters()) + [mu_hat], lr=2e-3)
for i in range(60):
    optimizer.zero_grad()
    u = model(t_boundary)
    loss1 = (torch.squeeze(u) - 1) ** 2
    dudt = torch.autograd.grad(u, t_boundary, torch.ones_like(u), create_graph=True)[0]
    loss2 = (torch.squeeze(dudt) - 0) ** 2
    u = model(t_physics)
    dudt = autograd.grad(u, t_physics, torch.ones_like(u), create_graph=True)[0]
    d2udt2 = autograd.grad(dudt, t_physics, grad_outputs=torch.ones_like(dudt), create_graph=True, retain_graph=True, only_inputs=True, allow_unused=False)[0]
    loss3 = torch.mean((d2udt2 + (mu + mu_hat) * dudt + k * u) ** 2)
    loss = loss1 + 1e-1 * loss2 + 1e-4 * loss3
    loss.backward()
    optimizer.step()
    if i % 20 == 0:
        print(f"Iteration {i}, Loss: {loss.item()} {loss1.item():.6f} {loss2.item():.6f} {loss3.item():.4f}")
print(mu_hat, d2udt2[:3].detach(), u.requires_grad, t_physics.grad.norm())

# Burgers' equation, one step: u_t + u u_x = nu u_xx
xt = torch.from_numpy(rng.uniform(-1, 1, (20, 2)).astype(np.float32))
x, t = xt[:, 0:1].clone().requires_grad_(), xt[:, 1:2].clone().requires_grad_()
net = reset(nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Linear(12, 1)))
lbfgs = torch.optim.LBFGS(net.parameters(), lr=1.0, max_iter=10, history_size=5, tolerance_grad=1e-7, tolerance_change=1.0 * np.finfo(float).eps)
losses = []


def closure():
    lbfgs.zero_grad()
    u = net(torch.cat([x, t], dim=1))
    u_t = autograd.grad(u.sum(), t, create_graph=True)[0]
    u_x, = autograd.grad(u.sum(), x, create_graph=True)
    u_xx = autograd.grad(u_x.sum(), x, create_graph=True)[0]
    f = u_t + u * u_x - (0.01 / np.pi) * u_xx
    loss = f.pow(2).mean() + torch.mean((net(torch.cat([x, torch.zeros_like(t)], 1)) + torch.sin(np.pi * x)) ** 2)
    loss.backward()
    losses.append(loss.item())
    return loss


lbfgs.step(closure)
print(losses)
