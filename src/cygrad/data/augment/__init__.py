"""Augmentation: random transforms of batches of images or tokens, computed in C.

Names follow ``torchvision.transforms.v2`` where a counterpart exists. The random numbers of a sample depend only on the
generator's state and the sample's position in the batch, so results are bit-identical for any thread count.
"""

from cygrad.data.augment.color import (
    ColorJitter,
    GaussianBlur,
    GaussianNoise,
    Normalize,
    RandomErasing,
    ToDtype,
)
from cygrad.data.augment.compose import Compose, RandomApply
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
from cygrad.data.augment.transform import Transform

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
