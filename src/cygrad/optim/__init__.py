"""Optimizers, learning rate schedules and weight averaging, under PyTorch's names."""

from typing import TYPE_CHECKING

from cygrad.optim.adagrad import Adagrad
from cygrad.optim.adam import Adam, AdamW
from cygrad.optim.groups import decay_groups
from cygrad.optim.optimizer import Optimizer
from cygrad.optim.rmsprop import RMSprop
from cygrad.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "decay_groups", "lr_scheduler", "swa_utils"]

if TYPE_CHECKING:
    from cygrad.optim import lr_scheduler, swa_utils
else:

    def __getattr__(name):
        """Import the schedulers and weight averaging on first use."""
        import importlib

        if name in ("lr_scheduler", "swa_utils"):
            return importlib.import_module(f"cygrad.optim.{name}")
        raise AttributeError(f"module 'cygrad.optim' has no attribute {name!r}")
