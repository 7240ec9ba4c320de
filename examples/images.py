"""Train a convnet, or a ResNet-8, on images of digits, with augmentation.

    python examples/images.py [--data FOLDER] [--network convnet|resnet8] [--epochs 15] [--no-augmentation]

Without --data these are the 8 × 8 digits that come with cygrad; FOLDER has the IDX files of MNIST or Fashion-MNIST.

K. He et al. (2016), "Deep residual learning for image recognition", section 4.2, with one block per stage.
"""

from __future__ import annotations

import argparse

import cygrad as cg
from cygrad import nn
from cygrad.data import augment

BATCH = 64


class Block(nn.Module):
    """y = ReLU(x' + BN(conv(ReLU(BN(conv(x)))))), where x' is x, or a 1 × 1 convolution of it if the size changes."""

    def __init__(self, planes: int, depth: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(planes, depth, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(depth)
        self.conv2 = nn.Conv2d(depth, depth, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(depth)
        same = stride == 1 and planes == depth
        self.shortcut = nn.Identity() if same else nn.Conv2d(planes, depth, 1, stride, bias=False)

    def forward(self, x: cg.Tensor) -> cg.Tensor:
        y = self.bn1(self.conv1(x)).relu()
        return (self.shortcut(x) + self.bn2(self.conv2(y))).relu()


def resnet8() -> nn.Sequential:
    """A convolution, three blocks of 16, 32 and 64 channels, the mean over the image, and a linear layer."""
    stem = [nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def convnet(size: int) -> nn.Sequential:
    """``cg.train.convnet`` on images instead of rows of pixels."""
    return nn.Sequential(nn.Flatten(), *cg.train.convnet((1, size, size), (32, 64), 10, dropout=0.3))


def load(folder: str | None) -> tuple[cg.Tensor, cg.Tensor, cg.Tensor, cg.Tensor]:
    """Images (n, 1, height, width) with mean 0 and standard deviation 1, and labels: for training, and for the test."""
    if folder is not None:
        data = cg.data.load_mnist(folder)
        x, y, x_test, y_test = data
    else:
        images, labels = cg.data.load_digits()
        order = cg.randperm(len(labels), generator=cg.Generator().manual_seed(0)).numpy()
        images, labels = images[order], labels[order]
        x, y, x_test, y_test = images[:1400], labels[:1400], images[1400:], labels[1400:]
    mean, std = x.mean(), x.std()
    scaled = [((cg.tensor(part, dtype=cg.float32) - mean) / std).unsqueeze(1) for part in (x, x_test)]
    return scaled[0], cg.tensor(y), scaled[1], cg.tensor(y_test)


def accuracy(model: nn.Module, x: cg.Tensor, y: cg.Tensor) -> float:
    model.eval()
    with cg.no_grad():
        right = sum([(model(a).argmax(1) == b).sum().item() for a, b in zip(x.split(500), y.split(500))])
    model.train()
    return right / len(y)


def fit(network: str, folder: str | None, epochs: int, augmented: bool) -> list[float]:
    """Train, and return the accuracy on the test images after each epoch."""
    cg.manual_seed(0)
    x, y, x_test, y_test = load(folder)
    size = x.shape[-1]
    model = resnet8() if network == "resnet8" else convnet(size)
    optimizer = cg.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    steps = -(-len(y) // BATCH) * epochs
    schedule = cg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    move = augment.RandomAffine(degrees=10, translate=(0.1, 0.1), scale=(0.9, 1.1), fill=float(x.min()))
    accuracies = []
    for epoch in range(epochs):
        for batch in cg.randperm(len(y)).split(BATCH):
            images = move(x[batch]) if augmented else x[batch]
            loss = nn.functional.cross_entropy(model(images), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        accuracies.append(accuracy(model, x_test, y_test))
        print(f"epoch {epoch + 1:2}  loss {loss.item():.4f}  test accuracy {100 * accuracies[-1]:.2f} %", flush=True)
    return accuracies


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a convnet on images of digits.")
    parser.add_argument("--data", metavar="FOLDER", help="folder with IDX files (default: the digits of cygrad)")
    parser.add_argument("--network", choices=["convnet", "resnet8"], default="convnet", help="default: convnet")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the images (default: 15)")
    parser.add_argument("--no-augmentation", action="store_true", help="train on the images as they are")
    options = parser.parse_args()
    fit(options.network, options.data, options.epochs, not options.no_augmentation)


if __name__ == "__main__":
    main()
