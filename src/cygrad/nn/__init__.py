"""Neural networks: modules, functional forms, initialization, utilities."""

from typing import TYPE_CHECKING

from cygrad._missing import found
from cygrad.nn import functional, init, utils
from cygrad.nn.module import Module
from cygrad.nn.modules import activation
from cygrad.nn.modules.activation import *
from cygrad.nn.modules.batch_norm import BatchNorm1d, BatchNorm2d
from cygrad.nn.modules.batch_norm import _BatchNorm as _BatchNorm  # which scripts ask for by this name
from cygrad.nn.modules.container import ModuleDict, ModuleList, ParameterList, Sequential
from cygrad.nn.modules.dropout import Dropout
from cygrad.nn.modules.embedding import Embedding
from cygrad.nn.modules.layer_norm import LayerNorm
from cygrad.nn.modules.linear import Identity, Linear
from cygrad.nn.modules.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from cygrad.nn.modules.shape import Flatten, Unflatten
from cygrad.nn.parameter import Buffer, Parameter

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "Linear",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ParameterList",
    "Sequential",
    "SmoothL1Loss",
    "Unflatten",
    "functional",
    "init",
    "utils",
]
__all__ += activation.__all__


if TYPE_CHECKING:
    from cygrad.nn.modules.seldom import *
else:

    def __getattr__(name):
        """Find a module that few networks need, or say why it is missing."""
        return found(name, "cygrad.nn", "cygrad.nn.modules.seldom", globals())

    def __dir__():
        from cygrad.nn.modules import seldom

        return sorted({*globals(), *seldom.__all__})
