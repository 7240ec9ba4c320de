"""Optimizers, learning rate schedules and weight averaging, under PyTorch's names."""

from cygrad.optim import lr_scheduler, swa_utils
from cygrad.optim.adagrad import Adagrad
from cygrad.optim.adam import Adam, AdamW
from cygrad.optim.groups import decay_groups
from cygrad.optim.optimizer import Optimizer
from cygrad.optim.rmsprop import RMSprop
from cygrad.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "decay_groups", "lr_scheduler", "swa_utils"]
