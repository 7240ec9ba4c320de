"""Learning rate schedules, under the names of ``torch.optim.lr_scheduler``.

A scheduler writes the ``"lr"`` of the optimizer's ``param_groups`` and keeps the initial rate as ``"initial_lr"``. The
constructor sets the rate of epoch t = 0; each ``step()`` moves on to epoch t + 1.

Most schedules derive a rate from the one before: η(t) = η(t−1)·f(t)/f(t−1). So several schedulers of one optimizer
multiply, and a rate changed from outside stays changed. ``LambdaLR`` and ``OneCycleLR`` set the rate whatever it was.

A state dict contains numbers, strings and lists of them. The rates themselves are part of the optimizer's state.
"""

from cygrad.optim.lr_scheduler.base import LRScheduler
from cygrad.optim.lr_scheduler.more import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    MultiplicativeLR,
    PolynomialLR,
)
from cygrad.optim.lr_scheduler.one_cycle import OneCycleLR
from cygrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from cygrad.optim.lr_scheduler.schedules import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)
from cygrad.optim.lr_scheduler.sequential import SequentialLR

_LRScheduler = LRScheduler  # its name in old programs

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
