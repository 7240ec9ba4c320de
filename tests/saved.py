"""Runs and models that identify the save they were written by."""

from __future__ import annotations

import numpy as np

import cygrad as cg
from cygrad import runs


def run_of(value, classes=(0, 1)):
    """A run whose weights and configuration tell its number."""
    config = runs.ImageConfig([4, 3, 2], 0.0, mean=0.0, std=1.0, classes=list(classes), version="0", seed=value)
    run = runs.ImageRun(config.network().eval(), config)
    for parameter in run.model.parameters():
        parameter.array[...] = value
    return run


def model_of(value):
    """A model whose weights and description tell its number."""
    model = cg.nn.Sequential(cg.nn.Linear(2, 2), [cg.nn.ReLU, cg.nn.Tanh][value - 1]())
    for parameter in model.parameters():
        parameter.array[...] = value
    return model


def number_of(folder):
    """The number of the run in a folder, in its weights and its configuration, which must be of one run."""
    run = runs.load(folder)
    (weights,) = {float(value) for parameter in run.model.parameters() for value in np.unique(parameter.array)}
    assert weights == run.config.seed
    return run.config.seed
