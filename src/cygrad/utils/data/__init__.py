"""Datasets, samplers and loaders under PyTorch's path: ``torch.utils.data``."""

from cygrad.data.combined import ChainDataset, IterableDataset, StackDataset
from cygrad.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset
from cygrad.data.loader import DataLoader, default_collate, default_convert
from cygrad.data.sampler import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from cygrad.data.split import random_split
from cygrad.data.worker import get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]


class _BaseDataLoaderIter:
    """The class of PyTorch's iterators over loaders, which programs name in annotations: here they are generators."""


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """One that loads in its own process."""


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """One that loads in others."""
