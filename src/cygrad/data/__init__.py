"""Data: datasets, batches, and files of numbers."""

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
    "default_collate",
    "load_digits",
    "load_mnist",
    "random_split",
    "read_idx",
    "read_table",
]
