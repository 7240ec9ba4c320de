"""Optimizers, learning rate schedules and weight averaging, under PyTorch's names."""

from typing import TYPE_CHECKING

from cygrad.optim.adagrad import Adagrad
from cygrad.optim.adam import Adam, AdamW
from cygrad.optim.groups import decay_groups
from cygrad.optim.optimizer import Optimizer
from cygrad.optim.rmsprop import RMSprop
from cygrad.optim.sgd import SGD

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

if TYPE_CHECKING:
    from cygrad.optim import lr_scheduler, swa_utils
    from cygrad.optim.lbfgs import LBFGS
    from cygrad.optim.rules import ASGD, Adadelta, Adafactor, Adamax, Muon, NAdam, RAdam, Rprop, SparseAdam
else:
    RULES = "ASGD Adadelta Adafactor Adamax Muon NAdam RAdam Rprop SparseAdam"
    SELDOM = {"LBFGS": "lbfgs", **dict.fromkeys(RULES.split(), "rules")}  # name → its module

    def __getattr__(name):
        """Import on first use what few programs need: some optimizers, the schedulers and weight averaging."""
        import importlib

        if name in ("lr_scheduler", "swa_utils"):
            return importlib.import_module(f"cygrad.optim.{name}")
        if name not in SELDOM:
            raise AttributeError(f"module 'cygrad.optim' has no attribute {name!r}")
        globals()[name] = found = getattr(importlib.import_module(f"cygrad.optim.{SELDOM[name]}"), name)
        return found

    def __dir__():
        return sorted({*globals(), *__all__})
