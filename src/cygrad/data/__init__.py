"""Data: datasets, batches, and files of numbers."""

from typing import TYPE_CHECKING

from cygrad.data.dataset import Dataset, Subset, TensorDataset
from cygrad.data.digits import load_digits
from cygrad.data.idx import MNIST, load_mnist, read_idx
from cygrad.data.loader import DataLoader, default_collate
from cygrad.data.matrix import read_table
from cygrad.data.split import random_split, stratified_split, time_split

__all__ = [
    "MNIST",
    "DataLoader",
    "Dataset",
    "LeakageWarning",
    "Preprocessor",
    "Subset",
    "Table",
    "TensorDataset",
    "augment",
    "default_collate",
    "load_digits",
    "load_mnist",
    "random_split",
    "read_csv",
    "read_idx",
    "read_npy",
    "read_npz",
    "read_parquet",
    "read_table",
    "repeated_rows",
    "stratified_split",
    "time_split",
    "warn_of_leakage",
]

if TYPE_CHECKING:
    from cygrad.data import augment as augment
    from cygrad.data.leakage import LeakageWarning, repeated_rows, warn_of_leakage
    from cygrad.data.preprocessing import Preprocessor
    from cygrad.data.tables import Table, read_csv, read_npy, read_npz, read_parquet
else:
    # Imported when they are first used.
    LATER = {
        "augment": "cygrad.data.augment",
        **dict.fromkeys(["LeakageWarning", "repeated_rows", "warn_of_leakage"], "cygrad.data.leakage"),
        "Preprocessor": "cygrad.data.preprocessing",
        **dict.fromkeys(["Table", "read_csv", "read_npy", "read_npz", "read_parquet"], "cygrad.data.tables"),
    }

    def __getattr__(name):
        """What is imported when it is first used."""
        if name not in LATER:
            raise AttributeError(f"module 'cygrad.data' has no attribute {name!r}")
        import importlib

        module = importlib.import_module(LATER[name])
        return getattr(module, name, module)
