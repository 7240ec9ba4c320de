"""Augmentation: batches of images and of tokens changed at random, a batch at a time, in C.

The names are those of ``torchvision.transforms.v2`` where it has the thing. Every sample is changed by random numbers
of its own, a function of the generator's state and the sample's place in the batch: the same at any number of
threads.
"""

from cygrad.data.augment.color import (
    ColorJitter,
    GaussianBlur,
    GaussianNoise,
    Normalize,
    RandomErasing,
    ToDtype,
)
from cygrad.data.augment.geometry import (
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
)
from cygrad.data.augment.mixing import CutMix, MixUp
from cygrad.data.augment.text import DropTokens, InsertTokens, ReplaceTokens, SwapTokens
from cygrad.data.augment.transform import Compose, RandomApply, Transform

__all__ = [
    "ColorJitter",
    "Compose",
    "CutMix",
    "DropTokens",
    "GaussianBlur",
    "GaussianNoise",
    "InsertTokens",
    "MixUp",
    "Normalize",
    "RandomAffine",
    "RandomApply",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "ReplaceTokens",
    "SwapTokens",
    "ToDtype",
    "Transform",
]
