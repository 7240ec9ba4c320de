"""Optimizers, learning rate schedules and weight averaging, under PyTorch's names."""

from importlib import import_module
from typing import TYPE_CHECKING

from cygrad._missing import files_of, found
from cygrad.optim.optimizer import Optimizer

if TYPE_CHECKING:
    from cygrad.optim import lr_scheduler, swa_utils
    from cygrad.optim.adagrad import Adagrad
    from cygrad.optim.adam import Adam, AdamW
    from cygrad.optim.groups import decay_groups
    from cygrad.optim.lbfgs import LBFGS
    from cygrad.optim.muon import Muon
    from cygrad.optim.rmsprop import RMSprop
    from cygrad.optim.rules import ASGD, Adadelta, Adafactor, Adamax, NAdam, RAdam, Rprop, SparseAdam
    from cygrad.optim.sgd import SGD

FILES = files_of({
    "adagrad": "Adagrad",
    "adam": "Adam AdamW",
    "groups": "decay_groups",
    "lbfgs": "LBFGS",
    "muon": "Muon",
    "rmsprop": "RMSprop",
    "rules": "ASGD Adadelta Adafactor Adamax NAdam RAdam Rprop SparseAdam",
    "sgd": "SGD",
})

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "decay_groups",
    "lr_scheduler",
    "swa_utils",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import on first use the optimizers, the schedulers and weight averaging."""
        if name in ("lr_scheduler", "swa_utils"):
            return import_module(f"cygrad.optim.{name}")
        return found(name, "cygrad.optim", "cygrad.optim", FILES, globals())

    def __dir__():
        return sorted({*globals(), *__all__})
