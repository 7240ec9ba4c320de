import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from weights import reset


class SiameseDataset(Dataset):
    def __init__(self, points, labels):
        self.points, self.labels = points, labels

    def __getitem__(self, index):
        should_get_same_class = random.randint(0, 1)
        while True:
            other = random.randrange(len(self.points))
            if (self.labels[other] == self.labels[index]) == bool(should_get_same_class):
                break
        return self.points[index], self.points[other], torch.from_numpy(np.array([1 - should_get_same_class], dtype=np.float32))

    def __len__(self):
        return len(self.points)


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Sequential(nn.Linear(6, 24), nn.ReLU(inplace=True), nn.LayerNorm(24), nn.Linear(24, 4))

    def forward_once(self, x):
        return self.fc1(x.view(x.size()[0], -1))

    def forward(self, input1, input2):
        return self.forward_once(input1), self.forward_once(input2)


class ContrastiveLoss(torch.nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        euclidean_distance = F.pairwise_distance(output1, output2, keepdim=True)
        return torch.mean((1 - label) * torch.pow(euclidean_distance, 2) + label * torch.pow(torch.clamp(self.margin - euclidean_distance, min=0.0), 2))


def nt_xent(z1, z2, temperature=0.5):
    z = F.normalize(torch.cat([z1, z2], dim=0), dim=1)
    similarity = torch.mm(z, z.t().contiguous()) / temperature
    similarity.masked_fill_(torch.eye(len(z), dtype=torch.bool), float("-inf"))
    n = z1.shape[0]
    return F.cross_entropy(similarity, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


random.seed(1)
rng = np.random.default_rng(1)
labels = rng.integers(0, 4, 96)
points = torch.from_numpy((rng.standard_normal((4, 6))[labels] + 0.3 * rng.standard_normal((96, 6))).astype(np.float32))
net = reset(SiameseNetwork())
criterion = ContrastiveLoss()
triplet = nn.TripletMarginLoss(margin=1.0, p=2)
optimizer = torch.optim.RMSprop(net.parameters(), lr=0.005)
for epoch in range(4):
    for i, data in enumerate(DataLoader(SiameseDataset(points, labels), batch_size=16, drop_last=True), 0):
        img0, img1, label = data
        optimizer.zero_grad()
        output1, output2 = net(img0, img1)
        loss_contrastive = criterion(output1, output2, label)
        loss = loss_contrastive + 0.1 * nt_xent(output1, output2) + 0.1 * triplet(output1, output2, output1.roll(1, 0))
        loss.backward()
        optimizer.step()
    print("Epoch number {}\n Current loss {}\n".format(epoch, loss_contrastive.item()), loss)
with torch.no_grad():
    distance = torch.cdist(net.forward_once(points), net.forward_once(points))
    values, indices = distance.fill_diagonal_(1e9).topk(1, dim=1, largest=False)
    print((torch.from_numpy(labels)[indices.squeeze(1)] == torch.from_numpy(labels)).float().mean(), values.mean())
    print(F.cosine_similarity(output1, output2)[:4])
