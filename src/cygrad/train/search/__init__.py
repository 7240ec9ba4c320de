"""Searches for hyperparameters: the trials of a study, on one machine or many, on Optuna's samplers and storages."""

from cygrad.train.search.settings import Search
from cygrad.train.search.trial import Trial
from cygrad.train.search.worker import sweep

__all__ = ["Search", "Trial", "sweep"]
