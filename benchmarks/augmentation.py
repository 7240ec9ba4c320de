"""Augmented images per second: cygrad's transforms of whole batches, and those of torchvision and albumentations, which
take one image at a time.

All read float32 images from memory and write them back. albumentations is also timed on uint8, which its users have,
and which is a quarter of the memory traffic.
"""

from __future__ import annotations

import argparse

from cygrad.bench.timing import limit_threads, take_turns

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--batch", type=int, default=64)
options = parser.parse_args()
limit_threads(options.threads)

import numpy as np  # noqa: E402

import cygrad as cg  # noqa: E402
from cygrad.data import augment  # noqa: E402

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 96, 96)]


def with_all(chains: dict) -> dict:
    """The chains, and all of them one after the other."""
    return chains | {"all": [transform for chain in chains.values() for transform in chain]}


def ours(size: int) -> dict:
    """cygrad's transforms."""
    chains = {
        "affine": [augment.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 10)],
        "crop, flip": [augment.RandomCrop(size, padding=4), augment.RandomHorizontalFlip()],
        "colors": [augment.ColorJitter(0.3, 0.3)],
        "blur": [augment.GaussianBlur(5)],
        "noise": [augment.GaussianNoise(0.0, 0.1)],
        "erasing": [augment.RandomErasing(p=1.0)],
    }
    return {name: augment.Compose(chain) for name, chain in with_all(chains).items()}


def of_torchvision(size: int) -> dict:
    """The same transforms in torchvision."""
    import torch
    from torchvision.transforms import InterpolationMode, v2

    torch.set_num_threads(options.threads)
    chains = {
        "affine": [v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 10, InterpolationMode.BILINEAR)],
        "crop, flip": [v2.RandomCrop(size, padding=4), v2.RandomHorizontalFlip()],
        "colors": [v2.ColorJitter(0.3, 0.3)],
        "blur": [v2.GaussianBlur(5)],
        "noise": [v2.GaussianNoise(0.0, 0.1)],
        "erasing": [v2.RandomErasing(p=1.0)],
    }
    return {name: v2.Compose(chain) for name, chain in with_all(chains).items()}


def of_albumentations(size: int) -> dict:
    """The same transforms in albumentations, as far as it has them."""
    import albumentations as a
    import cv2

    cv2.setNumThreads(options.threads)
    part = {"x": (-0.1, 0.1), "y": (-0.1, 0.1)}
    chains = {
        "affine": [a.Affine(scale=(0.9, 1.1), translate_percent=part, rotate=(-15, 15), shear=(-10, 10), p=1)],
        "crop, flip": [a.PadIfNeeded(size + 8, size + 8), a.RandomCrop(size, size), a.HorizontalFlip()],
        "colors": [a.RandomBrightnessContrast(0.3, 0.3, p=1)],
        "blur": [a.GaussianBlur((5, 5), p=1)],
        "noise": [a.GaussNoise(std_range=(0.1, 0.1), p=1)],
        "erasing": [a.Erasing(p=1)],
    }
    return {name: a.Compose(chain) for name, chain in with_all(chains).items()}


def peers(size: int) -> dict:
    """The transforms of the libraries that are installed."""
    libraries = {}
    for name, make in {"torchvision": of_torchvision, "albumentations": of_albumentations}.items():
        try:
            libraries[name] = make(size)
        except (ImportError, RuntimeError, OSError) as error:
            print(f"skipped: {name} ({error})")
    return libraries


def main() -> None:
    print(f"images per second, {options.threads} thread(s), batches of {options.batch}; {cg.show_config()}")
    for shape in SHAPES:
        print(f"\n{shape[0]} x {shape[1]} x {shape[2]}")
        x = np.random.default_rng(0).uniform(0, 1, (options.batch, *shape)).astype(np.float32)
        last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        whole = (last * 255).astype(np.uint8)
        others = peers(shape[1])
        for name, transform in ours(shape[1]).items():
            functions = {"cygrad": lambda t=transform, images=x: t(images)}
            if "torchvision" in others:
                import torch

                tensors = list(torch.tensor(x))
                functions["torchvision"] = lambda t=others["torchvision"][name], images=tensors: [t(i) for i in images]
            if "albumentations" in others:
                chain = others["albumentations"][name]
                functions["albumentations"] = lambda t=chain, images=last: [t(image=i) for i in images]
                functions["albumentations, uint8"] = lambda t=chain, images=whole: [t(image=i) for i in images]
            times = take_turns(functions, options.rounds, 0.02)
            rates = {peer: options.batch / seconds for peer, seconds in times.items()}
            cells = [f"{p} {r:9,.0f} ({rates['cygrad'] / r:5.1f} x)" for p, r in rates.items() if p != "cygrad"]
            print(f"{name:12} cygrad {rates['cygrad']:11,.0f}   " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()
