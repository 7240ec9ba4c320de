"""Data: files, tables, preprocessing, splits, datasets and batches."""

from typing import TYPE_CHECKING

from cygrad.data.combined import ChainDataset, IterableDataset, StackDataset
from cygrad.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset
from cygrad.data.digits import load_digits
from cygrad.data.idx import read_idx
from cygrad.data.loader import DataLoader, default_collate, default_convert
from cygrad.data.matrix import read_matrix
from cygrad.data.sampler import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from cygrad.data.split import group_split, random_split, stratified_split, time_split
from cygrad.data.worker import get_worker_info

__all__ = [
    "MNIST",
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "LeakageWarning",
    "Preprocessor",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "Table",
    "TensorDataset",
    "WeightedRandomSampler",
    "Windows",
    "augment",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "group_split",
    "load_digits",
    "load_mnist",
    "random_split",
    "read_csv",
    "read_idx",
    "read_json_lines",
    "read_matrix",
    "read_npy",
    "read_npz",
    "read_parquet",
    "repeated_rows",
    "seasonal_naive",
    "stratified_split",
    "time_split",
    "warn_of_leakage",
]

if TYPE_CHECKING:
    from cygrad.data import augment as augment
    from cygrad.data.leakage import LeakageWarning, repeated_rows, warn_of_leakage
    from cygrad.data.mnist import MNIST, load_mnist
    from cygrad.data.preprocessing import Preprocessor
    from cygrad.data.tables import Table, read_csv, read_json_lines, read_npy, read_npz, read_parquet
    from cygrad.data.windows import Windows, seasonal_naive
else:
    LAZY = {  # the modules of names that are imported on first use
        "augment": "cygrad.data.augment",
        **dict.fromkeys(["LeakageWarning", "repeated_rows", "warn_of_leakage"], "cygrad.data.leakage"),
        "Preprocessor": "cygrad.data.preprocessing",
        **dict.fromkeys(
            ["Table", "read_csv", "read_json_lines", "read_npy", "read_npz", "read_parquet"], "cygrad.data.tables"
        ),
        **dict.fromkeys(["MNIST", "load_mnist"], "cygrad.data.mnist"),
        **dict.fromkeys(["Windows", "seasonal_naive"], "cygrad.data.windows"),
    }

    def __getattr__(name):
        """Import a name on first use."""
        if name == "read_table":
            raise AttributeError(
                "cygrad.data.read_table is now cygrad.data.read_matrix; Table.read reads tables of named columns"
            )
        if name not in LAZY:
            raise AttributeError(f"module 'cygrad.data' has no attribute {name!r}")
        import importlib

        module = importlib.import_module(LAZY[name])
        return getattr(module, name, module)
