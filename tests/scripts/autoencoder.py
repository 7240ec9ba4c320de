import numpy as np
import torch
from torch import nn
from weights import reset


class Autoencoder(nn.Module):
    def __init__(self, n_in=20, latent=3):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_in, 16), nn.ReLU(True), nn.Linear(16, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 16), nn.LeakyReLU(0.2, inplace=True), nn.Linear(16, n_in), nn.Sigmoid())

    def forward(self, x):
        z = self.encoder(x)
        return self.decoder(z), z


rng = np.random.RandomState(0)
codes = rng.rand(256, 3)
images = torch.sigmoid(torch.Tensor(codes @ rng.randn(3, 20)))
device = "cuda" if torch.cuda.is_available() else "cpu"
model = reset(Autoencoder()).to(device)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5)
print(sum(p.numel() for p in model.parameters() if p.requires_grad))
for epoch in range(5):
    permutation = rng.permutation(256)
    for i in range(0, 256, 32):
        img = images[permutation[i:i + 32]].to(device)
        output, z = model(img + 0.05 * torch.from_numpy(rng.randn(*img.size())).float())
        loss = criterion(output, img)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
    print(f"epoch [{epoch + 1}/5], loss:{loss.item():.5f}, code {z.mean(0).tolist()} {list(z.shape)}")
state = {k: v.clone() for k, v in model.state_dict().items()}
model.load_state_dict(state)
for name, param in model.named_parameters():
    print(name, tuple(param.size()), round(param.norm().item(), 4))
