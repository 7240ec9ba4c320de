"""Neural networks: modules, functional forms, initialization, utilities."""

from cygrad.nn import functional, init, utils
from cygrad.nn.module import Module
from cygrad.nn.modules import activation
from cygrad.nn.modules.activation import *  # noqa: F403
from cygrad.nn.modules.batch_norm import BatchNorm1d, BatchNorm2d
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
from cygrad.nn.parameter import Parameter

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
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


def __getattr__(name: str) -> object:
    """Say what is missing, and why."""
    from cygrad._missing import attribute_error

    raise attribute_error(__name__, name)
