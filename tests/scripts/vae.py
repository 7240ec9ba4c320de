import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F
from weights import reset

np.random.seed(2)


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(16, 32)
        self.fc21 = nn.Linear(32, 2)
        self.fc22 = nn.Linear(32, 2)
        self.fc3 = nn.Linear(2, 32)
        self.fc4 = nn.Linear(32, 16)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.from_numpy(np.random.randn(*std.shape)).to(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 16))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 16), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


device = torch.device("cpu")
kwargs = {"num_workers": 0, "pin_memory": False}
squares = torch.zeros(128, 1, 4, 4)
for i in range(128):
    row, column = np.random.randint(0, 3, 2)
    squares[i, 0, row:row + 2, column:column + 2] = 1.0
train_loader = torch.utils.data.DataLoader(list(zip(squares, torch.arange(128))), batch_size=32, **kwargs)
model = reset(VAE()).to(device)
optimizer = optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(1, 5):
    model.train()
    train_loss = 0
    for batch_idx, (data, _) in enumerate(train_loader):
        data = data.to(device)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        if batch_idx % 2 == 0:
            print("Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}".format(
                epoch, batch_idx * len(data), len(train_loader.dataset), 100.0 * batch_idx / len(train_loader), loss.item() / len(data)))
    print("====> Epoch: {} Average loss: {:.4f}".format(epoch, train_loss / len(train_loader.dataset)))
with torch.no_grad():
    sample = model.decode(torch.from_numpy(np.random.randn(3, 2)).float()).cpu()
    comparison = torch.cat([data[:3], sample.view(3, 1, 4, 4)])
    print(comparison.size(), sample.view(3, 1, 4, 4)[0])
    q = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    print(torch.distributions.kl_divergence(q, torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(1).mean())
