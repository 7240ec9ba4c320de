"""Draw the pictures of docs/networks.md from what the other examples learn.

    python examples/curves.py FOLDER --text TEXT

It needs Matplotlib and Pillow, and takes a few minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import characters
import images
import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "remedies"))
from drawing import figure, save

WINDOW = 50  # steps over which a loss is averaged


def draw_images(path: Path) -> None:
    """The test accuracy of both networks, with and without augmentation."""
    fig, panels = figure("convnet", "ResNet-8", sharey=True)
    for axes, network in zip(panels, ("convnet", "resnet8"), strict=True):
        for name, augmented in (("as they are", False), ("augmented", True)):
            accuracies = images.fit(network, None, 15, augmented)
            axes.plot(range(1, 16), 100 * np.array(accuracies), label=name)
        axes.set(xlabel="epoch", ylim=(94, 100))
        axes.legend(fontsize=8)
    panels[0].set_ylabel("test accuracy, %")
    save(fig, path)


def draw_characters(path: Path, text: str) -> None:
    """The loss of both networks over the steps."""
    fig, (axes,) = figure("cross entropy of the next character")
    for network in ("lstm", "transformer"):
        _, _, losses = characters.fit(text, network, 1000)
        means = np.convolve(losses, np.full(WINDOW, 1 / WINDOW), "valid")
        axes.plot(range(WINDOW, 1001), means, label=network)
    axes.set(xlabel="step", ylabel=f"mean of {WINDOW} steps")
    axes.legend(fontsize=8)
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/networks.md.")
    parser.add_argument("folder", type=Path, help="where to save them")
    parser.add_argument("--text", type=Path, required=True, help="file with a text")
    options = parser.parse_args()
    draw_images(options.folder / "images.png")
    draw_characters(options.folder / "characters.png", options.text.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
