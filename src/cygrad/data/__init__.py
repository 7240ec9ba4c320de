"""Data: datasets, batches, and files of numbers."""

from typing import TYPE_CHECKING

from cygrad.data.dataset import Dataset, Subset, TensorDataset, random_split
from cygrad.data.digits import load_digits
from cygrad.data.idx import MNIST, load_mnist, read_idx
from cygrad.data.loader import DataLoader, default_collate
from cygrad.data.table import read_table

__all__ = [
    "MNIST",
    "DataLoader",
    "Dataset",
    "Subset",
    "TensorDataset",
    "augment",
    "default_collate",
    "load_digits",
    "load_mnist",
    "random_split",
    "read_idx",
    "read_table",
]

if TYPE_CHECKING:
    from cygrad.data import augment as augment
else:

    def __getattr__(name):
        """``cygrad.data.augment``, which is imported when it is first used."""
        if name == "augment":
            import importlib

            return importlib.import_module("cygrad.data.augment")
        raise AttributeError(f"module 'cygrad.data' has no attribute {name!r}")
